#pragma once
#include <vector>

#include "access/argument_condition.hpp"
#include "access/policy_config.hpp"
#include "access/rights.hpp"

namespace toolhost::access {

/// A rule with its conditions ready to be asked.
struct CompiledRule {
  const RuleConfig* config;
  std::vector<ArgumentCondition> conditions;

  [[nodiscard]] bool concerns(Role role) const noexcept;
  [[nodiscard]] bool concerns(const ToolFacts& tool) const noexcept;
};

/// What holds in one tenant, with the defaults filled in. Immutable; shared by the rights of its keys.
struct TenantPolicy {
  explicit TenantPolicy(TenantPolicyConfig whole);
  TenantPolicy(const TenantPolicy&) = delete;
  TenantPolicy& operator=(const TenantPolicy&) = delete;

  [[nodiscard]] const RoleConfig& role(Role role) const { return config.roles.at(static_cast<std::size_t>(role)); }

  const TenantPolicyConfig config;  ///< texts sorted by tool
  const std::vector<CompiledRule> rules;
};

/// `own` with what it does not say taken from `defaults`; denials, rules and limits of tools of both.
TenantPolicyConfig filled_in(TenantPolicyConfig own, const TenantPolicyConfig& defaults);

}  // namespace toolhost::access
