#pragma once
#include <toolhost/plugin/error.hpp>

#include <charconv>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

/// Reading and writing JSON text, as far as the typed tools need it.
namespace toolhost::detail {

inline void append_json_string(std::string& out, std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  out.push_back('"');
  std::size_t plain = 0;  // start of the run not yet copied
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte >= 0x20 && byte != '"' && byte != '\\') continue;
    out.append(text, plain, i - plain);
    plain = i + 1;
    switch (byte) {
      case '"':
      case '\\':
        out.push_back('\\');
        out.push_back(static_cast<char>(byte));
        break;
      case '\n':
        out.append("\\n");
        break;
      case '\t':
        out.append("\\t");
        break;
      case '\r':
        out.append("\\r");
        break;
      default:
        out.append("\\u00");
        out.push_back(kDigits[byte >> 4]);
        out.push_back(kDigits[byte & 15]);
    }
  }
  out.append(text, plain);
  out.push_back('"');
}

template <class Number>
  requires std::integral<Number> || std::floating_point<Number>
void append_json_number(std::string& out, Number number) {
  if constexpr (std::floating_point<Number>) {
    if (!std::isfinite(number)) throw Error(TH_E_INTERNAL, "a number that is not finite cannot be written as JSON");
  }
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  out.append(digits, end);
}

/// Reads one JSON text that the host has checked: conforming input is decoded in one pass, anything else throws Error
/// and reads no byte outside the text.
class JsonReader {
 public:
  explicit JsonReader(std::string_view text) noexcept : at_(text.data()), end_(text.data() + text.size()) {}

