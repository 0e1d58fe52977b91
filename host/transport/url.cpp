#include "transport/url.hpp"

#include <algorithm>
#include <charconv>

#include "base/lower.hpp"

namespace toolhost::transport {
namespace {

constexpr std::size_t kMostCharacters = 2048;

Error bad(std::string why) {
  return {Errc::kInvalidArgument, std::move(why)};
}

bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}
bool is_alphanumeric(char c) noexcept {
  return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z');
}

/// RFC 3986 section 2 without the characters that only older software sends.
bool is_target_character(char c) noexcept {
  return is_alphanumeric(c) || std::string_view("-._~:/?@!$&'()*+,;=%").find(c) != std::string_view::npos;
}

bool is_name(std::string_view host) noexcept {
  return !host.empty() && host.size() <= 253 &&
         std::ranges::all_of(host, [](char c) { return is_alphanumeric(c) || c == '.' || c == '-' || c == '_'; });
}
bool is_ipv6(std::string_view host) noexcept {
  return host.find(':') != std::string_view::npos && host.size() <= 45 &&
         host.find_first_not_of("0123456789abcdefABCDEF:.") == std::string_view::npos;
}

/// ":8443"
Result<std::uint16_t> parse_port(std::string_view text) {
  const std::string_view digits = text.substr(text.starts_with(':') ? 1 : 0);
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc() || end != digits.data() + digits.size() || digits.size() == text.size() || port == 0)
    return bad("the port is no number from 1 to 65535");
  return port;
}

}  // namespace

bool Url::is_loopback() const noexcept {
  return host == "localhost" || host == "127.0.0.1" || host == "::1";
}

std::string Url::authority() const {
  std::string text = host.find(':') == std::string::npos ? host : "[" + host + "]";
  if (port != (is_https ? 443 : 80)) text += ":" + std::to_string(port);
  return text;
}

std::string Url::origin() const {
  return (is_https ? "https://" : "http://") + authority();
}

Result<Url> parse_url(std::string_view text) {
  if (text.size() > kMostCharacters) return bad("the URL is longer than 2,048 characters");
  Url url;
  const auto scheme_end = text.find("://");
  const std::string scheme = lower(text.substr(0, scheme_end == std::string_view::npos ? 0 : scheme_end));
  if (scheme != "https" && scheme != "http") return bad("the URL does not begin with https://");
  url.is_https = scheme == "https";
  text.remove_prefix(scheme_end + 3);

  const std::string_view authority = text.substr(0, text.find_first_of("/?#"));
  text.remove_prefix(authority.size());
  if (authority.find('@') != std::string_view::npos) return bad("the URL holds a user name");
  const bool in_brackets = authority.starts_with('[');
  const auto host_end = std::min(authority.find(in_brackets ? ']' : ':'), authority.size());
  const std::string_view host = authority.substr(in_brackets ? 1 : 0, in_brackets ? host_end - 1 : host_end);
  if (in_brackets ? host_end == authority.size() || !is_ipv6(host) : !is_name(host))
    return bad("the URL's host name is not one");
  url.host = lower(host);

  const std::string_view rest = authority.substr(host_end + (in_brackets ? 1 : 0));
  url.port = url.is_https ? 443 : 80;
  if (!rest.empty()) {
    const auto port = parse_port(rest);
    if (!port) return port.error();
    url.port = *port;
  }

  if (text.find('#') != std::string_view::npos) return bad("the URL has a fragment");
  if (!std::ranges::all_of(text, is_target_character)) return bad("the URL holds a character that it may not");
  url.target = text.starts_with('/') ? std::string(text) : "/" + std::string(text);
  return url;
}

std::string form_encoded(std::string_view value) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  out.reserve(value.size());
  for (const char c : value) {
    if (is_alphanumeric(c) || c == '-' || c == '.' || c == '_' || c == '~') {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return out;
}

std::string form_encoded(const FormFields& fields) {
  std::string out;
  for (const auto& [name, value] : fields) {
    if (!out.empty()) out += '&';
    out += form_encoded(name) + "=" + form_encoded(value);
  }
  return out;
}

}  // namespace toolhost::transport
