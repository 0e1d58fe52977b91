#include "observability/audit_journal.hpp"

#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <fstream>
#include <map>
#include <thread>

#include "base/json.hpp"
#include "support/journal_fixture.hpp"

namespace toolhost::observability {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using testing::HasSubstr;

class AuditJournalTest : public test_support::JournalFixture {
 protected:
  /// What the member of a record is; "(none)" when it has none.
  static std::string text_of(const std::string& record, std::string_view name) {
    json::Document document;
    const auto parsed = document.parse(record);
    EXPECT_TRUE(parsed) << record;
    if (!parsed) return {};
    auto member = json::find(*parsed, name);
    return member.error() ? "(none)" : json::to_text(member.value());
  }
};

TEST_F(AuditJournalTest, KeepsCallsDenialsAndConfigurationsAndNothingElse) {
  auto journal = open();
  journal->emit(ToolCalled{.caller = kCaller,
                           .tool = "create_ticket",
                           .plugin = "tickets",
                           .request_id = "r1",
                           .outcome = "denied",
                           .duration = 1500us,
                           .detail = "never in the journal",
                           .reason = "rule",
                           .place = "toolhost.yaml:12",
                           .arguments = R"({"hmac":"abc"})"});
  journal->emit(RequestRefused{.reason = "key_expired", .remote = "10.0.0.1", .detail = "", .caller = &kCaller});
  journal->emit(RequestRefused{.reason = "invalid_key", .remote = "10.0.0.1", .detail = ""});
  journal->emit(KeyChanged{.change = KeyChange::kCreated, .tenant = "demo", .key_prefix = "hdsk_abcdef", .name = "x"});
  journal->emit(HostNotice{.severity = Severity::kError, .component = "host", .message = "x"});
  journal->emit(ConfigurationReloaded{
      .applied = false, .generation = 3, .file = "toolhost.yaml", .trigger = "signal", .summary = "line 3:\nbad"});
  const auto batch = journal->read(journal->begin(), 100, 1 << 20);
  ASSERT_TRUE(batch);
  ASSERT_EQ(batch->records.size(), 3U);
  EXPECT_EQ(batch->records[0].tenant, 7);
  EXPECT_EQ(batch->records[2].tenant, 0);
  const std::string call(batch->records[0].text);
  EXPECT_EQ(text_of(call, "kind"), R"("tool_called")");
  EXPECT_EQ(text_of(call, "tenant"), R"("tenant-7")");
  EXPECT_EQ(text_of(call, "principal"), R"("ann@example.com")");
  EXPECT_EQ(text_of(call, "reason"), R"("rule")");
  EXPECT_EQ(text_of(call, "place"), R"("toolhost.yaml:12")");
  EXPECT_EQ(text_of(call, "duration_us"), "1500");
  EXPECT_EQ(text_of(call, "arguments"), R"({"hmac":"abc"})");
  EXPECT_EQ(call.find("never in the journal"), std::string::npos);
  EXPECT_EQ(text_of(std::string(batch->records[1].text), "kind"), R"("request_refused")");
  const std::string reload(batch->records[2].text);
  EXPECT_EQ(text_of(reload, "outcome"), R"("refused")");
  EXPECT_EQ(text_of(reload, "summary"), R"("line 3:\nbad")");
}

TEST_F(AuditJournalTest, ByConfigurationKeepsOnlyTheCallsThatWereRefused) {
  auto journal = open();
  journal->set_keeps_calls(false);
  for (const char* outcome : {"ok", "denied", "timeout", "limit", "unknown_tool"}) emit(*journal, "r", "t", outcome);
  EXPECT_EQ(take(*journal).size(), 3U);
}

TEST_F(AuditJournalTest, IsPrivate) {
  auto journal = open();
  emit(*journal, "r1");
  struct stat status{};
  ASSERT_EQ(::stat(directory_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700U);
  for (const auto& entry : fs::directory_iterator(directory_)) {
    ASSERT_EQ(::stat(entry.path().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600U) << entry.path();
  }
}

TEST_F(AuditJournalTest, KeepsEveryRecordOfManyThreadsWhileTheyAreTakenAway) {
  constexpr int kThreads = 4;
  constexpr int kEvents = 5'000;  // some 25 segments
  auto journal = open();
  std::atomic<int> running = kThreads;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int event = 0; event < kEvents; ++event)
        emit(*journal, std::to_string(thread) + "-" + std::to_string(event));
      --running;
    });
  }
  std::vector<int> next(kThreads, 0);
  auto at = journal->begin();
  for (bool is_last = false;; is_last = running == 0) {
    const auto batch = journal->read(at, 100, 1 << 20);
    ASSERT_TRUE(batch) << batch.error().message;
    EXPECT_EQ(batch->torn_bytes, 0U);
    for (const auto& record : batch->records) {
      const std::string id = text_of(std::string(record.text), "request");
      const auto dash = id.find('-');
      const auto thread = static_cast<std::size_t>(std::stoi(id.substr(1)));
      EXPECT_EQ(std::stoi(id.substr(dash + 1)), next[thread]++) << "in order, none lost, none twice";
    }
    at = batch->end;
    journal->forget(at);
    if (batch->records.empty() && is_last) break;
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(next, std::vector<int>(kThreads, kEvents));
  EXPECT_LE(count_segments(), 2U) << "what was forgotten is gone";
  EXPECT_EQ(journal->state().waiting_bytes, 0U);
}

