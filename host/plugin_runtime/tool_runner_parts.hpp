#pragma once
#include <memory>
#include <thread>
#include <utility>

#include "plugin_runtime/tool_runner.hpp"

// What a ToolRunner is made of. Included by its own files only.

namespace toolhost::plugin_runtime {

struct ToolRunner::Job final : Deferral, std::enable_shared_from_this<ToolRunner::Job> {
  enum class Phase { kQueued, kRunning, kCommitting, kEnded };

  Job(ToolRunner& of, ToolCallPtr of_call, ToolBinding& of_binding, Deadline until)
      : runner(of), call(std::move(of_call)), binding(of_binding), deadline(until) {}

  ToolRunner& runner;
  const ToolCallPtr call;
  ToolBinding& binding;
  const Deadline deadline;
  const Clock::time_point enqueued = Clock::now();
  Clock::time_point began;  ///< its handler
  /// Whoever moves it to kEnded answers the call; whoever moves it to kCommitting may commit.
  std::atomic<Phase> phase{Phase::kQueued};
  std::atomic<bool> deadline_passed{false};
  std::atomic<bool> is_deferred{false};
  /// Whose place at the tool's gate it has; guarded by the runner's mutex_.
  Queue::Tenant* gate_tenant = nullptr;

  th_status defer(th_call& frame) override { return runner.defer(*this, frame); }
  void complete(th_call& frame, th_status status, bool is_awaited) override {
    runner.complete(*this, frame, status, is_awaited);
  }

  [[nodiscard]] bool advance(Phase from, Phase to) noexcept { return phase.compare_exchange_strong(from, to); }
  [[nodiscard]] bool end() noexcept { return phase.exchange(Phase::kEnded) != Phase::kEnded; }
};

struct ToolRunner::Worker {
  std::shared_ptr<void> keep_alive;
  std::thread thread;
  std::unique_ptr<storage::TenantConnection> database;
  /// Another one after each call that was deferred; the pointer is guarded by mutex.
  std::unique_ptr<th_call> frame = std::make_unique<th_call>();

  /// Who holds this worker, and the job that has a place at its gate; guarded by the runner's mutex_.
  Queue::Tenant* tenant = nullptr;
  JobPtr gated;

  std::mutex mutex;  // guards what follows; held while the watchdog cancels, so that a cancel cannot hit the next call
  JobPtr job;
  Clock::time_point last_cancel;
  bool lost = false;
};

/// Of a tool that runs few calls at a time. A job that it lets through has a place until its handler has returned.
struct ToolRunner::Gate {
  Gate(unsigned most, std::size_t max_queued)
      : limit(most),
        outside({.waiting_of_tenant = max_queued, .waiting = max_queued * kTenantsInQueue, .running_of_tenant = most}) {
  }
  const unsigned limit;
  unsigned inside = 0;
  Queue outside;
};

}  // namespace toolhost::plugin_runtime
