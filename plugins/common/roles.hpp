#pragma once
#include <string_view>

/// What the roles of a tenant may do in a helpdesk: viewers read, without internal notes; agents and admins do all.
namespace helpdesk {

bool is_viewer(std::string_view role);

/// Throws Refusal for a viewer: "A viewer may not change tickets; ...".
void refuse_viewer(std::string_view role, std::string_view things);

}  // namespace helpdesk
