#include "access/policy.hpp"

#include <algorithm>
#include <mutex>
#include <unordered_map>

#include "access/tenant_policy.hpp"
#include "access/tenant_rights.hpp"
#include "base/text_pattern.hpp"

namespace toolhost::access {
namespace {

constexpr std::size_t kFirstSweep = 1024;  // interned rights before those that nobody holds are forgotten

std::shared_ptr<const TenantPolicy> compiled(TenantPolicyConfig own, const TenantPolicyConfig& defaults) {
  own.people = {};  // the membership knows them; whoever joins changes nobody's rights
  return std::make_shared<const TenantPolicy>(filled_in(std::move(own), defaults));
}

PeopleOfTenants people_of(const PolicyConfig& config) {
  PeopleOfTenants people;
  for (const auto& [name, tenant] : config.tenants) people.emplace(name, tenant.people);
  return people;
}

class CompiledPolicy final : public Policy {
 public:
  explicit CompiledPolicy(PolicyConfig config) : membership_(people_of(config)) {
    const auto defaults = filled_in(std::move(config.defaults), built_in_defaults());
    unnamed_ = compiled(defaults, {});
    for (auto& [name, tenant] : config.tenants) tenants_.emplace(name, compiled(std::move(tenant), defaults));
  }

  std::shared_ptr<const Rights> rights(std::string_view tenant, Role role, const Scopes& key_scopes) const override {
    Scopes scopes = key_scopes;
    const auto by_text = [](const Scope& a, const Scope& b) { return a.text < b.text; };
    std::sort(scopes.begin(), scopes.end(), by_text);
    const auto named = tenants_.find(tenant);
    std::string name = named == tenants_.end() ? std::string() : named->first;
    name += '\n';
    name += std::to_string(static_cast<int>(role));
    for (const Scope& scope : scopes) name.append("\n").append(scope.text);

    const std::lock_guard lock(mutex_);
    auto& interned = interned_[std::move(name)];
    if (auto known = interned.lock()) return known;
    auto made = std::make_shared<const TenantRights>(named == tenants_.end() ? unnamed_ : named->second, role,
                                                     std::move(scopes));
    interned = made;
    if (interned_.size() >= next_sweep_) {
      std::erase_if(interned_, [](const auto& each) { return each.second.expired(); });
      next_sweep_ = std::max(kFirstSweep, 2 * interned_.size());
    }
    return made;
  }

  const LimitsConfig& limits(std::string_view tenant) const override {
    const auto named = tenants_.find(tenant);
    return (named == tenants_.end() ? unnamed_ : named->second)->config.limits;
  }

  const Membership& membership() const override { return membership_; }

 private:
  const Membership membership_;
  std::shared_ptr<const TenantPolicy> unnamed_;
  std::map<std::string, std::shared_ptr<const TenantPolicy>, std::less<>> tenants_;

  mutable std::mutex mutex_;
  mutable std::unordered_map<std::string, std::weak_ptr<const Rights>> interned_;
  mutable std::size_t next_sweep_ = kFirstSweep;
};

}  // namespace

std::shared_ptr<const Policy> Policy::compile(PolicyConfig config) {
  return std::make_shared<const CompiledPolicy>(std::move(config));
}

Result<> check_argument_pattern(const std::string& pattern) {
  if (const auto compiled = TextPattern::compile(pattern); !compiled) return compiled.error();
  return boost::system::in_place_value;
}

}  // namespace toolhost::access
