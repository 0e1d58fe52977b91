// A process that writes the journal is killed at random points, many times: what emit() has returned from is there.
#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <map>
#include <random>
#include <thread>

#include "base/json.hpp"
#include "support/journal_fixture.hpp"

namespace toolhost::observability {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kThreads = 3;
constexpr int kRounds = 30;
constexpr const char* kVariable = "TOOLHOST_TEST_JOURNAL";

/// How many records each thread has been answered for, in memory that outlives the process.
struct Answered {
  std::array<std::atomic<int>, kThreads> by_thread{};
};

Answered& answered_in(const fs::path& file) {
  const int descriptor = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  EXPECT_EQ(::ftruncate(descriptor, sizeof(Answered)), 0);
  void* const mapped = ::mmap(nullptr, sizeof(Answered), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  EXPECT_NE(mapped, MAP_FAILED);
  ::close(descriptor);
  return *static_cast<Answered*>(mapped);
}

class AuditJournalKillTest : public test_support::JournalFixture {
 protected:
  /// This program again, running the writer below, which never ends.
  [[nodiscard]] pid_t start_writer() const {
    const std::string variable = std::string(kVariable) + "=" + root_.string();
    ::putenv(const_cast<char*>(variable.c_str()));
    std::string program = "/proc/self/exe", filter = "--gtest_filter=AuditJournalKillTest.DISABLED_Writer",
                disabled = "--gtest_also_run_disabled_tests", brief = "--gtest_brief=1";
    char* const arguments[] = {program.data(), filter.data(), disabled.data(), brief.data(), nullptr};
    pid_t pid = -1;
    EXPECT_EQ(::posix_spawn(&pid, program.c_str(), nullptr, nullptr, arguments, environ), 0);
    ::unsetenv(kVariable);
    return pid;
  }
};

TEST_F(AuditJournalKillTest, DISABLED_Writer) {
  const char* root = std::getenv(kVariable);
  if (root == nullptr) GTEST_SKIP() << "only for the test below";
  fs::remove_all(root_);  // its own is not needed, and it will be killed
  Answered& answered = answered_in(fs::path(root) / "answered");
  auto journal = open(fs::path(root) / "audit");
  ASSERT_NE(journal, nullptr);
  std::vector<std::thread> threads;
  for (std::size_t thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int next = answered.by_thread[thread];; ++next) {
        emit(*journal, std::to_string(thread) + "-" + std::to_string(next));
        answered.by_thread[thread] = next + 1;
        if (next % 8 == 0) std::this_thread::sleep_for(std::chrono::microseconds(100));
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

TEST_F(AuditJournalKillTest, LosesNoRecordThatWasAnsweredAndDoublesNone) {
  Answered& answered = answered_in(root_ / "answered");
  std::minstd_rand dice(static_cast<unsigned>(::getpid()));
  std::map<std::string, int> seen;
  for (int round = 0; round < kRounds; ++round) {
    const auto total = [&] { return answered.by_thread[0] + answered.by_thread[1] + answered.by_thread[2]; };
    const int before = total();
    const pid_t writer = start_writer();
    for (int wait = 0; wait < 5000 && total() == before; ++wait)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    std::this_thread::sleep_for(std::chrono::microseconds(dice() % 60'000));
    ::kill(writer, SIGKILL);
    ASSERT_EQ(::waitpid(writer, nullptr, 0), writer);
    ASSERT_GT(total(), before) << "it has written";
    if (round % 3 != 2) continue;  // what several processes have left is read at once
    auto journal = open(root_ / "audit");
    for (const std::string& text : take(*journal)) {
      json::Document document;
      const auto record = document.parse(text);
      ASSERT_TRUE(record) << text;
      ++seen[std::string(json::find(*record, "request").get_string().value())];
    }
  }
  std::size_t expected = 0;
  for (std::size_t thread = 0; thread < kThreads; ++thread) {
    for (int number = 0; number < answered.by_thread[thread]; ++number, ++expected) {
      const std::string id = std::to_string(thread) + "-" + std::to_string(number);
      const auto found = seen.find(id);
      ASSERT_NE(found, seen.end()) << id << " of " << answered.by_thread[thread] << " was answered and is lost";
      // The one that was being written when the process was killed is written again by the next one.
      ASSERT_LE(found->second, 1 + kRounds) << id;
    }
  }
  std::size_t doubled = 0;
  for (const auto& [id, count] : seen) doubled += count > 1 ? 1 : 0;
  EXPECT_LE(doubled, kRounds * kThreads) << "at most one of each thread and kill";
  RecordProperty("answered", static_cast<int>(expected));
}

}  // namespace
}  // namespace toolhost::observability
