#include "foreign_moment.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>

#include "text.hpp"

namespace helpdesk {
namespace {

std::string two_digits(std::int64_t number) {
  return (number < 10 ? "0" : "") + std::to_string(number);
}

/// "1632993600" and "1632993600123" in ISO 8601.
std::optional<std::string> read_epoch(std::string_view input) {
  const bool has_digits_only = input.find_first_not_of("0123456789") == std::string_view::npos;
  if (!has_digits_only || (input.size() != 10 && input.size() != 13)) return std::nullopt;
  std::int64_t seconds = 0;
  std::from_chars(input.data(), input.data() + 10, seconds);
  const std::chrono::sys_seconds moment{std::chrono::seconds{seconds}};
  const auto day = std::chrono::floor<std::chrono::days>(moment);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss time{moment - day};
  std::string text = std::to_string(static_cast<int>(date.year())) + '-' +
                     two_digits(static_cast<unsigned>(date.month())) + '-' +
                     two_digits(static_cast<unsigned>(date.day())) + 'T' + two_digits(time.hours().count()) + ':' +
                     two_digits(time.minutes().count()) + ':' + two_digits(time.seconds().count());
  if (input.size() == 13) text.append(".").append(input.substr(10));
  return text + 'Z';
}

/// 1 to 12 for "Sep" and "September".
std::optional<unsigned> month_named(std::string_view name) {
  static constexpr std::array<std::string_view, 12> kMonths = {"jan", "feb", "mar", "apr", "may", "jun",
                                                               "jul", "aug", "sep", "oct", "nov", "dec"};
  if (name.size() < 3) return std::nullopt;
  const auto* found = std::find(kMonths.begin(), kMonths.end(), fold_case(name.substr(0, 3)));
  if (found == kMonths.end()) return std::nullopt;
  return static_cast<unsigned>(found - kMonths.begin()) + 1;
}

std::optional<unsigned> read_number(std::string_view text) {
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || text.size() > 4 || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// What stands before the first of `separators`, which are taken too.
std::string_view take_field(std::string_view& rest, std::string_view separators) {
  const std::size_t end = std::min(rest.find_first_of(separators), rest.size());
  const std::string_view field = rest.substr(0, end);
  rest.remove_prefix(end);
  rest.remove_prefix(std::min(rest.find_first_not_of(separators), rest.size()));
  return field;
}

/// "5:20 PM" as "T17:20", "17:20:00 GMT" as "T17:20:00Z"; empty for none.
std::optional<std::string> iso_time_of(std::string_view text) {
  text = trim(text);
  if (text.starts_with('T') || text.starts_with(',')) text = trim(text.substr(1));
  if (text.empty()) return "";
  const std::size_t colon = std::min(text.find(':'), text.size());
  const auto hour = read_number(text.substr(0, colon));
  if (!hour || colon == text.size()) return std::nullopt;
  unsigned hours = *hour;
  std::string rest(text.substr(colon));
  const std::string folded = fold_case(rest);
  if (folded.ends_with("am") || folded.ends_with("pm")) {
    if (hours == 0 || hours > 12) return std::nullopt;
    hours = hours % 12 + (folded.ends_with("pm") ? 12 : 0);
    rest = trim(std::string_view(rest).substr(0, rest.size() - 2));
  }
  if (const std::size_t space = rest.find(' '); space != std::string::npos) {
    const std::string zone(trim(std::string_view(rest).substr(space)));
    rest = rest.substr(0, space) + (zone == "GMT" || zone == "UTC" ? "Z" : zone);
  }
  return 'T' + two_digits(hours) + rest;
}

/// What is plainly a date in another writing, in that of ISO 8601.
std::optional<std::string> iso_of(std::string_view input) {
  if (const std::size_t comma = input.find(','); comma == 3) input = trim(input.substr(4));  // "Thu, 30 Sep 2021"
  const bool has_dots = input.find('.') < input.find_first_of("/- ");
  const std::string_view separators = has_dots ? "." : "/-, ";
  std::string_view rest = input;
  std::string_view first = take_field(rest, separators), second = take_field(rest, separators);
  const std::string_view third = rest.substr(0, std::min(rest.find_first_not_of("0123456789"), rest.size()));
  rest.remove_prefix(third.size());
  if (month_named(first)) std::swap(first, second);  // Sep 30, 2021

  const auto a = read_number(first), b = read_number(second), c = read_number(third);
  const auto named = month_named(second);
  if (!a || !c || (!b && !named)) return std::nullopt;
  unsigned year = *c, month = named.value_or(b.value_or(0)), day = *a;
  if (first.size() == 4) {  // 2021/09/30
    std::swap(year, day);
  } else if (!named && !has_dots) {  // 09/10/2021
    return std::nullopt;
  }
  if (year < 100) year += year < 70 ? 2000 : 1900;
  const auto time = iso_time_of(rest);
  if (!time) return std::nullopt;
  return std::to_string(year) + '-' + two_digits(month) + '-' + two_digits(day) + *time;
}

}  // namespace

std::optional<std::string> read_foreign_moment(std::string_view input, std::string_view time_zone, DayEdge edge) {
  constexpr unsigned kFirstYear = 1970;
  constexpr std::size_t kMicroseconds = 6;
  input = trim(input);
  if (auto moment = read_epoch(input)) return moment;
  if (auto moment = read_moment(input, time_zone, edge, kFirstYear, kMicroseconds)) return moment;
  const auto iso = iso_of(input);
  return iso ? read_moment(*iso, time_zone, edge, kFirstYear, kMicroseconds) : std::nullopt;
}

}  // namespace helpdesk
