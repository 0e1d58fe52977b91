#pragma once
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "observability/events.hpp"
#include "plugin_runtime/host_services.hpp"
#include "plugin_runtime/plugin_definition.hpp"
#include "plugin_runtime/plugin_host.hpp"
#include "plugin_runtime/plugin_library.hpp"
#include "plugin_runtime/tool_runner.hpp"
#include "storage/database_address.hpp"

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

  /// Everything after the file was checked: stores and maps it, adopts its definition, checks its settings, migrates
  /// its schema, creates the instance. Runs plugin code on the calling thread. The watchdog outlives the instance's
  /// stop().
  static Outcome open(const CheckedFile& file, const PluginSpec& spec, const PluginHostConfig& config,
                      const storage::DatabaseAddress& address, Watchdog& watchdog, observability::EventSink& events);

  PluginInstance(std::string id, const PluginHostConfig& config, observability::EventSink& events)
      : host_(std::move(id), config.sealing_key, config.log_level, events) {}

  [[nodiscard]] const PluginDefinition& definition() const noexcept { return definition_; }
  [[nodiscard]] bool is_quarantined() const noexcept { return runner_->is_quarantined(); }

  /// Ends running calls as ToolRunner::stop(), quiesces and destroys the instance. When a handler or quiesce() does not
  /// return, the instance is left alive. Idempotent.
  void stop(std::chrono::milliseconds drain);

 private:
  bool quiesce(std::chrono::milliseconds limit);

  th_host host_;
  PluginDefinition definition_;
  std::vector<std::unique_ptr<ToolBinding>> bindings_;
  std::unique_ptr<ToolRunner> runner_;
  void* instance_ = nullptr;
  bool stopped_ = false;
};

}  // namespace toolhost::plugin_runtime
