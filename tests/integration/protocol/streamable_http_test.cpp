#include "integration/protocol/mcp_host.hpp"

namespace toolhost::protocol {
namespace {

using namespace std::chrono_literals;

constexpr const char* kEchoed =
    R"({"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"grüß 🎫 שלום"}],"structuredContent":{"text":"grüß 🎫 שלום"}}})";
constexpr const char* kText = R"({"text":"grüß 🎫 שלום"})";

class StreamableHttpTest : public McpHostTest {};

TEST_F(StreamableHttpTest, ServesASessionOnBothUrls) {
  for (const auto* const url : {"/mcp", "/sse"}) {
    const auto opened = post(initialize("2025-06-18"), {}, url);
    EXPECT_EQ(opened.status, 200U);
    EXPECT_TRUE(opened.has_field("Content-Type: application/json"));
    const auto session =
        "Mcp-Session-Id: " + field(opened, "Mcp-Session-Id") + "\r\nMCP-Protocol-Version: 2025-06-18\r\n";
    EXPECT_EQ(post(R"({"jsonrpc":"2.0","method":"notifications/initialized"})", session, url).status, 202U);
    const auto listed = post(R"({"jsonrpc":"2.0","id":"l","method":"tools/list"})", session, url);
    EXPECT_NE(listed.body.find(R"({"name":"echo","title":"Echo")"), std::string::npos) << listed.body;
    EXPECT_EQ(post(call("1", "echo", kText), session, url).body, kEchoed);
    EXPECT_EQ(ask(http("DELETE", url, key_, session)).status, 200U);
    EXPECT_EQ(post(call("1", "echo", kText), session, url).status, 404U);
    EXPECT_EQ(ask(http("DELETE", url, key_, session)).status, 404U);
  }
}

TEST_F(StreamableHttpTest, TakesTheKeyAsBearerToo) {
  const auto request =
      http("POST", "/mcp", {}, "Authorization: Bearer " + key_ + "\r\nMCP-Protocol-Version: 2025-11-25\r\n",
           call("1", "echo", kText));
  EXPECT_EQ(ask(request).body, kEchoed);
}

TEST_F(StreamableHttpTest, ServesRequestsWithoutASession) {
  EXPECT_EQ(post(call("1", "echo", kText), "MCP-Protocol-Version: 2025-11-25\r\n").body, kEchoed);
  EXPECT_NE(post(call("1", "echo", kText)).body.find(R"({"type":"text","text":"{\"text\":)"), std::string::npos);
}

TEST_F(StreamableHttpTest, TellsAModelWhatIsWrongWithItsArguments) {
  const auto response = post(call("1", "echo", R"({"txt":"x"})"));
  EXPECT_EQ(response.status, 200U);
  EXPECT_NE(response.body.find("\"isError\":true"), std::string::npos);
  EXPECT_NE(response.body.find("text"), std::string::npos);
}

TEST_F(StreamableHttpTest, AnswersPipelinedRequestsOfOneConnectionInOrder) {
  RawClient client(port_);
  std::string requests;
  for (int i = 0; i < 20; ++i)
    requests += http("POST", "/mcp", key_, {},
                     call(std::to_string(i), i % 2 == 0 ? "echo" : "sleep", i % 2 == 0 ? kText : R"({"ms":1})"));
  client.send(requests);
  for (int i = 0; i < 20; ++i) {
    const auto response = client.read_response();
    EXPECT_EQ(response.status, 200U);
    EXPECT_EQ(response.body.find(R"({"jsonrpc":"2.0","id":)" + std::to_string(i) + ","), 0U) << response.body;
  }
}

TEST_F(StreamableHttpTest, CancelsARunningCallOfTheSameSession) {
  const auto session = open_session();
  RawClient client(port_);
  client.send(http("POST", "/mcp", key_, session, call("7", "sleep", R"({"ms":20000})")));
  const auto begun = std::chrono::steady_clock::now();
  std::this_thread::sleep_for(50ms);
  EXPECT_EQ(post(R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}})", session).status,
            202U);
  const auto response = client.read_response();
  EXPECT_EQ(response.status, 202U);
  EXPECT_EQ(response.body, "");
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 3s);
}

TEST_F(StreamableHttpTest, RefusesAnIdThatIsStillRunning) {
  const auto session = open_session();
  RawClient client(port_);
  client.send(http("POST", "/mcp", key_, session, call("7", "sleep", R"({"ms":1000})")));
  std::this_thread::sleep_for(100ms);
  EXPECT_NE(post(call("7", "sleep", R"({"ms":1})"), session).body.find("still running"), std::string::npos);
  EXPECT_NE(client.read_response().body.find("slept"), std::string::npos);
  EXPECT_NE(post(call("7", "sleep", R"({"ms":1})"), session).body.find("slept"), std::string::npos);
}

