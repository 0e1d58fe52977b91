#include "integration/protocol/mcp_host.hpp"

namespace toolhost::protocol {
namespace {

using namespace std::chrono_literals;

class RevocationTest : public McpHostTest {};

TEST_F(RevocationTest, EndsStreamsSessionsAndCallsOfADeletedKeyWithinASecond) {
  const auto lost = add_key();
  const auto opened = ask(http("POST", "/mcp", lost, {}, initialize("2025-11-25")));
  const auto session = "Mcp-Session-Id: " + field(opened, "Mcp-Session-Id") + "\r\n";
  EventStream stream(port_, "/mcp", lost, session), legacy_stream(port_, "/sse", lost),
      kept_stream(port_, "/sse", key_);
  ASSERT_TRUE(stream.is_open() && legacy_stream.is_open() && kept_stream.is_open());
  EXPECT_EQ(legacy_stream.next().find("/messages"), 0U);
  const auto kept_endpoint = kept_stream.next();
  RawClient with_session(port_), alone(port_);
  with_session.send(http("POST", "/mcp", lost, session, call("1", "sleep", R"({"ms":20000})")));
  alone.send(http("POST", "/mcp", lost, {}, call("1", "sleep", R"({"ms":20000})")));
  std::this_thread::sleep_for(100ms);

  const auto deleted = std::chrono::steady_clock::now();
  delete_key(lost);
  EXPECT_EQ(stream.next(), "");
  EXPECT_EQ(legacy_stream.next(), "");
  for (auto* const client : {&with_session, &alone}) {
    const auto response = client->read_response();
    EXPECT_EQ(response.status, 401U);
    EXPECT_NE(response.body.find("Invalid API key"), std::string::npos);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - deleted, 1s);
  EXPECT_EQ(ask(http("POST", "/mcp", lost, session, call("1", "echo", R"({"text":"x"})"))).status, 401U);

  // Nobody else notices.
  ask(http("POST", kept_endpoint, key_, {}, R"({"jsonrpc":"2.0","id":1,"method":"ping"})"));
  EXPECT_EQ(kept_stream.next(), R"({"jsonrpc":"2.0","id":1,"result":{}})");
  const auto begun = std::chrono::steady_clock::now();
  endpoint_->stop(10s);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 5s) << "the calls of the key were not stopped";
}

TEST_F(RevocationTest, LeavesNoStreamOpenThatWasOpenedMeanwhile) {
  // Streams are opened all the time while their key is deleted; none may outlive it.
  const auto lost = add_key();
  std::array<std::vector<std::unique_ptr<EventStream>>, 3> streams;
  std::vector<std::thread> clients;
  std::atomic<int> opened{0};
  for (auto& mine : streams) {
    clients.emplace_back([&] {
      for (;;) {
        auto stream = std::make_unique<EventStream>(port_, "/sse", lost);
        if (!stream->is_open()) return;
        mine.push_back(std::move(stream));
        ++opened;
      }
    });
  }
  EXPECT_TRUE(eventually([&] { return opened > 20; }));
  delete_key(lost);
  for (auto& client : clients) client.join();
  // The clients still hold their ends.
  EXPECT_TRUE(eventually([&] { return server_->open_streams() == 0; })) << server_->open_streams() << " are open";
}

}  // namespace
}  // namespace toolhost::protocol
