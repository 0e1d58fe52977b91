#pragma once
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "access/known_key.hpp"
#include "access/meter.hpp"
#include "access/policy.hpp"
#include "base/caller.hpp"
#include "storage/directory_store.hpp"

namespace toolhost::access {

/// Whether a key that is known is let in.
enum class KeyState {
  kLive,
  kDisabled,
  kExpired,
  kOwnerLeft,  ///< made by a person whom the tenant does not name any more, or whose address nobody vouches for
};

/// The keys of the database, by hash, with their callers, and how fresh they are. Pure memory: the time is an argument.
class KeyTable {
 public:
  using Clock = std::chrono::steady_clock;
  using WallClock = std::chrono::system_clock;

  /// `policy` decides what the owner of a key is in the key's tenant, and what the key may do. Never null.
  /// `is_trial`: people need no proof of their address, so those who once needed none keep their keys.
  explicit KeyTable(PolicyPtr policy, bool is_trial = false);

  struct Change {
    CallerPtr caller;
    std::string name;
  };
  /// What became of keys with one step. A key that appears and is not let in is `added` only. One whose owner has left
  /// counts as disabled, until they are back.
  struct Changes {
    std::vector<Change> added, removed, disabled, expired, enabled;
  };

  /// Makes `rows` the truth, confirmed at `now`. A key whose hash changed counts as removed. Any thread, one at a time.
  Changes replace(std::vector<storage::KeyRow> rows, Clock::time_point now, WallClock::time_point wall_now);
  /// The keys that have expired since somebody was told last. Quick when there are none. Any thread.
  Changes expire(WallClock::time_point wall_now);
  /// The database said at `now` that nothing has changed.
  void confirm(Clock::time_point now) noexcept;

  struct Regoverned {
    std::vector<CallerPtr> relisted;  ///< of live keys whose list of tools may have changed
    Changes changes;
  };
  /// Makes all callers anew. Any thread.
  Regoverned set_policy(PolicyPtr policy, Clock::time_point now, WallClock::time_point wall_now);
  [[nodiscard]] PolicyPtr policy() const;
  /// What was used of the limits, of keys and of whoever else is bound by a tenant's.
  [[nodiscard]] const std::shared_ptr<MeterTable>& meters() const noexcept { return meters_; }

  struct Found {
    CallerPtr caller;  ///< null: there is no such key
    KeyState state = KeyState::kLive;
    std::optional<WallClock::time_point> expires_at;
  };
  /// Whether a key has this public_prefix(): only then is its hash worth computing. Any thread.
  [[nodiscard]] bool knows_prefix(std::string_view prefix) const;
  /// Any thread.
  [[nodiscard]] Found find(const storage::KeyHash& hash, WallClock::time_point wall_now) const;
  /// Its caller, with the rights that it has now; null: there is no such key. Any thread.
  [[nodiscard]] CallerPtr find(KeyId id) const;
  /// All of them, by id.
  [[nodiscard]] std::vector<KnownKey> keys() const;
  [[nodiscard]] std::size_t size() const { return snapshot()->keys.size(); }
  [[nodiscard]] Clock::duration unconfirmed_for(Clock::time_point now) const noexcept;

 private:
  struct Key {
    storage::KeyRow row;
    CallerPtr caller;
    bool has_left = false;  ///< the owner
  };
  /// A hash is uniformly distributed already; its first bytes are as good as any function of it.
  struct FirstBytes {
    std::size_t operator()(const storage::KeyHash& hash) const noexcept;
  };
  /// Keys are shared by the snapshots that know them.
  struct Snapshot {
    std::unordered_map<storage::KeyHash, std::shared_ptr<const Key>, FirstBytes> keys;
    std::unordered_map<std::int64_t, std::shared_ptr<const Key>> by_id;
    std::unordered_set<std::string> prefixes;  // of the keys
  };
  using States = std::unordered_map<std::int64_t, KeyState>;

  [[nodiscard]] std::shared_ptr<const Snapshot> snapshot() const;
  void publish(std::shared_ptr<const Snapshot> next);
  [[nodiscard]] CallerPtr make_caller(const storage::KeyRow& row, Clock::time_point now) const;
  [[nodiscard]] Key make_key(storage::KeyRow row, Clock::time_point now) const;
  [[nodiscard]] bool has_owner_left(const storage::KeyRow& row) const;
  /// What a change of the tenant's people means for a key.
  void note_membership(const Key& key, WallClock::time_point wall_now, Changes& changes);
  static KeyState state_of(const Key& key, WallClock::time_point wall_now) noexcept;

  const bool is_trial_;
  const std::shared_ptr<MeterTable> meters_ = std::make_shared<MeterTable>();

  std::mutex write_mutex_;  // held by whoever makes the next snapshot; behind it what only they need:
  States told_;             // of keys that are not live, as told by the last Changes
  WallClock::time_point next_expiry_ = WallClock::time_point::max();

  /// Held for a pointer copy on either side: at 100,000 calls a second it is busy for some thousandths of the time.
  /// (libstdc++'s std::atomic<std::shared_ptr> is a spin lock as well.)
  mutable std::mutex mutex_;
  std::shared_ptr<const Snapshot> snapshot_ = std::make_shared<Snapshot>();
  PolicyPtr policy_;  // every caller of the snapshot was made with it, but while set_policy() makes the next
  std::atomic<Clock::rep> confirmed_at_{Clock::time_point::min().time_since_epoch().count()};
};

}  // namespace toolhost::access
