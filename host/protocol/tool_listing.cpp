#include "protocol/tool_listing.hpp"

#include <algorithm>
#include <span>
#include <vector>

#include "base/base64url.hpp"

namespace toolhost::protocol {
namespace {

using plugin_runtime::ToolRegistry;

constexpr std::string_view kCursorMark = "after:";

std::string make_cursor(std::string_view last_name) {
  return to_base64url(std::string(kCursorMark).append(last_name));
}

std::optional<std::string> name_in_cursor(std::string_view cursor) {
  auto text = from_base64url(cursor);
  if (!text || text->size() <= kCursorMark.size() || text->compare(0, kCursorMark.size(), kCursorMark) != 0) {
    return std::nullopt;
  }
  return text->substr(kCursorMark.size());
}

}  // namespace

ToolView::Entry ToolListing::find(const Caller& caller, const ToolRegistry& registry, std::string_view name) {
  const auto* const found = views_.of(caller, registry).find(name);
  return found == nullptr ? ToolView::Entry{} : *found;
}

Result<std::string> ToolListing::page(const Caller& caller, const ToolRegistry& registry, Revision revision,
                                      std::optional<std::string_view> cursor) {
  const ToolView& view = views_.of(caller, registry);
  const auto& tools = view.entries;
  auto first = tools.begin();
  if (cursor) {
    const auto last_seen = name_in_cursor(*cursor);
    if (!last_seen)
      return Error{Errc::kInvalidArgument, "Invalid cursor: pass nextCursor of the page before, unchanged", ""};
    first =
        std::upper_bound(tools.begin(), tools.end(), *last_seen,
                         [](const std::string& name, const ToolView::Entry& entry) { return name < entry.tool->name; });
  }
  const auto count = std::min<std::size_t>(page_size_, static_cast<std::size_t>(tools.end() - first));
  const auto family = listing_family(revision);
  std::vector<const std::string*> page;
  page.reserve(count);
  for (const auto& entry : std::span(first, count)) page.push_back(&view.encoded->of(*entry.tool, family));

  std::optional<std::string> next_cursor;
  if (const auto end = first + static_cast<std::ptrdiff_t>(count); end != tools.end())
    next_cursor = make_cursor((end - 1)->tool->name);
  return encode_tools_page(page, next_cursor);
}

}  // namespace toolhost::protocol
