// Answers that become streams, and clients that come back for them.
#include "integration/protocol/stream_client.hpp"

namespace toolhost::protocol {
namespace {

using namespace std::chrono_literals;

class StreamsTest : public McpHostTest {
 protected:
  StreamsTest() { setup_.plugins = {"echo", "slow", "ledger"}; }
  void begin_anew(const StreamsConfig& streams) {
    stop();
    setup_.streams = streams;
    start();
  }
  StreamClient call_book(const std::string& session, const std::string& marker, int ms) const {
    return {port_, http("POST", "/mcp", key_, session + kTakesStreams, book(marker, ms))};
  }
};

TEST_F(StreamsTest, ProgressMakesTheAnswerAStream) {
  auto client = call_book(open_session(), "a", 300);
  ASSERT_TRUE(client.is_stream()) << client.head;
  EXPECT_NE(client.head.find("X-Accel-Buffering: no\r\n"), std::string::npos);
  const auto events = client.rest();
  ASSERT_GE(events.size(), 3U);
  EXPECT_EQ(events[0].data, "");
  EXPECT_EQ(events[0].retry, "2000");
  for (std::size_t i = 0; i < events.size(); ++i) EXPECT_EQ(number_of(events[i]), static_cast<int>(i));
  EXPECT_NE(events[1].data.find(R"("method":"notifications/progress")"), std::string::npos) << events[1].data;
  EXPECT_NE(events.back().data.find(R"({"jsonrpc":"2.0","id":1,"result":)"), std::string::npos) << events.back().data;
  EXPECT_NE(events.back().data.find("booked a"), std::string::npos);
}

TEST_F(StreamsTest, OlderRevisionsGetNoEventWithoutAMessage) {
  auto client = call_book(open_session("2025-06-18"), "b", 150);
  const auto first = client.next();
  ASSERT_TRUE(first);
  EXPECT_NE(first->data.find("notifications/progress"), std::string::npos);
  EXPECT_EQ(number_of(*first), 1);
  EXPECT_EQ(first->retry, "");
}

TEST_F(StreamsTest, WhoeverTakesJsonOnlyGetsJson) {
  const auto session = open_session();
  for (const auto* const accept : {"", "Accept: application/json\r\n", "Accept: */*\r\n"}) {
    const auto response = post(book("c", 100), session + accept);
    EXPECT_TRUE(response.has_field("Content-Type: application/json")) << response.head;
    EXPECT_NE(response.body.find("booked c"), std::string::npos);
  }
}

TEST_F(StreamsTest, ACallThatTakesLongBecomesAStream) {
  StreamClient client(port_,
                      http("POST", "/mcp", key_, open_session() + kTakesStreams, call("7", "sleep", R"({"ms":2500})")));
  ASSERT_TRUE(client.is_stream());
  const auto events = client.rest();
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].data, "");
  EXPECT_NE(events[1].data.find("slept"), std::string::npos);
  const auto quick = post(call("8", "sleep", R"({"ms":100})"), open_session() + kTakesStreams);
  EXPECT_TRUE(quick.has_field("Content-Type: application/json")) << quick.head;
}

TEST_F(StreamsTest, AClientThatComesBackMissesNothing) {
  const auto session = open_session();
  std::string seen;
  {
    auto client = call_book(session, "d", 1000);
    client.next();
    seen = client.next().value_or(SseEvent{}).id;
  }
  StreamClient again(port_, get_again(key_, session, seen));
  ASSERT_TRUE(again.is_stream()) << again.head;
  const auto events = again.rest();
  ASSERT_GE(events.size(), 2U);
  EXPECT_EQ(number_of(events[0]), 1) << "says where the client stands";
  EXPECT_EQ(events[0].data, "");
  for (std::size_t i = 1; i < events.size(); ++i) EXPECT_EQ(number_of(events[i]), static_cast<int>(i) + 1);
  EXPECT_NE(events.back().data.find("booked d"), std::string::npos);
  // The answer is there for whoever lost it on the way; without a session field, too.
  const auto once_more = StreamClient(port_, get_again(key_, {}, events[events.size() - 2].id)).rest();
  ASSERT_EQ(once_more.size(), 2U);
  EXPECT_EQ(once_more.back().data, events.back().data);
}

TEST_F(StreamsTest, AStreamThatIsHalfOpenDoesNotKeepItsClientOut) {
  const auto session = open_session();
  auto first = call_book(session, "e", 1000);
  const auto seen = first.next().value_or(SseEvent{}).id;
  StreamClient second(port_, get_again(key_, session, seen));
  EXPECT_TRUE(second.is_stream());
  EXPECT_NE(second.rest().back().data.find("booked e"), std::string::npos);
  const auto rest = first.rest();
  EXPECT_TRUE(rest.empty() || rest.back().data.find("booked e") == std::string::npos) << "not on two streams";
}

