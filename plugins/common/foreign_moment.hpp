#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace helpdesk {

/// read_moment() for data of other systems, from 1970 on: also "30/Sep/21 17:20", "30 Sep 2021 5:20 PM", "Sep 30,
/// 2021", "30.09.2021", RFC 2822, and seconds or milliseconds since 1970. nullopt where day and month cannot be told
/// apart.
std::optional<std::string> read_foreign_moment(std::string_view input, std::string_view time_zone);

}  // namespace helpdesk
