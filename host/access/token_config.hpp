#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "access/policy_config.hpp"
#include "base/caller.hpp"

namespace toolhost::access {

/// What an operator writes down about access tokens of OAuth 2.1; plain data. A claim is named as it is spelled, or by
/// a JSON pointer (RFC 6901) when it begins with '/'; one that is a list counts for each of its texts.

/// The tenant that a token is for.
struct TenantOfToken {
  std::string name;   ///< of every token of the issuer; else:
  std::string claim;  ///< what says it
  std::map<std::string, std::string, std::less<>>
      values;  ///< its values with their tenants; empty: it names the tenant
  bool operator==(const TenantOfToken&) const = default;
};

/// The role of who presents it. Without a claim and a default: that of the person in the tenant with the token's
/// verified e-mail address, as in the portal; whom the tenant does not name is not let in.
struct RoleOfToken {
  std::string claim;
  std::map<std::string, Role, std::less<>> values;  ///< the highest counts
  std::optional<Role> otherwise;                    ///< nothing: who has none of the values is not let in
  bool operator==(const RoleOfToken&) const = default;
};

/// What one scope of a token opens, in the words of an API key's scopes; empty: everything that the role may do.
struct TokenScope {
  std::string name;
  Scopes opens;
  bool operator==(const TokenScope&) const = default;
};

/// Who issues tokens that are let in.
struct TokenIssuer {
  std::string issuer;    ///< as tokens spell it
  std::string jwks_url;  ///< empty: as its metadata says (RFC 8414, OpenID Connect Discovery 1.0)
  std::string ca_file;   ///< PEM; instead of the system's certificate authorities
  std::vector<std::string> algorithms{"RS256", "PS256", "ES256"};
  std::vector<std::string> audiences;  ///< empty: those of the resource
  TenantOfToken tenant;
  RoleOfToken role;
  std::vector<TokenScope> scopes;  ///< empty: a token opens whatever its role may do
  bool operator==(const TokenIssuer&) const = default;
};

struct TokenConfig {
  std::string resource;              ///< what this host is to the issuers (RFC 8707): "https://mcp.example.com/mcp"
  std::vector<std::string> scopes;   ///< what clients are told to ask for first; empty: all scopes of the issuers
  std::vector<TokenIssuer> issuers;  ///< empty: no token is let in, and there is no OAuth at all
  bool operator==(const TokenConfig&) const = default;
};

}  // namespace toolhost::access
