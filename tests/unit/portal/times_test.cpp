#include "portal/times.hpp"

#include <gtest/gtest.h>

#include "portal/chart.hpp"

namespace toolhost::portal {
namespace {

using namespace std::chrono_literals;
using std::chrono::days;

const Moment kNow = *parse_moment("2026-03-01T12:00:00Z");

TEST(Times, AreToldAsPeopleDo) {
  EXPECT_EQ(relative_text(kNow, kNow), "just now");
  EXPECT_EQ(relative_text(kNow - 20s, kNow), "20 seconds ago");
  EXPECT_EQ(relative_text(kNow - 61s, kNow), "1 minute ago");
  EXPECT_EQ(relative_text(kNow - 3h, kNow), "3 hours ago");
  EXPECT_EQ(relative_text(kNow - days(2), kNow), "2 days ago");
  EXPECT_EQ(relative_text(kNow - days(29), kNow), "29 days ago");
  EXPECT_EQ(relative_text(kNow - days(40), kNow), "20 Jan 2026");
  EXPECT_EQ(relative_text(kNow + 2h, kNow), "in 2 hours");
  EXPECT_EQ(exact_text(kNow), "1 Mar 2026, 12:00 UTC");
}

TEST(Times, DaysEndInTheNextNight) {
  EXPECT_EQ(rfc3339(*end_of_day("2028-02-29")), "2028-03-01T00:00:00Z");
  for (const auto* text : {"2027-02-29", "2026-13-01", "", "2026-1-1", "2026-01-01T00:00:00Z", "20260101xx"})
    EXPECT_FALSE(end_of_day(text)) << text;
}

TEST(Times, NumbersAreGrouped) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1000), "1,000");
  EXPECT_EQ(grouped(1234567), "1,234,567");
  EXPECT_EQ(counted(1, "call", "calls"), "1 call");
}

TEST(Chart, HasEveryDayAlsoThoseWithoutCalls) {
  const auto today = std::chrono::floor<days>(kNow);
  const std::vector<storage::DayRow> rows{
      {today - days(40), "list_tickets", 5, 0}, {today - days(1), "list_tickets", 7, 1}, {today - days(1), "", 3, 3}};
  const auto count = by_day(rows, today, 30);
  ASSERT_EQ(count.size(), 30U);
  EXPECT_EQ(count[28].calls, 10);
  EXPECT_EQ(count[28].errors, 4);
  EXPECT_EQ(count[29].calls, 0);
  const auto tools = by_tool(rows);
  ASSERT_EQ(tools.size(), 2U);
  EXPECT_EQ(tools[0].tool, "list_tickets");
  EXPECT_EQ(tools[0].calls, 12);
  const auto svg = day_chart(count, "10 calls in the last 30 days").text();
  EXPECT_NE(svg.find(R"(role="img" aria-label="10 calls in the last 30 days")"), std::string::npos);
  EXPECT_NE(svg.find("28 Feb 2026: 10 calls, 4 failed"), std::string::npos);
  EXPECT_EQ(svg.find("style="), std::string::npos);
}

TEST(Chart, TopIsRound) {
  EXPECT_EQ(round_top(0), 4);
  EXPECT_EQ(round_top(5), 8);
  EXPECT_EQ(round_top(9), 12);
  EXPECT_EQ(round_top(33), 40);
  EXPECT_EQ(round_top(41), 60);
  EXPECT_EQ(round_top(12345), 16000);
}

}  // namespace
}  // namespace toolhost::portal
