#pragma once
#include <functional>
#include <string>
#include <vector>

#include "transport/http.hpp"

namespace toolhost::app {

/// What the readiness probe is told, one sentence each. Whoever asks has no key.
struct ReadinessReport {
  std::vector<std::string> reasons;   ///< why the host cannot do its work; empty: it is ready
  std::vector<std::string> warnings;  ///< what is wrong without keeping it from working
};
/// Called on I/O threads; must not block.
using Readiness = std::function<ReadinessReport()>;
/// The metrics as text; called on I/O threads.
using MetricsText = std::function<std::string()>;

/// First handler of every request: answers GET /healthz, GET /readyz and, to peers on this machine, GET /metrics
/// itself; passes what browsers ask for to the portal, everything else on.
class HttpFront final : public transport::HttpHandler {
 public:
  /// Without `metrics` there is nothing at /metrics. `portal` may be null.
  HttpFront(transport::HttpHandler& next, Readiness readiness, MetricsText metrics = {},
            transport::HttpHandler* portal = nullptr)
      : next_(next), portal_(portal), readiness_(std::move(readiness)), metrics_(std::move(metrics)) {}
  boost::asio::awaitable<void> handle(const transport::HttpRequest& request,
                                      transport::HttpResponse& response) override;

 private:
  transport::HttpHandler& next_;
  transport::HttpHandler* portal_;
  Readiness readiness_;
  MetricsText metrics_;
};

/// Answers GET /healthz and GET /readyz; false when the request asks for neither.
bool answer_probe(const transport::HttpRequest& request, const Readiness& readiness, transport::HttpResponse& response);

void answer_metrics(const MetricsText& metrics, transport::HttpResponse& response);
void answer_nothing_here(transport::HttpResponse& response);

}  // namespace toolhost::app
