#pragma once
#include <string>
#include <string_view>

#include "transport/http.hpp"
#include "transport/response_head.hpp"

namespace toolhost::transport {

/// Decides from Origin and Host whether a browser page may talk to this server (MCP: DNS rebinding protection).
/// Immutable; any thread.
class OriginPolicy {
 public:
  enum class Hosts { kConfigured, kAny };
  explicit OriginPolicy(const HttpServerConfig& config, Hosts hosts = Hosts::kConfigured);

  /// Null when the request may go on. An absent Origin (empty) is fine: only browsers send one.
  [[nodiscard]] const Refusal* check(std::string_view origin, std::string_view host) const noexcept;

  /// Fields that let a page of this (allowed) origin read the answer; empty for an absent origin.
  [[nodiscard]] static std::string cors_fields(std::string_view origin);
  /// Fields of the answer to OPTIONS, beside cors_fields(). Of the `requested` fields, those of tools' arguments
  /// (Mcp-Param-NAME) are allowed as well.
  [[nodiscard]] static std::string preflight_fields(std::string_view requested);

 private:
  [[nodiscard]] bool is_allowed_origin(std::string_view origin) const noexcept;
  [[nodiscard]] bool is_allowed_host(std::string_view host) const noexcept;

  std::vector<std::string> origins_;
  std::vector<std::string> hosts_;
  std::string public_host_;  ///< name, and port unless it is the scheme's own; empty: not known
  bool on_loopback_;
  const bool any_host_;
};

/// "localhost", "127.0.0.1" or "[::1]", with any port or none.
bool is_loopback_authority(std::string_view authority) noexcept;
/// Without the port; an IPv6 address keeps its brackets. Empty when it is no authority.
std::string_view name_of_authority(std::string_view authority) noexcept;

}  // namespace toolhost::transport
