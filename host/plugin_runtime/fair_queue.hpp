#pragma once
#include <cstddef>
#include <deque>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/ids.hpp"

namespace toolhost::plugin_runtime {

/// What waits for a worker, tenant by tenant in turn: one that floods waits for itself. First come, first served within
/// a tenant. A tenant holds at most `max_running` workers at a time; what it has waiting meanwhile is not ready. Each
/// operation takes constant time, but for remove_if() and take_all(). Not thread-safe.
template <class Item>
class FairQueue {
 public:
  struct Limits {
    std::size_t waiting_of_tenant = 256;  ///< of one
    std::size_t waiting = 4'096;          ///< of all together, and one more of each tenant
    std::size_t running_of_tenant = 6;    ///< of one; at least 1
  };
  class Tenant;

  explicit FairQueue(const Limits& limits) : limits_(limits) {}
  FairQueue(const FairQueue&) = delete;
  FairQueue& operator=(const FairQueue&) = delete;

  enum class Pushed { kReady, kNotReady, kTenantIsFull, kFull };
  /// kNotReady: it waits until its tenant gives back a worker. `item` is moved from only when it was taken.
  Pushed push(TenantId of, Item& item) {
    Tenant& tenant = tenant_of(of);
    // However full the others have made it, whoever waits for nothing yet gets in.
    if (waiting_ >= limits_.waiting && !tenant.waiting_.empty()) return Pushed::kFull;
    if (tenant.waiting_.size() >= limits_.waiting_of_tenant) return Pushed::kTenantIsFull;
    return take(tenant, item);
  }
  /// The same, but always taken: for what was let in elsewhere.
  Pushed push_accepted(TenantId of, Item& item) { return take(tenant_of(of), item); }

  /// The next item, when ready() is not 0, and its tenant, who holds a worker from now on.
  std::pair<Item, Tenant*> pop() {
    Tenant& tenant = *first_;
    first_ = std::exchange(tenant.next_, nullptr);
    if (first_ == nullptr) last_ = nullptr;
    tenant.is_lined_up_ = false;
    Item item = std::move(tenant.waiting_.front());
    tenant.waiting_.pop_front();
    --waiting_;
    --ready_;
    ++tenant.running_;
    line_up(tenant);
    return {std::move(item), &tenant};
  }

  /// The tenant gives back one worker.
  void release(Tenant& tenant) noexcept {
    const std::size_t before = ready_of(tenant);
    --tenant.running_;
    ready_ += ready_of(tenant) - before;
    line_up(tenant);
  }

  /// Takes out every item that `is_leaving`. Tenants keep their turn.
  template <class Predicate>
  void remove_if(Predicate is_leaving) {
    const std::size_t ready = ready_;
    for (auto& [id, tenant] : tenants_) {
      const std::size_t before = ready_of(tenant);
      waiting_ -= std::erase_if(tenant.waiting_, is_leaving);
      ready_ -= before - ready_of(tenant);
    }
    if (ready_ < ready) close_up();
  }
  std::vector<Item> take_all() {
    std::vector<Item> items;
    for (auto& [id, tenant] : tenants_)
      for (auto& item : tenant.waiting_) items.push_back(std::move(item));
    remove_if([](const Item&) { return true; });
    return items;
  }

  /// Items that wait, and those of them that a free worker may take.
  [[nodiscard]] std::size_t waiting() const noexcept { return waiting_; }
  [[nodiscard]] std::size_t ready() const noexcept { return ready_; }
  [[nodiscard]] std::size_t waiting_of(TenantId of) const noexcept {
    const auto found = tenants_.find(of);
    return found == tenants_.end() ? 0 : found->second.waiting_.size();
  }

  class Tenant {
    friend class FairQueue;
    std::deque<Item> waiting_;
    std::size_t running_ = 0;
    bool is_lined_up_ = false;
    Tenant* next_ = nullptr;
  };

 private:
  static constexpr std::size_t kRemembered = 256;

  Pushed take(Tenant& tenant, Item& item) {
    const std::size_t before = ready_of(tenant);
    tenant.waiting_.push_back(std::move(item));
    ++waiting_;
    const bool is_ready = ready_of(tenant) > before;
    if (is_ready) ++ready_;
    line_up(tenant);
    return is_ready ? Pushed::kReady : Pushed::kNotReady;
  }

  [[nodiscard]] std::size_t ready_of(const Tenant& tenant) const noexcept {
    const std::size_t free =
        tenant.running_ < limits_.running_of_tenant ? limits_.running_of_tenant - tenant.running_ : 0;
    return tenant.waiting_.size() < free ? tenant.waiting_.size() : free;
  }

  /// Puts the tenant at the end of the line, when it has something ready and is not in it.
  void line_up(Tenant& tenant) noexcept {
    if (tenant.is_lined_up_ || ready_of(tenant) == 0) return;
    tenant.is_lined_up_ = true;
    (last_ == nullptr ? first_ : last_->next_) = &tenant;
    last_ = &tenant;
  }

  /// Takes those out of the line who have nothing ready any more.
  void close_up() noexcept {
    last_ = nullptr;
    Tenant** link = &first_;
    while (Tenant* const tenant = *link) {
      if (ready_of(*tenant) > 0) {
        last_ = tenant;
        link = &tenant->next_;
      } else {
        *link = std::exchange(tenant->next_, nullptr);
        tenant->is_lined_up_ = false;
      }
    }
  }

  /// Tenants stay known, so that a call does not allocate; those at rest are forgotten when they have become many.
  Tenant& tenant_of(TenantId id) {
    if (const auto found = tenants_.find(id); found != tenants_.end()) return found->second;
    if (tenants_.size() >= forget_at_) {
      std::erase_if(tenants_,
                    [](const auto& entry) { return entry.second.running_ == 0 && entry.second.waiting_.empty(); });
      forget_at_ = tenants_.size() * 2 > kRemembered ? tenants_.size() * 2 : kRemembered;
    }
    return tenants_[id];
  }

  const Limits limits_;
  std::unordered_map<TenantId, Tenant> tenants_;  // their addresses hold while they are busy
  std::size_t forget_at_ = kRemembered;
  std::size_t waiting_ = 0, ready_ = 0;
  Tenant *first_ = nullptr, *last_ = nullptr;  // the line of tenants with something ready
};

}  // namespace toolhost::plugin_runtime
