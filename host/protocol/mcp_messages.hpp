#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "protocol/mcp_version.hpp"

namespace toolhost::protocol {

/// What the host says about itself in `initialize`.
struct ServerIdentity {
  std::string name, title, version;
  std::string instructions;  ///< empty for none
};

/// What a tool says about itself; the schemas and `meta_json` are JSON, empty when there is none.
struct ToolDescription {
  std::string_view name, title, description;
  std::string_view input_schema_json, output_schema_json, meta_json;
  bool read_only = false, destructive = false, idempotent = false, open_world = false;
};

/// Tool descriptions look alike in the revisions of one family.
enum class ListingFamily : unsigned char { kPlain, kAnnotated, kTitled };
inline constexpr std::size_t kListingFamilies = 3;
ListingFamily listing_family(Revision revision) noexcept;

/// Every encoder returns one line of JSON, with exactly the members that the revision knows.
std::string encode_initialize_result(const ServerIdentity& server, Revision revision);
std::string encode_tool(const ToolDescription& tool, ListingFamily family);
std::string encode_tools_page(std::span<const std::string* const> tools, const std::optional<std::string>& next_cursor);

/// What a client whose list of tools has changed is told; the same in every revision.
inline constexpr std::string_view kToolsChanged = R"({"jsonrpc":"2.0","method":"notifications/tools/list_changed"})";

/// `content_json`: array of content blocks; `structured_json`: object, or empty. Revisions before 2025-06-18 have no
/// structured content: they get it as a text block. Blocks that the revision does not know become text.
std::string encode_call_result(std::string_view content_json, std::string_view structured_json, bool is_error,
                               Revision revision);

}  // namespace toolhost::protocol
