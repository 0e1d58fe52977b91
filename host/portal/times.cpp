#include "portal/times.hpp"

#include <charconv>
#include <cstdlib>

#include "base/utc_text.hpp"

namespace toolhost::portal {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

std::optional<int> number_at(std::string_view text, std::size_t at, std::size_t digits) {
  if (at + digits > text.size()) return std::nullopt;
  int number = 0;
  const char* end = text.data() + at + digits;
  const auto [stop, error] = std::from_chars(text.data() + at, end, number);
  return error == std::errc() && stop == end && number >= 0 ? std::optional(number) : std::nullopt;
}

std::optional<std::chrono::sys_days> parse_day(std::string_view text) {
  if (text.size() < 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
  const auto year = number_at(text, 0, 4), month = number_at(text, 5, 2), day = number_at(text, 8, 2);
  if (!year || !month || !day) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  return date.ok() ? std::optional(std::chrono::sys_days(date)) : std::nullopt;
}

std::string amount(std::int64_t number, const char* unit) {
  return std::to_string(number) + " " + unit + (number == 1 ? "" : "s");
}

std::string span_text(seconds span) {
  if (span < hours(1)) return amount(std::max<std::int64_t>(1, span / minutes(1)), "minute");
  if (span < days(2)) return amount(span / hours(1), "hour");
  return amount(span / days(1), "day");
}

}  // namespace

std::optional<Moment> parse_moment(std::string_view text) {
  const auto day = parse_day(text);
  if (!day || text.size() < 20 || text[10] != 'T' || !text.ends_with('Z')) return std::nullopt;
  const auto hour = number_at(text, 11, 2), minute = number_at(text, 14, 2), second = number_at(text, 17, 2);
  if (!hour || !minute || !second) return std::nullopt;
  return *day + hours(*hour) + minutes(*minute) + seconds(*second);
}

std::string rfc3339(Moment moment) {
  return utc_text(moment, "%Y-%m-%dT%H:%M:%SZ");
}

std::string date_text(Moment moment) {
  const auto text = utc_text(moment, "%d %b %Y");
  return text.starts_with('0') ? text.substr(1) : text;
}

std::string exact_text(Moment moment) {
  return date_text(moment) + utc_text(moment, ", %H:%M UTC");
}

std::string relative_text(Moment moment, Moment now) {
  const auto since = std::chrono::duration_cast<seconds>(now - moment);
  const auto span = std::chrono::abs(since);
  if (span >= days(30)) return date_text(moment);
  if (since > seconds(-60) && since < seconds(10)) return since < seconds(0) ? "in a moment" : "just now";
  if (since >= seconds(0) && since < seconds(60)) return amount(since.count(), "second") + " ago";
  return since < seconds(0) ? "in " + span_text(span) : span_text(span) + " ago";
}

std::optional<Moment> end_of_day(std::string_view date) {
  const auto day = date.size() == 10 ? parse_day(date) : std::nullopt;
  return day ? std::optional<Moment>(*day + days(1)) : std::nullopt;
}

std::string grouped(std::int64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t at = digits.size(); at > 3 + (number < 0 ? 1U : 0U);) digits.insert(at -= 3, ",");
  return digits;
}

std::string counted(std::int64_t number, std::string_view one, std::string_view many) {
  return grouped(number) + " " + std::string(number == 1 ? one : many);
}

}  // namespace toolhost::portal
