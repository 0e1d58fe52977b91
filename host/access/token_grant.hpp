#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "access/grant.hpp"
#include "access/rights.hpp"

namespace toolhost::access {

using RightsPtr = std::shared_ptr<const Rights>;

/// What any of these lets through; at least one. In everything but scopes they must be alike, so the first one answers
/// for them all.
RightsPtr any_of(std::vector<RightsPtr> each);

/// One scope, and what it opens for one role in one tenant.
struct ScopedRights {
  std::string name;
  RightsPtr opens;
};

struct TokenScopes {
  std::vector<ScopedRights> all;     ///< of the issuer
  std::vector<std::string> granted;  ///< to the token, also those that open nothing here
  /// WWW-Authenticate for a token that needs these scopes, with spaces between.
  std::function<std::string(std::string_view scopes)> challenge;
};

/// The grant of a caller by token. `counted` has the rights of all scopes together, so that the caller is shown what
/// one more scope would open: nobody would ever ask for it otherwise. What the token's own scopes do not open is
/// refused with Reason::kScope and a challenge that names all that it takes.
std::shared_ptr<const Grant> make_token_grant(std::shared_ptr<const Grant> counted, TokenScopes scopes);

/// Whether the token's own scopes open nothing but reading.
bool opens_only_reading(const TokenScopes& scopes);

}  // namespace toolhost::access
