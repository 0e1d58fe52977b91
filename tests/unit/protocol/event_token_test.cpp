#include "protocol/event_token.hpp"

#include <gtest/gtest.h>

namespace toolhost::protocol {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::system_clock::time_point kNow{1'800'000'000s};

Secret sealing_key(char fill = 's') {
  return Secret(std::string(32, fill));
}

EventToken token() {
  return {.kind = EventToken::Kind::kCall,
          .key = KeyId{-70'000'000'000},
          .stream = "0123456789abcdef",
          .host = 70'000,
          .expires = 1'800'000'060,
          .rpc_id = "\"a request's id\"",
          .may_have_saved = true};
}

TEST(EventTokens, SayWhatWasSealed) {
  const EventTokens tokens(sealing_key());
  const auto id = tokens.seal(token()) + ".17";
  EXPECT_TRUE(std::all_of(id.begin(), id.end(), [](char c) { return c > 0x20 && c < 0x7f; }));
  const auto place = EventTokens(sealing_key()).open(id, token().key, kNow);
  ASSERT_TRUE(place);
  EXPECT_EQ(place->number, 17U);
  EXPECT_EQ(place->token.kind, EventToken::Kind::kCall);
  EXPECT_EQ(place->token.stream, token().stream);
  EXPECT_EQ(place->token.host, 70'000U);
  EXPECT_EQ(place->token.rpc_id, token().rpc_id);
  EXPECT_TRUE(place->token.may_have_saved);
}

TEST(EventTokens, RefuseAnotherKeyAnotherSealAndEveryChange) {
  const EventTokens tokens(sealing_key());
  const auto id = tokens.seal(token()) + ".1";
  EXPECT_FALSE(tokens.open(id, KeyId{1}, kNow));
  EXPECT_FALSE(EventTokens(sealing_key('x')).open(id, token().key, kNow));
  for (std::size_t at = 0; at + 1 < id.size(); ++at) {
    auto changed = id;
    changed[at] = changed[at] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(tokens.open(changed, token().key, kNow)) << at;
  }
  for (const auto* const text : {"", ".", ".1", "1", "a.b", "a.-1", "a.99999999999"})
    EXPECT_FALSE(tokens.open(text, token().key, kNow)) << text;
}

TEST(EventTokens, RefuseNumbersThatNoStreamHas) {
  const EventTokens tokens(sealing_key());
  const auto id = tokens.seal(token());
  EXPECT_TRUE(tokens.open(id + ".1073741824", token().key, kNow));
  for (const auto* const number : {".1073741825", ".2147483648", ".4294967295", ".4294967296"})
    EXPECT_FALSE(tokens.open(id + number, token().key, kNow)) << number;
}

TEST(EventTokens, Expire) {
  const EventTokens tokens(sealing_key());
  const auto id = tokens.seal(token()) + ".1";
  EXPECT_TRUE(tokens.open(id, token().key, kNow + 60s));
  EXPECT_FALSE(tokens.open(id, token().key, kNow + 61s));
  auto lasting = token();
  lasting.expires = 0;
  EXPECT_TRUE(tokens.open(tokens.seal(lasting) + ".1", token().key, kNow + 100'000h));
}

TEST(EventTokens, NameStreamsAsUuids) {
  EXPECT_EQ(uuid_text("0123456789abcdef"), "30313233-3435-3637-3839-616263646566");
}

}  // namespace
}  // namespace toolhost::protocol
