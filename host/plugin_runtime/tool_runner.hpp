#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include <toolhost/plugin.h>

#include "plugin_runtime/executor.hpp"
#include "plugin_runtime/fair_queue.hpp"
#include "plugin_runtime/host_services.hpp"
#include "plugin_runtime/plugin_host.hpp"
#include "plugin_runtime/watchdog.hpp"

namespace toolhost::plugin_runtime {

class ToolRunner;
struct Judgement;

/// Is told of every call that has written.
class WriteObserver {
 public:
  virtual ~WriteObserver() = default;
  /// The transaction of this call has committed, and its tool is not read-only. Any thread; must not block.
  virtual void on_written(const ToolCall& call) noexcept = 0;
};

/// What Tool::binding points to: how the tool is called, and where.
struct ToolBinding {
  ToolRunner* runner = nullptr;
  th_handler handle = nullptr;
  void* user = nullptr;
  std::size_t max_result_bytes = 0;  ///< 0: the runner's
  std::chrono::milliseconds timeout{0};
  unsigned max_concurrency = 0;  ///< calls at a time; 0: as many as there are workers. Before the first call
  std::atomic<bool> runs_inline{false};
  /// Calls that are still to be measured closely, after one that took too long for a tool that never blocks.
  std::atomic<int> observed_calls{0};
};

/// Runs the calls of one plugin instance: inline on the caller's thread, or on worker threads that each own a database
/// connection. Workers are started as they are needed, up to the configured number, and taken by tenants in turn. One
/// tenant holds at most three quarters of them (at least one), even when nobody else calls: the last quarter is there
/// for the tenant that comes next, who would otherwise wait until a call of the first one ends. Every call is answered
/// exactly once, by whoever ends it first: its worker, or the watchdog when the handler overstays. Calls of a tool that
/// runs few at a time wait at its gate until it is their turn, and only then for a worker. A deferred call has left its
/// worker and is ended by complete(), or by the watchdog.
class ToolRunner final : public Watchdog::Watched {
 public:
  struct Config {
    unsigned workers = 8;
    std::size_t max_queued_calls = 256;  ///< of one tenant; of all together kTenantsInQueue times that
    std::chrono::milliseconds lost_worker_grace{5'000};
    unsigned max_lost_workers = 4;
    std::size_t max_result_bytes = 1 << 20;
    std::string conninfo;                   ///< empty: the plugin has no database
    std::string file;                       ///< what the plugin was loaded from, for reports
    std::shared_ptr<WriteObserver> writes;  ///< may be null; shared, because a lost worker may outlive its owner
    /// Asked for each call that comes after stop(): true when it sees to the call. May be empty.
    std::function<bool(const ToolCallPtr&)> hand_over;
  };

  static constexpr std::size_t kTenantsInQueue = 16;

  /// `host` outlives this object.
  ToolRunner(th_host& host, Watchdog& watchdog, Config config);
  ~ToolRunner() override;
  ToolRunner(const ToolRunner&) = delete;
  ToolRunner& operator=(const ToolRunner&) = delete;

  /// Before the first run(). `keep_alive` owns this object; worker threads share it, because a lost one may never end.
  void start(void* instance, std::weak_ptr<void> keep_alive);
  /// As PluginHost::run().
  void run(ToolCallPtr call, ToolBinding& binding);
  /// Refuses new calls, waits for running ones for at most `drain`, then cancels them and waits for the grace period.
  /// Then stops the executor, within another grace period. True when every handler and function has returned; false
  /// when some have not: then nothing of the plugin may be freed.
  bool stop(std::chrono::milliseconds drain);
  /// A stop() that runs, or comes later, waits no longer than this from now. Any thread.
  void hasten(std::chrono::milliseconds drain);

  [[nodiscard]] bool is_quarantined() const noexcept { return quarantined_.load(); }
  /// Threads that are lost in a handler at this moment.
  [[nodiscard]] int lost_workers();
  /// Without the plugin's id.
  [[nodiscard]] PluginLoad load();

