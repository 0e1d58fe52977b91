#pragma once
#include <chrono>
#include <string_view>

#include "access/signed_token.hpp"
#include "base/result.hpp"
#include "portal/identity.hpp"

namespace toolhost::portal {

using access::SigningKeys;

/// What a token must say to be for us, now.
struct ExpectedToken {
  std::string_view issuer;
  std::string_view client_id;
  std::string_view nonce;  ///< never empty
  std::chrono::system_clock::time_point now;
};

/// Verifies an ID token as OpenID Connect Core 1.0, section 3.1.3.7, and RFC 8725 want it: a JWS in compact form of at
/// most 16 KiB (RFC 7515) that is signed with RS256, PS256 or ES256 (RFC 7518) by one of the provider's keys; iss, aud,
/// azp, exp, iat, nbf (60 seconds of leeway) and nonce. https://accounts.google.com may call itself
/// accounts.google.com. Any thread.
///
/// kNotFound: signed with a key that is not among `keys`; newer ones may have it. kUnauthenticated: not acceptable; the
/// message may be shown and never repeats what the token says.
Result<Identity> verify_id_token(std::string_view token, const SigningKeys& keys, const ExpectedToken& expected);

}  // namespace toolhost::portal
