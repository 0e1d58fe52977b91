#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "access/gatekeeper.hpp"
#include "app/config/config_loader.hpp"
#include "app/config/host_config.hpp"
#include "app/plugin_reload.hpp"
#include "observability/events.hpp"
#include "plugin_runtime/plugin_host.hpp"
#include "protocol/mcp_endpoint.hpp"

namespace toolhost::app {

/// What came of reading the configuration anew.
struct ReloadReport {
  bool applied = false;       ///< the files are in force now, whether they changed anything or not
  bool dry_run = false;       ///< nothing was to be applied; `changes` says what would be
  bool should_retry = false;  ///< refused for what passes: the database is away; files and signals are tried again
  std::uint64_t generation;   ///< that is in force now
  std::vector<ConfigProblem> problems;  ///< why nothing was applied
  std::vector<std::string> changes;     ///< in words, one line each
  std::vector<std::string> later;       ///< what takes effect at the next start only: new since the last report
};
std::string to_json(const ReloadReport& report);
/// What to_json() wrote; kInternal when it is something else.
Result<ReloadReport> reload_report_from_json(std::string_view text);
/// For people, without the problems; lines.
std::string to_text(const ReloadReport& report);

/// What asks for a reload: "signal", "file", "command".
enum class ReloadTrigger { kSignal, kFile, kCommand };

/// The running parts that a reload changes, and what it needs of the rest of the host. All outlive the control.
struct ReloadedParts {
  access::Gatekeeper& gatekeeper;
  plugin_runtime::PluginHost& plugins;
  protocol::McpEndpoint& mcp;
  observability::EventSink& events;
  std::function<LoadedConfig()> load;
  /// Last step that may fail, before anything else changes: creates tenants, brings their titles up to date.
  std::function<Result<>(const HostConfig& wanted)> prepare;
  /// Switches what else can change while the host runs: the level of the log, what the audit keeps.
  std::function<void(const HostConfig& before, const HostConfig& now, const access::PolicyPtr& policy)> apply;
  /// Told after every attempt which paths were read.
  std::function<void(const LoadedConfig& loaded)> on_loaded;
  std::chrono::milliseconds retry_period{5000};  ///< after a reload that should be tried again
};

/// Holds the configuration in force and replaces it in one step, or not at all. Any thread, one reload at a time; never
/// an I/O thread, because files and the database are waited for.
class ConfigurationControl {
 public:
  /// `running` is what the host was built from, with `policy` compiled of it: generation 1.
  static std::unique_ptr<ConfigurationControl> create(std::shared_ptr<const HostConfig> running,
                                                      access::PolicyPtr policy, ReloadedParts parts);
  virtual ~ConfigurationControl() = default;  ///< stops

  /// Reads the files and, unless it is a dry run, puts them in force. A file that says the same as before is no new
  /// generation and no event when its change was the trigger; the lines that it moves are followed all the same. Emits
  /// ConfigurationReloaded otherwise, also for a refusal, which is what becomes of everything that fails.
  virtual ReloadReport reload(ReloadTrigger trigger, bool dry_run) = 0;
  /// The same, soon, on a thread of the control's own.
  virtual void request(ReloadTrigger trigger) = 0;
  /// What a plugin serves with, and what its file has to be.
  virtual Result<RunningPlugin> plugin(std::string_view id) = 0;
  /// Puts what a plugin's file holds now in the place of what serves, as PluginHost::replace_plugin(), which see for
  /// the errors; with the hashes that the configuration in force wants. Not while it is reloaded.
  virtual Result<PluginReloadReport> reload_plugin(std::string_view id) = 0;
  /// Waits for a requested reload that runs; what is requested from now on is forgotten. Idempotent.
  virtual void stop() = 0;

  [[nodiscard]] virtual std::uint64_t generation() const = 0;
  /// Where the problem stands for which the last reload was refused, "toolhost.yaml:12"; empty when it was not.
  [[nodiscard]] virtual std::string problem() const = 0;
};

}  // namespace toolhost::app
