#include "integration/protocol/mcp_host.hpp"

namespace toolhost::protocol {
namespace {

using namespace std::chrono_literals;

constexpr const char* kForm = R"({"elicitation":{"form":{}}})";
constexpr const char* kYes = R"({"confirm":{"action":"accept","content":{"ok":true}}})";

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}
/// The value of a member that is a string without escapes.
std::string text_in(const std::string& json, const std::string& name) {
  const auto begin = json.find("\"" + name + "\":\"") + name.size() + 4;
  return json.substr(begin, json.find('"', begin) - begin);
}

class ModernTest : public McpHostTest {
 protected:
  ModernTest() { setup_.plugins = {"ask", "catalog", "hostile_sql", "ledger", "slow"}; }

  void SetUp() override {
    McpHostTest::SetUp();
    for (const auto& plugin : plugins_->plugins()) ASSERT_EQ(plugin.state, "serving") << plugin.file << plugin.reason;
    postgres_.run_sql("truncate ask.closed");
  }

  std::string request(const std::string& tool, const std::string& members, const std::string& capabilities = "{}",
                      const std::string& key = {}, const std::string& meta = {}) {
    const auto params = R"("name":")" + tool + "\"" + (members.empty() ? "" : "," + members);
    return http("POST", "/mcp", key.empty() ? key_ : key, modern_fields("tools/call", tool),
                modern("7", "tools/call", params, capabilities, meta));
  }
  RawResponse close_ticket(const std::string& more = {}, const std::string& title = "T-17",
                           const std::string& key = {}) {
    return ask(request("close_ticket", R"("arguments":{"title":")" + title + "\"}" + more, kForm, key));
  }
  std::string state_member(const RawResponse& response) {
    return R"(,"requestState":")" + text_in(response.body, "requestState") + R"(","inputResponses":)" + kYes;
  }
  std::string closed() { return postgres_.run_sql("select count(*) from ask.closed"); }
  bool nothing_runs() {
    return eventually([&] { return endpoint_->counts().running_calls == 0; });
  }
  EventStream listen(const std::string& notifications, const std::string& key = {}) {
    return {port_, http("POST", "/mcp", key.empty() ? key_ : key, modern_fields("subscriptions/listen"),
                        modern("\"listen:0\"", "subscriptions/listen", R"("notifications":)" + notifications))};
  }
};

TEST_F(ModernTest, ARequestIsAnsweredInTwoRounds) {
  const auto first = close_ticket();
  EXPECT_EQ(first.status, 200U);
  EXPECT_TRUE(has(first.body, R"("resultType":"input_required")")) << first.body;
  EXPECT_TRUE(has(first.body, R"("inputRequests":{"confirm":{"method":"elicitation/create","params":{"mode":"form")"));
  EXPECT_FALSE(has(first.body, "ttlMs"));
  EXPECT_TRUE(nothing_runs()) << "nothing waits";

  const auto second = close_ticket(state_member(first));
  EXPECT_TRUE(has(second.body, R"("structuredContent":{"closed":true})")) << second.body;
  EXPECT_TRUE(has(second.body, R"("resultType":"complete")"));
  EXPECT_EQ(closed(), "1");
}

TEST_F(ModernTest, WhatWasConfirmedOnceIsDoneOnce) {
  const auto first = close_ticket();
  const auto state = state_member(first);
  EXPECT_TRUE(has(close_ticket(state).body, R"("closed":true)"));
  postgres_.run_sql("truncate ask.closed");  // or its own constraint would stop it
  const auto repeated = close_ticket(state);
  EXPECT_EQ(repeated.status, 200U);
  EXPECT_TRUE(has(repeated.body, R"("code":-32602)")) << repeated.body;
  EXPECT_EQ(closed(), "0");
}

TEST_F(ModernTest, AStateBelongsToItsRequestAndItsKey) {
  const auto state = state_member(close_ticket());
  for (const auto& refused : {close_ticket(state, "T-18"), close_ticket(state, "T-17", add_key()),
                              ask(request("write_then_ask", R"("arguments":{"title":"T-17"})" + state, kForm))}) {
    EXPECT_EQ(refused.status, 200U);
    EXPECT_TRUE(has(refused.body, R"("code":-32602)")) << refused.body;
    EXPECT_TRUE(has(refused.body, R"("id":7)"));
  }
  EXPECT_EQ(closed(), "0");
}

