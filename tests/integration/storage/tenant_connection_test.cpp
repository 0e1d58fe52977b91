#include "storage/tenant_connection.hpp"

#include <chrono>
#include <cmath>
#include <limits>
#include <thread>

#include "integration/storage/notes.hpp"

namespace toolhost::storage {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using Type = SqlValue::Type;

class TenantConnectionTest : public NotesTest {
 protected:
  int backend_pid() { return static_cast<int>(number_as(acme_, "select pg_backend_pid()")); }
};

TEST_F(TenantConnectionTest, AWriteMarkedCommitIsSeenByOthersAtOnce) {
  const auto made = run_as(acme_, "insert into notes (body) values ($1), ($2)", {text("a"), text("b")});
  ASSERT_TRUE(made) << made.error().detail;
  EXPECT_EQ(*made, 2);
  EXPECT_EQ(postgres_.run_sql("select count(*) from com_acme_notes.notes"), "2");
}

TEST_F(TenantConnectionTest, SeveralStatementsCommitOrRollBackTogether) {
  connection_->begin({.tenant = acme_});
  ASSERT_TRUE(connection_->execute("insert into notes (body) values ('1')", {}, Finish::kKeepOpen));
  ASSERT_TRUE(connection_->execute("insert into notes (body) values ('2')", {}, Finish::kKeepOpen));
  EXPECT_EQ(postgres_.run_sql("select count(*) from com_acme_notes.notes"), "0");
  ASSERT_TRUE(connection_->commit());
  EXPECT_EQ(postgres_.run_sql("select count(*) from com_acme_notes.notes"), "2");

  connection_->begin({.tenant = acme_});
  ASSERT_TRUE(connection_->execute("delete from notes", {}, Finish::kKeepOpen));
  connection_->rollback();
  EXPECT_EQ(number_as(acme_, "select count(*) from notes"), 2);
}

TEST_F(TenantConnectionTest, TheLastStatementTakesTheCommitWithIt) {
  connection_->begin({.tenant = acme_});
  ASSERT_TRUE(connection_->execute("insert into notes (body) values ('1')", {}, Finish::kKeepOpen));
  ASSERT_TRUE(connection_->execute("insert into notes (body) values ('2')", {}, Finish::kCommit));
  EXPECT_EQ(postgres_.run_sql("select count(*) from com_acme_notes.notes"), "2");
  ASSERT_TRUE(connection_->execute("insert into notes (body) values ('3')", {}, Finish::kCommit))
      << "a later statement begins a new transaction";
  EXPECT_EQ(postgres_.run_sql("select count(*) from com_acme_notes.notes"), "3");
}

TEST_F(TenantConnectionTest, AnUnfinishedTransactionIsUndoneByTheNextBegin) {
  connection_->begin({.tenant = acme_});
  ASSERT_TRUE(connection_->execute("insert into notes (body) values ('1')", {}, Finish::kKeepOpen));
  EXPECT_EQ(number_as(acme_, "select count(*) from notes"), 0);
}

TEST_F(TenantConnectionTest, ABeginWithoutAStatementCostsNothingAndCommits) {
  connection_->begin({.tenant = acme_});
  EXPECT_TRUE(connection_->commit());
  const auto without = connection_->execute("select 1", {}, Finish::kCommit);
  ASSERT_FALSE(without);
  EXPECT_EQ(without.error().code, Errc::kMisuse);
}

TEST_F(TenantConnectionTest, ReadOnlyTransactionsRefuseWrites) {
  connection_->begin({.tenant = acme_, .read_only = true});
  const auto made = connection_->execute("insert into notes (body) values ('1')", {}, Finish::kCommit);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Errc::kDenied);
  EXPECT_EQ(connection_->last_sqlstate(), "25006");
  EXPECT_TRUE(run_as(acme_, "insert into notes (body) values ('1')")) << "the next transaction writes again";
  EXPECT_EQ(connection_->last_sqlstate(), "");
}

