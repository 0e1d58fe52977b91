// Sizes, times, numbers of connections, and the end of the server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <optional>
#include <string>
#include <thread>

#include "integration/transport/raw_client.hpp"
#include "integration/transport/test_server.hpp"

namespace toolhost::transport::testing {
namespace {

using namespace std::chrono_literals;

using ::testing::HasSubstr;
using Clock = std::chrono::steady_clock;

TEST(HttpLimits, AnOversizedBodyIsAnsweredBeforeItArrives) {
  TestServer host([](HttpServerConfig& config) { config.max_body_bytes = 1000; });
  RawClient waits(host.port);
  waits.send(request("POST", "/echo", "Origin: http://localhost:1\r\nContent-Length: 1001\r\n"));
  const RawResponse response = waits.read_response();
  EXPECT_EQ(response.status, 413U);
  EXPECT_THAT(response.body, HasSubstr("body_too_large"));
  EXPECT_TRUE(response.has_field("Access-Control-Allow-Origin: http://localhost:1\r\n"));
  EXPECT_TRUE(waits.is_closed_by_server());
  EXPECT_TRUE(host.sink.has("too_large"));

  // A client that sends it all before it reads still sees the answer, not a reset.
  RawClient pushes(host.port);
  pushes.send(request("POST", "/echo", "", std::string(10 * 1024 * 1024, 'x')));
  EXPECT_EQ(pushes.read_response().status, 413U);

  RawClient chunks(host.port);
  chunks.send(request("POST", "/echo", "Transfer-Encoding: chunked\r\n") + "400\r\n" + std::string(1024, 'x') +
              "\r\n0\r\n\r\n");
  EXPECT_EQ(chunks.read_response().status, 413U);
  EXPECT_EQ(host.handler.calls, 0);
}

TEST(HttpLimits, AnOversizedHeadIsRefused) {
  TestServer host([](HttpServerConfig& config) { config.max_header_bytes = 1024; });
  RawClient client(host.port);
  client.send(request("GET", "/echo", "X: " + std::string(100'000, 'x') + "\r\n"));
  const RawResponse response = client.read_response();
  EXPECT_EQ(response.status, 431U);
  EXPECT_THAT(response.body, HasSubstr("header_too_large"));
  EXPECT_TRUE(client.is_closed_by_server());
}

TEST(HttpLimits, ARequestThatDoesNotArriveInTimeIsTold) {
  TestServer host([](HttpServerConfig& config) { config.request_limit = 1s; });
  RawClient client(host.port);
  client.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n");
  const auto start = Clock::now();
  // A trickle of bytes does not extend the limit.
  std::jthread trickle([&](const std::stop_token& stop) {
    while (!stop.stop_requested() && client.send("x")) std::this_thread::sleep_for(50ms);
  });
  const RawResponse response = client.read_response();
  trickle.request_stop();
  EXPECT_EQ(response.status, 408U);
  EXPECT_GE(Clock::now() - start, 1s);
  EXPECT_LT(Clock::now() - start, 3s);
  EXPECT_TRUE(host.sink.has("timeout"));
}

TEST(HttpLimits, AnIdleConnectionIsClosedInSilence) {
  TestServer host([](HttpServerConfig& config) { config.idle_limit = 1s; });
  RawClient fresh(host.port);
  RawClient used(host.port);
  used.send(request("GET", "/echo"));
  EXPECT_EQ(used.read_response().status, 200U);
  EXPECT_TRUE(used.is_closed_by_server());
  EXPECT_TRUE(fresh.is_closed_by_server());
  EXPECT_TRUE(eventually([&] { return host.server->open_connections() == 0; }));
}

TEST(HttpLimits, AClientThatDoesNotReadItsAnswerIsDropped) {
  TestServer host([](HttpServerConfig& config) { config.stream_write_limit = 1s; });
  RawClient client(host.port, 4096);
  client.send(request("GET", "/big"));
  EXPECT_TRUE(eventually([&] { return host.handler.calls == 1; }));
  EXPECT_TRUE(eventually([&] { return host.server->open_connections() == 0; }));
}

TEST(HttpLimits, AClientThatReadsSlowlyButSteadilyIsServed) {
  TestServer host([](HttpServerConfig& config) { config.stream_write_limit = 1s; });
  RawClient client(host.port, 64 * 1024);
  client.send(request("GET", "/big"));
  client.read_until("\r\n\r\n");
  const auto start = Clock::now();
  std::size_t received = 0;
  while (Clock::now() - start < 2500ms) {
    received += client.read_exactly(64 * 1024).size();
    std::this_thread::sleep_for(50ms);
  }
  ASSERT_LT(received, 8U * 1024 * 1024);  // or the limit was never in question
  received += client.read_exactly(8 * 1024 * 1024 - received).size();
  EXPECT_EQ(received, 8U * 1024 * 1024);
}

TEST(HttpLimits, ConnectionsBeyondTheLimitAreTurnedAway) {
  TestServer host([](HttpServerConfig& config) { config.max_connections = 2; });
  std::optional<RawClient> first(host.port);
  RawClient second(host.port);
  ASSERT_TRUE(eventually([&] { return host.server->open_connections() == 2; }));
  RawClient third(host.port);
  const RawResponse response = third.read_response();
  EXPECT_EQ(response.status, 503U);
  EXPECT_TRUE(response.has_field("Retry-After: "));
  EXPECT_TRUE(third.is_closed_by_server());

  first.reset();
  ASSERT_TRUE(eventually([&] { return host.server->open_connections() == 1; }));
  RawClient fourth(host.port);
  fourth.send(request("GET", "/echo"));
  EXPECT_EQ(fourth.read_response().status, 200U);
}

TEST(HttpLimits, RunningOutOfDescriptorsDoesNotSpinAndPasses) {
#if __has_feature(undefined_behavior_sanitizer)
  GTEST_SKIP() << "UBSan opens a pipe to check an object's type, and reports the object when it cannot";
#endif
  TestServer host;
  rlimit original{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &original), 0);
  // The client's descriptor is the last one that fits under the lowered limit.
  std::optional<RawClient> client;
  {
    RawClient probe(host.port);
    ASSERT_TRUE(eventually([&] { return host.server->open_connections() == 1; }));
    const int next = ::dup(0);
    ::close(next);
    rlimit lowered = original;
    lowered.rlim_cur = static_cast<rlim_t>(next) + 1;
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &lowered), 0);
    client.emplace(host.port);
    rusage before{}, after{};
    ::getrusage(RUSAGE_SELF, &before);
    EXPECT_TRUE(eventually([&] { return host.sink.has("cannot accept connections"); }));
    std::this_thread::sleep_for(400ms);
    ::getrusage(RUSAGE_SELF, &after);
    const auto used = std::chrono::seconds(after.ru_utime.tv_sec - before.ru_utime.tv_sec + after.ru_stime.tv_sec -
                                           before.ru_stime.tv_sec) +
                      std::chrono::microseconds(after.ru_utime.tv_usec - before.ru_utime.tv_usec +
                                                after.ru_stime.tv_usec - before.ru_stime.tv_usec);
    EXPECT_LT(used, 200ms);
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &original), 0);
  }
  client->send(request("GET", "/echo"));
  EXPECT_EQ(client->read_response().status, 200U);
}

