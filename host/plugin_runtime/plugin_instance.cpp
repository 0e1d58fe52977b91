#include "plugin_runtime/plugin_instance.hpp"

#include <future>
#include <thread>

#include "plugin_runtime/black_box.hpp"
#include "storage/migrator.hpp"

namespace toolhost::plugin_runtime {
namespace {

Error refusal(std::string reason) {
  return {Errc::kInvalidArgument, std::move(reason), {}};
}

/// Settings that break the schema never reach the plugin.
Result<> check_settings(th_host& host, const PluginDefinition& definition, std::string_view json) {
  const auto settings = host.set_settings(json);
  if (!settings) return refusal("its settings are not usable: " + settings.error().message);
  if (!definition.config_schema) {
    if (json::Object object; settings->get(object) == simdjson::SUCCESS && object.size() > 0)
      return refusal("it takes no settings; remove them from the configuration");
    return {};
  }
  const auto violations = definition.config_schema->violations(*settings);
  if (violations.empty()) return {};
  std::string text = "its settings are not valid:";
  for (const auto& violation : violations)
    text += " " + (violation.path.empty() ? "settings" : violation.path) + ": " + violation.message + ";";
  return refusal(text + " correct them in the configuration");
}

}  // namespace

PluginInstance::Outcome PluginInstance::open(const CheckedFile& file, const PluginSpec& spec,
                                             const PluginHostConfig& config, const storage::DatabaseAddress& address,
                                             Watchdog& watchdog, observability::EventSink& events) {
  const auto refused = [&](const char* rule, const Error& error) {
    // The loader's messages name the file already.
    const bool named = error.message.rfind(file.path.string(), 0) == 0;
    return Refused{rule, {error.code, named ? error.message : file.path.string() + ": " + error.message, error.detail}};
  };
  auto plugin = std::make_shared<PluginInstance>(file.card.id, config, events);
  const auto image = PluginImage::load(file, config.store_directory);
  if (!image) return refused("load", image.error());
  {
    const BlackBoxScope scope(file.card.id, "(entry)", file.sha256);
    const auto raw = (*image)->definition(host_api(), &plugin->host_);
    if (!raw) return refused("entry", raw.error());
    auto adopted = adopt_definition(*raw, file.card, config.default_timeout);
    if (!adopted) return refused("definition", adopted.error());
    plugin->definition_ = std::move(*adopted);
  }
  auto& definition = plugin->definition_;
  if (auto checked = check_settings(plugin->host_, definition, spec.settings_json); !checked)
    return refused("settings", checked.error());

  // Its tables are all that a plugin reaches in the database: without migrations it has none, and no role to connect
  // as.
  const bool has_database = !definition.migrations.empty();
  if (has_database) {
    const auto migrated =
        storage::migrate_plugin(address, definition.id, definition.migrations, definition.shared_tables, events);
    if (!migrated) return refused("migration", migrated.error());
  }
  plugin->runner_ = std::make_unique<ToolRunner>(
      plugin->host_, watchdog,
      ToolRunner::Config{.workers = spec.workers > 0 ? spec.workers : std::max(config.workers, 1U),
                         .max_queued_calls = config.max_queued_calls,
                         .lost_worker_grace = config.lost_worker_grace,
                         .max_lost_workers = config.max_lost_workers,
                         .max_result_bytes = config.max_result_bytes,
                         .conninfo = has_database ? address.as_plugin(definition.id) : std::string(),
                         .file = file.path.string()});
  if (definition.create != nullptr) {
    const BlackBoxScope scope(definition.id, "(create)", file.sha256);
    if (const auto status = definition.create(&plugin->host_, &plugin->instance_); status != TH_OK)
      return refused("create", refusal("create() answered " + std::to_string(status) +
                                       "; the plugin's log lines before this one say why"));
  }
  for (auto& tool : definition.tools) {
    auto& binding = plugin->bindings_.emplace_back(std::make_unique<ToolBinding>());
    binding->runner = plugin->runner_.get();
    binding->handle = tool.handle;
    binding->user = tool.user;
    binding->runs_inline = tool.tool.non_blocking;
    tool.tool.binding = binding.get();
  }
  plugin->runner_->start(plugin->instance_, plugin);
  return plugin;
}

void PluginInstance::stop(std::chrono::milliseconds drain) {
  if (std::exchange(stopped_, true)) return;
  const bool left = runner_->stop(drain);
  // A call gets the whole drain; a plugin's own threads at least this long.
  const bool quiet = left && quiesce(std::max(drain, std::chrono::milliseconds(1'000)));
  if (!quiet) {
    host_.report(observability::PluginIncident::kMisbehaved, left ? "quiesce" : "overstay",
                 left ? "quiesce() failed or overstayed: the instance is left alive"
                      : "handlers have not returned: the instance is left alive");
  } else if (definition_.destroy != nullptr) {
    const BlackBoxScope scope(definition_.id, "(destroy)", "");
    definition_.destroy(instance_);
  }
  host_.silence();
}

bool PluginInstance::quiesce(std::chrono::milliseconds limit) {
  if (definition_.quiesce == nullptr) return true;
  const auto until = std::chrono::system_clock::now() + limit;
  const auto until_us = std::chrono::duration_cast<std::chrono::microseconds>(until.time_since_epoch()).count();
  // On a thread of its own, which is left behind with a share of this object when it does not return.
  std::packaged_task<th_status()> task([self = shared_from_this(), until_us] {
    const BlackBoxScope scope(self->definition_.id, "(quiesce)", "");
    return self->definition_.quiesce(self->instance_, until_us);
  });
  auto status = task.get_future();
  std::thread thread(std::move(task));
  if (status.wait_until(until + std::chrono::milliseconds(100)) != std::future_status::ready) {
    thread.detach();
    return false;
  }
  thread.join();
  return status.get() == TH_OK;
}

}  // namespace toolhost::plugin_runtime