  /// First character of the next value or bracket; 0 at the end.
  char peek() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\t' || *at_ == '\r')) ++at_;
    return at_ == end_ ? '\0' : *at_;
  }

  /// Calls on_member(name) for each member; it must read the value.
  template <class OnMember>
  void object(OnMember&& on_member) {
    expect('{');
    if (skip_if('}')) return;
    std::string name;
    do {
      string(name);
      expect(':');
      on_member(std::string_view(name));
    } while (skip_if(','));
    expect('}');
  }

  /// Calls on_element() for each element; it must read it.
  template <class OnElement>
  void array(OnElement&& on_element) {
    expect('[');
    if (skip_if(']')) return;
    do {
      on_element();
    } while (skip_if(','));
    expect(']');
  }

  void string(std::string& out) {
    out.clear();
    expect('"');
    while (true) {
      const char* run = at_;
      while (at_ != end_ && *at_ != '"' && *at_ != '\\') ++at_;
      out.append(run, at_);
      if (at_ == end_) broken();
      if (*at_++ == '"') return;
      escape(out);
    }
  }

  std::int64_t i64() {
    const std::string_view text = number_text();
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc() && end == text.data() + text.size()) return number;
    // An integer for JSON Schema may be spelt 1.0 or 1e3.
    const double real = to_double(text);
    constexpr double kLimit = 9223372036854775808.0;  // 2^63
    if (error == std::errc::result_out_of_range || real != std::trunc(real) || real < -kLimit || real >= kLimit) {
      throw Error(TH_E_INVALID, "the number " + std::string(text) + " is not a 64-bit integer");
    }
    return static_cast<std::int64_t>(real);
  }

  double f64() { return to_double(number_text()); }

  bool boolean() {
    if (peek() == 't') {
      word("true");
      return true;
    }
    word("false");
    return false;
  }

  /// Reads null when it comes next.
  bool null() {
    if (peek() != 'n') return false;
    word("null");
    return true;
  }

  /// Reads any value and returns its text.
  std::string_view raw() {
    const char first = peek();
    const char* start = at_;
    if (first == '{' || first == '[') {
      std::size_t depth = 0;
      do {
        if (at_ == end_) broken();
        const char c = *at_;
        if (c == '"') {
          skip_string();
          continue;
        }
        if (c == '{' || c == '[') ++depth;
        if (c == '}' || c == ']') --depth;
        ++at_;
      } while (depth != 0);
    } else if (first == '"') {
      skip_string();
    } else if (first == 't' || first == 'f') {
      boolean();
    } else if (!null()) {
      number_text();
    }
    return {start, static_cast<std::size_t>(at_ - start)};
  }

  /// Nothing but white space is left.
  bool at_end() { return peek() == '\0' && at_ == end_; }

 private:
  [[noreturn]] static void broken() { throw Error(TH_E_INTERNAL, "the host handed over malformed JSON"); }

  void expect(char wanted) {
    if (peek() != wanted || at_ == end_) broken();
    ++at_;
  }
  bool skip_if(char wanted) {
    if (peek() != wanted || at_ == end_) return false;
    ++at_;
    return true;
  }
  void word(std::string_view wanted) {
    if (static_cast<std::size_t>(end_ - at_) < wanted.size() || std::string_view(at_, wanted.size()) != wanted)
      broken();
    at_ += wanted.size();
  }
  void skip_string() {
    expect('"');
    for (; at_ != end_; ++at_) {
      if (*at_ == '"') {
        ++at_;
        return;
      }
      if (*at_ == '\\' && ++at_ == end_) break;
    }
    broken();
  }
  std::string_view number_text() {
    peek();
    const char* start = at_;
    while (at_ != end_ &&
           ((*at_ >= '0' && *at_ <= '9') || *at_ == '-' || *at_ == '+' || *at_ == '.' || *at_ == 'e' || *at_ == 'E')) {
      ++at_;
    }
    if (at_ == start) broken();
    return {start, static_cast<std::size_t>(at_ - start)};
  }
  static double to_double(std::string_view text) {
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (end != text.data() + text.size() || error == std::errc::invalid_argument) broken();
    if (error != std::errc()) throw Error(TH_E_INVALID, "the number " + std::string(text) + " is out of range");
    return number;
  }
  unsigned hex4() {
    unsigned code = 0;
    if (end_ - at_ < 4) broken();
    const auto [end, error] = std::from_chars(at_, at_ + 4, code, 16);
    if (error != std::errc() || end != at_ + 4) broken();
    at_ += 4;
    return code;
  }
  void escape(std::string& out) {
    if (at_ == end_) broken();
    switch (*at_++) {
      case '"':
        return out.push_back('"');
      case '\\':
        return out.push_back('\\');
      case '/':
        return out.push_back('/');
      case 'b':
        return out.push_back('\b');
      case 'f':
        return out.push_back('\f');
      case 'n':
        return out.push_back('\n');
      case 'r':
        return out.push_back('\r');
      case 't':
        return out.push_back('\t');
      case 'u':
        return append_utf8(out, code_point());
      default:
        broken();
    }
  }
  unsigned code_point() {
    const unsigned high = hex4();
    if (high < 0xD800 || high > 0xDFFF) return high;
    if (high > 0xDBFF || end_ - at_ < 2 || at_[0] != '\\' || at_[1] != 'u') broken();
    at_ += 2;
    const unsigned low = hex4();
    if (low < 0xDC00 || low > 0xDFFF) broken();
    return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
  }
  static void append_utf8(std::string& out, unsigned code) {
    const auto push = [&out](unsigned byte) { out.push_back(static_cast<char>(byte)); };
    if (code < 0x80) return push(code);
    if (code < 0x800) {
      push(0xC0 | (code >> 6));
    } else {
      if (code < 0x10000) {
        push(0xE0 | (code >> 12));
      } else {
        push(0xF0 | (code >> 18));
        push(0x80 | ((code >> 12) & 0x3F));
      }
      push(0x80 | ((code >> 6) & 0x3F));
    }
    push(0x80 | (code & 0x3F));
  }

  const char* at_;
  const char* end_;
};

}  // namespace toolhost::detail
