// Server-Sent Events over real sockets: order, framing, slow and vanished readers, many streams, many threads.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "integration/transport/raw_client.hpp"
#include "integration/transport/test_server.hpp"

namespace toolhost::transport::testing {
namespace {

using namespace std::chrono_literals;

using ::testing::HasSubstr;

const std::string kEndpointEvent = "event: endpoint\ndata: /messages?sessionId=1\n\n";

TEST(SseStream, StartsWithTheFieldsThatKeepProxiesFromBuffering) {
  TestServer host;
  RawClient client(host.port);
  client.send(request("GET", "/stream", "Origin: http://localhost:1\r\n"));
  RawResponse response;
  response.head = client.read_until("\r\n\r\n");
  EXPECT_THAT(response.head, HasSubstr("HTTP/1.1 200 OK\r\n"));
  for (const char* field :
       {"Content-Type: text/event-stream\r\n", "Cache-Control: no-cache, no-transform\r\n", "X-Accel-Buffering: no\r\n",
        "Transfer-Encoding: chunked\r\n", "X-Extra: yes\r\n", "Access-Control-Allow-Origin: http://localhost:1\r\n"}) {
    EXPECT_TRUE(response.has_field(field)) << field;
  }
  EXPECT_FALSE(response.has_field("Content-Length"));
  EXPECT_EQ(client.read_chunk(), kEndpointEvent);
  EXPECT_EQ(host.server->open_streams(), 1U);
}

TEST(SseStream, KeepsTheOrderOfEventsSentBeforeAndAfterItIsAttached) {
  TestServer host;
  RawClient client(host.port);
  client.send(request("GET", "/stream"));
  const auto stream = host.handler.wait_for_stream();
  std::string expected = kEndpointEvent;
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(stream->send("message", std::to_string(i)));
    expected += "event: message\ndata: " + std::to_string(i) + "\n\n";
  }
  stream->close();
  EXPECT_FALSE(stream->send("message", "too late"));
  EXPECT_EQ(client.read_response().body, expected);
}

TEST(SseStream, LeavesTheConnectionForTheNextRequestWhenItHasEnded) {
  TestServer host;
  RawClient client(host.port);
  client.send(request("POST", "/short-stream", "", "x") + request("GET", "/echo"));
  EXPECT_EQ(client.read_response().body, kEndpointEvent + "event: message\ndata: {\"id\":1}\n\n");
  EXPECT_EQ(client.read_response().body, "/echo?  ");

  client.send(request("GET", "/stream"));
  const auto stream = host.handler.wait_for_stream();
  client.read_until("\r\n\r\n");
  EXPECT_EQ(client.read_chunk(), kEndpointEvent);
  client.send(request("GET", "/echo"));  // sent while the stream is open: answered behind it
  std::this_thread::sleep_for(20ms);
  EXPECT_TRUE(stream->is_open());
  stream->close();
  EXPECT_EQ(client.read_chunk(), "");
  EXPECT_EQ(client.read_response().body, "/echo?  ");
  EXPECT_EQ(host.server->open_streams(), 0U);
}

TEST(SseStream, OfHttp10EndsWithTheConnection) {
  TestServer host;
  RawClient client(host.port);
  client.send("GET /short-stream HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n");
  const RawResponse response = client.read_response();
  EXPECT_TRUE(response.has_field("Connection: close\r\n"));
  EXPECT_FALSE(response.has_field("Transfer-Encoding"));
  EXPECT_EQ(response.body, kEndpointEvent + "event: message\ndata: {\"id\":1}\n\n");
}

TEST(SseStream, EndsPromptlyWhenTheClientGoes) {
  TestServer host;
  std::atomic<int> closed = 0;
  {
    RawClient client(host.port);
    client.send(request("GET", "/stream"));
    client.read_until("sessionId=1\n\n\r\n");
    host.handler.wait_for_stream()->on_closed([&] { ++closed; });
    EXPECT_EQ(closed, 0);
  }
  const auto start = std::chrono::steady_clock::now();
  EXPECT_TRUE(eventually([&] { return closed == 1; }));
  EXPECT_LT(std::chrono::steady_clock::now() - start, 500ms);
  const auto stream = host.handler.wait_for_stream();
  EXPECT_FALSE(stream->is_open());
  EXPECT_FALSE(stream->send("message", "x"));
  stream->on_closed([&] { ++closed; });  // has ended already: at once
  EXPECT_EQ(closed, 2);
  EXPECT_TRUE(eventually([&] { return host.server->open_streams() == 0 && host.server->open_connections() == 0; }));
}

TEST(SseStream, ACloseRunsTheCallbackOnce) {
  TestServer host;
  RawClient client(host.port);
  client.send(request("GET", "/stream"));
  const auto stream = host.handler.wait_for_stream();
  std::atomic<int> closed = 0;
  stream->on_closed([&] { ++closed; });
  stream->close();
  stream->close();
  EXPECT_TRUE(eventually([&] { return closed == 1; }));
  std::this_thread::sleep_for(20ms);
  EXPECT_EQ(closed, 1);
}

TEST(SseStream, IsKeptAliveWithComments) {
  TestServer host([](HttpServerConfig& config) { config.heartbeat = 1s; });
  RawClient client(host.port);
  client.send(request("GET", "/stream"));
  client.read_until("sessionId=1\n\n\r\n");
  EXPECT_EQ(client.read_chunk(), ": keepalive\n\n");
  host.handler.wait_for_stream()->send("message", "1");
  EXPECT_EQ(client.read_chunk(), "event: message\ndata: 1\n\n");
  EXPECT_EQ(client.read_chunk(), ": keepalive\n\n");
}

TEST(SseStream, ASlowReaderLosesItAtTheQueueLimit) {
  TestServer host([](HttpServerConfig& config) { config.max_stream_queue_bytes = 256 * 1024; });
  RawClient client(host.port, 4096);
  client.send(request("GET", "/stream"));
  const auto stream = host.handler.wait_for_stream();
  const std::string data(10'000, 'd');
  int sent = 0;
  while (sent < 100'000 && stream->send("message", data)) ++sent;
  EXPECT_LT(sent, 100'000);
  EXPECT_FALSE(stream->is_open());
  EXPECT_TRUE(eventually([&] { return host.server->open_streams() == 0; }));
  EXPECT_TRUE(host.sink.has("slow_reader"));
}

TEST(SseStream, AReaderThatStopsLosesItAtTheWriteLimit) {
  TestServer host([](HttpServerConfig& config) {
    config.max_stream_queue_bytes = 64 * 1024 * 1024;
    config.stream_write_limit = 1s;
  });
  RawClient client(host.port, 4096);
  client.send(request("GET", "/stream"));
  const auto stream = host.handler.wait_for_stream();
  EXPECT_TRUE(stream->send("message", std::string(16 * 1024 * 1024, 'd')));
  EXPECT_TRUE(eventually([&] { return !stream->is_open(); }));
  EXPECT_TRUE(eventually([&] { return host.sink.has("slow_reader"); }));
}

TEST(SseStream, ALargeEventReachesASlowReaderWhole) {
  TestServer host([](HttpServerConfig& config) { config.max_stream_queue_bytes = 64 * 1024 * 1024; });
  RawClient client(host.port, 64 * 1024);
  client.send(request("GET", "/stream"));
  client.read_until("sessionId=1\n\n\r\n");
  const auto stream = host.handler.wait_for_stream();
  const std::string data(8 * 1024 * 1024, 'd');
  stream->send("message", data);
  stream->send("message", "after");
  EXPECT_EQ(client.read_chunk(), "event: message\ndata: " + data + "\n\n");
  EXPECT_EQ(client.read_chunk(), "event: message\ndata: after\n\n");
}

TEST(SseStream, TakesEventsFromManyThreads) {
  TestServer host;
  RawClient client(host.port);
  client.send(request("GET", "/stream"));
  client.read_until("sessionId=1\n\n\r\n");
  const auto stream = host.handler.wait_for_stream();
  constexpr int kThreads = 4, kEvents = 2000;
  std::vector<std::jthread> senders;
  for (int t = 0; t < kThreads; ++t) {
    senders.emplace_back([stream, t] {
      for (int i = 0; i < kEvents; ++i) stream->send("message", std::to_string(t) + ":" + std::to_string(i));
    });
  }
  // Every event whole, and those of one sender in its order.
  std::map<int, int> next;
  for (int n = 0; n < kThreads * kEvents; ++n) {
    const std::string chunk = client.read_chunk();
    int thread = -1, number = -1;
    ASSERT_EQ(std::sscanf(chunk.c_str(), "event: message\ndata: %d:%d\n\n", &thread, &number), 2) << chunk;
    ASSERT_EQ(number, next[thread]++);
  }
}

TEST(SseStream, TwoThousandAreFedAndClosedFromOtherThreads) {
  TestServer host;
  constexpr std::size_t kStreams = 2000;
  std::vector<RawClient> clients;
  clients.reserve(kStreams);
  for (std::size_t i = 0; i < kStreams; ++i) {
    clients.emplace_back(host.port);
    clients.back().send(request("GET", "/stream"));
  }
  ASSERT_TRUE(eventually([&] { return host.server->open_streams() == kStreams; }));
  const auto streams = host.handler.streams();
  std::atomic<std::size_t> closed = 0;
  for (const auto& stream : streams) stream->on_closed([&] { ++closed; });
  {
    std::vector<std::jthread> threads;
    for (std::size_t t = 0; t < 4; ++t) {
      threads.emplace_back([&streams, t] {
        for (std::size_t i = t; i < streams.size(); i += 4) {
          streams[i]->send("message", "1");
          static_cast<void>(streams[(i + 1) % streams.size()]->is_open());
          streams[i]->send("message", "2");
          streams[i]->close();
        }
      });
    }
    // Some clients leave while they are being written to.
    for (std::size_t i = 0; i < kStreams; i += 10) RawClient gone = std::move(clients[i]);
  }
  for (std::size_t i = 0; i < kStreams; ++i) {
    if (i % 10 == 0) continue;
    ASSERT_EQ(clients[i].read_response().body,
              kEndpointEvent + "event: message\ndata: 1\n\nevent: message\ndata: 2\n\n");
  }
  EXPECT_TRUE(eventually([&] { return host.server->open_streams() == 0; }));
  EXPECT_TRUE(eventually([&] { return closed == kStreams; }));
}

TEST(SseStream, SurvivesSendersThatOutliveTheServer) {
  std::shared_ptr<SseStream> stream;
  std::atomic<bool> stop = false;
  std::jthread sender;
  {
    TestServer host;
    RawClient client(host.port);
    client.send(request("GET", "/stream"));
    stream = host.handler.wait_for_stream();
    sender = std::jthread([&] {
      while (!stop) stream->send("message", "x");
    });
    client.read_until("data: x\n\n");
    host.server->stop(100ms);
  }
  stop = true;
  sender.join();
  EXPECT_FALSE(stream->send("message", "x"));
}

TEST(SseStream, WritesTheFieldsThatAnEventHas) {
  TestServer host;
  RawClient client(host.port);
  client.send(request("GET", "/stream"));
  const auto stream = host.handler.wait_for_stream();
  stream->send({.event = {}, .data = {}, .id = "t.0", .retry = 2s});
  stream->send({.event = "message", .data = "{}", .id = "t.1", .retry = {}});
  stream->close();
  EXPECT_EQ(client.read_response().body,
            kEndpointEvent + "id: t.0\nretry: 2000\ndata: \n\nevent: message\nid: t.1\ndata: {}\n\n");
}

}  // namespace
}  // namespace toolhost::transport::testing
