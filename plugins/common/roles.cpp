#include "roles.hpp"

#include <string>

#include "refusal.hpp"

namespace helpdesk {

bool is_viewer(std::string_view role) {
  return role == "viewer";
}

void refuse_viewer(std::string_view role, std::string_view things) {
  if (!is_viewer(role)) return;
  throw Refusal(Refusal::Kind::kDenied,
                "A viewer may not change " + std::string(things) + "; ask an admin of the tenant for the role agent.");
}

}  // namespace helpdesk
