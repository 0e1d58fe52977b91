#include "portal/chart.hpp"

#include <algorithm>
#include <map>
#include <tuple>

#include "portal/times.hpp"

namespace toolhost::portal {
namespace {

// Heights are pixels; across, everything is a share of the width, so that words keep their size on a narrow screen.
constexpr int kHeight = 220, kTop = 10, kBottom = 26;
constexpr int kPlotHeight = kHeight - kTop - kBottom;
constexpr int kLines = 4;

/// `part` of `whole` as "12.5%".
std::string percent(std::int64_t part, std::int64_t whole) {
  const std::int64_t tenths = part * 1000 / whole;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + "%";
}

struct Column {
  std::string x, width;
};
void rectangle(Html& out, Markup kind, const Column& column, std::int64_t y, std::int64_t height) {
  out << R"(<rect class=")"_html << kind << R"(" x=")"_html << column.x << R"(" width=")"_html << column.width
      << R"(" y=")"_html << y << R"(" height=")"_html << height << R"(" rx="2"/>)"_html;
}

void grid(Html& out, std::int64_t top) {
  for (int line = 0; line <= kLines; ++line) {
    const int y = kTop + kPlotHeight - kPlotHeight * line / kLines;
    out << R"(<line class="grid-line" x2="100%" y1=")"_html << y << R"(" y2=")"_html << y
        << R"("/><text text-anchor="end" x="-10" y=")"_html << y + 4 << R"(">)"_html << grouped(top * line / kLines)
        << "</text>"_html;
  }
}

std::int64_t height_of(std::int64_t count, std::int64_t top) {
  return count == 0 ? 0 : std::max<std::int64_t>(2, count * kPlotHeight / top);
}

std::string short_date(std::chrono::sys_days day) {
  const auto text = date_text(day);
  return text.substr(0, text.rfind(' '));
}

}  // namespace

std::vector<DayCount> by_day(const std::vector<storage::DayRow>& rows, std::chrono::sys_days today, int days) {
  std::vector<DayCount> out;
  for (int back = days - 1; back >= 0; --back) out.push_back({today - std::chrono::days(back)});
  for (const auto& row : rows) {
    const auto at = (row.day - out.front().day).count();
    if (at < 0 || at >= days) continue;
    out[static_cast<std::size_t>(at)].calls += row.calls;
    out[static_cast<std::size_t>(at)].errors += row.errors;
  }
  return out;
}

std::vector<ToolCount> by_tool(const std::vector<storage::DayRow>& rows) {
  std::map<std::string, ToolCount> tools;
  for (const auto& row : rows) {
    auto& tool = tools[row.tool];
    tool.tool = row.tool;
    tool.calls += row.calls;
    tool.errors += row.errors;
  }
  std::vector<ToolCount> out;
  for (auto& [name, tool] : tools) out.push_back(std::move(tool));
  std::ranges::sort(out, [](const ToolCount& a, const ToolCount& b) {
    return std::tie(b.calls, a.tool) < std::tie(a.calls, b.tool);
  });
  return out;
}

std::int64_t round_top(std::int64_t most) noexcept {
  for (std::int64_t ten = 1;; ten *= 10)
    for (const std::int64_t step : {4, 6, 8, 12, 16, 20, 24, 32})
      if (step * ten >= most && step * ten % kLines == 0) return step * ten;
}

Html day_chart(const std::vector<DayCount>& days, std::string_view label) {
  std::int64_t most = 0;
  for (const auto& day : days) most = std::max(most, day.calls);
  const std::int64_t top = round_top(most), base = kTop + kPlotHeight;
  const auto count = static_cast<std::int64_t>(days.size());
  Html out;
  out << R"(<svg class="chart" role="img" aria-label=")"_html << label << R"(">)"_html;
  grid(out, top);
  for (std::int64_t at = 0; at < count; ++at) {
    const auto& day = days[static_cast<std::size_t>(at)];
    // Six eighths of a day's share are bar, the rest is air.
    const Column column{percent(8 * at + 1, 8 * count), percent(6, 8 * count)};
    out << "<g><title>"_html << date_text(day.day) << ": "_html << counted(day.calls, "call", "calls");
    if (day.errors > 0) out << ", "_html << grouped(day.errors) << " failed"_html;
    out << "</title>"_html;
    const auto all = height_of(day.calls, top), failed = std::min(all, height_of(day.errors, top));
    if (all == 0) rectangle(out, "none"_html, column, base - 2, 2);
    if (all > failed) rectangle(out, "ok"_html, column, base - all, all - failed);
    if (failed > 0) rectangle(out, "failed"_html, column, base - failed, failed);
    if ((count - 1 - at) % 7 == 0) {
      out << R"(<text text-anchor="middle" x=")"_html << percent(8 * at + 4, 8 * count) << R"(" y=")"_html
          << kHeight - 6 << R"(">)"_html << short_date(day.day) << "</text>"_html;
    }
    out << "</g>"_html;
  }
  out << "</svg>"_html;
  return out;
}

Html share_bar(std::int64_t part, std::int64_t whole) {
  Html out;
  out << R"(<svg class="share" aria-hidden="true"><rect class="track" width="100%" height="6" rx="3"/>)"_html
      << R"(<rect class="fill" height="6" rx="3" width=")"_html
      << percent(whole <= 0 ? 0 : std::max<std::int64_t>(part > 0 ? whole / 40 : 0, part),
                 std::max<std::int64_t>(whole, 1))
      << R"("/></svg>)"_html;
  return out;
}

}  // namespace toolhost::portal
