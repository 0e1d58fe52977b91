#pragma once
#include <string>
#include <string_view>

#include "plugin_runtime/plugin_host.hpp"
#include "protocol/mcp_messages.hpp"
#include "protocol/reply.hpp"

namespace toolhost::protocol {

/// Whose result it is; views are borrowed.
struct ResultTarget {
  plugin_runtime::ToolCall::Kind kind = plugin_runtime::ToolCall::Kind::kTool;
  std::string_view id;      ///< of the request, as JSON text
  std::string_view target;  ///< ToolCall::target
  ResultStyle style;
};

/// The response to a call that has ended with this result: a result, or for what has no result with `isError`
/// (resources, prompts, completions) an error. Not for kInputRequired.
Reply encode_reply(const ResultTarget& target, const plugin_runtime::ToolResult& result);

}  // namespace toolhost::protocol
