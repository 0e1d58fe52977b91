#include "access/failed_sign_ins.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

#include "access/crypto.hpp"

namespace toolhost::access {
namespace {

using std::chrono::milliseconds;
using Clock = FailedSignIns::Clock;

constexpr std::uint64_t kIpv4 = 0xffff'0000'0000'0000;  // ff00::/8 is multicast, where nobody calls from
constexpr std::uint64_t kNoAddress = 0xfffe'0000'0000'0000;

std::uint64_t mixed(std::uint64_t bits) noexcept {  // the finisher of SplitMix64
  bits = (bits ^ (bits >> 30)) * 0xbf58'476d'1ce4'e5b9;
  bits = (bits ^ (bits >> 27)) * 0x94d0'49bb'1331'11eb;
  return bits ^ (bits >> 31);
}

std::uint64_t random_seed() noexcept {
  std::array<std::uint8_t, 8> bytes{};
  fill_random(bytes);
  std::uint64_t seed;
  std::memcpy(&seed, bytes.data(), sizeof seed);
  return seed;
}

std::uint64_t big_endian(const std::uint8_t* bytes, std::size_t count) noexcept {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < count; ++i) number = number << 8 | bytes[i];
  return number;
}

std::int64_t milliseconds_of(Clock::time_point now) noexcept {
  return std::chrono::duration_cast<milliseconds>(now.time_since_epoch()).count();
}

}  // namespace

FailedSignIns::FailedSignIns(std::uint32_t burst, std::chrono::seconds period)
    : period_(std::max<std::int64_t>(milliseconds(period).count(), 1)),
      burst_(period_ * std::max(burst, 1U)),
      seed_(random_seed()),
      debts_(kSets) {}

FailedSignIns::Address FailedSignIns::address(std::string_view text) noexcept {
  constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  std::array<std::uint8_t, 16> bytes{};
  text = text.substr(0, text.find('%'));  // "fe80::1%eth0"
  if (text.size() < terminated.size()) {
    text.copy(terminated.data(), text.size());
    if (::inet_pton(AF_INET, terminated.data(), bytes.data()) == 1) return Address{kIpv4 | big_endian(bytes.data(), 4)};
    if (::inet_pton(AF_INET6, terminated.data(), bytes.data()) == 1) {
      const bool is_mapped = std::equal(kMapped.begin(), kMapped.end(), bytes.begin());
      return Address{is_mapped ? kIpv4 | big_endian(bytes.data() + 12, 4) : big_endian(bytes.data(), 8)};
    }
  }
  return Address{kNoAddress | (std::hash<std::string_view>{}(text) >> 16)};
}

milliseconds FailedSignIns::fail(Address address, Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  Set& set = debts_[hash(address) % kSets];
  Debt* debt = std::find_if(set.begin(), set.end(),
                            [&](const Debt& each) { return each.address == address && each.paid_at != 0; });
  if (debt == set.end()) {
    debt = std::min_element(set.begin(), set.end(), [](const Debt& a, const Debt& b) { return a.paid_at < b.paid_at; });
    *debt = {address, 0};
  }
  if (const auto left = wait(debt->paid_at, now); left > milliseconds::zero()) return left;
  debt->paid_at = std::max(debt->paid_at, milliseconds_of(now)) + period_;
  return milliseconds::zero();
}

std::uint64_t FailedSignIns::hash(Address address) const noexcept {
  return mixed(static_cast<std::uint64_t>(address) ^ seed_);
}

milliseconds FailedSignIns::wait(std::int64_t paid_at, Clock::time_point now) const noexcept {
  const std::int64_t time = milliseconds_of(now);
  return milliseconds(std::max<std::int64_t>(0, std::max(paid_at, time) + period_ - time - burst_));
}

}  // namespace toolhost::access
