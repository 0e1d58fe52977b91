#pragma once
#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "access/signed_token.hpp"
#include "access/token_config.hpp"
#include "base/result.hpp"

namespace toolhost::access {

/// What an access token says that was verified.
struct TokenClaims {
  std::string subject;
  std::string email;         ///< empty unless the issuer vouches for it (email_verified)
  std::string tenant;        ///< by its name here; may not exist
  std::string audience;      ///< which of the accepted ones
  std::optional<Role> role;  ///< nothing: as the tenant names the person with this address
  std::vector<std::string> scopes;
  std::chrono::system_clock::time_point end;  ///< exp and the leeway
};

/// The claim of iss, to find whose token it says to be; nothing when it has none.
std::optional<std::string_view> issuer_of(const json::Value& claims);

/// Whether it is an access token, by its header (RFC 9068 section 2.1): typ is at+jwt, or absent, or JWT, which many
/// issuers write.
bool is_access_token(const json::Value& header);

/// Reads the claims of a token whose signature is right: times, audience, subject, then who that is here. Each of its
/// audiences must be one of `audiences`: what somebody else takes as well, they could present here.
///
/// kUnauthenticated: not acceptable, half a sentence as of SignedToken. kDenied: it is good, and whoever presents it
/// has no place here; a sentence. Both may be shown.
Result<TokenClaims> read_claims(const json::Value& claims, const TokenIssuer& issuer,
                                std::span<const std::string> audiences, std::chrono::system_clock::time_point now);

}  // namespace toolhost::access
