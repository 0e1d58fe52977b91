#include "access/token_issuers.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>
#include <set>
#include <unordered_map>
#include <utility>

#include "access/access_token.hpp"
#include "access/api_key.hpp"
#include "access/crypto.hpp"
#include "access/token_grant.hpp"
#include "base/base64url.hpp"

namespace toolhost::access {
namespace {

using WallTime = std::chrono::system_clock::time_point;
using Digest = std::array<std::uint8_t, 32>;

constexpr std::size_t kShownCharacters = 6;

/// `why` is half a sentence of SignedToken.
Error not_accepted(const std::string& why, std::string detail = {}) {
  return {Errc::kUnauthenticated, "The access token was not accepted: " + why, std::move(detail)};
}

struct FirstBytes {
  std::size_t operator()(const Digest& digest) const noexcept {
    std::size_t bytes;
    std::memcpy(&bytes, digest.data(), sizeof bytes);
    return bytes;
  }
};

/// One issuer, ready to be asked.
struct Issuer {
  TokenIssuer config;
  std::vector<std::string> audiences;
  std::vector<std::string_view> algorithms;  // views into config
  std::unique_ptr<IssuerKeys> keys;
  IssuerKeys::KeysPtr swept_with;  // which keys take_ended() has looked at last
};

/// Who a token is, whatever the policy makes of it.
struct Holder {
  const Issuer* issuer = nullptr;
  TokenClaims claims;
  storage::TenantRow tenant;
  KeyId id{};
  std::string shown;   // as a key's prefix
  std::string signer;  // the key that has signed the token, as a JWK
};
using HolderPtr = std::shared_ptr<const Holder>;

struct Known {
  HolderPtr holder;
  CallerPtr caller;
};

/// No tenant has the name that the token says.
Error no_tenant(const std::string& name) {
  return {Errc::kDenied, "Access denied: the access token names no tenant of this server; ask whoever manages it.",
          "there is no tenant " + name};
}

/// The names of tenants that the configuration of an issuer holds.
std::set<std::string> tenants_named(const TenantOfToken& tenant) {
  std::set<std::string> names;
  if (!tenant.name.empty()) names.insert(tenant.name);
  for (const auto& [value, name] : tenant.values) names.insert(name);
  return names;
}

/// The number and the name of who presents a token: of issuer, subject and tenant, so that no two meet.
void name_holder(Holder& holder) {
  const auto digest = sha256(holder.issuer->config.issuer + '\0' + holder.claims.subject + '\0' + holder.tenant.name);
  std::uint64_t bits = 0;
  for (std::size_t at = 0; at < sizeof bits; ++at) bits = bits << 8 | digest[at];
  holder.id = KeyId{-1 - static_cast<std::int64_t>(bits >> 1)};
  const std::string_view rest(reinterpret_cast<const char*>(digest.data()) + sizeof bits, kShownCharacters);
  holder.shown = "oauth_" + to_base64url(rest).substr(0, kShownCharacters);
}

class Tokens final : public TokenIssuers {
 public:
  Tokens(TokenIssuersParts parts, std::vector<std::unique_ptr<Issuer>> issuers, observability::EventSink& events)
      : parts_(std::move(parts)), issuers_(std::move(issuers)), events_(events), policy_(parts_.policy) {}

  Result<CallerPtr> authenticate(std::string_view token) override {
    const auto digest = sha256(token);
    {
      const std::lock_guard lock(mutex_);
      const auto known = tokens_.find(digest);
      if (known != tokens_.end() && parts_.wall() < known->second.holder->claims.end) return known->second.caller;
    }
    auto holder = verify(token);
    if (!holder) return holder.error();
    return enter(digest, std::make_shared<const Holder>(std::move(*holder)));
  }

  bool is_fetching() const noexcept override {
    return std::ranges::any_of(issuers_, [](const auto& issuer) { return issuer->keys->is_fetching(); });
  }

  void set_tenants(std::vector<storage::TenantRow> tenants) override {
    std::map<std::string, storage::TenantRow, std::less<>> rows;
    for (auto& tenant : tenants) rows.emplace(tenant.name, std::move(tenant));
    tell_of_missing(rows);
    const std::lock_guard lock(mutex_);
    tenants_ = std::move(rows);
    // Verified anew when they come again, with the tenant as it is now.
    std::erase_if(tokens_, [&](const auto& known) {
      const auto* const tenant = tenant_of(*known.second.holder);
      return tenant == nullptr || tenant->time_zone != known.second.holder->tenant.time_zone;
    });
    std::erase_if(people_, [&](const auto& person) {
      if (tenant_of(*person.second) != nullptr) return false;
      without_tenant_.push_back(KeyId{person.first});
      return true;
    });
  }