TEST_F(ModernTest, AnswersMayComeWithoutAState) {
  EXPECT_TRUE(has(close_ticket(std::string(R"(,"inputResponses":)") + kYes).body, R"("closed":true)"));
  for (const auto* const none : {R"({"other":{"action":"accept"}})", R"({"confirm":17})", R"({"confirm":{}})",
                                 R"({"confirm":{"action":"accept","content":{"ok":"yes"}}})", "{}"}) {
    const auto response = close_ticket(std::string(R"(,"inputResponses":)") + none);
    EXPECT_TRUE(has(response.body, R"("resultType":"input_required")")) << none << ": " << response.body;
  }
  for (const auto* const wrong : {R"(,"inputResponses":null)", R"(,"inputResponses":[])", R"(,"requestState":17)",
                                  R"(,"requestState":"")", R"(,"requestState":"AAAA")"}) {
    const auto response = close_ticket(wrong);
    EXPECT_EQ(response.status, 200U);
    EXPECT_TRUE(has(response.body, R"("code":-32602)")) << wrong << ": " << response.body;
  }
}

TEST_F(ModernTest, ARestartLosesNoQuestion) {
  const auto state = state_member(close_ticket());
  stop();
  start();
  EXPECT_TRUE(has(close_ticket(state).body, R"("closed":true)"));
}

TEST_F(ModernTest, WhatTheClientCannotBeAskedIsNamed) {
  const auto refused = ask(request("close_ticket", R"("arguments":{"title":"T-17"})"));
  EXPECT_EQ(refused.status, 400U);
  EXPECT_TRUE(has(refused.body, R"("code":-32021)")) << refused.body;
  EXPECT_TRUE(has(refused.body, R"("requiredCapabilities":{"elicitation":{)")) << refused.body;
}

TEST_F(ModernTest, AClientThatLeavesHasCancelled) {
  auto gone = std::make_unique<RawClient>(port_);
  gone->send(request("sleep", R"("arguments":{"ms":60000})"));
  EXPECT_TRUE(eventually([&] { return endpoint_->counts().running_calls == 1; }));
  gone.reset();
  EXPECT_TRUE(nothing_runs());
}

TEST_F(ModernTest, PostgresHearsOfIt) {
  const auto sleeping = [&] {
    return postgres_.run_sql("select count(*) from pg_stat_activity where query like 'select pg_sleep(57)%'") == "1";
  };
  auto gone = std::make_unique<RawClient>(port_);
  gone->send(request("sql", R"("arguments":{"statement":"select pg_sleep(57)::text"})"));
  ASSERT_TRUE(eventually(sleeping));
  gone.reset();
  EXPECT_TRUE(eventually([&] { return !sleeping(); }));
  EXPECT_TRUE(nothing_runs());
}

TEST_F(ModernTest, ProgressMakesTheAnswerAStreamAndItsEndCancels) {
  const auto body = request("book", R"("arguments":{"marker":"m","ms":60000})", "{}", {}, R"("progressToken":"p")");
  {
    EventStream stream(port_, body);
    ASSERT_TRUE(stream.is_open()) << stream.head;
    EXPECT_FALSE(has(stream.head, "Mcp-Session-Id"));
    EXPECT_TRUE(has(stream.next(), R"("progressToken":"p")"));
    EXPECT_EQ(endpoint_->counts().running_calls, 1U);
  }
  EXPECT_TRUE(nothing_runs());
  EXPECT_EQ(postgres_.run_sql("select count(*) from ledger.entries where marker = 'm'"), "0");
}

TEST_F(ModernTest, WithoutATokenTheAnswerIsJson) {
  const auto response = ask(request("book", R"("arguments":{"marker":"n","ms":200})"));
  EXPECT_TRUE(response.has_field("Content-Type: application/json")) << response.head;
  EXPECT_TRUE(has(response.body, "booked n"));
}

