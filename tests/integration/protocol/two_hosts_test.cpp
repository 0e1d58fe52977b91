// Two hosts on one database: what one begins, the other goes on with, or says what became of it.
#include "integration/protocol/stream_client.hpp"

namespace toolhost::protocol {
namespace {

using namespace std::chrono_literals;

class TwoHostsTest : public McpHostTest {
 protected:
  TwoHostsTest() {
    setup_.plugins = {"slow", "ledger", "ask", "catalog"};
    setup_.has_store = true;
  }
  void SetUp() override {
    McpHostTest::SetUp();
    postgres_.run_sql("truncate toolhost.session_wishes");
    other_ = start_host(postgres_.address(), directory_ / "store", events_, setup_);
    EXPECT_TRUE(eventually([&] { return streams_->has_others() && other_.streams->has_others(); }));
  }
  void TearDown() override {
    other_.stop();
    if (start_again_) start();
    McpHostTest::TearDown();
  }
  [[nodiscard]] std::uint16_t other() const { return other_.server->port(); }
  RawResponse ask_other(std::string_view request) const {
    RawClient client(other());
    client.send(request);
    return client.read_response();
  }
  /// What the other host says in the end: while it cannot know, it ends the stream, and the client asks again.
  std::vector<SseEvent> come_back(const std::string& session, const std::string& seen) const {
    std::vector<SseEvent> events;
    eventually([&] {
      events = StreamClient(other(), get_again(key_, session, seen)).rest();
      return !events.empty();
    });
    return events;
  }
  /// As if the host had been killed: nobody is told anything.
  void lose_first() {
    stop();
    start_again_ = true;
  }
  std::string times_booked(const std::string& marker) {
    return postgres_.run_sql("select count(*) from ledger.entries where marker = '" + marker + "'");
  }
  std::string add_key_of_both() {
    auto key = add_key();
    EXPECT_TRUE(eventually([&] { return other_.gatekeeper->authenticate(key, "", "127.0.0.1").has_value(); }));
    return key;
  }
  static std::string ping() { return R"({"jsonrpc":"2.0","id":1,"method":"ping"})"; }
  static std::string set_level(const std::string& level) {
    return R"({"jsonrpc":"2.0","id":1,"method":"logging/setLevel","params":{"level":")" + level + "\"}}";
  }
  static std::string follow(const std::string& how, const std::string& uri) {
    return R"({"jsonrpc":"2.0","id":1,"method":"resources/)" + how + R"(","params":{"uri":")" + uri + "\"}}";
  }
  static std::string announce(const std::string& uri) {
    return call("7", "announce_change", R"({"uri":")" + uri + "\"}");
  }
  static std::string all_of(const std::vector<SseEvent>& events) {
    std::string text;
    for (const auto& event : events) text += event.data + "\n";
    return text;
  }
  static std::string heard_until(EventStream& stream, const std::string& last) {
    std::string heard;
    while (heard.find(last) == std::string::npos) {
      const auto message = stream.next();
      if (message.empty()) break;
      heard += message + "\n";
    }
    return heard;
  }
  StreamClient call_book(const std::string& session, const std::string& marker, int ms) const {
    return {port_, http("POST", "/mcp", key_, session + kTakesStreams, book(marker, ms))};
  }

  McpHostParts other_;
  bool start_again_ = false;  ///< what McpHostTest stops
};

TEST_F(TwoHostsTest, ASessionGoesOnAndEndsOnBoth) {
  const auto session = open_session();
  const auto ping = http("POST", "/mcp", key_, session, TwoHostsTest::ping());
  EXPECT_EQ(ask_other(ping).status, 200U);
  EXPECT_EQ(ask(http("DELETE", "/mcp", key_, session)).status, 200U);
  const auto ended = std::chrono::steady_clock::now();
  EXPECT_TRUE(eventually([&] { return ask_other(ping).status == 404; }));
  EXPECT_LT(std::chrono::steady_clock::now() - ended, 1s);
  // Also where it was never seen, and behind a restart.
  stop();
  start();
  EXPECT_TRUE(eventually([&] { return ask(ping).status == 404; }));
}

