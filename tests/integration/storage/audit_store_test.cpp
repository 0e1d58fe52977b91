#include "storage/audit_store.hpp"

#include <gmock/gmock.h>

#include <pqxx/pqxx>
#include <thread>

#include "observability/audit_record.hpp"
#include "storage/audit_append.hpp"
#include "storage/audit_upkeep.hpp"
#include "storage/libpq.hpp"
#include "storage/migrator.hpp"
#include "support/temp_postgres.hpp"

namespace toolhost::storage {
namespace {

using namespace std::chrono_literals;
using observability::AuditRecord;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

AuditRecord::Time now() {
  return std::chrono::system_clock::now();
}

std::string record_of(std::string_view tool, std::string_view outcome = "ok", AuditRecord::Time at = now()) {
  std::string out;
  AuditRecord(out, "tool_called", at).field("key", "hdsk_abcdef").field("tool", tool).field("outcome", outcome).end();
  return out;
}

/// Keeps what the log would say.
struct Notices final : observability::EventSink {
  void emit(const observability::Event& event) noexcept override {
    if (const auto* notice = std::get_if<observability::HostNotice>(&event)) all.emplace_back(notice->message);
  }
  std::vector<std::string> all;
};

class AuditStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    postgres_.fresh_database();
    store_ = AuditStore::create(postgres_.address(), kSeal);
    connection_ = std::make_unique<pqxx::connection>(postgres_.address().as_host());
  }

  void append(std::int32_t tenant, const std::vector<std::string>& records) {
    pqxx::work work(*connection_);
    append_audit(work, tenant, records);
    work.commit();
  }
  void append_calls(std::int32_t tenant, int count) {
    std::vector<std::string> records;
    for (int number = 1; number <= count; ++number) records.push_back(record_of("tool-" + std::to_string(number)));
    append(tenant, records);
  }

  std::vector<std::string> flaws(std::optional<TenantId> tenant = std::nullopt) {
    const auto verdict = store_->verify(tenant, {});
    EXPECT_TRUE(verdict) << verdict.error().message << " " << verdict.error().detail;
    std::vector<std::string> messages;
    for (const auto& flaw : verdict->flaws) messages.push_back(std::to_string(flaw.tenant_id) + ": " + flaw.message);
    return messages;
  }

  std::vector<std::string> tools(const AuditFilter& filter) {
    const auto rows = store_->list(filter, 100, std::nullopt);
    EXPECT_TRUE(rows) << rows.error().message << " " << rows.error().detail;
    std::vector<std::string> out;
    for (const auto& row : *rows) {
      if (row.record.find("audit_began") != row.record.npos) continue;
      const auto begin = row.record.find(R"("tool":")") + 8;
      out.push_back(row.record.substr(begin, row.record.find('"', begin) - begin));
    }
    return out;
  }

  /// SQLSTATE of a statement of the host's role, or of a plugin's; empty when it worked.
  static std::string state_of(const std::string& conninfo, const std::string& sql) {
    const PgConnectionPtr connection(PQconnectdb(conninfo.c_str()));
    const PgResultPtr result(PQexec(connection.get(), sql.c_str()));
    const char* state = PQresultErrorField(result.get(), PG_DIAG_SQLSTATE);
    return state != nullptr ? state : "";
  }

  static inline const Secret kSeal{std::string(32, 'p')};
  test_support::TempPostgres& postgres_ = test_support::TempPostgres::shared();
  test_support::NullEvents events_;
  std::unique_ptr<AuditStore> store_;
  std::unique_ptr<pqxx::connection> connection_;
};

