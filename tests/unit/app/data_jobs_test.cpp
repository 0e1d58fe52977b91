#include "app/commands/data_jobs.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <sstream>

#include "base/json.hpp"
#include "base/json_writer.hpp"

namespace toolhost::app {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using namespace std::chrono_literals;

/// Answers jobs with a function, and remembers what they were given.
class ScriptedHost final : public plugin_runtime::PluginHost {
 public:
  using Answer = std::function<Result<std::string>(std::string_view job, const json::Value& arguments)>;
  explicit ScriptedHost(Answer answer) : answer_(std::move(answer)) {}

  Result<std::string> run_job(std::string_view, std::string_view job, CallerPtr, std::string_view arguments) override {
    calls.emplace_back(arguments);
    json::Document document;
    return answer_(job, document.parse(arguments).value());
  }
  plugin_runtime::RegistryPtr registry() const noexcept override { return nullptr; }
  std::vector<plugin_runtime::PluginInfo> plugins() const override { return {}; }
  void run(plugin_runtime::ToolCallPtr) override {}
  std::vector<std::string> plugins_with_job(std::string_view) const override { return {}; }
  std::vector<std::pair<std::string, std::string>> after_writes_jobs() const override { return {}; }
  std::vector<plugin_runtime::PluginLoad> load() const override { return {}; }
  std::vector<plugin_runtime::SettingsProblem> check_settings(std::string_view, std::string_view) const override {
    return {};
  }
  void set_tenant_settings(const TenantSettings&) override {}
  void set_log_level(observability::Severity /*level*/) noexcept override {}
  void stop(std::chrono::milliseconds) override {}

  std::vector<std::string> calls;

 private:
  const Answer answer_;
};

/// A plugin that takes every row once, by its id; the ids "bad" and "poison" it refuses and breaks on.
class Takes {
 public:
  Result<std::string> operator()(std::string_view, const json::Value& arguments) {
    std::int64_t accepted = 0, unchanged = 0;
    std::string refused;
    JsonWriter json(refused);
    json.begin_array();
    const auto id_of = [](const json::Value& row) { return std::string{std::string_view(row["data"]["id"])}; };
    for (const auto& row : json::Array(arguments["rows"]))
      if (id_of(row) == "poison") return Error{Errc::kInternal, "something broke", {}};
    for (const auto& row : json::Array(arguments["rows"])) {
      const std::string id = id_of(row);
      if (id == "bad") {
        json.begin_object().key("row").integer(row["row"]).member("reason", "no title").end_object();
      } else if (seen.insert(id).second) {
        ++accepted;
      } else {
        ++unchanged;
      }
    }
    json.end_array();
    return R"({"accepted":)" + std::to_string(accepted) + R"(,"unchanged":)" + std::to_string(unchanged) +
           R"(,"refused":)" + refused + "}";
  }
  std::set<std::string> seen;
};

struct Imported {
  Result<> result;
  ImportCount count;
  std::vector<std::string> refused;
};

Imported import_text(ScriptedHost& host, const std::string& text, ImportOrder order = {}) {
  const auto rows = RowReader::create(std::make_unique<std::istringstream>(text), RowFormat::kJsonl).value();
  Imported imported{boost::system::in_place_value, {}, {}};
  order.source = "test";
  order.on_refused = [&](const RefusedRow& row) {
    imported.refused.push_back(std::to_string(row.line) + ": " + std::string(row.reason) + " " + std::string(row.data));
  };
  if (!order.go_on) order.go_on = [](const ImportCount&) { return true; };
  imported.result = import_rows({host, "tickets", nullptr}, *rows, order, imported.count);
  return imported;
}

std::string rows(int count, int first = 0) {
  std::string text;
  for (int i = 0; i < count; ++i) text += "{\"id\":\"r" + std::to_string(first + i) + "\"}\n";
  return text;
}

TEST(ImportRows, GoInBatchesOfFiveHundred) {
  ScriptedHost host{Takes()};
  const auto imported = import_text(host, rows(1200));
  ASSERT_TRUE(imported.result) << imported.result.error().message;
  EXPECT_EQ(imported.count.accepted, 1200u);
  EXPECT_THAT(host.calls, SizeIs(3));
}

TEST(ImportRows, GoInBatchesOfFourMebibytes) {
  ScriptedHost host{Takes()};
  std::string text;
  for (int i = 0; i < 8; ++i)
    text += "{\"id\":\"" + std::to_string(i) + "\",\"text\":\"" + std::string(900'000, 'x') + "\"}\n";
  EXPECT_TRUE(import_text(host, text).result);
  ASSERT_THAT(host.calls, SizeIs(2));
  for (const auto& call : host.calls) EXPECT_LT(call.size(), std::size_t{4} << 20);
}

TEST(ImportRows, ThatAreLongerThanABatchGoAlone) {
  ScriptedHost host{Takes()};
  const std::string text(std::size_t{5} << 20, 'x');
  const auto imported = import_text(host, rows(2) + "{\"id\":\"long\",\"text\":\"" + text + "\"}\n" + rows(2, 2));
  EXPECT_EQ(imported.count.accepted, 5u);
  ASSERT_THAT(host.calls, SizeIs(3));
  EXPECT_GT(host.calls[1].size(), text.size());
  EXPECT_THAT(host.calls[2], HasSubstr("\"r2\""));
}

TEST(ImportRows, CarrySourceMapAndDryRun) {
  ScriptedHost host{Takes()};
  ImportOrder order;
  order.map = {{"title", {"Betreff", "Titel"}}};
  order.dry_run = true;
  import_text(host, "{\"id\":\"1\"}\n", order);
  EXPECT_THAT(host.calls, ElementsAre(R"({"source":"test","rows":[{"row":1,"data":{"id":"1"}}],)"
                                      R"("map":{"title":["Betreff","Titel"]},"dry_run":true})"));
}

TEST(ImportRows, OfASecondRunAreUnchanged) {
  Takes takes;
  ScriptedHost host{[&](auto job, const auto& arguments) { return takes(job, arguments); }};
  import_text(host, rows(600));
  const auto again = import_text(host, rows(700));
  EXPECT_EQ(again.count.unchanged, 600u);
  EXPECT_EQ(again.count.accepted, 100u);
}

TEST(ImportRows, OfAnIdThatCameBeforeAreToldFromThoseOfAnEarlierImport) {
  const auto answer = [](const json::Value& arguments, bool dry_run) {
    std::string told;
    const json::Array rows(arguments["rows"]);
    for (const auto& row : rows) {
      const std::string id{std::string_view(row["data"]["id"])};
      const bool is_known = !dry_run || id == "r0";
      told += (told.empty() ? "" : ",") + (R"({"row":)" + std::to_string(std::int64_t(row["row"]))) + R"(,"id":")" +
              id + (is_known ? R"(","known":"imported"})" : "\"}");
    }
    const auto known = dry_run ? std::size_t{rows.size() > 1} : rows.size();
    return R"({"accepted":)" + std::to_string(rows.size() - known) + R"(,"unchanged":)" + std::to_string(known) +
           R"(,"refused":[],"rows":[)" + told + "]}";
  };
  for (const bool dry_run : {false, true}) {
    ScriptedHost host([&](auto, const json::Value& arguments) { return answer(arguments, dry_run); });
    const auto count = import_text(host, rows(500) + rows(1, 7)).count;
    EXPECT_EQ(count.repeated, 1u);
    EXPECT_EQ(count.repeated_line, 501u);
    EXPECT_EQ(count.imported, dry_run ? 1u : 500u);
    EXPECT_EQ(count.unchanged, dry_run ? 2u : 501u);
    EXPECT_EQ(count.rows(), 501u);
  }
}