TEST_F(TwoHostsTest, ARunningCallIsFollowedFromTheOtherHost) {
  const auto session = open_session();
  std::string seen;
  {
    auto client = call_book(session, "followed", 2500);
    client.next();
    seen = client.next().value_or(SseEvent{}).id;
  }
  StreamClient again(other(), get_again(key_, session, seen));
  ASSERT_TRUE(again.is_stream()) << again.head;
  const auto events = again.rest();
  ASSERT_GE(events.size(), 2U);
  EXPECT_NE(events[0].data.find("progress"), std::string::npos) << events[0].data;
  EXPECT_NE(events.back().data.find("booked followed"), std::string::npos) << events.back().data;
}

TEST_F(TwoHostsTest, AnAnswerOutlivesItsHost) {
  const auto session = open_session();
  std::string seen;
  {
    auto client = call_book(session, "kept", 300);
    seen = client.next().value_or(SseEvent{}).id;
    EXPECT_NE(client.rest().back().data.find("booked kept"), std::string::npos);
  }
  lose_first();
  for (int times = 0; times < 2; ++times) {
    const auto events = come_back(session, seen);
    ASSERT_EQ(events.size(), 1U);
    EXPECT_NE(events[0].data.find("booked kept"), std::string::npos) << events[0].data;
  }
}

TEST_F(TwoHostsTest, ACallThatIsSilentForLongIsFollowedToo) {
  const auto session = open_session();
  std::string seen;
  {
    StreamClient client(port_,
                        http("POST", "/mcp", key_, session + kTakesStreams, call("1", "sleep", R"({"ms":6500})")));
    ASSERT_TRUE(client.is_stream()) << client.head;
    seen = client.next().value_or(SseEvent{}).id;
  }
  StreamClient first(other(), get_again(key_, session, seen));
  ASSERT_TRUE(first.is_stream()) << first.head;
  std::this_thread::sleep_for(3500ms);  // the other host is looked at again every two seconds
  for (int times = 0; times < 3; ++times) {
    StreamClient again(other(), get_again(key_, session, seen));
    EXPECT_TRUE(again.is_stream()) << again.head;
  }
  const auto events = StreamClient(other(), get_again(key_, session, seen)).rest();
  ASSERT_FALSE(events.empty());
  EXPECT_NE(events.back().data.find("slept"), std::string::npos) << events.back().data;
}

TEST_F(TwoHostsTest, AStreamEndsForAClientThatSaysItHasSeenMoreThanThereWas) {
  const auto session = open_session();
  std::string token;
  const auto last_of = [&](const std::string& number) {
    const auto events = StreamClient(other(), get_again(key_, session, token + '.' + number)).rest();
    return events.empty() ? std::string() : events.back().data;
  };
  {
    auto client = call_book(session, "beyond", 1000);
    const auto id = client.next().value_or(SseEvent{}).id;
    token = id.substr(0, id.rfind('.'));
  }
  EXPECT_EQ(ask_other(get_again(key_, session, token + ".4294967295")).status, 400U);
  EXPECT_NE(last_of("1073741824").find("booked beyond"), std::string::npos) << "while it runs";
  EXPECT_NE(last_of("1073741824").find("booked beyond"), std::string::npos) << "when it has ended";
  lose_first();
  EXPECT_EQ(ask_other(get_again(key_, session, token + ".4294967295")).status, 400U);
  EXPECT_NE(last_of("1073741824").find("booked beyond"), std::string::npos) << "from what is kept";
}

TEST_F(TwoHostsTest, ACallThatDiedWithItsHostSavedNothingAndSaysSo) {
  const auto session = open_session();
  auto client = call_book(session, "lost", 20'000);
  const auto seen = client.next().value_or(SseEvent{}).id;
  client.next();
  lose_first();
  for (int times = 0; times < 2; ++times) {
    const auto events = come_back(session, seen);
    ASSERT_EQ(events.size(), 1U);
    EXPECT_NE(events[0].data.find(R"("id":1)"), std::string::npos) << events[0].data;
    EXPECT_NE(events[0].data.find("Nothing was saved: call again."), std::string::npos) << events[0].data;
  }
  EXPECT_EQ(times_booked("lost"), "0");
}

TEST_F(TwoHostsTest, ACallThatWasCancelledHasNoAnswerOnTheOtherHostEither) {
  const auto session = open_session();
  std::string seen;
  {
    auto client = call_book(session, "cancelled", 20'000);
    client.next();
    seen = client.next().value_or(SseEvent{}).id;
  }
  StreamClient again(other(), get_again(key_, session, seen));
  ASSERT_TRUE(again.is_stream()) << again.head;
  EXPECT_NE(again.next().value_or(SseEvent{}).data.find("progress"), std::string::npos);
  post(R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}})", session);
  const auto events = again.rest();
  ASSERT_FALSE(events.empty());
  EXPECT_NE(events.back().data.find("This call ended without an answer. Nothing was saved"), std::string::npos);
  EXPECT_EQ(times_booked("cancelled"), "0");
}

