#pragma once
#include <span>
#include <string>
#include <string_view>

#include "plugin_runtime/plugin_host.hpp"
#include "protocol/jsonrpc.hpp"
#include "protocol/mcp_messages.hpp"

namespace toolhost::protocol {

/// Resources, templates, prompts and what calls of them bring; as in mcp_messages one line of JSON each, with exactly
/// the members that the revision knows.

/// A resource of resources/list, or a template of resources/templates/list.
std::string encode_resource(const plugin_runtime::Resource& resource, ListingFamily family);
std::string encode_prompt(const plugin_runtime::Prompt& prompt, ListingFamily family);

/// `contents_json`: array, as ToolResult has it.
std::string encode_read_result(std::string_view contents_json, const ResultStyle& style);
/// `messages_json`: array; `description`: empty for none.
std::string encode_prompt_result(std::string_view description, std::string_view messages_json,
                                 const ResultStyle& style);
/// `completion_json`: {"values", "total", "hasMore"}.
std::string encode_completion_result(std::string_view completion_json, const ResultStyle& style);

/// One of inputRequests: the plugin's key, and `"method":...,"params":...` as encode_question() makes it.
struct InputRequest {
  std::string_view key;
  std::string inside;
};
/// What a modern client has to answer before the call can go on. `state`: empty for none.
std::string encode_input_required(std::span<const InputRequest> requests, std::string_view state,
                                  const ResultStyle& style);

/// -32002 up to 2025-11-25, -32602 since; with data {"uri"}.
RpcError resource_not_found(std::string id, std::string_view uri, Revision revision);

}  // namespace toolhost::protocol
