#include "access/key_attempts.hpp"

#include <gmock/gmock.h>

namespace toolhost::access {
namespace {

using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

const std::string kKey = "hdsk_AbCdEfGhIjKlMnOpQrStUvWxYz123456";  // 37 characters, wrong checksum

TEST(KeyAttempts, NamesTheUsualMistakes) {
  EXPECT_EQ(flaw_of(""), KeyFlaw::kMissing);
  EXPECT_EQ(flaw_of("hdsk_your_key_here"), KeyFlaw::kPlaceholder);
  EXPECT_EQ(flaw_of("${HELPDESK_KEY}"), KeyFlaw::kVariable);
  EXPECT_EQ(flaw_of("%HELPDESK_KEY%"), KeyFlaw::kVariable);
  EXPECT_EQ(flaw_of("Bearer " + kKey), KeyFlaw::kBearerInside);
  EXPECT_EQ(flaw_of("\"" + kKey + "\""), KeyFlaw::kQuoted);
  EXPECT_EQ(flaw_of("<" + kKey + ">"), KeyFlaw::kQuoted);
  EXPECT_EQ(flaw_of("hdsk_AbCd EfGh"), KeyFlaw::kSpaces);
  EXPECT_EQ(flaw_of("sk-ant-12345"), KeyFlaw::kOtherText);
  EXPECT_EQ(flaw_of(kKey.substr(0, 31)), KeyFlaw::kTooShort);
  EXPECT_EQ(flaw_of(kKey + "7"), KeyFlaw::kTooLong);
  EXPECT_EQ(flaw_of(kKey.substr(0, 36) + "-"), KeyFlaw::kBadCharacter);
  EXPECT_EQ(flaw_of(kKey), KeyFlaw::kBadChecksum);
}

TEST(KeyAttempts, KeepsTheEndAndTheLengthNeverTheKey) {
  KeyAttempts attempts;
  attempts.refused("", "Bearer " + kKey.substr(0, 31), "192.0.2.7", KeyFlaw::kTooShort);
  const auto found = attempts.of({}, "192.0.2.7");
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].header, KeyHeader::kAuthorization);
  EXPECT_EQ(found[0].length, 31U);
  EXPECT_EQ(found[0].tail, kKey.substr(28, 3));
  EXPECT_EQ(found[0].prefix, "");  // of another's key, perhaps
  EXPECT_THAT(attempts.of({}, "192.0.2.8"), IsEmpty());
}

TEST(KeyAttempts, TellsTheEndOfNothingShort) {
  KeyAttempts attempts;
  attempts.refused("hunter2", "", "192.0.2.7", KeyFlaw::kOtherText);
  EXPECT_EQ(attempts.of({}, "192.0.2.7").at(0).tail, "");
}

TEST(KeyAttempts, AreThePersonsByPrefixFromAnywhere) {
  KeyAttempts attempts;
  attempts.refused(kKey.substr(0, 31), "", "198.51.100.1", KeyFlaw::kTooShort);
  const std::vector<std::string> own{kKey.substr(0, 11)}, other{"hdsk_zzzzzz"};
  ASSERT_THAT(attempts.of(own, "192.0.2.7"), SizeIs(1));
  EXPECT_EQ(attempts.of(own, "192.0.2.7")[0].prefix, own[0]);
  EXPECT_THAT(attempts.of(other, "192.0.2.7"), IsEmpty());
}

TEST(KeyAttempts, CountsWhatRepeatsAndKeepsTheLatestFirst) {
  KeyAttempts attempts;
  attempts.refused("", "", "192.0.2.7", KeyFlaw::kMissing);
  for (int i = 0; i < 3; ++i) attempts.refused(kKey, "", "192.0.2.7", KeyFlaw::kUnknown);
  auto found = attempts.of({}, "192.0.2.7");
  ASSERT_THAT(found, SizeIs(2));
  EXPECT_EQ(found[0].flaw, KeyFlaw::kUnknown);
  EXPECT_EQ(found[0].count, 3U);
  for (int i = 0; i < 2000; ++i)
    attempts.refused("", "", "10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250), KeyFlaw::kMissing);
  EXPECT_THAT(attempts.of({}, "192.0.2.7"), IsEmpty());  // bounded
  EXPECT_THAT(attempts.of({}, "10.0.7.249"), SizeIs(1));
}

TEST(KeyAttempts, TheNoiseOfOneAddressHidesNothingOfAnother) {
  KeyAttempts attempts;
  const std::vector<std::string> own{kKey.substr(0, 11)};
  attempts.watch();
  attempts.accepted(Caller{.key_prefix = own[0]}, true, "203.0.113.9");
  attempts.refused(kKey.substr(0, 31), "", "192.0.2.7", KeyFlaw::kTooShort);
  for (int i = 0; i < 600; ++i)
    attempts.refused("junk-of-somebody-" + std::to_string(100 + i), "", "203.0.113.9", KeyFlaw::kOtherText);
  EXPECT_THAT(attempts.of(own, "192.0.2.7"), SizeIs(2)) << "also what was accepted from the noisy address";
  EXPECT_THAT(attempts.of({}, "203.0.113.9"), SizeIs(32));
  EXPECT_EQ(attempts.of({}, "203.0.113.9")[0].tail, "699");
  // A /64 is one neighbour, and many who are noisy make room for each other.
  for (int i = 0; i < 600; ++i)
    attempts.refused("junk-of-somebody-" + std::to_string(i), "", "2001:db8::" + std::to_string(i),
                     KeyFlaw::kOtherText);
  for (int i = 0; i < 2000; ++i)
    attempts.refused("junk-of-somebody-" + std::to_string(i), "", "10.0.0." + std::to_string(i % 50),
                     KeyFlaw::kOtherText);
  EXPECT_THAT(attempts.of(own, "192.0.2.7"), SizeIs(2)) << "who is quiet is heard";
}

TEST(KeyAttempts, NotesAcceptedRequestsOnlyWhileSomebodyWatches) {
  KeyAttempts attempts;
  const Caller caller{.key_prefix = "hdsk_AbCdEf"};
  const std::vector<std::string> own{"hdsk_AbCdEf"};
  attempts.accepted(caller, true, "192.0.2.7");
  EXPECT_THAT(attempts.of(own, ""), IsEmpty());
  attempts.watch();
  attempts.accepted(caller, true, "192.0.2.7");
  EXPECT_THAT(attempts.of(own, ""), SizeIs(1));
  EXPECT_THAT(attempts.of({}, "192.0.2.7"), IsEmpty());  // a neighbour at the same address learns nothing of it
  attempts.watch(KeyAttempts::Clock::now() - std::chrono::hours(1));
  attempts.accepted(caller, false, "192.0.2.7");
  EXPECT_THAT(attempts.of(own, ""), SizeIs(1));
}

}  // namespace
}  // namespace toolhost::access