TEST_F(AuditJournalTest, GoesOnWhereAnEarlierProcessEnded) {
  emit(*open(), "r1");
  std::string id;
  {
    auto journal = open();
    id = journal->host_id();
    EXPECT_EQ(id.size(), 32U);
    emit(*journal, "r2");
    EXPECT_GT(journal->state().waiting_bytes, 500U);
  }
  auto journal = open();
  EXPECT_EQ(journal->host_id(), id);
  EXPECT_LT(journal->begin(), journal->start());
  emit(*journal, "r3");
  const auto all = take(*journal);
  ASSERT_EQ(all.size(), 3U);
  for (int at = 0; at < 3; ++at)
    EXPECT_EQ(text_of(all[static_cast<std::size_t>(at)], "request"), "\"r" + std::to_string(at + 1) + "\"");
  EXPECT_EQ(count_segments(), 2U) << "the current one and the next";
}

/// Flips bytes of the one segment that holds this text, behind its beginning.
void damage(const fs::path& directory, const std::string& text) {
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (entry.path().extension() != ".seg") continue;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    const std::string all{std::istreambuf_iterator<char>(file), {}};
    const auto at = all.find(text);
    if (at == std::string::npos) continue;
    std::string flipped = all.substr(at, 40);
    for (char& byte : flipped) byte = static_cast<char>(~byte);
    file.clear();
    file.seekp(static_cast<std::streamoff>(at));
    file << flipped;
  }
}

TEST_F(AuditJournalTest, TellsOfDamagedRecordsAndKeepsTheirSegment) {
  {
    auto journal = open();
    for (int number = 100; number < 200; ++number) emit(*journal, std::to_string(number));
  }
  damage(directory_, R"("request":"150")");
  damage(directory_, R"("request":"199")");
  fs::path kept;
  {
    auto journal = open();
    const auto some = journal->read(journal->begin(), 60, 1 << 20);
    EXPECT_EQ(some->records.size(), 60U);
    EXPECT_EQ(some->damage.records, 1U);
    kept = some->damage.kept;
    journal->forget(some->end);
  }
  auto journal = open();
  const auto rest = journal->read(journal->begin(), 1000, 1 << 20);
  EXPECT_EQ(rest->records.size(), 98U);
  EXPECT_EQ(rest->damage.records, 2U) << "also the last one, behind which there is nothing";
  EXPECT_EQ(rest->torn_bytes, 0U);
  EXPECT_GT(rest->damage.bytes, 200U);
  EXPECT_EQ(rest->damage.kept, kept);
  journal->forget(rest->end);
  EXPECT_TRUE(take(*journal).empty());
  EXPECT_EQ(kept.extension(), ".damaged");
  EXPECT_TRUE(fs::exists(kept));
  EXPECT_EQ(count_segments(), 2U) << "the current one and the next";
}

TEST_F(AuditJournalTest, ASegmentInWhichNothingIsWholeIsToldOf) {
  emit(*open(), "only");
  damage(directory_, R"("request":"only")");
  auto journal = open();
  const auto batch = journal->read(journal->begin(), 10, 1 << 20);
  EXPECT_TRUE(batch->records.empty());
  EXPECT_EQ(batch->damage.records, 1U);
  EXPECT_EQ(journal->read(batch->end, 10, 1 << 20)->damage.records, 0U);
}

