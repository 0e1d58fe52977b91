#include "app/stdio_journals.hpp"

#include <algorithm>
#include <fstream>
#include <mutex>
#include <thread>

#include "storage/audit_store.hpp"
#include "support/journal_fixture.hpp"
#include "support/temp_postgres.hpp"

namespace toolhost::app {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using observability::AuditJournal;
using storage::AuditShipper;

/// Keeps what the log would say.
class Notices final : public observability::EventSink {
 public:
  void emit(const observability::Event& event) noexcept override {
    const std::lock_guard lock(mutex_);
    if (const auto* notice = std::get_if<observability::HostNotice>(&event)) all_.emplace_back(notice->message);
  }
  /// How often something with these words was said.
  std::ptrdiff_t count(const std::string& words) {
    const std::lock_guard lock(mutex_);
    return std::ranges::count_if(all_, [&](const auto& text) { return text.find(words) != text.npos; });
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> all_;
};

/// The journal and the shipper of a host that serves, and places beside it.
class OrphanedStdioJournalsTest : public test_support::JournalFixture {
 protected:
  void SetUp() override {
    postgres_.fresh_database();
    store_ = storage::AuditStore::create(postgres_.address(), kSeal);
    journal_ = open();
    serve_with(postgres_.address());
  }
  void serve_with(const storage::DatabaseAddress& address) {
    address_ = address;
    own_ = AuditShipper::start(address, *journal_, kSeal, {}, notices_);
  }
  std::unique_ptr<OrphanedStdioJournals> ship() {
    return OrphanedStdioJournals::start({.data_dir = directory_.parent_path(), .period = 50ms}, address_, kSeal, *own_,
                                        notices_);
  }

  [[nodiscard]] fs::path place(int number) const { return directory_ / ("stdio-" + std::to_string(number)); }
  static void write(AuditJournal& journal, int first, int count) {
    for (int number = first; number < first + count; ++number)
      emit(journal, "call " + std::to_string(number), "t", "ok", caller_of(1 + number % 3));
  }
  /// What a process that is killed leaves: its files as they were while it ran.
  void leave(int number, int first, int count) {
    {
      const auto running = open(root_ / "running");
      write(*running, first, count);
      fs::copy(root_ / "running", place(number));
    }
    fs::remove_all(root_ / "running");
  }

  std::string count(const std::string& where = "kind = 'tool_called'") {
    return postgres_.run_sql("select count(*) from toolhost.audit where " + where);
  }
  bool becomes(const std::string& wanted) {
    for (int wait = 0; wait < 500 && count() != wanted; ++wait) std::this_thread::sleep_for(20ms);
    return count() == wanted;
  }
  void expect_whole_chains() {
    const auto verdict = store_->verify(std::nullopt, {});
    ASSERT_TRUE(verdict) << verdict.error().message;
    for (const auto& flaw : verdict->flaws) ADD_FAILURE() << flaw.tenant_id << ": " << flaw.message;
  }

  static inline const Secret kSeal{std::string(32, 'p')};
  test_support::TempPostgres& postgres_ = test_support::TempPostgres::shared();
  storage::DatabaseAddress address_;
  std::unique_ptr<storage::AuditStore> store_;
  Notices notices_;
  std::unique_ptr<AuditJournal> journal_;
  std::unique_ptr<AuditShipper> own_;
};

TEST_F(OrphanedStdioJournalsTest, AreShippedOnceAndTheirPlacesFree) {
  leave(0, 0, 50);
  leave(3, 50, 50);
  auto running = open(place(1));
  write(*running, 100, 5);
  write(*journal_, 200, 10);
  const auto orphans = ship();
  ASSERT_TRUE(becomes("110"));
  for (const int number : {0, 3})
    EXPECT_EQ(notices_.count("shipped 50 records that a 'toolhost stdio' had left in " + place(number).string()), 1);
  std::this_thread::sleep_for(300ms);  // some periods
  EXPECT_EQ(count(), "110") << "none twice, and none of the process that runs";
  EXPECT_FALSE(AuditJournal::may_hold_records(place(0)));
  EXPECT_FALSE(AuditJournal::may_hold_records(place(3)));

  auto next = open_stdio_journal(directory_.parent_path());
  ASSERT_TRUE(next) << next.error().message;
  write(**next, 300, 5);
  EXPECT_TRUE(AuditJournal::may_hold_records(place(0))) << "the first place is free again";
  running.reset();
  EXPECT_TRUE(becomes("115")) << "one that ended meanwhile";
  next->reset();
  EXPECT_TRUE(becomes("120"));
  EXPECT_EQ(count("kind = 'tool_called' group by record::json ->> 'request' having count(*) > 1"), "");
  expect_whole_chains();
}

TEST_F(OrphanedStdioJournalsTest, StayWhereTheyAreWhileTheDatabaseTakesNothing) {
  leave(0, 0, 20);
  own_.reset();
  serve_with(storage::DatabaseAddress::embedded("/nonexistent"));
  for (int wait = 0; wait < 500 && own_->state().last_error.empty(); ++wait) std::this_thread::sleep_for(20ms);
  {
    const auto orphans = ship();
    std::this_thread::sleep_for(300ms);
  }
  EXPECT_EQ(notices_.count("the audit cannot be written to the database"), 1);
  EXPECT_EQ(notices_.count("shipped"), 0);
  EXPECT_TRUE(AuditJournal::may_hold_records(place(0)));
  own_.reset();
  serve_with(postgres_.address());
  const auto orphans = ship();
  EXPECT_TRUE(becomes("20"));
  expect_whole_chains();
}

TEST_F(OrphanedStdioJournalsTest, DamagedRecordsAreToldAsLost) {
  leave(0, 0, 50);
  for (const auto& entry : fs::directory_iterator(place(0))) {
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    const std::string all{std::istreambuf_iterator<char>(file), {}};
    const auto at = all.find("call 25");
    if (at == std::string::npos) continue;
    file.clear();
    file.seekp(static_cast<std::streamoff>(at));
    file << std::string(40, '#');
  }
  const auto orphans = ship();
  EXPECT_TRUE(becomes("49"));
  EXPECT_EQ(count("tenant_id = 0 and kind = 'audit_records_lost' and (record::json ->> 'count')::int = 1"), "1");
  EXPECT_EQ(notices_.count("their calls were answered and are missing"), 1);
  EXPECT_TRUE(std::ranges::any_of(fs::directory_iterator(place(0)),
                                  [](const auto& entry) { return entry.path().extension() == ".damaged"; }));
  expect_whole_chains();
}

TEST_F(OrphanedStdioJournalsTest, OneThatCannotBeReadIsToldOnceAndHoldsUpNoOther) {
  leave(0, 0, 10);
  leave(1, 10, 10);
  fs::remove(place(0) / "lock");
  fs::create_directory(place(0) / "lock");
  const auto orphans = ship();
  EXPECT_TRUE(becomes("10"));
  std::this_thread::sleep_for(300ms);  // some periods
  EXPECT_EQ(notices_.count("are not shipped: "), 1);
  fs::remove(place(0) / "lock");
  EXPECT_TRUE(becomes("20"));
}

}  // namespace
}  // namespace toolhost::app
