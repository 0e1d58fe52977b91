#pragma once
#include <memory>
#include <string>

#include "base/ids.hpp"

namespace toolhost {

/// Who is calling, for which tenant. Made only by access::Gatekeeper; immutable; shared by everything that runs on the
/// caller's behalf.
struct Caller {
  TenantId tenant_id{};
  std::string tenant;     ///< the tenant's name, e.g. "demo"
  std::string time_zone;  ///< the tenant's IANA time zone, e.g. "Europe/Berlin"
  KeyId key_id{};
  std::string key_prefix;  ///< "hdsk_" and six characters: safe to show and to log
  std::string principal;   ///< the key owner's e-mail address, or the key's name when it has no owner
};
using CallerPtr = std::shared_ptr<const Caller>;

}  // namespace toolhost
