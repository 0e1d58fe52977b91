#pragma once
#include <string_view>

namespace toolhost {

/// Without the spaces and tabs around it (RFC 9110, section 5.6.3).
constexpr std::string_view trimmed(std::string_view text) noexcept {
  const auto from = text.find_first_not_of(" \t");
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(" \t") - from + 1);
}

/// What stands in front of the first separator; both are taken off `text`. All of it when there is none.
constexpr std::string_view take_until(std::string_view& text, char separator) noexcept {
  const auto at = text.find(separator);
  const auto part = text.substr(0, at);
  text = at == std::string_view::npos ? std::string_view() : text.substr(at + 1);
  return part;
}

}  // namespace toolhost
