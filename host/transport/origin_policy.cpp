#include "transport/origin_policy.hpp"

#include <algorithm>

#include <boost/asio/ip/address.hpp>

#include "base/cut.hpp"
#include "base/lower.hpp"
#include "transport/url.hpp"

namespace toolhost::transport {
namespace {

constexpr Refusal kOriginRefused{
    403, "origin_not_allowed",
    "This page's origin may not use the server. Add it to the allowed origins in the host's configuration.", "origin"};
constexpr Refusal kHostRefused{
    403, "host_not_allowed",
    "The server does not answer to this host name. Use localhost, or add the name to the allowed hosts in "
    "the host's configuration.",
    "host"};

struct Authority {
  std::string_view name;
  std::string_view port;  ///< digits, may be empty
  bool is_valid = false;
};

Authority split_authority(std::string_view text) noexcept {
  const std::size_t bracket = text.starts_with('[') ? text.find(']') : 0;
  if (bracket == std::string_view::npos) return {};
  const std::size_t colon = text.find(':', bracket);
  Authority result{text.substr(0, colon), colon == std::string_view::npos ? "" : text.substr(colon + 1), true};
  result.is_valid =
      !result.name.empty() && std::ranges::all_of(result.port, [](char c) { return c >= '0' && c <= '9'; });
  return result;
}

bool is_param_field(std::string_view name) noexcept {
  constexpr std::string_view kPrefix = "mcp-param-";
  return name.size() > kPrefix.size() && equals_ignoring_case(name.substr(0, kPrefix.size()), kPrefix) &&
         std::ranges::all_of(name, [](char c) {
           return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z') || c == '-' || c == '_' || c == '.';
         });
}

}  // namespace

bool is_loopback_authority(std::string_view authority) noexcept {
  const Authority parts = split_authority(authority);
  return parts.is_valid &&
         (equals_ignoring_case(parts.name, "localhost") || parts.name == "127.0.0.1" || parts.name == "[::1]");
}

std::string_view name_of_authority(std::string_view authority) noexcept {
  const Authority parts = split_authority(authority);
  return parts.is_valid ? parts.name : std::string_view();
}

OriginPolicy::OriginPolicy(const HttpServerConfig& config, Hosts hosts)
    : origins_(config.allowed_origins), hosts_(config.allowed_hosts), any_host_(hosts == Hosts::kAny) {
  // The server's own pages, and what they send.
  if (const auto url = parse_url(config.public_url)) {
    origins_.push_back(url->origin());
    public_host_ = url->authority();
  }
  boost::system::error_code ec;
  const auto address = boost::asio::ip::make_address(config.address, ec);
  on_loopback_ = !ec && address.is_loopback();
}

const Refusal* OriginPolicy::check(std::string_view origin, std::string_view host) const noexcept {
  if (!origin.empty() && !is_allowed_origin(origin)) return &kOriginRefused;
  if (!is_allowed_host(host)) return &kHostRefused;
  return nullptr;
}

bool OriginPolicy::is_allowed_origin(std::string_view origin) const noexcept {
  if (std::ranges::any_of(origins_, [&](const std::string& known) { return equals_ignoring_case(known, origin); }))
    return true;
  // A page on this machine may use a server that only this machine reaches; a public server trusts its list alone.
  if (!on_loopback_) return false;
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (origin.starts_with(scheme)) return is_loopback_authority(origin.substr(scheme.size()));
  }
  return false;
}

bool OriginPolicy::is_allowed_host(std::string_view host) const noexcept {
  if (any_host_ || (!on_loopback_ && hosts_.empty())) return true;
  if (is_loopback_authority(host)) return true;
  if (!public_host_.empty() && equals_ignoring_case(public_host_, host)) return true;
  const Authority asked = split_authority(host);
  return asked.is_valid && std::ranges::any_of(hosts_, [&](const std::string& known) {
           // A listed name without a port stands for every port.
           return equals_ignoring_case(known, host) || equals_ignoring_case(known, asked.name);
         });
}

std::string OriginPolicy::cors_fields(std::string_view origin) {
  std::string fields;
  if (origin.empty()) return fields;
  fields.reserve(160);
  fields += "Access-Control-Allow-Origin: ";
  fields += origin;
  fields += "\r\nAccess-Control-Expose-Headers: Mcp-Session-Id, WWW-Authenticate\r\nVary: Origin\r\n";
  return fields;
}

std::string OriginPolicy::preflight_fields(std::string_view requested) {
  std::string fields =
      "Allow: GET, HEAD, POST, DELETE, OPTIONS\r\n"
      "Access-Control-Allow-Methods: GET, POST, DELETE\r\n"
      "Access-Control-Allow-Headers: Content-Type, Accept, Authorization, X-API-Key, Mcp-Session-Id, "
      "MCP-Protocol-Version, Mcp-Method, Mcp-Name, Last-Event-ID";
  while (!requested.empty()) {
    const auto name = trimmed(take_until(requested, ','));
    if (is_param_field(name)) fields.append(", ").append(name);
  }
  return fields += "\r\nAccess-Control-Max-Age: 600\r\n";
}

}  // namespace toolhost::transport