TEST_F(TwoHostsTest, AQuestionIsAnsweredThroughTheOtherHost) {
  const std::string hello =
      R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"elicitation":{}},"clientInfo":{"name":"t","version":"1"}}})";
  const auto session = "Mcp-Session-Id: " + field(post(hello), "Mcp-Session-Id") + "\r\n";
  StreamClient client(
      port_, http("POST", "/mcp", key_, session + kTakesStreams, call("1", "close_ticket", R"({"title":"T-17"})")));
  ASSERT_TRUE(client.is_stream()) << client.head;
  client.next();
  const auto question = client.next().value_or(SseEvent{}).data;
  const auto at = question.find("\"id\":\"");
  ASSERT_NE(at, std::string::npos) << question;
  const auto id = question.substr(at + 6, question.find('"', at + 6) - at - 6);
  const auto answer = R"({"jsonrpc":"2.0","id":")" + id + R"(","result":{"action":"accept","content":{"ok":true}}})";
  EXPECT_EQ(ask_other(http("POST", "/mcp", add_key_of_both(), {}, answer)).status, 202U)
      << "somebody else's: nothing comes of it";
  EXPECT_EQ(ask_other(http("POST", "/mcp", key_, session, answer)).status, 202U);
  const auto last = client.next().value_or(SseEvent{}).data;
  EXPECT_NE(last.find(R"("closed":true)"), std::string::npos) << last;
}

TEST_F(TwoHostsTest, ARevokedKeyLeavesNothingBehind) {
  const auto session = open_session();
  auto client = call_book(session, "revoked", 200);
  client.rest();
  EXPECT_TRUE(eventually([&] { return postgres_.run_sql("select count(*) from toolhost.kept_answers") == "1"; }));
  delete_key(key_);
  EXPECT_TRUE(eventually([&] { return postgres_.run_sql("select count(*) from toolhost.kept_answers") == "0"; }));
}

TEST_F(TwoHostsTest, WhatAClientWantsToBeToldOutlivesTheHost) {
  const auto session = open_session();
  EXPECT_EQ(post(set_level("debug"), session).status, 200U);
  for (const auto* const uri : {"catalog:/page", "catalog:/picture"})
    EXPECT_EQ(post(follow("subscribe", uri), session).status, 200U);
  EXPECT_EQ(post(follow("unsubscribe", "catalog:/picture"), session).status, 200U);
  EXPECT_TRUE(eventually([&] { return postgres_.run_sql("select count(*) from toolhost.session_wishes") == "2"; }));
  stop();
  start();

  const auto events = call_book(session, "told", 0).rest();
  EXPECT_NE(all_of(events).find("books told"), std::string::npos) << "the first call already: " << all_of(events);
  EventStream stream(port_, "/mcp", key_, session);
  EXPECT_TRUE(stream.is_open()) << stream.head;
  const auto announced = post(announce("catalog:/page"), session);
  EXPECT_EQ(announced.body.find("isError"), std::string::npos) << announced.body;
  const auto heard = heard_until(stream, "catalog:/page");
  EXPECT_NE(heard.find("catalog:/page"), std::string::npos) << heard;
  EXPECT_EQ(heard.find("catalog:/picture"), std::string::npos) << heard;

  EXPECT_EQ(ask(http("DELETE", "/mcp", key_, session)).status, 200U);
  EXPECT_TRUE(eventually([&] { return postgres_.run_sql("select count(*) from toolhost.session_wishes") == "0"; }));
}

TEST_F(TwoHostsTest, WhatIsSaidToOneHostHoldsOnTheOther) {
  const auto session = open_session();
  EXPECT_EQ(ask_other(http("POST", "/mcp", key_, session, ping())).status, 200U) << "it is known there, too";
  EXPECT_EQ(post(set_level("debug"), session).status, 200U);
  EXPECT_TRUE(eventually([&] {
    const auto answer =
        StreamClient(other(), http("POST", "/mcp", key_, session + kTakesStreams, book("both", 100))).rest();
    return all_of(answer).find("books both") != std::string::npos;
  }));
  EventStream stream(port_, "/mcp", key_, session);
  EXPECT_EQ(ask_other(http("POST", "/mcp", key_, session, follow("subscribe", "catalog:/page"))).status, 200U);
  // News of a plugin there reach the stream here, once its own wish has.
  EXPECT_TRUE(eventually([&] {
    return ask_other(http("POST", "/mcp", key_, session, announce("catalog:/page"))).status == 200 &&
           stream.next().find("catalog:/page") != std::string::npos;
  }));
}

