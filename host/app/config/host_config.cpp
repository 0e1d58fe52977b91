#include "app/config/host_config.hpp"

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "storage/database_address.hpp"
#include "transport/url.hpp"

namespace toolhost::app {
namespace {

constexpr const char* kShippedPlugins[] = {"tickets.so", "tasks.so", "search.so"};

std::string environment(const char* name) {
  const char* text = std::getenv(name);
  return text == nullptr ? std::string() : std::string(text);
}

}  // namespace

Result<Secret> resolve(const SecretReference& reference) {
  std::string text;
  if (reference.text.starts_with("env:")) {
    const std::string name = reference.text.substr(4);
    text = environment(name.c_str());
    if (text.empty())
      return Error{Errc::kInvalidArgument,
                   "the environment variable " + name + " is not set; set it for the host, or refer to another place",
                   ""};
  } else {
    const std::string path = reference.text.substr(5);
    std::ifstream in(path, std::ios::binary);
    text.assign(std::istreambuf_iterator<char>(in), {});
    while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
    if (text.empty())
      return Error{
          Errc::kInvalidArgument,
          "the secret file " + path +
              " cannot be read or is empty; put the secret there, for the host to read, or refer to another place",
          ""};
  }
  return Secret(std::move(text));
}

Result<Secret> resolve_key(const SecretReference& reference) {
  auto secret = resolve(reference);
  if (secret && secret->reveal().size() < 32) {
    return Error{Errc::kInvalidArgument, reference.text + " holds fewer than 32 bytes; use at least 32 random ones",
                 ""};
  }
  return secret;
}

Result<Secret> resolve_database_url(const SecretReference& reference) {
  auto url = resolve(reference);
  if (url && !storage::is_database_url(url->reveal())) {
    return Error{Errc::kInvalidArgument,
                 reference.text + " does not hold a postgresql:// URL; percent-encode what a URL may not hold", ""};
  }
  return url;
}

bool is_loopback_address(const std::string& address) {
  return address.starts_with("127.") || address == "::1" || address == "localhost";
}

bool uses_local_sign_in(const HostConfig& config) {
  const auto public_url = transport::parse_url(config.public_url);
  const bool is_private = config.public_url.empty() || (public_url && public_url->is_loopback());
  return config.portal.allows_local_sign_in && config.portal.client_id.empty() && is_private &&
         is_loopback_address(config.http.address) && config.http.trusted_proxies.empty() &&
         config.http.allowed_hosts.empty();
}

std::filesystem::path absolute_path(const std::filesystem::path& path) {
  static const auto start = [] {
    std::error_code ignored;
    return std::filesystem::current_path(ignored);
  }();
  return start / path;  // "/" keeps an absolute one
}

std::filesystem::path plugin_file(const HostConfig& config, const plugin_runtime::PluginSpec& plugin) {
  return absolute_path(config.plugin_dir / plugin.file).lexically_normal();
}

plugin_runtime::PluginPins pins_of(const HostConfig& config, const std::filesystem::path& file) {
  for (const auto& plugin : config.plugins.plugins)
    if (plugin_file(config, plugin) == file) return plugin.pins;
  return {};
}

std::filesystem::path default_data_directory() {
  if (const std::string data_home = environment("XDG_DATA_HOME"); !data_home.empty()) {
    return std::filesystem::path(data_home) / "toolhost";
  }
  const std::string home = environment("HOME");
  return std::filesystem::path(home.empty() ? "/var/lib" : home + "/.local/share") / "toolhost";
}

std::filesystem::path default_plugin_directory() {
  std::error_code ignored;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", ignored);
  const auto prefix = program.parent_path().parent_path();
  const auto installed = prefix / "lib/toolhost/plugins", in_build_tree = prefix / "plugins";
  const bool is_built =
      !std::filesystem::is_directory(installed, ignored) && std::filesystem::is_directory(in_build_tree, ignored);
  return is_built ? in_build_tree : installed;
}

HostConfig default_config() {
  HostConfig config;
  config.data_dir = default_data_directory();
  config.plugin_dir = default_plugin_directory();
  config.mcp.server_version = TOOLHOST_VERSION;
  for (const char* file : kShippedPlugins) {
    plugin_runtime::PluginSpec spec;
    spec.file = file;
    config.plugins.plugins.push_back(std::move(spec));
    config.plugin_places.emplace_back();
  }
  config.policy.defaults = access::built_in_defaults();
  return config;
}

}  // namespace toolhost::app
