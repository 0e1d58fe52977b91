#include "app/config_loader.hpp"

#include <yaml-cpp/yaml.h>

#include <charconv>
#include <fstream>
#include <set>
#include <sstream>

#include "base/json_writer.hpp"
#include "base/similar_name.hpp"

namespace toolhost::app {
namespace {

constexpr std::size_t kMaxFileBytes = 1 << 20;

/// Collects problems with their place in the file.
class Problems {
 public:
  explicit Problems(std::string file) : file_(std::move(file)) {}

  void add(const YAML::Mark& mark, std::string message) {
    list_.push_back({file_, mark.line + 1, mark.column + 1, std::move(message)});
  }
  void add(const YAML::Node& node, std::string message) { add(node.Mark(), std::move(message)); }
  std::vector<ConfigProblem> take() {
    std::sort(list_.begin(), list_.end(), [](const auto& a, const auto& b) {
      return std::tie(a.line, a.column, a.message) < std::tie(b.line, b.column, b.message);
    });
    return std::move(list_);
  }

 private:
  std::string file_;
  std::vector<ConfigProblem> list_;
};

/// Reads one number with one of several unit suffixes: "30s", "4MiB".
struct Unit {
  std::string_view suffix;
  std::int64_t factor;
};
std::optional<std::int64_t> parse_with_unit(std::string_view text, std::initializer_list<Unit> units) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || number < 0) return std::nullopt;
  std::string_view suffix(end, static_cast<std::size_t>(text.data() + text.size() - end));
  while (suffix.starts_with(' ')) suffix.remove_prefix(1);
  for (const Unit& unit : units) {
    if (suffix != unit.suffix) continue;
    if (number > std::numeric_limits<std::int64_t>::max() / unit.factor) return std::nullopt;
    return number * unit.factor;
  }
  return std::nullopt;
}

/// One mapping of the file. Every key that is read becomes known; finish() reports the others.
class Section {
 public:
  Section(YAML::Node node, std::string name, Problems& problems)
      : node_(std::move(node)), name_(std::move(name)), problems_(problems) {
    if (!node_.IsDefined() || node_.IsNull()) return;
    if (!node_.IsMap()) {
      problems_.add(node_, where() + " must be a mapping of keys to values");
      return;
    }
    std::set<std::string> seen;
    for (const auto& entry : node_) {
      if (!entry.first.IsScalar()) {
        problems_.add(entry.first, "keys must be plain words");
      } else if (!seen.insert(entry.first.Scalar()).second) {
        problems_.add(entry.first, "duplicate key '" + entry.first.Scalar() + "'; keep one of them");
      }
    }
    usable_ = true;
  }

  [[nodiscard]] YAML::Node node() const { return node_; }
  Problems& problems() { return problems_; }

  /// The value of `key`, undefined when absent or null.
  YAML::Node get(const std::string& key) {
    known_.push_back(key);
    if (!usable_) return YAML::Node(YAML::NodeType::Undefined);
    for (const auto& entry : node_) {
      if (entry.first.IsScalar() && entry.first.Scalar() == key) {
        return entry.second.IsNull() ? YAML::Node(YAML::NodeType::Undefined) : entry.second;
      }
    }
    return YAML::Node(YAML::NodeType::Undefined);
  }

  Section section(const std::string& key) {
    return Section(get(key), name_.empty() ? key : name_ + "." + key, problems_);
  }

  void text(const std::string& key, std::string& target) {
    if (const auto found = scalar(key)) target = *found;
  }

  template <class Integer>
  void integer(const std::string& key, Integer& target, std::int64_t low, std::int64_t high) {
    const auto found = scalar(key);
    if (!found) return;
    const auto number = parse_with_unit(*found, {{"", 1}});
    if (!number || *number < low || *number > high) {
      bad(key, "a whole number from " + std::to_string(low) + " to " + std::to_string(high), *found);
      return;
    }
    target = static_cast<Integer>(*number);
  }

  void bytes(const std::string& key, std::size_t& target, std::size_t low, std::size_t high) {
    const auto found = scalar(key);
    if (!found) return;
    const auto number = parse_with_unit(*found, {{"", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}});
    if (!number || *number < static_cast<std::int64_t>(low) || *number > static_cast<std::int64_t>(high)) {
      bad(key, "a size from " + std::to_string(low) + " to " + std::to_string(high) + " bytes, such as 64KiB or 4MiB",
          *found);
      return;
    }
    target = static_cast<std::size_t>(*number);
  }

