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
    std::string rule;
    Error error;
  };
  using Outcome = boost::system::result<std::shared_ptr<PluginInstance>, Refused>;

  /// What the instances of a host share. It outlives their stop().
  struct Surroundings {
    const PluginHostConfig& config;
    const storage::DatabaseAddress& address;
    Watchdog& watchdog;
    std::shared_ptr<WriteObserver> writes;
    CatalogNews& news;
    observability::EventSink& events;
    std::function<bool(const ToolCallPtr&)> hand_over;  ///< as ToolRunner::Config has it
  };

  /// Loading has three steps. The first, after the file was checked: stores and maps it, adopts its definition, checks
  /// its settings. Runs plugin code on the calling thread, as serve().
  static Outcome prepare(const CheckedFile& file, const PluginSpec& spec, const Surroundings& around);
  /// The second: brings its schema up to date.
  std::optional<Refused> migrate(const Surroundings& around);
  /// The third, when all plugins that it could read of are migrated: lets it read `views`, creates the instance.
  /// `granted`: those and whatever an instance before it may still read.
  using Views = std::vector<storage::ExportedView>;
  std::optional<Refused> serve(const Views& views, const Views& granted, const storage::DatabaseAddress& address);

  PluginInstance(const CheckedFile& file, const PluginHostConfig& config, observability::EventSink& events)
      : file_(file.path.string()),
        sha256_(file.sha256),
        host_(file.card.id, config.sealing_key, config.log_level, events) {}

  [[nodiscard]] const PluginDefinition& definition() const noexcept { return definition_; }
  [[nodiscard]] const std::shared_ptr<const PluginOffers>& offers() const noexcept { return offers_; }
  /// How long a call of it may run.
  [[nodiscard]] std::chrono::milliseconds longest_call() const noexcept;
  /// Those of its jobs, for the scheduler; once it serves.
  [[nodiscard]] std::vector<JobScheduler::Job> scheduled_jobs();
  [[nodiscard]] bool is_quarantined() const noexcept { return runner_->is_quarantined(); }

  /// As PluginHost has them.
  [[nodiscard]] std::vector<SettingsProblem> check_settings(std::string_view settings_json) const;
  void set_tenant_settings(const std::map<std::string, std::string, std::less<>>& settings);
  void set_log_level(observability::Severity level) noexcept { host_.set_log_level(level); }
  [[nodiscard]] PluginLoad load() const;
  [[nodiscard]] std::vector<observability::MetricFamily> metrics() const { return host_.metrics().read(); }

  /// Ends running calls as ToolRunner::stop(), then gives the plugin's own threads as long as `for_threads`, at least a
  /// second, to end, and destroys the instance. When a handler or quiesce() does not
  /// return, or quiesce() fails, the instance is left alive for ever, and with it this object, which its threads may
  /// still use. Idempotent.
  void stop(std::chrono::milliseconds drain, std::chrono::milliseconds for_threads);
  void stop(std::chrono::milliseconds drain) { stop(drain, drain); }
  /// As ToolRunner::hasten().
  void hasten(std::chrono::milliseconds drain) { runner_->hasten(drain); }

 private:
  Result<> set_settings(const PluginSpec& spec);
  bool quiesce(std::chrono::milliseconds limit);
  [[nodiscard]] Refused refused(const char* rule, const Error& error) const;
  ToolBinding& bind(Tool& tool, th_handler handle, void* user);

  const std::string file_, sha256_;
  th_host host_;
  PluginDefinition definition_;
  std::shared_ptr<const PluginOffers> offers_;
  std::vector<std::unique_ptr<ToolBinding>> bindings_;
  unsigned workers_ = 1;
  std::unique_ptr<ToolRunner> runner_;
  void* instance_ = nullptr;
  bool stopped_ = false;
};

}  // namespace toolhost::plugin_runtime
