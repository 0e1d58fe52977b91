#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "access/token_config.hpp"

namespace toolhost::access {

/// This host as a resource server of OAuth 2.1: its names, and what it tells clients about getting tokens (RFC 9728,
/// RFC 6750). Immutable; any thread.
class ProtectedResource {
 public:
  /// `config.resource` is a URL that passed transport::parse_url().
  explicit ProtectedResource(const TokenConfig& config);

  /// The resource and, when its address ends in /mcp, the one that ends in /sse beside it: what tokens may be meant
  /// for.
  [[nodiscard]] const std::vector<std::string>& names() const noexcept { return names_; }

  /// The metadata that stands at this path below /.well-known/, as JSON; null: there is none.
  [[nodiscard]] const std::string* metadata_at(std::string_view path) const;

  /// Values of WWW-Authenticate for whoever asked for this path of the host: without any credential, or with a token
  /// that is not accepted, for a reason that is a sentence without quotes.
  [[nodiscard]] std::string challenge(std::string_view path) const;
  [[nodiscard]] std::string challenge_invalid(std::string_view path, std::string_view why) const;
  /// For a token that is good, but not for this. `name`: of the resource that it was made for; `scopes`: all that a
  /// token for it needs.
  [[nodiscard]] std::string challenge_scopes(std::string_view name, std::string_view scopes) const;

 private:
  [[nodiscard]] std::string tail(std::string_view name, std::string_view scopes) const;
  [[nodiscard]] const std::string& name_at(std::string_view path) const noexcept;

  std::vector<std::string> names_;                             // of /mcp first
  std::string scopes_;                                         // with spaces between
  std::map<std::string, std::string, std::less<>> documents_;  // by path
  std::map<std::string, std::string, std::less<>> locations_;  // of the documents, by name
};

}  // namespace toolhost::access
