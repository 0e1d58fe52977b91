#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "portal/identity.hpp"

namespace toolhost::portal {

/// The public keys that a provider signs with: a JWK Set (RFC 7517 section 5). Immutable after parse().
class SigningKeys {
 public:
  /// Keeps what can verify ID tokens: RSA keys of 2,048 to 8,192 bits and EC keys on P-256 that are not marked for
  /// encryption, at most 64; skips all else, as section 5 demands. kUnavailable: no JWK Set, or none of its keys is of
  /// use.
  static Result<SigningKeys> parse(std::string_view json);

  struct Key {
    std::string id;         ///< kid; may be empty
    std::string algorithm;  ///< alg, when the key is for one only; may be empty
    bool is_rsa = false;    ///< else EC on P-256
    std::string jwk;        ///< the public part alone, as JSON
  };
  /// The key for a token: by its kid; without one, the only key that fits the algorithm (OpenID Connect Core 1.0,
  /// section 10.1). Null when there is none.
  [[nodiscard]] const Key* find(std::optional<std::string_view> id, std::string_view algorithm) const;

 private:
  std::vector<Key> keys_;
};

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
