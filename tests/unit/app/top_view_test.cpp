#include "app/top_view.hpp"

#include <gtest/gtest.h>

#include <sstream>

#include "app/commands/console.hpp"

namespace toolhost::app {
namespace {

using observability::RecentCalls;
using std::chrono::microseconds;

Top busy_host() {
  Top top;
  top.status = {.version = "1.2.3",
                .config_file = "/etc/toolhost.yaml",
                .generation = 4,
                .uptime = std::chrono::seconds(7500),
                .keys = 1200,
                .connections = 7,
                .streams = 1,
                .sessions = 3,
                .running_calls = 2,
                .queued_calls = 5};
  top.activity.span = std::chrono::seconds(60);
  top.activity.tenants = {RecentCalls{.name = "acme",
                                      .detail = "",
                                      .calls = 6000,
                                      .errors = 12,
                                      .refusals = 30,
                                      .time = microseconds(12'000'000),
                                      .p95 = microseconds(4'200)},
                          RecentCalls{.name = "beta", .detail = "", .calls = 60}};
  top.activity.tools = {RecentCalls{.name = "create_ticket", .detail = "tickets", .calls = 6000}};
  for (int i = 0; i < 30; ++i)
    top.activity.keys.push_back({.name = "hdsk_abc" + std::to_string(100 + i), .detail = "acme", .calls = 200});
  return top;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

TEST(TopView, ReadsWhatItWrites) {
  auto top = busy_host();
  top.status.readiness = {.reasons = {"no database"}, .warnings = {"one", "two"}};
  const std::string text = to_json(top);
  EXPECT_EQ(text.find('\n'), std::string::npos);
  const auto read = top_from_json(text);
  ASSERT_TRUE(read) << text;
  EXPECT_EQ(to_json(*read), text);
  EXPECT_EQ(read->activity.tenants[0].p95, microseconds(4'200));
}

TEST(TopView, RefusesWhatIsNoAnswerOfAHost) {
  for (const char* text : {"", "[]", "{}", R"({"status":{}})", R"({"status":{},"tenants":{}})"})
    EXPECT_FALSE(top_from_json(text).has_value()) << text;
}

TEST(TopView, ShowsTablesForPeople) {
  const auto text = to_text(busy_host(), TopBy::kAll, 0, 0);
  EXPECT_NE(text.find("toolhost 1.2.3   up 2 h 5 min   generation 4 of /etc/toolhost.yaml\n"), text.npos) << text;
  EXPECT_NE(text.find("1,200 keys   7 connections   1 stream   3 sessions   2 running, 5 queued\n"), text.npos) << text;
  EXPECT_NE(text.find("TENANT  CALLS/S  CALLS  ERRORS  REFUSED    MEAN     P95\n"
                      "acme      100.0  6,000      12       30  2.0 ms  4.2 ms\n"
                      "beta        1.0     60       0        0    0 us    0 us\n"),
            text.npos)
      << text;
  EXPECT_NE(text.find("create_ticket  tickets    100.0"), text.npos) << text;
  EXPECT_NE(text.find("(and 20 more)"), text.npos) << text;
}

TEST(TopView, ShowsWhatIsWrongFirst) {
  auto top = busy_host();
  top.status.readiness = {.reasons = {"no database"}, .warnings = {"a\x1b[2Jb"}};
  const auto lines = lines_of(to_text(top, TopBy::kTenants, 0, 0));
  EXPECT_EQ(lines[2], "NOT READY: no database");
  EXPECT_EQ(lines[3], "warning: a\\x1b[2Jb");
}

TEST(TopView, FitsTheTerminal) {
  for (const std::size_t height : {1U, 5U, 12U, 24U, 60U}) {
    for (const auto by : {TopBy::kAll, TopBy::kTenants, TopBy::kTools, TopBy::kKeys}) {
      const auto lines = lines_of(to_text(busy_host(), by, height, 40));
      EXPECT_LE(lines.size(), height);
      for (const auto& line : lines) EXPECT_LE(character_count(line), 40U) << line;
    }
  }
}

}  // namespace
}  // namespace toolhost::app
