// The same server inside of TLS: requests, streams, what is refused, and certificates that change while it runs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "integration/transport/test_server.hpp"
#include "integration/transport/tls_client.hpp"

namespace toolhost::transport::testing {
namespace {

using namespace std::chrono_literals;

using ::testing::HasSubstr;
using ::testing::StartsWith;
using Clock = std::chrono::steady_clock;

const std::string kEndpointEvent = "event: endpoint\ndata: /messages?sessionId=1\n\n";
const std::string kHttp11 = "\x08http/1.1";
const std::string kHttp2 = "\x02h2";

/// A server with a certificate for "first.test".
struct TlsServer {
  explicit TlsServer(const std::function<void(HttpServerConfig&)>& adjust = {})
      : files(make_certificate({.name = "first.test"})), host([&](HttpServerConfig& config) {
          config.tls = files.config();
          if (adjust) adjust(config);
        }) {}

  CertificateFiles files;
  TestServer host;
};

std::string name_shown_on(std::uint16_t port) {
  return TlsClient(port).server_name();
}

TEST(Tls, CarriesRequestsOnOneConnection) {
  TlsServer tls;
  TlsClient client(tls.host.port);
  for (int i = 0; i < 3; ++i) {
    client.send(request("POST", "/echo?n=" + std::to_string(i), "X-API-Key: k\r\n", "hello"));
    const RawResponse response = client.read_response();
    EXPECT_EQ(response.status, 200U);
    EXPECT_EQ(response.body, "/echo?n=" + std::to_string(i) + " k hello");
  }
  client.send(request("GET", "/client"));
  EXPECT_THAT(client.read_response().body, StartsWith("127.0.0.1 https localhost "));
  EXPECT_EQ(tls.host.server->open_connections(), 1U);
}

TEST(Tls, CarriesRequestsInRecordsOfAnySize) {
  TlsServer tls;
  TlsClient client(tls.host.port);
  for (const char byte : request("POST", "/echo", "", "one")) ASSERT_TRUE(client.send({&byte, 1}));
  EXPECT_EQ(client.read_response().body, "/echo?  one");
  std::string all;  // many in one record, and more than one read() takes
  for (int i = 0; i < 200; ++i) all += request("POST", "/echo?" + std::to_string(i), "", "body");
  client.send(all);
  for (int i = 0; i < 200; ++i) ASSERT_EQ(client.read_response().body, "/echo?" + std::to_string(i) + "  body");
}

TEST(Tls, CarriesLargeBodiesBothWays) {
  TlsServer tls;
  TlsClient client(tls.host.port);
  for (const std::size_t size : {std::size_t{8192}, std::size_t{8193}, std::size_t{3} * 1024 * 1024}) {
    const std::string body(size, 'x');
    client.send(request("POST", "/echo", "", body));
    ASSERT_EQ(client.read_response().body, "/echo?  " + body);
  }
  client.send(request("GET", "/big"));
  EXPECT_EQ(client.read_response().body.size(), 8U * 1024 * 1024);
}

TEST(Tls, EndsAConnectionWithAWord) {
  TlsServer tls;
  TlsClient client(tls.host.port);
  client.send(request("GET", "/echo", "Connection: close\r\n"));
  EXPECT_EQ(client.read_response().status, 200U);
  EXPECT_TRUE(client.is_closed_by_server());
  EXPECT_TRUE(client.was_told_of_the_end());
}

TEST(Tls, SpeaksTheNewestVersionsAndNoOthers) {
  TlsServer tls;
  EXPECT_EQ(TlsClient(tls.host.port).version(), "TLSv1.3");
  TlsClient older(tls.host.port, {.highest_version = TLS1_2_VERSION});
  EXPECT_EQ(older.version(), "TLSv1.2");
  EXPECT_THAT(older.cipher(), StartsWith("ECDHE-"));
  older.send(request("GET", "/echo"));
  EXPECT_EQ(older.read_response().status, 200U);
  EXPECT_THROW(TlsClient(tls.host.port, {.highest_version = TLS1_1_VERSION}), std::runtime_error);
  EXPECT_TRUE(eventually([&] { return tls.host.sink.has("tls"); }));
}

TEST(Tls, OffersHttp11AndRefusesWhoWantsSomethingElse) {
  TlsServer tls;
  EXPECT_EQ(TlsClient(tls.host.port, {.alpn = kHttp2 + kHttp11}).alpn(), "http/1.1");
  EXPECT_EQ(TlsClient(tls.host.port).alpn(), "");
  EXPECT_THROW(TlsClient(tls.host.port, {.alpn = kHttp2}), std::runtime_error);
}

TEST(Tls, ResumesASession) {
  TlsServer tls;
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsClient first(tls.host.port, {.highest_version = version});
    first.send(request("GET", "/echo"));
    EXPECT_EQ(first.read_response().status, 200U);
    EXPECT_FALSE(first.is_resumed());
    const TlsTicket ticket = first.ticket();
    TlsClient second(tls.host.port, {.highest_version = version, .ticket = ticket.get()});
    EXPECT_TRUE(second.is_resumed()) << version;
    second.send(request("GET", "/echo"));
    EXPECT_EQ(second.read_response().status, 200U);
  }
}

TEST(Tls, ShowsTheWholeChain) {
  const TestCertificate root = make_certificate({.name = "root", .is_authority = true});
  const TestCertificate between = make_certificate({.name = "between", .issuer = &root, .is_authority = true});
  const TestCertificate own = make_certificate({.name = "chained.test", .issuer = &between, .rsa_bits = 2048});
  const CertificateFiles files(own);
  files.write_certificate(own.certificate_pem() + between.certificate_pem());
  const TestServer host([&](HttpServerConfig& config) { config.tls = files.config(); });
  EXPECT_EQ(TlsClient(host.port, {.trust = &root}).server_name(), "chained.test");
  const TestCertificate other = make_certificate({.name = "other", .is_authority = true});
  EXPECT_THROW(TlsClient(host.port, {.trust = &other}), std::runtime_error);
}

TEST(Tls, TellsWhoSpeaksPlainHttp) {
  TlsServer tls;
  RawClient client(tls.host.port);
  client.send(request("GET", "/echo"));
  const RawResponse response = client.read_response();
  EXPECT_EQ(response.status, 400U);
  EXPECT_THAT(response.body, HasSubstr("https_required"));
  EXPECT_TRUE(client.is_closed_by_server());
  EXPECT_TRUE(tls.host.sink.has("plain_http"));
  EXPECT_EQ(tls.host.handler.calls, 0);
}

TEST(Tls, AHandshakeHasTheLimitOfARequestAndHoldsNobodyUp) {
  TlsServer tls([](HttpServerConfig& config) {
    config.request_limit = 1s;
    config.io_threads = 1;
  });
  std::vector<RawClient> silent;
  for (int i = 0; i < 50; ++i) {
    silent.emplace_back(tls.host.port);
    silent.back().send(std::string_view("\x16\x03\x01", i % 4));  // nothing, or the start of a hello
  }
  ASSERT_TRUE(eventually([&] { return tls.host.server->open_connections() == 50; }));
  const auto start = Clock::now();
  TlsClient client(tls.host.port);
  client.send(request("GET", "/echo"));
  EXPECT_EQ(client.read_response().status, 200U);
  EXPECT_LT(Clock::now() - start, 500ms);
  for (RawClient& one : silent) EXPECT_TRUE(one.is_closed_by_server());
  EXPECT_LT(Clock::now() - start, 3500ms);
  EXPECT_TRUE(tls.host.sink.has("timeout"));
  client.send(request("GET", "/echo"));
  EXPECT_EQ(client.read_response().status, 200U);
}

TEST(Tls, ARequestThatDoesNotArriveInTimeIsTold) {
  TlsServer tls([](HttpServerConfig& config) { config.request_limit = 1s; });
  TlsClient client(tls.host.port);
  client.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n");
  EXPECT_EQ(client.read_response().status, 408U);
  EXPECT_TRUE(client.is_closed_by_server());
}

TEST(Tls, ALookAtThePortIsNoEvent) {
  TlsServer tls;
  {
    RawClient look(tls.host.port);
  }
  EXPECT_TRUE(eventually([&] { return tls.host.server->open_connections() == 0; }));
  EXPECT_FALSE(tls.host.sink.has("tls"));
}

TEST(TlsStream, KeepsOrderAndLeavesTheConnection) {
  TlsServer tls;
  TlsClient client(tls.host.port);
  client.send(request("GET", "/stream"));
  const auto stream = tls.host.handler.wait_for_stream();
  std::string expected = kEndpointEvent;
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(stream->send("message", std::to_string(i)));
    expected += "event: message\ndata: " + std::to_string(i) + "\n\n";
  }
  client.send(request("GET", "/echo") + request("GET", "/echo"));  // while it is open: answered behind it
  std::this_thread::sleep_for(20ms);
  EXPECT_TRUE(stream->is_open());
  stream->close();
  EXPECT_EQ(client.read_response().body, expected);
  EXPECT_EQ(client.read_response().body, "/echo?  ");
  EXPECT_EQ(client.read_response().body, "/echo?  ");
}

