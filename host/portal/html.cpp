#include "portal/html.hpp"

#include <algorithm>

#include "base/utf8.hpp"

namespace toolhost::portal {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

/// What stands for this character; empty: itself.
std::string_view escape_of(char c) noexcept {
  switch (c) {
    case '&':
      return "&amp;";
    case '<':
      return "&lt;";
    case '>':
      return "&gt;";
    case '"':
      return "&quot;";
    case '\'':
      return "&#39;";
    default:
      return {};
  }
}

}  // namespace

Html& Html::operator<<(std::string_view text) {
  text_.reserve(text_.size() + text.size());
  while (!text.empty()) {
    const auto next = first_character(text);
    const auto size = std::max<std::size_t>(next.bytes, 1);
    const bool is_shown =
        next.bytes > 0 && (!is_hidden(next.character) || text.front() == '\n' || text.front() == '\t');
    const auto escape = is_shown ? escape_of(text.front()) : kReplacement;
    text_ += escape.empty() ? text.substr(0, size) : escape;
    text.remove_prefix(size);
  }
  return *this;
}

}  // namespace toolhost::portal
