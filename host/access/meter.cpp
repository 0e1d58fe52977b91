#include "access/meter.hpp"

#include <algorithm>
#include <cmath>

namespace toolhost::access {
namespace {

using std::chrono::nanoseconds;

constexpr double kLongest = 1e18;  // nanoseconds, 31 years: sums of two of them and the time since boot fit 64 bits

nanoseconds clamped(double time) noexcept {
  return nanoseconds(static_cast<std::int64_t>(std::clamp(time, 1.0, kLongest)));
}

std::int64_t since_boot(Meter::Clock::time_point now) noexcept {
  return std::chrono::duration_cast<nanoseconds>(now.time_since_epoch()).count();
}

}  // namespace

Meter::Rate::Rate(const RateLimit& limit) noexcept
    : interval(clamped(limit.per_second > 0 ? 1e9 / limit.per_second : kLongest)),
      burst(clamped(static_cast<double>(interval.count()) * std::max(limit.burst, 1U))) {}

nanoseconds Meter::wait_for(const Rate& rate, Clock::time_point now) const noexcept {
  const std::int64_t time = since_boot(now);
  const std::lock_guard lock(mutex_);
  return nanoseconds(
      std::max<std::int64_t>(0, full_at(rate, time) + rate.interval.count() - time - rate.burst.count()));
}

nanoseconds Meter::take(const Rate& rate, Clock::time_point now) noexcept {
  const std::int64_t time = since_boot(now);
  const std::lock_guard lock(mutex_);
  const std::int64_t next = full_at(rate, time) + rate.interval.count();
  if (next - time > rate.burst.count()) return nanoseconds(next - time - rate.burst.count());
  full_at_ = next;
  per_call_ = rate.interval.count();
  return nanoseconds::zero();
}

void Meter::give_back() noexcept {
  const std::lock_guard lock(mutex_);
  full_at_ -= per_call_;
}

void Meter::fit(const Rate& rate, Clock::time_point now) noexcept {
  const std::lock_guard lock(mutex_);
  full_at_ = full_at(rate, since_boot(now));
  per_call_ = rate.interval.count();
}

std::int64_t Meter::left(const Rate& rate, Clock::time_point now) const noexcept {
  const std::int64_t time = since_boot(now);
  const std::lock_guard lock(mutex_);
  return (time + rate.burst.count() - full_at(rate, time)) / rate.interval.count();
}

bool Meter::enter(std::uint32_t limit) noexcept {
  std::uint32_t known = running_.load(std::memory_order_relaxed);
  do {
    if (known >= limit) return false;
  } while (!running_.compare_exchange_weak(known, known + 1, std::memory_order_relaxed));
  return true;
}

void Meter::leave() noexcept {
  running_.fetch_sub(1, std::memory_order_relaxed);
}

std::uint32_t Meter::running() const noexcept {
  return running_.load(std::memory_order_relaxed);
}

bool Meter::is_at_rest(Clock::time_point now) const noexcept {
  const std::lock_guard lock(mutex_);
  return running() == 0 && full_at_ <= since_boot(now);
}

std::int64_t Meter::full_at(const Rate& rate, std::int64_t time) const noexcept {
  std::int64_t used = std::max<std::int64_t>(0, full_at_ - time);
  if (per_call_ != rate.interval.count()) {
    const double calls = static_cast<double>(used) / static_cast<double>(per_call_);
    used = std::llround(std::min(calls * static_cast<double>(rate.interval.count()), kLongest));
  }
  return time + std::min(used, rate.burst.count());
}

std::shared_ptr<Meter> MeterTable::meter(const std::string& name, Meter::Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  auto& meter = meters_[name];
  if (meter != nullptr) return meter;
  meter = std::make_shared<Meter>();
  const auto made = meter;
  if (meters_.size() >= next_sweep_) {
    std::erase_if(meters_,
                  [&](const auto& each) { return each.second.use_count() == 1 && each.second->is_at_rest(now); });
    next_sweep_ = std::max(kFirstSweep, 2 * meters_.size());
  }
  return made;
}

std::size_t MeterTable::size() const {
  const std::lock_guard lock(mutex_);
  return meters_.size();
}

}  // namespace toolhost::access
