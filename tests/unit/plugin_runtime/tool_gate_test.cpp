#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "runner_fixture.hpp"

namespace toolhost::plugin_runtime {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

/// A runner whose tool runs few calls at a time, and a second tool without a limit.
struct ToolGate : testing::Test {
  void start(ToolRunner::Config config, unsigned max_concurrency) {
    fixture = std::make_unique<RunnerFixture>(std::move(config));
    fixture->binding.max_concurrency = max_concurrency;
    free_binding.runner = &fixture->runner();
    free_binding.handle = [](void*, void*, th_call*) -> th_status { return TH_OK; };
  }
  /// A call of the tool without a limit.
  Outcome call_free() {
    auto call = std::make_shared<ToolCall>();
    call->tool = &fixture->tool;
    call->caller = fixture->caller;
    call->document = json::acquire_document();
    call->arguments = call->document->parse("{}").value();
    std::promise<Outcome> ended;
    call->on_done = [&](ToolCall&, ToolResult&& result) { ended.set_value(result.outcome); };
    fixture->runner().run(call, free_binding);
    return ended.get_future().get();
  }

  std::unique_ptr<RunnerFixture> fixture;
  ToolBinding free_binding;
  Gate gate;
};

TEST_F(ToolGate, NeverRunsMoreAtATimeThanTheToolSays) {
  for (const unsigned limit : {1U, 3U}) {
    start({.workers = 8}, limit);
    std::atomic<int> inside{0}, most{0}, ran{0};
    fixture->handler = [&](th_call*) {
      const int now = ++inside;
      int before = most.load();
      while (now > before && !most.compare_exchange_weak(before, now)) {
      }
      std::this_thread::yield();
      --inside;
      ++ran;
      return TH_OK;
    };
    std::vector<RunnerFixture::Answer> answers;
    for (int i = 0; i < 200; ++i) {
      fixture->set_tenant(TenantId{1 + i % 5});
      answers.push_back(fixture->call());
    }
    for (auto& answer : answers) EXPECT_EQ(answer.result.get().outcome, Outcome::kOk);
    EXPECT_EQ(ran, 200);
    EXPECT_LE(most, static_cast<int>(limit));
    fixture.reset();
  }
}

TEST_F(ToolGate, HoldsNoWorkerWithCallsThatWaitForTheirTurn) {
  start({.workers = 2}, 1);
  fixture->handler = [&](th_call*) {
    gate.wait();
    return TH_OK;
  };
  auto first = fixture->call();
  gate.wait_for_waiters(1);
  std::vector<RunnerFixture::Answer> behind;
  for (int i = 0; i < 20; ++i) behind.push_back(fixture->call());
  fixture->set_tenant(TenantId{8});
  EXPECT_EQ(call_free(), Outcome::kOk) << "the second worker is free for other tools";
  EXPECT_EQ(fixture->runner().load().queued, 20U);
  gate.open();
  EXPECT_EQ(first.result.get().outcome, Outcome::kOk);
  for (auto& answer : behind) EXPECT_EQ(answer.result.get().outcome, Outcome::kOk);
}

TEST_F(ToolGate, TakesTenantsInTurn) {
  start({.workers = 4}, 1);
  std::mutex mutex;
  std::string order;
  fixture->handler = [&](th_call* call) {
    gate.wait();
    const std::lock_guard lock(mutex);
    order += std::to_string(value(call->start.call->caller->tenant_id));
    return TH_OK;
  };
  std::vector<RunnerFixture::Answer> answers;
  answers.push_back(fixture->call());
  gate.wait_for_waiters(1);
  for (const int tenant : {1, 1, 1, 2, 2, 3}) {
    fixture->set_tenant(TenantId{tenant});
    answers.push_back(fixture->call());
  }
  gate.open();
  for (auto& answer : answers) answer.result.get();
  EXPECT_EQ(order, "7123121");
}

TEST_F(ToolGate, AnswersWhoWaitsAtItsDeadlineAndWhenItIsCancelled) {
  start({.workers = 2}, 1);
  fixture->handler = [&](th_call*) {
    gate.wait();
    return TH_OK;
  };
  auto first = fixture->call();
  gate.wait_for_waiters(1);
  auto late = fixture->call("{}", Deadline::after(milliseconds(20)));
  auto cancelled = fixture->call();
  cancelled.call->cancel();
  EXPECT_EQ(cancelled.result.get().outcome, Outcome::kCancelled);
  const auto timed_out = late.result.get();
  EXPECT_EQ(timed_out.outcome, Outcome::kTimeout);
  EXPECT_THAT(timed_out.content_json, HasSubstr("too busy to start"));
  gate.open();
  EXPECT_EQ(first.result.get().outcome, Outcome::kOk);
  EXPECT_EQ(fixture->call().result.get().outcome, Outcome::kOk) << "no place was lost";
}

TEST_F(ToolGate, CountsWhoWaitsAtItAgainstTheTenantsQueue) {
  start({.workers = 2, .max_queued_calls = 3}, 1);
  fixture->handler = [&](th_call*) {
    gate.wait();
    return TH_OK;
  };
  std::vector<RunnerFixture::Answer> answers;
  answers.push_back(fixture->call());
  gate.wait_for_waiters(1);
  for (int i = 0; i < 3; ++i) answers.push_back(fixture->call());
  EXPECT_EQ(fixture->call().result.get().outcome, Outcome::kLimit);
  EXPECT_EQ(call_free(), Outcome::kLimit) << "the tenant's queue is one, whatever the tool";
  fixture->set_tenant(TenantId{8});
  EXPECT_EQ(call_free(), Outcome::kOk);
  gate.open();
  for (auto& answer : answers) EXPECT_EQ(answer.result.get().outcome, Outcome::kOk);
}

TEST_F(ToolGate, StaysShutWhileALostHandlerRuns) {
  start({.workers = 2, .lost_worker_grace = milliseconds(20)}, 1);
  std::atomic<int> runs{0};
  fixture->handler = [&](th_call*) {
    if (runs++ == 0) gate.wait();
    return TH_OK;
  };
  auto lost = fixture->call("{}", Deadline::after(milliseconds(500)));
  gate.wait_for_waiters(1);
  EXPECT_EQ(lost.result.get().outcome, Outcome::kTimeout);
  ASSERT_TRUE(fixture->events.wait_for("overstay"));
  auto next = fixture->call("{}", Deadline::after(milliseconds(30)));
  EXPECT_EQ(next.result.get().outcome, Outcome::kTimeout) << "one at a time, also behind one that overstays";
  EXPECT_EQ(runs, 1);
  gate.open();
  EXPECT_EQ(fixture->call().result.get().outcome, Outcome::kOk);
  fixture->wait_for_lost_handlers();
}

TEST_F(ToolGate, AnswersWhoWaitsWhenTheRunnerStops) {
  start({.workers = 2, .lost_worker_grace = milliseconds(5'000)}, 1);
  fixture->handler = [&](th_call* call) {
    gate.wait();
    while (calls().cancelled(call) == 0) std::this_thread::yield();
    return TH_E_CANCELLED;
  };
  auto first = fixture->call();
  gate.wait_for_waiters(1);
  auto second = fixture->call();
  gate.open();
  EXPECT_TRUE(fixture->stop());
  EXPECT_EQ(first.result.get().outcome, Outcome::kCancelled);
  EXPECT_EQ(second.result.get().outcome, Outcome::kUnavailable);
}

}  // namespace
}  // namespace toolhost::plugin_runtime
