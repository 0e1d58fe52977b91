#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.hpp"
#include "base/secret.hpp"

namespace toolhost::plugin_runtime {

/// Makes text that a plugin may hand to a client and trust when it comes back (cursors): readable by the client, but
/// neither alterable nor usable with another plugin or tenant. base64url (RFC 4648, no padding) of the data and its
/// HMAC-SHA-256 under a key that is derived from the host's sealing key and the plugin id. Any thread.
class TokenSealer {
 public:
  TokenSealer(const Secret& sealing_key, std::string_view plugin_id);

  [[nodiscard]] std::string seal(TenantId tenant, std::string_view data) const;
  /// The data, or nothing when the token was not made by seal() for this plugin and tenant.
  [[nodiscard]] std::optional<std::string> open(TenantId tenant, std::string_view token) const;

 private:
  using Mac = std::array<std::uint8_t, 32>;
  [[nodiscard]] Mac mac_of(TenantId tenant, std::string_view data) const;
  Secret key_;
};

}  // namespace toolhost::plugin_runtime