TEST(ImportRows, ThatAreBadAreReportedInTheOrderOfTheFile) {
  ScriptedHost host{Takes()};
  const auto imported = import_text(host, rows(1) + "{\"id\":\"bad\"}\n{broken\n" + rows(1, 1));
  ASSERT_TRUE(imported.result);
  EXPECT_EQ(imported.count.accepted, 2u);
  EXPECT_EQ(imported.count.refused, 2u);
  EXPECT_THAT(imported.refused, ElementsAre(R"(2: no title {"id":"bad"})", HasSubstr("3: invalid JSON")));
}

TEST(ImportRows, AreNotLostWithOneThatBreaksItsBatch) {
  ScriptedHost host{Takes()};
  const auto imported = import_text(host, rows(300) + "{\"id\":\"poison\"}\n" + rows(300, 300));
  ASSERT_TRUE(imported.result);
  EXPECT_EQ(imported.count.accepted, 600u);
  EXPECT_THAT(imported.refused, ElementsAre(R"(301: something broke {"id":"poison"})"));
}

TEST(ImportRows, EndWhenItIsNotTheRows) {
  ScriptedHost broken([](auto, const auto&) { return Error{Errc::kInternal, "always broken", {}}; });
  const auto imported = import_text(broken, rows(400));
  ASSERT_FALSE(imported.result);
  EXPECT_EQ(imported.result.error().message, "always broken");
  EXPECT_LT(broken.calls.size(), 20u);

  ScriptedHost refuses([](auto, const auto&) { return Error{Errc::kInvalidArgument, "map: no field 'titel'", {}}; });
  const auto mistaken = import_text(refuses, rows(400));
  ASSERT_FALSE(mistaken.result);
  EXPECT_THAT(refuses.calls, SizeIs(1)) << "what is wrong with the order is said once";
  EXPECT_THAT(mistaken.refused, IsEmpty());
}

TEST(ImportRows, WaitForADatabaseThatIsAway) {
  Takes takes;
  int away = 2;
  ScriptedHost host([&](auto job, const auto& arguments) -> Result<std::string> {
    if (away-- > 0) return Error{Errc::kUnavailable, "the database is away", {}};
    return takes(job, arguments);
  });
  EXPECT_EQ(import_text(host, rows(3)).count.accepted, 3u);
}