TEST_F(AuditStoreTest, RecordsAreNumberedChainedAndListedNewestFirst) {
  append(1, {record_of("a"), record_of("b")});
  append(2, {record_of("other")});
  append(1, {record_of("c")});
  const auto rows = store_->list({.tenant = TenantId{1}}, 2, std::nullopt);
  ASSERT_TRUE(rows) << rows.error().detail;
  ASSERT_EQ(rows->size(), 2U);
  EXPECT_EQ((*rows)[0].sequence, 3);
  EXPECT_EQ((*rows)[1].sequence, 2);
  EXPECT_EQ((*rows)[0].at, (*rows)[0].record.substr(7, 27)) << "the record's own time";
  EXPECT_EQ((*rows)[0].hash, to_hex(ChainHasher().link(from_hex((*rows)[1].hash), 3, (*rows)[0].record)));
  EXPECT_EQ(store_->list({.tenant = TenantId{1}}, 10, 2)->size(), 1U) << "older than row 2";
  EXPECT_THAT(flaws(), IsEmpty());
  const auto verdict = store_->verify(std::nullopt, {});
  EXPECT_EQ(verdict->rows, 5U) << "with the first one of the host";
  EXPECT_EQ(verdict->chains, 3U);
}

TEST_F(AuditStoreTest, FiltersFindByWhatTheRecordSays) {
  append(1, {record_of("a"), record_of("b", "denied"), record_of("c")});
  append(0, {record_of("host")});
  EXPECT_THAT(tools({}), ElementsAre("host", "c", "b", "a"));
  EXPECT_THAT(tools({.tenant = TenantId{0}}), ElementsAre("host"));
  EXPECT_THAT(tools({.outcome = "denied"}), ElementsAre("b"));
  EXPECT_THAT(tools({.tenant = TenantId{1}, .kind = "tool_called", .tool = "c", .key_prefix = "hdsk_abcdef"}),
              ElementsAre("c"));
  EXPECT_THAT(tools({.tool = "' or true --"}), IsEmpty());
  EXPECT_THAT(tools({.since = "2020-01-01T00:00:00Z", .until = "2021-01-01"}), IsEmpty());
  EXPECT_EQ(tools({.since = "2020-01-01"}).size(), 4U);
  const auto wrong = store_->list({.since = "recently"}, 1, std::nullopt);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, Errc::kInvalidArgument);
  std::vector<std::int64_t> order;
  ASSERT_TRUE(store_->for_each({.tenant = TenantId{1}}, [&](const AuditRow& row) -> Result<> {
    order.push_back(row.sequence);
    return {};
  }));
  EXPECT_THAT(order, ElementsAre(1, 2, 3));
}

TEST_F(AuditStoreTest, TheHostOnlyAppendsAndAPluginDoesNotEvenSee) {
  append_calls(1, 2);
  const std::string host = postgres_.address().as_host();
  for (const char* sql :
       {"update toolhost.audit set record = ''", "delete from toolhost.audit", "truncate toolhost.audit",
        "insert into toolhost.audit (tenant_id, sequence, at, record, hash) values (1, 9, now(), '', '')",
        "update toolhost.audit_heads set sequence = 0", "delete from toolhost.audit_checkpoints",
        "delete from toolhost.audit_positions", "drop table toolhost.audit", "select * from toolhost.audit_2026_01"})
    EXPECT_THAT(state_of(host, sql), testing::AnyOf("42501", "42P01")) << sql;

  const auto migrated = migrate_plugin(postgres_.address(), "com.acme.spy", {}, {}, events_);
  ASSERT_TRUE(migrated) << migrated.error().message;
  const std::string plugin = postgres_.address().as_plugin("com.acme.spy");
  for (const char* sql :
       {"select * from toolhost.audit", "select * from toolhost.audit_heads", "select toolhost.audit_append(1, '{}')",
        "select toolhost.audit_drop_before(now())", "select toolhost.audit_make_partitions(now(), now())",
        "select toolhost.audit_advance('', 0, 0, 0, 0)", "select toolhost.audit_seal(1, 1, '', now(), '', true)"})
    EXPECT_EQ(state_of(plugin, sql), "42501") << sql;
}

