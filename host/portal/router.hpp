#pragma once
#include <optional>
#include <string_view>
#include <vector>

namespace toolhost::portal {

/// The parts of `path` that stand where `pattern` has "*", each one segment that is not empty; nothing when it is
/// another path. "/mcp/keys/*/delete" and "/mcp/keys/17/delete" give {"17"}.
std::optional<std::vector<std::string_view>> match_path(std::string_view pattern, std::string_view path);

/// Whether an Accept field (RFC 9110, 12.5.1) names text/html, and not with a weight of 0. Wildcards do not count:
/// programs send them.
bool accepts_html(std::string_view accept) noexcept;

}  // namespace toolhost::portal