TEST_F(TenantConnectionTest, StatementsOfOneReadSeeOneSnapshotAndThoseOfAWriteDoNot) {
  const auto other = connect();
  const auto add = [&] {
    other->begin({.tenant = acme_});
    ASSERT_TRUE(other->execute("insert into notes (body) values ('meanwhile')", {}, Finish::kCommit));
  };
  const auto counted = [&] {
    const auto rows = connection_->query("select count(*) from notes", {}, Finish::kKeepOpen);
    return rows ? (*rows)->next()[0].integer : -1;
  };
  connection_->begin({.tenant = acme_, .read_only = true});
  add();
  EXPECT_EQ(counted(), 1) << "the snapshot is taken by the first statement, not by begin()";
  add();
  EXPECT_EQ(counted(), 1);
  ASSERT_TRUE(connection_->commit());
  connection_->begin({.tenant = acme_, .read_only = true});
  EXPECT_EQ(counted(), 2);
  connection_->begin({.tenant = acme_});
  EXPECT_EQ(counted(), 2);
  add();
  EXPECT_EQ(counted(), 3);
}

TEST_F(TenantConnectionTest, ErrorsSayWhatTheyAreAndNeverShowTheSql) {
  ASSERT_TRUE(run_as(acme_, "insert into notes (body, n) values ('x', 1)"));
  const struct {
    const char* sql;
    Errc code;
    const char* sqlstate;
  } cases[] = {{"insert into notes (body, n) values ('secret', 1)", Errc::kConflict, "23505"},
               {"insert into notes (body) values (null)", Errc::kConflict, "23502"},
               {"select 1/0 as secret", Errc::kInvalidArgument, "22012"},
               {"select 'secret'::integer", Errc::kInvalidArgument, "22P02"},
               {"select secret from notes", Errc::kInternal, "42703"},
               {"select * from toolhost.api_keys secret", Errc::kDenied, "42501"},
               {"drop table notes", Errc::kDenied, "42501"}};
  for (const auto& c : cases) {
    const auto done = run_as(acme_, c.sql);
    ASSERT_FALSE(done) << c.sql;
    EXPECT_EQ(done.error().code, c.code) << c.sql << " " << done.error().detail;
    EXPECT_EQ(connection_->last_sqlstate(), c.sqlstate) << c.sql;
    EXPECT_EQ(done.error().message.find("secret"), std::string::npos) << done.error().message;
  }
  EXPECT_EQ(number_as(acme_, "select count(*) from notes"), 1) << "the connection is as good as before";
}

TEST_F(TenantConnectionTest, AfterAFailureOnlyARollbackHelps) {
  connection_->begin({.tenant = acme_});
  ASSERT_TRUE(connection_->execute("insert into notes (body) values ('1')", {}, Finish::kKeepOpen));
  ASSERT_FALSE(connection_->execute("select 1/0", {}, Finish::kKeepOpen));
  EXPECT_FALSE(connection_->execute("select 1", {}, Finish::kKeepOpen));
  EXPECT_FALSE(connection_->commit()) << "a commit must not pretend";
  EXPECT_EQ(number_as(acme_, "select count(*) from notes"), 0);
}

TEST_F(TenantConnectionTest, AFailureOfTheLastStatementUndoesTheWholeTransaction) {
  connection_->begin({.tenant = acme_});
  ASSERT_TRUE(connection_->execute("insert into notes (body, n) values ('1', 1)", {}, Finish::kKeepOpen));
  ASSERT_FALSE(connection_->execute("insert into notes (body, n) values ('2', 1)", {}, Finish::kCommit));
  EXPECT_EQ(number_as(acme_, "select count(*) from notes"), 0);
}

