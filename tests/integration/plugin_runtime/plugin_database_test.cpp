#include <gmock/gmock.h>

#include <thread>

#include "base/json_writer.hpp"
#include "host_fixture.hpp"

namespace toolhost::plugin_runtime {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::Not;

/// hostile_sql.so runs whatever SQL it is given, in the role and transaction that every plugin gets.
class PluginDatabase : public PluginHostTest {
 protected:
  static test_support::TempPostgres& postgres() { return test_support::TempPostgres::shared(); }
  storage::DatabaseAddress address() override { return postgres().address(); }

  void SetUp() override {
    postgres().fresh_database();
    acme = postgres().add_tenant("acme");
    globex = postgres().add_tenant("globex");
    start({test_plugin("hostile_sql"), test_plugin("lies_read_only")}, [&](PluginHostConfig& config) { tune(config); });
    for (const auto& info : host->plugins()) ASSERT_EQ(info.state, "serving") << info.reason;
  }
  virtual void tune(PluginHostConfig&) {}

  static std::string statement(std::string_view text, bool last = false) {
    std::string json;
    JsonWriter(json).begin_object().member("statement", text).key("last").boolean(last).end_object();
    return json;
  }
  static std::string statements(const std::vector<std::string>& texts) {
    std::string json;
    JsonWriter writer(json);
    writer.begin_object().key("statements").begin_array();
    for (const auto& text : texts) writer.string(text);
    writer.end_array().end_object();
    return json;
  }
  ToolResult sql(TenantId tenant, std::string_view text, bool last = false) {
    return run("sql", statement(text, last), tenant);
  }
  Running begin_sql(TenantId tenant, std::string_view text, Deadline deadline = Deadline::never(), bool last = false,
                    std::string key = {}) {
    return begin("sql", statement(text, last), tenant, deadline, std::move(key));
  }
  /// Waits until PostgreSQL runs a statement with this text, as it should (`runs`) or not.
  static bool wait_for_statement(const std::string& text, bool runs) {
    for (int i = 0; i < 500; ++i) {
      const auto count = postgres().run_sql(
          "select count(*) from pg_stat_activity where state = 'active' and pid <> pg_backend_pid() and query like '%" +
          text + "%'");
      if ((count != "0") == runs) return true;
      std::this_thread::sleep_for(milliseconds(10));
    }
    return false;
  }

