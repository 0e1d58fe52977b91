#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace toolhost::portal {

using Moment = std::chrono::system_clock::time_point;

/// RFC 3339 in UTC with whole seconds, "2026-01-31T09:30:00Z", as the database's readers write it.
std::optional<Moment> parse_moment(std::string_view text);
std::string rfc3339(Moment moment);
/// "31 Jan 2026"
std::string date_text(Moment moment);
/// "just now", "20 seconds ago", "3 minutes ago", "in 2 hours", "12 days ago"; from 30 days on the date.
std::string relative_text(Moment moment, Moment now);
/// "31 Jan 2026, 09:30 UTC"
std::string exact_text(Moment moment);
/// The end of a day written YYYY-MM-DD, in UTC; nothing for a day that does not exist.
std::optional<Moment> end_of_day(std::string_view date);

/// 12345 as "12,345".
std::string grouped(std::int64_t number);
/// "1 call", "12,345 calls"
std::string counted(std::int64_t number, std::string_view one, std::string_view many);

}  // namespace toolhost::portal