TEST(ImportRows, EndBehindABatchWhenTheUserSaysSo) {
  ScriptedHost host{Takes()};
  ImportOrder order;
  order.go_on = [](const ImportCount&) { return false; };
  const auto imported = import_text(host, rows(1200), order);
  ASSERT_FALSE(imported.result);
  EXPECT_EQ(imported.result.error().code, Errc::kCancelled);
  EXPECT_EQ(imported.count.accepted, 500u);
}

TEST(ImportRows, MustAllBeAnsweredFor) {
  ScriptedHost host([](auto, const auto&) { return std::string(R"({"accepted":1,"unchanged":0,"refused":[]})"); });
  const auto imported = import_text(host, rows(2));
  ASSERT_FALSE(imported.result);
  EXPECT_THAT(imported.result.error().message, HasSubstr("plugin tickets"));
  EXPECT_THAT(imported.result.error().detail, HasSubstr("1 of 2 rows"));
}

Result<std::vector<std::string>> exported_by(ScriptedHost& host) {
  std::vector<std::string> lines;
  const auto write = [&](std::string_view line) -> Result<> {
    lines.emplace_back(line);
    return {};
  };
  const auto done = export_rows({host, "tickets", nullptr}, write, [](const JobProgress&) { return true; });
  if (!done) return done.error();
  return lines;
}

TEST(ExportRows, FollowTheCursor) {
  std::deque<std::string> pages{R"({"rows":[{"id":"1"},{"id":"2"}],"cursor":"c1","done":2,"total":3})",
                                R"({"rows":[{"id":"3"}],"done":3,"total":3})"};
  ScriptedHost host([&](auto, const auto&) {
    const auto page = pages.front();
    pages.pop_front();
    return page;
  });
  EXPECT_THAT(exported_by(host).value(), ElementsAre(R"({"id":"1"})", R"({"id":"2"})", R"({"id":"3"})"));
  EXPECT_THAT(host.calls, ElementsAre(R"({"limit":200})", R"({"cursor":"c1","limit":200})"));
}

TEST(ExportRows, ComeInSmallerPagesWhenTheyAreLarge) {
  ScriptedHost host([&](auto, const json::Value& arguments) -> Result<std::string> {
    if (std::int64_t(arguments["limit"]) > 60) return Error{Errc::kLimit, "the result is larger than 1 MiB", {}};
    return std::string(R"({"rows":[{"id":"1"}]})");
  });
  EXPECT_THAT(exported_by(host).value(), SizeIs(1));
  EXPECT_EQ(host.calls.back(), R"({"limit":50})");
}

TEST(RunToEnd, RepeatsWhileTheJobWantsMore) {
  int left = 2;
  ScriptedHost host([&](auto, const auto&) {
    return std::string(R"({"done":1,"total":3,"more":)") + (left-- > 0 ? "true}" : "false}");
  });
  std::vector<double> done;
  EXPECT_TRUE(run_to_end({host, "search", nullptr}, "reindex", R"({"restart":true})", [&](const JobProgress& progress) {
    done.push_back(*progress.done / *progress.total);
    return true;
  }));
  EXPECT_THAT(host.calls, ElementsAre(R"({"restart":true})", "{}", "{}"));
  EXPECT_THAT(done, SizeIs(3));
}

TEST(RunToEnd, WaitsWithTheSameArgumentsUntilTheJobIsFree) {
  const Error busy{Errc::kUnavailable, "another process holds the index", {}};
  std::deque<Result<std::string>> answers{busy, busy, std::string(R"({"more":true})"), busy, std::string("{}")};
  ScriptedHost host([&](auto, const auto&) {
    const auto answer = answers.front();
    answers.pop_front();
    return answer;
  });
  int waits = 0;
  const auto count_waits = [&](const JobProgress& progress) {
    if (progress.waited.count() > 0) ++waits;
    return true;
  };
  EXPECT_TRUE(run_to_end({host, "search", nullptr}, "reindex", R"({"restart":true})", count_waits, {1ms, 1min}));
  EXPECT_THAT(host.calls, ElementsAre(R"({"restart":true})", R"({"restart":true})", R"({"restart":true})", "{}", "{}"));
  EXPECT_EQ(waits, 3);
}

TEST(RunToEnd, WaitsNoLongerThanItIsToldOrWanted) {
  ScriptedHost host([](auto, const auto&) { return Error{Errc::kUnavailable, "another process holds the index", {}}; });
  const auto wait = [&](const OnProgress& on_progress) {
    return run_to_end({host, "search", nullptr}, "reindex", "{}", on_progress, {1ms, 5ms});
  };
  EXPECT_EQ(wait([](const JobProgress&) { return true; }).error().message, "another process holds the index");
  host.calls.clear();
  EXPECT_EQ(wait([](const JobProgress&) { return false; }).error().code, Errc::kCancelled);
  EXPECT_THAT(host.calls, SizeIs(1));
}

TEST(RunToEnd, EndsWithWhatTheJobSays) {
  ScriptedHost host([](auto, const auto&) { return Error{Errc::kInternal, "no index", {}}; });
  const auto done = run_to_end({host, "search", nullptr}, "index", "{}", [](const JobProgress&) { return true; });
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().message, "no index");
}

}  // namespace
}  // namespace toolhost::app
