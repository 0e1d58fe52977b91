#include "integration/protocol/mcp_host.hpp"

namespace toolhost::protocol {
namespace {

using namespace std::chrono_literals;

constexpr const char* kCanBeAsked = R"({"elicitation":{"form":{}},"sampling":{},"roots":{}})";
constexpr const char* kYes = R"({"action":"accept","content":{"ok":true}})";
constexpr const char* kTicket = R"({"title":"T-17"})";

/// The id of a request of the server, as JSON text.
std::string id_in(const std::string& message) {
  const auto begin = message.find(R"("id":)") + 5;
  return message.substr(begin, message.find(',', begin) - begin);
}
std::string result_of(const std::string& id, const std::string& result) {
  return R"({"jsonrpc":"2.0","id":)" + id + R"(,"result":)" + result + "}";
}
bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

class AskingTest : public McpHostTest {
 protected:
  AskingTest() { setup_.plugins = {"ask", "slow"}; }

  void SetUp() override {
    McpHostTest::SetUp();
    for (const auto& plugin : plugins_->plugins()) ASSERT_EQ(plugin.state, "serving") << plugin.file << plugin.reason;
    postgres_.run_sql("truncate ask.closed");
  }

  /// The field lines of a session whose client can be asked.
  std::string open_asked_session(const std::string& revision = "2025-11-25", const char* capabilities = kCanBeAsked) {
    return "Accept: application/json, text/event-stream\r\nMcp-Session-Id: " +
           field(post(initialize(revision, capabilities)), "Mcp-Session-Id") + "\r\n";
  }
  EventStream begin(const std::string& session, const std::string& tool, const std::string& arguments,
                    const std::string& id = "1") {
    return {port_, http("POST", "/mcp", key_, session, call(id, tool, arguments))};
  }
  unsigned answer(const std::string& session, const std::string& question, const std::string& result) {
    return post(result_of(id_in(question), result), session).status;
  }
  std::string closed() { return postgres_.run_sql("select count(*) from ask.closed"); }
};

TEST_F(AskingTest, TheCallGoesOnWithTheAnswer) {
  const auto session = open_asked_session();
  auto stream = begin(session, "close_ticket", kTicket);
  ASSERT_TRUE(stream.is_open()) << stream.head;
  const auto question = stream.next();
  EXPECT_TRUE(has(question, R"("method":"elicitation/create","params":{"mode":"form","message":"Close T-17?")"))
      << question;
  EXPECT_EQ(closed(), "0");
  EXPECT_EQ(answer(session, question, kYes), 202U);
  EXPECT_TRUE(has(stream.next(), R"("id":1,"result":{"content":[{"type":"text","text":"{\"closed\":true}"}])"));
  EXPECT_EQ(stream.next(), "");
  EXPECT_EQ(closed(), "1");
  EXPECT_EQ(answer(session, question, kYes), 202U) << "a second answer is dropped";
  EXPECT_EQ(closed(), "1");
}

TEST_F(AskingTest, OlderRevisionsKnowNoMode) {
  const auto session = open_asked_session("2025-06-18", R"({"elicitation":{}})");
  auto stream = begin(session, "close_ticket", kTicket);
  const auto question = stream.next();
  EXPECT_TRUE(has(question, R"("params":{"message":"Close T-17?")")) << question;
  EXPECT_EQ(answer(session, question, R"({"action":"decline"})"), 202U);
  EXPECT_TRUE(has(stream.next(), R"("structuredContent":{"closed":false})"));
  EXPECT_EQ(closed(), "0");
}

TEST_F(AskingTest, WhatWasWrittenBeforeTheQuestionIsUndone) {
  const auto session = open_asked_session();
  auto stream = begin(session, "write_then_ask", kTicket);
  const auto question = stream.next();
  EXPECT_EQ(closed(), "0");
  answer(session, question, kYes);
  EXPECT_TRUE(has(stream.next(), "round 1"));
  EXPECT_EQ(closed(), "1");
}

TEST_F(AskingTest, SeveralQuestionsAreAnsweredInAnyOrder) {
  const auto session = open_asked_session();
  auto stream = begin(session, "ask_everything", "{}");
  std::map<std::string, std::string> questions;
  for (int i = 0; i < 3; ++i) {
    const auto question = stream.next();
    for (const auto* method : {"elicitation/create", "sampling/createMessage", "roots/list"})
      if (has(question, method)) questions[method] = question;
  }
  ASSERT_EQ(questions.size(), 3U);
  answer(session, questions["roots/list"], R"({"roots":[{"uri":"file:///home"}]})");
  answer(session, questions["sampling/createMessage"],
         R"({"role":"assistant","content":{"type":"text","text":"Paris"},"model":"m"})");
  answer(session, questions["elicitation/create"], R"({"action":"accept","content":{"name":"Ann"}})");
  EXPECT_TRUE(has(stream.next(), "Ann, Paris, file:///home"));
}

TEST_F(AskingTest, OneQuestionFollowsTheOther) {
  const auto session = open_asked_session();
  auto stream = begin(session, "ask_in_turn", "{}");
  answer(session, stream.next(), R"({"action":"accept","content":{"colour":"red"}})");
  const auto second = stream.next();
  EXPECT_TRUE(has(second, "red?")) << second;
  answer(session, second, R"({"action":"accept"})");
  EXPECT_TRUE(has(stream.next(), "red accept 2"));
}

TEST_F(AskingTest, WhatIsNoAnswerIsAskedAgain) {
  const auto session = open_asked_session();
  auto stream = begin(session, "close_ticket", kTicket);
  answer(session, stream.next(), R"({"action":"accept","content":{"ok":"yes"}})");
  const auto again = stream.next();
  EXPECT_TRUE(has(again, "elicitation/create")) << again;
  answer(session, again, "17");
  const auto once_more = stream.next();
  EXPECT_TRUE(has(once_more, "elicitation/create")) << once_more;
  answer(session, once_more, kYes);
  EXPECT_TRUE(has(stream.next(), R"("closed":true)"));
}

TEST_F(AskingTest, AnErrorOfTheClientIsToldToTheTool) {
  const auto session = open_asked_session();
  auto stream = begin(session, "close_ticket", kTicket);
  const auto question = stream.next();
  post(R"({"jsonrpc":"2.0","id":)" + id_in(question) + R"(,"error":{"code":-1,"message":"Nobody is here"}})", session);
  const auto result = stream.next();
  EXPECT_TRUE(has(result, R"("isError":true)")) << result;
  EXPECT_TRUE(has(result, "Nobody is here")) << result;
}

TEST_F(AskingTest, WithoutTheCapabilityNobodyIsAsked) {
  const auto session = open_asked_session("2025-11-25", "{}");
  const auto response = post(call("1", "close_ticket", kTicket), session);
  EXPECT_TRUE(response.has_field("Content-Type: application/json"));
  EXPECT_TRUE(has(response.body, R"("isError":true)")) << response.body;
  // Nor a client that takes no stream.
  const auto can = open_asked_session();
  const auto only_json = "Accept: application/json\r\n" + can.substr(can.find("Mcp-Session-Id"));
  EXPECT_TRUE(has(post(call("1", "close_ticket", kTicket), only_json).body, R"("isError":true)"));
}

TEST_F(AskingTest, OnlyTheKeyThatWasAskedAnswers) {
  const auto session = open_asked_session();
  auto stream = begin(session, "close_ticket", kTicket);
  const auto question = stream.next();
  const auto other = add_key();
  EXPECT_EQ(ask(http("POST", "/mcp", other, {}, result_of(id_in(question), kYes))).status, 202U);
  EXPECT_EQ(endpoint_->counts().running_calls, 1U);
  answer(session, question, kYes);
  EXPECT_TRUE(has(stream.next(), R"("closed":true)"));
}

TEST_F(AskingTest, ACallThatWaitsForItsClientCanBeCancelled) {
  const auto session = open_asked_session();
  auto stream = begin(session, "close_ticket", kTicket, "\"mine\"");
  const auto question = stream.next();
  post(R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"mine"}})", session);
  EXPECT_TRUE(eventually([&] { return endpoint_->counts().running_calls == 0; }));
  answer(session, question, kYes);
  EXPECT_EQ(closed(), "0");
}

TEST_F(AskingTest, TheEndOfTheKeyEndsIt) {
  const auto lost = add_key();
  const auto opened = ask(http("POST", "/mcp", lost, {}, initialize("2025-11-25", kCanBeAsked)));
  EventStream stream(
      port_,
      http("POST", "/mcp", lost,
           "Accept: application/json, text/event-stream\r\nMcp-Session-Id: " + field(opened, "Mcp-Session-Id") + "\r\n",
           call("1", "close_ticket", kTicket)));
  EXPECT_TRUE(has(stream.next(), "elicitation/create"));
  delete_key(lost);
  EXPECT_TRUE(eventually([&] { return endpoint_->counts().running_calls == 0; }));
}

TEST_F(AskingTest, TheEndOfTheSessionEndsIt) {
  std::vector<std::string> sessions;
  std::vector<EventStream> waiting;
  for (int i = 0; i < 4; ++i) sessions.push_back(open_asked_session());
  for (int i = 0; i < 64; ++i) {
    waiting.push_back(begin(sessions[static_cast<std::size_t>(i % 4)], "close_ticket",
                            R"({"title":"T-)" + std::to_string(i) + "\"}", std::to_string(i)));
    EXPECT_TRUE(has(waiting.back().next(), "elicitation/create"));
  }
  EXPECT_EQ(endpoint_->counts().running_calls, 64U);
  waiting.clear();  // their clients have gone, and may come back
  EXPECT_EQ(endpoint_->counts().running_calls, 64U);
  for (const auto& session : sessions) EXPECT_EQ(ask(http("DELETE", "/mcp", key_, session)).status, 200U);
  EXPECT_TRUE(eventually([&] { return endpoint_->counts().running_calls == 0; }));
  EXPECT_EQ(closed(), "0");
}

