#include "access/usage_counter.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace toolhost::access {
namespace {

using namespace std::chrono_literals;
constexpr std::chrono::system_clock::time_point kNow{1000s};

TEST(UsageCounter, CountsByKeyAndKeepsTheLatestTime) {
  UsageCounter counter;
  counter.add(KeyId{1}, kNow + 2s);
  counter.add(KeyId{1}, kNow);
  counter.add(KeyId{2}, kNow);
  auto uses = counter.take();
  ASSERT_EQ(uses.size(), 2U);
  std::sort(uses.begin(), uses.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  EXPECT_EQ(uses[0].calls, 2);
  EXPECT_EQ(uses[0].last_used, kNow + 2s);
  EXPECT_EQ(uses[1].calls, 1);
  EXPECT_TRUE(counter.take().empty());
}

TEST(UsageCounter, GetsBackWhatCouldNotBeWritten) {
  UsageCounter counter;
  counter.add(KeyId{1}, kNow);
  const auto uses = counter.take();
  counter.add(KeyId{1}, kNow + 5s);
  counter.restore(uses);
  const auto both = counter.take();
  ASSERT_EQ(both.size(), 1U);
  EXPECT_EQ(both[0].calls, 2);
  EXPECT_EQ(both[0].last_used, kNow + 5s);
}

TEST(UsageCounter, LosesNothingBetweenThreads) {
  UsageCounter counter;
  std::int64_t total = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 2000; ++i) counter.add(KeyId{1}, kNow);
    });
  }
  for (int i = 0; i < 100; ++i) {
    for (const auto& use : counter.take()) total += use.calls;
  }
  for (auto& thread : threads) thread.join();
  for (const auto& use : counter.take()) total += use.calls;
  EXPECT_EQ(total, 8000);
}

}  // namespace
}  // namespace toolhost::access
