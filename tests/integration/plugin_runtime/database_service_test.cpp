#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <memory>

#include "storage/migrator.hpp"
#include "support/temp_postgres.hpp"
#include "unit/plugin_runtime/runner_fixture.hpp"

namespace toolhost::plugin_runtime {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kPlugin = "service.test";

/// The database service as a handler sees it, on a real connection.
class DatabaseService : public testing::Test {
 protected:
  void SetUp() override {
    auto& postgres = test_support::TempPostgres::shared();
    postgres.fresh_database();
    const std::vector<storage::Migration> migrations{
        {1, "items",
         "create table items (tenant_id integer not null default toolhost.tenant_id(), id integer not null, body text,"
         " primary key (tenant_id, id))"}};
    test_support::NullEvents no_events;
    const auto migrated = storage::migrate_plugin(postgres.address(), kPlugin, migrations, {}, no_events);
    ASSERT_TRUE(migrated) << migrated.error().message;
    tenant = postgres.add_tenant("demo");
    fixture = std::make_unique<RunnerFixture>(
        ToolRunner::Config{.workers = 2, .conninfo = postgres.address().as_plugin(kPlugin)});
    fixture->set_tenant(tenant);
  }

  ToolResult run(RunnerFixture::Handler body) { return fixture->run(std::move(body)); }
  static th_status exec(th_call* call, std::string_view sql, std::uint32_t flags = 0) {
    return db().exec(call, str(sql), nullptr, 0, flags, nullptr);
  }
  /// The ids that are stored for good.
  std::vector<std::int64_t> ids() {
    std::vector<std::int64_t> found;
    run([&](th_call* call) {
      th_rows* rows = nullptr;
      const th_value* row = nullptr;
      EXPECT_EQ(db().query(call, str("select id from items order by id"), nullptr, 0, TH_DB_LAST, &rows), TH_OK);
      while (db().next(rows, &row) == TH_OK) found.push_back(row[0].u.i64);
      return TH_OK;
    });
    return found;
  }

