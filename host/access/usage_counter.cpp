#include "access/usage_counter.hpp"

#include <algorithm>
#include <utility>

namespace toolhost::access {

void UsageCounter::add(KeyId key, std::chrono::system_clock::time_point now) {
  const std::lock_guard lock(mutex_);
  Use& use = uses_[value(key)];
  ++use.calls;
  use.last_used = std::max(use.last_used, now);
}

std::vector<storage::KeyUse> UsageCounter::take() {
  std::unordered_map<std::int64_t, Use> taken;
  {
    const std::lock_guard lock(mutex_);
    taken.swap(uses_);
  }
  std::vector<storage::KeyUse> uses;
  uses.reserve(taken.size());
  for (const auto& [id, use] : taken) uses.push_back({KeyId{id}, use.calls, use.last_used});
  return uses;
}

void UsageCounter::restore(const std::vector<storage::KeyUse>& uses) {
  const std::lock_guard lock(mutex_);
  for (const auto& returned : uses) {
    Use& use = uses_[value(returned.id)];
    use.calls += returned.calls;
    use.last_used = std::max(use.last_used, returned.last_used);
  }
}

}  // namespace toolhost::access
