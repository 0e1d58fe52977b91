#pragma once
#include <memory>
#include <string>
#include <vector>

#include "base/ids.hpp"

namespace toolhost {

/// What a person, and so each of their keys, is in a tenant. Later ones may do all that earlier ones may.
enum class Role { kViewer, kAgent, kAdmin };

/// A person whom the operator has named as belonging to a tenant.
struct Member {
  std::string email, name;
  Role role = Role::kAgent;
};
using Members = std::vector<Member>;

/// Who is calling, for which tenant. Made only by access::Gatekeeper; immutable; shared by everything that runs on the
/// caller's behalf.
struct Caller {
  TenantId tenant_id{};
  std::string tenant;     ///< the tenant's name, e.g. "demo"
  std::string time_zone;  ///< the tenant's IANA time zone, e.g. "Europe/Berlin"
  KeyId key_id{};
  std::string key_prefix;  ///< "hdsk_" and six characters: safe to show and to log
  std::string principal;   ///< the key owner's e-mail address, or the key's name when it has no owner
  Role role = Role::kAgent;
  std::shared_ptr<const Members> members;  ///< of the tenant, sorted by name; may be null when there are none
};
using CallerPtr = std::shared_ptr<const Caller>;

}  // namespace toolhost
