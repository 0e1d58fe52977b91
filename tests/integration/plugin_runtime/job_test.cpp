#include <gmock/gmock.h>

#include <thread>

#include "host_fixture.hpp"

namespace toolhost::plugin_runtime {
namespace {

using std::chrono::milliseconds;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// jobs.so has a job "tick" on schedule, "digest" after writes, and "import" and "bulky" on request.
class PluginJobs : public PluginHostTest {
 protected:
  static test_support::TempPostgres& postgres() { return test_support::TempPostgres::shared(); }
  storage::DatabaseAddress address() override { return postgres().address(); }

  void SetUp() override {
    postgres().fresh_database();
    acme = postgres().add_tenant("acme");
    globex = postgres().add_tenant("globex");
  }
  static CallerPtr admin_of(TenantId tenant) {
    auto caller = std::make_shared<Caller>(*caller_of(tenant));
    caller->principal = "toolhost";
    caller->role = Role::kAdmin;
    return caller;
  }
  void serve(bool scheduled, unsigned workers = 0) {
    start({test_plugin("jobs"), test_plugin("echo")}, [&](PluginHostConfig& config) {
      config.plugins[0].workers = workers;
      config.plugins[0].settings_json = R"({"source":"everybody's"})";
      config.plugins[0].tenant_settings["tenant-" + std::to_string(value(globex))] = R"({"source":"of globex"})";
      if (scheduled) config.job_callers = [this] { return std::vector{admin_of(acme), admin_of(globex)}; };
    });
    for (const auto& info : host->plugins()) ASSERT_EQ(info.state, "serving") << info.reason;
  }
  void add_item(TenantId tenant, const std::string& text) {
    const auto added = run("add_item", R"({"text":")" + text + "\"}", tenant);
    ASSERT_EQ(added.outcome, Outcome::kOk) << added.detail;
  }
  Result<std::string> run_job(std::string_view job, std::string_view arguments, TenantId tenant) {
    return host->run_job("jobs", job, admin_of(tenant), arguments);
  }
  /// Waits until a statement gives this answer; its last answer, after ten seconds.
  static std::string wait_for(const std::string& sql, const std::string& wanted) {
    std::string found;
    for (int i = 0; i < 1000; ++i) {
      found = postgres().run_sql(sql);
      if (found == wanted) break;
      std::this_thread::sleep_for(milliseconds(10));
    }
    return found;
  }
  static int count(const std::string& from) { return std::stoi(postgres().run_sql("select count(*) from " + from)); }
  [[nodiscard]] std::string of(TenantId tenant) const { return "tenant_id = " + std::to_string(value(tenant)); }