TEST_F(StreamsTest, OnlyItsKeyComesBackToAStream) {
  const auto session = open_session();
  auto client = call_book(session, "f", 200);
  const auto id = client.next().value_or(SseEvent{}).id;
  EXPECT_EQ(ask(get_again(add_key(), {}, id)).status, 400U);
  auto changed = id;
  changed[5] = changed[5] == 'A' ? 'B' : 'A';
  EXPECT_EQ(ask(get_again(key_, session, changed)).status, 400U);
  EXPECT_EQ(ask(get_again(key_, session, "nonsense")).status, 400U);
  EXPECT_EQ(ask(get_again(key_, {}, id.substr(0, id.find('.')))).status, 400U);
}

TEST_F(StreamsTest, WhatWasNeverSentWasNeverSeen) {
  const auto session = open_session();
  auto client = call_book(session, "n", 1000);
  const auto id = client.next().value_or(SseEvent{}).id;
  const auto token = id.substr(0, id.rfind('.'));
  const auto refuses = [&](const std::string& number) {
    return ask(get_again(key_, session, token + '.' + number)).status == 400U;
  };
  for (const auto* const number : {"1000", "4294967295", "4294967296"}) EXPECT_TRUE(refuses(number)) << number;
  const auto events = client.rest();
  ASSERT_FALSE(events.empty());
  EXPECT_NE(events.back().data.find("booked n"), std::string::npos) << "its client was left alone";
  EXPECT_TRUE(refuses(std::to_string(number_of(events.back()) + 1)));
  EXPECT_TRUE(StreamClient(port_, get_again(key_, session, events.back().id)).is_stream());
}

TEST_F(StreamsTest, TheAnswerIsKeptWhateverMemoryThereIs) {
  begin_anew({.memory = 300});
  const auto session = open_session();
  std::string first;
  {
    auto client = call_book(session, "g", 600);
    first = client.next().value_or(SseEvent{}).id;
  }
  const auto events = StreamClient(port_, get_again(key_, session, first)).rest();
  ASSERT_FALSE(events.empty());
  EXPECT_NE(events.back().data.find("booked g"), std::string::npos);
}

TEST_F(StreamsTest, EndWithTheirKey) {
  auto client = call_book(open_session(), "h", 20'000);
  const auto id = client.next().value_or(SseEvent{}).id;
  delete_key(key_);
  const auto rest = client.rest();
  EXPECT_TRUE(rest.empty() || rest.back().data.find("\"id\":1") == std::string::npos);
  EXPECT_EQ(ask(get_again(key_, {}, id)).status, 401U);
}

TEST_F(StreamsTest, ASessionIsToldWhatItMissed) {
  const auto session = open_session();
  const auto key = gatekeeper_->authenticate(key_, "", "127.0.0.1").value()->key_id;
  const auto open = [&](const std::string& fields) {
    return StreamClient(port_, http("GET", "/mcp", key_, session + "Accept: text/event-stream\r\n" + fields));
  };
  std::string seen;
  {
    auto stream = open({});
    ASSERT_TRUE(stream.is_stream());
    EXPECT_EQ(stream.next().value_or(SseEvent{}).retry, "2000");
    endpoint_->lists_changed(std::span(&key, 1), kToolsList);
    seen = stream.next().value_or(SseEvent{}).id;
    EXPECT_NE(seen, "");
  }
  ASSERT_TRUE(eventually([&] { return endpoint_->counts().streams == 0; }));
  endpoint_->lists_changed(std::span(&key, 1), kToolsList);
  auto again = open("Last-Event-ID: " + seen + "\r\n");
  ASSERT_TRUE(again.is_stream()) << again.head;
  EXPECT_EQ(again.next().value_or(SseEvent{}).data, "");
  const auto missed = again.next().value_or(SseEvent{});
  EXPECT_EQ(number_of(missed), 2);
  EXPECT_NE(missed.data.find("tools/list_changed"), std::string::npos);
}

TEST_F(StreamsTest, AnSseClientThatComesBackIsKnown) {
  const auto opened = [&](const std::string& fields) {
    return StreamClient(port_, http("GET", "/sse", key_, "Accept: text/event-stream\r\n" + fields));
  };
  const auto echo = call("1", "echo", R"({"text":"x"})");
  std::string seen;
  {
    auto stream = opened({});
    const auto url = stream.next().value_or(SseEvent{}).data;
    EXPECT_EQ(post(initialize("2024-11-05"), {}, url).status, 202U);
    seen = stream.next().value_or(SseEvent{}).id;
    EXPECT_NE(seen, "");
  }
  stop();
  start();
  auto again = opened("Last-Event-ID: " + seen + "\r\n");
  EXPECT_EQ(post(echo, {}, again.next().value_or(SseEvent{}).data).status, 202U);
  EXPECT_EQ(again.next().value_or(SseEvent{}).data.find("structuredContent"), std::string::npos)
      << "the revision that was agreed on has none";
  auto stranger = opened({});
  EXPECT_EQ(post(echo, {}, stranger.next().value_or(SseEvent{}).data).status, 202U);
  EXPECT_NE(stranger.next().value_or(SseEvent{}).data.find("structuredContent"), std::string::npos);
}

}  // namespace
}  // namespace toolhost::protocol
