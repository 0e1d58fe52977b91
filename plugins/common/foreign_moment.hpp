#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "text.hpp"

namespace helpdesk {

/// read_moment() for data of other systems, from 1970 on: also "30/Sep/21 17:20", "30 Sep 2021 5:20 PM", "Sep 30,
/// 2021", "30.09.2021", RFC 2822, and seconds or milliseconds since 1970. nullopt where day and month cannot be told
/// apart. Fractions of a second stay as far as PostgreSQL keeps them.
std::optional<std::string> read_foreign_moment(std::string_view input, std::string_view time_zone,
                                               DayEdge edge = DayEdge::kStart);

}  // namespace helpdesk
