#include "integration/protocol/mcp_host.hpp"

namespace toolhost::protocol {
namespace {

using namespace std::chrono_literals;

class HttpSseTest : public McpHostTest {
 protected:
  /// A client with its stream open.
  struct Client {
    Client(const HttpSseTest& test, std::string with_key)
        : host(test), key(std::move(with_key)), stream(test.port_, "/sse", key), endpoint(stream.next()) {}
    RawResponse send(std::string_view message) const { return host.ask(http("POST", endpoint, key, {}, message)); }

    const HttpSseTest& host;
    std::string key;
    EventStream stream;
    std::string endpoint;
  };
};

TEST_F(HttpSseTest, LeadsFromTheStreamToATool) {
  Client client(*this, key_);
  EXPECT_TRUE(client.stream.is_open()) << client.stream.head;
  EXPECT_NE(client.stream.head.find("Content-Type: text/event-stream"), std::string::npos);
  EXPECT_EQ(client.endpoint.find("/messages?sessionId="), 0U);
  EXPECT_EQ(client.endpoint.size(), std::string("/messages?sessionId=").size() + 55);  // 128 bits
  const auto accepted = client.send(initialize("2024-11-05"));
  EXPECT_EQ(accepted.status, 202U);
  EXPECT_EQ(accepted.body, "Accepted");
  EXPECT_EQ(
      client.stream.next(),
      R"({"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2024-11-05","capabilities":{"tools":{"listChanged":true}},"serverInfo":{"name":"toolhost","version":"1.0"}}})");
  EXPECT_EQ(client.send(R"({"jsonrpc":"2.0","method":"notifications/initialized"})").status, 202U);
  client.send(call("\"a\"", "echo", R"({"text":"🎫"})"));
  EXPECT_EQ(
      client.stream.next(),
      R"({"jsonrpc":"2.0","id":"a","result":{"content":[{"type":"text","text":"🎫"},{"type":"text","text":"{\"text\":\"🎫\"}"}]}})");
}

TEST_F(HttpSseTest, ServesAClientThatCameBackWithoutInitialize) {
  Client client(*this, key_);
  client.send(call("3", "echo", R"({"text":"x"})"));
  EXPECT_NE(client.stream.next().find(R"("structuredContent":{"text":"x"})"), std::string::npos);
}

TEST_F(HttpSseTest, AnswersQuickCallsWhileASlowOneRuns) {
  Client client(*this, key_);
  client.send(call("1", "sleep", R"({"ms":400})"));
  client.send(call("2", "echo", R"({"text":"x"})"));
  EXPECT_NE(client.stream.next().find(R"("id":2)"), std::string::npos);
  EXPECT_NE(client.stream.next().find(R"("id":1)"), std::string::npos);
}

TEST_F(HttpSseTest, SaysNothingAboutACancelledCall) {
  Client client(*this, key_);
  client.send(call("1", "sleep", R"({"ms":20000})"));
  std::this_thread::sleep_for(50ms);
  client.send(R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}})");
  client.send(R"({"jsonrpc":"2.0","id":2,"method":"ping"})");
  EXPECT_EQ(client.stream.next(), R"({"jsonrpc":"2.0","id":2,"result":{}})");
  EXPECT_TRUE(eventually([&] {  // and its id is free again
    client.send(call("1", "sleep", R"({"ms":0})"));
    return client.stream.next().find("slept") != std::string::npos;
  }));
}

TEST_F(HttpSseTest, RefusesAnIdThatIsStillRunning) {
  Client client(*this, key_);
  client.send(call("1", "sleep", R"({"ms":500})"));
  client.send(call("1", "sleep", R"({"ms":0})"));
  EXPECT_NE(client.stream.next().find("-32600"), std::string::npos);
  EXPECT_NE(client.stream.next().find("slept"), std::string::npos);
}

TEST_F(HttpSseTest, StopsTheCallsOfAClientThatLeft) {
  std::string endpoint;
  {
    Client client(*this, key_);
    endpoint = client.endpoint;
    client.send(call("1", "sleep", R"({"ms":60000})"));
    std::this_thread::sleep_for(50ms);
  }
  EXPECT_TRUE(eventually([&] { return ask(http("POST", endpoint, key_, {}, call("2", "echo", "{}"))).status == 404; }));
  const auto begun = std::chrono::steady_clock::now();
  endpoint_->stop(10s);  // waits for running calls: there is none any more
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 5s);
}

TEST_F(HttpSseTest, TakesMessagesForItsOwnKeyOnly) {
  Client client(*this, key_);
  const auto ping = R"({"jsonrpc":"2.0","id":1,"method":"ping"})";
  EXPECT_EQ(ask(http("POST", client.endpoint, add_key(), {}, ping)).status, 404U);
  EXPECT_EQ(ask(http("POST", client.endpoint, "hdsk_wrong", {}, ping)).status, 401U);
  EXPECT_EQ(ask(http("POST", "/messages?sessionId=AAAAAAAAAAAAAAAAAAAAAA", key_, {}, ping)).status, 404U);
  EXPECT_EQ(ask(http("POST", "/messages", key_, {}, ping)).status, 400U);
  client.send(ping);
  EXPECT_EQ(client.stream.next(), R"({"jsonrpc":"2.0","id":1,"result":{}})");
}

TEST_F(HttpSseTest, AnswersAProbeOnTheStream) {
  Client client(*this, key_);
  EXPECT_EQ(client.send(R"({"jsonrpc":"2.0","id":"p","method":"server/discover","params":{}})").status, 202U);
  EXPECT_NE(client.stream.next().find("-32601"), std::string::npos);
}

TEST_F(HttpSseTest, AnswersHeadWithoutAStream) {
  RawClient client(port_);
  client.send(http("HEAD", "/sse", key_));
  EXPECT_EQ(client.read_response(true).status, 200U);
  client.send(http("POST", "/mcp", key_, {}, R"({"jsonrpc":"2.0","id":1,"method":"ping"})"));
  EXPECT_EQ(client.read_response().status, 200U);
}

TEST_F(HttpSseTest, RefusesAWrongKeyWithoutAStream) {
  const auto refused = ask(http("GET", "/sse", "hdsk_wrong"));
  EXPECT_EQ(refused.status, 401U);
  EXPECT_NE(refused.body.find("Invalid API key"), std::string::npos);
}

TEST_F(HttpSseTest, EndsStreamsWhenItStops) {
  Client client(*this, key_);
  endpoint_->stop(0ms);
  EXPECT_EQ(client.stream.next(), "");
}

}  // namespace
}  // namespace toolhost::protocol