  TenantId tenant{};
  std::unique_ptr<RunnerFixture> fixture;
};

TEST_F(DatabaseService, CarriesValuesOfEveryKind) {
  const auto result = run([](th_call* call) {
    std::array<th_value, 9> in{};
    in[0] = {TH_V_NULL, 0, {}};
    in[1] = {TH_V_BOOL, 0, {.i64 = 1}};
    in[2] = {TH_V_I64, 0, {.i64 = -42}};
    in[3] = {TH_V_F64, 0, {.f64 = 0.25}};
    in[4] = {TH_V_TEXT, 0, {.s = str("h\u00e9llo")}};
    in[5] = {TH_V_BYTES, 0, {.s = str(std::string_view("\0\xff", 2))}};
    in[6] = {TH_V_JSON, 0, {.s = str(R"({"a": 1})")}};
    const auto id = host_api().new_uuid(nullptr);
    in[7] = {TH_V_UUID, 0, {.s = {reinterpret_cast<const char*>(id.b), 16}}};
    in[8] = {TH_V_TIME, 0, {.i64 = 1'700'000'000'123'456}};
    th_rows* rows = nullptr;
    EXPECT_EQ(
        db().query(
            call,
            str("select $1::int, $2::bool as flag, $3::bigint, $4::float8, $5::text, $6::bytea, $7::jsonb, $8::uuid,"
                " $9::timestamptz, 1.10::numeric"),
            in.data(), in.size(), 0, &rows),
        TH_OK);
    EXPECT_EQ(db().columns(rows), 10U);
    EXPECT_EQ(text_of(db().column_name(rows, 1)), "flag");
    EXPECT_EQ(db().column_name(rows, 10).len, 0U);
    const th_value* row = nullptr;
    EXPECT_EQ(db().next(rows, &row), TH_OK);
    EXPECT_EQ(row[0].type, TH_V_NULL);
    EXPECT_EQ(row[1].type, TH_V_BOOL);
    EXPECT_EQ(row[1].u.i64, 1);
    EXPECT_EQ(row[2].u.i64, -42);
    EXPECT_EQ(row[3].u.f64, 0.25);
    EXPECT_EQ(text_of(row[4].u.s), "h\u00e9llo");
    EXPECT_EQ(row[5].type, TH_V_BYTES);
    EXPECT_EQ(text_of(row[5].u.s), std::string("\0\xff", 2));
    EXPECT_EQ(row[6].type, TH_V_JSON);
    EXPECT_EQ(text_of(row[6].u.s), R"({"a": 1})");
    EXPECT_EQ(row[7].type, TH_V_UUID);
    EXPECT_EQ(std::memcmp(row[7].u.s.ptr, id.b, 16), 0);
    EXPECT_EQ(row[8].type, TH_V_TIME);
    EXPECT_EQ(row[8].u.i64, 1'700'000'000'123'456);
    EXPECT_EQ(row[9].type, TH_V_NUMERIC);
    EXPECT_EQ(text_of(row[9].u.s), "1.10");
    EXPECT_EQ(db().next(rows, &row), TH_END);
    return TH_OK;
  });
  EXPECT_EQ(result.outcome, Outcome::kOk) << result.detail;
}

TEST_F(DatabaseService, RefusesParametersAndFlagsThatAreNone) {
  run([](th_call* call) {
    const th_value unknown{99, 0, {}};
    EXPECT_EQ(db().exec(call, str("select $1::int"), &unknown, 1, 0, nullptr), TH_E_INVALID);
    const th_value short_uuid{TH_V_UUID, 0, {.s = str("abc")}};
    EXPECT_EQ(db().exec(call, str("select $1::uuid"), &short_uuid, 1, 0, nullptr), TH_E_INVALID);
    EXPECT_EQ(exec(call, "select 1", 1U << 9), TH_E_INVALID);
    EXPECT_EQ(db().exec(call, str("select $1::int"), nullptr, 1, 0, nullptr), TH_E_MISUSE);
    EXPECT_EQ(db().query(call, str("select 1"), nullptr, 0, 0, nullptr), TH_E_MISUSE);
    EXPECT_EQ(exec(call, "select 1"), TH_OK) << "none of them reached the transaction";
    return TH_OK;
  });
}

TEST_F(DatabaseService, EndsRowsAtTheNextStatement) {
  run([](th_call* call) {
    th_rows *first = nullptr, *second = nullptr;
    const th_value* row = nullptr;
    EXPECT_EQ(db().query(call, str("select 1"), nullptr, 0, 0, &first), TH_OK);
    EXPECT_EQ(db().query(call, str("select 2"), nullptr, 0, 0, &second), TH_OK);
    EXPECT_EQ(db().next(first, &row), TH_E_MISUSE);
    EXPECT_EQ(db().next(second, &row), TH_OK);
    EXPECT_EQ(row[0].u.i64, 2);
    db().close(second);
    EXPECT_EQ(db().next(second, &row), TH_E_MISUSE);
    EXPECT_EQ(db().columns(second), 0U);
    return TH_OK;
  });
}

TEST_F(DatabaseService, NestsSavepoints) {
  const auto result = run([](th_call* call) {
    EXPECT_EQ(db().savepoint(call, TH_SAVEPOINT_RELEASE), TH_E_MISUSE);
    EXPECT_EQ(exec(call, "insert into items (id) values (1)"), TH_OK);
    EXPECT_EQ(db().savepoint(call, TH_SAVEPOINT_SET), TH_OK);
    EXPECT_EQ(exec(call, "insert into items (id) values (2)"), TH_OK);
    EXPECT_EQ(db().savepoint(call, TH_SAVEPOINT_SET), TH_OK);
    EXPECT_EQ(exec(call, "insert into items (id) values (1)"), TH_E_CONFLICT);
    th_error error{};
    error.struct_size = sizeof(error);
    EXPECT_EQ(calls().last_error(call, &error), TH_OK);
    EXPECT_EQ(text_of(error.code), "23505");
    EXPECT_EQ(db().savepoint(call, TH_SAVEPOINT_ROLLBACK), TH_OK);
    EXPECT_EQ(exec(call, "insert into items (id) values (3)"), TH_OK);
    EXPECT_EQ(db().savepoint(call, TH_SAVEPOINT_ROLLBACK), TH_OK) << "the outer one: 2 and 3 go";
    EXPECT_EQ(exec(call, "insert into items (id) values (4)"), TH_OK);
    EXPECT_EQ(db().savepoint(call, 7), TH_E_INVALID);
    return TH_OK;
  });
  EXPECT_EQ(result.outcome, Outcome::kOk) << result.detail;
  EXPECT_THAT(ids(), ElementsAre(1, 4));
}

TEST_F(DatabaseService, TurnsSuccessAfterAFailedStatementIntoAnInternalError) {
  const auto result = run([](th_call* call) {
    EXPECT_EQ(exec(call, "insert into items (id) values (1)"), TH_OK);
    EXPECT_EQ(exec(call, "insert into items (id) values (1)"), TH_E_CONFLICT);
    return TH_OK;
  });
  EXPECT_EQ(result.outcome, Outcome::kInternal);
  EXPECT_THAT(result.detail, HasSubstr("23505"));
  EXPECT_THAT(ids(), ElementsAre());
}

TEST_F(DatabaseService, CommitsAtTheLastStatementWhateverFollows) {
  const auto result = run([](th_call* call) {
    EXPECT_EQ(exec(call, "insert into items (id) values (1)", TH_DB_LAST), TH_OK);
    EXPECT_EQ(exec(call, "insert into items (id) values (2)"), TH_OK);
    return TH_E_CONFLICT;
  });
  EXPECT_EQ(result.outcome, Outcome::kToolError);
  EXPECT_THAT(result.content_json, HasSubstr("What the call had saved before stays saved."));
  EXPECT_THAT(ids(), ElementsAre(1));
}

TEST_F(DatabaseService, GoesOnAfterALastStatementThatFailed) {
  ASSERT_EQ(run([](th_call* call) {
              return exec(call, "insert into items (id, body) values (1, 'first')", TH_DB_LAST);
            }).outcome,
            Outcome::kOk);
  // How a write with an idempotency key finds what its first attempt has saved.
  const auto result = run([](th_call* call) {
    EXPECT_EQ(exec(call, "insert into items (id, body) values (1, 'second')", TH_DB_LAST), TH_E_CONFLICT);
    th_rows* rows = nullptr;
    const th_value* row = nullptr;
    EXPECT_EQ(db().query(call, str("select body from items where id = 1"), nullptr, 0, 0, &rows), TH_OK);
    EXPECT_EQ(db().next(rows, &row), TH_OK);
    return calls().text(call, row[0].u.s);
  });
  EXPECT_EQ(result.outcome, Outcome::kOk) << result.detail;
  EXPECT_THAT(result.content_json, HasSubstr("first"));
}

TEST_F(DatabaseService, DoesNotRepeatWhatHasCommitted) {
  int attempts = 0;
  const auto result = run([&](th_call* call) {
    ++attempts;
    EXPECT_EQ(exec(call, "insert into items (id) values (1)", TH_DB_LAST), TH_OK);
    return TH_E_RETRY;
  });
  EXPECT_EQ(attempts, 1);
  EXPECT_EQ(result.outcome, Outcome::kUnavailable);
  EXPECT_THAT(result.content_json, HasSubstr("stays saved"));
}

TEST_F(DatabaseService, RollsBackWhenTheResultBreaksItsSchema) {
  fixture->tool.output_schema = *JsonSchema::compile(R"({"type":"object","required":["id"]})");
  const auto result = run([](th_call* call) {
    EXPECT_EQ(exec(call, "insert into items (id) values (1)"), TH_OK);
    return calls().structured(call, str("{}"));
  });
  EXPECT_EQ(result.outcome, Outcome::kInternal);
  EXPECT_THAT(result.content_json, HasSubstr("Nothing was saved."));
  fixture->tool.output_schema.reset();
  EXPECT_THAT(ids(), ElementsAre());
}

TEST_F(DatabaseService, SavesNothingForACallThatWasAnsweredAlready) {
  fixture->stop();
  fixture = std::make_unique<RunnerFixture>(
      ToolRunner::Config{.workers = 1,
                         .lost_worker_grace = std::chrono::milliseconds(1),
                         .max_lost_workers = 9,
                         .conninfo = test_support::TempPostgres::shared().address().as_plugin(kPlugin)});
  fixture->set_tenant(tenant);
  std::promise<void> may_return;
  fixture->handler = [&](th_call* call) {
    EXPECT_EQ(exec(call, "insert into items (id) values (1)"), TH_OK);
    may_return.get_future().wait();
    EXPECT_EQ(exec(call, "insert into items (id) values (2)", TH_DB_LAST), TH_E_MISUSE);
    return TH_OK;
  };
  auto answer = fixture->call("{}", Deadline::after(std::chrono::milliseconds(500)));
  const auto result = answer.result.get();
  EXPECT_EQ(result.outcome, Outcome::kTimeout);
  EXPECT_THAT(result.content_json, HasSubstr("It is not known whether anything was saved."));
  ASSERT_TRUE(fixture->events.wait_for("overstay"));
  may_return.set_value();
  fixture->wait_for_lost_handlers();
  EXPECT_THAT(ids(), ElementsAre());
}

}  // namespace
}  // namespace toolhost::plugin_runtime
