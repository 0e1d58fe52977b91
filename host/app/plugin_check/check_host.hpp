#pragma once
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "app/plugin_check/check.hpp"
#include "app/plugin_check/random_arguments.hpp"
#include "app/scratch_host.hpp"

namespace toolhost::app {

/// Notes what the runtime reports about plugins. Any thread.
class Incidents final : public observability::EventSink {
 public:
  struct Incident {
    std::string rule, detail;
  };
  void emit(const observability::Event& event) noexcept override;

  /// Broken rules of the contract since the last call, first to last, at most 1,000.
  std::vector<Incident> take_broken_rules();
  [[nodiscard]] std::size_t log_records() const;

 private:
  mutable std::mutex mutex_;
  std::vector<Incident> broken_;
  std::size_t log_records_ = 0;
};

/// How one call ended.
struct CheckedCall {
  const plugin_runtime::Tool* tool = nullptr;
  std::string arguments;
  plugin_runtime::ToolResult result;
  std::chrono::milliseconds took{0};
};

/// The plugin in the real runtime, on the scratch database of the run, in a tenant of this check.
class CheckHost {
 public:
  struct Options {
    plugin_runtime::PluginOffer offer;
    unsigned workers = 4;
    std::chrono::milliseconds lost_worker_grace{2'000};
  };
  /// Under the step "start". kInvalidArgument when the plugin is refused.
  static Result<std::unique_ptr<CheckHost>> start(const CheckJob& job, ChildReport& report, const Options& options);
  static Result<std::unique_ptr<CheckHost>> start(const CheckJob& job, ChildReport& report) {
    return start(job, report, Options{});
  }
  ~CheckHost();

  /// Of this plugin, sorted by name.
  [[nodiscard]] std::vector<const plugin_runtime::Tool*> tools() const;
  [[nodiscard]] Incidents& incidents() noexcept { return incidents_; }

  /// Runs one call to its end, under a step that names it. `deadline` is its own; `cancel_after` (if not negative)
  /// cancels it then. Any thread.
  CheckedCall call(const plugin_runtime::Tool& tool, std::string arguments, std::chrono::milliseconds deadline,
                   std::chrono::milliseconds cancel_after = std::chrono::milliseconds(-1));
  /// Stops the plugin and ends the host; what comes after it is seen in the process.
  void stop();

 private:
  CheckHost(ChildReport& report) : report_(report) {}
  ChildReport& report_;
  Incidents incidents_;
  std::string plugin_;
  std::unique_ptr<ScratchHost> host_;
  CallerPtr caller_;
};

/// Runs `body(tool, arguments)` for each tool, with arguments made of its schema and the seed. The names of tools for
/// which none could be made.
std::vector<std::string> for_each_tool(
    const CheckJob& job, CheckHost& host,
    const std::function<void(const plugin_runtime::Tool& tool, RandomArguments& arguments)>& body);

/// "tool(arguments)", cut to be read.
std::string call_text(const CheckedCall& call);

}  // namespace toolhost::app
