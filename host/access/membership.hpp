#pragma once
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/caller.hpp"
#include "storage/directory_store.hpp"

namespace toolhost::access {

/// The people of one tenant, as an operator writes them down.
struct TenantPeople {
  Members members;                   ///< an e-mail address "*@acme.com" stands for everybody of that domain
  Role default_role = Role::kAgent;  ///< of keys whose owner is nobody of these, or that have no owner
  SourcePlace default_place{};       ///< where that was said
  bool operator==(const TenantPeople&) const = default;
};
using PeopleOfTenants = std::map<std::string, TenantPeople, std::less<>>;

/// Why somebody has a role.
struct RoleOrigin {
  enum class Kind { kPerson, kDomain, kDefault };
  Role role = Role::kAgent;
  Kind kind = Kind::kDefault;
  SourcePlace place{};  ///< the line that decided
};

/// Who belongs to which tenant. Immutable; copies share their contents. E-mail addresses are compared without case.
class Membership {
 public:
  Membership() = default;  ///< nobody is named; everybody is an agent
  explicit Membership(const PeopleOfTenants& tenants);

  /// The person with this e-mail address, or null.
  [[nodiscard]] const Member* find(std::string_view tenant, std::string_view email) const;
  /// Of the person with this e-mail address, else of everybody in its domain, else the tenant's default.
  [[nodiscard]] Role role_of(std::string_view tenant, std::string_view email) const;
  [[nodiscard]] RoleOrigin origin_of_role(std::string_view tenant, std::string_view email) const;
  /// Whether the tenant names people, and nobody with this address: whoever it was is no longer one of them.
  [[nodiscard]] bool has_left(std::string_view tenant, std::string_view email) const;
  /// Whether the tenant names people, one by one or by domain.
  [[nodiscard]] bool names_anybody(std::string_view tenant) const;
  /// The people who are named one by one, sorted by name; null when there are none.
  [[nodiscard]] std::shared_ptr<const Members> members_of(std::string_view tenant) const;

 private:
  struct Tenant {
    std::map<std::string, Member> by_email;   // in lower case
    std::map<std::string, Member> by_domain;  // in lower case
    RoleOrigin by_default;
    std::shared_ptr<const Members> members;
  };
  [[nodiscard]] const Tenant* tenant(std::string_view name) const;

  std::shared_ptr<const std::map<std::string, Tenant, std::less<>>> tenants_;
};

/// Whom the host itself works as, for one tenant: role admin, principal "toolhost", no key.
CallerPtr host_caller(const storage::TenantRow& tenant, const Membership& membership);

}  // namespace toolhost::access
