#include "observability/log_line.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "base/json_writer.hpp"

namespace toolhost::observability {
namespace {

/// At most `limit` bytes of `text`, cut between characters.
std::string_view clip(std::string_view text, std::size_t limit) noexcept {
  if (text.size() <= limit) return text;
  std::size_t length = limit;
  while (length > 0 && limit - length < 4 && (static_cast<unsigned char>(text[length]) & 0xC0) == 0x80) --length;
  return text.substr(0, length);
}

/// For valid UTF-8: the length of the sequence at `at` and its code point when it must not be shown, else 0.
struct Unsafe {
  std::size_t length = 0;
  unsigned code_point = 0;
};
Unsafe unsafe_at(std::string_view text, std::size_t at) noexcept {
  const auto byte = [&](std::size_t offset) {
    return at + offset < text.size() ? static_cast<unsigned char>(text[at + offset]) : 0u;
  };
  if (byte(0) == 0x7F) return {1, 0x7F};
  if (byte(0) == 0xC2 && byte(1) <= 0x9F) return {2, byte(1)};
  if (byte(0) == 0xD8 && byte(1) == 0x9C) return {2, 0x061C};
  if (byte(0) != 0xE2 || (byte(1) != 0x80 && byte(1) != 0x81)) return {};
  const unsigned code_point = 0x2000 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F);
  const bool is_unsafe = code_point == 0x200E || code_point == 0x200F ||
                         (code_point >= 0x2028 && code_point <= 0x202E) ||
                         (code_point >= 0x2066 && code_point <= 0x2069);
  return is_unsafe ? Unsafe{3, code_point} : Unsafe{};
}

/// Without an early exit, so that the compiler can look at many bytes at a time; nearly all text passes here.
bool is_ascii_without_del(std::string_view text) noexcept {
  bool is_other = false;
  for (const char c : text) is_other |= static_cast<unsigned char>(c) >= 0x7F;
  return !is_other;
}

void escape_unsafe_from(std::string& out, std::size_t start) {
  constexpr char kHex[] = "0123456789abcdef";
  const std::string tail(out, start);
  out.resize(start);
  for (std::size_t at = 0; at < tail.size();) {
    const Unsafe unsafe = unsafe_at(tail, at);
    if (unsafe.length == 0) {
      out += tail[at++];
      continue;
    }
    out += "\\u";
    for (int shift = 12; shift >= 0; shift -= 4) out += kHex[unsafe.code_point >> shift & 15];
    at += unsafe.length;
  }
}

/// RFC 3339 in UTC with milliseconds. The part up to the second is kept, since hundreds of lines share it.
void append_time(std::string& out, LogTime time) {
  using namespace std::chrono;
  thread_local sys_seconds kept_second{};
  thread_local std::string kept;
  const auto second = floor<seconds>(time);
  if (second != kept_second || kept.empty()) {
    const auto day = floor<days>(second);
    const year_month_day date(day);
    const hh_mm_ss clock(second - day);
    char text[32];
    std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                  static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                  static_cast<int>(clock.seconds().count()));
    kept = text;
    kept_second = second;
  }
  const auto milliseconds = static_cast<unsigned>(floor<std::chrono::milliseconds>(time - second).count());
  const char tail[] = {static_cast<char>('0' + milliseconds / 100), static_cast<char>('0' + milliseconds / 10 % 10),
                       static_cast<char>('0' + milliseconds % 10), 'Z'};
  out.append(kept).append(tail, sizeof tail);
}

}  // namespace

const char* to_string(Severity severity) noexcept {
  switch (severity) {
    case Severity::kTrace:
      return "trace";
    case Severity::kDebug:
      return "debug";
    case Severity::kInfo:
      return "info";
    case Severity::kWarning:
      return "warning";
    case Severity::kError:
      return "error";
    case Severity::kCritical:
      return "critical";
  }
  return "info";
}

std::optional<Severity> severity_named(std::string_view word) noexcept {
  for (const Severity severity : {Severity::kTrace, Severity::kDebug, Severity::kInfo, Severity::kWarning,
                                  Severity::kError, Severity::kCritical}) {
    if (word == to_string(severity)) return severity;
  }
  return std::nullopt;
}

void append_safe_string(std::string& out, std::string_view text, std::size_t limit) {
  const std::size_t start = out.size();
  const std::string_view shown = clip(text, limit);
  append_json_string(out, shown);
  if (shown.size() < text.size()) out.insert(out.size() - 1, "...");
  if (!is_ascii_without_del(shown)) escape_unsafe_from(out, start);
}

std::string first_lines(std::string_view text, std::size_t limit) {
  constexpr std::size_t kTail = std::string_view("... and 1000000 more lines").size();
  std::size_t kept = 0, bytes = 0;
  std::string line;
  for (std::size_t at = 0; at < text.size() && bytes <= limit;) {
    const std::size_t end = std::min(text.find('\n', at), text.size() - 1) + 1;
    line.clear();
    append_safe_string(line, text.substr(at, end - at), limit);
    bytes += line.size() - 2;
    at = end;
    if (bytes + kTail <= limit) kept = at;
  }
  if (bytes <= limit || kept == 0) return std::string(text);
  const auto left = std::ranges::count(text.substr(kept), '\n') + (text.back() == '\n' ? 0 : 1);
  return std::string(text.substr(0, kept)) + "... and " + std::to_string(left) +
         (left == 1 ? " more line" : " more lines");
}

LogLine::LogLine(std::string& out, bool is_json, LogTime time, const char* severity, std::string_view event)
    : out_(out), is_json_(is_json) {
  if (is_json_) {
    out_ += "{\"time\":\"";
    append_time(out_, time);
    out_ += '"';
    if (severity != nullptr) out_.append(",\"level\":\"").append(severity).append("\"");
    out_.append(",\"event\":\"").append(event).append("\"");
    return;
  }
  append_time(out_, time);
  if (severity != nullptr) out_.append(" ").append(severity);
  out_.append(" ").append(event);
}

void LogLine::name(std::string_view name) {
  // Put together first: one growth of the line costs less than three.
  char text[40];
  const std::string_view before = is_json_ ? ",\"" : " ";
  const std::string_view after = is_json_ ? "\":" : "=";
  char* at = std::copy(before.begin(), before.end(), text);
  at = std::copy_n(name.begin(), std::min(name.size(), sizeof text - 4), at);
  at = std::copy(after.begin(), after.end(), at);
  out_.append(text, at);
}

LogLine& LogLine::field(std::string_view name, std::string_view text) {
  this->name(name);
  append_safe_string(out_, text);
  return *this;
}

LogLine& LogLine::field(std::string_view name, std::int64_t number) {
  this->name(name);
  char digits[24];
  out_.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
  return *this;
}

LogLine& LogLine::message(std::string_view text) {
  if (is_json_) return field("message", text);
  out_ += ": ";
  const std::size_t quote = out_.size();
  append_safe_string(out_, text);
  out_.erase(quote, 1);
  out_.pop_back();
  return *this;
}

void LogLine::end() {
  out_ += is_json_ ? "}\n" : "\n";
}

}  // namespace toolhost::observability
