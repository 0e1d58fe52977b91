#include "app/plugin_test/case_file.hpp"

#include <gtest/gtest.h>

#include "app/plugin_test/golden_file.hpp"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

namespace toolhost::app {
namespace {

namespace fs = std::filesystem;
using Kind = TestStep::Kind;

std::vector<std::string> problems_of(const std::string& yaml) {
  std::vector<std::string> lines;
  for (const auto& problem : parse_test_file(yaml, "cases.yaml").problems) lines.push_back(to_string(problem));
  return lines;
}

TEST(CaseFile, ReadsEverythingThatAFileMaySay) {
  const auto loaded = parse_test_file(R"yaml(
clock: 2026-03-01T09:00:00Z
seed: 7
time_zone: Europe/Berlin
settings: {limit: 5}
plugins:
  - file: ../other.so
    settings: {colour: "1"}
members:
  - {email: ana@acme.com, name: Ana, role: admin}
cases:
  - name: All of it!
    steps:
      - call: create
        as: ana@acme.com
        arguments: {title: Broken, count: 2, quoted: "2"}
        answers: {confirm: {action: accept, content: {ok: true}}}
        capture: {id: /structured/id}
        expect: {structured: {id: /^T-/}}
      - advance: 90m
      - read: notes:/${id}
        tenant: other
      - prompt: summary
        arguments: {ticket: $id}
        expect: {messages: $any}
      - complete: summary
        argument: {name: city, value: Ber}
        context: {country: de}
      - job: index
        plugin: search
        expect: {error: /busy/}
)yaml",
                                      "cases.yaml", "/here");
  ASSERT_TRUE(loaded.problems.empty()) << to_string(loaded.problems.front());
  const auto& file = loaded.file;
  EXPECT_EQ(file.clock, std::chrono::sys_days(std::chrono::year(2026) / 3 / 1) + std::chrono::hours(9));
  EXPECT_EQ(file.seed, 7U);
  EXPECT_EQ(file.settings, R"({"limit":5})");
  EXPECT_EQ(file.plugins.at(0).file, "/here/../other.so");
  EXPECT_EQ(file.plugins.at(0).settings, R"({"colour":"1"})");
  EXPECT_EQ(file.members.at(0).role, Role::kAdmin);
  const auto& steps = file.cases.at(0).steps;
  EXPECT_EQ(file.cases[0].tenant, "all-of-it");
  EXPECT_EQ(steps.at(0).arguments, R"({"title":"Broken","count":2,"quoted":"2"})");
  EXPECT_EQ(steps[0].person, "ana@acme.com");
  EXPECT_FALSE(steps[0].role) << "a member has a role";
  EXPECT_EQ(steps[0].answers.at("confirm"), R"({"action":"accept","content":{"ok":true}})");
  EXPECT_EQ(steps[0].expected->members, R"({"structured":{"id":"/^T-/"}})");
  EXPECT_EQ(steps.at(1).advance, std::chrono::minutes(90));
  EXPECT_EQ(steps.at(1).title(), "advance 90m");
  EXPECT_EQ(TestFile::tenant_of(file.cases[0], steps.at(2)), "all-of-it--other");
  EXPECT_EQ(steps.at(2).role, Role::kAgent);
  EXPECT_FALSE(steps[2].expected);
  EXPECT_EQ(steps.at(4).arguments,
            R"({"argument":{"name":"city","value":"Ber"},"context":{"arguments":{"country":"de"}}})");
  EXPECT_EQ(steps.at(5).plugin, "search");
  EXPECT_EQ(steps[5].expected->error, "/busy/");
}

TEST(CaseFile, CasesHaveTenantsOfTheirOwn) {
  const auto loaded = parse_test_file(
      "cases:\n- {name: A b, steps: [{call: x}]}\n- {name: a-b, steps: [{call: x}]}\n- {name: ÄÖ, steps: []}\n", "c");
  ASSERT_TRUE(loaded.problems.empty());
  EXPECT_EQ(loaded.file.cases.at(0).tenant, "a-b");
  EXPECT_EQ(loaded.file.cases.at(1).tenant, "a-b-2");
  EXPECT_EQ(loaded.file.cases.at(2).tenant, "case");
}

TEST(CaseFile, TellsEveryMistakeWithItsPlace) {
  EXPECT_EQ(problems_of("clock: yesterday\ncasse: []\n"),
            (std::vector<std::string>{
                "cases.yaml:1:1: 'cases' is missing; write 'cases: [{name: ..., steps: [{call: ...}]}]'",
                "cases.yaml:1:8: 'clock' must be a time in UTC such as 2026-03-01T09:00:00Z; got 'yesterday'",
                "cases.yaml:2:1: unknown key 'casse'; did you mean 'cases'?"}));
  const auto in_step = [](const std::string& step) {
    const auto problems = problems_of("cases:\n- name: a\n  steps:\n  - " + step + "\n");
    return problems.size() == 1 ? problems[0] : std::to_string(problems.size()) + " problems";
  };
  EXPECT_EQ(in_step("{as: agent}"),
            "cases.yaml:4:5: a step does one of: call, read, prompt, complete, job, advance; write 'call: "
            "NAME_OF_A_TOOL'");
  EXPECT_EQ(in_step("{call: x, read: y}"),
            "cases.yaml:4:5: a step does one thing, not 'call' and 'read'; make it two steps");
  EXPECT_EQ(in_step("{call: x, as: vewer}"),
            "cases.yaml:4:19: 'vewer' is no role and nobody of 'members'; did you mean 'viewer'?");
  EXPECT_EQ(in_step("{call: x, arguments: {a: [$id]}}"),
            "cases.yaml:4:31: nothing is captured under the name 'id' before this step (write '$=$id' for the text "
            "itself)");
  EXPECT_EQ(in_step("{call: x, expect: {structured: {a: /(/}}}"),
            "cases.yaml:4:40: this is no regular expression: the pattern \"(\" is not supported: missing ): ( (RE2 "
            "syntax: no look-around, no back references)");
  EXPECT_EQ(in_step("{call: x, capture: {any: /a}}").substr(0, 54),
            "cases.yaml:4:25: 'any' is no name for what is captured");
  EXPECT_EQ(
      in_step("{read: x, expect: {structured: {}}}"),
      "cases.yaml:4:24: unknown key 'structured' in cases[].steps[].expect; known here: outcome text contents error");
  EXPECT_EQ(in_step("{advance: 5m, as: agent}"),
            "cases.yaml:4:19: unknown key 'as' in cases[].steps[]; known here: advance");
  EXPECT_EQ(in_step("{job: x, answers: {a: {}}}").substr(0, 40), "cases.yaml:4:14: unknown key 'answers' i");
  EXPECT_EQ(problems_of("time_zone: Berlin\ncases: []\n"),
            (std::vector<std::string>{"cases.yaml:1:12: 'Berlin' is no IANA time zone; did you mean Europe/Berlin?"}));
  EXPECT_EQ(problems_of("cases: [").size(), 1U);
  EXPECT_EQ(problems_of("- a\n").size(), 1U);
}

class GoldenFileTest : public testing::Test {
 protected:
  GoldenFileTest() { fs::create_directories(directory); }
  ~GoldenFileTest() override { fs::remove_all(directory); }

