#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "access/policy_config.hpp"

namespace toolhost::access {

/// What was used of one limit: a token bucket (GCRA: the time at which the bucket would be full again) and the calls
/// that run. It knows no limits; whoever asks brings them, so that it lives through their changes: when the rate or the
/// burst has changed, the calls that were used stay used, but never more of them than the bucket holds. Any thread; the
/// lock is held for some arithmetic.
class alignas(64) Meter {
 public:
  using Clock = std::chrono::steady_clock;

  /// A RateLimit in the meter's terms.
  struct Rate {
    explicit Rate(const RateLimit& limit) noexcept;
    std::chrono::nanoseconds interval, burst;  ///< of one call, of all that may come at once
  };

  /// How long until a call may be taken; zero: now. Takes nothing.
  [[nodiscard]] std::chrono::nanoseconds wait_for(const Rate& rate, Clock::time_point now) const noexcept;
  /// The same, and takes one call when the answer is zero.
  std::chrono::nanoseconds take(const Rate& rate, Clock::time_point now) noexcept;
  /// Undoes take().
  void give_back() noexcept;
  /// From now on the bucket fills at this rate, also while nobody takes from it.
  void fit(const Rate& rate, Clock::time_point now) noexcept;
  /// Calls that could be taken at once.
  [[nodiscard]] std::int64_t left(const Rate& rate, Clock::time_point now) const noexcept;

  /// False when `limit` calls run already.
  bool enter(std::uint32_t limit) noexcept;
  void leave() noexcept;
  [[nodiscard]] std::uint32_t running() const noexcept;

  /// A meter at rest is as good as a new one.
  [[nodiscard]] bool is_at_rest(Clock::time_point now) const noexcept;

 private:
  /// full_at_ at this rate; not before `time`. With the lock.
  [[nodiscard]] std::int64_t full_at(const Rate& rate, std::int64_t time) const noexcept;

  mutable std::mutex mutex_;   // guards the next two; nanoseconds of Clock
  std::int64_t full_at_ = 0;   // when nothing is used any more
  std::int64_t per_call_ = 1;  // what one used call adds to full_at_: the interval of the rate that it was set at
  std::atomic<std::uint32_t> running_{0};
};

/// The meters of a host by name. Those at rest that nobody holds are forgotten in time. Any thread.
class MeterTable {
 public:
  std::shared_ptr<Meter> meter(const std::string& name, Meter::Clock::time_point now);
  [[nodiscard]] std::size_t size() const;

 private:
  static constexpr std::size_t kFirstSweep = 1024;

  mutable std::mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<Meter>> meters_;
  std::size_t next_sweep_ = kFirstSweep;
};

}  // namespace toolhost::access
