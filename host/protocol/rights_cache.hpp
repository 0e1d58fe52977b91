#pragma once
#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "access/grant.hpp"
#include "access/rights.hpp"
#include "base/caller.hpp"
#include "plugin_runtime/plugin_host.hpp"

namespace toolhost::protocol {

/// What holds for callers with the same rights in one registry generation: made once for each, and forgotten in time
/// when its rights are gone. Any thread; nearly always without a lock.
template <class View>
class RightsCache {
 public:
  using RightsPtr = std::shared_ptr<const access::Rights>;
  using ViewPtr = std::shared_ptr<const View>;

  /// Null rights are those of a caller without a grant. `make` gets them; two threads may make the same, one stays.
  /// Borrowed until this thread's next call, of whatever object.
  template <class Make>
  const View& of(const Caller& caller, const plugin_runtime::ToolRegistry& registry, Make make) {
    static const RightsPtr kNone;
    thread_local std::array<Slot, kSlots> slots;
    const RightsPtr& rights = caller.grant == nullptr ? kNone : caller.grant->rights();
    Slot& slot = slots[slot_of(rights.get())];
    if (slot.owner == number_ && slot.generation == registry.generation() && is_same(slot.rights, rights))
      return *slot.view;
    // After a reload every thread comes here: what belongs to rights that are gone goes now.
    for (Slot& other : slots)
      if (other.rights.expired()) other = {};
    slot.view = find_or_make(rights, registry, make);
    slot.rights = rights;
    slot.generation = registry.generation();
    slot.owner = number_;
    return *slot.view;
  }

  /// In memory, threads' own copies aside.
  [[nodiscard]] std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return known_.size();
  }

 private:
  static constexpr std::size_t kRemembered = 16;  // more are looked through whenever their number has doubled
  static constexpr std::size_t kSlots = 64;       // of each thread

  /// What a thread has seen lately.
  struct Slot {
    std::uint64_t owner = 0;
    std::uint64_t generation = 0;
    std::weak_ptr<const access::Rights> rights;
    ViewPtr view;
  };
  struct Known {
    std::weak_ptr<const access::Rights> rights;
    std::uint64_t generation = 0;
    ViewPtr view;
  };

  /// The same object, not only one that came to the same address.
  static bool is_same(const std::weak_ptr<const access::Rights>& known, const RightsPtr& rights) noexcept {
    return !known.owner_before(rights) && !rights.owner_before(known);
  }

  static std::size_t slot_of(const access::Rights* rights) noexcept {
    const auto address = reinterpret_cast<std::uintptr_t>(rights);
    return (address >> 4 ^ address >> 10 ^ address >> 16) % kSlots;
  }

  template <class Make>
  ViewPtr find_or_make(const RightsPtr& rights, const plugin_runtime::ToolRegistry& registry, Make make) {
    {
      const std::lock_guard lock(mutex_);
      const auto found = known_.find(rights.get());
      if (found != known_.end() && found->second.generation == registry.generation() &&
          is_same(found->second.rights, rights))
        return found->second.view;
    }
    // Without the lock: threads that need other views do not wait for this one.
    ViewPtr view = make(rights);
    const std::lock_guard lock(mutex_);
    if (known_.size() >= forget_at_) forget_what_is_gone();
    known_[rights.get()] = {rights, registry.generation(), view};
    return view;
  }

  /// With mutex_ held.
  void forget_what_is_gone() {
    std::erase_if(known_, [](const auto& known) { return known.first != nullptr && known.second.rights.expired(); });
    forget_at_ = std::max(known_.size() * 2, kRemembered);
  }

  static std::uint64_t next_number() noexcept {
    static std::atomic<std::uint64_t> last{0};
    return ++last;
  }

  const std::uint64_t number_ = next_number();  ///< names this object in the threads' caches
  mutable std::mutex mutex_;                    // guards what follows
  std::unordered_map<const access::Rights*, Known> known_;
  std::size_t forget_at_ = kRemembered;
};

}  // namespace toolhost::protocol
