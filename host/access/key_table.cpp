#include "access/key_table.hpp"

#include <cstring>

namespace toolhost::access {
namespace {

bool is_same(const Caller& a, const Caller& b) {
  return a.key_id == b.key_id && a.tenant_id == b.tenant_id && a.tenant == b.tenant && a.time_zone == b.time_zone &&
         a.key_prefix == b.key_prefix && a.principal == b.principal && a.role == b.role && a.members == b.members;
}

}  // namespace

std::size_t KeyTable::FirstBytes::operator()(const storage::KeyHash& hash) const noexcept {
  std::size_t bytes;
  std::memcpy(&bytes, hash.data(), sizeof bytes);
  return bytes;
}

KeyTable::Changes KeyTable::replace(std::vector<storage::KeyRow> rows, Clock::time_point now) {
  const auto previous = snapshot();
  auto next = std::make_shared<Snapshot>();
  next->reserve(rows.size());
  Changes changes;
  for (auto& row : rows) {
    const auto known = previous->find(row.hash);
    const bool is_known = known != previous->end() && known->second.caller->key_id == row.id;
    CallerPtr caller = make_caller(row);
    if (is_known && is_same(*known->second.caller, *caller)) caller = known->second.caller;
    if (!is_known) changes.added.push_back({caller, row.name});
    next->emplace(row.hash, LiveKey{std::move(caller), std::move(row.name)});
  }
  for (const auto& [hash, key] : *previous) {
    const auto kept = next->find(hash);
    if (kept == next->end() || kept->second.caller->key_id != key.caller->key_id) {
      changes.removed.push_back({key.caller, key.name});
    }
  }
  {
    const std::lock_guard lock(mutex_);
    snapshot_ = std::move(next);
  }
  confirm(now);
  return changes;
}

void KeyTable::confirm(Clock::time_point now) noexcept {
  confirmed_at_.store(now.time_since_epoch().count(), std::memory_order_release);
}

CallerPtr KeyTable::find(const storage::KeyHash& hash) const {
  const auto keys = snapshot();
  const auto found = keys->find(hash);
  return found == keys->end() ? nullptr : found->second.caller;
}

KeyTable::Clock::duration KeyTable::unconfirmed_for(Clock::time_point now) const noexcept {
  const Clock::time_point confirmed_at{Clock::duration(confirmed_at_.load(std::memory_order_acquire))};
  if (confirmed_at == Clock::time_point::min()) return Clock::duration::max();
  return std::max(now - confirmed_at, Clock::duration::zero());
}

std::shared_ptr<const KeyTable::Snapshot> KeyTable::snapshot() const {
  const std::lock_guard lock(mutex_);
  return snapshot_;
}

CallerPtr KeyTable::make_caller(const storage::KeyRow& row) const {
  // One spelling for one person, however the key's owner was typed.
  const Member* owner = row.owner.empty() ? nullptr : membership_.find(row.tenant, row.owner);
  return std::make_shared<const Caller>(
      Caller{.tenant_id = row.tenant_id,
             .tenant = row.tenant,
             .time_zone = row.tenant_time_zone,
             .key_id = row.id,
             .key_prefix = row.prefix,
             .principal = owner != nullptr ? owner->email : (row.owner.empty() ? row.name : row.owner),
             .role = membership_.role_of(row.tenant, row.owner),
             .members = membership_.members_of(row.tenant)});
}

}  // namespace toolhost::access
