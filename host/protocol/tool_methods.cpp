#include "base/json_writer.hpp"
#include "protocol/dispatcher.hpp"
#include "protocol/find_and_call.hpp"
#include "protocol/mcp_header.hpp"
#include "protocol/mcp_messages.hpp"

/// tools/list and tools/call, and how whatever can be called is admitted and run.
namespace toolhost::protocol {
namespace {

using observability::ToolCalled;
using plugin_runtime::Tool;
using plugin_runtime::ToolCall;

constexpr std::string_view kNoRoomText =
    "The audit journal cannot be written, so no call may run. Nothing was saved. Tell the operator.";
constexpr std::string_view kLongToken = "Invalid params: \"progressToken\" may be at most 1024 bytes long";
constexpr std::size_t kMostAnswers = 64;  // that one request brings

/// find_tools, as limits and records know it.
const Tool& tool_that_finds() {
  static const Tool tool{.name = std::string(kFindTools),
                         .plugin = "toolhost",
                         .input_schema = JsonSchema::compile("{}").value(),
                         .output_schema = std::nullopt,
                         .read_only = true};
  return tool;
}

/// tools/call without its tool.
struct CallParams {
  std::string_view name;
  std::optional<json::Value> arguments;
};

/// Why the params are no params of tools/call, or what they say.
std::variant<CallParams, std::string> read_call_params(const Message& request) {
  CallParams params;
  if (!request.params) return "Invalid params: an object with \"name\" is required";
  const auto name = text_param(request, "name");
  if (!name) return "Invalid params: \"name\" must be the name of a tool";
  params.name = *name;
  params.arguments = param(request, "arguments");
  if (params.arguments && !params.arguments->is_object()) return "Invalid params: \"arguments\" must be an object";
  return params;
}

/// The client's trace: what the message says stands above what HTTP says.
std::optional<observability::TraceContext> trace_of(const std::optional<json::Value>& meta,
                                                    const RequestContext& context) {
  if (!meta) return context.trace;
  const auto parent = json::text_in(*meta, "traceparent").value_or("");
  if (parent.empty()) return context.trace;
  return observability::read_trace_context(parent, json::text_in(*meta, "tracestate").value_or(""));
}

std::string progress_token_of(const std::optional<json::Value>& meta) {
  json::Value token;
  if (!meta || json::find(*meta, "progressToken").get(token) != simdjson::SUCCESS) return {};
  return id_text(token).value_or(std::string());
}

bool has_long_token(const std::optional<json::Value>& meta) noexcept {
  json::Value token;
  return meta && json::find(*meta, "progressToken").get(token) == simdjson::SUCCESS && is_too_long(token);
}

}  // namespace

void Dispatcher::list_tools(Message&& request, const RequestContext& context, ReplySink&& sink) {
  std::optional<std::string_view> cursor;
  if (!read_cursor(request, cursor))
    return sink(invalid_params(request, "Invalid cursor: a string is expected", context));
  const auto registry = plugins_.registry();
  const auto page = listing_.page(*context.caller, *registry, style_of(context), cursor);
  sink(page ? encode_result(request.id, *page) : invalid_params(request, page.error().message, context));
}

void Dispatcher::call_tool(Message&& request, const RequestContext& context, ReplySink&& sink) {
  const auto parsed = read_call_params(request);
  if (const auto* const why = std::get_if<std::string>(&parsed)) {
    report_refused(context, {}, "invalid_arguments");
    return sink(invalid_params(request, *why, context));
  }
  auto params = std::get<CallParams>(parsed);
  auto registry = plugins_.registry();
  auto entry = listing_.find(*context.caller, *registry, params.name);
  const auto index = entry.tool == nullptr ? listing_.index(*context.caller, *registry) : nullptr;
  if (index != nullptr && params.name == kFindTools) {
    return find_tools(request, *index, params.arguments ? *params.arguments : no_arguments(), context, sink);
  }
  if (index != nullptr && params.name == kCallTool) {
    const auto inner = read_call_tool(params.arguments ? *params.arguments : no_arguments());
    if (const auto* const why = std::get_if<std::string>(&inner)) {
      report_refused(context, kCallTool, "invalid_arguments");
      return sink(invalid_params(request, *why, context));
    }
    params = {.name = std::get<FoundCall>(inner).name, .arguments = std::get<FoundCall>(inner).arguments};
    entry = listing_.find(*context.caller, *registry, params.name);
  }
  const auto& arguments = params.arguments ? *params.arguments : no_arguments();
  if (entry.tool == nullptr) return refuse_unknown(request, params.name, *registry, context, sink);
  if (index == nullptr && context.argument_fields && !entry.tool->headers.empty()) {
    if (auto error = check_argument_headers(request, arguments, *context.argument_fields, entry.tool->headers))
      return sink(error_reply(std::move(*error), context.revision));
  }
  start(std::move(request),
        {.tool = *entry.tool,
         .looks_at_arguments = entry.looks_at_arguments,
         .method = "tools/call",
         .arguments = arguments,
         .idempotency_key =
             params.arguments ? json::text_in(arguments, "idempotency_key").value_or("") : std::string_view()},
        std::move(registry), context, std::move(sink));
}

void Dispatcher::find_tools(const Message& request, const ToolIndex& index, const json::Value& wanted,
                            const RequestContext& context, const ReplySink& sink) {
  const auto began = std::chrono::steady_clock::now();
  const auto& tool = tool_that_finds();
  access::Admission admission;
  if (!admit(request, {.tool = tool, .method = "tools/call", .arguments = wanted}, context, sink, admission)) return;
  const auto trace = trace_of(param(request, "_meta"), context);
  const auto found = encode_found_tools(index, wanted, style_of(context));
  const auto request_id = next_request_id();
  admission.release();
  running_->tell(
      {.caller = *context.caller,
       .tool = tool.name,
       .plugin = tool.plugin,
       .request_id = request_id,
       .outcome = json::text_in(wanted, "query").value_or("").empty() ? "invalid_arguments" : "ok",
       .duration = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - began),
       .trace = trace ? &*trace : nullptr},
      tool, wanted);
  sink(encode_result(request.id, found));
}

