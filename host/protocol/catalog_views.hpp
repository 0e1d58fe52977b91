#pragma once
#include <array>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/caller.hpp"
#include "base/result.hpp"
#include "plugin_runtime/plugin_host.hpp"
#include "protocol/mcp_messages.hpp"
#include "protocol/rights_cache.hpp"
#include "protocol/tool_views.hpp"

namespace toolhost::protocol {

/// Something in a list, for each family of revisions.
struct ListedItem {
  std::string_view name;                       ///< by which its list is sorted
  const plugin_runtime::Tool* tool = nullptr;  ///< the handler; what rights are asked about
  std::array<std::string, kListingFamilies> encoded;
};

/// Resources, templates and prompts of one registry generation as their lists show them.
struct EncodedCatalog {
  explicit EncodedCatalog(const plugin_runtime::ToolRegistry& registry);
  std::vector<ListedItem> resources, templates, prompts;
};

/// Those that exist for callers with the same rights in one registry generation. Immutable.
struct CatalogView {
  using List = std::vector<const ListedItem*>;
  List resources, templates, prompts;             ///< sorted by name
  std::vector<ToolView::Entry> handlers;          ///< of all of them, sorted by address
  std::shared_ptr<const EncodedCatalog> encoded;  ///< what they point to
  bool has_completions = false;                   ///< any of them completes arguments
  bool has_logging = false;                       ///< any of them, or of the callers' tools, may send log messages
};

/// Resources and prompts of callers, in lists and in calls: what is not listed is unknown to the caller. Their rights
/// are those of a tool "resource:NAME" or "prompt:NAME" that only reads. Any thread.
class CatalogViews {
 public:
  explicit CatalogViews(std::size_t page_size) noexcept : page_size_(page_size) {}

  /// The results of resources/list, resources/templates/list and prompts/list as JSON; kInvalidArgument for a cursor
  /// that no page handed out. Cursors as in ToolListing.
  Result<std::string> resources_page(const Caller& caller, const plugin_runtime::ToolRegistry& registry,
                                     const ResultStyle& style, std::optional<std::string_view> cursor);
  Result<std::string> templates_page(const Caller& caller, const plugin_runtime::ToolRegistry& registry,
                                     const ResultStyle& style, std::optional<std::string_view> cursor);
  Result<std::string> prompts_page(const Caller& caller, const plugin_runtime::ToolRegistry& registry,
                                   const ResultStyle& style, std::optional<std::string_view> cursor);

  /// What the caller may use.
  ServerCapabilities capabilities(const Caller& caller, const plugin_runtime::ToolRegistry& registry);
  /// Without a tool when what this handler belongs to does not exist for the caller.
  ToolView::Entry find(const Caller& caller, const plugin_runtime::ToolRegistry& registry,
                       const plugin_runtime::Tool& handler);
  bool has(const Caller& caller, const plugin_runtime::ToolRegistry& registry, const plugin_runtime::Tool& handler) {
    return find(caller, registry, handler).tool != nullptr;
  }

 private:
  /// Borrowed until this thread's next call, of whatever object.
  const CatalogView& of(const Caller& caller, const plugin_runtime::ToolRegistry& registry);
  std::shared_ptr<const EncodedCatalog> encoded(const plugin_runtime::ToolRegistry& registry);
  [[nodiscard]] Result<std::string> page(std::string_view name, const CatalogView::List& list, const ResultStyle& style,
                                         std::optional<std::string_view> cursor) const;

  const std::size_t page_size_;
  RightsCache<CatalogView> views_;
  std::mutex mutex_;  // guards what follows
  std::uint64_t encoded_generation_ = 0;
  std::shared_ptr<const EncodedCatalog> encoded_;
};

}  // namespace toolhost::protocol