  TenantId acme{}, globex{};
};

TEST_F(PluginJobs, AreNoTools) {
  serve(false);
  EXPECT_THAT(host->plugins()[0].tools, ElementsAre("add_item"));
  EXPECT_EQ(host->registry()->find("import"), nullptr);
  EXPECT_EQ(host->registry()->tools().size(), 2U);
  EXPECT_THAT(host->plugins_with_job("import"), ElementsAre("jobs"));
  EXPECT_THAT(host->plugins_with_job("add_item"), IsEmpty());
  EXPECT_THAT(host->after_writes_jobs(), ElementsAre(testing::Pair("jobs", "digest")));
  EXPECT_THAT(events.wait_for("jobs", "loaded"), HasSubstr("1 tool, 4 jobs"));
}

TEST_F(PluginJobs, RunOnRequestInTheTenantWithItsSettings) {
  serve(false);
  const auto imported = run_job("import", R"({"rows":["a","b"]})", acme);
  ASSERT_TRUE(imported) << imported.error().message;
  EXPECT_EQ(*imported, R"({"accepted":2,"setting":"everybody's"})");
  EXPECT_EQ(*run_job("import", R"({"rows":["c"]})", globex), R"({"accepted":1,"setting":"of globex"})");
  EXPECT_EQ(count("jobs.items where " + of(acme)), 2);
  EXPECT_EQ(count("jobs.items where " + of(globex)), 1);
  const auto bulky = run_job("bulky", "{}", acme);
  ASSERT_TRUE(bulky) << bulky.error().message << bulky.error().detail;
  EXPECT_GT(bulky->size(), 4U << 20) << "more than a tool may give";
}

TEST_F(PluginJobs, SayWhyTheyRefuse) {
  serve(false);
  const auto refused = run_job("import", R"({"rows":["a",""]})", acme);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "a row is empty");
  EXPECT_EQ(count("jobs.items"), 0) << "rolled back";
  const auto invalid = run_job("import", R"({"lines":[]})", acme);
  ASSERT_FALSE(invalid);
  EXPECT_EQ(invalid.error().code, Errc::kInvalidArgument);
  EXPECT_THAT(invalid.error().message, HasSubstr("Invalid arguments for import"));
  EXPECT_THAT(run_job("import", "[]", acme).error().message, HasSubstr("JSON object"));
  const auto no_job = run_job("export", "{}", acme);
  EXPECT_EQ(no_job.error().code, Errc::kNotFound);
  EXPECT_EQ(no_job.error().message, "the plugin jobs has no job export; there is: tick, digest, import, bulky");
  const auto no_plugin = host->run_job("tickets", "import", admin_of(acme), "{}");
  EXPECT_EQ(no_plugin.error().code, Errc::kNotFound);
  EXPECT_EQ(no_plugin.error().message, "no plugin tickets is loaded; there is: jobs, echo");
}

TEST_F(PluginJobs, NeedSettingsThatAreValidForEachTenant) {
  start({test_plugin("jobs")},
        [&](PluginHostConfig& config) { config.plugins[0].tenant_settings["globex"] = R"({"source":7})"; });
  EXPECT_THAT(refusal(), AllOf(HasSubstr("its settings for the tenant globex are not valid:"), HasSubstr("/source")));
}

TEST_F(PluginJobs, RunOnScheduleForEveryTenant) {
  serve(true);
  for (const auto tenant : {acme, globex})
    EXPECT_EQ(wait_for("select count(*) >= 3 from jobs.runs where job = 'tick' and " + of(tenant), "t"), "t");
  EXPECT_EQ(postgres().run_sql("select min(caller) || max(caller) from jobs.runs where job = 'tick'"),
            "toolhost admin ''toolhost admin ''");
  EXPECT_EQ(wait_for("select count(*) > 0 from jobs.runs where job = 'digest' and " + of(globex), "t"), "t")
      << "what a job writes counts as well";
}

TEST_F(PluginJobs, RunSoonAfterWritesUntilNothingIsLeft) {
  serve(true);
  // Behind the schedule of "tick", whose writes count as well.
  for (int i = 0; i < 3; ++i) add_item(acme, "item");
  EXPECT_EQ(wait_for("select count(*) from jobs.items where digested is not null", "3"), "3");
  add_item(globex, "item");
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(wait_for("select count(*) from jobs.items where digested is not null and " + of(globex), "1"), "1");
  EXPECT_LT(std::chrono::steady_clock::now() - began, milliseconds(2'000));
}

TEST_F(PluginJobs, AreFairToTenantsThatHaveLittleToDo) {
  serve(false);
  std::string rows;
  for (int i = 0; i < 1500; ++i) rows += R"(,"item")";
  ASSERT_TRUE(run_job("import", R"({"rows":[)" + rows.substr(1) + "]}", acme));
  host->stop(milliseconds(1'000));
  serve(true, 1);
  add_item(acme, "item");
  EXPECT_EQ(wait_for("select count(*) > 5 from jobs.items where digested is not null and " + of(acme), "t"), "t");
  add_item(globex, "item");
  EXPECT_EQ(wait_for("select count(*) from jobs.items where digested is not null and " + of(globex), "1"), "1");
  EXPECT_GT(count("jobs.items where digested is null and " + of(acme)), 0) << "the other tenant did not wait for all";
}

TEST_F(PluginJobs, ThatFailAreReportedOnceAndTriedAgain) {
  serve(true);
  add_item(acme, "broken");
  EXPECT_THAT(events.wait_for("jobs", "job-failed"),
              AllOf(HasSubstr("job tick for the tenant tenant-" + std::to_string(value(acme))),
                    HasSubstr("an item is broken")));
  std::this_thread::sleep_for(milliseconds(700));
  EXPECT_EQ(events.count("jobs", "job-failed"), 1U);
  postgres().run_sql("delete from jobs.items where text = 'broken'");
  EXPECT_THAT(events.wait_for("jobs", "info"), HasSubstr("it works again"));
  const auto ticks = count("jobs.runs where job = 'tick' and " + of(acme));
  EXPECT_EQ(
      wait_for("select count(*) > " + std::to_string(ticks) + " from jobs.runs where job = 'tick' and " + of(acme),
               "t"),
      "t");
}

TEST_F(PluginJobs, EndWithTheHost) {
  serve(true);
  ASSERT_EQ(wait_for("select count(*) > 0 from jobs.runs", "t"), "t");
  host->stop(milliseconds(1'000));
  const auto ran = count("jobs.runs");
  std::this_thread::sleep_for(milliseconds(200));
  EXPECT_EQ(count("jobs.runs"), ran);
  EXPECT_EQ(run_job("import", R"({"rows":[]})", acme).error().code, Errc::kUnavailable);
}

}  // namespace
}  // namespace toolhost::plugin_runtime
