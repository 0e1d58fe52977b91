#include "protocol/dispatcher.hpp"

#include <condition_variable>

#include "base/json_writer.hpp"

namespace toolhost::protocol {
namespace {

using observability::ToolCalled;
using plugin_runtime::ToolResult;
using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kLongestQuote = 128;  // of what a client sent, in a message about it
constexpr std::string_view kEmptyResult = "{}";

std::string_view text_member(const json::Value& object, std::string_view name) noexcept {
  json::Value member;
  std::string_view text;
  if (json::find(object, name).get(member) == simdjson::SUCCESS && member.get(text) == simdjson::SUCCESS) return text;
  return {};
}

std::chrono::microseconds since(SteadyClock::time_point start) {
  return std::chrono::duration_cast<std::chrono::microseconds>(SteadyClock::now() - start);
}

std::string invalid_params(const Message& request, std::string why) {
  return encode_error({RpcCode::kInvalidParams, std::move(why), request.id});
}

/// tools/call without its tool.
struct CallParams {
  std::string_view name;
  std::optional<json::Value> arguments;
};

/// Why the params are no params of tools/call, or what they say.
std::variant<CallParams, std::string> read_call_params(const Message& request) {
  CallParams params;
  if (!request.params || !request.params->is_object()) return "Invalid params: an object with \"name\" is required";
  json::Value name;
  if (json::find(*request.params, "name").get(name) != simdjson::SUCCESS ||
      name.get(params.name) != simdjson::SUCCESS) {
    return "Invalid params: \"name\" must be the name of a tool";
  }
  json::Value arguments;
  if (json::find(*request.params, "arguments").get(arguments) == simdjson::SUCCESS && !arguments.is_null()) {
    if (!arguments.is_object()) return "Invalid params: \"arguments\" must be an object";
    params.arguments = arguments;
  }
  return params;
}

}  // namespace

/// How many calls run. Outlives the dispatcher while one does.
class Dispatcher::CallCount {
 public:
  /// False when no more calls are taken.
  bool begin() noexcept {
    // Announced before is_closed_ is read, so that either this call sees the end or the end waits for this call.
    running_.fetch_add(1);
    if (!is_closed_.load()) return true;
    end();
    return false;
  }
  void end() noexcept {
    if (running_.fetch_sub(1) != 1 || !is_closed_.load()) return;
    const std::lock_guard lock(mutex_);
    none_.notify_all();
  }
  void close_and_wait(std::chrono::milliseconds limit) {
    is_closed_.store(true);
    std::unique_lock lock(mutex_);
    none_.wait_for(lock, limit, [this] { return running_.load() == 0; });
  }