  Watchdog::Clock::time_point sweep(Watchdog::Clock::time_point now) override;

 private:
  using Clock = Watchdog::Clock;
  struct Job;
  struct Worker;
  struct Gate;
  using JobPtr = std::shared_ptr<Job>;
  using WorkerPtr = std::shared_ptr<Worker>;
  using Queue = FairQueue<JobPtr>;

  void run_inline(ToolCallPtr& call, ToolBinding& binding);
  th_status call_inline(ToolCall& call, th_call& frame, ToolBinding& binding);
  void enqueue(ToolCallPtr call, ToolBinding& binding);
  enum class Refusal { kNone, kStopping, kQuarantined, kTenantBusy, kBusy, kNoThread };
  Refusal line_up(const JobPtr& job, bool& wake);
  [[nodiscard]] Refusal room_for(TenantId tenant) const;
  Gate& gate_of(const ToolBinding& binding);
  void open(Gate& gate);
  void leave_gate(Job& job);
  bool rouse_workers(bool* wake = nullptr);
  bool start_worker();
  void work(const WorkerPtr& worker);
  JobPtr next_job(Worker& worker);
  void execute(Worker& worker, Job& job);
  void commit(Worker& worker, Job& job, Judgement& judgement);
  static bool keep_with_commit(Worker& worker, Job& job, Judgement& judgement);
  void announce_updates(const th_call& frame);
  void report_broken_rule(const ToolCall& call, const Judgement& judgement);
  void hide_secrets(ToolResult& result) const;
  static void finish(Job& job, ToolResult&& result);
  static void deliver(Job& job, ToolResult&& result);
  Clock::time_point sweep_queue(Clock::time_point now);
  Clock::time_point sweep_worker(const WorkerPtr& worker, Clock::time_point now);
  void give_up(const WorkerPtr& worker, const Job& job);
  void answer_queued(Outcome outcome, std::string_view text);

  // Deferred calls, in deferred_calls.cpp
  struct DeferredCall {
    JobPtr job;
    std::unique_ptr<th_call> frame;  // null while the handler has not returned
    bool is_open = true;             // nobody has answered it
  };
  th_status defer(Job& job, th_call& frame);
  void complete(Job& job, th_call& frame, th_status status, bool is_awaited);
  void leave_deferred(Worker& worker, th_status status);
  Clock::time_point sweep_deferred(Clock::time_point now);
  [[nodiscard]] std::vector<std::pair<th_call*, JobPtr>> open_deferred();
  void signal_cancel(th_call& frame, const JobPtr& job);
  void disown(th_call& frame, Job& job);
  void give_up(th_call& frame, Job& job);
  void retire(std::unique_ptr<th_call> frame);

  [[nodiscard]] bool is_idle() const noexcept;
  [[nodiscard]] std::size_t waiting() const noexcept;

  th_host& host_;
  Watchdog& watchdog_;
  const Config config_;
  Executor executor_{host_};
  void* instance_ = nullptr;
  std::weak_ptr<void> keep_alive_;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> quarantined_{false};
  std::atomic<unsigned> inline_calls_{0};

  std::mutex mutex_;  // guards what follows
  std::condition_variable work_;
  std::condition_variable idle_;
  Queue queue_;
  std::unordered_map<const ToolBinding*, Gate> gates_;   // of those with a max_concurrency that were called
  std::unordered_map<th_call*, DeferredCall> deferred_;  // those that are not completed
  std::size_t open_deferred_ = 0;                        // of them those that somebody waits for
  std::deque<std::unique_ptr<th_call>> retired_;         // frames of those that were
  std::vector<WorkerPtr> workers_;
  std::size_t sleeping_ = 0;
  Clock::time_point drained_by_ = Clock::time_point::max();
  int lost_ = 0;  // threads that overstayed and have not come back; may lag behind by one for a moment
  bool ending_ = false;
};

}  // namespace toolhost::plugin_runtime
