#pragma once
#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include <cstddef>
#include <string>
#include <string_view>

/// One character of UTF-8 at a time.
namespace search {

/// The code point at `at`, which moves behind it; U+FFFD for bytes that are not UTF-8. `at` must lie inside the text.
inline char32_t take_character(std::string_view text, std::size_t& at) {
  UChar32 c = 0;
  U8_NEXT_OR_FFFD(text.data(), at, text.size(), c);
  return static_cast<char32_t>(c);
}

inline void append_character(std::string& out, char32_t character) {
  char bytes[U8_MAX_LENGTH];
  std::size_t length = 0;
  U8_APPEND_UNSAFE(bytes, length, character);
  out.append(bytes, length);
}

inline bool is_space(char32_t c) {
  return c < 0x80 ? c == ' ' || (c >= '\t' && c <= '\r') : u_isUWhiteSpace(static_cast<UChar32>(c)) != 0;
}

}  // namespace search
