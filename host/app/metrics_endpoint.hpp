#pragma once
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "app/http_front.hpp"
#include "base/result.hpp"
#include "observability/events.hpp"

namespace toolhost::app {

/// `metrics` of the configuration.
struct MetricsConfig {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;     ///< 0: any free port
  bool own_listener = false;  ///< metrics at an address of their own, and no more at the main one
};

/// A listener with one thread for those who watch the host: GET /metrics, /healthz and /readyz, to whoever reaches it.
class MetricsEndpoint {
 public:
  /// kUnavailable when the address is taken or not allowed, with what to do.
  static Result<std::unique_ptr<MetricsEndpoint>> start(const MetricsConfig& config, Readiness readiness,
                                                        MetricsText metrics, observability::EventSink& events);
  virtual ~MetricsEndpoint() = default;
  [[nodiscard]] virtual std::uint16_t port() const noexcept = 0;
  /// As HttpServer::stop().
  virtual void stop(std::chrono::milliseconds drain) = 0;
};

}  // namespace toolhost::app
