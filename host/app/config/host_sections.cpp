#include "app/config/host_sections.hpp"

namespace toolhost::app {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr unsigned kMostThreads = 256;  // workers of one plugin

bool has_password(const std::string& url) {
  const auto scheme = url.find("://");
  const auto authority = scheme == std::string::npos ? 0 : scheme + 3;
  const auto at = url.find('@', authority);
  const bool in_authority =
      at != std::string::npos && url.substr(authority, at - authority).find(':') != std::string::npos;
  return in_authority || url.find("password=") != std::string::npos;
}

void read_http(Section section, HostConfig& config) {
  auto& http = config.http;
  section.text("address", "Address to listen on; other than loopback see config/README.md.", http.address);
  section.integer("port", "Port to listen on; 0 takes any free one.", http.port, 0, 65535);
  section.text("public_url", "What people put before /sse; default: from address and port.", config.public_url,
               "^https?://.+$");
  section.integer("io_threads", "Threads that talk to clients; 0: one for each core, at most 4.", http.io_threads, 0,
                  64);
  section.integer("max_connections", "Open connections; further ones wait.", http.max_connections, 1, 1'000'000);
  section.bytes("max_header", "Bytes of a request's header.", http.max_header_bytes, 1 << 10, 1 << 20);
  section.bytes("max_body", "Bytes of a request's body.", http.max_body_bytes, 1 << 10, 64 << 20);
  section.bytes("max_stream_queue", "Unread answers of one stream; over it the stream is closed.",
                http.max_stream_queue_bytes, 64 << 10, 256 << 20);
  section.duration("request_limit", "From the first byte of a request to its last.", http.request_limit, seconds(1),
                   minutes(10));
  section.duration("idle_limit", "How long a kept-alive connection waits for a request.", http.idle_limit, seconds(1),
                   hours(1));
  section.duration("heartbeat", "Between comment lines on idle streams, which keep proxies from ending them.",
                   http.heartbeat, seconds(1), minutes(4));
  section.duration("stream_write_limit", "A reader that takes nothing for this long loses its stream.",
                   http.stream_write_limit, seconds(1), minutes(10));
  section.texts("allowed_origins", "Origins of browser pages beside loopback ones, e.g. https://inspector.example.com.",
                http.allowed_origins);
  section.texts("allowed_hosts", "Public names of this host, e.g. mcp.example.com.", http.allowed_hosts);
  if (!config.public_url.empty() && !config.public_url.starts_with("http://") &&
      !config.public_url.starts_with("https://")) {
    section.bad("public_url", "a URL such as https://mcp.example.com", config.public_url);
  }
  while (config.public_url.ends_with('/')) config.public_url.pop_back();
  section.finish();
}

void read_database(Section section, HostConfig& config) {
  const auto url = section.special(
      "url", "A PostgreSQL server: its URL without a password, or where the whole URL stands; default: a private one.",
      R"("type":"string","pattern":"^(postgresql://|postgres://|env:|file:).+$")");
  if (url && (url->starts_with("env:") || url->starts_with("file:"))) {
    config.database_url_reference = SecretReference{*url};
  } else if (url && !url->starts_with("postgresql://") && !url->starts_with("postgres://")) {
    // Not quoted: it may hold a password.
    section.add("url", "'database.url' must be postgresql://user@host/database, env:NAME or file:/path");
  } else if (url && has_password(*url)) {
    section.add("url",
                "'database.url' holds a password; write the URL into a file or the environment and refer to it: "
                "file:/path or env:NAME");
  } else if (url) {
    config.database_url = *url;
  }
  section.finish();
}

void read_keys(Section section, HostConfig& config) {
  section.secret("pepper", "32 bytes or more that API keys are hashed with; default: made in data_dir.", config.pepper);
  section.duration("trust_without_database", "After this long without the database every key is refused.",
                   config.keys.trust_without_database, seconds(2), hours(1));
  section.duration("usage_flush", "How far 'last used' and 'calls' of a key may lag.", config.keys.usage_flush,
                   seconds(1), minutes(10));
  section.integer("failed_sign_ins", "Refused keys that an address may present before it is answered 429.",
                  config.keys.failed_sign_ins, 1, 1'000'000);
  section.duration("failed_sign_in_period", "Then it may present one more each.", config.keys.failed_sign_in_period,
                   seconds(1), hours(1));
  section.finish();
}

void read_log(Section section, HostConfig& config) {
  using observability::LogFormat;
  using observability::Severity;
  section.choice("level", "The least severe lines that are written.", config.log.level,
                 {{"trace", Severity::kTrace},
                  {"debug", Severity::kDebug},
                  {"info", Severity::kInfo},
                  {"warning", Severity::kWarning},
                  {"error", Severity::kError},
                  {"critical", Severity::kCritical}});
  section.choice("format", "auto: text on a terminal, JSON otherwise.", config.log.format,
                 {{"auto", LogFormat::kAuto}, {"text", LogFormat::kText}, {"json", LogFormat::kJson}});
  section.finish();
}

void read_calls(Section section, HostConfig& config) {
  auto& plugins = config.plugins;
  section.integer("workers", "Blocking calls of one plugin at a time, and its database connections.", plugins.workers,
                  1, kMostThreads);
  section.integer("max_queued", "Waiting calls of one tenant at one plugin; over it a call is refused at once.",
                  plugins.max_queued_calls, 1, 100'000);
  section.duration("timeout", "How long a call may take, unless its tool says otherwise.", plugins.default_timeout,
                   milliseconds(100), minutes(10));
  section.duration("lost_worker_grace", "A handler that overstays its deadline by this is given up.",
                   plugins.lost_worker_grace, milliseconds(100), minutes(10));
  section.integer("max_lost_workers", "So many given up, and the plugin takes no more calls until they have returned.",
                  plugins.max_lost_workers, 1, 64);
  section.bytes("max_result", "Bytes of a call's result.", plugins.max_result_bytes, 4 << 10, 64 << 20);
  section.duration("drain", "How long a stopping host waits for running calls.", config.drain, seconds(0), minutes(10));
  section.finish();
}

void read_mcp(Section section, HostConfig& config) {
  section.text("name", "The server's name, for programs.", config.mcp.server_name);
  section.text("title", "The server's name, for people.", config.mcp.server_title);
  section.text("instructions", "Sent to every assistant when it connects.", config.mcp.instructions);
  section.integer("tools_page_size", "Tools in one answer to tools/list.", config.mcp.tools_page_size, 1, 1000);
  section.duration("session_idle_limit", "How long an unused session is kept.", config.mcp.session_idle_limit,
                   minutes(1), hours(24 * 7));
  section.integer("max_sessions_per_key", "Sessions of one key; over it the longest idle one gives way.",
                  config.mcp.max_sessions_per_key, 1, 1'000'000);
  section.integer("max_streams_per_key", "Open streams of one key.", config.mcp.max_streams_per_key, 1, 1'000'000);
  section.secret("sealing_key", "32 bytes or more that seal session ids and cursors; default: made in data_dir.",
                 config.sealing_key);
  section.finish();
}

void read_metrics(Section section, HostConfig& config) {
  constexpr std::uint16_t kUsualPort = 9464;
  config.metrics.own_listener = section.has("address") || section.has("port");
  config.metrics.port = kUsualPort;
  section.text("address", "With an address or a port of their own the metrics are answered there, to everybody.",
               config.metrics.address);
  section.integer("port", "Port of that address; 0 takes any free one.", config.metrics.port, 0, 65535);
  section.finish();
}

void read_audit(Section section, HostConfig& config) {
  section.duration("retention", "How long rows are kept; whole months are dropped.", config.audit.retention, hours(24),
                   hours(24 * 36'500));
  section.duration("checkpoint_every", "How often each tenant's chain is sealed.", config.audit.checkpoint_every,
                   seconds(1), hours(24));
  section.choice("calls", "all, or none: only calls that were refused. Changes of keys and configuration always are.",
                 config.audit.keeps_calls, {{"all", true}, {"none", false}});
  section.finish();
}

void read_reload(Section section, HostConfig& config) {
  section.flag("watch", "Read these files anew when they change.", config.reload.watch);
  section.finish();
}

struct ReadPlugins {
  std::vector<plugin_runtime::PluginSpec> specs;
  std::vector<PluginPlace> places;
};

void read_plugin(const Slot& slot, ReadPlugins& plugins, Problems& problems) {
  Section section(slot, problems);
  plugin_runtime::PluginSpec spec;
  PluginPlace place;
  std::string file;
  section.text("file", "The plugin's .so file: absolute, or relative to plugin_dir.", file);
  section.require("file", "a plugin needs 'file': an absolute path, or one relative to 'plugin_dir'");
  section.integer("workers", "Instead of calls.workers.", spec.workers, 1, kMostThreads);
  section.free_mapping("settings", "The plugin's own settings; its documentation names them.",
                       [&](const auto& node) { append_settings(spec.settings_json, place.settings, node, problems); });
  section.finish();
  if (file.empty()) return;
  spec.file = file;
  place.entry = problems.place(slot.node);
  plugins.specs.push_back(std::move(spec));
  plugins.places.push_back(std::move(place));
}

void read_host_sections(Section& root, HostConfig& config) {
  std::string path;
  root.text("data_dir",
            "Database, secrets, audit journal; default: ~/.local/share/toolhost. --data-dir goes before it.", path);
  if (!path.empty()) config.data_dir = std::exchange(path, {});
  root.text("plugin_dir", "Where relative plugin files are looked up; default: beside the program.", path);
  if (!path.empty()) config.plugin_dir = std::exchange(path, {});
  path = "tenants";
  root.text("tenant_dir", "Each *.yaml and *.yml in it is a tenant, named as the file; relative to this file.", path);
  config.tenant_dir = path;
  read_http(root.section("http", "The listener."), config);
  read_database(root.section("database", "Where the data is kept; default: a private PostgreSQL in data_dir."), config);
  read_keys(root.section("keys", "API keys."), config);
  read_log(root.section("log", "What is written to standard error."), config);
  read_calls(root.section("calls", "How calls of tools run."), config);
  read_mcp(root.section("mcp", "What assistants see of the host."), config);
  read_reload(root.section("reload", "When these files are read anew."), config);
  read_metrics(root.section("metrics", "/metrics for Prometheus; default: at the main address, to loopback only."),
               config);
  read_audit(root.section("audit", "The record of calls and changes."), config);
  ReadPlugins plugins;
  const bool are_listed =
      root.list("plugins", "What is loaded; default: tickets.so, tasks.so and search.so.", "file: tickets.so",
                [&](const Slot& slot) { read_plugin(slot, plugins, root.problems()); });
  if (are_listed) {
    config.plugins.plugins = std::move(plugins.specs);
    config.plugin_places = std::move(plugins.places);
  }
}

}  // namespace

void read_host_file(Section& root, HostConfig& config, const std::function<void(Section&, ReadTenant)>& take) {
  read_host_sections(root, config);
  Section defaults = root.section("defaults", "What holds in every tenant, also in those that no file names.");
  read_policy(defaults, config.policy.defaults, config);
  defaults.finish();
  root.list("tenants", "Tenants; created when missing. With none at all, the very first start makes \"demo\".",
            "name: acme", [&](const Slot& slot) {
              Section section(slot, root.problems());
              ReadTenant tenant;
              read_tenant(section, tenant, config);
              take(section, std::move(tenant));
            });
  root.finish();
}

}  // namespace toolhost::app
