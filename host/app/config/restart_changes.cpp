#include "app/config/config_diff.hpp"

#include <algorithm>

namespace toolhost::app {
namespace {

std::string shown(const std::string& text) {
  return text.empty() ? "(empty)" : text;
}
std::string shown(const std::filesystem::path& path) {
  return shown(path.string());
}
std::string shown(const std::vector<std::string>& texts) {
  std::string all = "[";
  for (const auto& text : texts) all += (&text == &texts.front() ? "" : ", ") + text;
  return all + "]";
}
template <class Number>
  requires std::is_integral_v<Number>
std::string shown(Number number) {
  return std::to_string(number);
}
template <class Count, class Period>
std::string shown(std::chrono::duration<Count, Period> duration) {
  const auto count = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
  return count % 1000 == 0 ? std::to_string(count / 1000) + "s" : std::to_string(count) + "ms";
}

std::string days_or_hours(std::chrono::hours hours) {
  return hours.count() % 24 == 0 ? std::to_string(hours.count() / 24) + "d" : std::to_string(hours.count()) + "h";
}

class Comparison {
 public:
  template <class Value>
  void compare(const char* key, const Value& running, const Value& wanted) {
    if (running != wanted) lines.push_back(std::string(key) + " " + shown(running) + " -> " + shown(wanted));
  }
  /// Without the values.
  void secret(const char* key, bool is_same) {
    if (!is_same) lines.emplace_back(key);
  }
  std::vector<std::string> lines;
};

bool is_same(const std::optional<SecretReference>& left, const std::optional<SecretReference>& right) {
  return left.has_value() == right.has_value() && (!left || left->text == right->text);
}

PluginSecretReferences secrets_of(const HostConfig& config, std::size_t plugin) {
  const auto found = config.plugin_secrets.find(plugin);
  return found == config.plugin_secrets.end() ? PluginSecretReferences() : found->second;
}

bool is_same(const PluginSecretReferences& left, const PluginSecretReferences& right) {
  return std::equal(left.begin(), left.end(), right.begin(), right.end(), [](const auto& one, const auto& other) {
    return one.first == other.first && one.second.text == other.second.text;
  });
}

std::string port_or_none(const std::optional<std::uint16_t>& port) {
  return port ? std::to_string(*port) : "none";
}

void compare_http(Comparison& keys, const transport::HttpServerConfig& running,
                  const transport::HttpServerConfig& wanted) {
  keys.compare("http.address", running.address, wanted.address);
  keys.compare("http.port", running.port, wanted.port);
  keys.compare("http.io_threads", running.io_threads, wanted.io_threads);
  keys.compare("http.max_header", running.max_header_bytes, wanted.max_header_bytes);
  keys.compare("http.max_body", running.max_body_bytes, wanted.max_body_bytes);
  keys.compare("http.max_connections", running.max_connections, wanted.max_connections);
  keys.compare("http.request_limit", running.request_limit, wanted.request_limit);
  keys.compare("http.idle_limit", running.idle_limit, wanted.idle_limit);
  keys.compare("http.heartbeat", running.heartbeat, wanted.heartbeat);
  keys.compare("http.max_stream_queue", running.max_stream_queue_bytes, wanted.max_stream_queue_bytes);
  keys.compare("http.stream_write_limit", running.stream_write_limit, wanted.stream_write_limit);
  keys.compare("http.allowed_origins", running.allowed_origins, wanted.allowed_origins);
  keys.compare("http.allowed_hosts", running.allowed_hosts, wanted.allowed_hosts);
  const auto tls = [](const transport::HttpServerConfig& config) {
    return config.tls.value_or(transport::TlsConfig());
  };
  keys.compare("http.tls.certificate", tls(running).certificate, tls(wanted).certificate);
  keys.compare("http.tls.key", tls(running).key, tls(wanted).key);
  keys.compare("http.redirect_port", port_or_none(running.redirect_port), port_or_none(wanted.redirect_port));
  keys.compare("http.trusted_proxies", running.trusted_proxies, wanted.trusted_proxies);
}

void compare_calls(Comparison& keys, const plugin_runtime::PluginHostConfig& running,
                   const plugin_runtime::PluginHostConfig& wanted) {
  keys.compare("calls.workers", running.workers, wanted.workers);
  keys.compare("calls.max_queued", running.max_queued_calls, wanted.max_queued_calls);
  keys.compare("calls.timeout", running.default_timeout, wanted.default_timeout);
  keys.compare("calls.max_result", running.max_result_bytes, wanted.max_result_bytes);
  keys.compare("calls.lost_worker_grace", running.lost_worker_grace, wanted.lost_worker_grace);
  keys.compare("calls.max_lost_workers", running.max_lost_workers, wanted.max_lost_workers);
}

void compare_mcp(Comparison& keys, const protocol::McpConfig& running, const protocol::McpConfig& wanted) {
  keys.compare("mcp.name", running.server_name, wanted.server_name);
  keys.compare("mcp.title", running.server_title, wanted.server_title);
  keys.compare("mcp.instructions", running.instructions, wanted.instructions);
  keys.compare("mcp.tools_page_size", running.tools_page_size, wanted.tools_page_size);
  keys.compare("mcp.session_idle_limit", running.session_idle_limit, wanted.session_idle_limit);
  keys.compare("mcp.max_sessions_per_key", running.max_sessions_per_key, wanted.max_sessions_per_key);
  keys.compare("mcp.max_streams_per_key", running.max_streams_per_key, wanted.max_streams_per_key);
  keys.compare("mcp.ask_limit", running.ask_limit, wanted.ask_limit);
  keys.compare("mcp.streams.after", running.streams.after, wanted.streams.after);
  keys.compare("mcp.streams.keep", running.streams.keep, wanted.streams.keep);
  keys.compare("mcp.streams.retry", running.streams.retry, wanted.streams.retry);
  keys.compare("mcp.streams.memory", running.streams.memory, wanted.streams.memory);
  keys.compare("mcp.max_listeners", running.max_listeners, wanted.max_listeners);
  keys.compare("mcp.list_ttl", running.list_ttl, wanted.list_ttl);
}

void compare_portal(Comparison& keys, const PortalSettings& running, const PortalSettings& wanted) {
  const auto word = [](bool flag) { return std::string(flag ? "true" : "false"); };
  keys.compare("portal.enabled", word(running.enabled), word(wanted.enabled));
  keys.compare("portal.sign_in.issuer", running.issuer, wanted.issuer);
  keys.compare("portal.sign_in.client_id", running.client_id, wanted.client_id);
  keys.secret("portal.sign_in.client_secret", is_same(running.client_secret, wanted.client_secret));
  keys.compare("portal.sign_in.name", running.provider_name, wanted.provider_name);
  keys.compare("portal.sign_in.ca_file", running.ca_file, wanted.ca_file);
  keys.secret("portal.local_sign_in", running.allows_local_sign_in == wanted.allows_local_sign_in);
  keys.compare("portal.support", running.support, wanted.support);
  keys.compare("portal.keys_per_person", running.keys_per_person, wanted.keys_per_person);
}

void compare_tracing(Comparison& keys, const TracingSettings& running, const TracingSettings& wanted) {
  const auto is_same_header = [](const auto& left, const auto& right) {
    return left.name == right.name && left.value.text == right.value.text;
  };
  keys.compare("tracing.otlp", running.otlp, wanted.otlp);
  keys.compare("tracing.ca_file", running.ca_file, wanted.ca_file);
  keys.secret("tracing.sample", running.sample == wanted.sample);
  keys.secret("tracing.headers", std::equal(running.headers.begin(), running.headers.end(), wanted.headers.begin(),
                                            wanted.headers.end(), is_same_header));
}

std::string metrics_port(const MetricsConfig& metrics) {
  return metrics.own_listener ? std::to_string(metrics.port) : "that of http";
}

void compare_trust(Comparison& keys, const plugin_runtime::PluginTrust& running,
                   const plugin_runtime::PluginTrust& wanted) {
  const auto word = [](bool flag) { return std::string(flag ? "true" : "false"); };
  const auto names = [](const plugin_runtime::PluginTrust& trust) {
    std::vector<std::string> all;
    for (const auto& [name, file] : trust.keys) all.push_back(name + " " + file.string());
    return all;
  };
  keys.compare("plugin_trust.require_sha256", word(running.require_sha256), word(wanted.require_sha256));
  keys.compare("plugin_trust.require_signature", word(running.require_signature), word(wanted.require_signature));
  keys.compare("plugin_trust.keys", names(running), names(wanted));
}

void compare_plugins(Comparison& keys, const HostConfig& running, const HostConfig& wanted) {
  const auto files = [](const HostConfig& config) {
    std::vector<std::string> names;
    for (const auto& plugin : config.plugins.plugins) names.push_back(plugin.file.string());
    return names;
  };
  keys.compare("plugin_dir", running.plugin_dir, wanted.plugin_dir);
  keys.compare("plugins", files(running), files(wanted));
  compare_trust(keys, running.plugins.trust, wanted.plugins.trust);
  if (files(running) != files(wanted)) return;
  for (std::size_t index = 0; index < running.plugins.plugins.size(); ++index) {
    const auto& is = running.plugins.plugins[index];
    const auto& becomes = wanted.plugins.plugins[index];
    const std::string name = "plugins[" + is.file.string() + "]";
    keys.compare((name + ".workers").c_str(), is.workers, becomes.workers);
    keys.secret((name + ".settings").c_str(), is.settings_json == becomes.settings_json);
    keys.secret((name + ".secrets").c_str(), is_same(secrets_of(running, index), secrets_of(wanted, index)));
  }
}

void compare_pins(Comparison& keys, const std::string& of, const plugin_runtime::PluginPins& was,
                  const plugin_runtime::PluginPins& is) {
  keys.compare((of + "id").c_str(), was.id, is.id);
  keys.compare((of + "sha256").c_str(), was.sha256, is.sha256);
  keys.compare((of + "offers_sha256").c_str(), was.offers_sha256, is.offers_sha256);
  keys.compare((of + "extra_needed").c_str(), was.extra_needed, is.extra_needed);
}

}  // namespace

std::vector<std::string> describe_setting_changes(const HostConfig& before, const HostConfig& after) {
  Comparison keys;
  keys.compare("log.level", std::string(to_string(before.log.level)), std::string(to_string(after.log.level)));
  keys.compare("audit.retention", days_or_hours(before.audit.retention), days_or_hours(after.audit.retention));
  keys.compare("audit.checkpoint_every", before.audit.checkpoint_every, after.audit.checkpoint_every);
  const auto calls = [](const HostConfig& config) { return std::string(config.audit.keeps_calls ? "all" : "none"); };
  keys.compare("audit.calls", calls(before), calls(after));
  // They count when the plugin is loaded the next time, which need not be a restart.
  for (const auto& plugin : after.plugins.plugins)
    for (const auto& was : before.plugins.plugins)
      if (was.file == plugin.file) compare_pins(keys, "plugins[" + plugin.file.string() + "].", was.pins, plugin.pins);
  return std::move(keys.lines);
}

std::vector<std::string> describe_restart_changes(const HostConfig& running, const HostConfig& wanted) {
  Comparison keys;
  keys.compare("data_dir", running.data_dir, wanted.data_dir);
  compare_http(keys, running.http, wanted.http);
  keys.compare("http.public_url", running.public_url, wanted.public_url);
  keys.secret("database.url", running.database_url == wanted.database_url &&
                                  is_same(running.database_url_reference, wanted.database_url_reference));
  keys.secret("keys.pepper", is_same(running.pepper, wanted.pepper));
  keys.compare("keys.trust_without_database", running.keys.trust_without_database, wanted.keys.trust_without_database);
  keys.compare("keys.usage_flush", running.keys.usage_flush, wanted.keys.usage_flush);
  keys.compare("keys.failed_sign_ins", running.keys.failed_sign_ins, wanted.keys.failed_sign_ins);
  keys.compare("keys.failed_sign_in_period", running.keys.failed_sign_in_period, wanted.keys.failed_sign_in_period);
  keys.secret("authorization", running.keys.tokens == wanted.keys.tokens);
  keys.secret("log.format", running.log.format == wanted.log.format);
  keys.compare("metrics.address", running.metrics.address, wanted.metrics.address);
  keys.compare("metrics.port", metrics_port(running.metrics), metrics_port(wanted.metrics));
  keys.compare("reload.watch", std::string(running.reload.watch ? "true" : "false"),
               std::string(wanted.reload.watch ? "true" : "false"));
  compare_calls(keys, running.plugins, wanted.plugins);
  keys.compare("calls.drain", running.drain, wanted.drain);
  compare_mcp(keys, running.mcp, wanted.mcp);
  compare_tracing(keys, running.tracing, wanted.tracing);
  compare_portal(keys, running.portal, wanted.portal);
  keys.secret("mcp.sealing_key", is_same(running.sealing_key, wanted.sealing_key));
  compare_plugins(keys, running, wanted);
  return std::move(keys.lines);
}

}  // namespace toolhost::app
