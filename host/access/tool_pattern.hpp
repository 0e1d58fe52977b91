#pragma once
#include <string>
#include <string_view>

#include "access/policy_config.hpp"
#include "access/rights.hpp"
#include "base/result.hpp"

namespace toolhost::access {

/// Whether `text` is `pattern`, in which "*" stands for any run of characters. Never more steps than the product of the
/// lengths.
bool is_like(std::string_view text, std::string_view pattern) noexcept;

/// True when `pattern`, with "*" for any run of characters, matches the tool's name; with a "." in it, "plugin.name"
/// (no tool has one in its name). "create_*", "tickets.*", "*.list_*". Case counts.
bool matches(std::string_view pattern, const ToolFacts& tool) noexcept;
/// The first pattern that matches(), or null.
const ToolPattern* first_match(const ToolPatterns& patterns, const ToolFacts& tool) noexcept;

/// kInvalidArgument, with what is allowed: a scope is "read", "write" or a tool pattern of [a-z0-9_.*-], 1 to 128
/// bytes.
Result<> check_scope(std::string_view text);

/// The texts in quotes, e.g. "'tickets.*', 'create_*'".
template <class Texts>
std::string quoted_list(const Texts& texts) {
  std::string list;
  for (const auto& each : texts) list += (list.empty() ? "'" : ", '") + each.text + "'";
  return list;
}

}  // namespace toolhost::access