  template <class Duration>
  void duration(const std::string& key, Duration& target, std::chrono::milliseconds low,
                std::chrono::milliseconds high) {
    const auto found = scalar(key);
    if (!found) return;
    const auto number = parse_with_unit(*found, {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}});
    const auto limit = [](std::chrono::milliseconds value) {
      return value.count() % 1000 == 0 ? std::to_string(value.count() / 1000) + "s"
                                       : std::to_string(value.count()) + "ms";
    };
    if (!number || *number < low.count() || *number > high.count() ||
        std::chrono::duration_cast<Duration>(std::chrono::milliseconds(*number)) !=
            std::chrono::milliseconds(*number)) {
      bad(key, "a time from " + limit(low) + " to " + limit(high) + ", such as 500ms, 30s, 5m or 1h", *found);
      return;
    }
    target = std::chrono::duration_cast<Duration>(std::chrono::milliseconds(*number));
  }

  template <class Enum>
  void choice(const std::string& key, Enum& target, std::initializer_list<std::pair<std::string_view, Enum>> values) {
    const auto found = scalar(key);
    if (!found) return;
    std::string allowed;
    for (const auto& [word, meaning] : values) {
      if (*found == word) {
        target = meaning;
        return;
      }
      allowed += (allowed.empty() ? "" : ", ") + std::string(word);
    }
    bad(key, "one of: " + allowed, *found);
  }

  void texts(const std::string& key, std::vector<std::string>& target) {
    const YAML::Node list = get(key);
    if (!list.IsDefined()) return;
    if (!list.IsSequence()) {
      problems_.add(list, where(key) + " must be a list, such as [\"one\", \"two\"]");
      return;
    }
    target.clear();
    for (const auto& item : list) {
      if (item.IsScalar()) {
        target.push_back(item.Scalar());
      } else {
        problems_.add(item, where(key) + " must hold plain texts");
      }
    }
  }

  void secret(const std::string& key, std::optional<SecretReference>& target) {
    const auto found = scalar(key);
    if (!found) return;
    if (!found->starts_with("env:") && !found->starts_with("file:")) {
      problems_.add(get(key),
                    where(key) + " must say where the secret stands: env:NAME or file:/path; it is never written here");
      return;
    }
    target = SecretReference{*found};
  }

  std::optional<std::string> scalar(const std::string& key) {
    const YAML::Node found = get(key);
    if (!found.IsDefined()) return std::nullopt;
    if (found.IsScalar()) return found.Scalar();
    problems_.add(found, where(key) + " must be a single value, not a " + (found.IsMap() ? "mapping" : "list"));
    return std::nullopt;
  }

  /// Reports keys that nobody asked for.
  void finish() {
    if (!usable_) return;
    for (const auto& entry : node_) {
      if (!entry.first.IsScalar()) continue;
      const std::string& key = entry.first.Scalar();
      if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
      std::string message = "unknown key '" + key + "'" + (name_.empty() ? "" : " in " + name_);
      if (const auto near = similar_name(key, known_)) {
        message += "; did you mean '" + std::string(*near) + "'?";
      } else {
        message += "; known here:";
        for (const auto& name : known_) message += " " + name;
      }
      problems_.add(entry.first, std::move(message));
    }
  }

  void bad(const std::string& key, const std::string& wanted, const std::string& got) {
    problems_.add(get(key), where(key) + " must be " + wanted + "; got '" + got + "'");
  }
  [[nodiscard]] std::string where(const std::string& key = "") const {
    if (key.empty()) return name_.empty() ? "the file" : "'" + name_ + "'";
    return "'" + (name_.empty() ? key : name_ + "." + key) + "'";
  }

 private:
  YAML::Node node_;
  std::string name_;
  Problems& problems_;
  std::vector<std::string> known_;
  bool usable_ = false;
};

/// A plugin's own settings travel as JSON; plain YAML scalars keep the type that the YAML core schema gives them.
/// False when they nest too deep, as an alias of itself does, or grow too large.
bool append_json(std::string& out, const YAML::Node& node, int depth = 0) {
  constexpr int kDeepest = 32;
  if (depth > kDeepest || out.size() > kMaxFileBytes) return false;
  JsonWriter writer(out);
  switch (node.Type()) {
    case YAML::NodeType::Map: {
      out += '{';
      bool first = true;
      for (const auto& entry : node) {
        if (!std::exchange(first, false)) out += ',';
        append_json_string(out, entry.first.Scalar());
        out += ':';
        if (!append_json(out, entry.second, depth + 1)) return false;
      }
      out += '}';
      return true;
    }
    case YAML::NodeType::Sequence: {
      out += '[';
      bool first = true;
      for (const auto& item : node) {
        if (!std::exchange(first, false)) out += ',';
        if (!append_json(out, item, depth + 1)) return false;
      }
      out += ']';
      return true;
    }
    case YAML::NodeType::Scalar: {
      bool flag = false;
      std::int64_t integer = 0;
      double number = 0;
      const bool quoted = node.Tag() == "!";
      if (!quoted && YAML::convert<bool>::decode(node, flag)) {
        writer.boolean(flag);
      } else if (!quoted && YAML::convert<std::int64_t>::decode(node, integer)) {
        writer.integer(integer);
      } else if (!quoted && YAML::convert<double>::decode(node, number)) {
        writer.number(number);
      } else {
        writer.string(node.Scalar());
      }
      return true;
    }
    case YAML::NodeType::Null:
    case YAML::NodeType::Undefined:
      writer.null();
  }
  return true;
}

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

void read_tenants(const YAML::Node& list, HostConfig& config, Problems& problems) {
  if (!list.IsDefined()) return;
  if (!list.IsSequence()) {
    problems.add(list, "'tenants' must be a list; write '- name: acme' for each tenant");
    return;
  }
  std::set<std::string> names;
  for (const auto& item : list) {
    Section section(item, "tenants[]", problems);
    TenantConfig tenant;
    section.text("name", tenant.name);
    section.text("title", tenant.title);
    section.text("time_zone", tenant.time_zone);
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
  if (yaml.size() > kMaxFileBytes) return whole_file("is larger than 1 MiB, which no configuration is");

  LoadedConfig loaded = parse_config(yaml, file.string());
  loaded.config.file = std::filesystem::absolute(file);
  return loaded;
}

}  // namespace toolhost::app