TEST_F(TenantConnectionTest, AConstraintCheckedAtCommitFailsTheStatementThatCommits) {
  const std::vector<Migration> migrations{
      notes_migrations()[0],
      {2, "deferred",
       "create table links (tenant_id integer not null default toolhost.tenant_id(), id bigint, primary key "
       "(tenant_id, id), "
       "foreign key (tenant_id, id) references notes deferrable initially deferred)"}};
  ASSERT_TRUE(migrate_plugin(postgres_.address(), kNotes, migrations, {}, events_));
  const auto made = run_as(acme_, "insert into links (id) values (77)");
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Errc::kConflict);
  EXPECT_EQ(number_as(acme_, "select count(*) from links"), 0);
}

TEST_F(TenantConnectionTest, SavepointsNest) {
  using Action = TenantConnection::SavepointAction;
  connection_->begin({.tenant = acme_});
  ASSERT_TRUE(connection_->savepoint(Action::kSet));
  ASSERT_TRUE(connection_->execute("insert into notes (body) values ('kept')", {}, Finish::kKeepOpen));
  ASSERT_TRUE(connection_->savepoint(Action::kSet));
  ASSERT_FALSE(connection_->execute("select 1/0", {}, Finish::kKeepOpen));
  ASSERT_TRUE(connection_->savepoint(Action::kRollback));
  ASSERT_TRUE(connection_->savepoint(Action::kRelease));
  ASSERT_TRUE(connection_->execute("insert into notes (body) values ('also kept')", {}, Finish::kKeepOpen));
  ASSERT_TRUE(connection_->commit());
  EXPECT_EQ(number_as(acme_, "select count(*) from notes"), 2);
}

TEST_F(TenantConnectionTest, ARefusedSavepointDoesNotTurnAFailureIntoACommit) {
  using Action = TenantConnection::SavepointAction;
  connection_->begin({.tenant = acme_});
  EXPECT_EQ(connection_->savepoint(Action::kRollback).error().code, Errc::kMisuse);
  connection_->begin({.tenant = acme_});
  ASSERT_TRUE(connection_->savepoint(Action::kSet));
  ASSERT_FALSE(connection_->execute("select 1/0", {}, Finish::kKeepOpen));
  connection_->cancel();
  EXPECT_FALSE(connection_->savepoint(Action::kRollback));
  EXPECT_FALSE(connection_->commit());
}

TEST_F(TenantConnectionTest, TheTimeLimitSurvivesARollbackToASavepoint) {
  using Action = TenantConnection::SavepointAction;
  connection_->begin({.tenant = acme_, .deadline = Deadline::after(400ms)});
  ASSERT_TRUE(connection_->savepoint(Action::kSet));
  ASSERT_FALSE(connection_->execute("select pg_sleep(0.2), 1/0", {}, Finish::kKeepOpen));
  ASSERT_TRUE(connection_->savepoint(Action::kRollback));
  const auto begun = Clock::now();
  EXPECT_FALSE(connection_->query("select pg_sleep(20)", {}, Finish::kCommit));
  EXPECT_EQ(connection_->last_sqlstate(), "57014");
  EXPECT_LT(Clock::now() - begun, 2s);
}

