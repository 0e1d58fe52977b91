#include "access/failed_sign_ins.hpp"

#include <gtest/gtest.h>

namespace toolhost::access {
namespace {

using namespace std::chrono_literals;
constexpr FailedSignIns::Clock::time_point kStart{1000s};

TEST(FailedSignIns, LetsAnAddressFailSoOftenAndThenOnceAPeriod) {
  FailedSignIns failed(20, 3s);
  const auto address = FailedSignIns::address("192.0.2.1");
  for (int i = 0; i < 20; ++i) EXPECT_EQ(failed.fail(address, kStart), 0s);
  EXPECT_EQ(failed.fail(address, kStart), 3s);
  EXPECT_EQ(failed.fail(address, kStart + 1s), 2s);
  EXPECT_EQ(failed.fail(address, kStart + 3s), 0s) << "what was held off does not count";
  EXPECT_EQ(failed.fail(address, kStart + 3s), 3s);
  EXPECT_EQ(failed.fail(FailedSignIns::address("192.0.2.2"), kStart), 0s);
  EXPECT_EQ(failed.fail(address, kStart + 1h), 0s);
}

TEST(FailedSignIns, TakesAnIpv6NetworkAsOneAddress) {
  const auto address = [](std::string_view text) { return FailedSignIns::address(text); };
  EXPECT_EQ(address("2001:db8:1:2::1"), address("2001:db8:1:2:ffff::9"));
  EXPECT_NE(address("2001:db8:1:2::1"), address("2001:db8:1:3::1"));
  EXPECT_EQ(address("::ffff:192.0.2.1"), address("192.0.2.1"));
  EXPECT_NE(address("192.0.2.1"), address("192.0.2.2"));
  EXPECT_NE(address("127.0.0.1"), address("::1"));
  EXPECT_EQ(address("fe80::1%eth0"), address("fe80::1%eth1"));
  EXPECT_NE(address(""), address("unix"));
  EXPECT_NE(address(std::string(1000, 'x')), address(""));
}

TEST(FailedSignIns, KeepsTheWorstOfMoreAddressesThanItHasRoomFor) {
  FailedSignIns failed(20, 3s);
  const auto worst = FailedSignIns::address("192.0.2.1");
  for (int i = 0; i < 20; ++i) failed.fail(worst, kStart);
  for (std::uint64_t i = 0; i < 200'000; ++i) failed.fail(FailedSignIns::Address{i << 20}, kStart);
  EXPECT_EQ(failed.fail(worst, kStart), 3s);
}

}  // namespace
}  // namespace toolhost::access
