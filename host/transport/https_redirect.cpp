#include "transport/https_redirect.hpp"

#include <algorithm>

#include "base/lower.hpp"
#include "transport/origin_policy.hpp"
#include "transport/response_head.hpp"
#include "transport/url.hpp"

namespace toolhost::transport {
namespace {

constexpr Refusal kUnknownHost{400, "unknown_host",
                               "The server speaks HTTPS, and does not know itself by this name. Use the https:// "
                               "address that you were given.",
                               ""};

constexpr Refusal kKeyInClear{400, "key_in_clear",
                              "This came over plain HTTP, and everybody on the way could read the key in it. Write "
                              "https:// in the configuration of your program, and replace this key by a new one.",
                              "key_in_clear"};
constexpr Refusal kNotEncrypted{400, "https_only",
                                "This came over plain HTTP, which everybody on the way can read. Write https:// in the "
                                "configuration of your program; if it sent a key, replace the key by a new one.",
                                "https_only"};

const Refusal* refusal_of(const HttpRequest& request) noexcept {
  if (!request.x_api_key.empty() || !request.authorization.empty()) return &kKeyInClear;
  return request.method == Method::kGet || request.method == Method::kHead ? nullptr : &kNotEncrypted;
}

void refuse(const Refusal& refusal, HttpResponse& response) {
  response.status = refusal.status;
  response.content_type = "application/json";
  response.body = error_body(refusal);
}

}  // namespace

HttpsAddress::HttpsAddress(const HttpServerConfig& config, std::uint16_t https_port)
    : public_url_(config.public_url.starts_with("https://") ? config.public_url : ""),
      allowed_hosts_(config.allowed_hosts),
      port_(https_port == 443 ? "" : ":" + std::to_string(https_port)) {
  if (const auto url = parse_url(public_url_)) public_name_ = url->host;
}

std::string HttpsAddress::base(std::string_view host) const {
  const std::string_view name = name_of_authority(host);
  // The public URL knows the port, too, that people use.
  if (name.empty() || equals_ignoring_case(name, public_name_)) return public_url_;
  const bool is_allowed = std::ranges::any_of(allowed_hosts_, [&](const std::string& allowed) {
    return equals_ignoring_case(name_of_authority(allowed), name);
  });
  if (is_allowed || is_loopback_authority(name)) return "https://" + std::string(name) + port_;
  return public_url_;
}

std::string HttpsAddress::of(std::string_view host, std::string_view path, std::string_view query) const {
  std::string url = base(host);
  if (url.empty()) return url;
  url += path.starts_with('/') ? path : "/";  // OPTIONS knows "*"
  if (!query.empty()) url.append("?").append(query);
  return url;
}

boost::asio::awaitable<void> HttpsRedirect::handle(const HttpRequest& request, HttpResponse& response) {
  if (const auto* refusal = refusal_of(request)) {
    events_.emit(observability::RequestRefused{refusal->reason, request.remote_address, refusal->message});
    refuse(*refusal, response);
    co_return;
  }
  const std::string url = address_.of(request.host, request.path, request.query);
  if (url.empty() || !is_header_value(url)) {
    refuse(kUnknownHost, response);
    co_return;
  }
  response.status = 308;
  response.headers = "Location: " + url + "\r\n";
  response.content_type = "text/plain; charset=utf-8";
  response.body = "This is at " + url + "\n";
}

HttpServerConfig redirect_listener(const HttpServerConfig& config) {
  HttpServerConfig listener;
  listener.address = config.address;
  listener.port = config.redirect_port.value_or(0);
  listener.io_threads = 1;
  listener.max_connections = 1'000;
  listener.max_body_bytes = std::size_t{64} * 1024;
  listener.max_header_bytes = config.max_header_bytes;
  listener.request_limit = std::chrono::seconds(10);
  listener.idle_limit = std::chrono::seconds(10);
  return listener;
}

}  // namespace toolhost::transport
