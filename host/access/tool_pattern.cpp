#include "access/tool_pattern.hpp"

#include <algorithm>

namespace toolhost::access {
namespace {

constexpr std::size_t kMaxScopeBytes = 128;

bool may_stand_in_a_scope(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '*' || c == '-';
}

/// `text(i)` is the character at i of `size`.
template <class Text>
bool is_like(Text text, std::size_t size, std::string_view pattern) noexcept {
  std::size_t at = 0, in_pattern = 0;
  std::size_t star = std::string_view::npos, star_ends = 0;  // the last star, and where the run that it stands for ends
  while (at < size) {
    if (in_pattern < pattern.size() && pattern[in_pattern] == '*') {
      star = in_pattern++;
      star_ends = at;
    } else if (in_pattern < pattern.size() && pattern[in_pattern] == text(at)) {
      ++in_pattern;
      ++at;
    } else if (star != std::string_view::npos) {
      in_pattern = star + 1;  // an earlier star need not be asked again: this one can stand for all that it could
      at = ++star_ends;
    } else {
      return false;
    }
  }
  while (in_pattern < pattern.size() && pattern[in_pattern] == '*') ++in_pattern;
  return in_pattern == pattern.size();
}

}  // namespace

bool is_like(std::string_view text, std::string_view pattern) noexcept {
  return is_like([text](std::size_t at) { return text[at]; }, text.size(), pattern);
}

bool matches(std::string_view pattern, const ToolFacts& tool) noexcept {
  if (pattern.find('.') == std::string_view::npos) return is_like(tool.name, pattern);
  const std::size_t dot = tool.plugin.size();
  const auto whole_name = [&](std::size_t at) {  // read where it lies: this is on the path of a call
    if (at == dot) return '.';
    return at < dot ? tool.plugin[at] : tool.name[at - dot - 1];
  };
  return is_like(whole_name, dot + 1 + tool.name.size(), pattern);
}

const ToolPattern* first_match(const ToolPatterns& patterns, const ToolFacts& tool) noexcept {
  const auto found =
      std::find_if(patterns.begin(), patterns.end(), [&](const auto& each) { return matches(each.text, tool); });
  return found == patterns.end() ? nullptr : &*found;
}

Result<> check_scope(std::string_view text) {
  if (!text.empty() && text.size() <= kMaxScopeBytes && std::all_of(text.begin(), text.end(), may_stand_in_a_scope)) {
    return boost::system::in_place_value;
  }
  return Error{
      Errc::kInvalidArgument,
      "'" + std::string(text.substr(0, kMaxScopeBytes)) +
          "' is no scope: write \"read\", \"write\" or a pattern of tools such as \"tickets.*\" (a-z 0-9 _ . - "
          "and *, at most 128 characters)",
      ""};
}

}  // namespace toolhost::access
