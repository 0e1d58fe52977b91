#pragma once
#include <array>
#include <chrono>
#include <cstdint>
#include <mutex>

namespace toolhost::plugin_runtime {

/// The bytes of a UUID, in their order of RFC 9562.
using UuidBytes = std::array<std::uint8_t, 16>;

/// A UUIDv7 of these ticks (48 bits of milliseconds, 12 bits of their fraction) and 62 of these random bits.
UuidBytes uuid_v7(std::uint64_t ticks, std::uint64_t random) noexcept;
/// The ticks of a moment, in microseconds since 1970.
std::uint64_t uuid_ticks(std::int64_t now_us) noexcept;

/// What plugins are told of time, and where their ids come from, in place of the system's clock and random numbers. Any
/// thread; called on the path of a call, must not block.
class TimeSource {
 public:
  virtual ~TimeSource() = default;
  /// Microseconds since 1970.
  virtual std::int64_t now_us() noexcept = 0;
  /// Version 7; later ones sort after earlier ones.
  virtual UuidBytes new_uuid() noexcept = 0;
};

/// Time that stands still until it is moved, and ids that follow from it and a seed: the same in every run of the same
/// steps, as long as no two calls run at once.
class SteppedTime final : public TimeSource {
 public:
  using Moment = std::chrono::sys_time<std::chrono::microseconds>;

  SteppedTime(Moment now, std::uint64_t seed) noexcept;
  /// Begins anew. Any thread.
  void set(Moment now, std::uint64_t seed) noexcept;
  /// Any thread.
  void advance(std::chrono::microseconds by) noexcept;
  [[nodiscard]] Moment now() noexcept;

  std::int64_t now_us() noexcept override;
  UuidBytes new_uuid() noexcept override;

 private:
  std::mutex mutex_;  // held for a moment; guards what follows
  Moment now_;
  std::uint64_t random_ = 0, last_ticks_ = 0;
};

}  // namespace toolhost::plugin_runtime
