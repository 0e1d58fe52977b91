#pragma once
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "access/rights.hpp"
#include "base/json.hpp"
#include "protocol/mcp_messages.hpp"
#include "protocol/tool_views.hpp"

namespace toolhost::protocol {

/// Two tools that stand for all of a caller's, for keys whose whole list would take too much of a model's context: one
/// finds tools by words, one calls what was found. A call goes the way of every other: same rights, limits and rules,
/// and the audit names the tool that was called.
inline constexpr std::string_view kFindTools = "find_tools", kCallTool = "call_tool";

/// Both, as tools/list shows them.
std::span<const std::string* const> find_and_call_tools(ListingFamily family);

/// What call_tool is to call, or what is wrong with its arguments.
struct FoundCall {
  std::string_view name;
  std::optional<json::Value> arguments;
};
std::variant<FoundCall, std::string> read_call_tool(const json::Value& arguments);

/// The words of tools' names, titles, descriptions and arguments. Immutable; made once for callers with the same
/// rights.
class ToolIndex {
 public:
  /// `rights`: whose texts stand for the plugins' own; may be null.
  ToolIndex(std::span<const ToolView::Entry> entries, const access::Rights* rights);

  /// The tools that have words of the query, the most fitting first (BM25), at most `limit`: as JSON objects with what
  /// a model needs to call them.
  [[nodiscard]] std::vector<const std::string*> find(std::string_view query, std::size_t limit) const;
  [[nodiscard]] std::vector<std::string> names() const;

 private:
  struct Tool {
    std::string name, json;
    std::map<std::string, double, std::less<>> words;  ///< how much each weighs
    std::vector<std::string> in_name;
    double weight = 0;  ///< of all of them
  };
  [[nodiscard]] double score(const Tool& tool, std::span<const std::string> words) const;

  std::vector<Tool> tools_;
  std::map<std::string, std::size_t, std::less<>> tools_with_;  ///< by word
  double mean_weight_ = 1;
};

/// The result of find_tools as JSON: what the index has for these arguments, or what is wrong with them, as isError.
std::string encode_found_tools(const ToolIndex& index, const json::Value& arguments, const ResultStyle& style);

}  // namespace toolhost::protocol
