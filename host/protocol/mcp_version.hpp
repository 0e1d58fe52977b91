#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace toolhost::protocol {

/// The revisions that begin with `initialize`, oldest first; their order is the order of the values.
enum class Revision : unsigned char { k2024_11_05, k2025_03_26, k2025_06_18, k2025_11_25 };

inline constexpr Revision kNewestRevision = Revision::k2025_11_25;
/// What a Streamable HTTP request without version field or session speaks (2025-06-18, Transports, "Protocol Version
/// Header").
inline constexpr Revision kRevisionWithoutHeader = Revision::k2025_03_26;

std::string_view to_string(Revision revision) noexcept;
std::optional<Revision> parse_revision(std::string_view text) noexcept;
/// The revision for a client that asks for `requested` in `initialize`: the same when it is known, else the newest.
Revision negotiate(std::string_view requested) noexcept;
/// True for the dates of the stateless era, 2026-07-28 and later. The one place that tells the eras apart.
bool is_modern_version(std::string_view text) noexcept;
/// "2024-11-05, 2025-03-26, ...": for error messages.
std::string supported_revisions();

}  // namespace toolhost::protocol
