#include "transport/trusted_proxies.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <span>

#include "base/cut.hpp"

namespace toolhost::transport {
namespace {

using boost::asio::ip::address;

address unmapped(const address& given) noexcept {
  if (!given.is_v6() || !given.to_v6().is_v4_mapped()) return given;
  return boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, given.to_v6());
}

std::optional<address> parse_address(std::string_view text) {
  boost::system::error_code ec;
  const address parsed = boost::asio::ip::make_address(std::string(text), ec);
  if (ec || (parsed.is_v6() && parsed.to_v6().scope_id() != 0)) return std::nullopt;
  return unmapped(parsed);
}

bool has_same_start(std::span<const unsigned char> a, std::span<const unsigned char> b, unsigned bits) noexcept {
  const std::size_t whole = bits / 8;
  if (!std::equal(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(whole), b.begin())) return false;
  const unsigned rest = bits % 8;
  return rest == 0 || (a[whole] >> (8 - rest)) == (b[whole] >> (8 - rest));
}

/// Takes the last entry off a list.
std::string_view take_last(std::string_view& list) noexcept {
  const std::size_t comma = list.rfind(',');
  const std::string_view last = comma == std::string_view::npos ? list : list.substr(comma + 1);
  list = comma == std::string_view::npos ? std::string_view() : list.substr(0, comma);
  return trimmed(last);
}

/// Some proxies write the port, too: "192.0.2.1:4711", "[2001:db8::1]:4711".
std::string_view without_port(std::string_view text) noexcept {
  if (text.starts_with('[')) return text.substr(1, text.find(']') - 1);
  const std::size_t colon = text.find(':');
  const bool is_ipv4 = colon != std::string_view::npos && text.find(':', colon + 1) == std::string_view::npos;
  return is_ipv4 ? text.substr(0, colon) : text;
}

}  // namespace

bool Network::contains(const address& other) const noexcept {
  const address asked = unmapped(other);
  if (asked.is_v4() != first.is_v4()) return false;
  if (first.is_v4()) return has_same_start(first.to_v4().to_bytes(), asked.to_v4().to_bytes(), bits);
  return has_same_start(first.to_v6().to_bytes(), asked.to_v6().to_bytes(), bits);
}

std::optional<Network> parse_network(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto first = parse_address(text.substr(0, slash));
  if (!first) return std::nullopt;
  const unsigned most = first->is_v4() ? 32 : 128;
  if (slash == std::string_view::npos) return Network{*first, most};
  const std::string_view digits = text.substr(slash + 1);
  unsigned bits = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
  if (error != std::errc() || end != digits.data() + digits.size() || bits > most) return std::nullopt;
  return Network{*first, bits};
}

TrustedProxies::TrustedProxies(const std::vector<std::string>& networks) {
  for (const std::string& text : networks) {
    if (const auto network = parse_network(text)) networks_.push_back(*network);
  }
}

bool TrustedProxies::contains(const address& asked) const noexcept {
  return std::ranges::any_of(networks_, [&](const Network& network) { return network.contains(asked); });
}

bool TrustedProxies::contains(std::string_view text) const {
  if (networks_.empty()) return false;
  const auto asked = parse_address(text);
  return asked && contains(*asked);
}

ForwardedClient TrustedProxies::client(std::string_view peer, const ForwardedFields& fields) const {
  ForwardedClient client{.address = std::string(peer), .proto = {}, .host = {}};
  std::string_view list = fields.for_addresses;
  while (!list.empty()) {
    const auto said = parse_address(without_port(take_last(list)));
    if (!said) break;  // "unknown": the one who said it is the last that is known
    client.address = said->to_string();
    if (!contains(*said)) break;
  }
  // The proxy that speaks to us wrote the last entry; it may have found the others.
  std::string_view proto = fields.proto, host = fields.host;
  client.proto = take_last(proto);
  client.host = take_last(host);
  return client;
}

}  // namespace toolhost::transport
