#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "transport/http.hpp"

namespace toolhost::transport {

/// Where a request that came over plain HTTP belongs.
class HttpsAddress {
 public:
  /// `https_port`: where the server itself serves HTTPS.
  HttpsAddress(const HttpServerConfig& config, std::uint16_t https_port);

  /// The https URL of this target. The name in Host is kept when the configuration names it or it is a loopback name,
  /// else it becomes that of the public URL. Empty when there is none either.
  [[nodiscard]] std::string of(std::string_view host, std::string_view path, std::string_view query) const;

 private:
  [[nodiscard]] std::string base(std::string_view host) const;

  const std::string public_url_;
  std::string public_name_;
  const std::vector<std::string> allowed_hosts_;
  const std::string port_;  ///< ":8443", or nothing for 443
};

/// Answers with 308 to where a request belongs (RFC 9110, 15.4.9), 400 when that is not known. A request with a key, or
/// with a body, is 400: sent on, its program would go on sending the key in clear for ever.
class HttpsRedirect final : public HttpHandler {
 public:
  HttpsRedirect(HttpsAddress address, observability::EventSink& events)
      : address_(std::move(address)), events_(events) {}
  boost::asio::awaitable<void> handle(const HttpRequest& request, HttpResponse& response) override;

 private:
  const HttpsAddress address_;
  observability::EventSink& events_;
};

/// The listener in front of it: small, and for any Host.
HttpServerConfig redirect_listener(const HttpServerConfig& config);

}  // namespace toolhost::transport
