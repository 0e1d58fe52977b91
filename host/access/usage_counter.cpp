#include "access/usage_counter.hpp"

#include <algorithm>
#include <atomic>
#include <utility>

namespace toolhost::access {
namespace {

/// The entry of a tool's day. A key calls a handful of tools between two flushes: looking through them is quicker than
/// any table.
storage::ToolUse& day_of(std::vector<storage::ToolUse>& tools, std::chrono::sys_days day, std::string_view tool) {
  const auto found = std::find_if(tools.begin(), tools.end(),
                                  [&](const auto& known) { return known.day == day && known.tool == tool; });
  if (found != tools.end()) return *found;
  return tools.emplace_back(storage::ToolUse{day, std::string(tool)});
}

}  // namespace

UsageCounter::Shard& UsageCounter::shard_of_this_thread() noexcept {
  static std::atomic<std::size_t> next{0};
  thread_local const std::size_t own = next.fetch_add(1, std::memory_order_relaxed);
  return shards_[own % shards_.size()];
}

void UsageCounter::add(KeyId key, std::string_view tool, bool failed, std::chrono::system_clock::time_point now) {
  const auto day = std::chrono::floor<std::chrono::days>(now);
  Shard& shard = shard_of_this_thread();
  const std::lock_guard lock(shard.mutex);
  auto& use = shard.uses[value(key)];
  ++use.calls;
  use.last_used = std::max(use.last_used, now);
  auto& of_day = day_of(use.tools, day, tool);
  ++of_day.calls;
  if (failed) ++of_day.errors;
}

std::vector<storage::KeyUse> UsageCounter::take() {
  std::vector<storage::KeyUse> uses;
  for (auto& shard : shards_) {
    Uses taken;
    {
      const std::lock_guard lock(shard.mutex);
      taken.swap(shard.uses);
    }
    for (auto& [id, use] : taken) {
      use.id = KeyId{id};
      uses.push_back(std::move(use));
    }
  }
  return uses;
}

void UsageCounter::restore(const std::vector<storage::KeyUse>& uses) {
  Shard& shard = shard_of_this_thread();
  const std::lock_guard lock(shard.mutex);
  for (const auto& returned : uses) {
    auto& use = shard.uses[value(returned.id)];
    use.calls += returned.calls;
    use.last_used = std::max(use.last_used, returned.last_used);
    for (const auto& tool : returned.tools) {
      auto& of_day = day_of(use.tools, tool.day, tool.tool);
      of_day.calls += tool.calls;
      of_day.errors += tool.errors;
    }
  }
}

}  // namespace toolhost::access
