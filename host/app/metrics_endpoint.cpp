#include "app/metrics_endpoint.hpp"

namespace toolhost::app {
namespace {

/// Scrapers and probes come one at a time and send no body.
transport::HttpServerConfig server_config(const MetricsConfig& config) {
  transport::HttpServerConfig server;
  server.address = config.address;
  server.port = config.port;
  server.io_threads = 1;
  server.max_connections = 64;
  server.max_body_bytes = 1024;
  server.request_limit = std::chrono::seconds(5);
  return server;
}

class MetricsHandler final : public transport::HttpHandler {
 public:
  MetricsHandler(Readiness readiness, MetricsText metrics)
      : readiness_(std::move(readiness)), metrics_(std::move(metrics)) {}

  boost::asio::awaitable<void> handle(const transport::HttpRequest& request,
                                      transport::HttpResponse& response) override {
    const bool is_read = request.method == transport::Method::kGet || request.method == transport::Method::kHead;
    if (answer_probe(request, readiness_, response)) co_return;
    if (is_read && request.path == "/metrics") {
      answer_metrics(metrics_, response);
    } else {
      answer_nothing_here(response);
    }
  }

 private:
  const Readiness readiness_;
  const MetricsText metrics_;
};

class MetricsEndpointImpl final : public MetricsEndpoint {
 public:
  MetricsEndpointImpl(Readiness readiness, MetricsText metrics) : handler_(std::move(readiness), std::move(metrics)) {}

  Result<> start(const MetricsConfig& config, observability::EventSink& events) {
    auto server = transport::HttpServer::start(server_config(config), handler_, events);
    if (!server) return Error{server.error().code, "metrics: " + server.error().message, server.error().detail};
    server_ = std::move(*server);
    return {};
  }
  [[nodiscard]] std::uint16_t port() const noexcept override { return server_->port(); }
  void stop(std::chrono::milliseconds drain) override { server_->stop(drain); }

 private:
  MetricsHandler handler_;
  std::unique_ptr<transport::HttpServer> server_;
};

}  // namespace

Result<std::unique_ptr<MetricsEndpoint>> MetricsEndpoint::start(const MetricsConfig& config, Readiness readiness,
                                                                MetricsText metrics, observability::EventSink& events) {
  auto endpoint = std::make_unique<MetricsEndpointImpl>(std::move(readiness), std::move(metrics));
  if (const auto started = endpoint->start(config, events); !started) return started.error();
  return std::unique_ptr<MetricsEndpoint>(std::move(endpoint));
}

}  // namespace toolhost::app
