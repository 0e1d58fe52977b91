#include "protocol/call_results.hpp"

#include "base/json.hpp"
#include "protocol/encode_results.hpp"
#include "protocol/jsonrpc.hpp"
#include "protocol/method_params.hpp"

namespace toolhost::protocol {
namespace {

using plugin_runtime::Outcome;
using plugin_runtime::ToolResult;
using Kind = plugin_runtime::ToolCall::Kind;

/// The text of the first block: what a failed call says of itself.
std::string text_of(const ToolResult& result) {
  const auto document = json::acquire_document();
  const auto blocks = document->parse(result.content_json);
  json::Array array;
  if (!blocks || blocks->get(array) != simdjson::SUCCESS || array.size() == 0) return "The call failed.";
  return std::string(json::text_in(array.at(0).value_unsafe(), "text").value_or(""));
}

std::string error_of(const ResultTarget& target, RpcCode code, std::string message) {
  return encode_error({code, std::move(message), std::string(target.id)}, target.style.revision);
}

std::string encode_failure(const ResultTarget& target, const ToolResult& result) {
  switch (result.outcome) {
    case Outcome::kNotFound:
      if (target.kind == Kind::kRead)
        return encode_error(resource_not_found(std::string(target.id), target.target, target.style.revision),
                            target.style.revision);
      return error_of(target, RpcCode::kInvalidParams, text_of(result));
    case Outcome::kInvalidArguments:
    case Outcome::kToolError:
      return error_of(target, RpcCode::kInvalidParams, text_of(result));
    default:
      return error_of(target, RpcCode::kInternalError, text_of(result));
  }
}

std::string encode_success(const ResultTarget& target, const ToolResult& result) {
  switch (target.kind) {
    case Kind::kTool:
      return encode_call_result(result.content_json, result.structured_json, result.is_error, target.style);
    case Kind::kRead:
      return encode_read_result(result.content_json, target.style);
    case Kind::kPrompt:
      return encode_prompt_result(result.description, result.content_json, target.style);
    case Kind::kComplete:
      return encode_completion_result(result.content_json, target.style);
  }
  return {};
}

}  // namespace

Reply encode_reply(const ResultTarget& target, const ToolResult& result) {
  if (result.outcome == Outcome::kStateUsed)
    return error_of(target, RpcCode::kInvalidParams,
                    "Invalid requestState: these answers were used before. Nothing was saved this time.");
  if (result.lacked && result.is_error && is_modern(target.style.revision)) {
    return error_reply({RpcCode::kMissingCapability, "The client did not declare what this call has to ask it for",
                        std::string(target.id), required_capabilities(*result.lacked)},
                       target.style.revision);
  }
  if (result.is_error && target.kind != Kind::kTool) return encode_failure(target, result);
  return encode_result(target.id, encode_success(target, result));
}

}  // namespace toolhost::protocol
