#include "protocol/tool_listing.hpp"

#include <span>
#include <vector>

#include "protocol/find_and_call.hpp"
#include "protocol/list_cursor.hpp"

namespace toolhost::protocol {

using plugin_runtime::ToolRegistry;

ToolView::Entry ToolListing::find(const Caller& caller, const ToolRegistry& registry, std::string_view name) {
  const auto* const found = views_.of(caller, registry).find(name);
  return found == nullptr ? ToolView::Entry{} : *found;
}

Result<std::string> ToolListing::page(const Caller& caller, const ToolRegistry& registry, const ResultStyle& style,
                                      std::optional<std::string_view> cursor) {
  const ToolView& view = views_.of(caller, registry);
  auto found = find_page(std::span(view.entries), page_size_, cursor,
                         [](const ToolView::Entry& entry) -> std::string_view { return entry.tool->name; });
  if (!found) return found.error();
  const auto family = listing_family(style.revision);
  if (view.index != nullptr) return encode_page("tools", find_and_call_tools(family), {}, style);
  std::vector<const std::string*> page;
  page.reserve(found->items.size());
  for (const auto& entry : found->items) page.push_back(&view.encoded->of(*entry.tool, family));
  return encode_page("tools", page, found->next_cursor, style);
}

}  // namespace toolhost::protocol