TEST_F(AuditJournalTest, NumbersNeverComeBack) {
  JournalPosition last;
  for (int start = 0; start < 4; ++start) {
    auto journal = open();
    EXPECT_GT(journal->start(), last);
    last = journal->end();
    journal->forget(last);
  }
}

TEST_F(AuditJournalTest, ReadsOnlyWhatWasAskedFor) {
  auto journal = open();
  for (int event = 0; event < 10; ++event) emit(*journal, std::to_string(event));
  const auto three = journal->read(journal->begin(), 3, 1 << 20);
  ASSERT_EQ(three->records.size(), 3U);
  EXPECT_EQ(journal->read(three->end, 100, 1 << 20)->records.size(), 7U);
  EXPECT_EQ(journal->read(journal->begin(), 100, 400)->records.size(), 2U) << "about so many bytes";
  EXPECT_TRUE(journal->read(journal->end(), 100, 1 << 20)->records.empty());
}

TEST_F(AuditJournalTest, ABatchSaysWhetherThereIsMore) {
  auto journal = open();
  const std::string tool(1000, 't');
  for (int event = 0; event < 400; ++event) emit(*journal, std::to_string(event), tool);  // more than one segment
  const auto begin = journal->begin();
  EXPECT_TRUE(journal->read(begin, 3, 1 << 20)->has_more) << "ended by the number of records";
  EXPECT_TRUE(journal->read(begin, 1000, 4000)->has_more) << "ended by their size";
  const auto segment = journal->read(begin, 1000, 1 << 20);
  EXPECT_LT(segment->records.size(), 400U);
  EXPECT_TRUE(segment->has_more) << "ended by the end of its segment";
  EXPECT_FALSE(journal->read(segment->end, 1000, 1 << 20)->has_more);
}

/// How many records there are of each kind, and what those of kind "refusals_folded" count.
struct Kinds {
  std::map<std::string, int> count;
  std::int64_t folded = 0;
  explicit Kinds(const std::vector<std::string>& records) {
    json::Document document;
    for (const auto& text : records) {
      const auto record = document.parse(text);
      EXPECT_TRUE(record) << text;
      ++count[std::string(json::find(*record, "kind").get_string().value())];
      if (auto folds = json::find(*record, "count").get_int64(); !folds.error()) folded += folds.value();
    }
  }
};

TEST_F(AuditJournalTest, FoldsTheRefusalsOfAFloodAndNoCallThatRan) {
  constexpr int kThreads = 4, kEach = 3'000;
  {
    auto journal = open();
    std::vector<std::thread> threads;
    for (int thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&] {
        for (int number = 0; number < kEach; ++number) {
          emit(*journal, "r", "create_ticket", "limit");
          if (number % 10 == 0) emit(*journal, "r", "create_ticket", "ok");
          journal->emit(RequestRefused{.reason = "key_disabled", .remote = "::1", .detail = "", .caller = &kCaller});
        }
      });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_LT(journal->state().waiting_bytes, 2'000'000U);
  }
  auto journal = open();
  Kinds kinds(take(*journal));
  EXPECT_GE(kinds.count["tool_called"], kThreads * kEach / 10 + 100);
  EXPECT_GE(kinds.count["request_refused"], 100);
  EXPECT_LT(kinds.count["request_refused"], 2'000);
  EXPECT_GE(kinds.count["refusals_folded"], 2);
  EXPECT_EQ(kinds.count["tool_called"] + kinds.count["request_refused"] + kinds.folded,
            2 * kThreads * kEach + kThreads * kEach / 10)
      << "each is a record or is counted, also by the end of the journal";
}