TEST_F(AuditStoreTest, VerifyFindsWhatSomebodyWithAllRightsDid) {
  const std::pair<const char*, const char*> cases[] = {
      {"update toolhost.audit set record = overlay(record placing 'X' from length(record) - 3 for 1) "
       "where tenant_id = 1 and sequence = 12",
       "1: row 12 was changed"},
      {"delete from toolhost.audit where tenant_id = 1 and sequence = 9", "1: row 9 is missing"},
      {"update toolhost.audit set sequence = 29 - sequence where tenant_id = 1 and sequence in (14, 15)",
       "1: row 14 stands in the wrong place, at that of row 15"},
      {"delete from toolhost.audit where tenant_id = 1 and sequence > 25", "1: rows 26 to 30 are missing"},
      {"update toolhost.audit set outcome = 'ok' where tenant_id = 1 and sequence = 3",
       "1: row 3 has another outcome in its column than in its record"},
      {"delete from toolhost.audit where tenant_id = 1", "1: rows 1 to 30 are missing"},
      {"update toolhost.audit_checkpoints set sequence = 29 where tenant_id = 1", "1: row 29 has a checkpoint"},
  };
  for (const auto& [sql, flaw] : cases) {
    SetUp();
    std::vector<std::string> records;
    for (int number = 1; number <= 30; ++number)
      records.push_back(record_of("t", number == 3 ? "denied" : "ok", now() - 60s + number * 1s));
    append(1, records);
    append_calls(2, 5);
    AuditUpkeep(kSeal, events_).seal_chains(*connection_, 1h);
    EXPECT_THAT(flaws(), IsEmpty());
    postgres_.run_sql(sql);
    EXPECT_THAT(flaws(), ElementsAre(HasSubstr(flaw))) << sql;
    EXPECT_THAT(flaws(TenantId{2}), IsEmpty());
  }
}

TEST_F(AuditStoreTest, AChainThatWasForgedWithAllItsHashesFailsItsSeal) {
  append_calls(1, 10);
  AuditUpkeep upkeep(kSeal, events_);
  upkeep.seal_chains(*connection_, 1h);
  postgres_.run_sql(
      "delete from toolhost.audit where tenant_id = 1; delete from toolhost.audit_heads where tenant_id = 1");
  append_calls(1, 12);
  EXPECT_THAT(flaws(), ElementsAre(HasSubstr("1: row 10 is not the one that was sealed at 20")));
  EXPECT_THAT(AuditStore::create(postgres_.address(), Secret(std::string(32, 'q')))->verify(std::nullopt, {})->flaws,
              testing::SizeIs(2))
      << "another pepper: no seal can be checked, and that is told";
}

TEST_F(AuditStoreTest, AHistoryThatWasRemovedWholeIsMissed) {
  const auto tenant = postgres_.add_tenant("demo");
  const std::string whole = "row 1 is missing, with which every chain begins: the whole chain was removed";
  append_calls(value(tenant), 3);
  EXPECT_THAT(flaws(), IsEmpty());
  const std::string of_tenant = std::to_string(value(tenant)) + ": " + whole;
  const std::string where = " where tenant_id = " + std::to_string(value(tenant)) + "; ";
  postgres_.run_sql("delete from toolhost.audit" + where + "delete from toolhost.audit_heads" + where);
  EXPECT_THAT(flaws(), ElementsAre(of_tenant));
  EXPECT_THAT(flaws(TenantId{0}), IsEmpty());
  postgres_.run_sql(
      "truncate toolhost.audit; truncate toolhost.audit_heads; truncate toolhost.audit_checkpoints; "
      "truncate toolhost.audit_positions");
  EXPECT_THAT(flaws(), ElementsAre("0: " + whole, of_tenant));
  EXPECT_THAT(flaws(tenant), ElementsAre(of_tenant));
}

