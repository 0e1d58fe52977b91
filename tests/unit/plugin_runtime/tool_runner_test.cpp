#include "plugin_runtime/tool_runner.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <latch>
#include <thread>

#include "runner_fixture.hpp"

namespace toolhost::plugin_runtime {
namespace {

using observability::PluginIncident;
using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::Not;

th_status until_cancelled(th_call* call) {
  while (calls().cancelled(call) == 0) std::this_thread::yield();
  return TH_E_CANCELLED;
}

TEST(ToolRunner, AnswersInvalidArgumentsWithoutRunningTheHandler) {
  RunnerFixture fixture;
  bool ran = false;
  const auto result = fixture.run(
      [&](th_call*) {
        ran = true;
        return TH_OK;
      },
      R"({"n":"three","m":1})");
  EXPECT_FALSE(ran);
  EXPECT_EQ(result.outcome, Outcome::kInvalidArguments);
  EXPECT_TRUE(result.is_error);
  EXPECT_THAT(result.content_json, HasSubstr("Invalid arguments for work:"));
  EXPECT_THAT(result.content_json, HasSubstr("/n"));
}

TEST(ToolRunner, TakesANullThatTheSchemaRefusesForAbsent) {
  RunnerFixture fixture;
  fixture.tool.input_schema = *JsonSchema::compile(
      R"({"type":"object","properties":{"n":{"type":"integer"},"a/b":{"enum":["x"]},"who":{"type":["string","null"]},
          "id":{"type":"string"}},"required":["id"],"additionalProperties":false})");
  std::string seen;
  const auto note = [&](th_call* call) {
    seen = text_of(calls().args_json(call));
    return TH_OK;
  };
  EXPECT_FALSE(fixture.run(note, R"({"n":null,"id":"i","a/b":null,"who":null})").is_error);
  EXPECT_EQ(seen, R"({"id":"i","who":null})") << "what may be null stays";

  seen.clear();
  const auto required = fixture.run(note, R"({"n":null,"id":null})");
  EXPECT_EQ(required.outcome, Outcome::kInvalidArguments);
  EXPECT_THAT(required.content_json, HasSubstr("id"));
  EXPECT_THAT(required.content_json, Not(HasSubstr("/n")));
  EXPECT_EQ(fixture.run(note, R"({"id":"i","m":null})").outcome, Outcome::kInvalidArguments) << "no such parameter";
  EXPECT_EQ(fixture.run(note, R"({"id":"i","n":"x"})").outcome, Outcome::kInvalidArguments);
  EXPECT_EQ(seen, "");
}

TEST(ToolRunner, ShowsWhatTheHandlerSaysWithFail) {
  RunnerFixture fixture;
  const auto result = fixture.run([](th_call* call) {
    calls().text(call, str("half a result"));
    return calls().fail(call, TH_E_NOT_FOUND, str("There is no ticket T-9. Use list_tickets."));
  });
  EXPECT_EQ(result.outcome, Outcome::kToolError);
  EXPECT_TRUE(result.is_error);
  EXPECT_EQ(result.content_json, R"([{"type":"text","text":"There is no ticket T-9. Use list_tickets."}])");
}

TEST(ToolRunner, CountsFailWhateverTheHandlerReturns) {
  RunnerFixture fixture;
  const auto result = fixture.run([](th_call* call) {
    calls().fail(call, TH_E_CONFLICT, str("It exists."));
    return TH_OK;
  });
  EXPECT_EQ(result.outcome, Outcome::kToolError);
  EXPECT_THAT(result.content_json, HasSubstr("It exists."));
}

TEST(ToolRunner, HidesInternalErrorsBehindTheRequestId) {
  RunnerFixture fixture;
  const auto result =
      fixture.run([](th_call* call) { return calls().fail(call, TH_E_INTERNAL, str("password=hunter2")); });
  EXPECT_EQ(result.outcome, Outcome::kInternal);
  EXPECT_THAT(result.content_json, HasSubstr("request-1"));
  EXPECT_THAT(result.content_json, Not(HasSubstr("hunter2")));
  EXPECT_THAT(result.detail, HasSubstr("hunter2"));
}

