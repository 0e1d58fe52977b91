#include "base/json_writer.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

namespace toolhost {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

/// True when none of eight bytes needs a look: no quote, backslash, control character or byte over 0x7F.
bool is_plain(std::uint64_t eight) noexcept {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  constexpr std::uint64_t kHigh = 0x8080808080808080;
  const auto has_zero = [](std::uint64_t word) { return (word - kOnes) & ~word & kHigh; };
  const std::uint64_t below_space = (eight - kOnes * 0x20) & ~eight & kHigh;
  return ((eight & kHigh) | below_space | has_zero(eight ^ (kOnes * '"')) | has_zero(eight ^ (kOnes * '\\'))) == 0;
}

bool is_plain_at(const char* at) noexcept {
  std::uint64_t eight;
  std::memcpy(&eight, at, sizeof eight);
  return is_plain(eight);
}

const char* skip_plain(const char* at, const char* end) noexcept {
  const char* const begin = at;
  while (end - at >= 8) {
    if (!is_plain_at(at)) break;
    at += 8;
  }
  // The rest with some of what was seen already: one look instead of up to seven.
  if (end - at < 8 && end - begin >= 8 && is_plain_at(end - 8)) return end;
  while (at != end) {
    const auto byte = static_cast<unsigned char>(*at);
    if (byte < 0x20 || byte > 0x7F || byte == '"' || byte == '\\') break;
    ++at;
  }
  return at;
}

struct Sequence {
  int length;  ///< bytes of the sequence, or of the part to replace by one U+FFFD
  bool is_valid;
};

/// The UTF-8 sequence at `at`, whose first byte is over 0x7F (Unicode 15, table 3-7: no overlong forms, no surrogates).
Sequence sequence_at(const char* at, const char* end) noexcept {
  const auto byte = [&](int index) { return static_cast<unsigned char>(at[index]); };
  const unsigned char lead = byte(0);
  unsigned char low = 0x80;
  unsigned char high = 0xBF;
  int length = 0;
  if (lead >= 0xC2 && lead <= 0xDF) {
    length = 2;
  } else if ((lead & 0xF0) == 0xE0) {
    length = 3;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    length = 4;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
  } else {
    return {1, false};
  }
  for (int index = 1; index < length; ++index) {
    if (at + index == end || byte(index) < low || byte(index) > high) return {index, false};
    low = 0x80;
    high = 0xBF;
  }
  return {length, true};
}

void append_escape(std::string& out, unsigned char byte) {
  constexpr char kHex[] = "0123456789abcdef";
  switch (byte) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\b':
      out += "\\b";
      return;
    case '\f':
      out += "\\f";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
  }
}

template <class Number>
void append_number(std::string& out, Number number) {
  char digits[32];
  const auto [end, status] = std::to_chars(digits, digits + sizeof digits, number);
  out.append(digits, end);
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  const char* at = text.data();
  const char* const end = at + text.size();
  const char* run = at;  // from here to `at` nothing needs a change
  if (out.capacity() - out.size() < text.size() + 2)
    out.reserve(std::max(out.size() + text.size() + 2, out.capacity() * 2));
  out += '"';
  while ((at = skip_plain(at, end)) != end) {
    const auto byte = static_cast<unsigned char>(*at);
    if (byte > 0x7F) {
      const Sequence sequence = sequence_at(at, end);
      if (!sequence.is_valid) {
        out.append(run, at);
        out += kReplacement;
        run = at + sequence.length;
      }
      at += sequence.length;
      continue;
    }
    out.append(run, at);
    append_escape(out, byte);
    run = ++at;
  }
  out.append(run, end);
  out += '"';
}

void JsonWriter::separate() {
  if (needs_comma_) out_ += ',';
  needs_comma_ = true;
}

JsonWriter& JsonWriter::begin_object() {
  separate();
  out_ += '{';
  needs_comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::end_object() {
  out_ += '}';
  needs_comma_ = true;
  return *this;
}

JsonWriter& JsonWriter::begin_array() {
  separate();
  out_ += '[';
  needs_comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::end_array() {
  out_ += ']';
  needs_comma_ = true;
  return *this;
}

JsonWriter& JsonWriter::key(std::string_view name) {
  separate();
  append_json_string(out_, name);
  out_ += ':';
  needs_comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::member(std::string_view name, std::span<const std::string> texts) {
  key(name).begin_array();
  for (const auto& text : texts) string(text);
  return end_array();
}

JsonWriter& JsonWriter::string(std::string_view text) {
  separate();
  append_json_string(out_, text);
  return *this;
}

JsonWriter& JsonWriter::integer(std::int64_t number) {
  separate();
  append_number(out_, number);
  return *this;
}

JsonWriter& JsonWriter::unsigned_integer(std::uint64_t number) {
  separate();
  append_number(out_, number);
  return *this;
}

JsonWriter& JsonWriter::number(double number) {
  if (!std::isfinite(number)) return null();
  separate();
  append_number(out_, number);  // the shortest text that reads back as the same number
  return *this;
}

JsonWriter& JsonWriter::boolean(bool flag) {
  separate();
  out_ += flag ? "true" : "false";
  return *this;
}

JsonWriter& JsonWriter::null() {
  separate();
  out_ += "null";
  return *this;
}

JsonWriter& JsonWriter::raw(std::string_view json) {
  separate();
  out_ += json;
  return *this;
}

}  // namespace toolhost
