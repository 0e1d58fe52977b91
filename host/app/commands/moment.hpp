#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace toolhost::app {

using Moment = std::chrono::system_clock::time_point;

/// "90d", "24h", "30m", "45s", "0": a time of at most 100 years, in whole seconds; nothing when it is none.
std::optional<std::chrono::seconds> parse_span(std::string_view text);

/// A span from `now` on; a date, which is its first moment in UTC; or RFC 3339. In whole seconds, from the year 1970 to
/// 2199; nothing when it is none.
std::optional<Moment> parse_moment(std::string_view text, Moment now);

/// RFC 3339 in UTC, whole seconds: "2027-01-31T00:00:00Z".
std::string rfc3339(Moment moment);

}  // namespace toolhost::app
