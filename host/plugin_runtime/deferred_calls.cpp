#include <utility>

#include "plugin_runtime/call_result.hpp"
#include "plugin_runtime/service_tables.hpp"
#include "plugin_runtime/tool_runner_parts.hpp"

namespace toolhost::plugin_runtime {
namespace {

using State = th_call::Deferred::State;

// A plugin that completes a call twice meets a frame that knows that it has ended, unless this many have ended since.
constexpr std::size_t kKeptFrames = 256;

}  // namespace

th_status ToolRunner::defer(Job& job, th_call& frame) {
  bool has_room = false;
  {
    const std::lock_guard lock(mutex_);
    has_room = deferred_.size() < TH_CALL_MAX_DEFERRED;
    if (has_room) {
      deferred_.try_emplace(&frame, DeferredCall{.job = job.shared_from_this(), .frame = nullptr});
      ++open_deferred_;
    }
  }
  if (!has_room)
    return services::fail_with(
        frame, TH_E_LIMIT, std::to_string(TH_CALL_MAX_DEFERRED) + " deferred calls of the plugin are not completed");
  job.is_deferred.store(true);
  frame.become_deferred(job.shared_from_this());
  return TH_OK;
}

/// On the worker, when the handler of a deferred call has returned: the call keeps its frame, the worker gets another.
void ToolRunner::leave_deferred(Worker& worker, th_status status) {
  std::unique_ptr<th_call> frame;
  {
    const std::lock_guard lock(mutex_);
    if (retired_.size() > kKeptFrames) {
      frame = std::move(retired_.front());
      retired_.pop_front();
    }
  }
  if (frame == nullptr) frame = std::make_unique<th_call>();
  {
    const std::lock_guard lock(worker.mutex);
    std::swap(worker.frame, frame);
  }
  auto& deferred = *frame;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = deferred_.find(&deferred); found != deferred_.end()) {
      found->second.frame = std::move(frame);
      worker.gated = nullptr;  // its place at the gate is the call's until it is completed
    } else {
      retire(std::move(frame));
    }
  }
  if (status != TH_PENDING) services::call_complete(&deferred, status);
}

void ToolRunner::complete(Job& job, th_call& frame, th_status status, bool is_awaited) {
  if (is_awaited) frame.flush_progress();
  frame.leave();
  if (is_awaited) {
    auto judgement = judge(frame, status);
    report_broken_rule(*job.call, judgement);
    if (job.end()) {
      if (judgement.verdict == Judgement::Verdict::kCommit) announce_updates(frame);
      job.call->in_handler = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - job.began);
      deliver(job, std::move(judgement.result));
    }
  }
  const std::lock_guard lock(mutex_);
  const auto found = deferred_.find(&frame);
  auto left = std::move(found->second.frame);
  if (found->second.is_open) --open_deferred_;
  deferred_.erase(found);
  if (left != nullptr) {
    retire(std::move(left));
    leave_gate(job);
    if (!ending_) rouse_workers();
  }
  if (is_idle()) idle_.notify_all();
}

/// With mutex_ held. Never freed while the plugin may hold its address.
void ToolRunner::retire(std::unique_ptr<th_call> frame) {
  frame->shed();
  retired_.push_back(std::move(frame));
}

std::vector<std::pair<th_call*, ToolRunner::JobPtr>> ToolRunner::open_deferred() {
  std::vector<std::pair<th_call*, JobPtr>> open;
  const std::lock_guard lock(mutex_);
  if (open_deferred_ == 0) return open;
  for (const auto& [frame, deferred] : deferred_)
    if (deferred.is_open) open.emplace_back(frame, deferred.job);
  return open;
}

ToolRunner::Clock::time_point ToolRunner::sweep_deferred(Clock::time_point now) {
  auto next = Clock::time_point::max();
  for (const auto& [frame, job] : open_deferred()) {
    const bool passed = job->deadline.at() <= now;
    if (passed) job->deadline_passed.store(true, std::memory_order_relaxed);
    if (passed || job->call->cancelled.load()) {
      signal_cancel(*frame, job);
    } else {
      const std::lock_guard lock(frame->deferred.mutex);
      if (frame->deferred.call == job) frame->flush_progress();
    }
    const auto lost_at = job->deadline.at() + config_.lost_worker_grace;
    if (now >= lost_at)
      give_up(*frame, *job);
    else
      next = std::min(next, passed ? lost_at : job->deadline.at());
  }
  return next;
}

/// The plugin's function runs on a thread of its executor: the watchdog is everybody's.
void ToolRunner::signal_cancel(th_call& frame, const JobPtr& job) {
  {
    auto& deferred = frame.deferred;
    const std::lock_guard lock(deferred.mutex);
    if (deferred.call != job || deferred.on_cancel == nullptr || std::exchange(deferred.has_fired, true)) return;
  }
  const bool will_run = executor_.post([&frame, job] {
    std::unique_lock lock(frame.deferred.mutex);
    if (frame.deferred.call == job) frame.fire(lock);
  });
  if (will_run) return;
  const std::lock_guard lock(frame.deferred.mutex);
  if (frame.deferred.call == job) frame.deferred.has_fired = false;  // the next sweep tries again
}

/// Nobody waits for this call's handler or completion any more.
void ToolRunner::disown(th_call& frame, Job& job) {
  if (!job.is_deferred.load()) return frame.disown();
  {
    auto& deferred = frame.deferred;
    const std::lock_guard lock(deferred.mutex);
    if (deferred.call.get() != &job || deferred.state != State::kOpen) return;
    deferred.state = State::kDisowned;
    frame.disown();
  }
  const std::lock_guard lock(mutex_);
  const auto found = deferred_.find(&frame);
  if (found == deferred_.end() || found->second.job.get() != &job || !found->second.is_open) return;
  found->second.is_open = false;
  --open_deferred_;
  if (is_idle()) idle_.notify_all();
}

/// Answers for a deferred call that was not completed in time.
void ToolRunner::give_up(th_call& frame, Job& job) {
  const bool is_answered = !job.end();
  disown(frame, job);
  if (is_answered) return;
  deliver(job, timed_out(*job.call, true));
  host_.report(observability::PluginIncident::kMisbehaved, "pending-overstay",
               "tool " + job.call->tool->name + ", request " + job.call->request_id +
                   ": the call was deferred and not completed within " +
                   std::to_string(config_.lost_worker_grace.count()) + " ms after its deadline");
}

}  // namespace toolhost::plugin_runtime