TEST(TlsStream, TakesARequestThatCameInTheRecordOfTheOneBefore) {
  TlsServer tls;
  TlsClient client(tls.host.port);
  // Longer than the first read: the rest lies in OpenSSL's buffer, of which the socket tells nothing.
  const std::string padding = "X-Padding: " + std::string(6000, 'p') + "\r\n";
  client.send(request("GET", "/stream") + request("GET", "/echo", padding));
  const auto stream = tls.host.handler.wait_for_stream();
  client.read_until("\r\n\r\n");
  EXPECT_EQ(client.read_chunk(), kEndpointEvent);
  stream->close();
  EXPECT_EQ(client.read_chunk(), "");
  EXPECT_EQ(client.read_response().body, "/echo?  ");
}

TEST(TlsStream, EndsPromptlyWhenTheClientGoes) {
  TlsServer tls;
  std::atomic<int> closed = 0;
  {
    TlsClient client(tls.host.port);
    client.send(request("GET", "/stream"));
    client.read_until("sessionId=1\n\n\r\n");
    tls.host.handler.wait_for_stream()->on_closed([&] { ++closed; });
  }
  const auto start = Clock::now();
  EXPECT_TRUE(eventually([&] { return closed == 1; }));
  EXPECT_LT(Clock::now() - start, 500ms);
  EXPECT_TRUE(eventually([&] { return tls.host.server->open_connections() == 0; }));
}