  Regoverned set_policy(PolicyPtr policy) override {
    std::vector<std::pair<Digest, HolderPtr>> known;
    std::vector<HolderPtr> people;
    {
      const std::lock_guard lock(mutex_);
      policy_ = policy;
      reach_.clear();
      for (const auto& [digest, token] : tokens_) known.emplace_back(digest, token.holder);
      for (const auto& [id, holder] : people_) people.push_back(holder);
    }
    Regoverned result;
    for (const auto& [digest, holder] : known) {
      auto caller = make_caller(*holder, policy);
      const std::lock_guard lock(mutex_);
      const auto token = tokens_.find(digest);
      if (token == tokens_.end()) continue;
      if (caller) {
        token->second.caller = std::move(*caller);
        result.callers.push_back(token->second.caller);
      } else {
        tokens_.erase(token);
        end(holder->id, result.ended);
      }
    }
    // Also those whose tokens are not remembered any more.
    for (const auto& holder : people) {
      if (make_caller(*holder, policy)) continue;
      const std::lock_guard lock(mutex_);
      const auto person = people_.find(value(holder->id));
      if (person != people_.end() && person->second == holder) end(holder->id, result.ended);
    }
    return result;
  }

  std::vector<CallerPtr> callers() const override {
    const std::lock_guard lock(mutex_);
    std::vector<CallerPtr> all;
    for (const auto& [digest, token] : tokens_) all.push_back(token.caller);
    return all;
  }

  std::vector<KeyId> take_ended() override {
    const auto now = parts_.wall();
    const std::lock_guard lock(mutex_);
    auto ended = std::exchange(without_tenant_, {});
    for (const auto& issuer : issuers_) forget_withdrawn(*issuer, ended);
    if (now < next_end_) return ended;
    std::erase_if(tokens_, [&](const auto& known) { return known.second.holder->claims.end <= now; });
    next_end_ = WallTime::max();
    std::erase_if(people_, [&](const auto& person) {
      const auto end = person.second->claims.end;
      if (end > now) {
        next_end_ = std::min(next_end_, end);
        return false;
      }
      ended.push_back(KeyId{person.first});
      return true;
    });
    return ended;
  }

 private:
  /// Whose token it is, once all of it was looked at.
  Result<Holder> verify(std::string_view text) {
    auto token = SignedToken::parse(text);
    if (!token) return not_accepted(token.error().message, token.error().detail);
    if (!is_access_token(token->header())) return not_accepted("it is of another kind.");
    const auto claims = token->claims();
    if (!claims) return not_accepted(claims.error().message, claims.error().detail);
    const auto named = issuer_of(*claims);
    const auto issuer = std::ranges::find_if(issuers_, [&](const auto& each) { return named == each->config.issuer; });
    if (issuer == issuers_.end()) return not_accepted("it comes from another issuer.");
    auto signer = find_signer(*token, **issuer);
    if (!signer) return signer.error();
    auto said = read_claims(*claims, (*issuer)->config, (*issuer)->audiences, parts_.wall());
    if (!said && said.error().code == Errc::kUnauthenticated) return not_accepted(said.error().message);
    if (!said) return said.error();
    Holder holder{.issuer = issuer->get(), .claims = std::move(*said), .signer = std::move(*signer)};
    const std::lock_guard lock(mutex_);
    const auto tenant = tenants_.find(holder.claims.tenant);
    if (tenant == tenants_.end()) return no_tenant(holder.claims.tenant);
    holder.tenant = tenant->second;
    name_holder(holder);
    return holder;
  }

  /// The key that has signed the token.
  static Result<std::string> find_signer(const SignedToken& token, const Issuer& issuer) {
    for (;;) {
      const auto keys = issuer.keys->get();
      if (keys != nullptr) {
        const auto key = token.verify(*keys, issuer.algorithms);
        if (key) return (*key)->jwk;
        if (key.error().code != Errc::kNotFound || !issuer.keys->renew(keys)) return not_accepted(key.error().message);
        if (issuer.keys->get() != keys) continue;
      } else if (!issuer.keys->is_fetching()) {
        return Error{Errc::kUnavailable,
                     "Access tokens cannot be checked while their issuer does not answer; try again shortly"};
      }
      return Error{Errc::kRetry, "Access tokens cannot be checked yet; try again shortly"};
    }
  }

