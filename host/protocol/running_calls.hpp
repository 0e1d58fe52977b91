#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string_view>

#include "access/usage_counter.hpp"
#include "observability/events.hpp"
#include "plugin_runtime/plugin_host.hpp"
#include "protocol/audited_arguments.hpp"
#include "protocol/mcp_config.hpp"
#include "protocol/mcp_messages.hpp"
#include "protocol/questions.hpp"
#include "protocol/request_state.hpp"

namespace toolhost::protocol {

/// How many calls run, what they need to ask their clients something, and whom their ends are told to. Outlives the
/// dispatcher while a call does.
class RunningCalls {
 public:
  RunningCalls(const McpConfig& config, ServerIdentity server, std::shared_ptr<access::UsageCounter> usage,
               plugin_runtime::PluginHost& plugins, observability::EventSink& events);

  /// False when no more calls are taken.
  bool begin() noexcept;
  void end() noexcept;
  void close_and_wait(std::chrono::milliseconds limit);
  [[nodiscard]] std::size_t count() const noexcept { return running_.load(std::memory_order_relaxed); }

  /// Counts the call and emits the event. `tool`: what it counts as a call of; empty when the caller may not know it.
  void tell(const observability::ToolCalled& event, std::string_view tool) const;
  /// The same with what the audit may keep of the arguments.
  void tell(observability::ToolCalled event, const plugin_runtime::Tool& tool, const json::Value& arguments) const;

  const ServerIdentity server;
  plugin_runtime::PluginHost& plugins;
  Questions questions;
  const RequestState states;
  const std::chrono::seconds ask_limit;
  const std::chrono::milliseconds list_ttl;

 private:
  const AuditedArguments arguments_;
  const std::shared_ptr<access::UsageCounter> usage_;
  observability::EventSink& events_;
  std::atomic<std::size_t> running_{0};
  std::atomic<bool> is_closed_{false};
  std::mutex mutex_;  // for the one who waits; calls do not meet at it
  std::condition_variable none_;
};

}  // namespace toolhost::protocol
