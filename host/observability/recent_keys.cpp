#include "observability/recent_keys.hpp"

#include <algorithm>

namespace toolhost::observability {

RecentKeys::Stripe& RecentKeys::lock_stripe() noexcept {
  const std::size_t own = stripe_of_thread();
  for (std::size_t i = 0; i < kStripes; ++i) {
    Stripe& stripe = stripes_[(own + i) % kStripes];
    if (stripe.mutex.try_lock()) return stripe;
  }
  stripes_[own].mutex.lock();
  return stripes_[own];
}

void RecentKeys::add(const Caller& caller, CallKind kind, std::chrono::microseconds time) noexcept {
  Stripe& stripe = lock_stripe();
  const std::lock_guard lock(stripe.mutex, std::adopt_lock);
  auto found = stripe.keys.find(caller.key_id);
  if (found == stripe.keys.end()) {
    if (stripe.keys.size() >= kKeysOfStripe) return;
    found = stripe.keys.emplace(caller.key_id, RecentCalls{.name = caller.key_prefix, .detail = caller.tenant}).first;
  }
  RecentCalls& calls = found->second;
  ++calls.calls;
  calls.time += time;
  if (kind == CallKind::kError) ++calls.errors;
  if (kind == CallKind::kRefusal) ++calls.refusals;
}

void RecentKeys::merge(Interval& into, const Interval& from) {
  for (const auto& [id, calls] : from) {
    const auto [at, is_new] = into.try_emplace(id, calls);
    if (is_new) continue;
    at->second.calls += calls.calls;
    at->second.errors += calls.errors;
    at->second.refusals += calls.refusals;
    at->second.time += calls.time;
  }
}

void RecentKeys::roll(std::size_t kept) {
  const std::lock_guard past_lock(mutex_);
  Interval ended;
  for (auto& stripe : stripes_) {
    Interval keys;
    {
      const std::lock_guard lock(stripe.mutex);
      keys.swap(stripe.keys);
    }
    merge(ended, keys);
  }
  past_.push_back(std::move(ended));
  while (past_.size() > kept) past_.pop_front();
}

std::vector<RecentCalls> RecentKeys::recent(std::size_t limit) const {
  Interval all;
  const std::lock_guard past_lock(mutex_);
  for (const auto& interval : past_) merge(all, interval);
  for (auto& stripe : stripes_) {
    const std::lock_guard lock(stripe.mutex);
    merge(all, stripe.keys);
  }
  std::vector<RecentCalls> busiest;
  busiest.reserve(all.size());
  for (auto& [id, calls] : all) busiest.push_back(std::move(calls));
  sort_busiest_first(busiest);
  if (busiest.size() > limit) busiest.resize(limit);
  return busiest;
}

void sort_busiest_first(std::vector<RecentCalls>& calls) {
  std::ranges::sort(calls, [](const RecentCalls& a, const RecentCalls& b) {
    return a.calls != b.calls ? a.calls > b.calls : a.name < b.name;
  });
}

}  // namespace toolhost::observability
