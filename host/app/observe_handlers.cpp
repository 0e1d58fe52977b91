#include "app/observe_handlers.hpp"

#include "base/json_writer.hpp"

namespace toolhost::app {
namespace {

using observability::MetricSample;
using observability::MetricSource;
using plugin_runtime::PluginLoad;

/// A gauge with one value.
MetricSource one(const char* name, const char* help, std::function<double()> read) {
  return {name, help, false,
          [read = std::move(read)] { return std::vector<MetricSample>{{.labels = {}, .value = read()}}; }};
}

/// A gauge with a value for each plugin.
MetricSource by_plugin(const char* name, const char* help, const plugin_runtime::PluginHost& plugins,
                       std::size_t PluginLoad::* number) {
  return {name, help, false, [&plugins, number] {
            std::vector<MetricSample> samples;
            for (const auto& load : plugins.load())
              samples.push_back({.labels = {{"plugin", load.id}}, .value = static_cast<double>(load.*number)});
            return samples;
          }};
}

void add_plugin_metrics(observability::Metrics& metrics, const plugin_runtime::PluginHost& plugins) {
  metrics.add(by_plugin("toolhost_plugin_queued_calls", "Calls that wait for a worker.", plugins, &PluginLoad::queued));
  metrics.add(by_plugin("toolhost_plugin_running_calls", "Calls that a worker is at.", plugins, &PluginLoad::running));
  metrics.add(by_plugin("toolhost_plugin_deferred_calls", "Calls that go on without a worker.", plugins,
                        &PluginLoad::deferred));
  metrics.add(by_plugin("toolhost_plugin_workers", "Worker threads; each may hold one database connection.", plugins,
                        &PluginLoad::workers));
  metrics.add(by_plugin("toolhost_plugin_max_workers", "Worker threads that the plugin may have.", plugins,
                        &PluginLoad::max_workers));
  metrics.add(by_plugin("toolhost_plugin_lost_workers", "Workers whose handler has not returned after its deadline.",
                        plugins, &PluginLoad::lost_workers));
  metrics.add(by_plugin("toolhost_plugin_retiring_instances", "Replaced instances that still end their calls.", plugins,
                        &PluginLoad::retiring));
  metrics.add(by_plugin("toolhost_plugin_versions", "Versions of the plugin in memory: none is ever unloaded.", plugins,
                        &PluginLoad::versions));
  metrics.add(by_plugin("toolhost_plugin_mapped_bytes", "Bytes of the files of these versions.", plugins,
                        &PluginLoad::mapped_bytes));
  metrics.add(
      {"toolhost_plugin_serving", "1 when the plugin serves, 0 when it is refused or quarantined.", false, [&plugins] {
         std::vector<MetricSample> samples;
         for (const auto& plugin : plugins.plugins())
           samples.push_back({.labels = {{"plugin", plugin.id}}, .value = plugin.state == "serving" ? 1.0 : 0});
         return samples;
       }});
  metrics.add_families([&plugins] { return plugins.metrics(); });
}

void add_audit_metrics(observability::Metrics& metrics, const observability::AuditJournal& journal,
                       const storage::AuditShipper& shipper) {
  metrics.add(one("toolhost_audit_waiting_bytes", "Audit records on disk that are not in the database yet.",
                  [&journal] { return static_cast<double>(journal.state().waiting_bytes); }));
  metrics.add(one("toolhost_audit_waiting_seconds", "Since when the oldest of them waits; 0: none does.", [&shipper] {
    return std::chrono::duration<double>(shipper.state().oldest_age.value_or(std::chrono::milliseconds(0))).count();
  }));
  metrics.add(one("toolhost_audit_has_room", "1 when the journal takes records of new calls; 0: calls are refused.",
                  [&journal] { return journal.has_room() ? 1.0 : 0; }));
}

std::string answer_log_level(const observability::LogSink& log, const SetLogLevel& set_level,
                             const json::Value& request) {
  const auto before = log.level();
  json::Value member;
  std::string_view word;
  if (json::find(request, "level").get(member) == simdjson::SUCCESS) {
    const auto level = member.get(word) == simdjson::SUCCESS ? observability::severity_named(word) : std::nullopt;
    if (!level) {
      return admin_error(
          {Errc::kInvalidArgument, "the level is one of trace, debug, info, warning, error and critical", ""});
    }
    set_level(*level);
  }
  std::string out;
  JsonWriter json(out);
  json.begin_object().member("level", to_string(log.level())).member("before", to_string(before)).end_object();
  return out;
}

}  // namespace

void add_host_metrics(observability::Metrics& metrics, const ObservedHost& host) {
  add_plugin_metrics(metrics, host.plugins);
  add_audit_metrics(metrics, host.journal, host.shipper);
  const auto& server = host.server;
  const auto& mcp = host.mcp;
  const auto& gatekeeper = host.gatekeeper;
  metrics.add(one("toolhost_open_connections", "Open HTTP connections.",
                  [&server] { return static_cast<double>(server.open_connections()); }));
  metrics.add(one("toolhost_open_streams", "Open event streams.",
                  [&server] { return static_cast<double>(server.open_streams()); }));
  metrics.add(
      one("toolhost_sessions", "Sessions in memory.", [&mcp] { return static_cast<double>(mcp.counts().sessions); }));
  metrics.add(one("toolhost_running_calls", "Tool calls between their request and their answer.",
                  [&mcp] { return static_cast<double>(mcp.counts().running_calls); }));
  metrics.add(one("toolhost_keys", "Keys that the host knows, disabled and expired ones among them.",
                  [&gatekeeper] { return static_cast<double>(gatekeeper.key_count()); }));
  metrics.add(one("toolhost_keys_unconfirmed_seconds",
                  "Since when the database has not confirmed the keys: how late a deletion could be noticed.",
                  [&gatekeeper] { return std::chrono::duration<double>(gatekeeper.unconfirmed_for()).count(); }));
}

void count(HostStatus& status, const ObservedHost& host) {
  const auto counts = host.mcp.counts();
  status.sessions = counts.sessions;
  status.running_calls = counts.running_calls;
  status.connections = host.server.open_connections();
  status.streams = host.server.open_streams();
  status.keys = host.gatekeeper.key_count();
  for (const auto& load : host.plugins.load()) status.queued_calls += load.queued;
}

AdminHandlers observe_handlers(const observability::Metrics& metrics, const observability::LogSink& log,
                               SetLogLevel set_level, std::function<HostStatus()> status) {
  AdminHandlers handlers;
  handlers["top"] = [&metrics, status](const json::Value&) { return to_json(Top{status(), metrics.recent()}); };
  handlers["status"] = [status](const json::Value&) { return to_json(status()); };
  handlers["log-level"] = [&log, set_level = std::move(set_level)](const json::Value& request) {
    return answer_log_level(log, set_level, request);
  };
  return handlers;
}

}  // namespace toolhost::app
