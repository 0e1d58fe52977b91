#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "base/json.hpp"
#include "observability/log.hpp"

namespace toolhost::observability {
namespace {

namespace fs = std::filesystem;

class AuditJournal : public testing::Test {
 protected:
  AuditJournal() {
    std::string pattern = (fs::temp_directory_path() / "toolhost-audit-XXXXXX").string();
    root_ = ::mkdtemp(pattern.data());
    directory_ = root_ / "state" / "audit";
  }
  ~AuditJournal() override { fs::remove_all(root_); }

  std::unique_ptr<EventSink> open() {
    auto journal = create_audit_journal(directory_);
    EXPECT_TRUE(journal.has_value());
    return std::move(*journal);
  }

  [[nodiscard]] fs::path file() const {
    for (const auto& entry : fs::directory_iterator(directory_)) return entry.path();
    return {};
  }

  [[nodiscard]] std::vector<std::string> lines() const {
    std::vector<std::string> all;
    for (const auto& entry : fs::directory_iterator(directory_)) {  // two when midnight passes during the test
      std::ifstream in(entry.path());
      for (std::string line; std::getline(in, line);) all.push_back(line);
    }
    return all;
  }

  static void emit(EventSink& journal, std::string_view request_id, std::string_view tool = "create_ticket") {
    journal.emit(ToolCalled{.caller = kCaller,
                            .tool = tool,
                            .plugin = "tickets",
                            .request_id = request_id,
                            .outcome = "ok",
                            .duration = std::chrono::microseconds(1500),
                            .detail = "never in the journal"});
  }

  static inline const Caller kCaller{
      .tenant = "demo", .time_zone = "UTC", .key_prefix = "hdsk_abcdef", .principal = "ann@example.com"};
  fs::path root_;
  fs::path directory_;
};

TEST_F(AuditJournal, WritesCallsAndKeyChangesAndNothingElse) {
  auto journal = open();
  emit(*journal, "r1", "evil\n{\"tool\":\"x\"}\x1b[2J");
  journal->emit(
      KeyChanged{.change = KeyChange::kCreated, .tenant = "demo", .key_prefix = "hdsk_abcdef", .name = "laptop"});
  journal->emit(HostNotice{.severity = Severity::kError, .component = "host", .message = "x"});
  journal.reset();
  const auto all = lines();
  ASSERT_EQ(all.size(), 2u);
  json::Document document;
  const auto call = document.parse(all[0]);
  ASSERT_TRUE(call.has_value()) << all[0];
  EXPECT_EQ(json::find(*call, "event").get_string().value(), "tool_called");
  EXPECT_EQ(json::find(*call, "principal").get_string().value(), "ann@example.com");
  EXPECT_EQ(json::find(*call, "tool").get_string().value(), "evil\n{\"tool\":\"x\"}\x1b[2J");
  EXPECT_EQ(json::find(*call, "duration_us").get_int64().value(), 1500);
  EXPECT_EQ(all[0].find("never in the journal"), std::string::npos);
  const auto key = document.parse(all[1]);
  ASSERT_TRUE(key.has_value()) << all[1];
  EXPECT_EQ(json::find(*key, "event").get_string().value(), "key_created");
}

TEST_F(AuditJournal, IsPrivateAndNamedAfterTheDay) {
  auto journal = open();
  emit(*journal, "r1");
  journal.reset();
  struct stat status{};
  ASSERT_EQ(::stat(directory_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700u);
  ASSERT_EQ(::stat(file().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  const std::string name = file().filename().string();
  EXPECT_EQ(name.size(), std::string("audit-2026-01-31.jsonl").size());
  EXPECT_EQ(lines()[0].substr(9, 10), name.substr(6, 10)) << "the day of the line and of the file";
}

TEST_F(AuditJournal, ReachesTheKernelWithinMillisecondsWithoutAnotherEvent) {
  auto journal = open();
  for (const int expected : {1, 2}) {  // a fresh writer, and one that went to sleep
    emit(*journal, "r" + std::to_string(expected));
    const auto start = std::chrono::steady_clock::now();
    while (lines().size() < static_cast<std::size_t>(expected)) {
      ASSERT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1300));
  }
}

TEST_F(AuditJournal, KeepsEveryLineOfManyThreads) {
  constexpr int kThreads = 4;
  constexpr int kEvents = 20'000;
  auto journal = open();
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int event = 0; event < kEvents; ++event)
        emit(*journal, std::to_string(thread) + "-" + std::to_string(event));
    });
  }
  for (auto& thread : threads) thread.join();
  journal.reset();
  std::vector<int> next(kThreads, 0);
  for (const auto& line : lines()) {
    json::Document document;
    const auto parsed = document.parse(line);
    ASSERT_TRUE(parsed.has_value()) << line;
    const std::string id(json::find(*parsed, "request").get_string().value());
    const auto dash = id.find('-');
    const auto thread = static_cast<std::size_t>(std::stoi(id));
    EXPECT_EQ(std::stoi(id.substr(dash + 1)), next[thread]++);  // in order, none lost, none twice
  }
  EXPECT_EQ(next, std::vector<int>(kThreads, kEvents));
}

