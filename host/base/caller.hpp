#pragma once
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "base/source_place.hpp"

namespace toolhost {
namespace access {
class Grant;
}

/// What a person, and so each of their keys, is in a tenant. Later ones may do all that earlier ones may.
enum class Role { kViewer, kAgent, kAdmin };
inline constexpr std::array kRoles{Role::kViewer, Role::kAgent, Role::kAdmin};

/// "viewer", "agent", "admin": as configuration, protocols and plugins name it.
constexpr const char* to_string(Role role) noexcept {
  switch (role) {
    case Role::kViewer:
      return "viewer";
    case Role::kAgent:
      return "agent";
    case Role::kAdmin:
      return "admin";
  }
  return "unknown";
}

/// The role of that name; nothing for other words.
constexpr std::optional<Role> role_named(std::string_view name) noexcept {
  for (const Role role : kRoles)
    if (name == to_string(role)) return role;
  return std::nullopt;
}

/// A person whom the operator has named as belonging to a tenant.
struct Member {
  std::string email, name;
  Role role = Role::kAgent;
  SourcePlace place{};  ///< where the person was named; does not count when members are compared
  bool operator==(const Member& other) const {
    return email == other.email && name == other.name && role == other.role;
  }
};
using Members = std::vector<Member>;

/// Who is calling, for which tenant. Made only by access::Gatekeeper; immutable; shared by everything that runs on the
/// caller's behalf.
struct Caller {
  TenantId tenant_id{};
  std::string tenant;     ///< the tenant's name, e.g. "demo"
  std::string time_zone;  ///< the tenant's IANA time zone, e.g. "Europe/Berlin"
  KeyId key_id{};         ///< negative: no key, but who presents access tokens
  /// "hdsk_" and six characters, with an access token "oauth_" and six: safe to show and to log. Empty for the host.
  std::string key_prefix;
  /// The key owner's e-mail address, or the key's name when it has no owner; with an access token its person's e-mail
  /// address, or its subject; "toolhost" for the host itself.
  std::string principal;
  Role role = Role::kAgent;
  std::shared_ptr<const Members> members;  ///< of the tenant, sorted by name; may be null when there are none
  bool read_only = false;                  ///< whatever the tool says of itself, its transactions may only read
  /// What the caller may call and how often; opaque below access. Null: everything, as the host itself.
  std::shared_ptr<const access::Grant> grant;
};
using CallerPtr = std::shared_ptr<const Caller>;

}  // namespace toolhost