TEST(ToolRunner, HasATextForEveryStatus) {
  RunnerFixture fixture;
  for (th_status status = TH_E_INTERNAL; status < TH_OK; ++status) {
    const auto result = fixture.run([status](th_call*) { return status; });
    EXPECT_TRUE(result.is_error);
    EXPECT_THAT(result.content_json, HasSubstr("Nothing was saved.")) << status;
  }
  EXPECT_TRUE(fixture.events.reports().empty());
}

TEST(ToolRunner, CountsAnUnknownStatusAsMisbehaviour) {
  RunnerFixture fixture;
  for (const th_status status : {12345, TH_END, -99}) {
    EXPECT_EQ(fixture.run([status](th_call*) { return status; }).outcome, Outcome::kInternal);
  }
  EXPECT_EQ(fixture.events.count("unknown-status"), 3U);
}

TEST(ToolRunner, ChecksTheResultAgainstTheOutputSchema) {
  RunnerFixture fixture({}, R"({"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]})");
  const auto good = fixture.run([](th_call* call) { return calls().structured(call, str(R"({"n":1})")); });
  EXPECT_EQ(good.outcome, Outcome::kOk);
  EXPECT_EQ(good.structured_json, R"({"n":1})");

  const auto bad = fixture.run([](th_call* call) {
    json_out().begin_object(call);
    json_out().key(call, str("n"));
    json_out().str(call, str("one"));
    return json_out().end(call);
  });
  EXPECT_EQ(bad.outcome, Outcome::kInternal);
  EXPECT_EQ(bad.structured_json, "");
  EXPECT_THAT(bad.content_json, HasSubstr("request-1"));
  EXPECT_EQ(fixture.run([](th_call*) { return TH_OK; }).outcome, Outcome::kInternal) << "structured content is missing";
  EXPECT_EQ(fixture.events.count("output-schema"), 2U);
}

TEST(ToolRunner, RefusesAResultThatIsStillOpen) {
  RunnerFixture fixture;
  EXPECT_EQ(fixture.run([](th_call* call) { return json_out().begin_object(call); }).outcome, Outcome::kInternal);
  EXPECT_EQ(fixture.events.count("open-json"), 1U);
}

TEST(ToolRunner, RunsAgainAfterASerializationFailure) {
  RunnerFixture fixture;
  std::vector<std::uint32_t> attempts;
  const auto result = fixture.run([&](th_call* call) {
    th_call_info info{};
    info.struct_size = sizeof(info);
    calls().info(call, &info);
    attempts.push_back(info.attempt);
    calls().text(call, str("attempt"));
    return info.attempt < 2 ? TH_E_RETRY : TH_OK;
  });
  EXPECT_THAT(attempts, testing::ElementsAre(0, 1, 2));
  EXPECT_EQ(result.outcome, Outcome::kOk);
  EXPECT_EQ(result.content_json, R"([{"type":"text","text":"attempt"}])") << "earlier attempts leave nothing";
}

TEST(ToolRunner, GivesUpAfterThreeAttempts) {
  RunnerFixture fixture;
  int attempts = 0;
  const auto result = fixture.run([&](th_call*) {
    ++attempts;
    return TH_E_RETRY;
  });
  EXPECT_EQ(attempts, 3);
  EXPECT_EQ(result.outcome, Outcome::kUnavailable);
  EXPECT_THAT(result.content_json, HasSubstr("kept changing the same data"));
}

TEST(ToolRunner, DoesNotRepeatAToolThatReachesBeyondTheDatabase) {
  RunnerFixture fixture;
  fixture.tool.open_world = true;
  int attempts = 0;
  const auto count = [&](th_call*) {
    ++attempts;
    return TH_E_RETRY;
  };
  fixture.run(count);
  EXPECT_EQ(attempts, 1);
  fixture.tool.idempotent = true;
  fixture.run(count);
  EXPECT_EQ(attempts, 4);
}

TEST(ToolRunner, RunsAToolThatNeverBlocksOnTheCallersThread) {
  RunnerFixture fixture;
  fixture.binding.runs_inline = true;
  std::thread::id ran_on;
  fixture.run([&](th_call* call) {
    ran_on = std::this_thread::get_id();
    return calls().text(call, str("here"));
  });
  EXPECT_EQ(ran_on, std::this_thread::get_id());
}

