#pragma once
#include <string>
#include <vector>

#include "base/json.hpp"
#include "base/result.hpp"

namespace toolhost::plugin_runtime {

/// A member of a tool's arguments that its schema marks with "x-mcp-header": HTTP clients of MCP 2026-07-28 repeat its
/// value in the field Mcp-Param-<name>.
struct HeaderMember {
  enum class Type { kString, kInteger, kBoolean };
  std::string name;               ///< behind "Mcp-Param-", as declared
  std::vector<std::string> path;  ///< names of members, outermost first; never empty
  Type type = Type::kString;
};
using HeaderMembers = std::vector<HeaderMember>;

/// Those of an input schema, in its order. kInvalidArgument with the cure for a mark that makes clients drop the whole
/// tool: a name that is no token (RFC 9110) or not unique whatever its case, a type other than string, integer or
/// boolean, or a place that "properties" alone do not lead to.
Result<HeaderMembers> header_members(const json::Value& input_schema);

}  // namespace toolhost::plugin_runtime
