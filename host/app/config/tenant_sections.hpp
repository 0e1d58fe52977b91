#pragma once
#include <vector>

#include "access/policy_config.hpp"
#include "app/config/host_config.hpp"
#include "app/config/yaml_section.hpp"

namespace toolhost::app {

/// Names and patterns of tools, as the lists of configuration take them.
inline constexpr const char* kToolPattern = "^[A-Za-z0-9_.*-]{1,128}$";

/// What a tenant's mapping says, in a file of its own or as an entry of `tenants`.
struct ReadTenant {
  TenantConfig config;
  access::TenantPolicyConfig policy;
  std::vector<TenantSettings> settings;
};
/// All of a tenant's keys, finish() included. `host` is what stands before it: no tenant may have more.
void read_tenant(Section& section, ReadTenant& tenant, const HostConfig& host);

/// The keys that `defaults` and tenants share: plugins, tools, roles, rules, limits, audit. What is absent stays as it
/// is.
void read_policy(Section& section, access::TenantPolicyConfig& policy, const HostConfig& host);

}  // namespace toolhost::app