TEST(HttpServerStart, SaysWhatToDoAboutATakenPort) {
  TestServer host;
  HttpServerConfig config;
  config.port = host.port;
  const auto second = HttpServer::start(config, host.handler, host.sink);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::kUnavailable);
  EXPECT_THAT(second.error().message, HasSubstr("127.0.0.1:" + std::to_string(host.port)));
  EXPECT_THAT(second.error().message, HasSubstr("choose another port"));
}

TEST(HttpServerStart, RefusesWhatIsNoAddress) {
  TestServer host;
  HttpServerConfig config;
  config.address = "somewhere";
  const auto server = HttpServer::start(config, host.handler, host.sink);
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().code, Errc::kInvalidArgument);
}

TEST(HttpServerStop, LetsRunningRequestsEndAndClosesTheRest) {
  TestServer host;
  RawClient idle(host.port);
  RawClient busy(host.port);
  RawClient streaming(host.port);
  streaming.send(request("GET", "/stream"));
  streaming.read_until("sessionId=1\n\n\r\n");
  busy.send(request("GET", "/slow"));
  ASSERT_TRUE(eventually([&] { return host.handler.calls == 2 && host.server->open_connections() == 3; }));
  host.handler.wait_for_stream()->send("message", "last");

  const auto start = Clock::now();
  host.server->stop(5s);
  EXPECT_LT(Clock::now() - start, 4s);
  const RawResponse answer = busy.read_response();
  EXPECT_EQ(answer.body, "/slow?  ");
  EXPECT_TRUE(answer.has_field("Connection: close\r\n"));
  EXPECT_TRUE(idle.is_closed_by_server());
  EXPECT_EQ(streaming.read_chunk(), "event: message\ndata: last\n\n");
  EXPECT_EQ(streaming.read_chunk(), "");
  EXPECT_TRUE(streaming.is_closed_by_server());
  EXPECT_EQ(host.server->open_connections(), 0U);
  EXPECT_EQ(host.server->open_streams(), 0U);
  EXPECT_THROW(RawClient{host.port}, std::runtime_error);
  host.server->stop(5s);  // idempotent
}

TEST(HttpServerStop, DoesNotWaitLongerThanItsLimit) {
  TestServer host;
  RawClient hanging(host.port);
  hanging.send(request("GET", "/hang"));
  RawClient unread(host.port, 4096);
  unread.send(request("GET", "/big"));
  ASSERT_TRUE(eventually([&] { return host.handler.calls == 2; }));
  const auto start = Clock::now();
  host.server->stop(200ms);
  EXPECT_LT(Clock::now() - start, 3s);
  EXPECT_TRUE(hanging.is_closed_by_server());
}

}  // namespace
}  // namespace toolhost::transport::testing