  const fs::path directory = fs::temp_directory_path() / ("toolhost-golden-" + std::to_string(::getpid()));
  const fs::path cases = directory / "cases.yaml";
};

TEST_F(GoldenFileTest, KeepsWhatStepsAskFor) {
  auto golden = GoldenFile::load(cases).value();
  EXPECT_EQ(golden.path(), directory / "cases.golden.json");
  EXPECT_EQ(golden.find("a", "1. call x"), "");
  golden.set("a", "1. call x", R"({"outcome":"ok"})");
  golden.set("a", "2. call y", "7");
  golden.set("gone", "1. call x", "7");
  golden.keep_only({{"a", {"1. call x"}}});
  ASSERT_TRUE(golden.save());
  const auto again = GoldenFile::load(cases).value();
  EXPECT_EQ(again.find("a", "1. call x"), R"({"outcome":"ok"})");
  EXPECT_EQ(again.find("a", "2. call y"), "");
  EXPECT_EQ(again.find("gone", "1. call x"), "");
  auto last = GoldenFile::load(cases).value();
  last.keep_only({});
  ASSERT_TRUE(last.save());
  EXPECT_FALSE(fs::exists(last.path())) << "nothing is left in it";
}

TEST_F(GoldenFileTest, StepsStandInTheirOrder) {
  auto golden = GoldenFile::load(cases).value();
  for (const auto* step : {"10. call x", "2. call y", "1. read a.b"}) golden.set("a", step, "1");
  ASSERT_TRUE(golden.save());
  std::ifstream in(golden.path());
  const std::string text(std::istreambuf_iterator<char>(in), {});
  EXPECT_LT(text.find("1. read"), text.find("2. call"));
  EXPECT_LT(text.find("2. call"), text.find("10. call"));
}

TEST_F(GoldenFileTest, RefusesAFileThatIsNone) {
  for (const auto* text : {"", "[]", R"({"a":1})"}) {
    std::ofstream(directory / "cases.golden.json") << text;
    const auto golden = GoldenFile::load(cases);
    ASSERT_FALSE(golden) << text;
    EXPECT_NE(golden.error().message.find("cases.golden.json"), std::string::npos);
    EXPECT_NE(golden.error().message.find("--update"), std::string::npos);
  }
}

}  // namespace
}  // namespace toolhost::app
