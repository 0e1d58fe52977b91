#include "access/policy_config.hpp"

namespace toolhost::access {

SourcePlace built_in_place() {
  return {.file = SourcePlace{}.text()};
}

TenantPolicyConfig built_in_defaults() {
  const auto role = [](Role role) -> std::size_t { return static_cast<std::size_t>(role); };
  TenantPolicyConfig config;
  config.plugins = ToolPatterns{{"*", built_in_place()}};
  config.allow = ToolPatterns{{"*", built_in_place()}};
  config.roles[role(Role::kViewer)].scopes = Scopes{{"read", built_in_place()}};
  config.roles[role(Role::kAgent)].scopes = Scopes{{"write", built_in_place()}};
  config.roles[role(Role::kAdmin)].scopes = Scopes{{"write", built_in_place()}};
  config.limits.key.rate = RateLimit{.per_second = 50, .burst = 5000, .place = built_in_place()};
  config.limits.key.concurrent = ConcurrencyLimit{.calls = 64, .place = built_in_place()};
  config.arguments_in_audit = ArgumentsInAudit::kHash;
  return config;
}

}  // namespace toolhost::access
