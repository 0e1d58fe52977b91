// What a request may look like on the wire, and what is answered.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>

#include "integration/transport/raw_client.hpp"
#include "integration/transport/test_server.hpp"

namespace toolhost::transport::testing {
namespace {

using namespace std::chrono_literals;

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

TEST(HttpRequests, AreAnsweredOnOneConnection) {
  TestServer host;
  RawClient client(host.port);
  for (int i = 0; i < 3; ++i) {
    client.send(request("POST", "/echo?n=" + std::to_string(i), "X-API-Key: k\r\n", "hello"));
    const RawResponse response = client.read_response();
    EXPECT_EQ(response.status, 200U);
    EXPECT_EQ(response.body, "/echo?n=" + std::to_string(i) + " k hello");
    EXPECT_TRUE(response.has_field("Content-Type: text/plain\r\n"));
    EXPECT_TRUE(response.has_field("Date: "));
    EXPECT_FALSE(response.has_field("Connection:"));
  }
  EXPECT_EQ(host.server->open_connections(), 1U);
}

TEST(HttpRequests, MayArriveOneByteAtATime) {
  TestServer host;
  RawClient client(host.port);
  const std::string with_length = request("POST", "/echo", "X-API-Key: k\r\n", "one");
  const std::string with_chunks =
      request("POST", "/echo", "Transfer-Encoding: chunked\r\n") + "2\r\ntw\r\n1;x=y\r\no\r\n0\r\nT: t\r\n\r\n";
  for (const char byte : with_length + with_chunks) {
    ASSERT_TRUE(client.send({&byte, 1}));
    std::this_thread::sleep_for(200us);  // so that the server meets the bytes one by one
  }
  EXPECT_EQ(client.read_response().body, "/echo? k one");
  EXPECT_EQ(client.read_response().body, "/echo?  two");
}

TEST(HttpRequests, MayBeSplitInTwoAnywhere) {
  TestServer host;
  RawClient client(host.port);
  const std::string text = request("POST", "/echo", "Transfer-Encoding: chunked\r\n") + "3\r\nabc\r\n0\r\n\r\n";
  for (std::size_t at = 1; at < text.size(); ++at) {
    client.send(text.substr(0, at));
    std::this_thread::sleep_for(200us);
    client.send(text.substr(at));
    ASSERT_EQ(client.read_response().body, "/echo?  abc") << at;
  }
}

TEST(HttpRequests, ArePipelinedInOrder) {
  TestServer host;
  RawClient client(host.port);
  std::string all;
  for (int i = 0; i < 100; ++i) all += request("POST", "/echo?" + std::to_string(i), "", "body");
  client.send(all);
  for (int i = 0; i < 100; ++i) ASSERT_EQ(client.read_response().body, "/echo?" + std::to_string(i) + "  body");
}

TEST(HttpRequests, TakeALargeBodyWithEitherFraming) {
  TestServer host;
  RawClient client(host.port);
  const std::string body(3 * 1024 * 1024, 'x');
  client.send(request("POST", "/echo", "", body));
  EXPECT_EQ(client.read_response().body, "/echo?  " + body);
  std::string chunked = request("POST", "/echo", "Transfer-Encoding: chunked\r\n");
  for (std::size_t at = 0; at < body.size(); at += 0x10000) chunked += "10000\r\n" + body.substr(at, 0x10000) + "\r\n";
  client.send(chunked + "0\r\n\r\n");
  EXPECT_EQ(client.read_response().body, "/echo?  " + body);
}

TEST(HttpRequests, HeadHasTheFieldsAndNoBody) {
  TestServer host;
  RawClient client(host.port);
  client.send(request("HEAD", "/echo") + request("HEAD", "/stream") + request("GET", "/echo"));
  const RawResponse head = client.read_response(true);
  EXPECT_EQ(head.status, 200U);
  EXPECT_TRUE(head.has_field("Content-Length: 8\r\n"));
  const RawResponse stream = client.read_response(true);
  EXPECT_EQ(stream.status, 200U);
  EXPECT_TRUE(stream.has_field("Content-Type: text/event-stream\r\n"));
  EXPECT_EQ(client.read_response().body, "/echo?  ");
  EXPECT_FALSE(host.handler.wait_for_stream()->is_open());
  EXPECT_EQ(host.server->open_streams(), 0U);
}

TEST(HttpRequests, AnAnswerWithoutContentHasNoLength) {
  TestServer host;
  RawClient client(host.port);
  client.send(request("DELETE", "/nothing"));
  const RawResponse response = client.read_response();
  EXPECT_EQ(response.status, 204U);
  EXPECT_THAT(response.head, Not(HasSubstr("Content-Length")));
}

TEST(HttpRequests, OfHttp10CloseUnlessAskedToStay) {
  TestServer host;
  RawClient stays(host.port);
  for (int i = 0; i < 2; ++i) {
    stays.send("GET /echo HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n");
    const RawResponse response = stays.read_response();
    EXPECT_EQ(response.body, "/echo?  ");
    EXPECT_TRUE(response.has_field("Connection: keep-alive\r\n"));
  }
  stays.send("GET /echo HTTP/1.0\r\nHost: localhost\r\n\r\n");
  EXPECT_TRUE(stays.read_response().has_field("Connection: close\r\n"));
  EXPECT_TRUE(stays.is_closed_by_server());
}

TEST(HttpRequests, ConnectionCloseIsObeyed) {
  TestServer host;
  RawClient client(host.port);
  client.send(request("GET", "/echo", "Connection: close\r\n") + request("GET", "/echo"));
  EXPECT_TRUE(client.read_response().has_field("Connection: close\r\n"));
  EXPECT_TRUE(client.is_closed_by_server());
  EXPECT_EQ(host.handler.calls, 1);
}

TEST(HttpRequests, AHalfClosedClientGetsItsAnswer) {
  TestServer host;
  RawClient client(host.port);
  client.send(request("POST", "/slow", "", "x"));
  client.close_sending_side();
  EXPECT_EQ(client.read_response().body, "/slow?  x");
  EXPECT_TRUE(client.is_closed_by_server());
}

TEST(HttpRequests, ExpectContinueIsAnsweredBeforeTheBody) {
  TestServer host;
  RawClient client(host.port);
  client.send(request("POST", "/echo", "Expect: 100-continue\r\nContent-Length: 4\r\n"));
  EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("late");
  EXPECT_EQ(client.read_response().body, "/echo?  late");
  // A client that does not wait needs no interim answer.
  client.send(request("POST", "/echo", "Expect: 100-continue\r\n", "early"));
  EXPECT_EQ(client.read_response().body, "/echo?  early");
}

TEST(HttpRequests, WithAmbiguousFramingEndTheConnection) {
  TestServer host;
  const std::string smuggled = request("GET", "/echo", "X-API-Key: smuggled\r\n");
  const std::vector<std::string> attacks = {
      request("POST", "/echo", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n",
      request("POST", "/echo", "Content-Length: 0\r\nContent-Length: 44\r\n"),
      request("POST", "/echo", "Content-Length: 0, 44\r\n"),
      request("POST", "/echo", "Transfer-Encoding: chunked\r\n") + "0\n\r\n",
      request("POST", "/echo", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n") + "0\r\n\r\n",
      request("POST", "/echo", "X-API-Key: a\r\n b\r\n"),
      request("POST", "/echo", "X-API-Key: a\r\nX-API-Key: b\r\n"),
      request("POST", "/echo", "Host: localhost\r\n"),
      "POST /echo HTTP/1.1\nHost: localhost\n\n",
      "POST /echo HTTP/1.1\r\n\r\n",
  };
  for (const std::string& attack : attacks) {
    RawClient client(host.port);
    client.send(attack + smuggled);
    const RawResponse response = client.read_response();
    EXPECT_EQ(response.status, 400U) << attack;
    EXPECT_TRUE(response.has_field("Connection: close\r\n")) << attack;
    EXPECT_TRUE(response.has_field("Content-Type: application/json\r\n")) << attack;
    EXPECT_THAT(response.body, StartsWith(R"({"error":"bad_request","message":")")) << attack;
    EXPECT_TRUE(client.is_closed_by_server()) << attack;
  }
  EXPECT_EQ(host.handler.calls, 0);
  EXPECT_TRUE(host.sink.has("malformed"));
}

TEST(HttpRequests, FromForeignPagesAreRefusedBeforeTheHandler) {
  TestServer host;
  RawClient foreign_origin(host.port);
  foreign_origin.send(request("POST", "/echo", "Origin: http://evil.example.com\r\n", "x"));
  const RawResponse refused = foreign_origin.read_response();
  EXPECT_EQ(refused.status, 403U);
  EXPECT_THAT(refused.body, HasSubstr("origin_not_allowed"));
  EXPECT_FALSE(refused.has_field("Access-Control-Allow-Origin"));

  RawClient foreign_host(host.port);
  foreign_host.send("GET /echo HTTP/1.1\r\nHost: evil.example.com\r\n\r\n");
  EXPECT_EQ(foreign_host.read_response().status, 403U);

  RawClient absolute(host.port);
  absolute.send("GET http://evil.example.com/echo HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(absolute.read_response().status, 403U);

  RawClient preflight(host.port);
  preflight.send(
      request("OPTIONS", "/mcp", "Origin: http://evil.example.com\r\nAccess-Control-Request-Method: POST\r\n"));
  EXPECT_EQ(preflight.read_response().status, 403U);

  EXPECT_EQ(host.handler.calls, 0);
  EXPECT_TRUE(host.sink.has("origin"));
  EXPECT_TRUE(host.sink.has("host"));
}

TEST(HttpRequests, OfALocalPageCarryCorsFields) {
  TestServer host;
  RawClient client(host.port);
  client.send(request("OPTIONS", "/mcp", "Origin: http://localhost:6274\r\nAccess-Control-Request-Method: POST\r\n"));
  const RawResponse preflight = client.read_response();
  EXPECT_EQ(preflight.status, 204U);
  EXPECT_TRUE(preflight.has_field("Access-Control-Allow-Origin: http://localhost:6274\r\n"));
  EXPECT_TRUE(preflight.has_field("Access-Control-Allow-Methods: GET, POST, DELETE\r\n"));
  EXPECT_TRUE(preflight.has_field("Vary: Origin\r\n"));
  EXPECT_EQ(host.handler.calls, 0);

  client.send(request("GET", "/echo", "Origin: http://localhost:6274\r\n"));
  EXPECT_TRUE(client.read_response().has_field("Access-Control-Allow-Origin: http://localhost:6274\r\n"));
  client.send(request("GET", "/echo"));
  EXPECT_FALSE(client.read_response().has_field("Access-Control-Allow-Origin"));
}

TEST(HttpRequests, AThrowingHandlerIsAnInternalErrorAndTheConnectionGoesOn) {
  TestServer host;
  RawClient client(host.port);
  client.send(request("GET", "/throw"));
  const RawResponse response = client.read_response();
  EXPECT_EQ(response.status, 500U);
  EXPECT_THAT(response.body, HasSubstr("internal_error"));
  EXPECT_THAT(response.body, Not(HasSubstr("a handler's bug")));
  EXPECT_TRUE(host.sink.has("a handler's bug"));
  client.send(request("GET", "/echo"));
  EXPECT_EQ(client.read_response().status, 200U);
}

TEST(HttpServer, TellsAHandlerThatItsClientHasLeft) {
  TestServer host;
  for (int round = 1; round <= 2; ++round) {
    {
      RawClient client(host.port);
      client.send(request("POST", "/watched", "", "x"));
      EXPECT_TRUE(eventually([&] { return host.handler.calls == round; }));
    }
    EXPECT_TRUE(eventually([&] { return host.handler.left == round; }));
  }
  EXPECT_TRUE(eventually([&] { return host.server->open_connections() == 0; }));
}

TEST(HttpServer, KeepsTheNextRequestOfAClientThatIsWatched) {
  TestServer host;
  RawClient client(host.port);
  for (int round = 0; round < 3; ++round) {
    client.send(request("POST", "/watched", "", "x"));
    std::this_thread::sleep_for(20ms);
    // In two pieces, both while the handler waits.
    const std::string next = request("POST", "/echo", "", "y");
    client.send(std::string_view(next).substr(0, 20));
    std::this_thread::sleep_for(20ms);
    client.send(std::string_view(next).substr(20));
    EXPECT_EQ(client.read_response().body, "/watched?  x");
    EXPECT_EQ(client.read_response().body, "/echo?  y");
  }
  EXPECT_EQ(host.handler.left, 0);
}

}  // namespace
}  // namespace toolhost::transport::testing
