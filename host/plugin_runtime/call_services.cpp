#include <cstring>
#include <utility>

#include "base/json_writer.hpp"
#include "plugin_runtime/service_tables.hpp"

namespace toolhost::plugin_runtime::services {
namespace {

using Kind = ToolCall::Kind;

th_status only_of_tools(th_call& call, std::string_view what) {
  return fail_with(call, TH_E_MISUSE, std::string(what) + " is for tools; resources push content(), prompts messages");
}

// ---- toolhost.call/1

th_status call_info(th_call* call, th_call_info* out) noexcept {
  if (!answers(call) || out == nullptr) return TH_E_MISUSE;
  if (out->struct_size < sizeof(out->struct_size))
    return fail_with(*call, TH_E_MISUSE, "struct_size of th_call_info is not set");
  const auto& running = *call->start.call;
  th_call_info info{};
  info.struct_size = out->struct_size;
  info.attempt = call->start.attempt;
  info.tenant = lend(running.caller->tenant);
  info.principal = lend(running.caller->principal);
  info.key_prefix = lend(running.caller->key_prefix);
  info.request_id = lend(running.request_id);
  info.tool = lend(running.tool->name);
  info.idempotency_key = lend(running.idempotency_key);
  info.time_zone = lend(running.caller->time_zone);
  if (!call->start.deadline.is_never())
    info.deadline_us = call->start.host->now_us() +
                       std::chrono::duration_cast<std::chrono::microseconds>(call->start.deadline.left()).count();
  info.role = lend(to_string(running.caller->role));
  std::memcpy(out, &info, std::min<std::size_t>(out->struct_size, sizeof(info)));
  return TH_OK;
}

th_str call_args_json(th_call* call) noexcept {
  if (!answers(call)) return {nullptr, 0};
  if (call->args_text.empty()) json::append_text(call->args_text, call->start.call->arguments);
  return lend(call->args_text);
}

th_status call_text(th_call* call, th_str text) noexcept {
  if (!answers(call)) return TH_E_MISUSE;
  if (call->kind() != Kind::kTool) return only_of_tools(*call, "text()");
  if (!is_utf8(view(text))) return fail_with(*call, TH_E_INVALID, "the text is not UTF-8");
  const auto size = call->content.size();
  if (call->result_bytes() + text.len > call->start.max_result_bytes) return result_too_large(*call);
  call->content += size == 1 ? R"({"type":"text","text":)" : R"(,{"type":"text","text":)";
  append_json_string(call->content, view(text));
  call->content += '}';
  if (call->result_bytes() <= call->start.max_result_bytes) return TH_OK;
  call->content.resize(size);
  return result_too_large(*call);
}

th_status call_structured(th_call* call, th_str text) noexcept {
  if (!answers(call)) return TH_E_MISUSE;
  if (call->kind() != Kind::kTool) return only_of_tools(*call, "structured content");
  if (!call->structured.empty() || !call->writer.is_empty())
    return fail_with(*call, TH_E_MISUSE, "there is structured content already");
  if (call->result_bytes() + text.len > call->start.max_result_bytes) return result_too_large(*call);
  auto document = json::acquire_document();
  const auto root = document->parse(view(text));
  if (!root) return fail_with(*call, TH_E_INVALID, "the structured content is no JSON: " + root.error().message);
  if (!root->is_object()) return fail_with(*call, TH_E_INVALID, "the structured content is JSON, but no object");
  // Written anew: line breaks between tokens would end a line of an event stream.
  json::append_text(call->structured, *root);
  call->structured_document = std::move(document);
  return TH_OK;
}

th_status call_fail(th_call* call, th_status status, th_str message) noexcept {
  if (!answers(call)) return TH_E_MISUSE;
  if (status >= 0) return fail_with(*call, TH_E_MISUSE, "fail() takes a negative status");
  const auto text = view(message).substr(0, call->start.max_result_bytes);
  call->failed = true;
  call->failure = status;
  const auto& secrets = call->start.host->secrets();
  call->failure_message = !is_utf8(text)    ? std::string()
                          : secrets.empty() ? std::string(text)
                                            : secrets.redacted(text, call->start.max_result_bytes);
  return status;
}

th_status call_last_error(th_call* call, th_error* out) noexcept {
  if (!answers(call) || out == nullptr) return TH_E_MISUSE;
  if (out->struct_size < sizeof(out->struct_size)) return TH_E_MISUSE;
  th_error error{};
  error.struct_size = out->struct_size;
  error.status = call->error_status;
  error.message = lend(call->error_message);
  error.code = lend(call->error_code);
  error.detail = lend(call->error_detail);
  std::memcpy(out, &error, std::min<std::size_t>(out->struct_size, sizeof(error)));
  return TH_OK;
}

int32_t call_cancelled(th_call* call) noexcept {
  return call != nullptr && call->is_cancelled() ? 1 : 0;
}

// ---- toolhost.json/1

template <class Write>
th_status write_structured(th_call* call, Write write) noexcept {
  if (!answers(call)) return TH_E_MISUSE;
  if (call->kind() != Kind::kTool) return only_of_tools(*call, "structured content");
  if (!call->structured.empty()) return fail_with(*call, TH_E_MISUSE, "the structured content was given whole already");
  call->writer.limit(call->start.max_result_bytes - std::min(call->start.max_result_bytes, call->content.size()));
  switch (write(call->writer)) {
    case StructuredWriter::Status::kOk:
      return TH_OK;
    case StructuredWriter::Status::kMisplaced:
      return fail_with(*call, TH_E_MISUSE,
                       "out of order: a value without its key, a key outside an object, a second outermost value, or "
                       "end() with nothing open");
    case StructuredWriter::Status::kNotFinite:
      return fail_with(*call, TH_E_INVALID, "JSON has no number that is not finite");
    case StructuredWriter::Status::kTooDeep:
      return fail_with(*call, TH_E_LIMIT,
                       "the structured content is nested deeper than " + std::to_string(StructuredWriter::kMaxDepth));
    case StructuredWriter::Status::kTooLarge:
      return result_too_large(*call);
  }
  return TH_E_INTERNAL;
}

template <class Write>
th_status write_structured_text(th_call* call, th_str text, Write write) noexcept {
  if (answers(call) && !is_utf8(view(text))) return fail_with(*call, TH_E_INVALID, "the text is not UTF-8");
  return write_structured(call, write);
}

th_status json_begin_object(th_call* call) noexcept {
  return write_structured(call, [](auto& writer) { return writer.begin_object(); });
}
th_status json_begin_array(th_call* call) noexcept {
  return write_structured(call, [](auto& writer) { return writer.begin_array(); });
}
th_status json_end(th_call* call) noexcept {
  return write_structured(call, [](auto& writer) { return writer.end(); });
}
th_status json_key(th_call* call, th_str name) noexcept {
  return write_structured_text(call, name, [&](auto& writer) { return writer.key(view(name)); });
}
th_status json_str(th_call* call, th_str text) noexcept {
  return write_structured_text(call, text, [&](auto& writer) { return writer.string(view(text)); });
}
th_status json_i64(th_call* call, int64_t number) noexcept {
  return write_structured(call, [&](auto& writer) { return writer.integer(number); });
}
th_status json_f64(th_call* call, double number) noexcept {
  return write_structured(call, [&](auto& writer) { return writer.number(number); });
}
th_status json_boolean(th_call* call, int32_t flag) noexcept {
  return write_structured(call, [&](auto& writer) { return writer.boolean(flag != 0); });
}
th_status json_null(th_call* call) noexcept {
  return write_structured(call, [](auto& writer) { return writer.null(); });
}

// ---- toolhost.token/1

th_status token_seal(th_call* call, th_str data, th_str* token) noexcept {
  if (!answers(call)) return TH_E_MISUSE;
  if (token == nullptr) return fail_with(*call, TH_E_MISUSE, "token is NULL");
  if (data.len > TH_TOKEN_MAX_DATA) return fail_with(*call, TH_E_LIMIT, "a token holds at most 4096 bytes");
  *token =
      lend(call->kept.emplace_back(call->start.host->sealer().seal(call->start.call->caller->tenant_id, view(data))));
  return TH_OK;
}

th_status token_open(th_call* call, th_str token, th_str* data) noexcept {
  if (!answers(call)) return TH_E_MISUSE;
  if (data == nullptr) return fail_with(*call, TH_E_MISUSE, "data is NULL");
  // Longer than any token that seal() makes.
  auto opened = token.len > 2 * TH_TOKEN_MAX_DATA
                    ? std::nullopt
                    : call->start.host->sealer().open(call->start.call->caller->tenant_id, view(token));
  if (!opened) return fail_with(*call, TH_E_INVALID, "the token was not issued here, or was altered");
  *data = lend(call->kept.emplace_back(std::move(*opened)));
  return TH_OK;
}

}  // namespace

constexpr th_call_api call_table{sizeof(th_call_api), 0,          call_info,       call_args_json, call_text,
                                 call_structured,     call_fail,  call_last_error, call_cancelled, call_content,
                                 call_progress,       call_defer, call_complete,   call_on_cancel};
constexpr th_json_api json_table{sizeof(th_json_api),
                                 0,
                                 json_begin_object,
                                 json_begin_array,
                                 json_end,
                                 json_key,
                                 json_str,
                                 json_i64,
                                 json_f64,
                                 json_boolean,
                                 json_null};
constexpr th_token_api token_table{sizeof(th_token_api), 0, token_seal, token_open};

}  // namespace toolhost::plugin_runtime::services
