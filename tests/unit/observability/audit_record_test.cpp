#include "observability/audit_record.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/json.hpp"

namespace toolhost::observability {
namespace {

using namespace std::chrono_literals;

const AuditRecord::Time kTime =
    std::chrono::sys_days(std::chrono::year{2026} / 1 / 31) + 9h + 30min + std::chrono::microseconds(7'000'123);

std::string_view text_of(const json::Value& record, std::string_view name) {
  auto found = json::find(record, name).get_string();
  return found.error() ? std::string_view("(none)") : found.value();
}

TEST(AuditRecord, IsOneLineOfJsonThatBeginsWithItsTime) {
  std::string out;
  AuditRecord(out, "tool_called", kTime)
      .field("tool", "evil\n{\"tool\":\"x\"}\x1b[2J")
      .field("reason", "")
      .field("duration_us", 1500)
      .json("arguments", "{\n \"a\": 1,\r\n \"b\": \"x\\ny\"}")
      .end();
  EXPECT_TRUE(out.starts_with(R"({"at":"2026-01-31T09:30:07.000123Z","kind":"tool_called","tool":)")) << out;
  EXPECT_EQ(out.find_first_of("\n\r"), std::string::npos);
  json::Document document;
  const auto record = document.parse(out);
  ASSERT_TRUE(record) << out;
  EXPECT_EQ(text_of(*record, "tool"), "evil\n{\"tool\":\"x\"}\x1b[2J");
  EXPECT_EQ(text_of(*record, "reason"), "(none)") << "empty ones are left out";
  EXPECT_EQ(text_of(json::find(*record, "arguments").value(), "b"), "x\ny");
  EXPECT_EQ(time_of_record(out), kTime);
}

TEST(AuditRecord, HoldsNothingThatJsonbRefuses) {
  std::string out;
  AuditRecord(out, "tool_called", kTime)
      .field("tool", std::string_view("a\0b", 3))
      .json("arguments", R"({"nul":"\u0000","kept":"\\u0000","both":"\\\u0000"})")
      .end();
  EXPECT_NE(out.find(R"("tool":"a\ufffdb")"), std::string::npos) << out;
  EXPECT_NE(out.find(R"({"nul":"\ufffd","kept":"\\u0000","both":"\\\ufffd"})"), std::string::npos) << out;
}

TEST(AuditRecord, LeavesOutWhatIsTooLongAndSaysSo) {
  std::string out = "before";
  const std::string arguments = R"({"text":")" + std::string(kMaxAuditRecordBytes, 'x') + R"("})";
  AuditRecord(out, "tool_called", kTime).field("tool", std::string(100'000, '\x01')).json("arguments", arguments).end();
  EXPECT_LE(out.size(), kMaxAuditRecordBytes);
  EXPECT_NE(out.find(R"("arguments":{"omitted_bytes":65547}})"), std::string::npos) << out.substr(out.size() - 100);
}

TEST(AuditRecord, IsNeverLongerThanItMayBeWhateverItsTextsAre) {
  for (const std::string& unit : {std::string("\x01"), std::string("\0", 1), std::string("\xff"), std::string("\\"),
                                  std::string("\u2028"), std::string("\U0001F600"), std::string("x")}) {
    std::string text;
    while (text.size() < 20'000) text += unit;
    std::string out;
    AuditRecord record(out, "tool_called", kTime);
    for (int member = 0; member < 30; ++member) record.field("member", text).field("number", INT64_MIN);
    record.json("arguments", "{\"a\":1}").end();
    EXPECT_LE(out.size(), kMaxAuditRecordBytes);
    json::Document document;
    EXPECT_TRUE(document.parse(out)) << unit;
  }
}

TEST(AuditRecord, CutsATextBetweenItsCharactersAndEscapes) {
  const auto tool = [](const std::string& text) {
    std::string out;
    AuditRecord(out, "x", kTime).field("tool", text).end();
    json::Document document;
    const auto record = document.parse(out);
    EXPECT_TRUE(record) << out;
    return record ? std::string(text_of(*record, "tool")) : "";
  };
  EXPECT_EQ(tool(std::string(4096, 'x')), std::string(4096, 'x')) << "nothing is cut that fits";
  EXPECT_EQ(tool(std::string(4097, 'x')), std::string(4096, 'x') + "...");
  EXPECT_EQ(tool(std::string(1, 'x') + std::string(3000, '"')), "x" + std::string(2047, '"') + "...");
  EXPECT_EQ(tool(std::string(1000, '\x01')), std::string(682, '\x01') + "...");
  std::string accents = "\"";
  for (int number = 0; number < 2047; ++number) accents += "\u00e9";
  EXPECT_EQ(tool(accents), accents);
  EXPECT_EQ(tool("\"\"" + accents), "\"\"" + accents.substr(0, 1 + 2 * 2045) + "...");
}

TEST(AuditRecord, HoldsManyLinesAndCountsTheOthers) {
  const auto summary_of = [](int lines) {
    std::string text, out;
    for (int line = 1; line <= lines; ++line)
      text += (line > 1 ? "\n" : "") + std::string("tenant \"t") + std::to_string(line) + "\" was added";
    AuditRecord(out, "configuration_reloaded", kTime).lines("summary", text).end();
    EXPECT_LE(out.size(), kMaxAuditRecordBytes);
    json::Document document;
    const auto record = document.parse(out);
    EXPECT_TRUE(record);
    return std::string(text_of(*record, "summary"));
  };
  const std::string whole = summary_of(2'000);
  EXPECT_TRUE(whole.ends_with("\ntenant \"t2000\" was added")) << whole.substr(whole.size() - 60);
  const std::string cut = summary_of(5'000);
  const auto kept = std::ranges::count(cut, '\n');
  EXPECT_GT(kept, 2'000);
  EXPECT_TRUE(cut.ends_with("\n... and " + std::to_string(5'000 - kept) + " more lines"))
      << kept << cut.substr(cut.size() - 60);
}

TEST(AuditRecord, TimesOfForeignTextsAreNone) {
  for (const char* text : {"", "{}", R"({"at":")", R"({"at":"2026-13-31T09:30:07.000123Z"})",
                           R"({"at":"2026-01-31T09:30:07.00012xZ"})", R"({"at":"2026-01-31T09:30:07.000123+"})"})
    EXPECT_EQ(time_of_record(text), std::nullopt) << text;
}

}  // namespace
}  // namespace toolhost::observability
