#include "storage/clean_text.hpp"

#include <algorithm>
#include <utility>

#include "base/utf8.hpp"
#include "storage/portal_store.hpp"

namespace toolhost::storage {
namespace {

constexpr std::size_t kLongestName = 60;
constexpr char32_t kJoiner = 0x200d, kPicture = 0xfe0f;  // of emoji: "as one", "in colours"

/// Near enough: pictures, and what changes the one in front of them.
constexpr bool is_emoji(char32_t c) noexcept {
  return c == kPicture || (c >= 0x2190 && c <= 0x2bff && !is_invisible(c)) || (c >= 0x1f000 && c <= 0x1faff);
}

std::string_view trimmed(std::string_view text) noexcept {
  const auto is_nothing = [](char32_t c) { return is_blank(c) || is_invisible(c); };
  while (!text.empty()) {
    const auto first = first_character(text);
    if (first.bytes == 0 || !is_nothing(first.character)) break;
    text.remove_prefix(first.bytes);
  }
  while (!text.empty()) {
    std::size_t at = text.size() - 1;
    while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xc0U) == 0x80) --at;
    const auto last = first_character(text.substr(at));
    if (at + last.bytes != text.size() || !is_nothing(last.character)) break;
    text.remove_suffix(last.bytes);
  }
  return text;
}

/// Nothing at the end of a text.
constexpr char32_t next_of(std::string_view text) noexcept {
  return text.empty() ? 0 : first_character(text).character;
}

Error wrong_name(std::string message) {
  return {Errc::kInvalidArgument, std::move(message), {}};
}

}  // namespace

std::string clean_text(std::string_view text, std::size_t most_characters) {
  std::string out;
  for (std::size_t count = 0; !text.empty() && count < most_characters;) {
    const auto next = first_character(text);
    if (next.bytes == 0) {
      out += "\xef\xbf\xbd";
    } else if (!is_hidden(next.character)) {
      out += text.substr(0, next.bytes);
    }
    count += next.bytes == 0 || !is_hidden(next.character) ? 1 : 0;
    text.remove_prefix(std::max<std::size_t>(next.bytes, 1));
  }
  return out;
}

std::string seen_text(std::string_view text) {
  std::string out;
  bool is_apart = false;  // blanks were left out
  for (char32_t before = 0; !text.empty();) {
    const auto next = first_character(text);
    const std::size_t bytes = std::max<std::size_t>(next.bytes, 1);
    const auto bytes_of_it = text.substr(0, bytes);
    text.remove_prefix(bytes);
    if (next.bytes != 0 && is_blank(next.character)) {
      is_apart = !out.empty();
      continue;
    }
    const bool is_joined = next.character == kJoiner && is_emoji(before) && is_emoji(next_of(text));
    const bool is_picture = next.character == kPicture && !out.empty();
    const bool is_seen = next.bytes == 0 || is_joined || (is_picture && !is_apart) || !is_invisible(next.character);
    if (!is_seen) continue;
    if (std::exchange(is_apart, false)) out += ' ';
    out += bytes_of_it;
    before = next.character;
  }
  return out;
}

std::size_t count_characters(std::string_view text) noexcept {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80; }));
}

Result<std::string> clean_key_name(std::string_view name) {
  auto rest = trimmed(name);
  if (rest.empty()) return wrong_name("Give the key a name, such as “Claude Desktop”.");
  while (!rest.empty()) {
    const auto next = first_character(rest);
    if (next.bytes == 0 || is_hidden(next.character))
      return wrong_name("The name holds a character that cannot be shown. Type it anew.");
    rest.remove_prefix(next.bytes);
  }
  auto clean = seen_text(name);
  const auto count = count_characters(clean);
  if (count > kLongestName)
    return wrong_name("The name has " + std::to_string(count) + " characters; at most " + std::to_string(kLongestName) +
                      " fit.");
  return clean;
}

}  // namespace toolhost::storage
