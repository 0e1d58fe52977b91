#include "access/tenant_policy.hpp"

#include <algorithm>

#include "access/tool_pattern.hpp"

namespace toolhost::access {
namespace {

TenantPolicyConfig with_sorted_texts(TenantPolicyConfig config) {
  std::sort(config.texts.begin(), config.texts.end(),
            [](const ToolText& a, const ToolText& b) { return a.tool < b.tool; });
  return config;
}

std::vector<CompiledRule> compile(const std::vector<RuleConfig>& rules) {
  std::vector<CompiledRule> compiled;
  for (const RuleConfig& rule : rules) {
    CompiledRule& next = compiled.emplace_back(CompiledRule{&rule, {}});
    for (const ArgumentTest& test : rule.when) next.conditions.emplace_back(test);
  }
  return compiled;
}

/// The defaults' come first.
template <class List>
void put_before(List& own, const List& defaults) {
  own.insert(own.begin(), defaults.begin(), defaults.end());
}

template <class Value>
void fill_in(std::optional<Value>& own, const std::optional<Value>& defaults) {
  if (!own) own = defaults;
}

void fill_in(CallLimits& own, const CallLimits& defaults) {
  if (!own.rate && !own.rate_off) {
    own.rate = defaults.rate;
    own.rate_off = defaults.rate_off;
  }
  if (!own.concurrent && !own.concurrent_off) {
    own.concurrent = defaults.concurrent;
    own.concurrent_off = defaults.concurrent_off;
  }
}

void fill_in(LimitsConfig& own, const LimitsConfig& defaults) {
  fill_in(own.tenant, defaults.tenant);
  fill_in(own.key, defaults.key);
  put_before(own.tools, defaults.tools);
  fill_in(own.max_request, defaults.max_request);
  fill_in(own.max_result, defaults.max_result);
  fill_in(own.max_streams, defaults.max_streams);
}

void fill_in(std::vector<ToolText>& own, const std::vector<ToolText>& defaults) {
  const std::size_t own_texts = own.size();
  for (const ToolText& text : defaults) {
    const auto end = own.begin() + static_cast<std::ptrdiff_t>(own_texts);
    if (std::none_of(own.begin(), end, [&](const auto& each) { return each.tool == text.tool; })) own.push_back(text);
  }
}

}  // namespace

bool CompiledRule::concerns(Role role) const noexcept {
  return config->roles.empty() || std::find(config->roles.begin(), config->roles.end(), role) != config->roles.end();
}

bool CompiledRule::concerns(const ToolFacts& tool) const noexcept {
  return config->tools.empty() || first_match(config->tools, tool) != nullptr;
}

TenantPolicy::TenantPolicy(TenantPolicyConfig whole)
    : config(with_sorted_texts(std::move(whole))), rules(compile(config.rules)) {}

TenantPolicyConfig filled_in(TenantPolicyConfig own, const TenantPolicyConfig& defaults) {
  fill_in(own.plugins, defaults.plugins);
  fill_in(own.allow, defaults.allow);
  put_before(own.deny, defaults.deny);
  for (std::size_t role = 0; role < own.roles.size(); ++role) {
    fill_in(own.roles[role].scopes, defaults.roles[role].scopes);
    put_before(own.roles[role].deny, defaults.roles[role].deny);
  }
  put_before(own.rules, defaults.rules);
  fill_in(own.limits, defaults.limits);
  fill_in(own.texts, defaults.texts);
  fill_in(own.arguments_in_audit, defaults.arguments_in_audit);
  return own;
}

}  // namespace toolhost::access
