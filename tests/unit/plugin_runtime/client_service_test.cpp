#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <thread>

#include "runner_fixture.hpp"

namespace toolhost::plugin_runtime {
namespace {

constexpr std::string_view kForm =
    R"({"message":"Sure?","requestedSchema":{"type":"object","properties":{"ok":{"type":"boolean"}}}})";

class Client : public testing::Test {
 protected:
  Client() { fixture.client = client; }

  static th_status ask(th_call* call, std::string_view key, std::string_view params = kForm,
                       std::uint32_t kind = TH_ASK_FORM) {
    th_str answer{};
    return clients().ask(call, kind, str(key), str(params), &answer);
  }

  std::shared_ptr<FakeClient> client = std::make_shared<FakeClient>();
  RunnerFixture fixture;
};

TEST_F(Client, IsAskedAndTheHandlerRunsAgainWithTheAnswer) {
  int runs = 0;
  const auto handler = [&](th_call* call) {
    ++runs;
    calls().text(call, TH_STR("before"));
    th_str answer{};
    const auto status = clients().ask(call, TH_ASK_FORM, TH_STR("sure"), str(kForm), &answer);
    return status == TH_OK ? calls().text(call, answer) : status;
  };
  const auto asked = fixture.run(handler);
  EXPECT_EQ(asked.outcome, Outcome::kInputRequired);
  EXPECT_FALSE(asked.is_error);
  ASSERT_EQ(asked.questions.size(), 1U);
  EXPECT_EQ(asked.questions[0].key, "sure");
  EXPECT_EQ(asked.questions[0].kind, AskKind::kForm);
  EXPECT_EQ(asked.questions[0].params_json, kForm);
  fixture.answers.by_key["sure"] = R"({"action":"accept"})";
  fixture.answers.round = 1;
  const auto done = fixture.run(handler);
  EXPECT_EQ(done.outcome, Outcome::kOk);
  EXPECT_EQ(done.content_json, R"([{"type":"text","text":"before"},{"type":"text","text":"{\"action\":\"accept\"}"}])");
  EXPECT_EQ(runs, 2);
  EXPECT_TRUE(fixture.events.reports().empty());
}

TEST_F(Client, TheSameCallRunsAgain) {
  fixture.tool.non_blocking = true;
  for (const bool runs_inline : {true, false}) {
    fixture.binding.runs_inline = runs_inline;
    fixture.handler = [&](th_call* call) { return ask(call, "a"); };
    fixture.answers = {};
    auto first = fixture.call();
    EXPECT_EQ(first.result.get().outcome, Outcome::kInputRequired);
    EXPECT_EQ(first.call->on_done, nullptr);
    first.call->answers.by_key["a"] = R"({"action":"decline"})";
    std::promise<Outcome> outcome;
    first.call->on_done = [&](ToolCall&, ToolResult&& result) { outcome.set_value(result.outcome); };
    fixture.runner().run(first.call, fixture.binding);
    EXPECT_EQ(outcome.get_future().get(), Outcome::kOk);
  }
}

TEST_F(Client, IsAskedSeveralThingsAtOnce) {
  const auto result = fixture.run([](th_call* call) {
    EXPECT_EQ(ask(call, "form"), TH_E_ASKED);
    EXPECT_EQ(ask(call, "url", R"({"message":"Go","url":"https://example.com/"})", TH_ASK_URL), TH_E_ASKED);
    EXPECT_EQ(ask(call, "model", R"({"messages":[{}],"maxTokens":10})", TH_ASK_SAMPLING), TH_E_ASKED);
    EXPECT_EQ(ask(call, "form"), TH_E_ASKED) << "the same question";
    return ask(call, "roots", "", TH_ASK_ROOTS);
  });
  ASSERT_EQ(result.questions.size(), 4U);
  EXPECT_EQ(result.questions[3].params_json, "{}");
}

TEST_F(Client, RefusesQuestionsThatAreWrong) {
  fixture.run([](th_call* call) {
    const std::string long_key(65, 'a');
    for (const auto* key : {"", "Upper", "with space", "a-b", long_key.c_str()})
      EXPECT_EQ(ask(call, key), TH_E_INVALID) << key;
    EXPECT_EQ(ask(call, "a", kForm, 0), TH_E_INVALID);
    EXPECT_EQ(ask(call, "a", kForm, 5), TH_E_INVALID);
    EXPECT_EQ(clients().ask(call, TH_ASK_FORM, TH_STR("a"), str(kForm), nullptr), TH_E_MISUSE);
    for (const auto* params : {"", "[]", "{", R"({"message":"a"})", R"({"message":"a","requestedSchema":{}})",
                               R"({"requestedSchema":{"type":"object","properties":{}}})",
                               R"({"message":"a","requestedSchema":{"type":"object","properties":{"a":7}}})"})
      EXPECT_EQ(ask(call, "a", params), TH_E_INVALID) << params;
    EXPECT_EQ(ask(call, "a", R"({"message":"a","url":"here"})", TH_ASK_URL), TH_E_INVALID);
    EXPECT_EQ(ask(call, "a", R"({"messages":[],"maxTokens":1})", TH_ASK_SAMPLING), TH_E_INVALID);
    EXPECT_EQ(ask(call, "a", R"({"messages":[{}],"maxTokens":0})", TH_ASK_SAMPLING), TH_E_INVALID);
    EXPECT_EQ(ask(call, "a", "{\"pad\":\"" + std::string(65'536, 'x') + "\"}", TH_ASK_ROOTS), TH_E_LIMIT);
    return TH_OK;
  });
}

TEST_F(Client, BoundsQuestionsAndRounds) {
  const auto many = fixture.run([](th_call* call) {
    for (unsigned i = 0; i < TH_ASK_MAX_QUESTIONS; ++i) EXPECT_EQ(ask(call, "q" + std::to_string(i)), TH_E_ASKED);
    EXPECT_EQ(ask(call, "more"), TH_E_LIMIT);
    return TH_E_ASKED;
  });
  EXPECT_EQ(many.questions.size(), TH_ASK_MAX_QUESTIONS);
  fixture.answers.round = TH_ASK_MAX_ROUNDS;
  EXPECT_EQ(fixture.run([](th_call* call) { return ask(call, "again"); }).outcome, Outcome::kToolError);
}

TEST_F(Client, IsAskedAgainWhenItsAnswerDoesNotFit) {
  for (const auto* wrong : {"{}", R"({"action":"perhaps"})", R"({"action":"accept","content":{"ok":"yes"}})"}) {
    fixture.answers.by_key["sure"] = wrong;
    EXPECT_EQ(fixture.run([](th_call* call) { return ask(call, "sure"); }).questions.size(), 1U) << wrong;
  }
  fixture.answers.by_key["sure"] = R"({"action":"accept","content":{"ok":true}})";
  EXPECT_EQ(fixture.run([](th_call* call) { return ask(call, "sure"); }).outcome, Outcome::kOk);
}

TEST_F(Client, SaysWhatTheClientLacks) {
  client->kinds = {AskKind::kRoots};
  const auto result = fixture.run([](th_call* call) {
    EXPECT_EQ(clients().can(call, TH_ASK_ROOTS), 1);
    EXPECT_EQ(clients().can(call, TH_ASK_FORM), 0);
    EXPECT_EQ(clients().can(call, 99), 0);
    return ask(call, "a", R"({"messages":[{}],"maxTokens":1})", TH_ASK_SAMPLING);
  });
  EXPECT_EQ(result.outcome, Outcome::kToolError);
  EXPECT_EQ(result.lacked, AskKind::kSampling);
  EXPECT_NE(result.content_json.find("sampling"), std::string::npos) << result.content_json;
  // One that did without has no reason to complain.
  const auto did_without = fixture.run([](th_call* call) {
    ask(call, "a");
    return calls().text(call, TH_STR("plain"));
  });
  EXPECT_EQ(did_without.lacked, std::nullopt);
  EXPECT_EQ(did_without.outcome, Outcome::kOk);
}

TEST_F(Client, HearsNoMoreOfAQuestionThatItRefusedOrLetPass) {
  fixture.answers.refused["no"] = "User rejected sampling request";
  fixture.answers.timed_out = true;
  fixture.answers.round = 3;
  fixture.run([](th_call* call) {
    EXPECT_EQ(ask(call, "no"), TH_E_DENIED);
    th_error error{};
    error.struct_size = sizeof(error);
    calls().last_error(call, &error);
    EXPECT_EQ(text_of(error.message), "User rejected sampling request");
    EXPECT_EQ(ask(call, "late"), TH_E_TIMEOUT);
    EXPECT_EQ(clients().round(call), 3U);
    return TH_OK;
  });
}

TEST_F(Client, IsAskedAlthoughTheHandlerSwallowsTheQuestion) {
  for (const auto status : {TH_OK, TH_E_INTERNAL, TH_E_RETRY}) {
    const auto result = fixture.run([status](th_call* call) {
      ask(call, "a");
      calls().text(call, TH_STR("went on"));
      return status;
    });
    EXPECT_EQ(result.outcome, Outcome::kInputRequired) << status;
  }
  EXPECT_EQ(fixture.events.count("ask-swallowed"), 3U);
  EXPECT_EQ(fixture.run([](th_call*) { return TH_E_ASKED; }).outcome, Outcome::kInternal);
  EXPECT_EQ(fixture.events.count("asked-nothing"), 1U);
}

TEST_F(Client, IsNotThereForAJob) {
  fixture.client = nullptr;
  const auto result = fixture.run([](th_call* call) {
    EXPECT_EQ(clients().can(call, TH_ASK_FORM), 0);
    EXPECT_EQ(clients().message(call, 3, TH_STR(""), TH_STR("1")), TH_OK);
    EXPECT_EQ(clients().let_go(call), TH_OK);
    EXPECT_EQ(calls().progress(call, 1, 2, TH_STR("")), TH_OK);
    return ask(call, "a");
  });
  EXPECT_EQ(result.outcome, Outcome::kToolError);
  EXPECT_EQ(result.lacked, std::nullopt);
}

TEST_F(Client, IsOutOfReachOnceTheHandlerReturned) {
  th_call* kept = nullptr;
  fixture.run([&](th_call* call) {
    kept = call;
    std::thread([call] {
      EXPECT_EQ(ask(call, "a"), TH_E_MISUSE);
      EXPECT_EQ(calls().progress(call, 1, 1, TH_STR("")), TH_E_MISUSE);
    }).join();
    return TH_OK;
  });
  const auto block = th_content{.struct_size = sizeof(th_content)};
  EXPECT_EQ(ask(kept, "a"), TH_E_MISUSE);
  EXPECT_EQ(clients().can(kept, TH_ASK_FORM), 0);
  EXPECT_EQ(clients().round(kept), 0U);
  EXPECT_EQ(clients().message(kept, 1, TH_STR(""), TH_STR("1")), TH_E_MISUSE);
  EXPECT_EQ(clients().let_go(kept), TH_E_MISUSE);
  EXPECT_EQ(calls().content(kept, &block), TH_E_MISUSE);
  EXPECT_EQ(calls().progress(kept, 1, 1, TH_STR("")), TH_E_MISUSE);
  EXPECT_EQ(prompts().message(kept, TH_ROLE_USER, &block), TH_E_MISUSE);
  EXPECT_EQ(completions().value(kept, TH_STR("")), TH_E_MISUSE);
  EXPECT_EQ(catalog().updated_for(kept, TH_STR("x:1")), TH_E_MISUSE);
  EXPECT_TRUE(client->steps.empty());
}

TEST_F(Client, HearsProgressThinnedAndTheLastOneForCertain) {
  const auto began = std::chrono::steady_clock::now();
  fixture.run([](th_call* call) {
    for (int i = 1; i <= 100'000; ++i) EXPECT_EQ(calls().progress(call, i, 100'000, TH_STR("on")), TH_OK);
    return TH_OK;
  });
  const auto took = std::chrono::steady_clock::now() - began;
  EXPECT_LE(client->steps.size(), 3U + static_cast<std::size_t>(took / std::chrono::milliseconds(50)));
  EXPECT_EQ(client->last_step, "100000/100000 on");
  EXPECT_EQ(client->steps.front(), 1);
  EXPECT_TRUE(std::is_sorted(client->steps.begin(), client->steps.end()));
}

TEST_F(Client, HearsTheLastProgressBeforeSomethingLong) {
  std::atomic<bool> is_heard{false};
  client->on_progress = [&](double done) { is_heard = is_heard || done == 2; };
  fixture.run([&](th_call* call) {
    calls().progress(call, 1, 0, TH_STR(""));
    calls().progress(call, 2, 0, TH_STR(""));
    for (int i = 0; i < 1'000 && !is_heard; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return TH_OK;
  });
  EXPECT_TRUE(is_heard) << "while the handler ran";
}

TEST_F(Client, HearsOfProgressThatGrowsOnly) {
  fixture.run([](th_call* call) {
    const std::string too_long(1'025, 'x');
    EXPECT_EQ(calls().progress(call, 1, 0, TH_STR("")), TH_OK);
    EXPECT_EQ(calls().progress(call, 1, 0, TH_STR("")), TH_E_INVALID);
    EXPECT_EQ(calls().progress(call, 0, 0, TH_STR("")), TH_E_INVALID);
    EXPECT_EQ(calls().progress(call, std::numeric_limits<double>::quiet_NaN(), 0, TH_STR("")), TH_E_INVALID);
    EXPECT_EQ(calls().progress(call, 2, std::numeric_limits<double>::infinity(), TH_STR("")), TH_E_INVALID);
    EXPECT_EQ(calls().progress(call, 2, 0, TH_STR("\xff")), TH_E_INVALID);
    EXPECT_EQ(calls().progress(call, 2, 0, str(too_long)), TH_E_LIMIT);
    return TH_OK;
  });
  EXPECT_EQ(client->steps, std::vector<double>{1});
  EXPECT_EQ(client->last_step, "1/? ");
}

TEST_F(Client, HearsNoProgressTwiceWhenTheHandlerRunsAgain) {
  fixture.tool.idempotent = true;
  fixture.run([](th_call* call) {
    th_call_info info{};
    info.struct_size = sizeof(info);
    calls().info(call, &info);
    for (int i = 1; i <= (info.attempt == 0 ? 3 : 4); ++i) {
      EXPECT_EQ(calls().progress(call, i, 4, TH_STR("")), TH_OK);
      std::this_thread::sleep_for(std::chrono::milliseconds(51));
    }
    return info.attempt == 0 ? TH_E_RETRY : TH_OK;
  });
  EXPECT_EQ(client->steps, (std::vector<double>{1, 2, 3, 4}));
}

TEST_F(Client, GetsMessagesOfTheLevelsThatItWants) {
  client->least = LogLevel::kWarning;
  fixture.run([](th_call* call) {
    EXPECT_EQ(clients().message(call, 2, TH_STR("log"), TH_STR("\"quiet\"")), TH_OK);
    EXPECT_EQ(clients().message(call, 3, TH_STR("log"), TH_STR("{ \"a\":\n1 }")), TH_OK);
    EXPECT_EQ(clients().message(call, 8, TH_STR(""), TH_STR("1")), TH_E_INVALID);
    EXPECT_EQ(clients().message(call, -1, TH_STR(""), TH_STR("1")), TH_E_INVALID);
    EXPECT_EQ(clients().message(call, 7, TH_STR("\xff"), TH_STR("1")), TH_E_INVALID);
    EXPECT_EQ(clients().message(call, 7, TH_STR(""), TH_STR("not json")), TH_E_INVALID);
    EXPECT_EQ(clients().message(call, 7, TH_STR(""), str("\"" + std::string(65'536, 'x') + "\"")), TH_E_LIMIT);
    return clients().let_go(call);
  });
  EXPECT_EQ(client->messages, std::vector<std::string>{"3 log {\"a\":1}"});
  EXPECT_EQ(client->times_let_go, 1);
}

TEST_F(Client, IsSparedAFloodOfMessages) {
  const auto began = std::chrono::steady_clock::now();
  fixture.run([](th_call* call) {
    for (int i = 0; i < 1'000'000; ++i) static_cast<void>(clients().message(call, 1, TH_STR(""), TH_STR("1")));
    return TH_OK;
  });
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - began);
  EXPECT_LE(client->messages.size(), 200U * (static_cast<std::size_t>(seconds.count()) + 2));
  EXPECT_GE(fixture.events.count("message-flood"), 1U);
}

TEST_F(Client, HearsOfUpdatesOnceTheCallHasSucceeded) {
  Watchdog watchdog;
  CatalogNews news(watchdog);
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::string> heard;
  news.listen([&](const CatalogChange& change) {
    const std::lock_guard lock(mutex);
    heard.push_back(std::string(change.updated_uri) + " " + std::to_string(change.tenant ? value(*change.tenant) : 0) +
                    " " + std::to_string(change.lists));
    changed.notify_all();
  });
  fixture.host.set_news(news);
  fixture.run([](th_call* call) {
    EXPECT_EQ(catalog().updated_for(call, TH_STR("x:failed")), TH_OK);
    return TH_E_INVALID;
  });
  fixture.run([](th_call* call) {
    EXPECT_EQ(catalog().updated_for(call, TH_STR("relative")), TH_E_INVALID);
    EXPECT_EQ(catalog().updated_for(call, TH_STR("x:1")), TH_OK);
    return catalog().updated_for(call, TH_STR("x:1"));
  });
  EXPECT_EQ(catalog().changed(&fixture.host, 0), TH_E_INVALID);
  EXPECT_EQ(catalog().changed(&fixture.host, 8), TH_E_INVALID);
  EXPECT_EQ(catalog().changed(nullptr, 1), TH_E_MISUSE);
  for (int i = 0; i < 100'000; ++i) EXPECT_EQ(catalog().changed(&fixture.host, TH_LIST_TOOLS), TH_OK);
  EXPECT_EQ(catalog().changed(&fixture.host, TH_LIST_PROMPTS), TH_OK);
  std::size_t taken = 0;
  while (catalog().updated(&fixture.host, str("x:" + std::to_string(taken))) == TH_OK && taken < 5'000) ++taken;
  EXPECT_GE(taken, 1U);
  {
    std::unique_lock lock(mutex);
    ASSERT_TRUE(changed.wait_for(lock, std::chrono::seconds(10), [&] {
      return std::find(heard.begin(), heard.end(), "x:1 7 0") != heard.end() &&
             std::any_of(heard.begin(), heard.end(), [](const auto& line) { return line == "x:0 0 0"; });
    }));
    EXPECT_EQ(std::count(heard.begin(), heard.end(), "x:failed 7 0"), 0);
    EXPECT_LE(std::count_if(heard.begin(), heard.end(), [](const auto& line) { return line.starts_with(" "); }), 5)
        << "gathered";
  }
  fixture.host.silence();
  EXPECT_EQ(catalog().changed(&fixture.host, TH_LIST_TOOLS), TH_E_MISUSE);
  news.listen(nullptr);
}

}  // namespace
}  // namespace toolhost::plugin_runtime
