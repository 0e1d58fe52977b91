#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "base/caller.hpp"
#include "base/result.hpp"
#include "plugin_runtime/plugin_host.hpp"
#include "protocol/mcp_version.hpp"
#include "protocol/tool_views.hpp"

namespace toolhost::protocol {

/// The tools of callers, in lists and in calls: a tool that is not listed is unknown to the caller. Any thread.
class ToolListing {
 public:
  explicit ToolListing(std::size_t page_size) noexcept : page_size_(page_size) {}

  /// The result of tools/list as JSON; kInvalidArgument for a cursor that no page handed out. A cursor names the last
  /// tool of its page, so that it survives a change of the registry or of the caller's rights.
  Result<std::string> page(const Caller& caller, const plugin_runtime::ToolRegistry& registry, const ResultStyle& style,
                           std::optional<std::string_view> cursor);

  /// Null when the caller's list shows the tools themselves.
  std::shared_ptr<const ToolIndex> index(const Caller& caller, const plugin_runtime::ToolRegistry& registry) {
    return views_.of(caller, registry).index;
  }
  /// Without a tool when there is none by this name for the caller.
  ToolView::Entry find(const Caller& caller, const plugin_runtime::ToolRegistry& registry, std::string_view name);

 private:
  const std::size_t page_size_;
  ToolViews views_;
};

}  // namespace toolhost::protocol
