#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <stdexcept>
#include <thread>

#include "runner_fixture.hpp"

namespace toolhost::plugin_runtime {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

/// Calls that handlers hand over, for other threads to end.
class Handed {
 public:
  void put(th_call* call) {
    const std::lock_guard lock(mutex_);
    calls_.push_back(call);
    changed_.notify_one();
  }
  th_call* take() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !calls_.empty(); });
    auto* const call = calls_.front();
    calls_.pop_front();
    return call;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<th_call*> calls_;
};

struct DeferredCalls : testing::Test {
  /// The handler defers its call and hands it over.
  void start(ToolRunner::Config config = {.workers = 2}) {
    fixture = std::make_unique<RunnerFixture>(std::move(config));
    fixture->handler = [this](th_call* call) {
      EXPECT_EQ(calls().defer(call), TH_OK);
      handed.put(call);
      return TH_PENDING;
    };
  }
  std::unique_ptr<RunnerFixture> fixture;
  Handed handed;
};

TEST_F(DeferredCalls, AreEndedByAnotherThreadWhileTheirWorkersServeOthers) {
  start({.workers = 1});
  std::vector<RunnerFixture::Answer> answers;
  for (int i = 0; i < 20; ++i) answers.push_back(fixture->call(R"({"n":)" + std::to_string(i) + "}"));
  std::vector<th_call*> open;
  for (int i = 0; i < 20; ++i) open.push_back(handed.take());
  EXPECT_EQ(fixture->runner().load().deferred, 20U) << "one worker, and none of them holds it";
  for (auto* const call : open) {
    EXPECT_EQ(calls().text(call, calls().args_json(call)), TH_OK);
    EXPECT_EQ(calls().complete(call, TH_OK), TH_OK);
    EXPECT_EQ(calls().text(call, str("late")), TH_E_MISUSE);
  }
  for (int i = 0; i < 20; ++i) {
    const auto result = answers[static_cast<std::size_t>(i)].result.get();
    EXPECT_EQ(result.outcome, Outcome::kOk);
    EXPECT_THAT(result.content_json, HasSubstr("{\\\"n\\\":" + std::to_string(i) + "}"));
  }
  EXPECT_EQ(fixture->runner().load().deferred, 0U);
}

TEST_F(DeferredCalls, MayBeCompletedByTheHandlerItself) {
  start();
  const auto result = fixture->run([](th_call* call) {
    EXPECT_EQ(calls().defer(call), TH_OK);
    EXPECT_EQ(calls().defer(call), TH_E_MISUSE);
    EXPECT_EQ(calls().text(call, str("at once")), TH_OK);
    EXPECT_EQ(calls().complete(call, TH_OK), TH_OK);
    return TH_PENDING;
  });
  EXPECT_THAT(result.content_json, HasSubstr("at once"));
  const auto returned = fixture->run([](th_call* call) {
    EXPECT_EQ(calls().defer(call), TH_OK);
    return calls().fail(call, TH_E_NOT_FOUND, str("Nothing there."));
  });
  EXPECT_THAT(returned.content_json, HasSubstr("Nothing there.")) << "returning a status completes it with that";
  EXPECT_TRUE(fixture->events.reports().empty());
}

TEST_F(DeferredCalls, FailAsOthersDo) {
  start({.workers = 2});
  fixture->tool.output_schema = *JsonSchema::compile(R"({"type":"object","required":["a"]})");
  auto failed = fixture->call();
  auto* call = handed.take();
  calls().complete(call, calls().fail(call, TH_E_CONFLICT, str("It exists.")));
  EXPECT_THAT(failed.result.get().content_json, HasSubstr("It exists."));
  auto misfit = fixture->call();
  call = handed.take();
  calls().structured(call, str(R"({"b":1})"));
  calls().complete(call, TH_OK);
  EXPECT_EQ(misfit.result.get().outcome, Outcome::kInternal);
  EXPECT_EQ(fixture->events.count("output-schema"), 1U);
  auto pending = fixture->call();
  calls().complete(handed.take(), TH_PENDING);
  EXPECT_EQ(pending.result.get().outcome, Outcome::kInternal);
  EXPECT_EQ(fixture->events.count("pending-not-deferred"), 1U);
}

TEST_F(DeferredCalls, ReportsTheSecondCompletion) {
  start();
  auto answer = fixture->call();
  auto* const call = handed.take();
  EXPECT_EQ(calls().complete(call, TH_OK), TH_OK);
  EXPECT_EQ(answer.result.get().outcome, Outcome::kOk);
  EXPECT_EQ(calls().complete(call, TH_OK), TH_E_MISUSE);
  EXPECT_EQ(fixture->events.count("completed-twice"), 1U);
  EXPECT_EQ(calls().on_cancel(call, [](void*) {}, nullptr), TH_E_MISUSE);
  EXPECT_EQ(calls().cancelled(call), 0);
  EXPECT_EQ(calls().complete(nullptr, TH_OK), TH_E_MISUSE);
}

