#include "plugin_runtime/executor.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <thread>

#include "runner_fixture.hpp"

namespace toolhost::plugin_runtime {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

const th_executor_api& executor() {
  return service<th_executor_api>(TH_SVC_EXECUTOR);
}

/// What a plugin hands over: a C function and its context.
struct Function {
  std::function<void()> body;
  static void run(void* context) { static_cast<Function*>(context)->body(); }
};

struct ExecutorService : testing::Test {
  th_status submit(Function& function) { return executor().submit(&fixture.host, Function::run, &function); }
  th_status after(milliseconds delay, Function& function) {
    return executor().after(&fixture.host, std::chrono::microseconds(delay).count(), Function::run, &function);
  }
  RunnerFixture fixture;
};

TEST_F(ExecutorService, RunsWhatEveryThreadSubmitsOnce) {
  std::atomic<int> ran{0};
  Function count{[&] { ++ran; }};
  std::atomic<int> taken{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) taken += submit(count) == TH_OK ? 1 : 0;
    });
  for (auto& thread : threads) thread.join();
  EXPECT_TRUE(fixture.stop(milliseconds(1'000)));
  EXPECT_EQ(ran, taken);
  EXPECT_GT(ran, 0);
}

TEST_F(ExecutorService, RunsLaterInTheOrderOfTime) {
  std::mutex mutex;
  std::string order;
  std::promise<void> last;
  const auto note = [&](char c) {
    const std::lock_guard lock(mutex);
    order += c;
    if (order.size() == 3) last.set_value();
  };
  Function a{[&] { note('a'); }}, b{[&] { note('b'); }}, c{[&] { note('c'); }};
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(after(milliseconds(120), c), TH_OK);
  EXPECT_EQ(after(milliseconds(40), b), TH_OK);
  EXPECT_EQ(submit(a), TH_OK);
  ASSERT_EQ(last.get_future().wait_for(seconds(10)), std::future_status::ready);
  EXPECT_EQ(order, "abc");
  EXPECT_GE(std::chrono::steady_clock::now() - began, milliseconds(120));
}

TEST_F(ExecutorService, DoesNotWaitForALongOneToRunWhatIsDue) {
  Gate gate;
  std::promise<void> ran;
  Function blocks{[&] { gate.wait(); }}, due{[&] { ran.set_value(); }};
  EXPECT_EQ(after(milliseconds(20), due), TH_OK);
  EXPECT_EQ(submit(blocks), TH_OK);
  EXPECT_EQ(ran.get_future().wait_for(seconds(10)), std::future_status::ready);
  gate.open();
  EXPECT_TRUE(fixture.stop());
}

TEST_F(ExecutorService, RefusesWhatItCannotKeep) {
  Gate gate;
  Function blocks{[&] { gate.wait(); }}, nothing{[] {}};
  for (unsigned i = 0; i < TH_EXECUTOR_THREADS; ++i) EXPECT_EQ(submit(blocks), TH_OK);
  gate.wait_for_waiters(TH_EXECUTOR_THREADS);
  for (unsigned i = 0; i < TH_EXECUTOR_MAX_WAITING; ++i) ASSERT_EQ(submit(nothing), TH_OK);
  EXPECT_EQ(submit(nothing), TH_E_LIMIT);
  EXPECT_EQ(executor().submit(&fixture.host, nullptr, nullptr), TH_E_MISUSE);
  EXPECT_EQ(executor().submit(nullptr, Function::run, &nothing), TH_E_MISUSE);
  EXPECT_EQ(executor().after(&fixture.host, -1, Function::run, &nothing), TH_E_INVALID);
  EXPECT_EQ(executor().after(&fixture.host, INT64_MAX, Function::run, &nothing), TH_E_INVALID);
  gate.open();
  EXPECT_TRUE(fixture.stop());
}

TEST_F(ExecutorService, CutsWaitsShortWhenItStopsAndTakesNoMore) {
  std::atomic<bool> ran{false};
  th_status again = TH_OK;
  Function periodic;
  periodic.body = [&] {
    ran = true;
    again = after(milliseconds(3'600'000), periodic);
  };
  EXPECT_EQ(after(milliseconds(3'600'000), periodic), TH_OK);
  EXPECT_TRUE(fixture.stop());
  EXPECT_TRUE(ran);
  EXPECT_EQ(again, TH_E_UNAVAILABLE);
  EXPECT_EQ(submit(periodic), TH_E_UNAVAILABLE);
}

TEST_F(ExecutorService, ReportsAnExceptionThatLeavesAFunction) {
  Function bad{[] { throw std::runtime_error("lost"); }};
  EXPECT_EQ(submit(bad), TH_OK);
  ASSERT_TRUE(fixture.events.wait_for("exception-escaped"));
  EXPECT_THAT(fixture.events.reports().at(0).detail, HasSubstr("lost"));
}

TEST(Executor, SaysThatAFunctionHasNotReturned) {
  RunnerFixture fixture;
  // Lives for ever, as the plugin that has it does then.
  static auto& executor = *new Executor(fixture.host);
  Gate gate;
  std::promise<void> returned;
  EXPECT_EQ(executor.submit([&] {
    gate.wait();
    returned.set_value();
  }),
            TH_OK);
  gate.wait_for_waiters(1);
  EXPECT_FALSE(executor.stop(milliseconds(10)));
  gate.open();
  returned.get_future().wait();
}

}  // namespace
}  // namespace toolhost::plugin_runtime