TEST_F(AuditStoreTest, ARemovedEndIsFoundByTheCheckpointsThatTheLogTold) {
  append_calls(1, 10);
  Notices log;
  AuditUpkeep upkeep(kSeal, log);
  upkeep.seal_chains(*connection_, 0s);
  append_calls(1, 10);
  upkeep.seal_chains(*connection_, 0s);
  std::vector<AuditCheckpoint> kept;
  for (const auto& line : log.all) {
    auto checkpoint = checkpoint_in(line);
    ASSERT_TRUE(checkpoint && *checkpoint) << line;
    kept.push_back(**checkpoint);
  }
  ASSERT_EQ(kept.size(), 3U);
  EXPECT_EQ(store_->verify(std::nullopt, {}, kept)->checkpoints, 3U) << "those in the database are the same";
  postgres_.run_sql(
      "delete from toolhost.audit where tenant_id = 1 and sequence > 15; update toolhost.audit_heads h set sequence = "
      "15, hash = (select hash from toolhost.audit a where a.tenant_id = 1 and a.sequence = 15) where tenant_id = 1; "
      "delete from toolhost.audit_checkpoints where tenant_id = 1 and sequence > 15");
  EXPECT_THAT(flaws(), IsEmpty()) << "the database alone does not know";
  const auto verdict = store_->verify(std::nullopt, {}, kept);
  ASSERT_EQ(verdict->flaws.size(), 1U);
  EXPECT_EQ(verdict->flaws[0].tenant_id, 1);
  EXPECT_THAT(verdict->flaws[0].message, HasSubstr("rows 16 to 20 are missing, the last of which was sealed at 20"));
  EXPECT_THAT(store_->verify(TenantId{0}, {}, kept)->flaws, IsEmpty());

  append_calls(1, 10);  // written anew, up to where it was and further
  EXPECT_THAT(flaws(), IsEmpty());
  EXPECT_THAT(store_->verify(std::nullopt, {}, kept)->flaws.at(0).message,
              HasSubstr("row 20 is not the one that was sealed"));
}

TEST_F(AuditStoreTest, AppendsOfManyConnectionsMakeOneChain) {
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      pqxx::connection connection(postgres_.address().as_host());
      for (int batch = 0; batch < 25; ++batch) {
        pqxx::work work(connection);
        for (const std::int32_t tenant : {1, 2}) append_audit(work, tenant, {record_of("a"), record_of("b")});
        work.commit();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  const auto verdict = store_->verify(std::nullopt, {});
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->rows, 401U);
  EXPECT_THAT(verdict->flaws, IsEmpty());
}

TEST_F(AuditStoreTest, TimesNeverGoBackAndUnbelievableOnesBecomeNow) {
  append(1, {record_of("month ago", "ok", now() - 24h * 40), record_of("a"), record_of("late", "ok", now() - 24h * 35),
             record_of("1970", "ok", {}), record_of("future", "ok", now() + 24h * 365)});
  append(1, {record_of("late again", "ok", now() - 24h * 35)});
  const auto rows = store_->list({.tenant = TenantId{1}}, 10, std::nullopt);
  ASSERT_TRUE(rows);
  ASSERT_EQ(rows->size(), 6U);
  for (std::size_t at = 1; at < rows->size(); ++at) EXPECT_GE((*rows)[at - 1].at, (*rows)[at].at);
  std::string later;
  observability::append_micros(later, now() + 1s);
  EXPECT_LT(rows->front().at, later);
  EXPECT_THAT(flaws(), IsEmpty());
}

TEST_F(AuditStoreTest, WholeMonthsAreDroppedAndTheRestStaysVerifiable) {
  for (const int days : {200, 170, 140, 70, 1}) {
    append(1, {record_of("old", "ok", now() - 24h * days), record_of("old", "ok", now() - 24h * days)});
  }
  append(2, {record_of("only old", "ok", now() - 24h * 190)});
  append(3, {record_of("only new")});
  const std::string before =
      postgres_.run_sql("select count(*) from pg_inherits where inhparent = 'toolhost.audit'::regclass");
  EXPECT_EQ(state_of(postgres_.address().as_host(), "select toolhost.audit_drop_before(now() - interval '100 days')"),
            "P0001")
      << "not without a seal";
  AuditUpkeep upkeep(kSeal, events_);
  upkeep.drop_old(*connection_, 24h * 100);
  EXPECT_LT(
      std::stoi(postgres_.run_sql("select count(*) from pg_inherits where inhparent = 'toolhost.audit'::regclass")),
      std::stoi(before));
  EXPECT_EQ(store_->list({.tenant = TenantId{1}}, 10, std::nullopt)->size(), 4U);
  EXPECT_TRUE(store_->list({.tenant = TenantId{2}}, 10, std::nullopt)->empty());
  EXPECT_THAT(flaws(), IsEmpty());
  append_calls(2, 1);
  EXPECT_THAT(flaws(), IsEmpty()) << "a chain that was dropped as a whole goes on";

  upkeep.drop_old(*connection_, 24h * 100);
  upkeep.drop_old(*connection_, 24h * 35);
  EXPECT_EQ(store_->list({.tenant = TenantId{1}}, 10, std::nullopt)->size(), 2U);
  EXPECT_THAT(flaws(), IsEmpty());
  postgres_.run_sql("delete from toolhost.audit where tenant_id = 1 and sequence = 9");
  EXPECT_THAT(flaws(), ElementsAre("1: row 9 is missing"));
}