 private:
  std::atomic<std::size_t> running_{0};
  std::atomic<bool> is_closed_{false};
  std::mutex mutex_;  // for the one who waits; calls do not meet at it
  std::condition_variable none_;
};

/// One tools/call between its request and its answer. The answer goes out once: with the result, or earlier with the
/// reason why nobody waits for it. The tool is always waited for.
class Dispatcher::PendingCall final : public plugin_runtime::ToolCall,
                                      public OpenCall,
                                      public std::enable_shared_from_this<PendingCall> {
 public:
  /// `open_id` names the call in its session.
  PendingCall(std::string id, std::string open_id, const RequestContext& context, ReplySink sink,
              observability::EventSink& events, std::shared_ptr<CallCount> running)
      : id_(std::move(id)),
        open_id_(std::move(open_id)),
        session_(context.session),
        revision_(context.revision),
        sink_(std::move(sink)),
        events_(events),
        running_(std::move(running)) {
    on_done = [](ToolCall& call, ToolResult&& result) { static_cast<PendingCall&>(call).finish(std::move(result)); };
  }

  /// Makes the call visible to whoever ends calls early, until it is answered.
  Session::Opening open() {
    const auto opening = session_->open_call(open_id_, weak_from_this());
    if (opening != Session::Opening::kOpened) return opening;
    is_open_ = true;
    if (is_answered_) session_->close_call(open_id_);  // meanwhile, by a thread that did not see is_open_ yet
    return opening;
  }
  [[nodiscard]] bool is_answered() const noexcept { return is_answered_; }

  void stop(StopReason reason) noexcept override {
    reply(reason);
    cancel();
  }

  void reply(Reply reply) noexcept {
    if (is_answered_.exchange(true)) return;
    if (is_open_) session_->close_call(open_id_);
    sink_(std::move(reply));
  }

 private:
  void finish(ToolResult&& result) noexcept {
    events_.emit(ToolCalled{*caller, tool->name, tool->plugin, request_id, to_string(result.outcome), since(started_),
                            result.detail});
    reply(encode_result(id_,
                        encode_call_result(result.content_json, result.structured_json, result.is_error, revision_)));
    running_->end();
  }

  const std::string id_;
  const std::string open_id_;
  const SessionPtr session_;
  const Revision revision_;
  const ReplySink sink_;
  observability::EventSink& events_;
  const std::shared_ptr<CallCount> running_;
  const SteadyClock::time_point started_ = SteadyClock::now();
  std::atomic<bool> is_open_{false};
  std::atomic<bool> is_answered_{false};
};

Dispatcher::Dispatcher(ServerIdentity server, std::size_t tools_page_size, access::Gatekeeper& gatekeeper,
                       plugin_runtime::PluginHost& plugins, observability::EventSink& events)
    : server_(std::move(server)),
      gatekeeper_(gatekeeper),
      plugins_(plugins),
      events_(events),
      listing_(tools_page_size),
      request_id_prefix_("c-" + random_id().substr(0, 8) + "-"),
      running_(std::make_shared<CallCount>()) {}

std::variant<Dispatcher::Initialized, RpcError> Dispatcher::initialize(const Message& request) const {
  json::Value version;
  std::string_view requested;
  if (!request.params || json::find(*request.params, "protocolVersion").get(version) != simdjson::SUCCESS ||
      version.get(requested) != simdjson::SUCCESS) {
    return RpcError{RpcCode::kInvalidParams, "Invalid params: \"protocolVersion\" must be a string", request.id};
  }
  const Revision revision = negotiate(requested);
  return Initialized{revision, encode_result(request.id, encode_initialize_result(server_, revision))};
}

void Dispatcher::answer(Message&& request, const RequestContext& context, ReplySink sink) {
  if (request.params && !request.params->is_object()) {
    return sink(invalid_params(request, "Invalid params: \"params\" must be an object"));
  }
  if (request.method == "tools/call") return call_tool(std::move(request), context, std::move(sink));
  if (request.method == "tools/list") return list_tools(request, context, sink);
  if (request.method == "ping") return sink(encode_result(request.id, kEmptyResult));
  sink(encode_error({RpcCode::kMethodNotFound,
                     "Method not found: " + std::string(request.method.substr(0, kLongestQuote)), request.id}));
}

void Dispatcher::note(const Message& notification, Session& session) const noexcept {
  if (notification.method != "notifications/cancelled" || !notification.params) return;
  json::Value id;
  if (json::find(*notification.params, "requestId").get(id) != simdjson::SUCCESS) return;
  if (const auto text = id_text(id)) session.cancel_call(*text);
}

void Dispatcher::drain(std::chrono::milliseconds limit) {
  running_->close_and_wait(limit);
}

void Dispatcher::list_tools(const Message& request, const RequestContext& context, const ReplySink& sink) {
  std::optional<std::string_view> cursor;
  json::Value member;
  if (request.params && json::find(*request.params, "cursor").get(member) == simdjson::SUCCESS && !member.is_null()) {
    std::string_view text;
    if (member.get(text) != simdjson::SUCCESS)
      return sink(invalid_params(request, "Invalid cursor: a string is expected"));
    cursor = text;
  }
  const auto registry = plugins_.registry();
  const auto page = listing_.page(*context.caller, *registry, context.revision, cursor);
  sink(page ? encode_result(request.id, *page) : invalid_params(request, page.error().message));
}

void Dispatcher::call_tool(Message&& request, const RequestContext& context, ReplySink sink) {
  gatekeeper_.count_use(*context.caller);
  const auto parsed = read_call_params(request);
  if (const auto* const why = std::get_if<std::string>(&parsed)) {
    report_refused(context, {}, "invalid_arguments");
    return sink(invalid_params(request, *why));
  }
  const auto& params = std::get<CallParams>(parsed);

  auto registry = plugins_.registry();
  const auto* const tool = find_visible_tool(*context.caller, *registry, params.name);
  if (tool == nullptr) {
    const auto name = params.name.substr(0, kLongestQuote);
    report_refused(context, name, "unknown_tool");
    return sink(invalid_params(request, "Unknown tool: " + std::string(name)));
  }
  if (!running_->begin()) {
    report_refused(context, tool->name, "unavailable");
    return sink(StopReason::kShutdown);
  }

  auto request_id = next_request_id();
  // A tool that never blocks has ended before its client could cancel it, and its id need not be remembered.
  const bool is_named_by_client = !tool->non_blocking && !context.shares_session;
  auto call = std::make_shared<PendingCall>(request.id, is_named_by_client ? request.id : request_id, context,
                                            std::move(sink), events_, running_);
  call->registry = std::move(registry);
  call->tool = tool;
  call->caller = context.caller;
  call->request_id = std::move(request_id);
  call->deadline = Deadline::after(tool->timeout);
  if (params.arguments) {
    call->arguments = *params.arguments;
    call->idempotency_key = text_member(*params.arguments, "idempotency_key");
    call->document = std::move(request.document);
  } else {
    call->document = json::acquire_document();
    call->arguments = *call->document->parse(kEmptyResult);
  }

  if (!tool->non_blocking) {
    switch (call->open()) {
      case Session::Opening::kOpened:
        break;
      case Session::Opening::kDuplicate:
        report_refused(context, tool->name, "invalid_arguments");
        call->reply(encode_error(
            {RpcCode::kInvalidRequest, "Invalid Request: a request with this id is still running", request.id}));
        return running_->end();
      case Session::Opening::kEnded:
        report_refused(context, tool->name, "cancelled");
        call->stop(context.session->ended().value_or(StopReason::kSessionEnded));
        return running_->end();
    }
  }
  plugins_.run(call);
  // The plugin host may run such a tool on a worker all the same, when it was found to block.
  if (tool->non_blocking && !call->is_answered() && call->open() == Session::Opening::kEnded) {
    call->stop(context.session->ended().value_or(StopReason::kSessionEnded));
  }
}

void Dispatcher::report_refused(const RequestContext& context, std::string_view tool, std::string_view outcome) const {
  events_.emit(ToolCalled{*context.caller, tool, {}, next_request_id(), outcome, std::chrono::microseconds(0), {}});
}

std::string Dispatcher::next_request_id() const {
  return request_id_prefix_ + std::to_string(last_request_.fetch_add(1, std::memory_order_relaxed) + 1);
}

}  // namespace toolhost::protocol
