#include "storage/audit_shipper.hpp"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <mutex>
#include <random>
#include <thread>

#include "storage/audit_store.hpp"
#include "support/journal_fixture.hpp"
#include "support/temp_postgres.hpp"

namespace toolhost::storage {
namespace {

using namespace std::chrono_literals;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

/// Keeps what the log would say.
class Notices final : public observability::EventSink {
 public:
  void emit(const observability::Event& event) noexcept override {
    const std::lock_guard lock(mutex_);
    if (const auto* notice = std::get_if<observability::HostNotice>(&event)) all_.emplace_back(notice->message);
  }
  std::vector<std::string> all() {
    const std::lock_guard lock(mutex_);
    return all_;
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> all_;
};

class AuditShipperTest : public test_support::JournalFixture {
 protected:
  void SetUp() override {
    postgres_.fresh_database();
    store_ = AuditStore::create(postgres_.address(), kSeal);
  }

  std::unique_ptr<AuditShipper> ship(observability::AuditJournal& journal) {
    return AuditShipper::start(postgres_.address(), journal, kSeal, {}, notices_);
  }

  /// All but the first row of the host's chain.
  std::string count(const std::string& where = "true") {
    return postgres_.run_sql("select count(*) from toolhost.audit where kind <> 'audit_began' and " + where);
  }
  /// Each request once, and every chain whole.
  void expect_exactly_once(int records) {
    EXPECT_EQ(count(), std::to_string(records));
    EXPECT_EQ(postgres_.run_sql("select count(distinct record::json ->> 'request') from toolhost.audit"),
              std::to_string(records));
    const auto verdict = store_->verify(std::nullopt, {});
    ASSERT_TRUE(verdict) << verdict.error().message;
    for (const auto& flaw : verdict->flaws) ADD_FAILURE() << flaw.tenant_id << ": " << flaw.message;
  }