TEST(ToolRunner, MovesAToolThatBlocksToTheWorkers) {
  RunnerFixture fixture;
  fixture.binding.runs_inline = true;
  std::thread::id ran_on;
  const auto block = [&](th_call*) {
    ran_on = std::this_thread::get_id();
    for (const auto until = Deadline::after(milliseconds(6)); !until.has_passed();) {
    }
    return TH_OK;
  };
  fixture.run(block);
  EXPECT_EQ(fixture.events.count("nonblocking-overstay"), 0U) << "one overstay may be the kernel's";
  // The second is measured; a preempted one is not counted, so a loaded machine may need more.
  for (int i = 0; i < 100 && fixture.events.count("nonblocking-overstay") == 0; ++i) fixture.run(block);
  EXPECT_EQ(fixture.events.count("nonblocking-overstay"), 1U);
  fixture.run(block);
  EXPECT_NE(ran_on, std::this_thread::get_id());
}

TEST(ToolRunner, RefusesCallsOverTheQueueLimit) {
  Gate gate;
  RunnerFixture fixture({.workers = 1, .max_queued_calls = 2});
  fixture.handler = [&](th_call*) {
    gate.wait();
    return TH_OK;
  };
  std::vector<RunnerFixture::Answer> answers;
  answers.push_back(fixture.call());
  gate.wait_for_waiters(1);
  answers.push_back(fixture.call());
  answers.push_back(fixture.call());
  const auto refused = fixture.call().result.get();
  EXPECT_EQ(refused.outcome, Outcome::kLimit);
  EXPECT_THAT(refused.content_json, HasSubstr("Try again in a few seconds"));
  gate.open();
  for (auto& answer : answers) EXPECT_EQ(answer.result.get().outcome, Outcome::kOk);
}

TEST(ToolRunner, RunsAsManyHandlersAtOnceAsItHasWorkers) {
  Gate gate;
  RunnerFixture fixture({.workers = 3});
  fixture.handler = [&](th_call*) {
    gate.wait();
    return TH_OK;
  };
  std::vector<RunnerFixture::Answer> answers;
  for (int i = 0; i < 3; ++i) {
    fixture.set_tenant(TenantId{i});
    answers.push_back(fixture.call());
  }
  gate.wait_for_waiters(3);
  gate.open();
  for (auto& answer : answers) EXPECT_EQ(answer.result.get().outcome, Outcome::kOk);
}

TEST(ToolRunner, LeavesAWorkerForOthersWhenATenantFloods) {
  Gate gate;
  RunnerFixture fixture({.workers = 4});
  fixture.handler = [&](th_call* call) {
    if (call->start.call->caller->tenant_id == TenantId{1}) gate.wait();
    return TH_OK;
  };
  fixture.set_tenant(TenantId{1});
  std::vector<RunnerFixture::Answer> flood;
  for (int i = 0; i < 100; ++i) flood.push_back(fixture.call());
  gate.wait_for_waiters(3);
  fixture.set_tenant(TenantId{2});
  for (int i = 0; i < 20; ++i) EXPECT_EQ(fixture.call().result.get().outcome, Outcome::kOk);
  const auto load = fixture.runner().load();
  EXPECT_EQ(load.queued, 97U);
  EXPECT_EQ(load.max_workers, 4U);
  EXPECT_LE(load.workers, 4U);
  gate.open();
  for (auto& answer : flood) EXPECT_EQ(answer.result.get().outcome, Outcome::kOk);
}

TEST(ToolRunner, BoundsTheQueueOfATenantNotThatOfOthers) {
  Gate gate;
  RunnerFixture fixture({.workers = 1, .max_queued_calls = 1});
  fixture.handler = [&](th_call*) {
    gate.wait();
    return TH_OK;
  };
  std::vector<RunnerFixture::Answer> answers;
  answers.push_back(fixture.call());
  gate.wait_for_waiters(1);
  answers.push_back(fixture.call());
  const auto refused = fixture.call().result.get();
  EXPECT_EQ(refused.outcome, Outcome::kLimit);
  EXPECT_THAT(refused.detail, HasSubstr("the tenant's queue"));
  fixture.set_tenant(TenantId{8});
  answers.push_back(fixture.call());
  gate.open();
  for (auto& answer : answers) EXPECT_EQ(answer.result.get().outcome, Outcome::kOk);
}

