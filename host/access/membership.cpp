#include "access/membership.hpp"

#include <algorithm>
#include <tuple>

#include "base/lower.hpp"

namespace toolhost::access {
namespace {

constexpr std::string_view kEverybody = "*@";

}  // namespace

Membership::Membership(const PeopleOfTenants& tenants) {
  auto all = std::make_shared<std::map<std::string, Tenant, std::less<>>>();
  for (const auto& [name, people] : tenants) {
    Tenant& tenant = (*all)[name];
    tenant.by_default = {.role = people.default_role, .place = people.default_place};
    auto members = std::make_shared<Members>();
    for (const Member& member : people.members) {
      if (member.email.starts_with(kEverybody)) {
        tenant.by_domain.emplace(lower(member.email.substr(kEverybody.size())), member);
      } else if (tenant.by_email.emplace(lower(member.email), member).second) {
        members->push_back(member);
      }
    }
    std::sort(members->begin(), members->end(),
              [](const Member& a, const Member& b) { return std::tie(a.name, a.email) < std::tie(b.name, b.email); });
    if (!members->empty()) tenant.members = std::move(members);
  }
  tenants_ = std::move(all);
}

const Member* Membership::find(std::string_view tenant_name, std::string_view email) const {
  const Tenant* known = tenant(tenant_name);
  if (known == nullptr) return nullptr;
  const auto found = known->by_email.find(lower(email));
  return found == known->by_email.end() ? nullptr : &found->second;
}

Role Membership::role_of(std::string_view tenant_name, std::string_view email) const {
  return origin_of_role(tenant_name, email).role;
}

RoleOrigin Membership::origin_of_role(std::string_view tenant_name, std::string_view email) const {
  const Tenant* known = tenant(tenant_name);
  if (known == nullptr) return {};
  if (const Member* member = find(tenant_name, email))
    return {.role = member->role, .kind = RoleOrigin::Kind::kPerson, .place = member->place};
  const auto at = email.rfind('@');
  if (at == std::string_view::npos) return known->by_default;
  const auto found = known->by_domain.find(lower(email.substr(at + 1)));
  if (found == known->by_domain.end()) return known->by_default;
  return {.role = found->second.role, .kind = RoleOrigin::Kind::kDomain, .place = found->second.place};
}

bool Membership::has_left(std::string_view tenant_name, std::string_view email) const {
  return names_anybody(tenant_name) && origin_of_role(tenant_name, email).kind == RoleOrigin::Kind::kDefault;
}

bool Membership::names_anybody(std::string_view tenant_name) const {
  const Tenant* known = tenant(tenant_name);
  return known != nullptr && (!known->by_email.empty() || !known->by_domain.empty());
}

std::shared_ptr<const Members> Membership::members_of(std::string_view tenant_name) const {
  const Tenant* known = tenant(tenant_name);
  return known == nullptr ? nullptr : known->members;
}

const Membership::Tenant* Membership::tenant(std::string_view name) const {
  if (tenants_ == nullptr) return nullptr;
  const auto found = tenants_->find(name);
  return found == tenants_->end() ? nullptr : &found->second;
}

CallerPtr host_caller(const storage::TenantRow& tenant, const Membership& membership) {
  return std::make_shared<const Caller>(Caller{.tenant_id = tenant.id,
                                               .tenant = tenant.name,
                                               .time_zone = tenant.time_zone,
                                               .principal = "toolhost",
                                               .role = Role::kAdmin,
                                               .members = membership.members_of(tenant.name)});
}

}  // namespace toolhost::access
