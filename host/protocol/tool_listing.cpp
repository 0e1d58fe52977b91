#include "protocol/tool_listing.hpp"

#include <algorithm>

#include "base/base64url.hpp"

namespace toolhost::protocol {
namespace {

using plugin_runtime::Tool;
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

std::span<const Tool* const> visible_tools(const Caller& /*caller*/, const ToolRegistry& registry) {
  return registry.tools();
}

const Tool* find_visible_tool(const Caller& /*caller*/, const ToolRegistry& registry, std::string_view name) {
  return registry.find(name);
}

Result<std::string> ToolListing::page(const Caller& caller, const ToolRegistry& registry, Revision revision,
                                      std::optional<std::string_view> cursor) {
  const auto tools = visible_tools(caller, registry);
  auto first = tools.begin();
  if (cursor) {
    const auto last_seen = name_in_cursor(*cursor);
    if (!last_seen)
      return Error{Errc::kInvalidArgument, "Invalid cursor: pass nextCursor of the page before, unchanged", ""};
    first = std::upper_bound(tools.begin(), tools.end(), *last_seen,
                             [](const std::string& name, const Tool* tool) { return name < tool->name; });
  }
  const auto count = std::min<std::size_t>(page_size_, static_cast<std::size_t>(tools.end() - first));
  const auto encoding = encoded(registry, listing_family(revision));
  std::vector<const std::string*> page;
  page.reserve(count);
  for (const Tool* tool : std::span(first, count)) page.push_back(&encoding->tools.at(tool));

  std::optional<std::string> next_cursor;
  if (const auto end = first + static_cast<std::ptrdiff_t>(count); end != tools.end())
    next_cursor = make_cursor((*(end - 1))->name);
  return encode_tools_page(page, next_cursor);
}

std::shared_ptr<const ToolListing::Encoded> ToolListing::encoded(const ToolRegistry& registry, ListingFamily family) {
  const std::lock_guard lock(mutex_);
  auto& slot = encoded_[static_cast<std::size_t>(family)];
  if (slot != nullptr && slot->generation == registry.generation()) return slot;
  auto fresh = std::make_shared<Encoded>();
  fresh->generation = registry.generation();
  for (const Tool* tool : registry.tools()) {
    fresh->tools.emplace(tool, encode_tool({.name = tool->name,
                                            .title = tool->title,
                                            .description = tool->description,
                                            .input_schema_json = tool->input_schema_json,
                                            .output_schema_json = tool->output_schema_json,
                                            .meta_json = tool->meta_json,
                                            .read_only = tool->read_only,
                                            .destructive = tool->destructive,
                                            .idempotent = tool->idempotent,
                                            .open_world = tool->open_world},
                                           family));
  }
  slot = std::move(fresh);
  return slot;
}

}  // namespace toolhost::protocol
