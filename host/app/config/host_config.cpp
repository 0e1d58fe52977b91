#include "app/config/host_config.hpp"

#include <cstdlib>
#include <fstream>
#include <iterator>

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
                   "the environment variable " + name + " is not set; the configuration refers to it", ""};
  } else {
    const std::string path = reference.text.substr(5);
    std::ifstream in(path, std::ios::binary);
    text.assign(std::istreambuf_iterator<char>(in), {});
    while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
    if (text.empty())
      return Error{Errc::kInvalidArgument,
                   "the secret file " + path + " cannot be read or is empty; the configuration refers to it", ""};
  }
  return Secret(std::move(text));
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
  const auto in_build_tree = prefix / "plugins";
  return std::filesystem::is_directory(in_build_tree, ignored) ? in_build_tree : prefix / "lib/toolhost/plugins";
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
