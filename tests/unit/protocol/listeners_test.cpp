#include <gtest/gtest.h>

#include "fakes.hpp"
#include "protocol/listeners.hpp"

namespace toolhost::protocol {
namespace {

/// Remembers the messages; its client may leave.
class RecordingCallStream final : public CallStream {
 public:
  void bind(std::weak_ptr<OpenCall> call) noexcept override { call_ = std::move(call); }
  void notify(std::string_view message) override {
    messages.emplace_back(message);
    if (const auto then = std::exchange(on_message, nullptr)) then();
  }
  [[nodiscard]] bool can_ask() const noexcept override { return false; }
  void finish(Reply /*reply*/) override {}
  void let_go() override {}
  [[nodiscard]] bool is_streamed() const noexcept override { return !messages.empty(); }
  std::optional<plugin_runtime::KeptStream> settle() noexcept override { return std::nullopt; }

  void leave() {
    if (const auto call = call_.lock()) call->stop(StopReason::kCancelledByClient);
  }
  std::vector<std::string> messages;
  std::function<void()> on_message;  ///< once

 private:
  std::weak_ptr<OpenCall> call_;
};

class Subscriptions : public testing::Test {
 protected:
  struct Client {
    RequestContext context;
    std::shared_ptr<RecordingCallStream> stream = std::make_shared<RecordingCallStream>();
    std::optional<Reply> reply;
    Listeners::Opening opening{};
  };

  std::unique_ptr<Client> listen(const std::string& id, ListenFilter filter, std::int64_t key = 1) {
    auto client = std::make_unique<Client>();
    client->context.caller = fakes::caller(key, key == 1 ? "demo" : "other");
    client->context.session = std::make_shared<Session>("", *client->context.caller, SessionFacts{});
    client->context.stream = client->stream;
    client->opening = listeners_.open(id, "call-" + id, std::move(filter), client->context,
                                      [raw = client.get()](Reply reply) { raw->reply = std::move(reply); });
    return client;
  }
  static std::variant<ListenFilter, std::string> read(std::string_view params) {
    auto parsed = parse_message(R"({"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":)" +
                                std::string(params) + "}");
    return read_listen_filter(std::get<Message>(parsed));
  }

  Listeners listeners_{3, 2};
};

TEST_F(Subscriptions, TheFilterIsRequired) {
  EXPECT_TRUE(std::holds_alternative<std::string>(read("{}")));
  EXPECT_TRUE(std::holds_alternative<std::string>(read(R"({"notifications":[]})")));
  EXPECT_TRUE(std::holds_alternative<std::string>(read(R"({"notifications":{"toolsListChanged":"yes"}})")));
  EXPECT_TRUE(std::holds_alternative<std::string>(read(R"({"notifications":{"resourceSubscriptions":[1]}})")));
  EXPECT_TRUE(std::get<ListenFilter>(read(R"({"notifications":{}})")).is_empty());
  const auto filter = std::get<ListenFilter>(
      read(R"({"notifications":{"toolsListChanged":true,"resourceSubscriptions":["a:1","b:2","a:1"],"other":1}})"));
  EXPECT_TRUE(filter.tools);
  EXPECT_FALSE(filter.prompts);
  EXPECT_EQ(filter.uris, (std::vector<std::string>{"a:1", "b:2"}));
}

TEST_F(Subscriptions, TheAcknowledgementComesFirstAndEverythingIsTagged) {
  const auto client = listen("\"listen:0\"", {.tools = true, .uris = {"hd://t/17"}});
  ASSERT_EQ(client->opening, Listeners::Opening::kOpened);
  listeners_.list_changed(Listeners::List::kTools, {});
  listeners_.updated("hd://t/17", {});
  EXPECT_EQ(
      client->stream->messages,
      (std::vector<std::string>{
          R"({"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":{"toolsListChanged":true,"resourceSubscriptions":["hd://t/17"]},"_meta":{"io.modelcontextprotocol/subscriptionId":"listen:0"}}})",
          R"({"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"listen:0"}}})",
          R"({"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"hd://t/17","_meta":{"io.modelcontextprotocol/subscriptionId":"listen:0"}}})"}));
  EXPECT_FALSE(client->reply);
}