TEST_F(TenantConnectionTest, EveryTypeGoesThereAndBack) {
  const std::string_view uuid("\x01\x23\x45\x67\x89\xab\xcd\xef\x01\x23\x45\x67\x89\xab\xcd\xef", 16);
  const std::string_view bytes("\x00\x01\xff\\'", 5);
  const std::vector<SqlValue> in{{.type = Type::kBool, .integer = 1},
                                 integer(std::numeric_limits<std::int64_t>::min()),
                                 {.type = Type::kFloat, .number = 0.1},
                                 text("שלום 🎉 ' \" \\ \n"),
                                 {.type = Type::kBytes, .text = bytes},
                                 {.type = Type::kJson, .text = R"({"a": [1, "ü"]})"},
                                 {.type = Type::kUuid, .text = uuid},
                                 {.type = Type::kTime, .integer = 1'790'000'000'123'456},
                                 {.type = Type::kNumeric, .text = "123456789012345678901234567890.12"},
                                 {},
                                 {.type = Type::kBytes, .text = {}},
                                 text("")};
  connection_->begin({.tenant = acme_});
  auto rows = connection_->query(
      "select $1::bool, $2::int8, $3::float8, $4::text, $5::bytea, $6::jsonb, $7::uuid, $8::timestamptz, $9::numeric, "
      "$10::text, $11::bytea, $12::text, "
      "$8::timestamptz::timestamp, '2026-01-31'::date as day",
      in, Finish::kCommit);
  ASSERT_TRUE(rows) << rows.error().detail;
  ASSERT_EQ((*rows)->columns(), 14U);
  EXPECT_EQ((*rows)->column_name(13), "day");
  const SqlValue* out = (*rows)->next();
  ASSERT_NE(out, nullptr);
  for (std::size_t i = 0; i < in.size(); ++i) {
    EXPECT_EQ(out[i].type, in[i].type) << i;
    EXPECT_EQ(out[i].integer, in[i].integer) << i;
    EXPECT_EQ(out[i].number, in[i].number) << i;
    EXPECT_EQ(out[i].text, in[i].text) << i;
  }
  EXPECT_EQ(out[12].integer, 1'790'000'000'123'456);
  EXPECT_EQ(out[13].text, "2026-01-31");
  EXPECT_EQ((*rows)->next(), nullptr);
}

TEST_F(TenantConnectionTest, TimesAgreeWithTheServerOverItsWholeRange) {
  for (const char* when : {"4713-01-01 00:00:00+00 BC", "0001-01-01 00:00:00+00", "1969-12-31 23:59:59.999999+00",
                           "2000-02-29 12:00:00+00", "294246-12-31 23:59:59.999999+00"}) {
    connection_->begin({.tenant = acme_});
    const std::vector<SqlValue> in{text(when)};
    auto rows = connection_->query("select $1::timestamptz, (extract(epoch from $1::timestamptz) * 1000000)::int8", in,
                                   Finish::kCommit);
    ASSERT_TRUE(rows) << rows.error().detail;
    const SqlValue* row = (*rows)->next();
    EXPECT_EQ(row[0].integer, row[1].integer) << when;
    const std::vector<SqlValue> back{row[0], integer(row[1].integer)};
    connection_->begin({.tenant = acme_});
    auto same =
        connection_->query("select (extract(epoch from $1::timestamptz) * 1000000)::int8 = $2", back, Finish::kCommit);
    ASSERT_TRUE(same) << same.error().detail;
    EXPECT_EQ((*same)->next()[0].integer, 1) << when;
  }
}

TEST_F(TenantConnectionTest, NulInTextIsRefusedBeforeItReachesTheServer) {
  const auto made = run_as(acme_, "insert into notes (body) values ($1)", {text(std::string_view("a\0b", 3))});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Errc::kInvalidArgument);
  EXPECT_FALSE(run_as(acme_, std::string_view("select 1\0; drop", 15)));
  EXPECT_EQ(number_as(acme_, "select count(*) from notes"), 0);
}

TEST_F(TenantConnectionTest, ManyRowsArriveAndTooManyAreRefused) {
  connection_->begin({.tenant = acme_, .read_only = true});
  auto rows = connection_->query("select g, 'row ' || g from generate_series(1, 100000) g", {}, Finish::kCommit);
  ASSERT_TRUE(rows) << rows.error().detail;
  std::int64_t sum = 0;
  while (const SqlValue* row = (*rows)->next()) sum += row[0].integer;
  EXPECT_EQ(sum, 100'000LL * 100'001 / 2);

  auto small =
      TenantConnection::create({.conninfo = postgres_.address().as_plugin(kNotes), .max_result_bytes = 100'000});
  small->begin({.tenant = acme_, .read_only = true});
  const auto refused = small->query("select g, 'row ' || g from generate_series(1, 100000) g", {}, Finish::kCommit);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kLimit);
  small->begin({.tenant = acme_, .read_only = true});
  EXPECT_TRUE(small->query("select 1", {}, Finish::kCommit)) << "the connection stays usable";
}

TEST_F(TenantConnectionTest, ARowWithoutColumnsIsARow) {
  connection_->begin({.tenant = acme_, .read_only = true});
  auto rows = connection_->query("select from generate_series(1, 2)", {}, Finish::kCommit);
  ASSERT_TRUE(rows);
  EXPECT_NE((*rows)->next(), nullptr);
  EXPECT_NE((*rows)->next(), nullptr);
  EXPECT_EQ((*rows)->next(), nullptr);
}

TEST_F(TenantConnectionTest, OnlySoManyStatementsStayPrepared) {
  auto few =
      TenantConnection::create({.conninfo = postgres_.address().as_plugin(kNotes), .max_prepared_statements = 3});
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 10; ++i) {
      few->begin({.tenant = acme_, .read_only = true});
      ASSERT_TRUE(few->query("select " + std::to_string(i), {}, Finish::kCommit)) << i;
    }
  }
  few->begin({.tenant = acme_, .read_only = true});
  auto rows = few->query("select count(*) from pg_prepared_statements where name like 's%'", {}, Finish::kCommit);
  ASSERT_TRUE(rows);
  EXPECT_EQ((*rows)->next()[0].integer, 3);
}

