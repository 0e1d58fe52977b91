#include "plugin_runtime/fair_queue.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <random>
#include <string>

namespace toolhost::plugin_runtime {
namespace {

using Queue = FairQueue<std::string>;

constexpr TenantId kA{1}, kB{2}, kC{3};

Queue::Pushed push(Queue& queue, TenantId tenant, std::string item) {
  return queue.push(tenant, item);
}

/// Takes everything that is ready; nobody gives back a worker.
std::string pop_all(Queue& queue) {
  std::string seen;
  while (queue.ready() > 0) seen += queue.pop().first + " ";
  return seen;
}

TEST(FairQueue, TakesTenantsInTurnAndTheirCallsInOrder) {
  Queue queue({.running_of_tenant = 100});
  for (const auto* const item : {"a1", "a2", "a3", "a4"}) push(queue, kA, item);
  for (const auto* const item : {"b1", "b2"}) push(queue, kB, item);
  push(queue, kC, "c1");
  EXPECT_EQ(pop_all(queue), "a1 b1 c1 a2 b2 a3 a4 ");
  EXPECT_EQ(queue.waiting(), 0U);
}

TEST(FairQueue, HoldsATenantToItsShareOfTheWorkers) {
  Queue queue({.running_of_tenant = 2});
  for (const auto* const item : {"a1", "a2"}) EXPECT_EQ(push(queue, kA, item), Queue::Pushed::kReady);
  EXPECT_EQ(push(queue, kA, "a3"), Queue::Pushed::kNotReady);
  EXPECT_EQ(queue.ready(), 2U);
  auto* const tenant = queue.pop().second;
  queue.pop();
  EXPECT_EQ(queue.ready(), 0U);
  EXPECT_EQ(queue.waiting(), 1U);
  EXPECT_EQ(push(queue, kB, "b1"), Queue::Pushed::kReady) << "others are not held up";
  queue.release(*tenant);
  EXPECT_EQ(pop_all(queue), "b1 a3 ");
}

TEST(FairQueue, IsBoundedForATenantAndForAll) {
  Queue queue({.waiting_of_tenant = 2, .waiting = 3});
  push(queue, kA, "a1");
  push(queue, kA, "a2");
  std::string item = "a3";
  EXPECT_EQ(queue.push(kA, item), Queue::Pushed::kTenantIsFull);
  EXPECT_EQ(item, "a3") << "it was not taken";
  EXPECT_EQ(push(queue, kB, "b1"), Queue::Pushed::kReady);
  EXPECT_EQ(push(queue, kB, "b2"), Queue::Pushed::kFull);
  EXPECT_EQ(push(queue, kC, "c1"), Queue::Pushed::kReady) << "others have filled it; who waits for nothing gets in";
}

TEST(FairQueue, GoesOnInTurnAfterSomeWereTakenOut) {
  Queue queue({.running_of_tenant = 1});
  for (const auto* const item : {"a1", "x", "a2"}) push(queue, kA, item);
  push(queue, kB, "x");
  push(queue, kC, "c1");
  queue.remove_if([](const std::string& item) { return item == "x"; });
  EXPECT_EQ(queue.waiting(), 3U);
  EXPECT_EQ(queue.ready(), 2U);
  EXPECT_EQ(pop_all(queue), "a1 c1 ");
  EXPECT_EQ(queue.take_all(), (std::vector<std::string>{"a2"}));
  EXPECT_EQ(queue.waiting(), 0U);
}

TEST(FairQueue, KeepsTheTurnOfTenantsThroughSweeps) {
  constexpr int kTenants = 20;
  constexpr std::size_t kWorkers = 8;
  Queue queue({.running_of_tenant = 6});
  for (int id = kTenants; id > 0; --id) {
    for (int i = 0; i < 3; ++i) push(queue, TenantId{id}, std::to_string(id));
    push(queue, TenantId{id}, "x");
  }
  std::deque<std::pair<std::string, Queue::Tenant*>> running;
  std::map<std::string, int> served;
  for (int i = 0; i < 5 * kTenants; ++i) {
    // One sweep finds nothing to take out, the next one something of a tenant somewhere in the line.
    bool takes = i % 2 == 1;
    queue.remove_if([&](const std::string& item) { return item == "x" && std::exchange(takes, false); });
    if (running.size() == kWorkers) {
      auto [item, tenant] = running.front();
      running.pop_front();
      queue.release(*tenant);
      push(queue, TenantId{std::stoi(item)}, item);  // always busy
    }
    while (running.size() < kWorkers) {
      auto popped = queue.pop();
      ++served[popped.first];
      running.push_back(std::move(popped));
    }
  }
  served.erase("x");
  EXPECT_EQ(served.size(), kTenants);
  for (const auto& [tenant, times] : served) EXPECT_GE(times, 4) << tenant;
}

TEST(FairQueue, TakesOutTheEndOfTheLineAndGoesOnBehindIt) {
  Queue queue({.running_of_tenant = 1});
  push(queue, kA, "a1");
  push(queue, kB, "x");
  queue.remove_if([](const std::string& item) { return item == "x"; });
  push(queue, kC, "c1");
  push(queue, kB, "b1");
  EXPECT_EQ(pop_all(queue), "a1 c1 b1 ");
  push(queue, TenantId{9}, "x");
  queue.remove_if([](const std::string& item) { return item == "x"; });
  push(queue, TenantId{8}, "d1");
  EXPECT_EQ(pop_all(queue), "d1 ") << "after the line had become empty";
}

TEST(FairQueue, ForgetsTenantsAtRestWithoutLosingOthers) {
  Queue queue({.running_of_tenant = 1});
  push(queue, kA, "a1");
  push(queue, kA, "a2");
  auto* const tenant = queue.pop().second;
  for (std::int32_t id = 10; id < 5'000; ++id) {
    push(queue, TenantId{id}, "x");
    queue.release(*queue.pop().second);
  }
  queue.release(*tenant);
  EXPECT_EQ(pop_all(queue), "a2 ");
}

TEST(FairQueue, AgreesWithASlowModel) {
  // The counts are kept in step by hand; here they are counted.
  constexpr std::size_t kShare = 3;
  Queue queue({.waiting_of_tenant = 8, .waiting = 30, .running_of_tenant = kShare});
  std::map<int, std::deque<std::string>> waiting;
  std::vector<std::pair<int, Queue::Tenant*>> running;
  std::minstd_rand random(7);
  for (int step = 0; step < 200'000; ++step) {
    const auto runs_of = [&](int tenant) {
      return static_cast<std::size_t>(
          std::count_if(running.begin(), running.end(), [&](const auto& one) { return one.first == tenant; }));
    };
    const int tenant = static_cast<int>(random() % 6);
    switch (random() % 4) {
      case 0:
      case 1: {
        const auto item = std::to_string(tenant) + ":" + std::to_string(step);
        const auto pushed = push(queue, TenantId{tenant}, item);
        if (pushed == Queue::Pushed::kReady || pushed == Queue::Pushed::kNotReady) waiting[tenant].push_back(item);
        break;
      }
      case 2: {
        if (queue.ready() == 0) break;
        auto [item, holder] = queue.pop();
        const int of = item[0] - '0';
        ASSERT_EQ(item, waiting[of].front());
        ASSERT_LT(runs_of(of), kShare);
        waiting[of].pop_front();
        running.emplace_back(of, holder);
        break;
      }
      default:
        if (running.empty()) break;
        const auto at = random() % running.size();
        queue.release(*running[at].second);
        running.erase(running.begin() + static_cast<std::ptrdiff_t>(at));
    }
    if (step % 1'000 == 999) {
      queue.remove_if([](const std::string& item) { return item.back() == '7'; });
      for (auto& [of, items] : waiting) std::erase_if(items, [](const auto& item) { return item.back() == '7'; });
    }
    std::size_t all = 0, ready = 0;
    for (const auto& [of, items] : waiting) {
      all += items.size();
      ready += std::min(items.size(), kShare - runs_of(of));
    }
    ASSERT_EQ(queue.waiting(), all);
    ASSERT_EQ(queue.ready(), ready);
  }
}

}  // namespace
}  // namespace toolhost::plugin_runtime
