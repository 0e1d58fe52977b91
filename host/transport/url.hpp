#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace toolhost::transport {

/// An absolute http or https URL, taken apart (RFC 3986).
struct Url {
  bool is_https = true;
  std::string host;  ///< lower case; an IPv6 address without its brackets
  std::uint16_t port = 443;
  std::string target;  ///< path and query, as a request line has them; at least "/"

  /// A name or an address of this machine: localhost, 127.0.0.1, ::1.
  [[nodiscard]] bool is_loopback() const noexcept;
  /// What a Host field says: the port only when it is not the scheme's own.
  [[nodiscard]] std::string authority() const;
  /// Scheme and authority, e.g. "https://accounts.example:8443".
  [[nodiscard]] std::string origin() const;
};

/// Takes at most 2,048 printable ASCII characters. kInvalidArgument, with a sentence that says what is wrong, for
/// anything else and for user names, fragments and other schemes. Percent-encoding is left as it is.
Result<Url> parse_url(std::string_view text);

/// Names and values that become application/x-www-form-urlencoded.
using FormFields = std::vector<std::pair<std::string_view, std::string_view>>;
/// "name=value&..."; everything but the unreserved characters of RFC 3986 is percent-encoded, so that it fits a query
/// too.
std::string form_encoded(const FormFields& fields);
/// One value of it.
std::string form_encoded(std::string_view value);

}  // namespace toolhost::transport