TEST_F(TenantConnectionTest, AChangedTableRenewsThePlanWithoutAnError) {
  ASSERT_TRUE(run_as(acme_, "insert into notes (body) values ('x')"));
  connection_->begin({.tenant = acme_});
  ASSERT_TRUE(connection_->query("select * from notes", {}, Finish::kCommit));
  postgres_.run_sql("alter table com_acme_notes.notes add column extra text default 'e'");
  connection_->begin({.tenant = acme_});
  auto rows = connection_->query("select * from notes", {}, Finish::kCommit);
  ASSERT_TRUE(rows) << rows.error().detail;
  EXPECT_EQ((*rows)->columns(), 5U);

  postgres_.run_sql("alter table com_acme_notes.notes drop column extra");
  connection_->begin({.tenant = acme_});
  ASSERT_TRUE(connection_->query("select 1", {}, Finish::kKeepOpen));
  const auto later = connection_->query("select * from notes", {}, Finish::kKeepOpen);
  ASSERT_FALSE(later) << "an earlier statement of the transaction would be lost";
  EXPECT_EQ(later.error().code, Errc::kRetry);
  connection_->begin({.tenant = acme_});
  EXPECT_TRUE(connection_->query("select * from notes", {}, Finish::kCommit));
}

TEST_F(TenantConnectionTest, TheDeadlineStopsTheServer) {
  connection_->begin({.tenant = acme_, .deadline = Deadline::after(150ms)});
  const auto begun = Clock::now();
  const auto slept = connection_->query("select pg_sleep(20)", {}, Finish::kCommit);
  const auto took = Clock::now() - begun;
  ASSERT_FALSE(slept);
  EXPECT_EQ(slept.error().code, Errc::kTimeout);
  EXPECT_EQ(connection_->last_sqlstate(), "57014") << "the server itself gave up";
  EXPECT_GE(took, 140ms);
  EXPECT_LT(took, 5s);
  EXPECT_EQ(number_as(acme_, "select 7"), 7);
}

TEST_F(TenantConnectionTest, APassedDeadlineIsNotEvenTried) {
  connection_->begin({.tenant = acme_, .deadline = Deadline::after(0ms)});
  const auto late = connection_->execute("insert into notes (body) values ('late')", {}, Finish::kCommit);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Errc::kTimeout);
  EXPECT_EQ(number_as(acme_, "select count(*) from notes"), 0);
}

