#include "app/commands/moment.hpp"

#include <gtest/gtest.h>

namespace toolhost::app {
namespace {

using namespace std::chrono_literals;
using std::chrono::days;

const Moment kNow = std::chrono::sys_days{std::chrono::year{2026} / 11 / 23} + 10h + 30min + 15s + 700ms;

std::string moment(std::string_view text) {
  const auto found = parse_moment(text, kNow);
  return found ? rfc3339(*found) : "none";
}

TEST(Moment, ASpanIsANumberWithAUnit) {
  EXPECT_EQ(parse_span("90d"), days(90));
  EXPECT_EQ(parse_span("24h"), 24h);
  EXPECT_EQ(parse_span("30m"), 30min);
  EXPECT_EQ(parse_span("45s"), 45s);
  EXPECT_EQ(parse_span("0"), 0s);
  for (const char* wrong :
       {"", "90", "d", "-1d", "1.5d", "90 years", "36526d", "99999999999999999999d", "500ms", "1d "})
    EXPECT_EQ(parse_span(wrong), std::nullopt) << wrong;
}

TEST(Moment, ASpanADateAndATimeAreMoments) {
  EXPECT_EQ(moment("90d"), "2027-02-21T10:30:15Z");
  EXPECT_EQ(moment("2027-01-31"), "2027-01-31T00:00:00Z");
  EXPECT_EQ(moment("2028-02-29"), "2028-02-29T00:00:00Z");
  EXPECT_EQ(moment("2027-01-31T09:30:00Z"), "2027-01-31T09:30:00Z");
  EXPECT_EQ(moment("2027-01-31t09:30:00.999z"), "2027-01-31T09:30:00Z");
  EXPECT_EQ(moment("2027-01-01T00:30:00+02:00"), "2026-12-31T22:30:00Z");
  EXPECT_EQ(moment("2026-12-31T23:30:00-05:30"), "2027-01-01T05:00:00Z");
}

TEST(Moment, NothingElseIsAMoment) {
  for (const char* wrong : {"", "tomorrow", "2027-02-29", "2027-13-01", "31.01.2027", "2027-01-31 09:30:00",
                            "9999-12-31", "1969-12-31", "2027-01-31T09:30", "2027-01-31T25:00:00Z", "2027-1-31"})
    EXPECT_EQ(moment(wrong), "none") << wrong;
}

}  // namespace
}  // namespace toolhost::app