void Dispatcher::start(Message&& request, Callable&& what, plugin_runtime::RegistryPtr registry,
                       const RequestContext& context, ReplySink&& sink) {
  const auto& tool = what.tool;
  const auto meta = param(request, "_meta");
  if (has_long_token(meta)) return sink(invalid_params(request, std::string(kLongToken), context));
  StateContents answered;
  if (is_modern(context.revision)) {
    auto read = read_answers(request, what, context);
    if (!read) return sink(invalid_params(request, read.error().message, context));
    answered = std::move(*read);
  }
  access::Admission admission;
  if (!admit(request, what, context, sink, admission)) return;
  if (!running_->begin()) {
    report_refused(context, tool, {"unavailable", "shutdown"}, &what.arguments);
    admission.release();
    return sink(StopReason::kShutdown);
  }

  auto request_id = next_request_id();
  auto call = std::make_shared<PendingCall>(
      PendingCall::Start{.id = request.id,
                         .open_id = context.shares_session ? request_id : request.id,
                         .method = what.method,
                         .progress_token = context.stream == nullptr ? std::string() : progress_token_of(meta),
                         .trace = trace_of(meta, context),
                         .admission = std::move(admission),
                         .running = running_},
      context, std::move(sink));
  call->kind = what.kind;
  call->registry = std::move(registry);
  call->tool = &tool;
  call->caller = context.caller;
  call->request_id = std::move(request_id);
  call->deadline = Deadline::after(tool.timeout);
  call->arguments = what.arguments;
  call->document = what.document != nullptr ? std::move(what.document) : std::move(request.document);
  call->target = std::move(what.target);
  call->idempotency_key = what.idempotency_key;
  if (const auto& grant = context.caller->grant) call->max_result_bytes = grant->rights()->max_result();
  if (is_modern(context.revision)) call->go_on_from(std::move(answered));
  run(call, request, context);
}

Result<StateContents> Dispatcher::read_answers(const Message& request, const Callable& what,
                                               const RequestContext& context) const {
  StateContents contents;
  if (const auto state = param(request, "requestState")) {
    std::string_view sealed;
    if (state->get(sealed) != simdjson::SUCCESS)
      return Error{Errc::kInvalidArgument, "Invalid params: \"requestState\" must be a string", ""};
    auto opened = running_->states.open(sealed, what.binding(*context.caller), RequestState::Clock::now());
    if (!opened) return opened.error();
    contents = std::move(*opened);
  }
  json::Value member;
  if (!request.params || json::find(*request.params, "inputResponses").get(member) != simdjson::SUCCESS)
    return contents;
  json::Object responses;
  if (member.get(responses) != simdjson::SUCCESS || responses.size() > kMostAnswers)
    return Error{Errc::kInvalidArgument, "Invalid params: \"inputResponses\" must be an object", ""};
  for (const auto& [key, response] : responses)
    if (response.is_object()) contents.answers.insert_or_assign(std::string(key), json::to_text(response));
  return contents;
}

