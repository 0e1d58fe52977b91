// kill -9 of PostgreSQL under traffic: what was answered stays, nothing is there twice, and every connection recovers
// by itself.
#include <signal.h>

#include <array>
#include <atomic>
#include <set>
#include <thread>

#include "integration/storage/notes.hpp"

namespace toolhost::storage {
namespace {

using namespace std::chrono_literals;

class PostgresLossTest : public NotesTest {};

TEST_F(PostgresLossTest, EveryAnsweredWriteIsThereOnceAfterTheServerWasKilled) {
  constexpr int kThreads = 4;
  constexpr int kEach = 500;
  std::array<std::set<std::int64_t>, kThreads> answered;
  std::atomic<int> done{0};
  std::atomic<int> failures{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      auto connection = connect();
      for (int i = 0; i < kEach; ++i) {
        const std::int64_t n = t * kEach + i;
        const std::vector<SqlValue> parameters{integer(n)};
        connection->begin({.tenant = acme_, .deadline = Deadline::after(5s)});
        const auto made =
            connection->execute("insert into notes (body, n) values ('x', $1)", parameters, Finish::kCommit);
        if (made) {
          answered[static_cast<std::size_t>(t)].insert(n);
        } else {
          EXPECT_EQ(made.error().code, Errc::kUnavailable) << made.error().detail;
          ++failures;
          std::this_thread::sleep_for(5ms);
        }
        ++done;
      }
    });
  }
  auto& server = postgres_.server();
  while (done < kThreads * kEach / 4) std::this_thread::sleep_for(1ms);
  const pid_t killed = server.pid();
  ::kill(killed, SIGKILL);
  const auto begun = std::chrono::steady_clock::now();
  while (server.pid() == killed || server.pid() < 0) {
    server.supervise();
    std::this_thread::sleep_for(20ms);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 5s);
  for (std::thread& thread : threads) thread.join();

  EXPECT_GT(failures, 0) << "the kill was not noticed: the test proves nothing";
  std::int64_t kept = 0;
  for (const auto& numbers : answered) {
    kept += static_cast<std::int64_t>(numbers.size());
    for (const std::int64_t n : numbers)
      ASSERT_EQ(number_as(acme_, "select count(*) from notes where n = " + std::to_string(n)), 1) << n;
  }
  EXPECT_GT(kept, kThreads * kEach / 4);
  EXPECT_EQ(number_as(acme_, "select count(*) from notes"), number_as(acme_, "select count(distinct n) from notes"));
}

TEST_F(PostgresLossTest, AServerThatHangsDoesNotHoldTheWorkerPastItsDeadline) {
  const int backend = static_cast<int>(number_as(acme_, "select pg_backend_pid()"));
  ASSERT_EQ(::kill(backend, SIGSTOP), 0);
  connection_->begin({.tenant = acme_, .deadline = Deadline::after(200ms)});
  const auto begun = std::chrono::steady_clock::now();
  const auto done = connection_->query("select 1", {}, Finish::kCommit);
  const auto took = std::chrono::steady_clock::now() - begun;
  ::kill(backend, SIGCONT);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Errc::kTimeout);
  EXPECT_LT(took, 2s);
  EXPECT_EQ(number_as(acme_, "select 7"), 7);
}

}  // namespace
}  // namespace toolhost::storage
