#include "facts.hpp"

#include <array>
#include <charconv>
#include <chrono>

#include "text.hpp"

namespace helpdesk {
namespace {

/// Of a text that begins with YYYY-MM-DD.
std::string_view weekday_of(std::string_view date) {
  static constexpr std::array<std::string_view, 7> kNames = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  const auto number = [&](std::size_t at, std::size_t length) {
    unsigned value = 0;
    if (date.size() >= at + length) std::from_chars(date.data() + at, date.data() + at + length, value);
    return value;
  };
  const std::chrono::year_month_day day{std::chrono::year{static_cast<int>(number(0, 4))},
                                        std::chrono::month{number(5, 2)}, std::chrono::day{number(8, 2)}};
  return day.ok() ? kNames[std::chrono::weekday{std::chrono::sys_days{day}}.c_encoding()] : "?";
}

}  // namespace

void add_fact(std::string& out, std::string_view label, const std::optional<std::string>& fact) {
  if (fact) out.append(" · ").append(label).append(" ").append(*fact);
}

void add_quoted(std::string& out, std::string_view label, const std::optional<std::string>& text) {
  if (text) add_fact(out, label, quote_line(*text));
}

std::string joined(const std::vector<std::string>& texts) {
  std::string out;
  for (const std::string& text : texts) out.append(out.empty() ? "" : ", ").append(text);
  return out;
}

void add_warnings(std::string& out, const std::optional<std::vector<std::string>>& warnings) {
  if (!warnings) return;
  for (const std::string& warning : *warnings) out.append("Warning: ").append(warning).append("\n");
}

std::string clock_line(std::string_view server_time, std::string_view time_zone) {
  return std::string("Server time ")
      .append(server_time)
      .append(" (")
      .append(weekday_of(server_time))
      .append(", ")
      .append(time_zone)
      .append(")\n");
}

std::optional<std::vector<std::string>> unless_empty(std::vector<std::string> texts) {
  if (texts.empty()) return std::nullopt;
  return texts;
}

void add_event(std::string& out, const HistoryEvent& event) {
  out.append("- ").append(event.at).append(" · ").append(quote_unless_token(event.actor));
  if (!event.via_key.empty()) out.append(" via ").append(event.via_key);
  out.append(" · ").append(described({event.field, event.from, event.to})).append("\n");
}

}  // namespace helpdesk
