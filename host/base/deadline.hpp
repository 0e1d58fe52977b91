#pragma once
#include <chrono>

namespace toolhost {

/// The moment after which nobody waits for the result. Created at the edge, passed down by value.
class Deadline {
 public:
  using Clock = std::chrono::steady_clock;

  static Deadline after(Clock::duration limit) { return Deadline(Clock::now() + limit); }
  static constexpr Deadline never() { return Deadline(Clock::time_point::max()); }

  [[nodiscard]] bool is_never() const noexcept { return at_ == Clock::time_point::max(); }
  [[nodiscard]] bool has_passed() const { return !is_never() && Clock::now() >= at_; }
  /// What is left, never negative; Clock::duration::max() for never().
  [[nodiscard]] Clock::duration left() const {
    if (is_never()) return Clock::duration::max();
    const auto now = Clock::now();
    return now >= at_ ? Clock::duration::zero() : at_ - now;
  }
  [[nodiscard]] Clock::time_point at() const noexcept { return at_; }

 private:
  constexpr explicit Deadline(Clock::time_point at) : at_(at) {}
  Clock::time_point at_;
};

}  // namespace toolhost
