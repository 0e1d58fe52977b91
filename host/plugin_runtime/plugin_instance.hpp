#pragma once
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "observability/events.hpp"
#include "plugin_runtime/host_services.hpp"
#include "plugin_runtime/job_scheduler.hpp"
#include "plugin_runtime/plugin_definition.hpp"
#include "plugin_runtime/plugin_host.hpp"
#include "plugin_runtime/plugin_library.hpp"
#include "plugin_runtime/tool_runner.hpp"
#include "storage/database_address.hpp"
#include "storage/migrator.hpp"

namespace toolhost::plugin_runtime {

/// One plugin in service: its definition, its instance, its tools and the runner of their calls. Its tools live as long
/// as it does; after stop() their calls are answered kUnavailable.
class PluginInstance final : public std::enable_shared_from_this<PluginInstance> {
 public:
  /// Why a plugin was refused, and at which step: the rule of the event.
  struct Refused {
    const char* rule;
    Error error;
  };
  using Outcome = boost::system::result<std::shared_ptr<PluginInstance>, Refused>;

  /// The first half of loading, after the file was checked: stores and maps it, adopts its definition, checks its
  /// settings, migrates its schema. Runs plugin code on the calling thread. The watchdog outlives the instance's
  /// stop().
  static Outcome prepare(const CheckedFile& file, const PluginSpec& spec, const PluginHostConfig& config,
                         const storage::DatabaseAddress& address, Watchdog& watchdog,
                         std::shared_ptr<WriteObserver> writes, CatalogNews& news, observability::EventSink& events);
  /// The second half, when all plugins are prepared: lets it read these views, creates the instance. Runs plugin code
  /// on the calling thread.
  std::optional<Refused> serve(const std::vector<storage::ExportedView>& views,
                               const storage::DatabaseAddress& address);

  PluginInstance(const CheckedFile& file, const PluginHostConfig& config, observability::EventSink& events)
      : file_(file.path.string()),
        sha256_(file.sha256),
        host_(file.card.id, config.sealing_key, config.log_level, events) {}

  [[nodiscard]] const PluginDefinition& definition() const noexcept { return definition_; }
  /// Those of its jobs, for the scheduler; once it serves.
  [[nodiscard]] std::vector<JobScheduler::Job> scheduled_jobs();
  [[nodiscard]] bool is_quarantined() const noexcept { return runner_->is_quarantined(); }

  /// As PluginHost has them.
  [[nodiscard]] std::vector<SettingsProblem> check_settings(std::string_view settings_json) const;
  void set_tenant_settings(const std::map<std::string, std::string, std::less<>>& settings);
  void set_log_level(observability::Severity level) noexcept { host_.set_log_level(level); }
  [[nodiscard]] PluginLoad load() const;

  /// Ends running calls as ToolRunner::stop(), quiesces and destroys the instance. When a handler or quiesce() does not
  /// return, or quiesce() fails, the instance is left alive for ever, and with it this object, which its threads may
  /// still use. Idempotent.
  void stop(std::chrono::milliseconds drain);

 private:
  Result<> set_settings(const PluginSpec& spec);
  bool quiesce(std::chrono::milliseconds limit);
  [[nodiscard]] Refused refused(const char* rule, const Error& error) const;
  ToolBinding& bind(Tool& tool, th_handler handle, void* user);

  const std::string file_, sha256_;
  th_host host_;
  PluginDefinition definition_;
  std::vector<std::unique_ptr<ToolBinding>> bindings_;
  unsigned workers_ = 1;
  std::unique_ptr<ToolRunner> runner_;
  void* instance_ = nullptr;
  bool stopped_ = false;
};

}  // namespace toolhost::plugin_runtime