TEST_F(AuditJournal, AppendsAfterARestartAndEndsATornLine) {
  open().reset();
  {
    std::ofstream(file(), std::ios::app) << "{\"torn\":";
  }
  auto journal = open();
  emit(*journal, "after");
  journal.reset();
  const auto all = lines();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0], "{\"torn\":");
  EXPECT_NE(all[1].find("\"request\":\"after\""), std::string::npos);
}

TEST_F(AuditJournal, SaysWhyItCannotOpen) {
  std::ofstream(root_ / "state") << "a file where a directory should be";
  const auto journal = create_audit_journal(directory_);
  ASSERT_TRUE(journal.has_error());
  EXPECT_EQ(journal.error().code, Errc::kUnavailable);
  EXPECT_NE(journal.error().message.find(directory_.string()), std::string::npos);
  EXPECT_NE(journal.error().message.find("Not a directory"), std::string::npos) << journal.error().message;
}

/// The disk that is full: writes beyond a file size limit fail with EFBIG until the limit is lifted.
TEST_F(AuditJournal, WaitsOutAFullDiskReportsItAndLosesNothing) {
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  testing::internal::CaptureStderr();
  auto journal = open();
  const rlimit small{.rlim_cur = 1000, .rlim_max = old.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  for (int event = 0; event < 100; ++event) emit(*journal, "r" + std::to_string(event));
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_LE(fs::file_size(file()), 1000u);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old), 0);
  const auto start = std::chrono::steady_clock::now();
  while (lines().size() < 100 && std::chrono::steady_clock::now() - start < std::chrono::seconds(5)) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  journal.reset();
  const std::string report = testing::internal::GetCapturedStderr();
  const auto all = lines();
  ASSERT_EQ(all.size(), 100u);
  json::Document document;
  for (const auto& line : all) EXPECT_TRUE(document.parse(line).has_value()) << line;
  EXPECT_NE(report.find("cannot write the audit journal"), std::string::npos) << report;
  EXPECT_EQ(std::count(report.begin(), report.end(), '\n'), 1) << report;
}

TEST_F(AuditJournal, CountsWhatIsLostWhenItEndsOnAFullDisk) {
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  testing::internal::CaptureStderr();
  auto journal = open();
  std::ofstream(file(), std::ios::app) << std::string(3999, 'x') << '\n';  // the report on standard error still fits
  const rlimit full{.rlim_cur = 4000, .rlim_max = old.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &full), 0);
  for (int event = 0; event < 7; ++event) emit(*journal, "r");
  journal.reset();
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old), 0);
  const std::string report = testing::internal::GetCapturedStderr();
  EXPECT_NE(report.find("ends without 7 lines"), std::string::npos) << report;
}

TEST_F(AuditJournal, MakesEmittersWaitInsteadOfDroppingWhenTheQueueIsFull) {
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  testing::internal::CaptureStderr();
  auto journal = open();
  const rlimit none{.rlim_cur = 0, .rlim_max = old.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &none), 0);
  constexpr int kEvents = 14'000;  // of about 4 KB: 16 MiB in the queue, 16 MiB with the writer, and more
  const std::string tool(4000, 't');
  std::atomic<int> emitted = 0;
  std::thread emitter([&] {
    for (; emitted < kEvents; ++emitted) emit(*journal, std::to_string(emitted.load()), tool);
  });
  int before = -1;
  while (before != emitted) {
    before = emitted;
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
  }
  EXPECT_GT(before, 3000);
  EXPECT_LT(before, kEvents);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old), 0);
  emitter.join();
  journal.reset();
  testing::internal::GetCapturedStderr();
  EXPECT_EQ(lines().size(), static_cast<std::size_t>(kEvents));
}

}  // namespace
}  // namespace toolhost::observability
