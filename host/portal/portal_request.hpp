#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "transport/http.hpp"

namespace toolhost::portal {

/// Names with values: of a query, a form or cookies. The first of a name counts.
class Fields {
 public:
  void add(std::string name, std::string value) { fields_.emplace_back(std::move(name), std::move(value)); }
  /// Empty when there is none.
  [[nodiscard]] std::string_view get(std::string_view name) const noexcept;
  [[nodiscard]] std::vector<std::string> all(std::string_view name) const;
  [[nodiscard]] bool has(std::string_view name) const noexcept;
  [[nodiscard]] bool empty() const noexcept { return fields_.empty(); }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

inline constexpr std::size_t kMaxFormBytes = std::size_t{16} * 1024;

/// application/x-www-form-urlencoded (WHATWG URL, 5.1). Nothing when a percent sign is not followed by two digits, or
/// there are more than 100 fields.
std::optional<Fields> parse_form(std::string_view text);
/// The Cookie field (RFC 6265, 4.2.1); what is malformed is left out.
Fields parse_cookies(std::string_view text);

/// A request as the pages see it: a copy, which may outlive the connection.
struct PortalRequest {
  transport::Method method = transport::Method::kGet;
  std::string path;    ///< as sent; every path of the portal is plain ASCII
  std::string target;  ///< path with its query, when that is of a sensible length
  Fields query, form, cookies;
  std::string origin, sec_fetch_site, user_agent;
  std::string address;       ///< of the client
  std::string base_url;      ///< scheme and authority that the person's browser uses, without a slash at the end
  bool is_secure = false;    ///< base_url is https
  std::string_view problem;  ///< why the form could not be read; static text; empty: it could, or there was none

  [[nodiscard]] bool is_post() const noexcept { return method == transport::Method::kPost; }
};

/// `public_url`: what the operator says people use; empty: the request's scheme and Host.
PortalRequest make_portal_request(const transport::HttpRequest& request, std::string_view public_url);

/// `path` when it leads to a page of the portal ("/mcp", "/mcp/..."), else "/mcp": never to another site (RFC 3986,
/// 4.2: "//host" and a backslash would).
std::string safe_next(std::string_view path);

/// The number that the last part of a path is, e.g. 17 of "/mcp/keys/17"; nothing when it is none.
std::optional<std::int64_t> parse_id(std::string_view text);

}  // namespace toolhost::portal
