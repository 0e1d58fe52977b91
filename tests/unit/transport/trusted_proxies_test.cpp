#include "transport/trusted_proxies.hpp"

#include <gtest/gtest.h>

namespace toolhost::transport {
namespace {

bool contains(std::string_view network, const char* address) {
  const auto parsed = parse_network(network);
  return parsed && parsed->contains(boost::asio::ip::make_address(address));
}

TEST(Network, HoldsTheAddressesThatBeginAlike) {
  EXPECT_TRUE(contains("10.0.0.0/8", "10.255.0.1"));
  EXPECT_FALSE(contains("10.0.0.0/8", "11.0.0.1"));
  EXPECT_TRUE(contains("192.168.4.0/22", "192.168.7.255"));
  EXPECT_FALSE(contains("192.168.4.0/22", "192.168.8.0"));
  EXPECT_TRUE(contains("192.0.2.1", "192.0.2.1"));
  EXPECT_FALSE(contains("192.0.2.1", "192.0.2.2"));
  EXPECT_TRUE(contains("0.0.0.0/0", "203.0.113.9"));
  EXPECT_FALSE(contains("0.0.0.0/0", "2001:db8::1"));
  EXPECT_TRUE(contains("fd00::/8", "fdff::1"));
  EXPECT_FALSE(contains("fd00::/8", "fe00::1"));
  EXPECT_TRUE(contains("2001:db8::/33", "2001:db8:7fff::1"));
  EXPECT_FALSE(contains("2001:db8::/33", "2001:db8:8000::1"));
  EXPECT_TRUE(contains("::/0", "2001:db8::1"));
}

TEST(Network, AMappedAddressIsTheOneItStandsFor) {
  EXPECT_TRUE(contains("10.0.0.0/8", "::ffff:10.1.2.3"));
  EXPECT_TRUE(contains("::ffff:10.1.2.3", "10.1.2.3"));
  EXPECT_FALSE(contains("::/0", "::ffff:10.1.2.3"));
}

TEST(Network, TakesNothingElse) {
  for (const char* text : {"", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8x", "10.0.0/8", "fd00::/129",
                           "proxy", "10.0.0.1:80", "/8", "fe80::1%lo", "10.0.0.0 /8"}) {
    EXPECT_FALSE(parse_network(text)) << text;
  }
}

const TrustedProxies kProxies({"10.0.0.0/8", "2001:db8::/32"});

std::string address_of(std::string_view list) {
  return kProxies.client("10.0.0.1", {.for_addresses = list, .proto = {}, .host = {}}).address;
}

TEST(TrustedProxies, TheClientIsTheLastAddressThatIsNoProxy) {
  EXPECT_EQ(address_of("203.0.113.9"), "203.0.113.9");
  EXPECT_EQ(address_of("1.1.1.1, 203.0.113.9"), "203.0.113.9");
  EXPECT_EQ(address_of("1.1.1.1,203.0.113.9 , 10.2.2.2,\t2001:db8::5"), "203.0.113.9");
  EXPECT_EQ(address_of("127.0.0.1, 203.0.113.9"), "203.0.113.9");
  EXPECT_EQ(address_of("::ffff:203.0.113.9"), "203.0.113.9");
}

TEST(TrustedProxies, AmongProxiesOnlyTheFirstIsTheClient) {
  EXPECT_EQ(address_of("10.3.3.3, 10.2.2.2"), "10.3.3.3");
  EXPECT_EQ(address_of(""), "10.0.0.1");
}

TEST(TrustedProxies, WhatIsNoAddressEndsTheSearch) {
  for (const char* list :
       {"203.0.113.9, unknown", "203.0.113.9,", "203.0.113.9, _hidden", "203.0.113.9, 1.2.3.4.5", "["})
    EXPECT_EQ(address_of(list), "10.0.0.1") << list;
  EXPECT_EQ(address_of("203.0.113.9, unknown, 10.2.2.2"), "10.2.2.2");
}

TEST(TrustedProxies, APortBehindAnAddressDoesNotCount) {
  EXPECT_EQ(address_of("203.0.113.9:4711"), "203.0.113.9");
  EXPECT_EQ(address_of("[2001:4860::1]:4711"), "2001:4860::1");
  EXPECT_EQ(address_of("[2001:4860::1]"), "2001:4860::1");
}

TEST(TrustedProxies, OfProtoAndHostTheLastCounts) {
  const auto client =
      kProxies.client("10.0.0.1", {.for_addresses = {}, .proto = "http, https", .host = "a.test , b.test"});
  EXPECT_EQ(client.proto, "https");
  EXPECT_EQ(client.host, "b.test");
  EXPECT_EQ(kProxies.client("10.0.0.1", {}).host, "");
}

TEST(TrustedProxies, KnowsItsPeers) {
  EXPECT_TRUE(kProxies.contains("10.9.9.9"));
  EXPECT_TRUE(kProxies.contains("::ffff:10.9.9.9"));
  EXPECT_FALSE(kProxies.contains("127.0.0.1"));
  EXPECT_FALSE(kProxies.contains(""));
  EXPECT_FALSE(TrustedProxies().contains("127.0.0.1"));
}

}  // namespace
}  // namespace toolhost::transport