TEST_F(AskingTest, AHostThatStopsDoesNotWaitForPeople) {
  const auto session = open_asked_session();
  auto stream = begin(session, "close_ticket", kTicket);
  EXPECT_TRUE(has(stream.next(), "elicitation/create"));
  const auto begun = std::chrono::steady_clock::now();
  endpoint_->stop(20s);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 10s);
}

TEST_F(AskingTest, WorksOverHttpWithSse) {
  EventStream stream(port_, "/sse", key_);
  const auto endpoint = stream.next();
  const auto send = [&](const std::string& message) { ask(http("POST", endpoint, key_, {}, message)); };
  send(initialize("2025-11-25", kCanBeAsked));
  EXPECT_TRUE(has(stream.next(), R"("protocolVersion":"2025-11-25")"));
  send(call("1", "close_ticket", kTicket));
  const auto question = stream.next();
  EXPECT_TRUE(has(question, "elicitation/create")) << question;
  send(result_of(id_in(question), kYes));
  EXPECT_TRUE(has(stream.next(), R"("closed":true)"));
}

class ImpatientTest : public AskingTest {
 protected:
  ImpatientTest() { setup_.ask_limit = 1s; }
};

TEST_F(ImpatientTest, NobodyWaitsForeverForAnAnswer) {
  const auto session = open_asked_session();
  auto stream = begin(session, "close_ticket", kTicket);
  const auto question = stream.next();
  EXPECT_TRUE(has(question, "elicitation/create"));
  EXPECT_EQ(stream.next(),
            R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":)" + id_in(question) + "}}");
  EXPECT_TRUE(has(stream.next(), R"("isError":true)"));
}

}  // namespace
}  // namespace toolhost::protocol
