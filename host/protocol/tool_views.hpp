#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "access/rights.hpp"
#include "base/caller.hpp"
#include "plugin_runtime/plugin_host.hpp"
#include "protocol/mcp_messages.hpp"
#include "protocol/rights_cache.hpp"

namespace toolhost::protocol {

/// The tools of one registry generation as tools/list shows them, with one tenant's texts or without any.
class EncodedTools {
 public:
  /// `plain` are those without texts; null for these themselves.
  EncodedTools(const plugin_runtime::ToolRegistry& registry, const access::Rights* rights,
               std::shared_ptr<const EncodedTools> plain);

  [[nodiscard]] const std::string& of(const plugin_runtime::Tool& tool, ListingFamily family) const;

 private:
  const std::shared_ptr<const EncodedTools> plain_;
  std::unordered_map<const plugin_runtime::Tool*, std::array<std::string, kListingFamilies>> tools_;
};

class ToolIndex;

/// The tools that exist for callers with the same rights in one registry generation. Immutable.
struct ToolView {
  struct Entry {
    const plugin_runtime::Tool* tool = nullptr;  ///< lives as long as its registry generation
    bool looks_at_arguments = false;             ///< Rights::looks_at_arguments()
  };
  /// Null when there is no such tool for them.
  [[nodiscard]] const Entry* find(std::string_view name) const noexcept;

  std::vector<Entry> entries;  ///< sorted by name
  std::shared_ptr<const EncodedTools> encoded;
  std::shared_ptr<const ToolIndex> index;  ///< for those whose list is find-and-call; else null
};

/// Borrows from the tool.
access::ToolFacts facts_of(const plugin_runtime::Tool& tool) noexcept;

/// The one place that asks which tools exist for whom: once for each Rights and registry generation, so that a call
/// evaluates no pattern to find its tool (limits of tools and rules about arguments have patterns of their own). Any
/// thread; nearly always without a lock.
class ToolViews {
 public:
  /// Borrowed until this thread's next call of of(), of whatever object.
  const ToolView& of(const Caller& caller, const plugin_runtime::ToolRegistry& registry);
  /// Views in memory, threads' own copies aside.
  [[nodiscard]] std::size_t size() const { return views_.size(); }

 private:
  std::shared_ptr<const EncodedTools> encoded(const access::Rights* rights,
                                              const plugin_runtime::ToolRegistry& registry);

  RightsCache<ToolView> views_;
  std::mutex mutex_;  // guards what follows
  std::uint64_t encoded_generation_ = 0;
  std::shared_ptr<const EncodedTools> plain_;
  std::map<std::string, std::weak_ptr<const EncodedTools>> with_texts_;  // by the texts
  std::size_t forget_at_ = 0;
};

}  // namespace toolhost::protocol
