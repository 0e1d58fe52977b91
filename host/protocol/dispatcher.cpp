#include "protocol/dispatcher.hpp"

#include "access/grant.hpp"
#include "base/json_writer.hpp"

namespace toolhost::protocol {
namespace {

using observability::ToolCalled;

constexpr std::size_t kLongestQuote = 128;  // of what a client sent, in a message about it
constexpr std::string_view kEmptyResult = "{}";
constexpr std::string_view kNoRoomText =
    "The audit journal cannot be written, so no call may run. Nothing was saved. Tell the operator.";

std::string_view text_member(const json::Value& object, std::string_view name) noexcept {
  json::Value member;
  std::string_view text;
  if (json::find(object, name).get(member) == simdjson::SUCCESS && member.get(text) == simdjson::SUCCESS) return text;
  return {};
}

std::string invalid_params(const Message& request, std::string why) {
  return encode_error({RpcCode::kInvalidParams, std::move(why), request.id});
}

/// tools/call without its tool.
struct CallParams {
  std::string_view name;
  std::optional<json::Value> arguments;
};

/// What a call without arguments has; lives as long as the process.
const json::Value& no_arguments() {
  static auto& document = *new json::Document;
  static const json::Value value = document.parse(kEmptyResult).value();
  return value;
}

/// A tool result that says why nothing was done.
std::string encode_refusal(const Message& request, std::string_view text, Revision revision) {
  std::string content = R"([{"type":"text","text":)";
  append_json_string(content, text);
  content += "}]";
  return encode_result(request.id, encode_call_result(content, {}, true, revision));
}

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

Dispatcher::Dispatcher(const McpConfig& config, access::Gatekeeper& gatekeeper, plugin_runtime::PluginHost& plugins,
                       observability::EventSink& events)
    : server_({.name = config.server_name,
               .title = config.server_title,
               .version = config.server_version,
               .instructions = config.instructions}),
      has_room_(config.has_room),
      plugins_(plugins),
      listing_(config.tools_page_size),
      request_id_prefix_("c-" + random_id().substr(0, 8) + "-"),
      running_(std::make_shared<RunningCalls>(config.sealing_key, gatekeeper.usage(), events)) {}

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
  const auto parsed = read_call_params(request);
  if (const auto* const why = std::get_if<std::string>(&parsed)) {
    report_refused(context, {}, "invalid_arguments");
    return sink(invalid_params(request, *why));
  }
  const auto& params = std::get<CallParams>(parsed);
  const auto& arguments = params.arguments ? *params.arguments : no_arguments();

  auto registry = plugins_.registry();
  const auto entry = listing_.find(*context.caller, *registry, params.name);
  if (entry.tool == nullptr) return refuse_unknown(request, params.name, *registry, context, sink);
  access::Admission admission;
  if (!admit(request, entry, arguments, context, sink, admission)) return;
  const auto& tool = *entry.tool;
  if (!running_->begin()) {
    report_refused(context, tool, {"unavailable", "shutdown"}, &arguments);
    admission.release();
    return sink(StopReason::kShutdown);
  }