  TenantId acme{}, globex{};
};

TEST_F(PluginDatabase, CommitsOnSuccessAndRollsBackOnFailure) {
  EXPECT_EQ(sql(acme, "insert into notes (id, body) values (1, 'kept')").outcome, Outcome::kOk);
  EXPECT_EQ(sql(acme, "insert into notes (id, body) values (2, 'kept too')", true).outcome, Outcome::kOk);
  const auto failed =
      run("sql_many", statements({"insert into notes (id, body) values (3, 'lost')", "select 1/0"}), acme);
  EXPECT_EQ(failed.outcome, Outcome::kToolError);
  EXPECT_THAT(failed.content_json, HasSubstr("22012"));
  EXPECT_EQ(sql(acme, "select id from notes order by id").structured_json,
            R"({"columns":["id"],"rows":[["1"],["2"]]})");
}

TEST_F(PluginDatabase, KeepsTenantsApart) {
  ASSERT_EQ(sql(acme, "insert into notes (id, body) values (1, 'acme secret')").outcome, Outcome::kOk);
  const std::string other = std::to_string(value(acme));
  for (const std::string& attack : {
           std::string("select * from notes"),
           "select * from notes where tenant_id = " + other,
           "select * from notes where tenant_id = " + other + " or true",
           "with t as (select set_config('app.tenant_id', '" + other + "', true)) select notes.* from notes, t",
           "select set_config('app.tenant_id', '" + other + "', false)",
           "set app.tenant_id = '" + other + "'",
           "set local app.tenant_id = '" + other + "'",
           std::string("set role toolhost_app"),
           std::string("reset role"),
           std::string("set row_security = off"),
           std::string("commit"),
           std::string("begin; select 1"),
           "insert into notes (tenant_id, id, body) values (" + other + ", 9, 'planted')",
           "update notes set tenant_id = " + other,
           "update notes set body = 'defaced' where tenant_id = " + other,
           "delete from notes where tenant_id = " + other,
           std::string("alter table notes disable row level security"),
           std::string("drop table notes"),
           std::string("copy notes to stdout"),
           std::string("truncate notes"),
           std::string("select * from toolhost.api_keys"),
           std::string("select * from lies_read_only.counters"),
           std::string("do $$ begin perform 1; end $$"),
       }) {
    const auto result = sql(globex, attack);
    EXPECT_THAT(result.content_json, Not(HasSubstr("acme secret"))) << attack;
  }
  // Two statements in one transaction: the first must not change what the second sees.
  const auto result =
      run("sql_many", statements({"select set_config('app.tenant_id', '" + other + "', true)", "select * from notes"}),
          globex);
  EXPECT_THAT(result.content_json, Not(HasSubstr("acme secret")));
  EXPECT_EQ(sql(acme, "select id, body from notes").structured_json,
            R"({"columns":["id","body"],"rows":[["1","acme secret"]]})");
  EXPECT_EQ(sql(globex, "select * from notes").structured_json,
            R"({"columns":["tenant_id","id","body","written_at"],"rows":[]})");
}

TEST_F(PluginDatabase, HoldsAReadOnlyToolToItsWord) {
  const auto result = run("count_calls", "{}", acme);
  EXPECT_EQ(result.outcome, Outcome::kToolError);
  EXPECT_THAT(result.content_json, HasSubstr("This is not allowed."));
  EXPECT_EQ(postgres().run_sql("select count(*) from lies_read_only.counters"), "0");
}

TEST_F(PluginDatabase, LetsACallerWhoMayOnlyReadWriteNothing) {
  ASSERT_EQ(sql(acme, "insert into notes (id, body) values (1, 'kept')").outcome, Outcome::kOk);
  callers_only_read = true;
  for (const bool last : {false, true}) {
    const auto refused = sql(acme, "update notes set body = 'changed'", last);
    EXPECT_EQ(refused.outcome, Outcome::kToolError);
    EXPECT_THAT(refused.content_json, HasSubstr("25006"));
  }
  EXPECT_THAT(sql(acme, "select body from notes").structured_json, HasSubstr("kept"));
  EXPECT_THAT(sql(acme, "select body from notes", true).structured_json, HasSubstr("kept"));
  callers_only_read = false;
  EXPECT_EQ(sql(acme, "update notes set body = 'changed'").outcome, Outcome::kOk);
}

TEST_F(PluginDatabase, StopsAStatementWhenItsCallIsCancelled) {
  auto running = begin_sql(acme, "select pg_sleep(60), 'cancel me'");
  ASSERT_TRUE(wait_for_statement("cancel me", true));
  const auto began = std::chrono::steady_clock::now();
  running.call->cancel();
  EXPECT_EQ(running.result.get().outcome, Outcome::kCancelled);
  EXPECT_LT(std::chrono::steady_clock::now() - began, milliseconds(5'000));
  EXPECT_TRUE(wait_for_statement("cancel me", false)) << "PostgreSQL still runs it";
  EXPECT_EQ(sql(acme, "select 1").outcome, Outcome::kOk) << "the connection serves on";
}

TEST_F(PluginDatabase, StopsAStatementAtItsDeadline) {
  const auto began = std::chrono::steady_clock::now();
  auto running = begin_sql(acme, "select pg_sleep(60), 'too slow'", Deadline::after(milliseconds(300)));
  EXPECT_EQ(running.result.get().outcome, Outcome::kTimeout);
  EXPECT_LT(std::chrono::steady_clock::now() - began, milliseconds(5'000));
  EXPECT_TRUE(wait_for_statement("too slow", false));
}

TEST_F(PluginDatabase, RunsASerializationFailureAgain) {
  ASSERT_EQ(sql(acme, "insert into notes (id, body) values (1, 'a'), (2, 'b')").outcome, Outcome::kOk);
  // Two transactions that take the same two rows in opposite order: PostgreSQL ends one with 40P01 and the host runs it
  // again.
  const auto pair = [](const std::string& first, const std::string& second) {
    return statements({"update notes set body = body || 'x' where id = " + first, "select pg_sleep(0.3)",
                       "update notes set body = body || 'y' where id = " + second});
  };
  auto one = begin("sql_many", pair("1", "2"), acme);
  auto two = begin("sql_many", pair("2", "1"), acme);
  EXPECT_EQ(one.result.get().outcome, Outcome::kOk);
  EXPECT_EQ(two.result.get().outcome, Outcome::kOk);
  EXPECT_EQ(sql(acme, "select length(body) from notes order by id").structured_json,
            R"({"columns":["length"],"rows":[["3"],["3"]]})");
}

TEST_F(PluginDatabase, SaysClearlyThatTheDatabaseIsGoneAndRecovers) {
  ASSERT_EQ(sql(acme, "insert into notes (id, body) values (1, 'before')").outcome, Outcome::kOk);
  auto running = begin_sql(acme, "select pg_sleep(60), 'cut off'");
  ASSERT_TRUE(wait_for_statement("cut off", true));
  // Every connection of the plugins is cut, as by a crash of the server.
  postgres().run_sql(
      "select count(pg_terminate_backend(pid)) from pg_stat_activity where usename like 'toolhost_plugin_%'");
  const auto cut = running.result.get();
  EXPECT_EQ(cut.outcome, Outcome::kUnavailable) << cut.detail;
  bool recovered = false;
  for (int i = 0; i < 20 && !recovered; ++i) recovered = sql(acme, "select body from notes").outcome == Outcome::kOk;
  EXPECT_TRUE(recovered);
}

TEST_F(PluginDatabase, SaysThatItIsUnknownWhetherAnInterruptedCommitWasSaved) {
  auto running = begin_sql(acme, "insert into notes (id, body) select 7, 'perhaps' from pg_sleep(60)",
                           Deadline::never(), true, "key-1");
  ASSERT_TRUE(wait_for_statement("perhaps", true));
  postgres().run_sql(
      "select count(pg_terminate_backend(pid)) from pg_stat_activity where usename like 'toolhost_plugin_%'");
  const auto result = running.result.get();
  EXPECT_EQ(result.outcome, Outcome::kUnavailable);
  EXPECT_THAT(result.content_json,
              HasSubstr("it is not known whether the change was saved. Repeat the call with the same idempotency_key"));
}

class WithoutDatabase : public PluginHostTest {};

TEST_F(WithoutDatabase, APluginWithTablesIsRefusedAndOthersServe) {
  start({test_plugin("hostile_sql"), test_plugin("echo")});
  EXPECT_EQ(host->plugins()[0].state, "refused");
  EXPECT_THAT(host->plugins()[0].reason, HasSubstr("hostile_sql.so: "));
  EXPECT_EQ(host->plugins()[1].state, "serving") << host->plugins()[1].reason;
}

}  // namespace
}  // namespace toolhost::plugin_runtime
