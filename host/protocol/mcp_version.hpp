#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace toolhost::protocol {

/// The revisions, oldest first; their order is the order of the values. All but the last are legacy: they begin with
/// `initialize`. The last is modern: every request names it.
enum class Revision : unsigned char { k2024_11_05, k2025_03_26, k2025_06_18, k2025_11_25, k2026_07_28 };

inline constexpr Revision kNewestLegacy = Revision::k2025_11_25;
constexpr bool is_modern(Revision revision) noexcept {
  return revision > kNewestLegacy;
}
/// What a Streamable HTTP request without version field or session speaks (2025-06-18, Transports, "Protocol Version
/// Header").
inline constexpr Revision kRevisionWithoutHeader = Revision::k2025_03_26;

std::string_view to_string(Revision revision) noexcept;
/// The legacy revision of that name.
std::optional<Revision> parse_revision(std::string_view text) noexcept;
/// The modern revision of that name.
std::optional<Revision> parse_modern_revision(std::string_view text) noexcept;
/// The revision for a client that asks for `requested` in `initialize`: the same when it is legacy and known, else the
/// newest legacy one. A modern one is never negotiated.
Revision negotiate(std::string_view requested) noexcept;
/// True for the dates of the stateless era, 2026-07-28 and later. The one place that tells the eras apart.
bool is_modern_version(std::string_view text) noexcept;
/// "2024-11-05, 2025-03-26, ...": the legacy ones, for error messages.
std::string supported_revisions();

}  // namespace toolhost::protocol
