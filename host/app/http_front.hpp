#pragma once
#include <functional>
#include <string>
#include <vector>

#include "transport/http.hpp"

namespace toolhost::app {

/// First handler of every request: answers GET /healthz and GET /readyz itself, passes everything else on.
class HttpFront final : public transport::HttpHandler {
 public:
  /// Why the host is not ready, one sentence each; empty when it is. Called on I/O threads; must not block.
  using Readiness = std::function<std::vector<std::string>()>;

  HttpFront(transport::HttpHandler& next, Readiness readiness) : next_(next), readiness_(std::move(readiness)) {}
  boost::asio::awaitable<void> handle(const transport::HttpRequest& request,
                                      transport::HttpResponse& response) override;

 private:
  boost::asio::awaitable<void> answer_probe(bool ready_probe, transport::HttpResponse& response) const;

  transport::HttpHandler& next_;
  Readiness readiness_;
};

}  // namespace toolhost::app
