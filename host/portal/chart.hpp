#pragma once
#include <chrono>
#include <string>
#include <vector>

#include "portal/html.hpp"
#include "storage/portal_store.hpp"

namespace toolhost::portal {

struct DayCount {
  std::chrono::sys_days day;
  std::int64_t calls = 0, errors = 0;  ///< errors are among the calls
};
struct ToolCount {
  std::string tool;  ///< empty: unknown to the key
  std::int64_t calls = 0, errors = 0;
};

/// One entry for each of the last `days` days, today's last.
std::vector<DayCount> by_day(const std::vector<storage::DayRow>& rows, std::chrono::sys_days today, int days);
/// Busiest first.
std::vector<ToolCount> by_tool(const std::vector<storage::DayRow>& rows);

/// The smallest of some numbers that four lines divide, and of ten, a hundred... times them, that is not below `most`.
std::int64_t round_top(std::int64_t most) noexcept;

/// Bars for each day as inline SVG: calls, and what of them failed. `label` says in words what is seen.
Html day_chart(const std::vector<DayCount>& days, std::string_view label);
/// A bar for one share of a whole, decoration beside a number.
Html share_bar(std::int64_t part, std::int64_t whole);

}  // namespace toolhost::portal
