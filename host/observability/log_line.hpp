#pragma once
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "observability/events.hpp"

namespace toolhost::observability {

using LogTime = std::chrono::system_clock::time_point;

/// What is shown of one text.
inline constexpr std::size_t kMostTextBytes = 4096;

/// Appends `text` as a JSON string that is safe to show: on top of JSON's own escapes it escapes what moves a terminal
/// or a reader's eye (DEL, C1 controls, line separators, bidirectional controls). Of `text` at
/// most `limit` bytes, then "..." as the mark; escapes make up to six bytes of one.
void append_safe_string(std::string& out, std::string_view text, std::size_t limit = kMostTextBytes);

/// The lines of `text` that fit, as such a string, into `limit` bytes, and how many more there are; `text` itself when
/// all or when not even the first one does.
std::string first_lines(std::string_view text, std::size_t limit);

/// One line of the log or of the journal, appended to a string: `{"time":...,"event":...}` or `TIME level event a=b
/// c="d e"`. No value can end the line or reach the terminal unescaped.
class LogLine {
 public:
  /// `severity` may be null: the line then has no level. `event` is a literal word.
  LogLine(std::string& out, bool is_json, LogTime time, const char* severity, std::string_view event);

  /// `name` is a literal of at most 36 bytes.
  LogLine& field(std::string_view name, std::string_view text);
  LogLine& field(std::string_view name, std::int64_t number);
  /// The sentence of a line: bare in text, the field "message" in JSON.
  LogLine& message(std::string_view text);
  void end();

 private:
  void name(std::string_view name);
  std::string& out_;
  bool is_json_;
};

}  // namespace toolhost::observability