TEST_F(DeferredCalls, RefusesWhatWasNotDeferred) {
  start();
  const auto pending = fixture->run([](th_call* call) {
    EXPECT_EQ(calls().complete(call, TH_OK), TH_E_MISUSE);
    EXPECT_EQ(calls().on_cancel(call, [](void*) {}, nullptr), TH_E_MISUSE);
    return TH_PENDING;
  });
  EXPECT_EQ(pending.outcome, Outcome::kInternal);
  EXPECT_EQ(fixture->events.count("pending-not-deferred"), 1U);
  fixture->run([](th_call* call) {
    EXPECT_EQ(db().exec(call, str("select 1"), nullptr, 0, 0, nullptr), TH_E_MISUSE) << "this plugin has none";
    EXPECT_EQ(calls().defer(call), TH_E_MISUSE) << "it has tried to use the database";
    return TH_OK;
  });
  fixture->run([](th_call* call) {
    std::thread([call] { EXPECT_EQ(calls().defer(call), TH_E_MISUSE); }).join();
    return TH_OK;
  });
  fixture->binding.runs_inline = true;
  fixture->run([](th_call* call) {
    EXPECT_EQ(calls().defer(call), TH_E_MISUSE);
    return TH_OK;
  });
}

TEST_F(DeferredCalls, AreAnsweredAtTheirDeadlineWhenNobodyCompletesThem) {
  start({.workers = 2, .lost_worker_grace = milliseconds(20)});
  auto answer = fixture->call("{}", Deadline::after(milliseconds(30)));
  auto* const call = handed.take();
  EXPECT_EQ(answer.result.get().outcome, Outcome::kTimeout);
  ASSERT_TRUE(fixture->events.wait_for("pending-overstay"));
  EXPECT_EQ(calls().cancelled(call), 1);
  EXPECT_EQ(calls().text(call, str("late")), TH_E_MISUSE);
  EXPECT_EQ(fixture->runner().lost_workers(), 0);
  EXPECT_EQ(calls().complete(call, TH_OK), TH_OK) << "late, and harmless";
  EXPECT_EQ(calls().complete(call, TH_OK), TH_E_MISUSE);
  EXPECT_EQ(fixture->events.count("completed-twice"), 1U);
}

TEST_F(DeferredCalls, TellThePluginOnceThatTheCallerHasGone) {
  start();
  std::promise<void> told;
  struct Note {
    std::promise<void>& told;
    th_call* call;
  };
  auto answer = fixture->call();
  Note note{told, handed.take()};
  const auto complete = [](void* context) {
    auto& at = *static_cast<Note*>(context);
    EXPECT_EQ(calls().cancelled(at.call), 1);
    EXPECT_EQ(calls().complete(at.call, TH_E_CANCELLED), TH_OK);
    at.told.set_value();  // a second time would throw
  };
  EXPECT_EQ(calls().on_cancel(note.call, complete, &note), TH_OK);
  EXPECT_EQ(calls().on_cancel(note.call, complete, &note), TH_E_MISUSE);
  answer.call->cancel();
  EXPECT_EQ(answer.result.get().outcome, Outcome::kCancelled);
  told.get_future().wait();
}

TEST_F(DeferredCalls, TellAtOnceWhenTheCallerHasGoneBefore) {
  start();
  auto answer = fixture->call();
  auto* const call = handed.take();
  answer.call->cancel();
  bool told = false;
  EXPECT_EQ(calls().on_cancel(call, [](void* flag) { *static_cast<bool*>(flag) = true; }, &told), TH_OK);
  EXPECT_TRUE(told) << "on this thread, before on_cancel() returned";
  EXPECT_EQ(calls().complete(call, TH_E_CANCELLED), TH_OK);
  EXPECT_EQ(answer.result.get().outcome, Outcome::kCancelled);
}

TEST_F(DeferredCalls, TellNobodyAfterCompletion) {
  start();
  for (int i = 0; i < 200; ++i) {
    auto answer = fixture->call();
    auto* const call = handed.take();
    // What the function is told about is gone when complete() has returned.
    auto alive = std::make_unique<std::atomic<bool>>(true);
    calls().on_cancel(
        call, [](void* flag) { EXPECT_TRUE(static_cast<std::atomic<bool>*>(flag)->load()); }, alive.get());
    std::thread canceller([&answer] { answer.call->cancel(); });
    EXPECT_EQ(calls().complete(call, TH_OK), TH_OK);
    alive->store(false);
    alive.reset();
    canceller.join();
    answer.result.wait();
  }
}

