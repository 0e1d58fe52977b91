#pragma once
#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "base/result.hpp"

namespace toolhost::access {

/// The signatures that can be verified (RFC 7518). Never "none", never HS*: a public key is no secret (RFC 8725
/// sections 2.1 and 3.1).
std::span<const std::string_view> signature_algorithms() noexcept;

/// The public keys that an issuer signs with: a JWK Set (RFC 7517 section 5). Immutable after parse().
class SigningKeys {
 public:
  /// Keeps what can verify tokens: RSA keys of 2,048 to 8,192 bits and EC keys on P-256 that are not marked for
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
  /// Whether a key with this public part is among them.
  [[nodiscard]] bool has(std::string_view jwk) const;

 private:
  std::vector<Key> keys_;
};

/// A JSON Web Token, taken apart: a JWS in compact form of at most 16 KiB (RFC 7515, RFC 7519). What it says counts
/// when verify() has found it signed, and not before. Not thread-safe.
///
/// Errors are half sentences behind a colon ("it cannot be read."), which may be shown and never repeat what the token
/// says. kUnauthenticated: not acceptable. kNotFound: signed with a key that is not among those; newer ones may have
/// it.
class SignedToken {
 public:
  /// Borrows `text`.
  static Result<SignedToken> parse(std::string_view text);

  [[nodiscard]] const json::Value& header() const noexcept { return header_; }
  /// What it claims; parsed when first asked for.
  Result<json::Value> claims();
  /// The key that has signed it, with one of these algorithms. Headers that bring or name a key of the sender's own
  /// (jwk, jku, x5c, x5u) are not looked at; those that must be understood (crit) are refused.
  [[nodiscard]] Result<const SigningKeys::Key*> verify(const SigningKeys& keys,
                                                       std::span<const std::string_view> algorithms) const;

 private:
  std::string_view text_;
  std::string claims_text_;
  json::DocumentPtr header_document_, claims_document_;
  json::Value header_;
};

/// Within [nbf or iat, exp] of the claims, with 60 seconds of leeway at both ends. `needs_issued`: iat must be there.
/// When the token ends, the leeway included.
Result<std::chrono::system_clock::time_point> check_times(const json::Value& claims, bool needs_issued,
                                                          std::chrono::system_clock::time_point now);

/// The member as text; nothing when it is absent, no text, or empty.
std::optional<std::string_view> text_claim(const json::Value& object, std::string_view key);
bool has_claim(const json::Value& object, std::string_view key);
/// sub: 1 to 255 printable ASCII characters (OpenID Connect Core 1.0, section 2).
std::optional<std::string_view> subject_of(const json::Value& claims);

/// Whether a member of an object stands there twice. RFC 7515 section 4 and RFC 7519 section 4 let such tokens be
/// refused, and readers that differ in which one they take must not be played against each other. False for what is no
/// object.
bool has_duplicate_members(const json::Value& value);

}  // namespace toolhost::access
