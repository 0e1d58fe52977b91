#include <gmock/gmock.h>

#include "host_fixture.hpp"

namespace toolhost::plugin_runtime {
namespace {

using testing::HasSubstr;

/// ask.so is written with the C++ wrapper, as authors write.
class Asking : public PluginHostTest {
 protected:
  static test_support::TempPostgres& postgres() { return test_support::TempPostgres::shared(); }
  storage::DatabaseAddress address() override { return postgres().address(); }

  void SetUp() override {
    postgres().fresh_database();
    acme = postgres().add_tenant("acme");
    start({test_plugin("ask"), test_plugin("content"), test_plugin("echo")});
    for (const auto& info : host->plugins()) ASSERT_EQ(info.state, "serving") << info.reason;
    client = std::make_shared<FakeClient>();
  }

  static std::string closed() { return postgres().run_sql("select count(*) from ask.closed"); }

  void answer(const std::string& key, std::string result) {
    answers.by_key[key] = std::move(result);
    ++answers.round;
  }

  TenantId acme{};
};

TEST_F(Asking, RunsTheHandlerTwiceAndSavesOnce) {
  const auto asked = run("close_ticket", R"({"title":"T-17"})", acme);
  ASSERT_EQ(asked.outcome, Outcome::kInputRequired) << asked.content_json << asked.detail;
  ASSERT_EQ(asked.questions.size(), 1U);
  EXPECT_EQ(asked.questions[0].params_json,
            R"({"message":"Close T-17?","requestedSchema":{"type":"object","properties":{"ok":{"type":"boolean",)"
            R"("description":"Close it"}},"required":["ok"]}})");
  EXPECT_EQ(closed(), "0");
  answer("confirm", R"({"action":"accept","content":{"ok":true}})");
  const auto done = run("close_ticket", R"({"title":"T-17"})", acme);
  EXPECT_EQ(done.structured_json, R"({"closed":true})") << done.detail;
  EXPECT_EQ(closed(), "1");
}

TEST_F(Asking, TakesNoForAnAnswer) {
  for (const auto* result :
       {R"({"action":"decline"})", R"({"action":"cancel"})", R"({"action":"accept","content":{"ok":false}})"}) {
    answer("confirm", result);
    EXPECT_EQ(run("close_ticket", R"({"title":"T-17"})", acme).structured_json, R"({"closed":false})") << result;
  }
  EXPECT_EQ(closed(), "0");
}

TEST_F(Asking, UndoesWhatWasWrittenBefore) {
  EXPECT_EQ(run("write_then_ask", R"({"title":"early"})", acme).outcome, Outcome::kInputRequired);
  EXPECT_EQ(closed(), "0");
  answer("sure", R"({"action":"accept","content":{"ok":true}})");
  const auto done = run("write_then_ask", R"({"title":"early"})", acme);
  EXPECT_THAT(done.content_json, HasSubstr("round 1"));
  EXPECT_EQ(closed(), "1");
}

TEST_F(Asking, IsRefusedAfterAStatementThatCommitted) {
  const auto result = run("last_then_ask", R"({"title":"gone"})", acme);
  EXPECT_EQ(result.outcome, Outcome::kInternal);
  EXPECT_THAT(result.detail, HasSubstr("ask before it"));
  EXPECT_EQ(closed(), "1");
}

TEST_F(Asking, GetsSeveralAnswersInOneRound) {
  const auto asked = run("ask_everything", "{}", acme);
  ASSERT_EQ(asked.questions.size(), 3U);
  EXPECT_EQ(asked.questions[1].params_json,
            R"({"messages":[{"role":"user","content":{"type":"text","text":"What is the capital of France?"}}],)"
            R"("maxTokens":100})");
  EXPECT_EQ(asked.questions[2].kind, AskKind::kRoots);
  answer("name", R"({"action":"accept","content":{"name":"Ada"}})");
  EXPECT_EQ(run("ask_everything", "{}", acme).questions.size(), 2U) << "what is still open";
  answer("capital", R"({"role":"assistant","content":{"type":"text","text":"Paris"},"model":"m"})");
  answer("roots", R"({"roots":[{"uri":"file:///a"},{"uri":"file:///b","name":"b"}]})");
  EXPECT_THAT(run("ask_everything", "{}", acme).content_json, HasSubstr("Ada, Paris, file:///a, file:///b"));
}

TEST_F(Asking, AsksOneThingAfterAnother) {
  EXPECT_EQ(run("ask_in_turn", "{}", acme).questions.at(0).key, "first");
  answer("first", R"({"action":"accept","content":{"colour":"red"}})");
  const auto second = run("ask_in_turn", "{}", acme);
  EXPECT_EQ(second.questions.at(0).key, "second");
  EXPECT_THAT(second.questions.at(0).params_json, HasSubstr("red?"));
  answer("second", R"({"action":"decline"})");
  EXPECT_THAT(run("ask_in_turn", "{}", acme).content_json, HasSubstr("red decline 2"));
}

TEST_F(Asking, SaysWhatTheClientCannotDo) {
  client->kinds.clear();
  const auto result = run("open_page", "{}", acme);
  EXPECT_EQ(result.outcome, Outcome::kToolError);
  EXPECT_EQ(result.lacked, AskKind::kUrl);
  EXPECT_THAT(result.content_json, HasSubstr("does not support"));
  client->kinds.insert(AskKind::kUrl);
  EXPECT_THAT(run("open_page", "{}", acme).questions.at(0).params_json, HasSubstr("https://example.com/sign-in"));
}

TEST_F(Asking, SurvivesAHandlerThatCatchesTheQuestion) {
  EXPECT_EQ(run("swallow", "{}", acme).outcome, Outcome::kInputRequired);
  EXPECT_THAT(events.wait_for("ask", "ask-swallowed"), HasSubstr("swallow"));
  // What catches exceptions only lets it pass.
  EXPECT_EQ(run("catch_exceptions", "{}", acme).outcome, Outcome::kInputRequired);
  EXPECT_EQ(events.count("ask", "ask-swallowed"), 1U);
  answers.refused["confirm"] = "no thanks";
  EXPECT_THAT(run("catch_exceptions", "{}", acme).content_json, HasSubstr("caught no thanks"));
}

TEST_F(Asking, IsNotForJobs) {
  const auto answered = host->run_job("ask", "nag", caller_of(acme), "{}");
  ASSERT_FALSE(answered);
  EXPECT_THAT(answered.error().message, HasSubstr("no client to ask"));
}

TEST_F(Asking, WorksInPlainC) {
  const auto asked = run("confirm", "{}", acme);
  ASSERT_EQ(asked.outcome, Outcome::kInputRequired) << asked.detail;
  EXPECT_EQ(asked.questions.at(0).key, "sure");
  answer("sure", R"({"action":"accept","content":{"ok":true}})");
  EXPECT_THAT(run("confirm", "{}", acme).content_json, HasSubstr(R"(\"accept\")"));
}

// A plugin of minor 0 beside plugins of minor 1: its tables are longer than it knows.
TEST_F(Asking, LeavesOlderPluginsAsTheyWere) {
  EXPECT_THAT(run("echo", R"({"text":"hello"})", acme).content_json, HasSubstr("hello"));
  for (const auto& info : host->plugins()) EXPECT_EQ(info.abi_minor, info.id == "echo" ? 0U : 1U) << info.id;
  const auto pushed = run("push_all", "{}", acme);
  EXPECT_EQ(pushed.outcome, Outcome::kOk) << pushed.detail;
  for (const auto* type : {"text", "image", "audio", "resource_link", "resource"})
    EXPECT_THAT(pushed.content_json, HasSubstr(std::string(R"("type":")") + type + '"'));
  EXPECT_EQ(host->registry()->find("push_all")->icons_json, R"([{"src":"https://example.com/icon.png"}])");
  EXPECT_EQ(run("work", "{}", acme).outcome, Outcome::kOk);
  EXPECT_EQ(client->last_step, "3/3 working");
  EXPECT_EQ(client->messages.size(), 3U);
}

}  // namespace
}  // namespace toolhost::plugin_runtime
