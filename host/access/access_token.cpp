#include "access/access_token.hpp"

#include <algorithm>

#include "base/lower.hpp"

namespace toolhost::access {
namespace {

constexpr std::size_t kMostTexts = 256;       // of one claim
constexpr std::size_t kMostEmailBytes = 254;  // RFC 5321 section 4.5.3.1

Error refused(std::string why) {
  return {Errc::kUnauthenticated, std::move(why)};
}

Error denied(std::string why) {
  return {Errc::kDenied, "Access denied: " + std::move(why)};
}

/// The texts of a claim, which may be one or a list of them.
std::vector<std::string_view> texts_of(const simdjson::simdjson_result<json::Value>& claim) {
  std::vector<std::string_view> texts;
  std::string_view text;
  json::Array several;
  if (claim.get(text) == simdjson::SUCCESS) {
    texts.push_back(text);
  } else if (claim.get(several) == simdjson::SUCCESS) {
    for (const auto entry : several) {
      if (texts.size() == kMostTexts) break;
      if (entry.get(text) == simdjson::SUCCESS) texts.push_back(text);
    }
  }
  return texts;
}

std::vector<std::string_view> texts_at(const json::Value& claims, const std::string& name) {
  return texts_of(name.starts_with('/') ? claims.at_pointer(name) : json::find(claims, name));
}

Result<std::string> audience_of(const json::Value& claims, std::span<const std::string> accepted) {
  Error foreign = refused("it was issued for another resource.");
  json::Array several;
  const auto claim = json::find(claims, "aud");
  const auto texts = texts_of(claim);
  const bool is_list = claim.get(several) == simdjson::SUCCESS;
  if (texts.empty() || (is_list && several.size() != texts.size())) return foreign;
  for (const auto text : texts)
    if (std::ranges::find(accepted, text) == accepted.end()) return foreign;
  return std::string(texts.front());
}

std::string verified_email(const json::Value& claims) {
  const auto email = text_claim(claims, "email");
  bool is_verified = false;
  if (!email || email->size() > kMostEmailBytes ||
      json::find(claims, "email_verified").get(is_verified) != simdjson::SUCCESS)
    return {};
  const auto is_plain = [](char c) { return c > ' ' && c != '\x7f'; };
  const bool is_address = std::ranges::count(*email, '@') == 1 && std::ranges::all_of(*email, is_plain);
  return is_verified && is_address ? std::string(*email) : std::string();
}

Result<std::string> tenant_of(const json::Value& claims, const TenantOfToken& rule) {
  if (!rule.name.empty()) return rule.name;
  std::string tenant;
  for (const auto text : texts_at(claims, rule.claim)) {
    const auto named = rule.values.find(text);
    if (named == rule.values.end() && !rule.values.empty()) continue;
    const std::string_view name = named == rule.values.end() ? text : std::string_view(named->second);
    if (!tenant.empty() && tenant != name) return denied("the access token names several tenants of this server.");
    tenant = name;
  }
  if (tenant.empty()) return denied("the access token names no tenant of this server; ask whoever manages it.");
  return tenant;
}

Result<std::optional<Role>> role_of(const json::Value& claims, const RoleOfToken& rule) {
  std::optional<Role> role = rule.otherwise;
  if (rule.claim.empty()) return role;
  bool is_said = false;
  for (const auto text : texts_at(claims, rule.claim)) {
    const auto named = rule.values.find(text);
    if (named == rule.values.end()) continue;
    role = is_said ? std::max(*role, named->second) : named->second;
    is_said = true;
  }
  if (!role) return denied("the access token gives no role on this server; ask whoever manages it.");
  return role;
}

/// scope (RFC 9068 section 2.2.3), with spaces between; or scp, which some issuers write, as text or list.
std::vector<std::string> scopes_of(const json::Value& claims) {
  std::vector<std::string> scopes;
  const auto is_token = [](char c) { return c > ' ' && c < '\x7f' && c != '"' && c != '\\'; };
  for (const char* name : {"scope", "scp"}) {
    for (std::string_view text : texts_of(json::find(claims, name))) {
      while (!text.empty()) {
        const auto scope = text.substr(0, text.find(' '));
        text.remove_prefix(std::min(text.size(), scope.size() + 1));
        if (!scope.empty() && scopes.size() < kMostTexts && std::ranges::all_of(scope, is_token))
          scopes.emplace_back(scope);
      }
    }
  }
  return scopes;
}

}  // namespace

std::optional<std::string_view> issuer_of(const json::Value& claims) {
  return text_claim(claims, "iss");
}

bool is_access_token(const json::Value& header) {
  if (!has_claim(header, "typ")) return true;
  const auto type = text_claim(header, "typ");
  return type && (equals_ignoring_case(*type, "at+jwt") || equals_ignoring_case(*type, "application/at+jwt") ||
                  equals_ignoring_case(*type, "JWT"));
}

Result<TokenClaims> read_claims(const json::Value& claims, const TokenIssuer& issuer,
                                std::span<const std::string> audiences, std::chrono::system_clock::time_point now) {
  const auto end = check_times(claims, false, now);
  if (!end) return end.error();
  auto audience = audience_of(claims, audiences);
  if (!audience) return audience.error();
  const auto subject = subject_of(claims);
  if (!subject) return refused("it does not say whose it is.");
  // RFC 9449 section 7.1, RFC 8705 section 3: worth nothing without a proof, which is not asked for here.
  if (has_claim(claims, "cnf")) return refused("it is bound to a key that does not come with it.");
  if (has_claim(claims, "at_hash") || has_claim(claims, "c_hash")) return refused("it is an ID token.");
  auto tenant = tenant_of(claims, issuer.tenant);
  if (!tenant) return tenant.error();
  const auto role = role_of(claims, issuer.role);
  if (!role) return role.error();
  return TokenClaims{.subject = std::string(*subject),
                     .email = verified_email(claims),
                     .tenant = std::move(*tenant),
                     .audience = std::move(*audience),
                     .role = *role,
                     .scopes = scopes_of(claims),
                     .end = *end};
}

}  // namespace toolhost::access
