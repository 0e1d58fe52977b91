#include "index_cache.hpp"

namespace search {

std::shared_ptr<const void> IndexCache::find(const std::string& key) {
  const std::lock_guard lock(mutex_);
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->value;
}

void IndexCache::keep(const std::string& key, std::shared_ptr<const void> value, std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  if (by_key_.contains(key)) return;  // another search was quicker
  entries_.push_front({key, std::move(value), bytes});
  by_key_.emplace(entries_.front().key, entries_.begin());
  bytes_ += bytes;
  while (bytes_ > max_bytes_ && entries_.size() > 1) {
    bytes_ -= entries_.back().bytes;
    by_key_.erase(entries_.back().key);
    entries_.pop_back();
  }
}

}  // namespace search