  auto request_id = next_request_id();
  // A tool that never blocks has ended before its client could cancel it, and its id need not be remembered.
  const bool is_named_by_client = !tool.non_blocking && !context.shares_session;
  auto call = std::make_shared<PendingCall>(request.id, is_named_by_client ? request.id : request_id, context,
                                            std::move(sink), std::move(admission), running_);
  call->registry = std::move(registry);
  call->tool = &tool;
  call->caller = context.caller;
  call->request_id = std::move(request_id);
  call->deadline = Deadline::after(tool.timeout);
  call->arguments = arguments;
  call->document = std::move(request.document);
  if (params.arguments) call->idempotency_key = text_member(arguments, "idempotency_key");
  if (const auto& grant = context.caller->grant) call->max_result_bytes = grant->rights()->max_result();
  run(std::move(call), request, context);
}

void Dispatcher::refuse_unknown(const Message& request, std::string_view name,
                                const plugin_runtime::ToolRegistry& registry, const RequestContext& context,
                                const ReplySink& sink) const {
  const auto quoted = name.substr(0, kLongestQuote);
  // Both look the same to the caller.
  if (const auto* const tool = registry.find(name); tool != nullptr) {
    const auto decision = context.caller->grant->rights()->decide(facts_of(*tool), nullptr);
    report_refused(context, *tool, {"denied", to_string(decision.reason), decision.place.text(), true});
  } else {
    report_refused(context, quoted, "unknown_tool", to_string(access::Reason::kUnknownTool));
  }
  sink(invalid_params(request, "Unknown tool: " + std::string(quoted)));
}

bool Dispatcher::admit(const Message& request, const ToolView::Entry& entry, const json::Value& arguments,
                       const RequestContext& context, const ReplySink& sink, access::Admission& admission) const {
  const auto& tool = *entry.tool;
  const auto& grant = context.caller->grant;
  if (has_room_ && !has_room_()) {
    report_refused(context, tool, {"unavailable", "audit"});
    sink(encode_refusal(request, kNoRoomText, context.revision));
    return false;
  }
  if (grant == nullptr) return true;
  if (const auto refused = grant->admit(facts_of(tool), access::Grant::Clock::now(), admission)) {
    const auto& decision = refused->decision;
    report_refused(context, tool, {"limit", to_string(decision.reason), decision.place.text()});
    sink(Limited{encode_refusal(request, decision.message, context.revision), refused->retry_after});
    return false;
  }
  if (!entry.looks_at_arguments) return true;
  const auto decision = grant->rights()->decide(facts_of(tool), &arguments);
  if (decision.allowed()) return true;
  admission.release();
  report_refused(context, tool, {"denied", to_string(decision.reason), decision.place.text()}, &arguments);
  sink(encode_refusal(request, decision.message, context.revision));
  return false;
}

void Dispatcher::run(std::shared_ptr<PendingCall> call, const Message& request, const RequestContext& context) {
  const auto& tool = *call->tool;
  if (!tool.non_blocking) {
    switch (call->open()) {
      case Session::Opening::kOpened:
        break;
      case Session::Opening::kDuplicate:
        report_refused(context, tool, {"invalid_arguments"}, &call->arguments);
        return call->refuse(encode_error(
            {RpcCode::kInvalidRequest, "Invalid Request: a request with this id is still running", request.id}));
      case Session::Opening::kEnded:
        report_refused(context, tool, {"cancelled", "session_ended"}, &call->arguments);
        return call->refuse(context.session->ended().value_or(StopReason::kSessionEnded));
    }
  }
  plugins_.run(call);
  // The plugin host may run such a tool on a worker all the same, when it was found to block.
  if (tool.non_blocking && !call->is_answered() && call->open() == Session::Opening::kEnded) {
    call->stop(context.session->ended().value_or(StopReason::kSessionEnded));
  }
}

void Dispatcher::report_refused(const RequestContext& context, std::string_view tool, std::string_view outcome,
                                std::string_view reason) const {
  running_->tell({.caller = *context.caller,
                  .tool = tool,
                  .request_id = next_request_id(),
                  .outcome = outcome,
                  .duration = std::chrono::microseconds(0),
                  .reason = reason},
                 {});
}

void Dispatcher::report_refused(const RequestContext& context, const plugin_runtime::Tool& tool, const Refusal& refusal,
                                const json::Value* arguments) const {
  const auto request_id = next_request_id();
  const ToolCalled event{.caller = *context.caller,
                         .tool = tool.name,
                         .plugin = tool.plugin,
                         .request_id = request_id,
                         .outcome = refusal.outcome,
                         .duration = std::chrono::microseconds(0),
                         .reason = refusal.reason,
                         .place = refusal.place};
  if (arguments != nullptr)
    running_->tell(event, tool, *arguments);
  else
    running_->tell(event, refusal.is_hidden ? std::string_view() : std::string_view(tool.name));
}

std::string Dispatcher::next_request_id() const {
  return request_id_prefix_ + std::to_string(last_request_.fetch_add(1, std::memory_order_relaxed) + 1);
}

}  // namespace toolhost::protocol
