#include "plugin_runtime/call_result.hpp"

#include "base/json_writer.hpp"

namespace toolhost::plugin_runtime {
namespace {

std::string text_block(std::string_view text) {
  std::string json = R"([{"type":"text","text":)";
  append_json_string(json, text);
  json += "}]";
  return json;
}

/// What the caller must know about the state that a failed call left behind.
std::string state_after(const th_call& call) {
  const auto& running = *call.start.call;
  if (running.tool->read_only) return {};
  if (call.outcome_unknown) {
    std::string text =
        "The connection to the database was lost while saving, so it is not known whether the change was saved. ";
    return text +
           (running.idempotency_key.empty()
                ? "Read the current state before you repeat the call."
                : "Repeat the call with the same idempotency_key: it saves nothing twice and returns what was saved.");
  }
  return call.committed ? "What the call had saved before stays saved." : "Nothing was saved.";
}

std::string join(std::string text, const std::string& more) {
  if (!more.empty()) {
    if (!text.empty()) text += ' ';
    text += more;
  }
  return text;
}

std::string internal_text(const th_call& call) {
  return join("The tool failed because of an internal error.", state_after(call)) +
         " If it happens again, report it with this id: " + call.start.call->request_id;
}

Outcome outcome_of(const th_call& call, th_status status) noexcept {
  switch (status) {
    case TH_E_NOT_FOUND:
      return call.kind() == ToolCall::Kind::kTool ? Outcome::kToolError : Outcome::kNotFound;
    case TH_E_UNAVAILABLE:
    case TH_E_RETRY:
      return Outcome::kUnavailable;
    case TH_E_TIMEOUT:
      return Outcome::kTimeout;
    case TH_E_CANCELLED:
      return Outcome::kCancelled;
    case TH_E_MISUSE:
    case TH_E_INTERNAL:
      return Outcome::kInternal;
    default:
      return Outcome::kToolError;
  }
}

/// The host's own text for a status, for handlers that gave none.
std::string public_text(const th_call& call, th_status status) {
  switch (status) {
    case TH_E_INVALID:
      return join("An argument has a value that the tool cannot use.", state_after(call)) +
             " Compare the arguments with the tool's description.";
    case TH_E_NOT_FOUND:
      return join("There is no such thing, or none that you may see.", state_after(call)) + " Check the id or name.";
    case TH_E_CONFLICT:
      return join("The change conflicts with what is stored already.", state_after(call)) +
             " Read the current state and try again.";
    case TH_E_DENIED:
      return join("This is not allowed.", state_after(call));
    case TH_E_UNAVAILABLE:
      return join(call.error_status == TH_E_UNAVAILABLE
                      ? "The database is not reachable at the moment."
                      : "Something that the tool needs is not available at the moment.",
                  state_after(call)) +
             " Try again in a few seconds.";
    case TH_E_TIMEOUT:
      return join("The tool did not finish within its time limit.", state_after(call)) +
             " Try again, or ask for less at once.";
    case TH_E_CANCELLED:
      return join("The call was cancelled.", state_after(call));
    case TH_E_RETRY:
      return join("Other calls kept changing the same data.", state_after(call)) + " Try again in a few seconds.";
    case TH_E_LIMIT:
      return join("A limit was exceeded.", state_after(call)) + " Ask for less at once.";
    case TH_E_UNSUPPORTED:
      if (call.lacked) return join(call.error_message, state_after(call));
      return join("This server does not support what the tool needs.", state_after(call));
    default:
      return internal_text(call);
  }
}

bool is_known_failure(th_status status) noexcept {
  return status <= TH_E_INVALID && status >= TH_E_INTERNAL;
}

std::string detail_of(const th_call& call, th_status status) {
  auto detail = "status " + std::to_string(status);
  if (call.error_status != TH_OK) {
    detail += "; last service error " + std::to_string(call.error_status) + ": " + call.error_message;
    if (!call.error_code.empty()) detail += " [" + call.error_code + "]";
    if (!call.error_detail.empty()) detail += " (" + call.error_detail + ")";
  }
  return detail;
}

Judgement failed(const th_call& call, th_status status, std::string text, std::string detail) {
  Judgement judgement;
  // A statement that was to commit and lost its connection: what the plugin believes about it may be wrong.
  if (call.outcome_unknown) text = state_after(call);
  judgement.result = refusal(outcome_of(call, status), text, std::move(detail));
  return judgement;
}

Judgement internal_error(const th_call& call, const char* broken_rule, std::string detail) {
  auto judgement = failed(call, TH_E_INTERNAL, internal_text(call), std::move(detail));
  judgement.broken_rule = broken_rule;
  return judgement;
}

/// Serialization failures undo the whole transaction, so running the handler again repeats nothing, unless a statement
/// marked TH_DB_LAST had committed before, or the tool reaches beyond the database. Then the plugin's word that it is
/// idempotent decides.
bool may_rerun(const th_call& call) {
  const auto& tool = *call.start.call->tool;
  return tool.idempotent || (!call.committed && !call.outcome_unknown && !tool.open_world);
}

Judgement retry(const th_call& call) {
  auto judgement = failed(call, TH_E_RETRY, public_text(call, TH_E_RETRY), detail_of(call, TH_E_RETRY));
  if (may_rerun(call)) judgement.verdict = Judgement::Verdict::kRerun;
  return judgement;
}

Judgement judge_failure(const th_call& call) {
  if (call.failure == TH_E_RETRY) return retry(call);
  if (!is_known_failure(call.failure))
    return internal_error(
        call, "unknown-status",
        "fail() with the unknown status " + std::to_string(call.failure) + ": " + call.failure_message);
  if (call.failure == TH_E_INTERNAL || call.failure_message.empty())
    return failed(call, call.failure, public_text(call, call.failure),
                  call.failure_message + "; " + detail_of(call, call.failure));
  return failed(call, call.failure, call.failure_message, detail_of(call, call.failure));
}

/// The client is asked, and nothing of this run is kept.
Judgement judge_questions(th_call& call, th_status status) {
  Judgement judgement;
  judgement.result = {.outcome = Outcome::kInputRequired,
                      .is_error = false,
                      .content_json = "[]",
                      .structured_json = {},
                      .detail = {},
                      .questions = std::move(call.questions)};
  if (status != TH_E_ASKED || call.threw || call.failed) {
    judgement.broken_rule = "ask-swallowed";
    judgement.result.detail = "ask() answered TH_E_ASKED, but the handler went on and came to status " +
                              std::to_string(call.failed ? call.failure : status) +
                              "; the client is asked all the same. Return TH_E_ASKED, and do not catch everything "
                              "around ask()";
  }
  return judgement;
}

/// What the handler of a completion gave.
std::string completion_json(th_call& call) {
  auto& completion = call.completion;
  std::string text;
  JsonWriter json(text);
  json.begin_object().key("values").raw('[' + completion.values + ']');
  if (completion.total) json.key("total").integer(*completion.total);
  const auto kept = std::min<std::size_t>(completion.count, TH_COMPLETE_MAX_VALUES);
  const bool has_more =
      completion.count > kept || (completion.total && *completion.total > static_cast<std::int64_t>(kept));
  json.key("hasMore").boolean(has_more).end_object();
  return text;
}

/// Why the structured content is not what the tool declared; empty when it is.
std::string output_violation(const th_call& call, const std::string& structured) {
  const auto& schema = call.start.call->tool->output_schema;
  if (!schema) return {};
  if (structured.empty()) return "the tool declares an output schema, but gave no structured content";
  auto document = json::acquire_document();
  const auto root =
      call.structured_document ? Result<json::Value>(call.structured_document->root()) : document->parse(structured);
  if (!root) return root.error().message;
  if (schema->accepts(*root)) return {};
  std::string text;
  for (const auto& violation : schema->violations(*root, 3))
    text += (text.empty() ? "" : "; ") + violation.path + ": " + violation.message;
  return text;
}

Judgement judge_success(th_call& call) {
  if (call.statement_failed)
    return internal_error(call, nullptr,
                          "the handler returned TH_OK although its transaction had failed; " + detail_of(call, TH_OK));
  if (!call.writer.is_empty() && !call.writer.is_complete())
    return internal_error(call, "open-json", "the handler returned TH_OK with an object or array still open");
  const auto kind = call.kind();
  if (kind == ToolCall::Kind::kRead && call.content.size() == 1)
    return failed(call, TH_E_NOT_FOUND, public_text(call, TH_E_NOT_FOUND), "the handler pushed nothing");
  auto structured = call.writer.is_empty() ? std::move(call.structured) : call.writer.take();
  if (const auto violation = output_violation(call, structured); !violation.empty())
    return internal_error(call, "output-schema",
                          "the result does not match the output schema: " + violation +
                              (call.committed ? "; a statement marked TH_DB_LAST has committed all the same" : ""));
  Judgement judgement;
  judgement.verdict = Judgement::Verdict::kCommit;
  auto& result = judgement.result;
  result.outcome = Outcome::kOk;
  result.is_error = false;
  // MCP 2025-11-25, Tools, Structured Content: the same JSON as text, for clients that read only text.
  if (kind == ToolCall::Kind::kComplete) {
    result.content_json = completion_json(call);
  } else if (call.content.size() == 1 && !structured.empty()) {
    result.content_json = text_block(structured);
  } else {
    result.content_json = std::move(call.content);
    result.content_json += ']';
  }
  result.structured_json = std::move(structured);
  result.description = std::move(call.description);
  return judgement;
}

/// Of a handler that has asked nothing.
Judgement judge_ended(th_call& call, th_status status) {
  if (call.threw)
    return internal_error(call, "exception-escaped",
                          "an exception left the handler (" + call.failure_message +
                              "), which no plugin may let happen; write it with toolhost/plugin.hpp, or catch "
                              "everything in the handler and call fail()");
  if (call.failed) return judge_failure(call);
  if (status == TH_OK) return judge_success(call);
  if (status == TH_E_RETRY) return retry(call);
  if (status == TH_PENDING)
    return internal_error(call, "pending-not-deferred",
                          "the status is TH_PENDING, which only a handler returns, and only after defer()");
  if (status == TH_E_ASKED)
    return internal_error(call, "asked-nothing", "the handler returned TH_E_ASKED, but ask() did not answer that");
  if (!is_known_failure(status))
    return internal_error(call, "unknown-status", "the handler returned " + std::to_string(status));
  return failed(call, status, public_text(call, status), detail_of(call, status));
}

}  // namespace

Judgement judge(th_call& call, th_status status) {
  if (!call.questions.empty()) return judge_questions(call, status);
  auto judgement = judge_ended(call, status);
  const auto said = call.failed ? call.failure : status;
  if (said == TH_E_UNSUPPORTED && judgement.result.is_error) judgement.result.lacked = call.lacked;
  return judgement;
}

Judgement judge_commit_failure(th_call& call, const Error& error, std::string_view sqlstate) {
  auto detail = "the commit failed: " + error.message + " [" + std::string(sqlstate) + "] " + error.detail;
  const auto status = to_status(error.code);
  if (status == TH_E_RETRY) return retry(call);
  // The answer to COMMIT was lost with the connection; the server may or may not have carried it out.
  call.outcome_unknown = !call.reads_only() && leaves_outcome_unknown(error.code, sqlstate);
  return failed(call, status, public_text(call, status), std::move(detail));
}

ToolResult invalid_arguments(const Tool& tool, const json::Value& arguments) {
  const auto violations = tool.input_schema.violations(arguments);
  std::string text = "Invalid arguments for " + tool.name + ":";
  for (const auto& violation : violations) {
    text += "\n- ";
    if (!violation.path.empty()) text += violation.path + ": ";
    text += violation.message;
  }
  text += "\nCorrect them and call the tool again.";
  return refusal(Outcome::kInvalidArguments, text, violations.empty() ? std::string() : violations.front().message);
}

ToolResult refusal(Outcome outcome, std::string_view text, std::string detail) {
  return {.outcome = outcome,
          .is_error = true,
          .content_json = text_block(text),
          .structured_json = {},
          .detail = std::move(detail)};
}

ToolResult timed_out(const ToolCall& call, bool was_running) {
  if (!was_running)
    return refusal(
        Outcome::kTimeout,
        "The tool was too busy to start the call within its time limit. Nothing was saved. Try again in a few seconds.",
        "the deadline passed in the queue");
  const std::string text = "The tool did not finish within its time limit.";
  if (call.tool->read_only)
    return refusal(Outcome::kTimeout, text + " Try again, or ask for less at once.", "the handler overstayed");
  return refusal(
      Outcome::kTimeout,
      text + " It is not known whether anything was saved. Read the current state before you repeat the call.",
      "the handler overstayed");
}

}  // namespace toolhost::plugin_runtime
