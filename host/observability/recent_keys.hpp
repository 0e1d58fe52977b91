#pragma once
#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "observability/metrics.hpp"
#include "observability/series_table.hpp"

namespace toolhost::observability {

enum class CallKind { kOk, kError, kRefusal };

/// Calls by key in the recent past. In each interval the first 1,024 keys of a stripe are counted: a key that is busy
/// is among them, one that calls once in a crowd may not be.
class RecentKeys {
 public:
  /// Any thread; waits for nobody unless every stripe is taken at the same moment.
  void add(const Caller& caller, CallKind kind, std::chrono::microseconds time) noexcept;
  /// Begins the next interval and forgets all but the last `kept` ones before it. One thread.
  void roll(std::size_t kept);
  /// The intervals that are kept and the one that runs; busiest first, at most `limit`. Any thread.
  [[nodiscard]] std::vector<RecentCalls> recent(std::size_t limit) const;

 private:
  static constexpr std::size_t kKeysOfStripe = 1024;

  using Interval = std::unordered_map<KeyId, RecentCalls>;
  struct alignas(64) Stripe {
    std::mutex mutex;
    Interval keys;
  };
  static void merge(Interval& into, const Interval& from);
  Stripe& lock_stripe() noexcept;

  mutable std::array<Stripe, kStripes> stripes_;
  mutable std::mutex mutex_;  // guards past_; taken before a stripe's
  std::deque<Interval> past_;
};

/// Sorts by calls, then by name.
void sort_busiest_first(std::vector<RecentCalls>& calls);

}  // namespace toolhost::observability