  Result<CallerPtr> enter(const Digest& digest, const HolderPtr& holder) {
    for (;;) {
      const auto policy = current_policy();
      auto caller = make_caller(*holder, policy);
      if (!caller) return caller;
      const std::lock_guard lock(mutex_);
      // What has changed since it was looked at was swept without it.
      if (policy != policy_) continue;
      if (is_withdrawn(*holder, holder->issuer->keys->get())) return not_accepted("its signing key is not known.");
      if (tenant_of(*holder) == nullptr) return no_tenant(holder->tenant.name);
      if (tokens_.size() >= parts_.most_tokens) tokens_.erase(tokens_.begin());
      tokens_[digest] = {holder, *caller};
      auto& person = people_[value(holder->id)];
      if (person == nullptr || holder->claims.end >= person->claims.end) person = holder;
      next_end_ = std::min(next_end_, person->claims.end);
      return caller;
    }
  }

  [[nodiscard]] PolicyPtr current_policy() const {
    const std::lock_guard lock(mutex_);
    return policy_;
  }

  /// Names of the configuration that no tenant has, as soon as that is so.
  void tell_of_missing(const std::map<std::string, storage::TenantRow, std::less<>>& rows) {
    std::set<std::string> missing;
    for (const auto& issuer : issuers_)
      for (const auto& name : tenants_named(issuer->config.tenant))
        if (!rows.contains(name)) missing.insert(name);
    for (const auto& name : missing) {
      if (missing_.contains(name)) continue;
      events_.emit(observability::HostNotice{
          observability::Severity::kWarning, "tokens",
          "'authorization.issuers' names the tenant '" + name + "', which does not exist: its tokens are refused"});
    }
    missing_ = std::move(missing);
  }

  /// With the lock: as it is now; null when it is gone.
  [[nodiscard]] const storage::TenantRow* tenant_of(const Holder& holder) const {
    const auto row = tenants_.find(holder.tenant.name);
    return row != tenants_.end() && row->second.id == holder.tenant.id ? &row->second : nullptr;
  }

  /// With the lock: somebody, with one of their tokens that is not let in any more.
  void end(KeyId id, std::vector<KeyId>& ended) {
    if (people_.erase(value(id)) == 0) return;
    ended.push_back(id);
    if (auto other = latest_of(id); other != nullptr) people_.emplace(value(id), std::move(other));
  }

  /// Whether the key that has signed a token is not among those of its issuer; null: none may be used any more.
  static bool is_withdrawn(const Holder& holder, const IssuerKeys::KeysPtr& keys) {
    return keys == nullptr || !keys->has(holder.signer);
  }

  /// With the lock. Tokens whose key is no longer among the issuer's.
  void forget_withdrawn(Issuer& issuer, std::vector<KeyId>& ended) {
    const auto keys = issuer.keys->get();
    if (keys == issuer.swept_with) return;
    issuer.swept_with = keys;
    const auto is_over = [&](const Holder& of) { return of.issuer == &issuer && is_withdrawn(of, keys); };
    std::erase_if(tokens_, [&](const auto& known) { return is_over(*known.second.holder); });
    for (auto person = people_.begin(); person != people_.end();) {
      if (!is_over(*person->second)) {
        ++person;
      } else if (auto other = latest_of(KeyId{person->first}); other != nullptr) {
        next_end_ = std::min(next_end_, other->claims.end);
        person->second = std::move(other);
        ++person;
      } else {
        ended.push_back(KeyId{person->first});
        person = people_.erase(person);
      }
    }
  }

  /// With the lock: of the tokens that are left of somebody, the one that lasts longest.
  [[nodiscard]] HolderPtr latest_of(KeyId id) const {
    HolderPtr latest;
    for (const auto& [digest, token] : tokens_) {
      const auto& holder = token.holder;
      if (holder->id == id && (latest == nullptr || latest->claims.end < holder->claims.end)) latest = holder;
    }
    return latest;
  }