TEST(TlsStream, IsKeptAliveWithComments) {
  TlsServer tls([](HttpServerConfig& config) { config.heartbeat = 1s; });
  TlsClient client(tls.host.port);
  client.send(request("GET", "/stream"));
  client.read_until("sessionId=1\n\n\r\n");
  EXPECT_EQ(client.read_chunk(), ": keepalive\n\n");
}

TEST(TlsStream, ASlowReaderLosesItAtTheQueueLimit) {
  TlsServer tls([](HttpServerConfig& config) { config.max_stream_queue_bytes = 256 * 1024; });
  TlsClient client(tls.host.port, {.receive_buffer_bytes = 4096});
  client.send(request("GET", "/stream"));
  const auto stream = tls.host.handler.wait_for_stream();
  const std::string data(10'000, 'd');
  int sent = 0;
  while (sent < 100'000 && stream->send("message", data)) ++sent;
  EXPECT_LT(sent, 100'000);
  EXPECT_TRUE(eventually([&] { return tls.host.server->open_streams() == 0; }));
  EXPECT_TRUE(tls.host.sink.has("slow_reader"));
}

TEST(TlsStream, ALargeEventReachesASlowReaderWhole) {
  TlsServer tls([](HttpServerConfig& config) { config.max_stream_queue_bytes = 64 * 1024 * 1024; });
  TlsClient client(tls.host.port, {.receive_buffer_bytes = 64 * 1024});
  client.send(request("GET", "/stream"));
  client.read_until("sessionId=1\n\n\r\n");
  const auto stream = tls.host.handler.wait_for_stream();
  const std::string data(8 * 1024 * 1024, 'd');
  stream->send("message", data);
  stream->send("message", "after");  // queued behind a record that is half on its way
  EXPECT_EQ(client.read_chunk(), "event: message\ndata: " + data + "\n\n");
  EXPECT_EQ(client.read_chunk(), "event: message\ndata: after\n\n");
}

TEST(TlsStream, TakesEventsFromManyThreadsWhileTheClientSends) {
  TlsServer tls;
  TlsClient client(tls.host.port);
  client.send(request("GET", "/stream"));
  client.read_until("sessionId=1\n\n\r\n");
  const auto stream = tls.host.handler.wait_for_stream();
  constexpr int kThreads = 4, kEvents = 2000;
  std::vector<std::jthread> senders;
  for (int t = 0; t < kThreads; ++t) {
    senders.emplace_back([stream, t] {
      for (int i = 0; i < kEvents; ++i) stream->send("message", std::to_string(t) + ":" + std::to_string(i));
    });
  }
  std::map<int, int> next;
  for (int n = 0; n < kThreads * kEvents; ++n) {
    if (n % 1000 == 0) {
      client.update_keys();
      client.send(request("GET", "/echo"));
    }
    const std::string chunk = client.read_chunk();
    int thread = -1, number = -1;
    ASSERT_EQ(std::sscanf(chunk.c_str(), "event: message\ndata: %d:%d\n\n", &thread, &number), 2) << chunk;
    ASSERT_EQ(number, next[thread]++);
  }
}

TEST(TlsStop, LetsRunningRequestsEndAndClosesTheRest) {
  TlsServer tls;
  RawClient shaking(tls.host.port);
  TlsClient idle(tls.host.port);
  TlsClient busy(tls.host.port);
  TlsClient streaming(tls.host.port);
  streaming.send(request("GET", "/stream"));
  streaming.read_until("sessionId=1\n\n\r\n");
  busy.send(request("GET", "/slow"));
  ASSERT_TRUE(eventually([&] { return tls.host.handler.calls == 2 && tls.host.server->open_connections() == 4; }));
  const auto start = Clock::now();
  tls.host.server->stop(5s);
  EXPECT_LT(Clock::now() - start, 4s);
  EXPECT_EQ(busy.read_response().body, "/slow?  ");
  EXPECT_TRUE(idle.is_closed_by_server());
  EXPECT_TRUE(shaking.is_closed_by_server());
  EXPECT_EQ(streaming.read_chunk(), "");
  EXPECT_TRUE(streaming.is_closed_by_server());
  EXPECT_TRUE(streaming.was_told_of_the_end());
}

TEST(TlsStop, AHandlerThatGoesOnBehindTheEndWritesNowhere) {
  TlsServer tls;
  TlsClient client(tls.host.port);
  client.send(request("GET", "/slow"));
  ASSERT_TRUE(eventually([&] { return tls.host.handler.calls == 1; }));
  std::this_thread::sleep_for(200ms);
  tls.host.server->stop(1ms);  // the answer, 100 ms later, finds its socket closed
  EXPECT_TRUE(client.is_closed_by_server());
}

TEST(TlsCertificate, IsReplacedForNewConnectionsWhenItsFilesChange) {
  TlsServer tls;
  TlsClient before(tls.host.port);
  before.send(request("GET", "/echo"));
  EXPECT_EQ(before.read_response().status, 200U);
  const TlsTicket ticket = before.ticket();
  EXPECT_EQ(before.server_name(), "first.test");
  tls.files.write(make_certificate({.name = "second.test"}));
  EXPECT_TRUE(eventually([&] { return name_shown_on(tls.host.port) == "second.test"; }));
  EXPECT_TRUE(tls.host.sink.has("from now on"));
  // Who has a ticket sees the new one, too, and what is open goes on.
  EXPECT_EQ(TlsClient(tls.host.port, {.ticket = ticket.get()}).server_name(), "second.test");
  before.send(request("GET", "/echo"));
  EXPECT_EQ(before.read_response().status, 200U);
}

TEST(TlsCertificate, StaysWhenTheNewOneIsBrokenAndSaysSoOnce) {
  TlsServer tls;
  const TestCertificate second = make_certificate({.name = "second.test"});
  tls.files.write_certificate(second.certificate_pem());
  EXPECT_TRUE(eventually([&] { return tls.host.sink.has("does not belong to the certificate"); }));
  EXPECT_TRUE(tls.host.sink.has("in use before stays"));
  EXPECT_EQ(name_shown_on(tls.host.port), "first.test");
  std::this_thread::sleep_for(200ms);
  EXPECT_EQ(tls.host.sink.count("in use before stays"), 1);
  tls.files.write_key(second.key_pem());
  EXPECT_TRUE(eventually([&] { return name_shown_on(tls.host.port) == "second.test"; }));

  std::filesystem::remove(tls.files.config().certificate);
  EXPECT_TRUE(eventually([&] { return tls.host.sink.has("cannot be read: No such file"); }));
  EXPECT_EQ(name_shown_on(tls.host.port), "second.test");
}

TEST(TlsCertificate, ThatHasEndedIsAWarning) {
  const CertificateFiles files(make_certificate({.name = "old.test", .ends_in_seconds = -60}));
  const TestServer host([&](HttpServerConfig& config) { config.tls = files.config(); });
  EXPECT_TRUE(host.sink.has("which ended on"));
  EXPECT_EQ(name_shown_on(host.port), "old.test");
}

/// Why a server with these files does not start.
std::string refusal_of(const TlsConfig& tls) {
  RecordingSink sink;
  TestHandler handler;
  HttpServerConfig config;
  config.port = 0;
  config.tls = tls;
  const auto server = HttpServer::start(config, handler, sink);
  if (server) return "it started";
  EXPECT_EQ(server.error().code, Errc::kInvalidArgument);
  return server.error().message;
}

TEST(TlsCertificate, ThatCannotBeUsedEndsTheStart) {
  const TestCertificate good = make_certificate({.name = "good.test"});
  const CertificateFiles files(good);
  const TlsConfig config = files.config();

  EXPECT_THAT(refusal_of({.certificate = "/nowhere/chain.pem", .key = config.key}),
              HasSubstr("/nowhere/chain.pem cannot be read: No such file or directory"));
  EXPECT_THAT(refusal_of({.certificate = config.certificate, .key = "/nowhere/key.pem"}),
              HasSubstr("/nowhere/key.pem cannot be read: No such file or directory"));
  EXPECT_THAT(refusal_of({.certificate = "/", .key = config.key}), HasSubstr("cannot be read: Is a directory"));
  EXPECT_THAT(refusal_of({.certificate = config.key, .key = config.key}), HasSubstr("BEGIN CERTIFICATE"));
  EXPECT_THAT(refusal_of({.certificate = config.certificate, .key = config.certificate}),
              HasSubstr("BEGIN PRIVATE KEY"));

  files.write_certificate(good.certificate_pem() +
                          "-----BEGIN CERTIFICATE-----\nnot base64\n-----END CERTIFICATE-----\n");
  EXPECT_THAT(refusal_of(config), HasSubstr("not in PEM form"));
  files.write_certificate("");
  EXPECT_THAT(refusal_of(config), HasSubstr("it is empty"));

  files.write_certificate(make_certificate({.name = "other.test"}).certificate_pem());
  EXPECT_THAT(refusal_of(config), HasSubstr("does not belong to the certificate"));
  files.write_certificate(good.certificate_pem());
  files.write_key(good.key_pem("secret"));
  EXPECT_THAT(refusal_of(config), HasSubstr("protected by a passphrase"));
  files.write(make_certificate({.name = "weak.test", .rsa_bits = 1024}));
  EXPECT_THAT(refusal_of(config), HasSubstr("too weak"));
}

}  // namespace
}  // namespace toolhost::transport::testing
