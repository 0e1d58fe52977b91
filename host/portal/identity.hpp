#pragma once
#include <string>
#include <string_view>

#include "base/json.hpp"

namespace toolhost::portal {

inline constexpr std::string_view kGoogleIssuer = "https://accounts.google.com";

/// Who somebody is, as the sign-in provider says. The person is (issuer, subject) and nothing else: addresses change
/// owners (OpenID Connect Core 1.0, section 5.7).
struct Identity {
  std::string issuer;           ///< as configured, however the provider spells it
  std::string subject;          ///< 1 to 255 printable ASCII characters
  std::string email;            ///< one '@', nothing that is not seen; empty when there is none
  std::string name;             ///< at most 200 bytes of UTF-8 without control characters; may be empty
  std::string hosted_domain;    ///< Google's "hd": the workspace; may be empty
  bool email_verified = false;  ///< without it `email` may be anybody's: it must not decide about tenants
};

/// Reads email, email_verified, name and hd (OpenID Connect Core 1.0, section 5.1) from the claims of an ID token or of
/// the UserInfo endpoint. What is malformed counts as absent; email_verified is the boolean true or it is false.
void read_profile(const json::Value& claims, Identity& identity);

/// One '@' with something on both sides, at most 254 bytes (RFC 5321, 4.5.3.1.3, less the brackets), and nothing by
/// which it could be taken for another: no quoting, nothing that is not seen.
bool is_address(std::string_view text);

}  // namespace toolhost::portal
