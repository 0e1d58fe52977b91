#pragma once
#include <chrono>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "storage/directory_store.hpp"

namespace toolhost::access {

/// Uses of keys since they were last written to the database. Any thread.
class UsageCounter {
 public:
  void add(KeyId key, std::chrono::system_clock::time_point now);
  /// Everything counted so far; the counter starts anew.
  std::vector<storage::KeyUse> take();
  /// Puts back what could not be written.
  void restore(const std::vector<storage::KeyUse>& uses);

 private:
  struct Use {
    std::int64_t calls = 0;
    std::chrono::system_clock::time_point last_used;
  };
  std::mutex mutex_;
  std::unordered_map<std::int64_t, Use> uses_;
};

}  // namespace toolhost::access
