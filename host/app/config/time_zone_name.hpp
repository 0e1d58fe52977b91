#pragma once
#include <filesystem>
#include <optional>
#include <string>

namespace toolhost::app {

/// Why `name` is no IANA time zone that a tenant may have, with the nearest that is; nothing when it is one. As the
/// database does, an abbreviation such as EST is refused, though there is a zone of that name: it has no summer time.
/// Where `database` does not exist nothing is refused here.
std::optional<std::string> flaw_of_time_zone(const std::string& name,
                                             const std::filesystem::path& database = "/usr/share/zoneinfo");

}  // namespace toolhost::app
