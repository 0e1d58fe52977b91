#include "app/commands/moment.hpp"

#include <cstdlib>

#include "app/config/yaml_value.hpp"
#include "base/json_schema_text.hpp"
#include "base/utc_text.hpp"

namespace toolhost::app {
namespace {

using namespace std::chrono;

constexpr seconds kLongestSpan = days(36'525);
constexpr int kFirstYear = 1970, kLastYear = 2199;

/// Digits that were found to be there.
int number_at(std::string_view text, std::size_t at, std::size_t count) {
  return std::atoi(std::string(text.substr(at, count)).c_str());
}

sys_seconds day_of(std::string_view date) {
  return sys_days(year(number_at(date, 0, 4)) / number_at(date, 5, 2) / number_at(date, 8, 2));
}

/// "T09:30:00.5+02:00": since the day began in UTC.
seconds time_of(std::string_view time) {
  const seconds local = hours(number_at(time, 1, 2)) + minutes(number_at(time, 4, 2)) + seconds(number_at(time, 7, 2));
  if (time.ends_with('Z') || time.ends_with('z')) return local;
  const auto zone = time.substr(time.size() - 6);
  const seconds offset = hours(number_at(zone, 1, 2)) + minutes(number_at(zone, 4, 2));
  return zone.front() == '-' ? local + offset : local - offset;
}

}  // namespace

std::optional<seconds> parse_span(std::string_view text) {
  if (text == "0") return seconds(0);
  const auto count = parse_with_unit(text, time_units());
  if (!count || *count < 0 || *count % 1000 != 0) return std::nullopt;
  const auto span = duration_cast<seconds>(milliseconds(*count));
  return span <= kLongestSpan ? std::optional(span) : std::nullopt;
}

std::optional<Moment> parse_moment(std::string_view text, Moment now) {
  if (const auto span = parse_span(text)) return floor<seconds>(now) + *span;
  const bool is_date = schema_text::has_format(text, schema_text::Format::kDate);
  if (!is_date && !schema_text::has_format(text, schema_text::Format::kDateTime)) return std::nullopt;
  if (const int year = number_at(text, 0, 4); year < kFirstYear || year > kLastYear) return std::nullopt;
  return is_date ? day_of(text) : day_of(text) + time_of(text.substr(10));
}

std::string rfc3339(Moment moment) {
  return utc_text(moment, "%Y-%m-%dT%H:%M:%SZ");
}

}  // namespace toolhost::app
