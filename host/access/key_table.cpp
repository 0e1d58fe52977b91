#include "access/key_table.hpp"

#include <algorithm>
#include <cstring>

#include "access/grant.hpp"
#include "access/tenant_rights.hpp"

namespace toolhost::access {
namespace {

constexpr const char* kPlaceOfScopes = "scopes of the key";

/// In all that a caller is made of.
bool are_same(const storage::KeyRow& a, const storage::KeyRow& b) {
  return a.id == b.id && a.tenant_id == b.tenant_id && a.tenant == b.tenant &&
         a.tenant_time_zone == b.tenant_time_zone && a.name == b.name && a.owner == b.owner && a.prefix == b.prefix &&
         a.scopes == b.scopes && a.person == b.person && a.is_of_trial == b.is_of_trial &&
         a.is_owner_doubted == b.is_owner_doubted;
}

Scopes scopes_of(const storage::KeyRow& row) {
  Scopes scopes;
  for (const std::string& scope : row.scopes) scopes.push_back({scope, {kPlaceOfScopes, 0}});
  return scopes;
}

}  // namespace

KeyTable::KeyTable(PolicyPtr policy, bool is_trial) : is_trial_(is_trial), policy_(std::move(policy)) {}

std::size_t KeyTable::FirstBytes::operator()(const storage::KeyHash& hash) const noexcept {
  std::size_t bytes;
  std::memcpy(&bytes, hash.data(), sizeof bytes);
  return bytes;
}

KeyState KeyTable::state_of(const Key& key, WallClock::time_point wall_now) noexcept {
  if (key.row.disabled) return KeyState::kDisabled;
  if (key.row.expires_at && *key.row.expires_at <= wall_now) return KeyState::kExpired;
  return key.has_left ? KeyState::kOwnerLeft : KeyState::kLive;
}

KeyTable::Changes KeyTable::replace(std::vector<storage::KeyRow> rows, Clock::time_point now,
                                    WallClock::time_point wall_now) {
  const std::lock_guard writing(write_mutex_);
  const auto previous = snapshot();
  auto next = std::make_shared<Snapshot>();
  next->keys.reserve(rows.size());
  next->prefixes.reserve(rows.size());
  next->by_id.reserve(rows.size());
  States states;
  Changes changes;
  next_expiry_ = WallClock::time_point::max();
  for (auto& row : rows) {
    const auto known = previous->keys.find(row.hash);
    const bool is_known = known != previous->keys.end() && known->second->row.id == row.id;
    const bool is_unchanged = is_known && are_same(known->second->row, row);
    auto key = std::make_shared<Key>(is_unchanged ? Key{row, known->second->caller, known->second->has_left}
                                                  : make_key(row, now));
    const CallerPtr& caller = key->caller;
    const KeyState state = state_of(*key, wall_now);
    if (state != KeyState::kLive) states.emplace(value(row.id), state);
    if (state == KeyState::kLive && row.expires_at) next_expiry_ = std::min(next_expiry_, *row.expires_at);
    if (!is_known) {
      changes.added.push_back({caller, row.name});
    } else {
      const bool was_live = !told_.contains(value(row.id));
      if (!was_live && state == KeyState::kLive) changes.enabled.push_back({caller, row.name});
      if (was_live && (state == KeyState::kDisabled || state == KeyState::kOwnerLeft))
        changes.disabled.push_back({caller, row.name});
      if (was_live && state == KeyState::kExpired) changes.expired.push_back({caller, row.name});
    }
    next->prefixes.insert(row.prefix);
    next->by_id.emplace(value(row.id), key);
    next->keys.emplace(row.hash, std::move(key));
  }
  for (const auto& [hash, key] : previous->keys) {
    const auto kept = next->keys.find(hash);
    if (kept == next->keys.end() || kept->second->row.id != key->row.id) {
      changes.removed.push_back({key->caller, key->row.name});
    }
  }
  told_ = std::move(states);
  publish(std::move(next));
  confirm(now);
  return changes;
}

KeyTable::Changes KeyTable::expire(WallClock::time_point wall_now) {
  Changes changes;
  const std::lock_guard writing(write_mutex_);
  if (wall_now < next_expiry_) return changes;
  next_expiry_ = WallClock::time_point::max();
  const auto known = snapshot();
  for (const auto& [hash, key] : known->keys) {
    const auto& expires_at = key->row.expires_at;
    if (!expires_at || told_.contains(value(key->row.id))) continue;
    if (*expires_at > wall_now) {
      next_expiry_ = std::min(next_expiry_, *expires_at);
    } else {
      told_.emplace(value(key->row.id), KeyState::kExpired);
      changes.expired.push_back({key->caller, key->row.name});
    }
  }
  return changes;
}

void KeyTable::confirm(Clock::time_point now) noexcept {
  confirmed_at_.store(now.time_since_epoch().count(), std::memory_order_release);
}

KeyTable::Regoverned KeyTable::set_policy(PolicyPtr policy, Clock::time_point now, WallClock::time_point wall_now) {
  Regoverned result;
  const std::lock_guard writing(write_mutex_);
  {
    const std::lock_guard lock(mutex_);
    policy_ = std::move(policy);
  }
  const auto previous = snapshot();
  auto next = std::make_shared<Snapshot>(*previous);
  for (auto& [hash, key] : next->keys) {
    auto made = std::make_shared<const Key>(make_key(key->row, now));
    note_membership(*made, wall_now, result.changes);
    const bool is_live = !told_.contains(value(key->row.id));
    if (is_live && !list_alike(*key->caller->grant->rights(), *made->caller->grant->rights()))
      result.relisted.push_back(made->caller);
    next->by_id[value(made->row.id)] = made;
    key = std::move(made);
  }
  publish(std::move(next));
  return result;
}

void KeyTable::note_membership(const Key& key, WallClock::time_point wall_now, Changes& changes) {
  const auto told = told_.find(value(key.row.id));
  const KeyState state = state_of(key, wall_now);
  if (told == told_.end() && state == KeyState::kOwnerLeft) {
    told_.emplace(value(key.row.id), state);
    changes.disabled.push_back({key.caller, key.row.name});
  } else if (told != told_.end() && told->second == KeyState::kOwnerLeft && state != KeyState::kOwnerLeft) {
    told_.erase(told);
    if (key.row.expires_at) next_expiry_ = std::min(next_expiry_, *key.row.expires_at);
    if (state == KeyState::kLive) changes.enabled.push_back({key.caller, key.row.name});
  }
}

PolicyPtr KeyTable::policy() const {
  const std::lock_guard lock(mutex_);
  return policy_;
}

bool KeyTable::knows_prefix(std::string_view prefix) const {
  return snapshot()->prefixes.contains(std::string(prefix));
}

KeyTable::Found KeyTable::find(const storage::KeyHash& hash, WallClock::time_point wall_now) const {
  const auto known = snapshot();
  const auto found = known->keys.find(hash);
  if (found == known->keys.end()) return {};
  const Key& key = *found->second;
  return {key.caller, state_of(key, wall_now), key.row.expires_at};
}

CallerPtr KeyTable::find(KeyId id) const {
  const auto known = snapshot();
  const auto found = known->by_id.find(value(id));
  return found == known->by_id.end() ? nullptr : found->second->caller;
}

std::vector<KnownKey> KeyTable::keys() const {
  const auto known = snapshot();
  std::vector<KnownKey> keys;
  keys.reserve(known->keys.size());
  for (const auto& [hash, key] : known->keys) {
    const auto& row = key->row;
    keys.push_back({key->caller, row.name, row.owner, scopes_of(row), row.disabled, key->has_left, row.expires_at});
  }
  std::sort(keys.begin(), keys.end(), [](const auto& a, const auto& b) { return a.caller->key_id < b.caller->key_id; });
  return keys;
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

void KeyTable::publish(std::shared_ptr<const Snapshot> next) {
  const std::lock_guard lock(mutex_);
  snapshot_.swap(next);  // what nobody needs any more ends behind the lock
}

KeyTable::Key KeyTable::make_key(storage::KeyRow row, Clock::time_point now) const {
  auto caller = make_caller(row, now);
  const bool has_left = has_owner_left(row);
  return {std::move(row), std::move(caller), has_left};
}

bool KeyTable::has_owner_left(const storage::KeyRow& row) const {
  // Who makes keys in the portal may do so as one of the tenant's people; the owner of any other key is a name only.
  if (!row.person) return false;
  return row.is_owner_doubted || (row.is_of_trial && !is_trial_) ||
         policy()->membership().has_left(row.tenant, row.owner);
}

CallerPtr KeyTable::make_caller(const storage::KeyRow& row, Clock::time_point now) const {
  const PolicyPtr policy = this->policy();
  const Membership& membership = policy->membership();
  // One spelling for one person, however the key's owner was typed.
  const Member* owner = row.owner.empty() ? nullptr : membership.find(row.tenant, row.owner);
  const Role role = membership.role_of(row.tenant, row.owner);
  auto rights = policy->rights(row.tenant, role, scopes_of(row));
  const bool read_only = rights->read_only();
  return std::make_shared<const Caller>(
      Caller{.tenant_id = row.tenant_id,
             .tenant = row.tenant,
             .time_zone = row.tenant_time_zone,
             .key_id = row.id,
             .key_prefix = row.prefix,
             .principal = owner != nullptr ? owner->email : (row.owner.empty() ? row.name : row.owner),
             .role = role,
             .members = membership.members_of(row.tenant),
             .read_only = read_only,
             .grant = make_grant(std::move(rights), policy->limits(row.tenant), {row.tenant, row.id}, meters_, now)});
}

}  // namespace toolhost::access
