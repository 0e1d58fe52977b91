#include "app/config_loader.hpp"

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

#include "app/yaml_section.hpp"
#include "base/json.hpp"
#include "base/json_writer.hpp"
#include "base/similar_name.hpp"

namespace toolhost::app {
namespace {

bool has_password(const std::string& url) {
  const auto scheme = url.find("://");
  const auto authority = scheme == std::string::npos ? 0 : scheme + 3;
  const auto at = url.find('@', authority);
  const bool in_authority =
      at != std::string::npos && url.substr(authority, at - authority).find(':') != std::string::npos;
  return in_authority || url.find("password=") != std::string::npos;
}

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

void read_http(Section section, HostConfig& config) {
  auto& http = config.http;
  section.text("address", http.address);
  section.integer("port", http.port, 0, 65535);
  section.text("public_url", config.public_url);
  section.integer("io_threads", http.io_threads, 0, 64);
  section.integer("max_connections", http.max_connections, 1, 1'000'000);
  section.bytes("max_header", http.max_header_bytes, 1 << 10, 1 << 20);
  section.bytes("max_body", http.max_body_bytes, 1 << 10, 64 << 20);
  section.bytes("max_stream_queue", http.max_stream_queue_bytes, 64 << 10, 256 << 20);
  section.duration("request_limit", http.request_limit, seconds(1), minutes(10));
  section.duration("idle_limit", http.idle_limit, seconds(1), hours(1));
  section.duration("heartbeat", http.heartbeat, seconds(1), minutes(4));
  section.duration("stream_write_limit", http.stream_write_limit, seconds(1), minutes(10));
  section.texts("allowed_origins", http.allowed_origins);
  section.texts("allowed_hosts", http.allowed_hosts);
  if (!config.public_url.empty() && !config.public_url.starts_with("http://") &&
      !config.public_url.starts_with("https://")) {
    section.bad("public_url", "a URL such as https://mcp.example.com", config.public_url);
  }
  while (config.public_url.ends_with('/')) config.public_url.pop_back();
  section.finish();
}

void read_database(Section section, HostConfig& config) {
  if (const auto url = section.scalar("url")) {
    if (url->starts_with("env:") || url->starts_with("file:")) {
      config.database_url_reference = SecretReference{*url};
    } else if (!url->starts_with("postgresql://") && !url->starts_with("postgres://")) {
      section.bad("url", "postgresql://user@host/database, env:NAME or file:/path", *url);
    } else if (has_password(*url)) {
      section.problems().add(section.get("url"),
                             "'database.url' holds a password; write the URL into a file or the environment and "
                             "refer to it: file:/path or env:NAME");
    } else {
      config.database_url = *url;
    }
  }
  section.finish();
}

void read_keys(Section section, HostConfig& config) {
  section.secret("pepper", config.pepper);
  section.duration("trust_without_database", config.keys.trust_without_database, seconds(2), hours(1));
  section.duration("usage_flush", config.keys.usage_flush, seconds(1), minutes(10));
  section.finish();
}

void read_log(Section section, HostConfig& config) {
  using observability::LogFormat;
  using observability::Severity;
  section.choice("level", config.log.level,
                 {{"trace", Severity::kTrace},
                  {"debug", Severity::kDebug},
                  {"info", Severity::kInfo},
                  {"warning", Severity::kWarning},
                  {"error", Severity::kError},
                  {"critical", Severity::kCritical}});
  section.choice("format", config.log.format,
                 {{"auto", LogFormat::kAuto}, {"text", LogFormat::kText}, {"json", LogFormat::kJson}});
  section.finish();
}

void read_calls(Section section, HostConfig& config) {
  auto& plugins = config.plugins;
  section.integer("workers", plugins.workers, 1, 256);
  section.integer("max_queued", plugins.max_queued_calls, 1, 100'000);
  section.duration("timeout", plugins.default_timeout, milliseconds(100), minutes(10));
  section.duration("lost_worker_grace", plugins.lost_worker_grace, milliseconds(100), minutes(10));
  section.integer("max_lost_workers", plugins.max_lost_workers, 1, 64);
  section.bytes("max_result", plugins.max_result_bytes, 4 << 10, 64 << 20);
  section.duration("drain", config.drain, seconds(0), minutes(10));
  section.finish();
}

void read_mcp(Section section, HostConfig& config) {
  section.text("name", config.mcp.server_name);
  section.text("title", config.mcp.server_title);
  section.text("instructions", config.mcp.instructions);
  section.integer("tools_page_size", config.mcp.tools_page_size, 1, 1000);
  section.duration("session_idle_limit", config.mcp.session_idle_limit, minutes(1), hours(24 * 7));
  section.integer("max_sessions_per_key", config.mcp.max_sessions_per_key, 1, 1'000'000);
  section.integer("max_streams_per_key", config.mcp.max_streams_per_key, 1, 1'000'000);
  section.secret("sealing_key", config.sealing_key);
  section.finish();
}

void read_plugins(const YAML::Node& list, HostConfig& config, Problems& problems) {
  if (!list.IsDefined()) return;
  if (!list.IsSequence()) {
    problems.add(list, "'plugins' must be a list; write '- file: tickets.so' for each plugin");
    return;
  }
  config.plugins.plugins.clear();
  for (const auto& item : list) {
    Section section(item, "plugins[]", problems);
    plugin_runtime::PluginSpec spec;
    const auto file = section.scalar("file");
    if (file && !file->empty()) {
      spec.file = *file;
      config.plugins.plugins.push_back(spec);
    } else if (item.IsMap()) {
      problems.add(item, "a plugin needs 'file': an absolute path, or one relative to 'plugin_dir'");
    }
    auto& stored = config.plugins.plugins.empty() ? spec : config.plugins.plugins.back();
    section.integer("workers", stored.workers, 1, 256);
    if (const YAML::Node settings = section.get("settings"); settings.IsDefined()) {
      if (settings.IsMap()) {
        if (!append_json(stored.settings_json, settings))
          problems.add(settings,
                       "'settings' nest deeper than 32 levels or hold more than 1 MiB; does an alias name itself?");
      } else {
        problems.add(settings, "'settings' must be a mapping; the plugin's own documentation names its keys");
      }
    }
    section.finish();
  }
}

/// "ana@acme.com", or "*@acme.com" for everybody of that domain.
bool is_email(std::string_view text) {
  const auto at = text.find('@');
  if (at == 0 || at == std::string_view::npos || at + 1 == text.size() || text.size() > 320) return false;
  if (text.find('@', at + 1) != std::string_view::npos) return false;
  const bool has_space = std::any_of(text.begin(), text.end(), [](unsigned char c) { return c <= ' ' || c == 0x7f; });
  const auto star = text.rfind('*');
  return !has_space && (star == std::string_view::npos || (star == 0 && at == 1));
}

std::string lower(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

void read_role(Section& section, const std::string& key, Role& role) {
  section.choice(key, role, {{"viewer", Role::kViewer}, {"agent", Role::kAgent}, {"admin", Role::kAdmin}});
}

void read_members(const YAML::Node& list, Members& members, Problems& problems) {
  if (!list.IsDefined()) return;
  if (!list.IsSequence()) {
    problems.add(list, "'tenants[].members' must be a list; write '- email: ana@acme.com' for each person");
    return;
  }
  std::set<std::string> seen;
  for (const auto& item : list) {
    Section section(item, "tenants[].members[]", problems);
    Member member;
    section.text("email", member.email);
    section.text("name", member.name);
    read_role(section, "role", member.role);
    section.finish();
    if (!section.is_usable()) continue;
    if (member.email.empty()) {
      problems.add(item, "a member needs 'email': a person's address, or *@acme.com for everybody of that domain");
    } else if (!is_email(member.email)) {
      section.bad("email", "an e-mail address, or *@acme.com for everybody of that domain", member.email);
    } else if (!seen.insert(lower(member.email)).second) {
      problems.add(item, "member '" + member.email + "' is listed twice; keep one of them");
    } else if (member.email.starts_with('*') && !member.name.empty()) {
      section.bad("name", "absent for a whole domain", member.name);
    } else {
      members.push_back(std::move(member));
    }
  }
}

/// What a plugin calls itself; while its file cannot be read, what the file is called.
std::string id_of(const plugin_runtime::PluginSpec& plugin, const HostConfig& config) {
  const auto info = plugin_runtime::inspect_plugin_file(config.plugin_dir / plugin.file);
  return info ? info->id : plugin.file.stem().string();
}

/// The members of `base` with those of `over` in their place; both are JSON objects, `base` may be empty.
std::string merge(std::string_view base, std::string_view over) {
  json::Document base_text, over_text;
  const auto base_root = base_text.parse(base.empty() ? "{}" : base);
  const auto over_root = over_text.parse(over);
  json::Object base_members, over_members;
  if (!base_root || !over_root || base_root->get(base_members) || over_root->get(over_members))
    return std::string(over);
  std::string out;
  JsonWriter writer(out);
  writer.begin_object();
  for (const auto& member : base_members)
    if (json::find(*over_root, member.key).error()) writer.key(member.key).raw(json::to_text(member.value));
  for (const auto& member : over_members) writer.key(member.key).raw(json::to_text(member.value));
  writer.end_object();
  return out;
}

/// A tenant's settings by plugin id, laid over each plugin's own.
class TenantSettings {
 public:
  TenantSettings(HostConfig& config, Problems& problems) : config_(config), problems_(problems) {}

  void read(const YAML::Node& node, const std::string& tenant) {
    Section by_plugin(node, "tenants[].settings", problems_);
    if (!by_plugin.is_usable()) return;
    for (const auto& entry : node) {
      if (!entry.first.IsScalar()) continue;
      const std::string& id = entry.first.Scalar();
      const auto found = std::find(ids().begin(), ids().end(), id);
      if (found == ids().end()) {
        problems_.add(entry.first, unknown(id));
        continue;
      }
      const Section settings(entry.second, "tenants[].settings." + id, problems_);
      std::string text;
      if (!settings.is_usable()) continue;
      if (!append_json(text, entry.second)) {
        problems_.add(entry.second, "'settings' nest deeper than 32 levels or hold more than 1 MiB");
        continue;
      }
      auto& plugin = config_.plugins.plugins[static_cast<std::size_t>(found - ids().begin())];
      plugin.tenant_settings[tenant] = merge(plugin.settings_json, text);
    }
  }

 private:
  /// Of the configured plugins, in their order; their files are read at first use only.
  const std::vector<std::string>& ids() {
    if (ids_.empty())
      for (const auto& plugin : config_.plugins.plugins) ids_.push_back(id_of(plugin, config_));
    return ids_;
  }

  std::string unknown(const std::string& id) {
    std::string message = "unknown plugin '" + id + "' in tenants[].settings";
    if (const auto near = similar_name(id, ids())) return message + "; did you mean '" + std::string(*near) + "'?";
    message += ids().empty() ? "; no plugin is configured" : "; configured are:";
    for (const auto& known : ids()) message += " " + known;
    return message;
  }

  HostConfig& config_;
  Problems& problems_;
  std::vector<std::string> ids_;
};

void read_tenants(const YAML::Node& list, HostConfig& config, Problems& problems) {
  if (!list.IsDefined()) return;
  if (!list.IsSequence()) {
    problems.add(list, "'tenants' must be a list; write '- name: acme' for each tenant");
    return;
  }
  TenantSettings settings(config, problems);
  std::set<std::string> names;
  for (const auto& item : list) {
    Section section(item, "tenants[]", problems);
    TenantConfig tenant;
    section.text("name", tenant.name);
    section.text("title", tenant.title);
    section.text("time_zone", tenant.time_zone);
    read_role(section, "default_role", tenant.people.default_role);
    read_members(section.get("members"), tenant.people.members, problems);
    settings.read(section.get("settings"), tenant.name);
    section.finish();
    if (!item.IsMap()) continue;
    if (tenant.name.empty()) {
      problems.add(item, "a tenant needs 'name': lower-case letters, digits and hyphens");
    } else if (!names.insert(tenant.name).second) {
      problems.add(item, "tenant '" + tenant.name + "' is listed twice; keep one of them");
    } else {
      if (tenant.title.empty()) tenant.title = tenant.name;
      config.tenants.push_back(std::move(tenant));
    }
  }
}

}  // namespace

std::string to_string(const ConfigProblem& problem) {
  std::string text = problem.file;
  if (problem.line > 0) text += ":" + std::to_string(problem.line) + ":" + std::to_string(problem.column);
  return text + ": " + problem.message;
}

LoadedConfig parse_config(std::string_view yaml, const std::string& name) {
  LoadedConfig loaded{default_config(), {}};
  Problems problems(name);
  try {
    const auto documents = YAML::LoadAll(std::string(yaml));
    if (documents.size() > 1) problems.add(documents[1], "a second document begins here; keep one in a file");
    Section root(documents.empty() ? YAML::Node() : documents.front(), "", problems);
    std::string path;
    root.text("data_dir", path);
    if (!path.empty()) loaded.config.data_dir = std::exchange(path, {});
    root.text("plugin_dir", path);
    if (!path.empty()) loaded.config.plugin_dir = path;
    read_http(root.section("http"), loaded.config);
    read_database(root.section("database"), loaded.config);
    read_keys(root.section("keys"), loaded.config);
    read_log(root.section("log"), loaded.config);
    read_calls(root.section("calls"), loaded.config);
    read_mcp(root.section("mcp"), loaded.config);
    read_plugins(root.get("plugins"), loaded.config, problems);
    read_tenants(root.get("tenants"), loaded.config, problems);
    root.finish();
  } catch (const YAML::Exception& error) {
    problems.add(error.mark, "this is not YAML: " + error.msg);
  }
  loaded.problems = problems.take();
  return loaded;
}

LoadedConfig load_config(const std::filesystem::path& file) {
  std::error_code ignored;
  const bool is_directory = std::filesystem::is_directory(file, ignored);
  std::ifstream in(file, std::ios::binary);
  std::stringstream text;
  if (in) text << in.rdbuf();
  const auto whole_file = [&](std::string message) {
    return LoadedConfig{default_config(), {{file.string(), 0, 0, std::move(message)}}};
  };
  if (is_directory) return whole_file("is a directory; name the file in it");
  if (!in) return whole_file("cannot be read; check the path and its permissions");
  const std::string yaml = text.str();
  if (yaml.size() > kMaxConfigBytes) return whole_file("is larger than 1 MiB, which no configuration is");

  LoadedConfig loaded = parse_config(yaml, file.string());
  loaded.config.file = std::filesystem::absolute(file);
  return loaded;
}

}  // namespace toolhost::app
