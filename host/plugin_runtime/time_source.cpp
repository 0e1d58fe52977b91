#include "plugin_runtime/time_source.hpp"

#include <algorithm>

namespace toolhost::plugin_runtime {

UuidBytes uuid_v7(std::uint64_t ticks, std::uint64_t random) noexcept {
  const auto high = (ticks >> 12) << 16 | 0x7000 | (ticks & 0xfff);
  const auto low = (random & 0x3fff'ffff'ffff'ffff) | 0x8000'0000'0000'0000;
  UuidBytes id{};
  for (unsigned i = 0; i < 8; ++i) {
    id[i] = static_cast<std::uint8_t>(high >> (56 - 8 * i));
    id[8 + i] = static_cast<std::uint8_t>(low >> (56 - 8 * i));
  }
  return id;
}

std::uint64_t uuid_ticks(std::int64_t now_us) noexcept {
  const auto us = static_cast<std::uint64_t>(now_us);
  return ((us / 1000) << 12) | (us % 1000) * 4096 / 1000;
}

SteppedTime::SteppedTime(Moment now, std::uint64_t seed) noexcept : now_(now), random_(seed) {}

void SteppedTime::set(Moment now, std::uint64_t seed) noexcept {
  const std::lock_guard lock(mutex_);
  now_ = now;
  random_ = seed;
  last_ticks_ = 0;
}

void SteppedTime::advance(std::chrono::microseconds by) noexcept {
  const std::lock_guard lock(mutex_);
  now_ += by;
}

SteppedTime::Moment SteppedTime::now() noexcept {
  const std::lock_guard lock(mutex_);
  return now_;
}

std::int64_t SteppedTime::now_us() noexcept {
  return now().time_since_epoch().count();
}

UuidBytes SteppedTime::new_uuid() noexcept {
  const std::lock_guard lock(mutex_);
  last_ticks_ = std::max(uuid_ticks(now_.time_since_epoch().count()), last_ticks_ + 1);
  // SplitMix64: every seed, 0 among them, gives 2^64 different numbers.
  random_ += 0x9e37'79b9'7f4a'7c15;
  auto bits = random_;
  bits = (bits ^ (bits >> 30)) * 0xbf58'476d'1ce4'e5b9;
  bits = (bits ^ (bits >> 27)) * 0x94d0'49bb'1331'11eb;
  return uuid_v7(last_ticks_, bits ^ (bits >> 31));
}

}  // namespace toolhost::plugin_runtime
