#include "protocol/running_calls.hpp"

#include <utility>

#include "access/grant.hpp"
#include "observability/outcomes.hpp"

namespace toolhost::protocol {
namespace {

using observability::ToolCalled;

constexpr std::size_t kLongestKeptBuffer = 64 * 1024;  // one call with huge arguments must not pin their size

}  // namespace

RunningCalls::RunningCalls(const McpConfig& config, ServerIdentity identity,
                           std::shared_ptr<access::UsageCounter> usage, plugin_runtime::PluginHost& host,
                           observability::EventSink& events)
    : server(std::move(identity)),
      plugins(host),
      questions(config.ask_limit),
      states(config.sealing_key, config.ask_limit),
      ask_limit(config.ask_limit),
      list_ttl(config.list_ttl),
      arguments_(config.sealing_key),
      usage_(std::move(usage)),
      events_(events) {}

bool RunningCalls::begin() noexcept {
  // Announced before is_closed_ is read, so that either this call sees the end or the end waits for this call.
  running_.fetch_add(1);
  if (!is_closed_.load()) return true;
  end();
  return false;
}

void RunningCalls::end() noexcept {
  if (running_.fetch_sub(1) != 1 || !is_closed_.load()) return;
  const std::lock_guard lock(mutex_);
  none_.notify_all();
}

void RunningCalls::close_and_wait(std::chrono::milliseconds limit) {
  is_closed_.store(true);
  std::unique_lock lock(mutex_);
  none_.wait_for(lock, limit, [this] { return running_.load() == 0; });
}

void RunningCalls::tell(const ToolCalled& event, std::string_view tool) const {
  usage_->add(event.caller.key_id, tool, observability::is_error(event.outcome), std::chrono::system_clock::now());
  events_.emit(event);
}

void RunningCalls::tell(ToolCalled event, const plugin_runtime::Tool& tool, const json::Value& arguments) const {
  const auto how = event.caller.grant == nullptr ? access::ArgumentsInAudit::kNone
                                                 : event.caller.grant->rights()->arguments_in_audit();
  thread_local std::string text;
  text.clear();
  arguments_.append(text, how, tool.sensitive, arguments);
  event.arguments = text;
  tell(event, tool.name);
  if (text.capacity() > kLongestKeptBuffer) text = std::string();
}

}  // namespace toolhost::protocol
