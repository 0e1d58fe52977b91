#include "app/metrics_endpoint.hpp"

#include <gtest/gtest.h>

#include "integration/transport/raw_client.hpp"
#include "observability/log.hpp"
#include "observability/metrics.hpp"

namespace toolhost::app {
namespace {

using transport::testing::RawClient;
using transport::testing::RawResponse;

/// What stands behind the front.
class Nothing final : public transport::HttpHandler {
 public:
  boost::asio::awaitable<void> handle(const transport::HttpRequest&, transport::HttpResponse& response) override {
    response.status = 418;
    co_return;
  }
};

/// A front on a real socket, with metrics as configured.
struct Host {
  explicit Host(bool with_metrics = true, const std::string& address = "127.0.0.1",
                std::vector<std::string> proxies = {}) {
    metrics->emit(
        observability::HostNotice{.severity = observability::Severity::kInfo, .component = "host", .message = "m"});
    if (with_metrics) text = [this] { return metrics->text(); };
    front = std::make_unique<HttpFront>(behind, readiness, text);
    transport::HttpServerConfig config{.address = address, .port = 0, .io_threads = 1};
    config.trusted_proxies = std::move(proxies);
    server = transport::HttpServer::start(config, *front, *events).value();
  }
  RawResponse get(const std::string& path, const std::string& host = "127.0.0.1") {
    return ask(server->port(), path, host);
  }
  static RawResponse ask(std::uint16_t port, const std::string& path, const std::string& host = "127.0.0.1") {
    RawClient client(port);
    client.send("GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n");
    return client.read_response();
  }

  ReadinessReport report;
  Readiness readiness = [this] { return report; };
  std::unique_ptr<observability::Metrics> metrics = observability::Metrics::create("1.2.3");
  MetricsText text;
  Nothing behind;
  std::unique_ptr<observability::EventSink> events = observability::create_fan_out({});
  std::unique_ptr<HttpFront> front;
  std::unique_ptr<transport::HttpServer> server;
};

TEST(MetricsEndpoint, WhatAProxyPassesOnIsNeverFromThisMachine) {
  Host host(true, "127.0.0.1", {"127.0.0.1"});
  EXPECT_EQ(host.get("/metrics").status, 404);
  // As the client wrote it, passed on unchanged.
  EXPECT_EQ(host.get("/metrics", "localhost\r\nX-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Host: localhost").status, 404);
}

TEST(MetricsEndpoint, AnswersOnTheMainAddressToThisMachine) {
  Host host;
  const auto answer = host.get("/metrics");
  EXPECT_EQ(answer.status, 200);
  EXPECT_NE(answer.head.find("Content-Type: text/plain; version=0.0.4"), std::string::npos) << answer.head;
  EXPECT_NE(answer.body.find("toolhost_build_info{version=\"1.2.3\"} 1"), std::string::npos);
  EXPECT_EQ(host.get("/anything").status, 418);
}

TEST(MetricsEndpoint, IsNotThereForOthers) {
  Host open(true, "0.0.0.0");
  EXPECT_EQ(open.get("/metrics").status, 200);
  EXPECT_EQ(open.get("/metrics", "mcp.example.com").status, 404);  // through a proxy on this machine
  Host without(false);
  EXPECT_EQ(without.get("/metrics").status, 404);
}

TEST(MetricsEndpoint, HasAnAddressOfItsOwnWhenTold) {
  Host host(false);
  const MetricsConfig config{.address = "127.0.0.1", .port = 0, .own_listener = true};
  const auto endpoint =
      MetricsEndpoint::start(config, host.readiness, [&] { return host.metrics->text(); }, *host.events).value();
  EXPECT_NE(Host::ask(endpoint->port(), "/metrics").body.find("toolhost_notices_total"), std::string::npos);
  EXPECT_EQ(Host::ask(endpoint->port(), "/healthz").status, 200);
  EXPECT_EQ(Host::ask(endpoint->port(), "/readyz").status, 200);
  EXPECT_EQ(Host::ask(endpoint->port(), "/mcp").status, 404);
  EXPECT_EQ(host.get("/metrics").status, 404);
  const auto second = MetricsEndpoint::start(
      {.address = "127.0.0.1", .port = endpoint->port()}, host.readiness, [] { return std::string(); }, *host.events);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::kUnavailable);
  EXPECT_TRUE(second.error().message.starts_with("metrics: cannot listen on 127.0.0.1:")) << second.error().message;
}

TEST(Readiness, TellsReasonsAndWarningsInWords) {
  Host host;
  EXPECT_EQ(host.get("/readyz").body, R"({"status":"ready"})");
  host.report.warnings = {"the configuration was refused"};
  auto answer = host.get("/readyz");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, R"({"status":"ready","warnings":["the configuration was refused"]})");
  host.report.reasons = {"plugin search is refused"};
  answer = host.get("/readyz");
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(
      answer.body,
      R"({"status":"not ready","reasons":["plugin search is refused"],"warnings":["the configuration was refused"]})");
  EXPECT_EQ(host.get("/healthz").body, R"({"status":"ok"})");
}

}  // namespace
}  // namespace toolhost::app
