#include "access/usage_counter.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace toolhost::access {
namespace {

using namespace std::chrono_literals;
constexpr std::chrono::system_clock::time_point kNow{1000s};

TEST(UsageCounter, CountsByKeyAndKeepsTheLatestTime) {
  UsageCounter counter;
  counter.add(KeyId{1}, "list", false, kNow + 2s);
  counter.add(KeyId{1}, "list", false, kNow);
  counter.add(KeyId{2}, "list", false, kNow);
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
  counter.add(KeyId{1}, "list", false, kNow);
  const auto uses = counter.take();
  counter.add(KeyId{1}, "list", true, kNow + 5s);
  counter.restore(uses);
  const auto both = counter.take();
  ASSERT_EQ(both.size(), 1U);
  EXPECT_EQ(both[0].calls, 2);
  EXPECT_EQ(both[0].last_used, kNow + 5s);
  ASSERT_EQ(both[0].tools.size(), 1U);
  EXPECT_EQ(both[0].tools[0].calls, 2);
  EXPECT_EQ(both[0].tools[0].errors, 1);
}

TEST(UsageCounter, TellsToolsAndDaysApart) {
  constexpr std::chrono::sys_days kDay = std::chrono::year{2031} / 3 / 1;
  UsageCounter counter;
  counter.add(KeyId{1}, "list", false, kDay - 1s);
  counter.add(KeyId{1}, "list", true, kDay);
  counter.add(KeyId{1}, "create", false, kDay + 24h - 1s);
  counter.add(KeyId{1}, "", true, kDay);
  counter.add(KeyId{1}, "list", false, kDay);
  const auto uses = counter.take();
  ASSERT_EQ(uses.size(), 1U);
  std::vector<std::string> days;
  for (const auto& use : uses[0].tools)
    days.push_back(std::to_string((use.day - kDay).count()) + use.tool + std::to_string(use.calls) +
                   std::to_string(use.errors));
  EXPECT_EQ(days, (std::vector<std::string>{"-1list10", "0list21", "0create10", "011"}));
}

TEST(UsageCounter, LosesNothingBetweenThreads) {
  UsageCounter counter;
  std::int64_t total = 0, errors = 0;
  const auto take = [&] {
    for (const auto& use : counter.take()) {
      total += use.calls;
      for (const auto& tool : use.tools) errors += tool.errors;
    }
  };
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 2000; ++i) counter.add(KeyId{1}, "list", i % 4 == 0, kNow);
    });
  }
  for (int i = 0; i < 100; ++i) take();
  for (auto& thread : threads) thread.join();
  take();
  EXPECT_EQ(total, 8000);
  EXPECT_EQ(errors, 2000);
}

}  // namespace
}  // namespace toolhost::access