TEST_F(Subscriptions, OnlyWhatWasAskedForIsSent) {
  const auto client = listen("7", {.prompts = true, .uris = {"a:1"}});
  listeners_.list_changed(Listeners::List::kTools, {});
  listeners_.list_changed(Listeners::List::kResources, {});
  listeners_.updated("a:2", {});
  EXPECT_EQ(client->stream->messages.size(), 1U);
  listeners_.list_changed(Listeners::List::kPrompts, {});
  ASSERT_EQ(client->stream->messages.size(), 2U);
  EXPECT_NE(client->stream->messages.back().find(R"(/subscriptionId":7)"), std::string::npos);
}

TEST_F(Subscriptions, OnlyThoseWhomItConcernsAreTold) {
  const auto one = listen("1", {.tools = true});
  const auto two = listen("1", {.tools = true}, 2);
  listeners_.list_changed(Listeners::List::kTools, [](const Caller& caller) { return caller.tenant == "other"; });
  EXPECT_EQ(one->stream->messages.size(), 1U);
  EXPECT_EQ(two->stream->messages.size(), 2U);
}

TEST_F(Subscriptions, NothingToListenToEndsBehindTheAcknowledgement) {
  const auto client = listen("1", {});
  EXPECT_EQ(client->stream->messages.size(), 1U);
  ASSERT_TRUE(client->reply);
  EXPECT_EQ(
      *message_of(*client->reply),
      R"({"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","_meta":{"io.modelcontextprotocol/subscriptionId":1}}})");
  EXPECT_EQ(listeners_.count(), 0U);
}

TEST_F(Subscriptions, AClientThatLeavesMakesRoom) {
  const auto one = listen("1", {.tools = true});
  const auto two = listen("2", {.tools = true});
  EXPECT_EQ(listen("3", {.tools = true})->opening, Listeners::Opening::kTooManyOfKey);
  const auto other = listen("1", {.tools = true}, 2);
  EXPECT_EQ(listen("2", {.tools = true}, 2)->opening, Listeners::Opening::kTooMany);
  one->stream->leave();
  EXPECT_EQ(listeners_.count(), 2U);
  listeners_.list_changed(Listeners::List::kTools, {});
  EXPECT_EQ(one->stream->messages.size(), 1U);
  EXPECT_EQ(listen("4", {.tools = true})->opening, Listeners::Opening::kOpened);
}

TEST_F(Subscriptions, ThatOpenAtATimeDoNotExceedTheLimit) {
  const auto one = listen("1", {.tools = true});
  Client slow;
  slow.context = one->context;
  slow.context.stream = slow.stream;
  std::unique_ptr<Client> meanwhile;
  slow.stream->on_message = [&] {
    meanwhile = listen("3", {.tools = true});
    listeners_.list_changed(Listeners::List::kTools, {});
  };
  EXPECT_EQ(listeners_.open("2", "call-2", {.tools = true}, slow.context, [](Reply) {}), Listeners::Opening::kOpened);
  EXPECT_EQ(meanwhile->opening, Listeners::Opening::kTooManyOfKey);
  EXPECT_EQ(listeners_.count(), 2U);
  EXPECT_EQ(slow.stream->messages.size(), 1U) << "nothing comes in front of the acknowledgement";
}

TEST_F(Subscriptions, FollowFewShortUris) {
  const std::string longest(2048, 'u');
  const auto filter = std::get<ListenFilter>(
      read(R"({"notifications":{"resourceSubscriptions":[")" + longest + R"(",")" + longest + R"(v"]}})"));
  EXPECT_EQ(filter.uris, std::vector<std::string>{longest});
  std::string many;
  for (int i = 0; i < 100; ++i) many += "\"a:" + std::to_string(i) + "\",";
  EXPECT_TRUE(std::holds_alternative<ListenFilter>(
      read(R"({"notifications":{"resourceSubscriptions":[)" + many.substr(0, many.size() - 1) + "]}}")));
  EXPECT_TRUE(std::holds_alternative<std::string>(
      read(R"({"notifications":{"resourceSubscriptions":[)" + many + R"("a:100"]}})")));
}

TEST_F(Subscriptions, TheKeysEndIsTheirs) {
  const auto client = listen("1", {.tools = true});
  client->context.session->end(StopReason::kKeyRevoked);
  ASSERT_TRUE(client->reply);
  EXPECT_EQ(std::get<StopReason>(*client->reply), StopReason::kKeyRevoked);
  EXPECT_EQ(listeners_.count(), 0U);
  const auto late = std::make_unique<Client>();
  late->context = client->context;
  EXPECT_EQ(listeners_.open("2", "call-2", {.tools = true}, late->context,
                            [raw = late.get()](Reply reply) { raw->reply = std::move(reply); }),
            Listeners::Opening::kOpened);
  ASSERT_TRUE(late->reply);
  EXPECT_EQ(std::get<StopReason>(*late->reply), StopReason::kKeyRevoked);
}

TEST_F(Subscriptions, AHostThatStopsSaysSo) {
  const auto client = listen("1", {.tools = true});
  listeners_.end_all();
  ASSERT_TRUE(client->reply);
  EXPECT_NE(message_of(*client->reply)->find(R"("resultType":"complete")"), std::string::npos);
}

}  // namespace
}  // namespace toolhost::protocol
