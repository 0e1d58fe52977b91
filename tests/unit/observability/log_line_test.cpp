#include "observability/log_line.hpp"

#include <gtest/gtest.h>

namespace toolhost::observability {
namespace {

using namespace std::chrono_literals;

const LogTime kTime = LogTime(std::chrono::sys_days(std::chrono::year(2026) / 1 / 2)) + 3h + 4min + 5s + 6ms;

std::string safe(std::string_view text) {
  std::string out;
  append_safe_string(out, text);
  return out;
}

TEST(LogLine, WritesText) {
  std::string out;
  LogLine(out, false, kTime, "info", "tool_called")
      .field("tool", "create_ticket")
      .field("us", 12)
      .message("it \"works\"")
      .end();
  EXPECT_EQ(out, "2026-01-02T03:04:05.006Z info tool_called tool=\"create_ticket\" us=12: it \\\"works\\\"\n");
}

TEST(LogLine, WritesJson) {
  std::string out;
  LogLine(out, true, kTime, nullptr, "key_created").field("name", "a\"b").field("n", -1).message("m").end();
  EXPECT_EQ(out,
            "{\"time\":\"2026-01-02T03:04:05.006Z\",\"event\":\"key_created\",\"name\":\"a\\\"b\",\"n\":-1,\"message\":"
            "\"m\"}\n");
}

TEST(LogLine, LetsNoTextEndALineOrDriveATerminal) {
  const std::string_view hostile = "a\r\n\x1b[2J\x07\x7f\u009b31m\u0085\u2028\u2029\u202e\u2066\u200f\u061c\xff\x80";
  for (const bool is_json : {false, true}) {
    std::string out;
    LogLine(out, is_json, kTime, "info", "x").field("tool", hostile).message(hostile).end();
    EXPECT_EQ(out.find('\n'), out.size() - 1);
    for (const std::string_view forbidden : {"\r", "\x1b", "\x07", "\x7f", "\u009b", "\u0085", "\u2028", "\u2029",
                                             "\u202e", "\u2066", "\u200f", "\u061c"}) {
      EXPECT_EQ(out.find(forbidden), out.npos) << is_json;
    }
    EXPECT_NE(
        out.find(
            "\\r\\n\\u001b[2J\\u0007\\u007f\\u009b31m\\u0085\\u2028\\u2029\\u202e\\u2066\\u200f\\u061c\uFFFD\uFFFD"),
        out.npos)
        << out;
  }
}

TEST(LogLine, KeepsOtherScripts) {
  for (const std::string_view text : {"\u05e9\u05dc\u05d5\u05dd", "\u0645\u0631\u062d\u0628\u0627", "\u4f60\u597d",
                                      "\U0001F600", "\u00a0\u00e9", "\u2013\u2026"}) {
    EXPECT_EQ(safe(text), "\"" + std::string(text) + "\"");
  }
}

TEST(LogLine, CutsLongFieldsBetweenCharacters) {
  EXPECT_EQ(safe(std::string(4096, 'x')).size(), 4096u + 2);
  EXPECT_EQ(safe(std::string(4097, 'x')), "\"" + std::string(4096, 'x') + "...\"");
  EXPECT_EQ(safe(std::string(4095, 'x') + "\u20ac"), "\"" + std::string(4095, 'x') + "...\"");
  std::string marks;
  for (int index = 0; index < 2048; ++index) marks += "\u00e9";
  EXPECT_EQ(safe(marks), "\"" + marks + "\"");
}

TEST(LogLine, KeepsTheFirstLinesAndSaysHowManyMoreThereAre) {
  EXPECT_EQ(first_lines("one\ntwo\nthree", 100), "one\ntwo\nthree");
  const std::string line(50, 'x');
  EXPECT_EQ(first_lines(line + "\n" + line + "\n" + line, 100), line + "\n... and 2 more lines");
  EXPECT_EQ(first_lines(line + "\n" + line + "\n" + line + "\n", 150), line + "\n" + line + "\n... and 1 more line");
  EXPECT_EQ(first_lines(std::string(200, 'x') + "\ny", 100), std::string(200, 'x') + "\ny") << "for its reader to cut";
  EXPECT_EQ(first_lines("", 100), "");
}

}  // namespace
}  // namespace toolhost::observability
