#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/ip/address.hpp>

namespace toolhost::transport {

/// Addresses that begin with the same bits.
struct Network {
  boost::asio::ip::address first;
  unsigned bits = 0;

  /// An IPv6 address that stands for an IPv4 one ("::ffff:10.0.0.1") is that one.
  [[nodiscard]] bool contains(const boost::asio::ip::address& address) const noexcept;
};

/// "10.0.0.0/8", "fd00::/8", or one address; nothing when it is neither.
std::optional<Network> parse_network(std::string_view text);

/// What proxies say of the client, as sent. Several lines of X-Forwarded-For are one list; of the others the last
/// counts.
struct ForwardedFields {
  std::string_view for_addresses, proto, host;
};

/// The client as it is known behind the proxies. Views are of the fields.
struct ForwardedClient {
  std::string address;
  std::string_view proto;  ///< "http", "https"; empty: not said
  std::string_view host;   ///< empty: not said
};

/// Which peers are believed when they say whom they speak for. Immutable; any thread.
class TrustedProxies {
 public:
  TrustedProxies() = default;
  /// What is no network is left out; parse_network() says beforehand what is one.
  explicit TrustedProxies(const std::vector<std::string>& networks);

  [[nodiscard]] bool contains(std::string_view address) const;
  /// For a peer that contains() knows. The client is the last address of the list that is no trusted proxy: what
  /// stands before it, the client may have written itself.
  [[nodiscard]] ForwardedClient client(std::string_view peer, const ForwardedFields& fields) const;

 private:
  [[nodiscard]] bool contains(const boost::asio::ip::address& address) const noexcept;

  std::vector<Network> networks_;
};

}  // namespace toolhost::transport