TEST_F(TwoHostsTest, ACancellationFindsItsCall) {
  const auto session = open_session();
  auto client = call_book(session, "stopped", 20'000);
  client.next();
  client.next();
  EXPECT_EQ(ask_other(http("POST", "/mcp", key_, session,
                           R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}})"))
                .status,
            202U);
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_EQ(all_of(client.rest()).find("booked"), std::string::npos);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 5s);
  EXPECT_EQ(times_booked("stopped"), "0");
}

TEST_F(TwoHostsTest, HttpWithSseIsServedThroughTheOtherHost) {
  EventStream stream(port_, "/sse", key_);
  const auto address = stream.next();
  ASSERT_EQ(address.find("/messages?sessionId="), 0U) << address;
  const auto send = [&](std::string_view body) { return ask_other(http("POST", address, key_, {}, body)).status; };
  EXPECT_EQ(send(initialize("2024-11-05")), 202U);
  EXPECT_NE(stream.next().find(R"("protocolVersion":"2024-11-05")"), std::string::npos);
  EXPECT_EQ(send(call("7", "book", R"({"marker":"passed on","ms":0})")), 202U);
  EXPECT_NE(stream.next().find("booked passed on"), std::string::npos);
  EXPECT_EQ(send(R"({"jsonrpc":"2.0",)"), 400U);
  EXPECT_EQ(ask_other(http("POST", address, add_key_of_both(), {}, ping())).status, 404U) << "somebody else's";
}

TEST_F(TwoHostsTest, ASessionOfHttpWithSseEndsWithItsHost) {
  std::string address;
  {
    EventStream stream(port_, "/sse", key_);
    address = stream.next();
    lose_first();
  }
  EXPECT_TRUE(eventually([&] { return ask_other(http("POST", address, key_, {}, ping())).status == 404; }));
}

TEST_F(TwoHostsTest, AClientOfHttpWithSseThatComesBackIsToldWhatItWanted) {
  std::string seen;
  {
    StreamClient stream(port_, http("GET", "/sse", key_, "Accept: text/event-stream\r\n"));
    const auto address = stream.next().value_or(SseEvent{}).data;
    post(initialize("2024-11-05"), {}, address);
    seen = stream.next().value_or(SseEvent{}).id;
    post(follow("subscribe", "catalog:/page"), {}, address);
    stream.next();
  }
  EXPECT_TRUE(eventually([&] { return postgres_.run_sql("select count(*) from toolhost.session_wishes") == "1"; }));
  EventStream again(other(), "/sse", key_, "Last-Event-ID: " + seen + "\r\n");
  EXPECT_EQ(again.next().find("/messages?"), 0U);
  // It is remembered in a moment, and nothing waits for that.
  std::thread announcer([&] {
    for (int times = 0; times < 20; ++times) {
      post(announce("catalog:/page"));
      std::this_thread::sleep_for(50ms);
    }
  });
  EXPECT_NE(heard_until(again, "catalog:/page").find("catalog:/page"), std::string::npos);
  announcer.join();
}

TEST_F(TwoHostsTest, WithoutTheDatabaseStreamsLiveOnWhereTheyAre) {
  const auto session = open_session();
  auto client = call_book(session, "away", 200);
  const auto seen = client.next().value_or(SseEvent{}).id;
  client.rest();
  postgres_.run_sql("alter role toolhost_app nologin");
  postgres_.run_sql("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'toolhost_app'");
  EXPECT_TRUE(eventually([&] { return !other_.streams->is_available(); }));
  EXPECT_EQ(ask_other(get_again(key_, {}, seen)).status, 503U);
  EXPECT_NE(StreamClient(port_, get_again(key_, {}, seen)).rest().back().data.find("booked away"), std::string::npos);
  postgres_.run_sql("alter role toolhost_app login");
  EXPECT_TRUE(eventually([&] { return other_.streams->is_available(); }));
}

}  // namespace
}  // namespace toolhost::protocol