TEST_F(AuditJournalTest, TellsWhatItFoldsWhileItRuns) {
  auto journal = open();
  for (int number = 0; number < 1'000; ++number) emit(*journal, "r", "create_ticket", "denied");
  std::vector<std::string> records;
  auto at = journal->begin();
  for (int wait = 0; wait < 600 && Kinds(records).folded == 0; ++wait) {
    std::this_thread::sleep_for(50ms);
    const auto batch = journal->read(at, 10'000, 1 << 20);
    for (const auto& record : batch->records) records.emplace_back(record.text);
    at = batch->end;
  }
  const std::string& last = records.back();
  EXPECT_EQ(text_of(last, "kind"), R"("refusals_folded")");
  EXPECT_EQ(text_of(last, "tenant"), R"("tenant-7")");
  EXPECT_EQ(text_of(last, "key"), R"("hdsk_abcdef")");
  EXPECT_EQ(text_of(last, "outcome"), R"("denied")");
  EXPECT_EQ(text_of(last, "tool"), R"("create_ticket")");
  EXPECT_EQ(Kinds(records).folded + static_cast<std::int64_t>(records.size()) - 1, 1'000);
}

TEST_F(AuditJournalTest, OneProcessAtATime) {
  auto journal = open();
  const auto second = AuditJournal::open({.directory = directory_});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::kConflict);
  EXPECT_THAT(second.error().message, HasSubstr("data_dir"));
}

TEST_F(AuditJournalTest, SaysWhyItCannotOpen) {
  std::ofstream(root_ / "state") << "a file where a directory should be";
  const auto journal = AuditJournal::open({.directory = directory_});
  ASSERT_FALSE(journal);
  EXPECT_EQ(journal.error().code, Errc::kUnavailable);
  EXPECT_THAT(journal.error().message, HasSubstr(directory_.string()));
  EXPECT_THAT(journal.error().message, HasSubstr("Not a directory"));
}

/// The disk that is full: files beyond a size limit cannot be made until the limit is lifted.
class FullDisk {
 public:
  FullDisk() {
    std::signal(SIGXFSZ, SIG_IGN);
    EXPECT_EQ(::getrlimit(RLIMIT_FSIZE, &old_), 0);
    const rlimit small{.rlim_cur = 100 * 1024, .rlim_max = old_.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  }
  ~FullDisk() { end(); }
  void end() { EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &old_), 0); }

 private:
  rlimit old_{};
};

TEST_F(AuditJournalTest, OnAFullDiskRefusesInTimeWaitsInTheEndAndLosesNothing) {
  testing::internal::CaptureStderr();
  auto journal = open();
  const std::string tool(1000, 't');
  FullDisk full;
  int admitted = 0;
  for (; journal->has_room(); ++admitted) emit(*journal, std::to_string(admitted), tool);
  EXPECT_GT(admitted, 300) << "the segment that was there is used";
  EXPECT_LT(admitted, 450);
  for (int running = 0; running < 40; ++running) emit(*journal, std::to_string(admitted++), tool);  // from the reserve
  for (int refused = 0; refused < 1000; ++refused) emit(*journal, "refused", tool, "denied");       // waits for nothing
  for (int wait = 0; wait < 100 && journal->state().problem.empty(); ++wait) std::this_thread::sleep_for(10ms);
  EXPECT_THAT(journal->state().problem, HasSubstr("File too large"));

  constexpr int kLate = 100;
  std::atomic<int> written = 0;
  std::thread late([&] {
    for (; written < kLate; ++written) emit(*journal, std::to_string(admitted + written), tool);
  });
  std::this_thread::sleep_for(400ms);
  EXPECT_LT(written, kLate) << "without space it waits";
  full.end();
  late.join();
  for (int wait = 0; wait < 100 && !journal->has_room(); ++wait) std::this_thread::sleep_for(50ms);
  EXPECT_TRUE(journal->has_room());
  EXPECT_EQ(journal->state().problem, "");
  auto all = take(*journal);
  std::int64_t refused = Kinds(all).folded;
  std::erase_if(all, [](const auto& text) { return text.find("refusals_folded") != text.npos; });
  ASSERT_EQ(all.size(), static_cast<std::size_t>(admitted + kLate));
  for (std::size_t at = 0; at < all.size(); ++at)
    EXPECT_EQ(text_of(all[at], "request"), '"' + std::to_string(at) + '"');
  const std::string report = testing::internal::GetCapturedStderr();
  EXPECT_THAT(report, HasSubstr("the audit journal cannot grow"));
  EXPECT_EQ(std::count(report.begin(), report.end(), '\n'), 1) << report;
  journal.reset();
  refused += Kinds(take(*open())).folded;
  EXPECT_EQ(refused, 1000);
}

}  // namespace
}  // namespace toolhost::observability