  static inline const Secret kSeal{std::string(32, 'p')};
  test_support::TempPostgres& postgres_ = test_support::TempPostgres::shared();
  std::unique_ptr<AuditStore> store_;
  Notices notices_;
};

TEST_F(AuditShipperTest, RecordsOfManyTenantsBecomeRowsInTheirOrder) {
  auto journal = open();
  const auto shipper = ship(*journal);
  for (int number = 0; number < 3000; ++number) {
    emit(*journal, std::to_string(number), "t", number % 7 == 0 ? "timeout" : "ok", caller_of(1 + number % 3));
  }
  ASSERT_TRUE(shipper->flush(10s)) << shipper->state().last_error;
  expect_exactly_once(3000);
  EXPECT_EQ(count("outcome = 'timeout'"), "429");
  EXPECT_EQ(postgres_.run_sql("select count(*) from (select (record::json ->> 'request')::int < lag((record::json ->> "
                              "'request')::int) over (partition by tenant_id order by sequence) as back from "
                              "toolhost.audit) t where back"),
            "0");
  const auto state = shipper->state();
  EXPECT_EQ(state.waiting_bytes, 0U);
  EXPECT_EQ(state.shipped_records, 3000U);
  EXPECT_FALSE(state.oldest_age.has_value());
  EXPECT_LE(count_segments(), 2U) << "what is in the database is not kept on disk";
  EXPECT_THAT(notices_.all(), Contains(HasSubstr("checkpoint of tenant 1 at row")));
}

TEST_F(AuditShipperTest, ABrokenChainHoldsUpNeitherTheOthersNorRetention) {
  {
    auto journal = open();
    for (const int tenant : {1, 2}) emit(*journal, std::to_string(tenant), "t", "ok", caller_of(tenant));
    const auto shipper = ship(*journal);
    ASSERT_TRUE(shipper->flush(10s)) << shipper->state().last_error;
  }
  postgres_.run_sql(
      "update toolhost.audit_heads set hash = '\\x00' where tenant_id = 1; delete from toolhost.audit_checkpoints; "
      "select toolhost.audit_make_partitions(now() - interval '3 years', now() - interval '3 years')");
  const auto partitions = [&] {
    return postgres_.run_sql(
        "select count(*) from pg_inherits i join pg_class c on c.oid = i.inhrelid "
        "where i.inhparent = 'toolhost.audit'::regclass and c.relname < 'audit_' || to_char(now() - interval '2 "
        "years', "
        "'YYYY_MM')");
  };
  ASSERT_EQ(partitions(), "1");
  auto journal = open();
  const auto shipper = ship(*journal);
  for (int wait = 0; wait < 400 && partitions() != "0"; ++wait) std::this_thread::sleep_for(50ms);
  EXPECT_EQ(partitions(), "0");
  EXPECT_EQ(
      postgres_.run_sql("select string_agg(tenant_id::text, ',' order by tenant_id) from toolhost.audit_checkpoints"),
      "0,2");
  EXPECT_THAT(notices_.all(), Contains(HasSubstr("the chain of tenant 1 cannot be sealed: ")));
}

TEST_F(AuditShipperTest, AStartTakesUpWhatAnEarlierProcessLeftAndNothingTwice) {
  for (int start = 0; start < 5; ++start) {
    auto journal = open();
    for (int number = 0; number < 700; ++number) emit(*journal, std::to_string(start * 1000 + number));
    const auto shipper = ship(*journal);
    if (start % 2 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(40 * start));  // ends somewhere
    for (int number = 700; number < 800; ++number) emit(*journal, std::to_string(start * 1000 + number));
  }
  auto journal = open();
  const auto shipper = ship(*journal);
  ASSERT_TRUE(shipper->flush(10s)) << shipper->state().last_error;
  expect_exactly_once(4000);
}

TEST_F(AuditShipperTest, TwoHostsShareTheChainsOfOneDatabase) {
  std::vector<std::thread> hosts;
  for (int host = 0; host < 2; ++host) {
    hosts.emplace_back([&, host] {
      auto journal = open(root_ / ("host-" + std::to_string(host)));
      const auto shipper = ship(*journal);
      for (int number = 0; number < 2000; ++number) {
        emit(*journal, std::to_string(host * 10'000 + number), "t", "ok", caller_of(1 + number % 4));
        if (number % 100 == 0) std::this_thread::sleep_for(10ms);
      }
      EXPECT_TRUE(shipper->flush(20s)) << shipper->state().last_error;
    });
  }
  for (auto& host : hosts) host.join();
  expect_exactly_once(4000);
}

TEST_F(AuditShipperTest, ConnectionsThatBreakAtAnyPointNeitherLoseNorDouble) {
  auto journal = open();
  auto shipper = ship(*journal);
  std::atomic<bool> is_done = false;
  std::thread writer([&] {
    for (int number = 0; number < 6000; ++number) {
      emit(*journal, std::to_string(number), "t", "ok", caller_of(1 + number % 3));
      if (number % 20 == 0) std::this_thread::sleep_for(5ms);
    }
    is_done = true;
  });
  std::minstd_rand dice(static_cast<unsigned>(::getpid()));
  while (!is_done) {
    std::this_thread::sleep_for(std::chrono::milliseconds(dice() % 150));
    postgres_.run_sql("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'toolhost_app'");
  }
  writer.join();
  ASSERT_TRUE(shipper->flush(30s)) << shipper->state().last_error;
  expect_exactly_once(6000);
}

TEST_F(AuditShipperTest, WithoutADatabaseRecordsWaitAndItIsToldOnce) {
  auto journal = open();
  for (int number = 0; number < 10; ++number) emit(*journal, std::to_string(number));
  {
    const auto shipper = AuditShipper::start(DatabaseAddress::embedded("/nonexistent"), *journal, kSeal, {}, notices_);
    EXPECT_FALSE(shipper->flush(1500ms));
    const auto state = shipper->state();
    EXPECT_NE(state.last_error, "");
    EXPECT_GT(state.waiting_bytes, 1000U);
  }
  EXPECT_THAT(notices_.all(), testing::ElementsAre(HasSubstr("the audit cannot be written to the database")));
  journal.reset();
  journal = open();
  const auto shipper = ship(*journal);
  ASSERT_TRUE(shipper->flush(10s)) << shipper->state().last_error;
  expect_exactly_once(10);
}

TEST_F(AuditShipperTest, AServerThatIsFrozenDoesNotHoldUpTheEnd) {
  auto journal = open();
  auto shipper = ship(*journal);
  emit(*journal, "1");
  ASSERT_TRUE(shipper->flush(10s));
  const std::string backend =
      postgres_.run_sql("select pid from pg_stat_activity where usename = 'toolhost_app' limit 1");
  ASSERT_EQ(::kill(std::stoi(backend), SIGSTOP), 0);
  emit(*journal, "2");
  EXPECT_FALSE(shipper->flush(500ms));
  const auto begun = std::chrono::steady_clock::now();
  shipper.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 5s);
  ::kill(std::stoi(backend), SIGCONT);
  journal.reset();
  journal = open();
  shipper = ship(*journal);
  ASSERT_TRUE(shipper->flush(10s)) << shipper->state().last_error;
  expect_exactly_once(2);
}

TEST_F(AuditShipperTest, ARecordThatTheDatabaseCannotStoreHoldsUpNoOther) {
  auto journal = open();
  for (int number = 0; number < 50; ++number) {
    const bool is_bad = number == 17 || number == 30;
    const std::string id = std::to_string(number);
    journal->emit(observability::ToolCalled{.caller = kCaller,
                                            .tool = "t",
                                            .plugin = "p",
                                            .request_id = id,
                                            .outcome = "ok",
                                            .duration = 1us,
                                            .detail = "",
                                            .arguments = is_bad ? R"({"half":"\ud800"})" : "{}"});
  }
  const auto shipper = ship(*journal);
  ASSERT_TRUE(shipper->flush(20s)) << shipper->state().last_error;
  EXPECT_EQ(count(), "50");
  EXPECT_EQ(count("kind = 'unreadable' and sequence in (18, 31) and record::json ->> 'text' like '%\\\\ud800%'"), "2");
  EXPECT_THAT(store_->verify(std::nullopt, {})->flaws, IsEmpty());
  EXPECT_EQ(
      std::ranges::count_if(notices_.all(), [](const auto& text) { return text.find("cannot store") != text.npos; }),
      2);
}

TEST_F(AuditShipperTest, DamagedRecordsOfTheJournalAreAnErrorAndARecord) {
  {
    auto journal = open();
    for (int number = 0; number < 50; ++number) emit(*journal, "call " + std::to_string(number));
  }
  std::filesystem::path segment;
  for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
    if (entry.path().extension() == ".seg") segment = entry.path();
  }
  std::fstream file(segment, std::ios::in | std::ios::out | std::ios::binary);
  const std::string all{std::istreambuf_iterator<char>(file), {}};
  file.clear();
  file.seekp(static_cast<std::streamoff>(all.find("call 25")));
  file << std::string(40, '#');
  file.close();

  auto journal = open();
  const auto shipper = ship(*journal);
  ASSERT_TRUE(shipper->flush(20s)) << shipper->state().last_error;
  const std::string kept = segment.string() + ".damaged";
  EXPECT_EQ(count("kind = 'tool_called'"), "49");
  EXPECT_EQ(count("tenant_id = 0 and kind = 'audit_records_lost' and (record::json ->> 'count')::int = 1 and "
                  "(record::json ->> 'bytes')::int > 100 and record::json ->> 'file' = '" +
                  std::filesystem::path(kept).filename().string() + "'"),
            "1");
  EXPECT_THAT(notices_.all(), Contains(testing::AllOf(HasSubstr("their calls were answered and are missing"),
                                                      HasSubstr("kept as " + kept))));
  EXPECT_THAT(notices_.all(), testing::Not(Contains(HasSubstr("none of these calls was answered"))));
  EXPECT_TRUE(std::filesystem::exists(kept));
  EXPECT_FALSE(std::filesystem::exists(segment));
  EXPECT_THAT(store_->verify(std::nullopt, {})->flaws, IsEmpty());
}

TEST_F(AuditShipperTest, ACopyOfADataDirectoryGetsAnIdOfItsOwn) {
  std::string id;
  {
    auto journal = open(root_ / "original");
    const auto shipper = ship(*journal);
    emit(*journal, "1");
    ASSERT_TRUE(shipper->flush(10s));
    id = journal->host_id();
  }
  std::filesystem::copy(root_ / "original", root_ / "copy");
  auto original = open(root_ / "original");
  auto copy = open(root_ / "copy");
  const auto first = ship(*original);
  const auto second = ship(*copy);
  for (int round = 0; round < 5; ++round) {
    for (auto* journal : {original.get(), copy.get()}) {
      for (int number = 0; number < 10; ++number)
        emit(*journal, std::to_string(round * 100 + number + 10) + (journal == copy.get() ? "c" : "o"));
    }
    ASSERT_TRUE(first->flush(10s)) << first->state().last_error;
    ASSERT_TRUE(second->flush(10s)) << second->state().last_error;
  }
  EXPECT_NE(original->host_id(), copy->host_id());
  EXPECT_TRUE(original->host_id() == id || copy->host_id() == id);
  EXPECT_THAT(notices_.all(), Contains(HasSubstr("this one has a new id now")));
  expect_exactly_once(101);
}

TEST_F(AuditShipperTest, ADatabaseThatWasPutBackGetsWhatIsStillThere) {
  auto journal = open();
  auto shipper = ship(*journal);
  emit(*journal, "1");
  ASSERT_TRUE(shipper->flush(10s));
  postgres_.fresh_database();  // ends the shipper's connection
  for (int number = 2; number < 10; ++number) emit(*journal, std::to_string(number));
  ASSERT_TRUE(shipper->flush(10s)) << shipper->state().last_error;
  expect_exactly_once(8);
}

}  // namespace
}  // namespace toolhost::storage
