#pragma once
#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace search {

/// What was read of segments, least recently used out first. Segments never change, so nothing in it is ever stale. Any
/// thread.
class IndexCache {
 public:
  explicit IndexCache(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  /// Null when it is not there. T must be what was put under this key.
  template <class T>
  std::shared_ptr<const T> get(const std::string& key) {
    return std::static_pointer_cast<const T>(find(key));
  }
  template <class T>
  std::shared_ptr<const T> put(const std::string& key, T value, std::size_t bytes) {
    auto kept = std::make_shared<const T>(std::move(value));
    keep(key, kept, bytes + key.size() + kOverhead);
    return kept;
  }

 private:
  static constexpr std::size_t kOverhead = 200;
  struct Entry {
    std::string key;
    std::shared_ptr<const void> value;
    std::size_t bytes;
  };
  std::shared_ptr<const void> find(const std::string& key);
  void keep(const std::string& key, std::shared_ptr<const void> value, std::size_t bytes);

  const std::size_t max_bytes_;
  std::mutex mutex_;
  std::list<Entry> entries_;  // the latest used first
  std::unordered_map<std::string_view, std::list<Entry>::iterator> by_key_;
  std::size_t bytes_ = 0;
};

}  // namespace search
