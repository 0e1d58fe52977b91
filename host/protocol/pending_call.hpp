#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>

#include "access/grant.hpp"
#include "access/usage_counter.hpp"
#include "observability/events.hpp"
#include "plugin_runtime/plugin_host.hpp"
#include "protocol/audited_arguments.hpp"
#include "protocol/reply.hpp"

namespace toolhost::protocol {

/// How many calls run, and whom their ends are told to. Outlives the dispatcher while a call does.
class RunningCalls {
 public:
  RunningCalls(const Secret& sealing_key, std::shared_ptr<access::UsageCounter> usage, observability::EventSink& events)
      : arguments_(sealing_key), usage_(std::move(usage)), events_(events) {}

  /// False when no more calls are taken.
  bool begin() noexcept;
  void end() noexcept;
  void close_and_wait(std::chrono::milliseconds limit);
  [[nodiscard]] std::size_t count() const noexcept { return running_.load(std::memory_order_relaxed); }

  /// Counts the call and emits the event. `tool`: what it counts as a call of; empty when the caller may not know it.
  void tell(const observability::ToolCalled& event, std::string_view tool) const;
  /// The same with what the audit may keep of the arguments.
  void tell(observability::ToolCalled event, const plugin_runtime::Tool& tool, const json::Value& arguments) const;

 private:
  const AuditedArguments arguments_;
  const std::shared_ptr<access::UsageCounter> usage_;
  observability::EventSink& events_;
  std::atomic<std::size_t> running_{0};
  std::atomic<bool> is_closed_{false};
  std::mutex mutex_;  // for the one who waits; calls do not meet at it
  std::condition_variable none_;
};

/// One tools/call between its request and its answer. The answer goes out once: with the result, or earlier with the
/// reason why nobody waits for it. The tool is always waited for, and holds its place among the limits until it has
/// ended.
class PendingCall final : public plugin_runtime::ToolCall,
                          public OpenCall,
                          public std::enable_shared_from_this<PendingCall> {
 public:
  /// `open_id` names the call in its session. `running` has begun; it ends with the tool.
  PendingCall(std::string id, std::string open_id, const RequestContext& context, ReplySink sink,
              access::Admission admission, std::shared_ptr<RunningCalls> running);

  /// Makes the call visible to whoever ends calls early, until it is answered.
  Session::Opening open();
  [[nodiscard]] bool is_answered() const noexcept { return is_answered_; }

  void stop(StopReason reason) noexcept override;
  /// Ends a call whose tool never runs.
  void refuse(Reply answer) noexcept;

 private:
  void reply(Reply reply) noexcept;
  void finish(plugin_runtime::ToolResult&& result) noexcept;

  const std::string id_;
  const std::string open_id_;
  const SessionPtr session_;
  const Revision revision_;
  const ReplySink sink_;
  access::Admission admission_;
  const std::shared_ptr<RunningCalls> running_;
  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  std::atomic<bool> is_open_{false};
  std::atomic<bool> is_answered_{false};
};

}  // namespace toolhost::protocol