TEST_F(ModernTest, ListenersHearWhatTheyAskedFor) {
  auto stream = listen(R"({"toolsListChanged":true,"resourceSubscriptions":["catalog:/picture","catalog:/other"]})");
  ASSERT_TRUE(stream.is_open()) << stream.head;
  const auto acknowledged = stream.next();
  EXPECT_TRUE(has(acknowledged, "notifications/subscriptions/acknowledged")) << acknowledged;
  EXPECT_TRUE(has(acknowledged, R"("io.modelcontextprotocol/subscriptionId":"listen:0")"));
  ask(request("announce_change", R"("arguments":{"uri":"catalog:/page"})"));
  std::string heard = stream.next();
  heard += stream.next();
  EXPECT_TRUE(has(heard, "notifications/tools/list_changed")) << heard;
  EXPECT_TRUE(has(heard, R"("uri":"catalog:/picture")")) << heard;
  EXPECT_FALSE(has(heard, "prompts/list_changed"));
  EXPECT_FALSE(has(heard, "catalog:/page")) << "nobody asked for it";
}

TEST_F(ModernTest, AnotherTenantHearsNothingOfOurCalls) {
  const auto mine = tenant_;
  tenant_ = store_->create_tenant("other", "Other", "UTC", {"test"}).value().id;
  const auto theirs = add_key();
  tenant_ = mine;
  auto other = listen(R"({"promptsListChanged":true,"resourceSubscriptions":["catalog:/page"]})", theirs);
  auto ours = listen(R"({"resourceSubscriptions":["catalog:/page"]})");
  EXPECT_TRUE(has(other.next(), "acknowledged"));
  EXPECT_TRUE(has(ours.next(), "acknowledged"));
  ask(request("announce_change", R"("arguments":{"uri":"catalog:/page"})"));
  EXPECT_TRUE(has(ours.next(), R"("uri":"catalog:/page")"));
  EXPECT_TRUE(has(other.next(), "prompts/list_changed")) << "and that first";
}

TEST_F(ModernTest, SubscriptionsEndWithTheirKeyAndWithTheHost) {
  const auto lost = add_key();
  auto theirs = listen(R"({"toolsListChanged":true})", lost);
  auto ours = listen(R"({"toolsListChanged":true})");
  EXPECT_TRUE(has(theirs.next(), "acknowledged"));
  EXPECT_TRUE(has(ours.next(), "acknowledged"));
  delete_key(lost);
  EXPECT_EQ(theirs.next(), "");
  const auto begun = std::chrono::steady_clock::now();
  endpoint_->stop(20s);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 10s);
  EXPECT_TRUE(has(ours.next(), R"("resultType":"complete")"));
  EXPECT_EQ(ours.next(), "");
}

TEST_F(ModernTest, ResourcesAndPromptsAreServed) {
  const auto read = ask(http("POST", "/mcp", key_, modern_fields("resources/read", "catalog:/notes/17/text"),
                             modern("1", "resources/read", R"("uri":"catalog:/notes/17/text")")));
  EXPECT_TRUE(has(read.body, "note 17")) << read.body;
  EXPECT_TRUE(has(read.body, R"("cacheScope":"private")"));
  const auto missing = ask(http("POST", "/mcp", key_, modern_fields("resources/read", "catalog:/notes/none/text"),
                                modern("1", "resources/read", R"("uri":"catalog:/notes/none/text")")));
  EXPECT_EQ(missing.status, 200U);
  EXPECT_TRUE(has(missing.body, R"("code":-32602)")) << missing.body;
  EXPECT_TRUE(has(missing.body, R"("data":{"uri":"catalog:/notes/none/text"})"));
  const auto prompt = ask(http("POST", "/mcp", key_, modern_fields("prompts/get", "greet"),
                               modern("1", "prompts/get", R"("name":"greet","arguments":{"name":"Ann"})")));
  EXPECT_TRUE(has(prompt.body, "Greet Ann in a friendly tone.")) << prompt.body;
  const auto incomplete = ask(http("POST", "/mcp", key_, modern_fields("prompts/get", "greet"),
                                   modern("1", "prompts/get", R"("name":"greet","arguments":{})")));
  EXPECT_TRUE(has(incomplete.body, R"("code":-32602)")) << incomplete.body;
  const auto completed = ask(http("POST", "/mcp", key_, modern_fields("completion/complete"),
                                  modern("1", "completion/complete",
                                         R"("ref":{"type":"ref/resource","uri":"catalog:/notes/{id}/text"},)"
                                         R"("argument":{"name":"id","value":"1"})")));
  EXPECT_TRUE(has(completed.body, R"("total":150,"hasMore":true)")) << completed.body;
}

}  // namespace
}  // namespace toolhost::protocol
