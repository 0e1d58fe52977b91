#pragma once
#include <array>
#include <chrono>
#include <mutex>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "storage/directory_store.hpp"

namespace toolhost::access {

/// Uses of keys since they were last written to the database. Any thread; those that count do not meet each other.
class UsageCounter {
 public:
  /// One call of this tool. `tool`: empty when the call named none that its caller may know.
  void add(KeyId key, std::string_view tool, bool failed, std::chrono::system_clock::time_point now);
  /// Everything counted so far, a key once for each thread that counted it; the counter starts anew.
  std::vector<storage::KeyUse> take();
  /// Puts back what could not be written.
  void restore(const std::vector<storage::KeyUse>& uses);

 private:
  using Uses = std::unordered_map<std::int64_t, storage::KeyUse>;
  /// Threads have one each, as long as there are no more than these.
  struct alignas(64) Shard {
    std::mutex mutex;
    Uses uses;
  };
  Shard& shard_of_this_thread() noexcept;

  std::array<Shard, 16> shards_;
};

}  // namespace toolhost::access