TEST_F(AuditStoreTest, ACheckpointIsMadeWhenTheChainGrewAndTheTimeHasCome) {
  const auto count = [&] {
    return postgres_.run_sql("select count(*) from toolhost.audit_checkpoints where tenant_id > 0");
  };
  AuditUpkeep upkeep(kSeal, events_);
  append_calls(1, 3);
  upkeep.seal_chains(*connection_, 1h);
  EXPECT_EQ(count(), "1");
  append_calls(1, 3);
  upkeep.seal_chains(*connection_, 1h);
  EXPECT_EQ(count(), "1") << "not yet";
  upkeep.seal_chains(*connection_, 0s);
  EXPECT_EQ(count(), "2");
  upkeep.seal_chains(*connection_, 0s);
  EXPECT_EQ(count(), "2") << "nothing new";
}

TEST_F(AuditStoreTest, ABrokenChainIsToldOnceAndTheOthersAreSealed) {
  for (const std::int32_t tenant : {1, 2, 3}) append_calls(tenant, 3);
  const std::string hash = postgres_.run_sql("select hash from toolhost.audit_heads where tenant_id = 2");
  postgres_.run_sql("update toolhost.audit_heads set hash = '\\x00' where tenant_id = 2");
  const auto sealed = [&] {
    return postgres_.run_sql(
        "select string_agg(tenant_id::text, ',' order by tenant_id, sequence) from toolhost.audit_checkpoints");
  };
  Notices notices;
  AuditUpkeep upkeep(kSeal, notices);
  for (int time = 0; time < 3; ++time) upkeep.seal_chains(*connection_, 0s);
  EXPECT_EQ(sealed(), "0,1,3");
  EXPECT_THAT(notices.all,
              ElementsAre(HasSubstr("checkpoint of tenant 0"), HasSubstr("checkpoint of tenant 1"),
                          HasSubstr("the chain of tenant 2 cannot be sealed: "), HasSubstr("checkpoint of tenant 3")));
  notices.all.clear();
  postgres_.run_sql("update toolhost.audit_heads set sequence = 2 where tenant_id = 2");
  upkeep.seal_chains(*connection_, 0s);
  EXPECT_THAT(notices.all, ElementsAre(HasSubstr("row 2 of the chain of tenant 2"))) << "another flaw";
  notices.all.clear();
  postgres_.run_sql("update toolhost.audit_heads set sequence = 3, hash = '" + hash + "' where tenant_id = 2");
  upkeep.seal_chains(*connection_, 0s);
  EXPECT_EQ(sealed(), "0,1,2,3");
  EXPECT_THAT(notices.all, ElementsAre(HasSubstr("checkpoint of tenant 2 at row 3")));
}

TEST_F(AuditStoreTest, ASealIsToldOnlyWhenItIsKept) {
  append_calls(1, 3);
  postgres_.run_sql(
      "create function toolhost.refuse() returns trigger language plpgsql as $$ begin raise 'not now'; end $$; "
      "create constraint trigger refuse after insert on toolhost.audit_checkpoints deferrable initially deferred "
      "for each row execute function toolhost.refuse()");
  Notices notices;
  AuditUpkeep(kSeal, notices).seal_chains(*connection_, 0s);
  EXPECT_THAT(notices.all, ElementsAre(HasSubstr("the chain of the host cannot be sealed: "),
                                       HasSubstr("the chain of tenant 1 cannot be sealed: ")));
}

TEST_F(AuditStoreTest, ALostConnectionIsReportedAndReplaced) {
  ASSERT_TRUE(store_->list({}, 1, std::nullopt));
  postgres_.run_sql("select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = 'toolhost_app'");
  const auto lost = store_->list({}, 1, std::nullopt);
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code, Errc::kUnavailable);
  EXPECT_TRUE(store_->list({}, 1, std::nullopt));
}

}  // namespace
}  // namespace toolhost::storage
