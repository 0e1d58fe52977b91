#pragma once
#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "access/membership.hpp"
#include "base/caller.hpp"
#include "base/source_place.hpp"

namespace toolhost::access {

/// What an operator writes down about who may call what, and how much; each entry with its place. Plain data: Policy
/// makes decisions of it.

/// Names tools: "*" stands for any run of characters. Matches a tool's name ("create_*"), or plugin and name
/// ("tickets.*").
struct ToolPattern {
  std::string text;
  SourcePlace place;
  bool operator==(const ToolPattern&) const = default;
};
using ToolPatterns = std::vector<ToolPattern>;

/// What a role, or a key, may hold at most.
enum class AccessLevel { kRead, kWrite };  ///< kRead: only tools that declare that they are read-only

/// "read", "write" or a tool pattern, as a key or a role holds it.
struct Scope {
  std::string text;
  SourcePlace place;
  bool operator==(const Scope&) const = default;
};
/// Empty: everything. With patterns: only tools that one of them matches. With "read" and without "write": only
/// read-only tools ("write" includes "read").
using Scopes = std::vector<Scope>;

struct RoleConfig {
  std::optional<Scopes> scopes;  ///< nothing: the defaults'
  ToolPatterns deny;
  SourcePlace place;
  bool operator==(const RoleConfig&) const = default;
};

/// One condition on one argument of a call. A missing argument fulfils kAbsent only; null and the empty text fulfil
/// kAbsent, too, beside whatever else they fulfil: a rule refuses rather than lets through. Texts of more than 32 KiB
/// together fulfil kMatches without being looked at.
struct ArgumentTest {
  enum class Kind { kIs, kIsNot, kMatches, kAbove, kBelow, kPresent, kAbsent };
  std::string argument;  ///< a member's name, or a JSON pointer (RFC 6901) when it begins with '/'
  Kind kind = Kind::kIs;
  std::vector<std::string>
      values;  ///< kIs, kIsNot: any of these, as JSON scalars in text form, strings compared without ASCII case
  std::string pattern;  ///< kMatches: RE2 syntax, found anywhere in the string
  double number = 0;    ///< kAbove, kBelow: exclusive
  SourcePlace place;
  bool operator==(const ArgumentTest&) const = default;
};

/// Refuses calls: of these tools, by these roles, when every condition holds. Without conditions the tools do not exist
/// for those roles.
struct RuleConfig {
  ToolPatterns tools;              ///< empty: every tool
  std::vector<Role> roles;         ///< empty: every role
  std::vector<ArgumentTest> when;  ///< an array argument fulfils a test when one of its elements does
  std::string because;             ///< told to the caller; empty: a standard sentence
  SourcePlace place;
  bool operator==(const RuleConfig&) const = default;
};

/// A token bucket: `burst` calls at once, then `per_second`.
struct RateLimit {
  double per_second = 0;
  std::uint32_t burst = 1;
  SourcePlace place;
  bool operator==(const RateLimit&) const = default;
};
struct ConcurrencyLimit {
  std::uint32_t calls = 0;
  SourcePlace place;
  bool operator==(const ConcurrencyLimit&) const = default;
};
/// Nothing: not said; `off`: no limit, whatever the defaults say.
struct CallLimits {
  std::optional<RateLimit> rate;
  std::optional<ConcurrencyLimit> concurrent;
  bool rate_off = false, concurrent_off = false;
  bool operator==(const CallLimits&) const = default;
};
struct ToolLimits {
  ToolPatterns tools;    ///< each matching tool has buckets of its own
  bool per_key = false;  ///< else one for the whole tenant
  CallLimits limits;
  bool operator==(const ToolLimits&) const = default;
};
struct LimitsConfig {
  CallLimits tenant, key;
  std::vector<ToolLimits> tools;             ///< a tenant's own come in addition to the defaults'
  std::optional<std::size_t> max_request;    ///< bytes of a request's body
  std::optional<std::size_t> max_result;     ///< bytes of a result
  std::optional<std::uint32_t> max_streams;  ///< open streams of one key
  bool operator==(const LimitsConfig&) const = default;
};

/// Another title or description for a tool in one tenant.
struct ToolText {
  std::string tool;
  std::optional<std::string> title, description;
  SourcePlace place;
  bool operator==(const ToolText&) const = default;
};

enum class ArgumentsInAudit { kNone, kHash, kStore };

struct TenantPolicyConfig {
  std::optional<ToolPatterns> plugins;  ///< ids, with "*"; nothing: the defaults'
  std::optional<ToolPatterns> allow;    ///< nothing: the defaults'
  ToolPatterns deny;                    ///< in addition to the defaults': what is denied stays denied
  std::array<RoleConfig, 3> roles;      ///< by Role
  std::vector<RuleConfig> rules;        ///< in addition to the defaults'
  LimitsConfig limits;                  ///< member by member before the defaults'
  std::vector<ToolText> texts;          ///< by tool before the defaults'
  std::optional<ArgumentsInAudit> arguments_in_audit;
  TenantPeople people;
  SourcePlace place;
  bool operator==(const TenantPolicyConfig&) const = default;
};

struct PolicyConfig {
  TenantPolicyConfig defaults;  ///< see built_in_defaults()
  std::map<std::string, TenantPolicyConfig, std::less<>> tenants;
  bool operator==(const PolicyConfig&) const = default;
};

/// What holds where nobody has said anything: every plugin and tool; viewers read, agents and admins write; a key makes
/// 50 calls a second after a burst of 5,000, 64 at a time; arguments are hashed in the audit.
TenantPolicyConfig built_in_defaults();
/// Where they stand, as explain shows it.
SourcePlace built_in_place();

}  // namespace toolhost::access