TEST_F(DeferredCalls, AreBounded) {
  start();
  std::vector<RunnerFixture::Answer> answers;
  std::vector<th_call*> open;
  for (unsigned i = 0; i < TH_CALL_MAX_DEFERRED; ++i) {
    answers.push_back(fixture->call());
    open.push_back(handed.take());
  }
  fixture->handler = [](th_call* call) { return calls().defer(call); };
  EXPECT_THAT(fixture->call().result.get().outcome, Outcome::kToolError) << "TH_E_LIMIT";
  for (auto* const call : open) calls().complete(call, TH_OK);
  for (auto& answer : answers) EXPECT_EQ(answer.result.get().outcome, Outcome::kOk);
}

TEST_F(DeferredCalls, HoldTheirPlaceInASerialTool) {
  start({.workers = 4});
  fixture->binding.max_concurrency = 1;
  auto first = fixture->call();
  auto* const call = handed.take();
  auto second = fixture->call("{}", Deadline::after(milliseconds(30)));
  EXPECT_EQ(second.result.get().outcome, Outcome::kTimeout) << "the first one is not completed";
  auto third = fixture->call();
  calls().complete(call, TH_OK);
  EXPECT_EQ(first.result.get().outcome, Outcome::kOk);
  calls().complete(handed.take(), TH_OK);
  EXPECT_EQ(third.result.get().outcome, Outcome::kOk);
}

TEST_F(DeferredCalls, AreDrainedByAStop) {
  start();
  auto answer = fixture->call();
  std::thread plugin([this] {
    auto* const call = handed.take();
    std::this_thread::sleep_for(milliseconds(30));
    calls().complete(call, TH_OK);
  });
  EXPECT_TRUE(fixture->stop(seconds(10)));
  EXPECT_EQ(answer.result.get().outcome, Outcome::kOk);
  plugin.join();
}

TEST_F(DeferredCalls, AreCancelledAndThenGivenUpByAStopThatCannotWait) {
  start({.workers = 2, .lost_worker_grace = milliseconds(50)});
  auto told = fixture->call();
  auto* const call = handed.take();
  calls().on_cancel(call, [](void* of) { calls().complete(static_cast<th_call*>(of), TH_E_CANCELLED); }, call);
  auto forgotten = fixture->call();
  auto* const never = handed.take();
  EXPECT_TRUE(fixture->stop());
  EXPECT_EQ(told.result.get().outcome, Outcome::kCancelled);
  EXPECT_EQ(forgotten.result.get().outcome, Outcome::kTimeout);
  EXPECT_EQ(calls().complete(never, TH_OK), TH_OK) << "after the stop, and harmless";
}

TEST_F(DeferredCalls, OfALostHandlerAreLetGoWithIt) {
  start({.workers = 2, .lost_worker_grace = milliseconds(20)});
  Gate gate;
  fixture->handler = [&](th_call* call) {
    EXPECT_EQ(calls().defer(call), TH_OK);
    EXPECT_EQ(calls().complete(call, TH_OK), TH_OK);
    gate.wait();
    return TH_PENDING;
  };
  auto answer = fixture->call("{}", Deadline::after(milliseconds(2'000)));
  EXPECT_EQ(answer.result.get().outcome, Outcome::kOk) << "complete() answers, whatever the handler does after it";
  ASSERT_TRUE(fixture->events.wait_for("overstay"));
  gate.open();
  fixture->wait_for_lost_handlers();
}

TEST_F(DeferredCalls, AreEachAnsweredOnceWhateverRaces) {
  start({.workers = 4, .lost_worker_grace = milliseconds(1)});
  std::vector<std::thread> enders;
  for (int t = 0; t < 4; ++t)
    enders.emplace_back([this, t] {
      while (auto* const call = handed.take()) {
        calls().on_cancel(call, [](void*) {}, nullptr);
        if (t == 0) std::this_thread::sleep_for(std::chrono::microseconds(500));
        calls().text(call, str("text"));
        EXPECT_EQ(calls().complete(call, TH_OK), TH_OK);
      }
    });
  for (int round = 0; round < 20; ++round) {
    std::vector<RunnerFixture::Answer> answers;
    for (int i = 0; i < 100; ++i) {
      answers.push_back(fixture->call("{}", Deadline::after(milliseconds(i % 3 == 0 ? 20'000 : 1 + i % 10))));
      if (i % 5 == 0) answers.back().call->cancel();
    }
    for (auto& answer : answers) {
      const auto outcome = answer.result.get().outcome;  // a second answer would have ended the program
      EXPECT_TRUE(outcome == Outcome::kOk || outcome == Outcome::kTimeout || outcome == Outcome::kCancelled);
    }
  }
  EXPECT_TRUE(fixture->stop(seconds(10)));
  for (std::size_t t = 0; t < enders.size(); ++t) handed.put(nullptr);
  for (auto& ender : enders) ender.join();
  EXPECT_EQ(fixture->events.count("completed-twice"), 0U);
  EXPECT_EQ(fixture->runner().load().deferred, 0U);
}

}  // namespace
}  // namespace toolhost::plugin_runtime
