#include "protocol/session.hpp"

#include <gtest/gtest.h>

#include "base/base64url.hpp"
#include "fakes.hpp"

namespace toolhost::protocol {
namespace {

using namespace std::chrono_literals;
using fakes::RecordingStream;
constexpr SessionTable::Clock::time_point kStart{1000s};
constexpr SessionLimits kLimits{.idle_limit = 60min, .max_sessions_per_key = 3, .max_streams_per_key = 2};

const CallerPtr kOne = fakes::caller(1);
const CallerPtr kTwo = fakes::caller(2);

Secret sealing_key(char fill = 's') {
  return Secret(std::string(32, fill));
}

/// Remembers why it was stopped.
class FakeCall final : public OpenCall {
 public:
  void stop(StopReason reason) noexcept override { stopped = reason; }
  std::optional<StopReason> stopped;
};

class Sessions : public testing::Test {
 protected:
  const Secret key_ = sealing_key();
  SessionTable table_{key_, kLimits};
};

SessionFacts facts_of(Revision revision) {
  return {.revision = revision};
}

TEST(SessionSeal, RecognisesItsOwnIds) {
  const SessionSeal seal(sealing_key());
  for (const auto revision : {Revision::k2024_11_05, Revision::k2025_11_25}) {
    const SessionFacts facts{.revision = revision,
                             .capabilities = {.sampling = true, .form = true},
                             .kind = SessionFacts::Kind::kSse,
                             .host = 70'000};
    const auto id = seal.make(KeyId{7}, facts);
    for (const auto& opened : {seal.open(KeyId{7}, id), SessionSeal(sealing_key()).open(KeyId{7}, id)}) {
      ASSERT_TRUE(opened);
      EXPECT_EQ(opened->revision, revision);
      EXPECT_EQ(opened->capabilities, facts.capabilities);
      EXPECT_EQ(opened->kind, facts.kind);
      EXPECT_EQ(opened->host, 70'000U);
    }
  }
  EXPECT_FALSE(seal.open(KeyId{7}, seal.make(KeyId{7}, {}))->revision);
  EXPECT_NE(seal.make(KeyId{7}, facts_of(kNewestLegacy)), seal.make(KeyId{7}, facts_of(kNewestLegacy)));
}

TEST(SessionSeal, RecognisesIdsOfTheFormerFormat) {
  // Made for key 7 and 2025-06-18 by a host of the former format.
  std::string bytes{
      "\x01\x02"
      "0123456789abcdef"};
  const auto digest =
      access::Hmac(sealing_key())
          .digest({"toolhost session id", std::string_view("\0", 1), "7", std::string_view("\0", 1), bytes});
  bytes.append(reinterpret_cast<const char*>(digest.data()), 16);
  const auto opened = SessionSeal(sealing_key()).open(KeyId{7}, to_base64url(bytes));
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->revision, Revision::k2025_06_18);
  EXPECT_EQ(opened->capabilities, ClientCapabilities{});
}

TEST(SessionSeal, MakesVisibleAsciiThatFitsAHeader) {
  const auto id = SessionSeal(sealing_key()).make(KeyId{7}, facts_of(kNewestLegacy));
  EXPECT_EQ(id.size(), 55U);
  EXPECT_TRUE(std::all_of(id.begin(), id.end(), [](char c) { return c > 0x20 && c < 0x7f; }));
}

TEST(SessionSeal, RefusesAnotherKeyAnotherSealAndEveryChange) {
  const SessionSeal seal(sealing_key());
  const auto id = seal.make(KeyId{7}, facts_of(kNewestLegacy));
  EXPECT_FALSE(seal.open(KeyId{8}, id));
  EXPECT_FALSE(SessionSeal(sealing_key('x')).open(KeyId{7}, id));
  EXPECT_FALSE(seal.open(KeyId{7}, ""));
  EXPECT_FALSE(seal.open(KeyId{7}, id.substr(1)));
  EXPECT_FALSE(seal.open(KeyId{7}, id + "A"));
  for (std::size_t at = 0; at < id.size(); ++at) {
    auto changed = id;
    changed[at] = changed[at] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(seal.open(KeyId{7}, changed)) << at;
  }
}

TEST_F(Sessions, ThatWereEndedElsewhereAreUnknown) {
  const auto here = table_.create(*kOne, kNewestLegacy, kStart);
  SessionTable other{key_, kLimits};
  const auto later = std::chrono::system_clock::now() + 1h;
  ASSERT_NE(other.find(*kOne, here->id(), kStart), nullptr);
  other.forget(KeyId{1}, access::sha256(here->id()), later);
  EXPECT_EQ(other.find(*kOne, here->id(), kStart), nullptr) << "in memory";
  SessionTable third{key_, kLimits};
  third.forget(KeyId{1}, access::sha256(here->id()), later);
  EXPECT_EQ(third.find(*kOne, here->id(), kStart), nullptr) << "recovered";
  third.forget(KeyId{1}, access::sha256(here->id()), std::chrono::system_clock::now() - 1s);
  EXPECT_NE(third.find(*kOne, here->id(), kStart), nullptr) << "not for ever";
}

TEST_F(Sessions, OfHttpAndSseDoNotStandInForEachOther) {
  const auto stream = table_.open_stream(*kOne, std::make_shared<RecordingStream>());
  EXPECT_EQ(table_.find(*kOne, stream->id(), kStart), nullptr);
  EXPECT_EQ(table_.find_stream(*kOne, table_.create(*kOne, kNewestLegacy, kStart)->id()), nullptr);
}

TEST_F(Sessions, KeepWhatTheyAreToldForAClientThatComesBack) {
  const auto session = table_.create(*kOne, kNewestLegacy, kStart);
  const auto first = std::make_shared<RecordingStream>(), second = std::make_shared<RecordingStream>();
  table_.attach(*kOne, session, first, {.token = "t"});
  session->tell("1");
  table_.detach(session, *first);
  session->tell("2");
  session->tell("3");
  EXPECT_EQ(table_.attach(*kOne, session, second, {.token = "t", .after = 1}), SessionTable::Attaching::kAttached);
  session->tell("4");
  EXPECT_EQ(first->events, std::vector<std::string>{"message 1"});
  EXPECT_EQ(second->events, (std::vector<std::string>{"message 2", "message 3", "message 4"}));
  const auto third = std::make_shared<RecordingStream>();
  EXPECT_EQ(table_.attach(*kOne, session, third, {.token = "t", .after = 3}), SessionTable::Attaching::kAttached);
  EXPECT_TRUE(second->is_closed) << "a stream that is half-open does not keep its client out";
  EXPECT_EQ(third->events, std::vector<std::string>{"message 4"});
}

TEST_F(Sessions, FollowAsManyResourcesAsFit) {
  Session session("s", *fakes::caller(1), SessionFacts{});
  const auto uri = [](int number) { return std::to_string(1000 + number) + std::string(2044, 'u'); };
  for (int i = 0; i < 128; ++i) ASSERT_TRUE(session.subscribe(uri(i)));
  EXPECT_FALSE(session.subscribe("one:more"));
  EXPECT_TRUE(session.subscribe(uri(0))) << "it does so already";
  session.unsubscribe(uri(0));
  session.unsubscribe(uri(0));
  EXPECT_TRUE(session.subscribe("one:more"));
  EXPECT_FALSE(session.subscribe(uri(0)));
  session.end(StopReason::kSessionEnded);
  EXPECT_FALSE(session.is_subscribed("one:more"));
  EXPECT_FALSE(session.subscribe("one:more"));
}

TEST_F(Sessions, AreFoundByTheirKeyOnly) {
  const auto session = table_.create(*kOne, Revision::k2025_06_18, kStart);
  EXPECT_EQ(table_.find(*kOne, session->id(), kStart), session);
  EXPECT_EQ(table_.find(*kTwo, session->id(), kStart), nullptr);
  EXPECT_EQ(table_.find(*kOne, "garbage", kStart), nullptr);
  EXPECT_EQ(table_.find(*kOne, "", kStart), nullptr);
}

TEST_F(Sessions, AreRecoveredAfterARestart) {
  const auto id = table_.create(*kOne, Revision::k2025_06_18, kStart)->id();
  SessionTable restarted(key_, kLimits);
  EXPECT_EQ(restarted.find_remembered(*kOne, id, kStart), nullptr);
  const auto session = restarted.find(*kOne, id, kStart);
  ASSERT_NE(session, nullptr);
  EXPECT_EQ(session->revision(), Revision::k2025_06_18);
  EXPECT_EQ(restarted.find(*kOne, id, kStart), session);
  EXPECT_EQ(restarted.find(*kTwo, id, kStart), nullptr);
}

TEST_F(Sessions, StayEnded) {
  const auto session = table_.create(*kOne, kNewestLegacy, kStart);
  EXPECT_FALSE(table_.end(*kTwo, session->id(), kStart));
  EXPECT_TRUE(table_.end(*kOne, session->id(), kStart));
  EXPECT_EQ(table_.find(*kOne, session->id(), kStart), nullptr);
  EXPECT_FALSE(table_.end(*kOne, session->id(), kStart));
}

TEST_F(Sessions, OfAKeyGiveWayLongestIdleFirst) {
  const auto first = table_.create(*kOne, kNewestLegacy, kStart);
  const auto second = table_.create(*kOne, kNewestLegacy, kStart);
  const auto other = table_.create(*kTwo, kNewestLegacy, kStart);
  table_.create(*kOne, kNewestLegacy, kStart);
  table_.find(*kOne, first->id(), kStart + 1s);
  table_.create(*kOne, kNewestLegacy, kStart + 2s);
  EXPECT_EQ(second->ended(), StopReason::kSessionEnded);
  EXPECT_FALSE(first->ended());
  EXPECT_FALSE(other->ended());
  // The id still proves itself.
  EXPECT_NE(table_.find(*kOne, second->id(), kStart + 3s), nullptr);
}

TEST_F(Sessions, AreForgottenWhenIdle) {
  const auto idle = table_.create(*kOne, kNewestLegacy, kStart);
  const auto used = table_.create(*kOne, kNewestLegacy, kStart);
  const auto streaming = table_.create(*kOne, kNewestLegacy, kStart);
  auto stream = std::make_shared<RecordingStream>();
  ASSERT_EQ(table_.attach(*kOne, streaming, stream), SessionTable::Attaching::kAttached);
  table_.find(*kOne, used->id(), kStart + 30min);
  table_.create(*fakes::caller(17), kNewestLegacy,
                kStart + 61min);  // of the same shard: its arrival is when somebody looks
  EXPECT_EQ(table_.size(), 3U);
  EXPECT_EQ(table_.find_remembered(*kOne, idle->id(), kStart + 61min), nullptr);
  EXPECT_EQ(table_.find_remembered(*kOne, used->id(), kStart + 61min), used);
  EXPECT_FALSE(stream->is_closed);
}

TEST_F(Sessions, HaveOneStreamAtATime) {
  const auto session = table_.create(*kOne, kNewestLegacy, kStart);
  const auto first = std::make_shared<RecordingStream>();
  const auto second = std::make_shared<RecordingStream>();
  EXPECT_EQ(table_.attach(*kOne, session, first), SessionTable::Attaching::kAttached);
  EXPECT_EQ(table_.attach(*kOne, session, second), SessionTable::Attaching::kOccupied);
  table_.detach(session, *first);
  EXPECT_EQ(table_.attach(*kOne, session, second), SessionTable::Attaching::kAttached);
}

TEST_F(Sessions, OfBothTransportsShareTheLimitOfStreams) {
  const auto session = table_.create(*kOne, kNewestLegacy, kStart);
  const auto stream = std::make_shared<RecordingStream>();
  const auto legacy = table_.open_stream(*kOne, stream);
  ASSERT_NE(legacy, nullptr);
  EXPECT_EQ(table_.attach(*kOne, session, std::make_shared<RecordingStream>()), SessionTable::Attaching::kAttached);
  EXPECT_EQ(table_.open_stream(*kOne, std::make_shared<RecordingStream>()), nullptr);
  EXPECT_NE(table_.open_stream(*kTwo, std::make_shared<RecordingStream>()), nullptr);
  table_.close_stream(legacy);
  EXPECT_NE(table_.open_stream(*kOne, std::make_shared<RecordingStream>()), nullptr);
}

TEST_F(Sessions, ComeBackToAStreamAtTheLimit) {
  const auto session = table_.create(*kOne, kNewestLegacy, kStart);
  table_.open_stream(*kOne, std::make_shared<RecordingStream>());
  const auto half_open = std::make_shared<RecordingStream>();
  ASSERT_EQ(table_.attach(*kOne, session, half_open, {.token = "t"}), SessionTable::Attaching::kAttached);
  EXPECT_EQ(table_.attach(*kOne, session, std::make_shared<RecordingStream>(), {.token = "t", .after = 0}),
            SessionTable::Attaching::kAttached);
  table_.detach(session, *half_open);
  EXPECT_EQ(table_.counts().streams, 2U);
  const auto other = table_.create(*kOne, kNewestLegacy, kStart);
  EXPECT_EQ(table_.attach(*kOne, other, std::make_shared<RecordingStream>(), {.token = "t", .after = 0}),
            SessionTable::Attaching::kTooMany);
}

TEST_F(Sessions, OfAStreamBelongToItsKeyAndEndWithIt) {
  const auto stream = std::make_shared<RecordingStream>();
  const auto session = table_.open_stream(*kOne, stream);
  EXPECT_EQ(table_.find_stream(*kOne, session->id()), session);
  EXPECT_EQ(table_.find_stream(*kTwo, session->id()), nullptr);
  const auto call = std::make_shared<FakeCall>();
  session->open_call("1", call);
  table_.close_stream(session);
  EXPECT_EQ(table_.find_stream(*kOne, session->id()), nullptr);
  EXPECT_EQ(call->stopped, StopReason::kSessionEnded);
}

TEST_F(Sessions, RefuseAnIdThatIsOpen) {
  const auto session = table_.create(*kOne, kNewestLegacy, kStart);
  const auto call = std::make_shared<FakeCall>();
  EXPECT_EQ(session->open_call("7", call), Session::Opening::kOpened);
  EXPECT_EQ(session->open_call("7", call), Session::Opening::kDuplicate);
  EXPECT_EQ(session->open_call("\"7\"", call), Session::Opening::kOpened);
  session->close_call("7");
  EXPECT_EQ(session->open_call("7", call), Session::Opening::kOpened);
}

TEST_F(Sessions, CancelOneCallByItsId) {
  const auto session = table_.create(*kOne, kNewestLegacy, kStart);
  const auto wanted = std::make_shared<FakeCall>(), other = std::make_shared<FakeCall>();
  session->open_call("7", wanted);
  session->open_call("8", other);
  session->cancel_call("7");
  session->cancel_call("9");
  EXPECT_EQ(wanted->stopped, StopReason::kCancelledByClient);
  EXPECT_FALSE(other->stopped);
}

TEST_F(Sessions, EndWithTheirKey) {
  const auto session = table_.create(*kOne, kNewestLegacy, kStart);
  const auto stream = std::make_shared<RecordingStream>(), legacy_stream = std::make_shared<RecordingStream>();
  table_.attach(*kOne, session, stream);
  table_.open_stream(*kOne, legacy_stream);
  const auto call = std::make_shared<FakeCall>(), lone_call = std::make_shared<FakeCall>();
  session->open_call("1", call);
  table_.without_session(*kOne)->open_call("c-1", lone_call);
  const auto untouched = table_.create(*kTwo, kNewestLegacy, kStart);

  table_.end_key(kOne->key_id, StopReason::kKeyRevoked, kStart);

  EXPECT_TRUE(stream->is_closed);
  EXPECT_TRUE(legacy_stream->is_closed);
  EXPECT_EQ(call->stopped, StopReason::kKeyRevoked);
  EXPECT_EQ(lone_call->stopped, StopReason::kKeyRevoked);
  EXPECT_EQ(session->open_call("2", call), Session::Opening::kEnded);
  EXPECT_FALSE(untouched->ended());
}

TEST_F(Sessions, OfAKeyThatIsEnabledAgainBeginAnew) {
  const auto before = table_.create(*kOne, kNewestLegacy, kStart);
  const auto seen = table_.endings();
  table_.end_key(kOne->key_id, StopReason::kKeyRevoked, kStart);
  table_.verified(*kOne, seen);
  EXPECT_TRUE(table_.without_session(*kOne)->ended()) << "it was verified before its end";
  table_.verified(*kTwo, table_.endings());
  EXPECT_TRUE(table_.without_session(*kOne)->ended()) << "another key was";
  table_.verified(*kOne, table_.endings());
  EXPECT_FALSE(table_.without_session(*kOne)->ended());
  EXPECT_FALSE(table_.create(*kOne, kNewestLegacy, kStart)->ended());
  EXPECT_TRUE(before->ended());
}

TEST_F(Sessions, AreToldWhatConcernsTheirKeyOnceTheyAreInitialized) {
  const auto session = table_.create(*kOne, kNewestLegacy, kStart);
  const auto without_stream = table_.create(*kOne, kNewestLegacy, kStart);
  const auto stream = std::make_shared<RecordingStream>(), legacy_stream = std::make_shared<RecordingStream>(),
             other_stream = std::make_shared<RecordingStream>();
  table_.attach(*kOne, session, stream);
  const auto legacy = table_.open_stream(*kOne, legacy_stream);
  table_.open_stream(*kTwo, other_stream)->set_revision(kNewestLegacy);
  table_.tell(kOne->key_id, "first");
  legacy->set_revision(Revision::k2024_11_05);
  table_.tell(kOne->key_id, "second");
  table_.tell(KeyId{99}, "to nobody");
  EXPECT_EQ(stream->events, (std::vector<std::string>{"message first", "message second"}));
  EXPECT_EQ(legacy_stream->events, (std::vector<std::string>{"message second"}));
  EXPECT_TRUE(other_stream->events.empty());
  EXPECT_EQ(table_.counts().sessions, 4U);
  EXPECT_EQ(table_.counts().streams, 3U);
}

TEST_F(Sessions, OfAKeyThatHasEndedHaveEndedToo) {
  // A request that was verified just before the key was deleted looks for its session just after.
  const auto id = table_.create(*kOne, kNewestLegacy, kStart)->id();
  const auto kept = table_.create(*kOne, kNewestLegacy, kStart);
  table_.end_key(kOne->key_id, StopReason::kKeyRevoked, kStart);
  const auto call = std::make_shared<FakeCall>();
  EXPECT_EQ(table_.without_session(*kOne)->open_call("c-1", call), Session::Opening::kEnded);
  EXPECT_EQ(table_.without_session(*kOne)->ended(), StopReason::kKeyRevoked);
  EXPECT_EQ(table_.find(*kOne, id, kStart), nullptr);
  EXPECT_EQ(table_.create(*kOne, kNewestLegacy, kStart)->ended(), StopReason::kKeyRevoked);
  const auto stream = std::make_shared<RecordingStream>();
  EXPECT_EQ(table_.attach(*kOne, kept, stream), SessionTable::Attaching::kEnded);
  const auto legacy = table_.open_stream(*kOne, stream);
  ASSERT_NE(legacy, nullptr);
  EXPECT_EQ(legacy->ended(), StopReason::kKeyRevoked);
  EXPECT_EQ(legacy->stream(), nullptr);
  EXPECT_EQ(table_.size(), 0U);
  EXPECT_FALSE(table_.without_session(*kTwo)->ended());
  // It is not remembered for ever.
  table_.create(*fakes::caller(17), kNewestLegacy, kStart + 10min);
  EXPECT_FALSE(table_.without_session(*kOne)->ended());
}

TEST_F(Sessions, AllEndAtShutdown) {
  const auto session = table_.create(*kOne, kNewestLegacy, kStart);
  const auto stream = std::make_shared<RecordingStream>();
  table_.open_stream(*kTwo, stream);
  table_.end_all(StopReason::kShutdown);
  EXPECT_EQ(session->ended(), StopReason::kShutdown);
  EXPECT_TRUE(stream->is_closed);
  EXPECT_EQ(table_.size(), 0U);
}

}  // namespace
}  // namespace toolhost::protocol
