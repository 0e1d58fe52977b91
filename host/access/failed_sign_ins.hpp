#pragma once
#include <array>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string_view>
#include <vector>

namespace toolhost::access {

/// Who presents keys that are refused, by address (IPv6: by /64). Memory is fixed: when it is full, the address with
/// the least on it is forgotten. The time is an argument. Any thread.
class FailedSignIns {
 public:
  using Clock = std::chrono::steady_clock;
  /// An address, or the network it stands for.
  enum class Address : std::uint64_t {};

  /// `burst` failures at once, then one each `period`.
  FailedSignIns(std::uint32_t burst, std::chrono::seconds period);

  /// Of the text of an address; what is none counts as an address of its own. No allocation.
  static Address address(std::string_view text) noexcept;

  /// Counts a failure, and answers how long the address had to wait for it: then it is not counted.
  std::chrono::milliseconds fail(Address address, Clock::time_point now);

 private:
  static constexpr std::size_t kWays = 4, kSets = 4096;
  struct Debt {
    Address address{};
    std::int64_t paid_at = 0;  ///< milliseconds of Clock: when nothing is left of the address's failures
  };
  using Set = std::array<Debt, kWays>;

  [[nodiscard]] std::uint64_t hash(Address address) const noexcept;
  [[nodiscard]] std::chrono::milliseconds wait(std::int64_t paid_at, Clock::time_point now) const noexcept;

  const std::int64_t period_, burst_;  // milliseconds
  const std::uint64_t seed_;           // nobody outside can tell which addresses share a set
  std::mutex mutex_;
  std::vector<Set> debts_;
};

}  // namespace toolhost::access
