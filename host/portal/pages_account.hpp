#pragma once
#include <string>
#include <vector>

#include "portal/pages_keys.hpp"

namespace toolhost::portal {

struct AccountView {
  std::vector<TenantChoice> tenants;
  std::vector<storage::SessionRow> sessions;
  std::int64_t current = 0;  ///< the session that looks
};
Page account_page(const Scene& scene, const AccountView& view);

/// "Firefox on Windows" from what a browser calls itself; "Unknown browser" for anything else.
std::string browser_name(std::string_view user_agent);

}  // namespace toolhost::portal