StateBinding Dispatcher::Callable::binding(const Caller& caller) const {
  return {.key = caller.key_id,
          .tenant = caller.tenant_id,
          .method = method,
          .target = kind == ToolCall::Kind::kTool ? std::string_view(tool.name) : std::string_view(target),
          .arguments = arguments};
}

void Dispatcher::refuse_unknown(const Message& request, std::string_view name,
                                const plugin_runtime::ToolRegistry& registry, const RequestContext& context,
                                const ReplySink& sink) const {
  const auto quoted = name.substr(0, kLongestQuote);
  // Both look the same to the caller.
  if (const auto* const tool = registry.find(name); tool != nullptr) {
    report_hidden(context, *tool);
  } else {
    report_refused(context, quoted, "unknown_tool", to_string(access::Reason::kUnknownTool));
  }
  sink(invalid_params(request, "Unknown tool: " + std::string(quoted), context));
}

std::string Dispatcher::encode_refusal(const Message& request, const Callable& what, std::string_view text,
                                       const RequestContext& context) const {
  plugin_runtime::ToolResult result;
  result.content_json = R"([{"type":"text","text":)";
  append_json_string(result.content_json, text);
  result.content_json += "}]";
  return *message_of(
      encode_reply({.kind = what.kind, .id = request.id, .target = what.target, .style = style_of(context)}, result));
}

bool Dispatcher::admit(const Message& request, const Callable& what, const RequestContext& context,
                       const ReplySink& sink, access::Admission& admission) const {
  const auto& tool = what.tool;
  const auto& grant = context.caller->grant;
  if (has_room_ && !has_room_()) {
    report_refused(context, tool, {"unavailable", "audit"});
    sink(encode_refusal(request, what, kNoRoomText, context));
    return false;
  }
  if (grant == nullptr) return true;
  if (const auto refused = grant->admit(facts_of(tool), access::Grant::Clock::now(), admission)) {
    const auto& decision = refused->decision;
    const bool is_denied = !refused->challenge.empty();
    report_refused(context, tool, {is_denied ? "denied" : "limit", to_string(decision.reason), decision.place.text()});
    sink(Limited{encode_refusal(request, what, decision.message, context), refused->retry_after, refused->challenge});
    return false;
  }
  if (!what.looks_at_arguments) return true;
  const auto decision = grant->rights()->decide(facts_of(tool), &what.arguments);
  if (decision.allowed()) return true;
  admission.release();
  report_refused(context, tool, {"denied", to_string(decision.reason), decision.place.text()}, &what.arguments);
  sink(encode_refusal(request, what, decision.message, context));
  return false;
}

void Dispatcher::run(const std::shared_ptr<PendingCall>& call, const Message& request, const RequestContext& context) {
  const auto& tool = *call->tool;
  // In front of the tool, which may end up on a worker and speak from there.
  if (context.stream != nullptr) context.stream->bind(call);
  if (!tool.non_blocking) {
    switch (call->open()) {
      case Session::Opening::kOpened:
        break;
      case Session::Opening::kDuplicate:
        report_refused(context, tool, {"invalid_arguments"}, &call->arguments);
        return call->refuse(encode_error(
            {RpcCode::kInvalidRequest, "Invalid Request: a request with this id is still running", request.id},
            context.revision));
      case Session::Opening::kEnded:
        report_refused(context, tool, {"cancelled", "session_ended"}, &call->arguments);
        return call->refuse(context.session->ended().value_or(StopReason::kSessionEnded));
    }
  }
  plugins_.run(call);
  // The plugin host may run such a tool on a worker all the same, when it was found to block.
  if (tool.non_blocking && !call->is_answered() && call->open() == Session::Opening::kEnded)
    call->stop(context.session->ended().value_or(StopReason::kSessionEnded));
}

void Dispatcher::report_hidden(const RequestContext& context, const Tool& tool) const {
  const auto decision = context.caller->grant->rights()->decide(facts_of(tool), nullptr);
  report_refused(context, tool, {"denied", to_string(decision.reason), decision.place.text(), true});
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

void Dispatcher::report_refused(const RequestContext& context, const Tool& tool, const Refusal& refusal,
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

}  // namespace toolhost::protocol
