#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "base/deadline.hpp"
#include "base/ids.hpp"
#include "plugin_runtime/host_services.hpp"
#include "plugin_runtime/plugin_definition.hpp"
#include "plugin_runtime/plugin_host.hpp"
#include "plugin_runtime/tool_runner.hpp"

namespace toolhost::plugin_runtime {

/// Runs the jobs that have an interval, or follow writes, for every tenant: never one twice at a time for a tenant, and
/// few at a time in all, so that tool calls always find workers. A job that fails is tried again with growing pauses,
/// and reported once until it succeeds. Shared: runners tell it of writes, and a lost one may outlive everybody.
class JobScheduler final : public WriteObserver, public std::enable_shared_from_this<JobScheduler> {
 public:
  struct Job {
    const JobDefinition* definition = nullptr;
    ToolBinding* binding = nullptr;
    th_host* host = nullptr;
    unsigned most_of_plugin = 1;  ///< how many jobs of its plugin may run at once

    std::pair<std::string, std::string> name{};  ///< its plugin and its own, in every generation; replace() sets it

    [[nodiscard]] const Tool& tool() const noexcept { return definition->definition.tool; }
  };
  using Callers = std::function<std::vector<CallerPtr>()>;

  JobScheduler() = default;
  ~JobScheduler() override;
  JobScheduler(const JobScheduler&) = delete;
  JobScheduler& operator=(const JobScheduler&) = delete;

  /// Once, before the first call of a tool. Starts a thread when a job is to be scheduled. `registry` keeps the jobs
  /// alive; `callers` is asked on that thread, now and then, whom jobs run for. Throws std::system_error.
  void start(RegistryPtr registry, std::vector<Job> jobs, Callers callers);
  /// The jobs of the next generation, whole. One that was there before stays due when it was, and while it runs the
  /// next run waits for its end. As start(); one thread at a time.
  void replace(RegistryPtr registry, std::vector<Job> jobs);
  /// Begins no job any more and cancels those that run, without waiting for their end. Idempotent.
  void stop();

  void on_written(const ToolCall& call) noexcept override;

 private:
  using Clock = Deadline::Clock;
  using JobPtr = std::shared_ptr<const Job>;
  using JobName = decltype(Job::name);
  /// One job for one tenant.
  struct Slot {
    JobPtr job;    ///< of the newest generation, which registry_ keeps alive
    JobName name;  ///< outlives that
    CallerPtr caller;
    Clock::time_point due = Clock::time_point::max();  // max: nothing is due
    Clock::time_point began;
    ToolCallPtr call;      // while it runs
    bool written = false;  // something was written while it ran
    bool gone = false;     // the tenant is
    unsigned failures = 0;
  };
  using SlotPtr = std::shared_ptr<Slot>;

  void run();
  void refresh(std::unique_lock<std::mutex>& lock);
  void adopt(const std::vector<CallerPtr>& callers);
  void add_slot(const JobPtr& job, const CallerPtr& caller, std::size_t index, std::size_t count);
  SlotPtr next_due(Clock::time_point now);
  [[nodiscard]] Clock::time_point next_wake(Clock::time_point now) const;
  void begin(std::unique_lock<std::mutex>& lock, const SlotPtr& slot);
  void end(Slot& slot, ToolResult&& result);
  void schedule(const SlotPtr& slot, Clock::time_point due);
  [[nodiscard]] SlotPtr find(const Job& job, TenantId tenant) const;

  Callers callers_;
  std::atomic<bool> follows_writes_{false};
  std::thread thread_;

  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  RegistryPtr registry_;
  std::vector<JobPtr> jobs_;  // of registry_
  std::map<std::pair<JobName, TenantId>, SlotPtr> slots_;
  std::set<std::pair<Clock::time_point, SlotPtr>> due_;  // the slots that wait, by Slot::due
  std::set<TenantId> unknown_;                           // written for, and not among the slots yet
  std::map<std::string, unsigned> running_of_;           // by plugin
  unsigned running_ = 0;
  Clock::time_point refreshed_, next_refresh_;
  bool stopping_ = false;
};

}  // namespace toolhost::plugin_runtime
