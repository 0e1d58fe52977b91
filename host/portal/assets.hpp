#pragma once
#include <string_view>

namespace toolhost::portal {

/// Files that are compiled in. Each stands at an address that holds a digest of its content, so that browsers may keep
/// it for good.
enum class Asset { kStyle, kScript, kIcon };

struct AssetFile {
  std::string_view path;  ///< "/mcp/assets/portal-0123456789abcdef.css"
  std::string_view content_type;
  std::string_view content;
};

std::string_view asset_url(Asset asset) noexcept;
/// Null when there is none at this path.
const AssetFile* find_asset(std::string_view path) noexcept;

}  // namespace toolhost::portal
