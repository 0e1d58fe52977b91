#include "protocol/pending_call.hpp"

#include <utility>

#include "observability/outcomes.hpp"
#include "protocol/jsonrpc.hpp"
#include "protocol/mcp_messages.hpp"

namespace toolhost::protocol {
namespace {

using observability::ToolCalled;
using plugin_runtime::Outcome;
using plugin_runtime::ToolResult;
using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kLongestKeptBuffer = 64 * 1024;  // one call with huge arguments must not pin their size
// Nobody knows when a plugin's queue has room again.
constexpr std::chrono::seconds kWaitWhenBusy{2};

}  // namespace

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

PendingCall::PendingCall(std::string id, std::string open_id, const RequestContext& context, ReplySink sink,
                         access::Admission admission, std::shared_ptr<RunningCalls> running)
    : id_(std::move(id)),
      open_id_(std::move(open_id)),
      session_(context.session),
      revision_(context.revision),
      sink_(std::move(sink)),
      admission_(std::move(admission)),
      running_(std::move(running)) {
  on_done = [](ToolCall& call, ToolResult&& result) { static_cast<PendingCall&>(call).finish(std::move(result)); };
}

Session::Opening PendingCall::open() {
  const auto opening = session_->open_call(open_id_, weak_from_this());
  if (opening != Session::Opening::kOpened) return opening;
  is_open_ = true;
  if (is_answered_) session_->close_call(open_id_);  // meanwhile, by a thread that did not see is_open_ yet
  return opening;
}

void PendingCall::stop(StopReason reason) noexcept {
  reply(reason);
  cancel();
}

void PendingCall::refuse(Reply answer) noexcept {
  admission_.release();  // before the answer, as in finish()
  reply(std::move(answer));
  running_->end();
}

void PendingCall::reply(Reply reply) noexcept {
  if (is_answered_.exchange(true)) return;
  if (is_open_) session_->close_call(open_id_);
  sink_(std::move(reply));
}

void PendingCall::finish(ToolResult&& result) noexcept {
  // First of all: whoever reads the answer may make the next call.
  admission_.release();
  const bool is_busy = result.outcome == Outcome::kLimit;
  running_->tell({.caller = *caller,
                  .tool = tool->name,
                  .plugin = tool->plugin,
                  .request_id = request_id,
                  .outcome = to_string(result.outcome),
                  .duration = std::chrono::duration_cast<std::chrono::microseconds>(SteadyClock::now() - started_),
                  .detail = result.detail,
                  .reason = is_busy ? std::string_view("busy") : std::string_view()},
                 *tool, arguments);
  auto message =
      encode_result(id_, encode_call_result(result.content_json, result.structured_json, result.is_error, revision_));
  if (is_busy)
    reply(Limited{std::move(message), kWaitWhenBusy});
  else
    reply(std::move(message));
  running_->end();
}

}  // namespace toolhost::protocol
