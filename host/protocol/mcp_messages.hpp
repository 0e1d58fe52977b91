#pragma once
#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "protocol/mcp_version.hpp"

namespace toolhost {
class JsonWriter;
}

namespace toolhost::protocol {

/// What the host says about itself in `initialize` and in every modern result.
struct ServerIdentity {
  std::string name, title, version;
  std::string instructions;  ///< empty for none
};

/// What a client may use beside tools.
struct ServerCapabilities {
  bool resources = false, prompts = false, completions = false, logging = false;
};

/// How a result is written. Borrows the server.
struct ResultStyle {
  /// Implicit: a legacy result needs no more.
  ResultStyle(Revision its_revision) noexcept : revision(its_revision) {}
  /// `list_ttl`: how long a modern client may keep what can be cached.
  ResultStyle(Revision its_revision, const ServerIdentity& its_server, std::chrono::milliseconds list_ttl = {}) noexcept
      : revision(its_revision), server(&its_server), ttl(list_ttl) {}

  Revision revision;
  const ServerIdentity* server = nullptr;  ///< named in modern results; null: not named
  std::chrono::milliseconds ttl{0};
};

/// kCacheable: lists, what is read and server/discover have caching hints, always private, because they vary with the
/// key.
enum class ResultEnd { kComplete, kCacheable, kInputRequired };
/// The members that end a modern result, behind its own; of legacy ones nothing.
void end_result(JsonWriter& json, const ResultStyle& style, ResultEnd end = ResultEnd::kComplete);

/// What a tool says about itself; the schemas, `meta_json` and `icons_json` are JSON, empty when there is none.
struct ToolDescription {
  std::string_view name, title, description;
  std::string_view input_schema_json, output_schema_json, meta_json, icons_json;
  bool read_only = false, destructive = false, idempotent = false, open_world = false;
};

/// Descriptions of tools, resources and prompts look alike in the revisions of one family.
enum class ListingFamily : unsigned char { kPlain, kAnnotated, kTitled, kIconed };
inline constexpr std::size_t kListingFamilies = 4;
ListingFamily listing_family(Revision revision) noexcept;

/// Every encoder returns one line of JSON, with exactly the members that the revision knows.
std::string encode_initialize_result(const ServerIdentity& server, Revision revision,
                                     const ServerCapabilities& capabilities = {});
std::string encode_discover_result(const ResultStyle& style, const ServerCapabilities& capabilities);
std::string encode_tool(const ToolDescription& tool, ListingFamily family);
/// A page of a list: `name` is "tools", "resources", "resourceTemplates" or "prompts"; `items` are encoded.
std::string encode_page(std::string_view name, std::span<const std::string* const> items,
                        const std::optional<std::string>& next_cursor, const ResultStyle& style);
/// A result without members of its own.
std::string encode_empty_result(const ResultStyle& style);

/// What a client whose list of tools has changed is told; the same in every revision.
inline constexpr std::string_view kToolsChanged = R"({"jsonrpc":"2.0","method":"notifications/tools/list_changed"})";

/// `content_json`: array of content blocks; `structured_json`: object, or empty. Revisions before 2025-06-18 have no
/// structured content: they get it as a text block. What the revision does not know of the blocks becomes text or is
/// left out.
std::string encode_call_result(std::string_view content_json, std::string_view structured_json, bool is_error,
                               const ResultStyle& style);

}  // namespace toolhost::protocol
