#include "integration/protocol/mcp_host.hpp"

namespace toolhost::protocol {
namespace {

/// Each of these ends in a documented error or works, and the host serves on.
class HostileInputTest : public McpHostTest {
 protected:
  void TearDown() override {
    EXPECT_EQ(post(R"({"jsonrpc":"2.0","id":1,"method":"ping"})").body, R"({"jsonrpc":"2.0","id":1,"result":{}})");
    McpHostTest::TearDown();
  }
};

TEST_F(HostileInputTest, DeepJsonIsNoJson) {
  for (const char* const open : {"[", "{\"a\":"}) {
    std::string deep;
    for (int i = 0; i < 100'000; ++i) deep += open;
    const auto whole = post(deep);
    EXPECT_EQ(whole.status, 400U);
    EXPECT_NE(whole.body.find("-32700"), std::string::npos);
    EXPECT_EQ(post(call("1", "echo", deep)).status, 400U);
  }
}

TEST_F(HostileInputTest, LoneSurrogatesAndBadUtf8AreNoJson) {
  for (const char* const text : {R"({"text":"\ud800"})", R"({"text":"\udc00"})", R"({"text":"\ud800x"})",
                                 "{\"text\":\"\xc3\"}", "{\"text\":\"\xed\xa0\x80\"}"}) {
    const auto response = post(call("1", "echo", text));
    EXPECT_EQ(response.status, 400U) << text;
    EXPECT_NE(response.body.find("-32700"), std::string::npos);
  }
}

TEST_F(HostileInputTest, EscapedNulIsATextLikeAnyOther) {
  const auto response =
      post(call("\"\\u0000\"", "echo", R"({"text":"a\u0000b"})"), "MCP-Protocol-Version: 2025-11-25\r\n");
  EXPECT_EQ(response.status, 200U);
  EXPECT_NE(response.body.find(R"("id":"\u0000")"), std::string::npos) << response.body;
}

TEST_F(HostileInputTest, HugeBodiesAreRefused) {
  RawClient client(port_);
  client.send(http("POST", "/mcp", key_, {}, std::string(10'000'000, ' ')));
  EXPECT_EQ(client.read_response().status, 413U);
}

TEST_F(HostileInputTest, RequestsArriveInAnyPieces) {
  const auto request =
      http("POST", "/mcp", key_, "MCP-Protocol-Version: 2025-11-25\r\n", call("1", "echo", R"({"text":"é🎫"})"));
  RawClient whole(port_);
  whole.send(request);
  const auto expected = whole.read_response().body;
  EXPECT_NE(expected.find("é🎫"), std::string::npos);
  for (std::size_t at = 1; at < request.size(); ++at) {
    RawClient client(port_);
    client.send(request.substr(0, at));
    if (at % 8 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    client.send(request.substr(at));
    ASSERT_EQ(client.read_response().body, expected) << at;
  }
}

TEST_F(HostileInputTest, SessionIdsOfAnyKindAreUnknown) {
  for (const std::string& id : {std::string(), std::string("x"), std::string(4000, 'A'), std::string(46, 'A'),
                                std::string("../../etc"), std::string("' or 1=1 --")}) {
    EXPECT_EQ(post(R"({"jsonrpc":"2.0","id":1,"method":"ping"})", "Mcp-Session-Id: " + id + "\r\n").status, 404U) << id;
    EXPECT_EQ(ask(http("DELETE", "/mcp", key_, "Mcp-Session-Id: " + id + "\r\n")).status, 404U) << id;
  }
}

TEST_F(HostileInputTest, WrongContentTypesAndMethodsAreNamed) {
  EXPECT_EQ(ask("POST /mcp HTTP/1.1\r\nHost: localhost\r\nX-API-Key: " + key_ +
                "\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}")
                .status,
            415U);
  EXPECT_EQ(ask(http("PUT", "/mcp", key_, "Content-Length: 0\r\n")).status, 405U);
  EXPECT_EQ(ask(http("GET", "/mcp", key_)).status, 405U);
  EXPECT_EQ(ask(http("DELETE", "/mcp", key_)).status, 400U);
}

TEST_F(HostileInputTest, ClientsThatLeaveDuringTheirCallsHarmNobody) {
  for (int i = 0; i < 50; ++i) {
    RawClient client(port_);
    client.send(http("POST", "/mcp", key_, {}, call("1", "sleep", R"({"ms":50})")));
  }
  for (int i = 0; i < 50; ++i) EventStream(port_, "/sse", key_);
  EXPECT_TRUE(eventually([&] { return server_->open_streams() == 0; }));
}

}  // namespace
}  // namespace toolhost::protocol