TEST(ToolRunner, HoldsResultsToTheLimitOfTheCall) {
  RunnerFixture fixture({.max_result_bytes = 1'000});
  const auto write = [](std::size_t bytes) {
    return [bytes](th_call* call) { return calls().text(call, str(std::string(bytes, 'x'))); };
  };
  for (const bool is_inline : {false, true}) {
    fixture.binding.runs_inline = is_inline;
    fixture.max_result_bytes = 100;
    EXPECT_EQ(fixture.run(write(50)).outcome, Outcome::kOk);
    EXPECT_TRUE(fixture.run(write(200)).is_error);
    fixture.max_result_bytes = 100'000;
    EXPECT_EQ(fixture.run(write(200)).outcome, Outcome::kOk);
    EXPECT_TRUE(fixture.run(write(2'000)).is_error) << "the host's own limit stays";
  }
}

TEST(ToolRunner, AnswersAQueuedCallAtItsDeadlineWithoutRunningIt) {
  Gate gate;
  RunnerFixture fixture({.workers = 1});
  std::atomic<int> ran{0};
  fixture.handler = [&](th_call*) {
    ++ran;
    gate.wait();
    return TH_OK;
  };
  auto first = fixture.call();
  gate.wait_for_waiters(1);
  auto queued = fixture.call("{}", Deadline::after(milliseconds(10)));
  EXPECT_EQ(queued.result.get().outcome, Outcome::kTimeout);
  gate.open();
  EXPECT_EQ(first.result.get().outcome, Outcome::kOk);
  EXPECT_TRUE(fixture.stop(milliseconds(10'000)));
  EXPECT_EQ(ran, 1);
}

TEST(ToolRunner, CancelsQueuedAndRunningCalls) {
  RunnerFixture fixture({.workers = 1});
  fixture.handler = until_cancelled;
  auto running = fixture.call();
  auto queued = fixture.call();
  queued.call->cancel();
  EXPECT_EQ(queued.result.get().outcome, Outcome::kCancelled);
  running.call->cancel();
  EXPECT_EQ(running.result.get().outcome, Outcome::kCancelled);
  running.call->cancel();
}

TEST(ToolRunner, TellsTheHandlerWhenItsDeadlinePassed) {
  RunnerFixture fixture;
  fixture.handler = [](th_call* call) {
    until_cancelled(call);
    return TH_E_TIMEOUT;
  };
  EXPECT_EQ(fixture.call("{}", Deadline::after(milliseconds(5))).result.get().outcome, Outcome::kTimeout);
  fixture.tool.timeout = milliseconds(5);
  EXPECT_EQ(fixture.call().result.get().outcome, Outcome::kTimeout);
}

TEST(ToolRunner, AnswersForAHandlerThatDoesNotReturnAndReplacesItsThread) {
  Gate gate;
  RunnerFixture fixture({.workers = 1, .lost_worker_grace = milliseconds(10), .max_lost_workers = 2});
  std::atomic<th_status> text_status{TH_OK};
  std::atomic<int> cancelled{0};
  fixture.handler = [&](th_call* call) {
    if (args().kind(call, str("/n")) == TH_J_ABSENT) return TH_OK;
    gate.wait();
    // Too late: neither this nor the status reaches anybody.
    text_status = calls().text(call, str("late"));
    cancelled = calls().cancelled(call);
    return TH_OK;
  };
  auto stuck = fixture.call(R"({"n":1})", Deadline::after(milliseconds(50)));
  gate.wait_for_waiters(1);
  EXPECT_EQ(stuck.result.get().outcome, Outcome::kTimeout);
  ASSERT_TRUE(fixture.events.wait_for("overstay"));
  EXPECT_EQ(fixture.events.reports()[0].incident, PluginIncident::kLostWorker);
  EXPECT_EQ(fixture.call().result.get().outcome, Outcome::kOk) << "by the thread that replaced it";
  EXPECT_FALSE(fixture.stop()) << "a handler is still inside";
  gate.open();
  fixture.wait_for_lost_handlers();
  EXPECT_EQ(text_status, TH_E_MISUSE);
  EXPECT_EQ(cancelled, 1);
}

TEST(ToolRunner, QuarantinesAPluginThatLosesTooManyThreads) {
  Gate gate;
  RunnerFixture fixture({.workers = 1, .lost_worker_grace = milliseconds(1), .max_lost_workers = 1});
  fixture.handler = [&](th_call*) {
    gate.wait();
    return TH_OK;
  };
  auto stuck = fixture.call("{}", Deadline::after(milliseconds(200)));
  gate.wait_for_waiters(1);
  auto queued = fixture.call();
  EXPECT_EQ(stuck.result.get().outcome, Outcome::kTimeout);
  EXPECT_EQ(queued.result.get().outcome, Outcome::kUnavailable);
  ASSERT_TRUE(fixture.events.wait_for("quarantined"));
  EXPECT_TRUE(fixture.runner().is_quarantined());
  EXPECT_EQ(fixture.call().result.get().outcome, Outcome::kUnavailable);
  gate.open();
  fixture.wait_for_lost_handlers();
}

TEST(ToolRunner, DrainsWhenItStops) {
  Gate gate;
  RunnerFixture fixture({.workers = 1});
  fixture.handler = [&](th_call*) {
    gate.wait();
    return TH_OK;
  };
  auto running = fixture.call();
  gate.wait_for_waiters(1);
  std::thread opener([&] { gate.open(); });
  EXPECT_TRUE(fixture.stop(milliseconds(10'000)));
  opener.join();
  EXPECT_EQ(running.result.get().outcome, Outcome::kOk);
}

TEST(ToolRunner, CancelsWhatDoesNotDrain) {
  RunnerFixture fixture({.workers = 1});
  std::promise<void> began;
  fixture.handler = [&](th_call* call) {
    began.set_value();
    return until_cancelled(call);
  };
  auto running = fixture.call();
  began.get_future().wait();
  auto queued = fixture.call();
  EXPECT_TRUE(fixture.stop(milliseconds(5)));
  EXPECT_EQ(running.result.get().outcome, Outcome::kCancelled);
  EXPECT_EQ(queued.result.get().outcome, Outcome::kUnavailable);
}

TEST(ToolRunner, RefusesCallsAfterStop) {
  RunnerFixture fixture;
  ASSERT_TRUE(fixture.stop());
  EXPECT_EQ(fixture.run([](th_call*) { return TH_OK; }).outcome, Outcome::kUnavailable);
  fixture.binding.runs_inline = true;
  EXPECT_EQ(fixture.run([](th_call*) { return TH_OK; }).outcome, Outcome::kUnavailable);
}

TEST(ToolRunner, AnswersEveryCallOnceWhileCancelsRace) {
  // A second answer would throw in the promise and end the program.
  RunnerFixture fixture(
      {.workers = 4, .max_queued_calls = 4'096, .lost_worker_grace = milliseconds(1), .max_lost_workers = 100'000});
  fixture.handler = [](th_call* call) {
    for (int i = 0; i < 50 && calls().cancelled(call) == 0; ++i) std::this_thread::yield();
    return calls().cancelled(call) != 0 ? TH_E_CANCELLED : TH_OK;
  };
  constexpr int kCalls = 300;
  std::vector<std::thread> callers;
  std::atomic<int> answered{0};
  for (int t = 0; t < 3; ++t) {
    callers.emplace_back([&, t] {
      std::vector<RunnerFixture::Answer> answers;
      for (int i = 0; i < kCalls; ++i) {
        answers.push_back(
            fixture.call("{}", i % 3 == 0 ? Deadline::after(std::chrono::microseconds(i * 10)) : Deadline::never()));
        if ((i + t) % 2 == 0) answers[static_cast<std::size_t>(i / 2)].call->cancel();
      }
      for (auto& answer : answers) {
        answer.result.get();
        ++answered;
      }
    });
  }
  for (auto& caller : callers) caller.join();
  EXPECT_EQ(answered, 3 * kCalls);
  fixture.stop();
  fixture.wait_for_lost_handlers();
}

}  // namespace
}  // namespace toolhost::plugin_runtime