TEST_F(TenantConnectionTest, CancelStopsTheRunningStatementAndOnlyThat) {
  for (int i = 0; i < 5; ++i) {
    connection_->begin({.tenant = acme_});
    std::thread other([&] {
      std::this_thread::sleep_for(50ms);
      connection_->cancel();
    });
    const auto begun = Clock::now();
    const auto slept = connection_->query("select pg_sleep(20)", {}, Finish::kKeepOpen);
    other.join();
    ASSERT_FALSE(slept);
    EXPECT_EQ(slept.error().code, Errc::kCancelled);
    EXPECT_LT(Clock::now() - begun, 5s);
    const auto next = connection_->query("select 1", {}, Finish::kKeepOpen);
    ASSERT_FALSE(next);
    connection_->begin({.tenant = acme_});
    EXPECT_TRUE(connection_->query("select pg_sleep(0.02)", {}, Finish::kCommit)) << "the next call is untouched";
  }
}

TEST_F(TenantConnectionTest, CancelBetweenStatementsRefusesTheRestOfTheTransaction) {
  connection_->begin({.tenant = acme_});
  ASSERT_TRUE(connection_->query("select 1", {}, Finish::kKeepOpen));
  connection_->cancel();
  const auto next = connection_->query("select 1", {}, Finish::kKeepOpen);
  ASSERT_FALSE(next);
  EXPECT_EQ(next.error().code, Errc::kCancelled);
}

TEST_F(TenantConnectionTest, CancelsThatRaceWithQuickStatementsNeverHitTheNextCall) {
  std::atomic<bool> done{false};
  std::thread other([&] {
    while (!done) {
      connection_->cancel();
      std::this_thread::sleep_for(1ms);
    }
  });
  int cancelled = 0;
  for (int i = 0; i < 300; ++i) {
    connection_->begin({.tenant = acme_});
    const auto result = connection_->query("select pg_sleep(0.001)", {}, Finish::kCommit);
    if (!result) {
      EXPECT_EQ(result.error().code, Errc::kCancelled) << result.error().detail;
      ++cancelled;
    }
  }
  done = true;
  other.join();
  EXPECT_GT(cancelled, 0);
  EXPECT_EQ(number_as(acme_, "select 7"), 7);
}

TEST_F(TenantConnectionTest, ALostConnectionIsReportedOnceAndThenReplaced) {
  const int pid = backend_pid();
  connection_->begin({.tenant = acme_});
  ASSERT_TRUE(connection_->execute("insert into notes (body) values ('half')", {}, Finish::kKeepOpen));
  postgres_.run_sql("select pg_terminate_backend(" + std::to_string(pid) + ", 5000)");
  const auto next = connection_->execute("insert into notes (body) values ('whole')", {}, Finish::kKeepOpen);
  ASSERT_FALSE(next);
  EXPECT_EQ(next.error().code, Errc::kUnavailable);
  EXPECT_FALSE(connection_->execute("insert into notes (body) values ('alone')", {}, Finish::kKeepOpen))
      << "not in a transaction that lost its beginning";
  EXPECT_FALSE(connection_->commit());
  EXPECT_EQ(number_as(acme_, "select count(*) from notes"), 0);
  EXPECT_NE(backend_pid(), pid);
}

TEST_F(TenantConnectionTest, AConnectionLostWhileIdleIsReplacedWithoutAnError) {
  const int pid = backend_pid();
  postgres_.run_sql("select pg_terminate_backend(" + std::to_string(pid) + ", 5000)");
  EXPECT_TRUE(run_as(acme_, "insert into notes (body) values ('x')"));
}

TEST_F(TenantConnectionTest, NoServerIsAnErrorWithoutDelay) {
  auto nowhere = TenantConnection::create({.conninfo = DatabaseAddress::embedded("/nonexistent").as_plugin(kNotes)});
  nowhere->begin({.tenant = acme_});
  const auto begun = Clock::now();
  const auto done = nowhere->execute("select 1", {}, Finish::kCommit);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Errc::kUnavailable);
  EXPECT_LT(Clock::now() - begun, 1s);
}

}  // namespace
}  // namespace toolhost::storage
