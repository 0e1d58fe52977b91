#include "protocol/mcp_version.hpp"

#include <algorithm>
#include <array>
#include <span>

namespace toolhost::protocol {
namespace {

constexpr std::array<std::string_view, 5> kNames{"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"};
constexpr std::span<const std::string_view> kLegacyNames =
    std::span(kNames).first(static_cast<std::size_t>(kNewestLegacy) + 1);
constexpr std::string_view kFirstModernName = kNames.back();

bool is_date(std::string_view text) noexcept {
  if (text.size() != kFirstModernName.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool is_dash = i == 4 || i == 7;
    if (is_dash ? text[i] != '-' : text[i] < '0' || text[i] > '9') return false;
  }
  return true;
}

}  // namespace

std::string_view to_string(Revision revision) noexcept {
  return kNames[static_cast<std::size_t>(revision)];
}

std::optional<Revision> parse_revision(std::string_view text) noexcept {
  const auto found = std::find(kLegacyNames.begin(), kLegacyNames.end(), text);
  if (found == kLegacyNames.end()) return std::nullopt;
  return static_cast<Revision>(found - kLegacyNames.begin());
}

std::optional<Revision> parse_modern_revision(std::string_view text) noexcept {
  if (text != kFirstModernName) return std::nullopt;
  return Revision::k2026_07_28;
}

Revision negotiate(std::string_view requested) noexcept {
  return parse_revision(requested).value_or(kNewestLegacy);
}

bool is_modern_version(std::string_view text) noexcept {
  return is_date(text) && text >= kFirstModernName;
}

std::string supported_revisions() {
  std::string list;
  for (const auto name : kLegacyNames) list.append(list.empty() ? "" : ", ").append(name);
  return list;
}

}  // namespace toolhost::protocol