  Result<CallerPtr> make_caller(const Holder& holder, const PolicyPtr& policy) {
    const auto& claims = holder.claims;
    const Membership& membership = policy->membership();
    const Member* member = claims.email.empty() ? nullptr : membership.find(holder.tenant.name, claims.email);
    auto role = claims.role;
    if (!role) {
      const auto origin = membership.origin_of_role(holder.tenant.name, claims.email);
      if (claims.email.empty() || origin.kind == RoleOrigin::Kind::kDefault)
        return Error{Errc::kDenied,
                     "Access denied: the tenant does not name the person of this access token; ask whoever manages its "
                     "people.",
                     "nobody of the tenant " + holder.tenant.name + " has a verified address as in the token"};
      role = origin.role;
    }
    auto scopes = scopes_of(holder, *role, policy);
    auto rights = reach(holder, *role, scopes, policy);
    const bool read_only = rights->read_only() || (!scopes.all.empty() && opens_only_reading(scopes));
    auto grant = make_grant(std::move(rights), policy->limits(holder.tenant.name), {holder.tenant.name, holder.id},
                            parts_.meters, Grant::Clock::now());
    if (!scopes.all.empty()) grant = make_token_grant(std::move(grant), std::move(scopes));
    return std::make_shared<const Caller>(
        Caller{.tenant_id = holder.tenant.id,
               .tenant = holder.tenant.name,
               .time_zone = holder.tenant.time_zone,
               .key_id = holder.id,
               .key_prefix = holder.shown,
               .principal = member != nullptr ? member->email : (claims.email.empty() ? claims.subject : claims.email),
               .role = *role,
               .members = membership.members_of(holder.tenant.name),
               .read_only = read_only,
               .grant = std::move(grant)});
  }

  /// What each scope of the issuer opens for this role.
  [[nodiscard]] TokenScopes scopes_of(const Holder& holder, Role role, const PolicyPtr& policy) const {
    TokenScopes scopes{.granted = holder.claims.scopes};
    for (const auto& scope : holder.issuer->config.scopes)
      scopes.all.push_back({scope.name, policy->rights(holder.tenant.name, role, scope.opens)});
    scopes.challenge = [resource = parts_.resource, name = holder.claims.audience](std::string_view wanted) {
      return resource->challenge_scopes(name, wanted);
    };
    return scopes;
  }

  /// The rights of all scopes together, one object for all callers that are alike: views of tools are kept by it.
  RightsPtr reach(const Holder& holder, Role role, const TokenScopes& scopes, const PolicyPtr& policy) {
    if (scopes.all.empty()) return policy->rights(holder.tenant.name, role, {});
    std::vector<RightsPtr> each;
    for (const auto& scope : scopes.all) each.push_back(scope.opens);
    const std::lock_guard lock(mutex_);
    if (policy != policy_) return any_of(std::move(each));
    auto& known = reach_[{holder.issuer, holder.tenant.name, role}];
    auto rights = known.lock();
    if (rights == nullptr) known = rights = any_of(std::move(each));
    return rights;
  }

  const TokenIssuersParts parts_;
  const std::vector<std::unique_ptr<Issuer>> issuers_;
  observability::EventSink& events_;
  std::set<std::string> missing_;  // tenants; of the thread that calls set_tenants()

  mutable std::mutex mutex_;  // guards what follows, and swept_with of the issuers
  PolicyPtr policy_;
  std::map<std::string, storage::TenantRow, std::less<>> tenants_;
  std::unordered_map<Digest, Known, FirstBytes> tokens_;
  std::unordered_map<std::int64_t, HolderPtr> people_;  // whose streams may be open, with the token that lasts longest
  std::vector<KeyId> without_tenant_;                   // take_ended() tells them
  std::map<std::tuple<const Issuer*, std::string, Role>, std::weak_ptr<const Rights>> reach_;
  WallTime next_end_ = WallTime::max();
};

}  // namespace

Result<std::unique_ptr<TokenIssuers>> TokenIssuers::start(const TokenConfig& config, TokenIssuersParts parts,
                                                          observability::EventSink& events) {
  std::vector<std::unique_ptr<Issuer>> issuers;
  for (const auto& wanted : config.issuers) {
    auto keys = IssuerKeys::start(
        {.issuer = wanted.issuer, .jwks_url = wanted.jwks_url, .ca_file = wanted.ca_file, .clock = parts.steady},
        events);
    if (!keys) return keys.error();
    auto issuer = std::make_unique<Issuer>();
    issuer->config = wanted;
    issuer->audiences = wanted.audiences.empty() ? parts.resource->names() : wanted.audiences;
    for (const auto& algorithm : issuer->config.algorithms) issuer->algorithms.push_back(algorithm);
    issuer->keys = std::move(*keys);
    issuers.push_back(std::move(issuer));
  }
  return std::unique_ptr<TokenIssuers>(std::make_unique<Tokens>(std::move(parts), std::move(issuers), events));
}

std::string_view presented_token(std::string_view x_api_key, std::string_view authorization) noexcept {
  if (!x_api_key.empty() || authorization.empty()) return {};
  const auto text = presented_key({}, authorization);
  return text && !text->starts_with(kKeyScheme) ? *text : std::string_view();
}

}  // namespace toolhost::access
