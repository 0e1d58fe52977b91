// Who the client is when proxies stand in front, and where plain HTTP is sent on to.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "integration/transport/test_server.hpp"
#include "integration/transport/tls_client.hpp"

namespace toolhost::transport::testing {
namespace {

using ::testing::HasSubstr;

const std::string kForwarded =
    "X-Forwarded-For: 203.0.113.9, 198.51.100.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: tools.test\r\n";

std::string client_seen(RawClient& client, const std::string& fields) {
  client.send(request("GET", "/client", fields));
  return client.read_response().body;
}

void trust_this_machine(HttpServerConfig& config) {
  config.trusted_proxies = {"10.0.0.0/8", "127.0.0.1"};
  config.allowed_hosts = {"tools.test"};
}

TEST(Forwarded, FieldsOfATrustedProxyDescribeTheClient) {
  TestServer host(trust_this_machine);
  RawClient proxy(host.port);
  EXPECT_EQ(client_seen(proxy, kForwarded), "198.51.100.7 https tools.test    forwarded");
  // Each request of the connection may be another client's.
  EXPECT_EQ(client_seen(proxy, "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-For: 192.0.2.1, 10.1.1.1\r\n"),
            "192.0.2.1 http localhost    forwarded");
  EXPECT_EQ(client_seen(proxy, ""), "127.0.0.1 http localhost    forwarded");
}

TEST(Forwarded, FieldsOfAnybodyElseMeanNothing) {
  TestServer host([](HttpServerConfig& config) {
    config.trusted_proxies = {"10.0.0.0/8"};
    config.allowed_hosts = {"tools.test"};
  });
  RawClient client(host.port);
  EXPECT_EQ(client_seen(client, kForwarded), "127.0.0.1 http localhost   ");
}

TEST(Forwarded, AHostIsHeldToTheAllowedOnes) {
  TestServer host(trust_this_machine);
  RawClient proxy(host.port);
  proxy.send(request("GET", "/client", "X-Forwarded-Host: evil.test\r\n"));
  EXPECT_EQ(proxy.read_response().status, 403U);
}

TEST(Forwarded, RequestsCarryWhatBrowsersSay) {
  TestServer host;
  RawClient client(host.port);
  EXPECT_EQ(client_seen(client, "Cookie: a=1; b=2\r\nUser-Agent: x/1 (y)\r\nSec-Fetch-Site: same-origin\r\n"),
            "127.0.0.1 http localhost a=1; b=2 x/1 (y) same-origin");
}

TEST(Forwarded, WhatIsNoNetworkEndsTheStart) {
  RecordingSink sink;
  TestHandler handler;
  HttpServerConfig config;
  config.port = 0;
  config.trusted_proxies = {"10.0.0.0/33"};
  const auto server = HttpServer::start(config, handler, sink);
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().code, Errc::kInvalidArgument);
  EXPECT_THAT(server.error().message, HasSubstr("10.0.0.0/33"));
}

TEST(HttpsRedirect, SendsPlainHttpOn) {
  const CertificateFiles files(make_certificate({.name = "tools.test"}));
  TestServer host([&](HttpServerConfig& config) {
    config.tls = files.config();
    config.redirect_port = 0;
    config.public_url = "https://tools.test";
  });
  ASSERT_TRUE(host.server->redirect_port());
  RawClient client(*host.server->redirect_port());
  client.send("GET /mcp/keys?a=b HTTP/1.1\r\nHost: tools.test\r\n\r\n");
  const RawResponse named = client.read_response();
  EXPECT_EQ(named.status, 308U);
  EXPECT_TRUE(named.has_field("Location: https://tools.test/mcp/keys?a=b\r\n"));
  client.send("HEAD /mcp HTTP/1.1\r\nHost: evil.test\r\n\r\n");
  EXPECT_TRUE(client.read_response(true).has_field("Location: https://tools.test/mcp\r\n"));
  client.send("GET / HTTP/1.1\r\nHost: localhost:80\r\n\r\n");
  EXPECT_TRUE(client.read_response().has_field("Location: https://localhost:" + std::to_string(host.port) + "/\r\n"));
  EXPECT_EQ(host.handler.calls, 0);

  TlsClient there(host.port);
  there.send(request("GET", "/echo"));
  EXPECT_EQ(there.read_response().status, 200U);
  host.server->stop(std::chrono::seconds(1));
  EXPECT_THROW(RawClient{*host.server->redirect_port()}, std::runtime_error);
}

TEST(HttpsRedirect, SendsNoKeyOn) {
  const CertificateFiles files(make_certificate({.name = "tools.test"}));
  TestServer host([&](HttpServerConfig& config) {
    config.tls = files.config();
    config.redirect_port = 0;
    config.public_url = "https://tools.test";
  });
  RawClient client(*host.server->redirect_port());
  for (const auto* sent : {"GET /mcp HTTP/1.1\r\nHost: tools.test\r\nX-API-Key: hdsk_x\r\n\r\n",
                           "GET /sse HTTP/1.1\r\nHost: tools.test\r\nAuthorization: Bearer hdsk_x\r\n\r\n",
                           "POST /mcp HTTP/1.1\r\nHost: tools.test\r\nContent-Length: 2\r\n\r\n{}"}) {
    client.send(sent);
    const RawResponse answer = client.read_response();
    EXPECT_EQ(answer.status, 400U) << sent;
    EXPECT_THAT(answer.body, ::testing::AllOf(HasSubstr("https://"), HasSubstr("replace")));
    EXPECT_FALSE(answer.has_field("Location: ")) << sent;
  }
  EXPECT_EQ(host.sink.count("key_in_clear"), 2);
  EXPECT_EQ(host.sink.count("https_only"), 1);
}

TEST(HttpsRedirect, IsThereOnlyWithTls) {
  TestServer host([](HttpServerConfig& config) { config.redirect_port = 0; });
  EXPECT_FALSE(host.server->redirect_port());
}

}  // namespace
}  // namespace toolhost::transport::testing