TEST_F(StreamableHttpTest, KeepsSessionsFromOtherKeys) {
  const auto session = open_session();
  const auto other = add_key();
  for (const auto* const method : {"POST", "GET", "DELETE"}) {
    const auto response = ask(http(method, "/mcp", other, session, call("1", "echo", kText)));
    EXPECT_EQ(response.status, 404U) << method;
  }
  EXPECT_EQ(post(call("1", "echo", kText), session).body, kEchoed);
}

TEST_F(StreamableHttpTest, KnowsASessionAgainAfterARestart) {
  const auto session = open_session("2025-06-18");
  const auto plain = open_session("2025-03-26");
  stop();
  start();
  EXPECT_EQ(post(call("1", "echo", kText), session).body, kEchoed);
  EXPECT_NE(post(call("1", "echo", kText), plain).body, kEchoed);  // its revision has no structured content
  EXPECT_EQ(ask(http("POST", "/mcp", add_key(), session, call("1", "echo", kText))).status, 404U);
  EventStream stream(port_, "/mcp", key_, session);
  EXPECT_TRUE(stream.is_open()) << stream.head;
}

TEST_F(StreamableHttpTest, HasOneStreamForASession) {
  const auto session = open_session();
  {
    EventStream first(port_, "/mcp", key_, session);
    EXPECT_TRUE(first.is_open()) << first.head;
    EXPECT_EQ(ask(http("GET", "/mcp", key_, session)).status, 409U);
  }
  EXPECT_TRUE(eventually([&] { return EventStream(port_, "/mcp", key_, session).is_open(); }))
      << "the client that left is noticed";
}

TEST_F(StreamableHttpTest, AnswersBatchesOf20250326) {
  const auto session = open_session("2025-03-26");
  const auto response = post("[" + call("1", "sleep", R"({"ms":30})") + "," + call("2", "echo", kText) + "]", session);
  EXPECT_EQ(response.status, 200U);
  EXPECT_EQ(response.body.front(), '[');
  EXPECT_LT(response.body.find(R"("id":1)"), response.body.find(R"("id":2)"));
}

TEST_F(StreamableHttpTest, AnswersAProbeForTheModernEra) {
  const auto probe = post(modern("\"p\"", "server/discover"), modern_fields("server/discover"));
  EXPECT_EQ(probe.status, 200U);
  EXPECT_NE(probe.body.find(R"("supportedVersions":["2026-07-28"])"), std::string::npos) << probe.body;
  EXPECT_EQ(post(R"({"jsonrpc":"2.0","id":1,"method":"tools/list"})", "MCP-Protocol-Version: 2026-07-28\r\n").status,
            400U);
  // Who does not say which revision, means the other era, where nobody knows the method.
  const auto unclaimed = post(R"({"jsonrpc":"2.0","id":"p","method":"server/discover"})");
  EXPECT_EQ(unclaimed.status, 200U);
  EXPECT_NE(unclaimed.body.find("-32601"), std::string::npos);
}

TEST_F(StreamableHttpTest, TellsEveryClientWhatIsWrongWithItsKey) {
  const auto wrong = ask(http("POST", "/mcp", key_.substr(0, 30), {}, initialize("2025-11-25")));
  EXPECT_EQ(wrong.status, 401U);
  EXPECT_TRUE(wrong.has_field("WWW-Authenticate: ApiKey realm=\"toolhost\""));
  EXPECT_NE(wrong.body.find("Invalid API key"), std::string::npos);
  const auto none = ask(http("POST", "/mcp", {}, {}, initialize("2025-11-25")));
  EXPECT_EQ(none.status, 401U);
  EXPECT_NE(none.body.find("X-API-Key"), std::string::npos);
  EXPECT_EQ(ask(http("GET", "/.well-known/oauth-protected-resource/mcp", {})).status, 404U);
  const auto registration = ask(http("POST", "/register", {}, {}, R"({"client_name":"x"})"));
  EXPECT_EQ(registration.status, 404U);
  EXPECT_NE(registration.body.find("error_description"), std::string::npos);
}

TEST_F(StreamableHttpTest, LetsRunningCallsEndBeforeItStops) {
  RawClient client(port_);
  client.send(http("POST", "/mcp", key_, {}, call("1", "sleep", R"({"ms":300})")));
  std::this_thread::sleep_for(100ms);
  endpoint_->stop(5s);
  EXPECT_NE(client.read_response().body.find("slept"), std::string::npos);
  const auto late = post(call("1", "echo", kText));
  EXPECT_EQ(late.status, 503U);
  EXPECT_FALSE(field(late, "Retry-After").empty());
}

TEST_F(StreamableHttpTest, AnswersCallsThatOutlastTheDrain) {
  RawClient client(port_);
  client.send(http("POST", "/mcp", key_, {}, call("1", "sleep", R"({"ms":20000})")));
  std::this_thread::sleep_for(100ms);
  endpoint_->stop(0ms);
  EXPECT_EQ(client.read_response().status, 503U);
}

}  // namespace
}  // namespace toolhost::protocol
