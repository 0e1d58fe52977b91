#pragma once
#include <array>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/caller.hpp"
#include "base/result.hpp"
#include "plugin_runtime/plugin_host.hpp"
#include "protocol/mcp_messages.hpp"

namespace toolhost::protocol {

/// The tools that exist for this caller, sorted by name: the one place that decides it. A tool that is not among them
/// is unknown to the caller, in lists and in calls.
std::span<const plugin_runtime::Tool* const> visible_tools(const Caller& caller,
                                                           const plugin_runtime::ToolRegistry& registry);
const plugin_runtime::Tool* find_visible_tool(const Caller& caller, const plugin_runtime::ToolRegistry& registry,
                                              std::string_view name);

/// Answers tools/list. Each tool is encoded once for each registry generation and listing family. Any thread.
class ToolListing {
 public:
  explicit ToolListing(std::size_t page_size) noexcept : page_size_(page_size) {}

  /// The result of tools/list as JSON; kInvalidArgument for a cursor that no page handed out. A cursor names the last
  /// tool of its page, so that it survives a change of the registry.
  Result<std::string> page(const Caller& caller, const plugin_runtime::ToolRegistry& registry, Revision revision,
                           std::optional<std::string_view> cursor);

 private:
  struct Encoded {
    std::uint64_t generation = 0;
    std::unordered_map<const plugin_runtime::Tool*, std::string> tools;
  };
  std::shared_ptr<const Encoded> encoded(const plugin_runtime::ToolRegistry& registry, ListingFamily family);

  const std::size_t page_size_;
  std::mutex mutex_;
  std::array<std::shared_ptr<const Encoded>, kListingFamilies> encoded_;
};

}  // namespace toolhost::protocol
