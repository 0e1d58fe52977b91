#pragma once
#include <array>
#include <string_view>

namespace toolhost {

struct Utf8Character {
  char32_t character = 0;
  std::size_t bytes = 0;  ///< 0: not UTF-8
};

/// The first character of a text that is not empty (RFC 3629).
constexpr Utf8Character first_character(std::string_view text) noexcept {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return {first, 1};
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return {};
  char32_t character = first & (0x7fU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0U) != 0x80) return {};
    character = character << 6 | (byte(i) & 0x3fU);
  }
  constexpr std::array<char32_t, 5> kSmallest{0, 0, 0x80, 0x800, 0x10000};
  const bool is_surrogate = character >= 0xd800 && character <= 0xdfff;
  if (character < kSmallest[length] || character > 0x10ffff || is_surrogate) return {};
  return {character, length};
}

/// Control characters, marks of direction, separators of lines: what steers a display instead of being seen.
constexpr bool is_hidden(char32_t c) noexcept {
  const bool is_control = c < 0x20 || (c >= 0x7f && c < 0xa0);
  const bool is_direction =
      c == 0x61c || c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
  return is_control || is_direction || c == 0x2028 || c == 0x2029;
}

/// Spaces of every width (Unicode's White_Space), the control characters among them.
constexpr bool is_blank(char32_t c) noexcept {
  return (c >= 0x09 && c <= 0x0d) || c == ' ' || c == 0x85 || c == 0xa0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

/// What has no picture of its own, or an empty one: of Unicode's Default_Ignorable_Code_Point what is not is_hidden(),
/// and the blank of Braille. The joiner U+200D and the selector U+FE0F are among them: they mean something in emoji.
constexpr bool is_invisible(char32_t c) noexcept {
  constexpr std::array<std::array<char32_t, 2>, 17> kRanges{{{0xad, 0xad},
                                                             {0x34f, 0x34f},
                                                             {0x115f, 0x1160},
                                                             {0x17b4, 0x17b5},
                                                             {0x180b, 0x180f},
                                                             {0x200b, 0x200d},
                                                             {0x2060, 0x2065},
                                                             {0x206a, 0x206f},
                                                             {0x2800, 0x2800},
                                                             {0x3164, 0x3164},
                                                             {0xfe00, 0xfe0f},
                                                             {0xfeff, 0xfeff},
                                                             {0xffa0, 0xffa0},
                                                             {0xfff0, 0xfffb},
                                                             {0x1bca0, 0x1bca3},
                                                             {0x1d173, 0x1d17a},
                                                             {0xe0000, 0xe0fff}}};
  for (const auto& [first, last] : kRanges)
    if (c >= first && c <= last) return true;
  return false;
}

}  // namespace toolhost
