#pragma once
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "access/membership.hpp"
#include "base/caller.hpp"
#include "storage/directory_store.hpp"

namespace toolhost::access {

/// The live keys, by hash, and how fresh they are. Pure memory: the time is an argument.
class KeyTable {
 public:
  using Clock = std::chrono::steady_clock;

  /// `membership` decides what the owner of a key is in the key's tenant.
  explicit KeyTable(Membership membership = {}) : membership_(std::move(membership)) {}

  /// A key that appeared or went with a replace().
  struct Change {
    CallerPtr caller;
    std::string name;
  };
  struct Changes {
    std::vector<Change> added, removed;
  };

  /// Makes `rows` the truth, confirmed at `now`. A key whose hash changed counts as removed. One thread at a time.
  Changes replace(std::vector<storage::KeyRow> rows, Clock::time_point now);
  /// The database said at `now` that nothing has changed.
  void confirm(Clock::time_point now) noexcept;

  /// The key's owner, or null. Any thread.
  [[nodiscard]] CallerPtr find(const storage::KeyHash& hash) const;
  [[nodiscard]] Clock::duration unconfirmed_for(Clock::time_point now) const noexcept;

 private:
  struct LiveKey {
    CallerPtr caller;
    std::string name;
  };
  /// A hash is uniformly distributed already; its first bytes are as good as any function of it.
  struct FirstBytes {
    std::size_t operator()(const storage::KeyHash& hash) const noexcept;
  };
  using Snapshot = std::unordered_map<storage::KeyHash, LiveKey, FirstBytes>;

  [[nodiscard]] std::shared_ptr<const Snapshot> snapshot() const;
  [[nodiscard]] CallerPtr make_caller(const storage::KeyRow& row) const;

  const Membership membership_;

  /// Held for a pointer copy on either side: at 100,000 calls a second it is busy for some thousandths of the time.
  /// (libstdc++'s std::atomic<std::shared_ptr> is a spin lock as well.)
  mutable std::mutex mutex_;
  std::shared_ptr<const Snapshot> snapshot_ = std::make_shared<Snapshot>();
  std::atomic<Clock::rep> confirmed_at_{Clock::time_point::min().time_since_epoch().count()};
};

}  // namespace toolhost::access
