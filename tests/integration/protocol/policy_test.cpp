#include <gmock/gmock.h>

#include "access/policy.hpp"
#include "integration/protocol/mcp_host.hpp"

namespace toolhost::protocol {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kToolsChanged = R"({"jsonrpc":"2.0","method":"notifications/tools/list_changed"})";
constexpr const char* kList = R"({"jsonrpc":"2.0","id":1,"method":"tools/list"})";

/// A host whose policy changes while it serves.
class PolicyOverHttp : public McpHostTest {
 protected:
  /// A policy that says this of acme.
  static access::PolicyPtr policy(const std::function<void(access::TenantPolicyConfig&)>& say) {
    access::PolicyConfig config{access::built_in_defaults(), {}};
    say(config.tenants["acme"]);
    return access::Policy::compile(std::move(config));
  }
  static access::PolicyPtr without(const std::string& tool) {
    return policy([&](auto& acme) { acme.deny = {{tool, {"acme.yaml", 7}}}; });
  }
  void switch_to(const access::PolicyPtr& next) {
    std::vector<KeyId> keys;
    for (const auto& caller : gatekeeper_->set_policy(next)) keys.push_back(caller->key_id);
    endpoint_->lists_changed(keys, kToolsList);
  }
  static std::string without_date(std::string text) {
    if (const auto at = text.find("\r\nDate: "); at != std::string::npos)
      text.erase(at, text.find("\r\n", at + 2) - at);
    return text;
  }
};

TEST_F(PolicyOverHttp, TellsTheClientsOnBothTransportsThatTheirToolsChanged) {
  const auto session = open_session();
  EventStream stream(port_, "/mcp", key_, session), legacy(port_, "/sse", key_), silent(port_, "/sse", key_);
  const auto endpoint = legacy.next();
  const auto silent_endpoint = silent.next();
  ask(http("POST", endpoint, key_, {}, initialize("2024-11-05")));
  EXPECT_THAT(legacy.next(), HasSubstr(R"("capabilities":{"tools":{"listChanged":true}})"));
  EXPECT_THAT(post(kList, session).body, HasSubstr("\"echo\""));
  switch_to(without("echo"));
  EXPECT_EQ(stream.next(), kToolsChanged);
  EXPECT_EQ(legacy.next(), kToolsChanged);
  EXPECT_THAT(post(kList, session).body, AllOf(Not(HasSubstr("\"echo\"")), HasSubstr("\"sleep\"")));
  // This one has not sent `initialize`: the next thing it hears is what it asks for.
  ask(http("POST", silent_endpoint, key_, {}, R"({"jsonrpc":"2.0","id":1,"method":"ping"})"));
  EXPECT_EQ(silent.next(), R"({"jsonrpc":"2.0","id":1,"result":{}})");
  switch_to(without("sleep"));
  EXPECT_EQ(stream.next(), kToolsChanged);
}

TEST_F(PolicyOverHttp, AnswersADeniedToolAsAnUnknownOneByteForByte) {
  switch_to(without("echo"));
  const auto denied = post(call("1", "echo", R"({"text":"x"})"));
  auto unknown = post(call("1", "ecko", R"({"text":"x"})"));
  unknown.body.replace(unknown.body.find("ecko"), 4, "echo");
  EXPECT_EQ(denied.body, unknown.body);
  EXPECT_EQ(without_date(denied.head), without_date(unknown.head));
}

TEST_F(PolicyOverHttp, SaysWhenToComeBack) {
  switch_to(policy([](auto& acme) {
    acme.limits.key = {.rate = access::RateLimit{1.0 / 60, 1, {"acme.yaml", 9}}, .concurrent_off = true};
    acme.limits.max_request = 1'000;
  }));
  const auto first = post(call("1", "echo", R"({"text":"x"})"));
  EXPECT_EQ(field(first, "Retry-After"), "");
  const auto second = post(call("2", "echo", R"({"text":"x"})"));
  EXPECT_EQ(second.status, 200U);
  EXPECT_THAT(field(second, "Retry-After"), testing::AnyOf("60", "59", "58"));
  EXPECT_THAT(second.body, AllOf(HasSubstr("Too many calls"), HasSubstr("\"isError\":true")));
  EXPECT_EQ(post(call("3", "echo", R"({"text":")" + std::string(1'000, 'x') + "\"}")).status, 413U);
  EXPECT_EQ(post(R"({"jsonrpc":"2.0","id":1,"method":"ping"})").status, 200U);
}

TEST_F(PolicyOverHttp, LetsADisabledKeyInAgainWithItsWholeService) {
  const auto key = add_key();
  const auto set_disabled = [&](bool disabled) {
    EXPECT_TRUE(store_->set_key_disabled(key.substr(0, 11), disabled, {"test"}));
  };
  EventStream stream(port_, "/sse", key);
  EXPECT_THAT(stream.next(), HasSubstr("/messages"));
  set_disabled(true);
  EXPECT_EQ(stream.next(), "") << "its streams end";
  const auto refused = ask(http("POST", "/mcp", key, {}, call("1", "echo", R"({"text":"x"})")));
  EXPECT_EQ(refused.status, 403U);
  EXPECT_EQ(refused.body.find(R"({"error":"access_denied","message":"Access denied: this API key is disabled)"), 0U);
  set_disabled(false);
  EXPECT_TRUE(eventually(
      [&] { return ask(http("POST", "/mcp", key, {}, call("1", "echo", R"({"text":"x"})"))).status == 200; }));
  EventStream again(port_, "/sse", key);
  EXPECT_TRUE(again.is_open());
}

class CatalogPolicy : public PolicyOverHttp {
 protected:
  CatalogPolicy() { setup_.plugins = {"catalog"}; }
  void announce(const std::string& uri) { post(call("7", "announce_change", R"({"uri":")" + uri + "\"}")); }
  /// What comes until both have been told.
  static std::string read_to(EventStream& stream, const std::string& one, const std::string& other) {
    std::string heard;
    while (heard.find(one) == std::string::npos || heard.find(other) == std::string::npos) {
      const auto message = stream.next();
      if (message.empty()) break;
      heard += message + "\n";
    }
    return heard;
  }
  static constexpr const char* kPage = "catalog:/page";
  static constexpr const char* kWritten = "catalog:/written";
  static constexpr const char* kPicture = "catalog:/picture";  // announced behind the lists, with every change
};

TEST_F(CatalogPolicy, NobodyHearsOfWhatTheyMayReadNoLonger) {
  const auto session = open_session();
  EventStream legacy(port_, "/mcp", key_, session);
  for (const auto* const uri : {kPage, kWritten, kPicture}) {
    const auto subscribed =
        post(R"({"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":")" + std::string(uri) + "\"}}",
             session);
    EXPECT_THAT(subscribed.body, HasSubstr(R"("result":{})"));
  }
  EventStream listener(
      port_, http("POST", "/mcp", key_, modern_fields("subscriptions/listen"),
                  modern("1", "subscriptions/listen",
                         R"("notifications":{"toolsListChanged":true,"promptsListChanged":true,)"
                         R"("resourceSubscriptions":["catalog:/page","catalog:/written","catalog:/picture"]})")));
  EXPECT_THAT(listener.next(), AllOf(HasSubstr("acknowledged"), HasSubstr(kPage)));
  announce(kPage);
  for (auto* const stream : {&legacy, &listener})
    EXPECT_THAT(read_to(*stream, kPage, kPicture), HasSubstr("prompts/list_changed"));

  gatekeeper_->set_policy(policy([](auto& acme) {
    for (const auto* const name : {"resource:page", "prompt:greet", "prompt:write_prompt"})
      acme.deny.push_back({name, {"acme.yaml", 7}});
  }));
  announce(kPage);
  announce(kWritten);
  for (auto* const stream : {&legacy, &listener}) {
    EXPECT_THAT(read_to(*stream, kWritten, kPicture),
                AllOf(HasSubstr(kWritten), HasSubstr(kPicture), HasSubstr("tools/list_changed"), Not(HasSubstr(kPage)),
                      Not(HasSubstr("prompts/list_changed"))));
  }
}

TEST_F(CatalogPolicy, OffersLogMessagesWhereAPluginThatSendsThemServes) {
  constexpr const char* kLogging = R"("logging":{})";
  constexpr const char* kSetLevel = R"({"jsonrpc":"2.0","id":1,"method":"logging/setLevel","params":{"level":"info"}})";
  const auto discover = [&] {
    return ask(http("POST", "/mcp", key_, modern_fields("server/discover"), modern("1", "server/discover"))).body;
  };
  const auto session = open_session();
  EXPECT_THAT(post(initialize("2025-11-25")).body, HasSubstr(kLogging));
  EXPECT_THAT(discover(), HasSubstr(kLogging));
  EXPECT_THAT(post(kSetLevel, session).body, HasSubstr(R"("result":{})"));
  switch_to(policy([](auto& acme) { acme.plugins = access::ToolPatterns{{"echo", {"acme.yaml", 7}}}; }));
  EXPECT_THAT(post(initialize("2025-11-25")).body, AllOf(HasSubstr("\"capabilities\""), Not(HasSubstr(kLogging))));
  EXPECT_THAT(discover(), AllOf(HasSubstr("\"capabilities\""), Not(HasSubstr(kLogging))));
  EXPECT_THAT(post(kSetLevel, session).body, HasSubstr("-32601"));
}

TEST_F(PolicyOverHttp, ChangesUnderLoadWithoutDisturbingWhatRuns) {
  const auto with_echo = without("spin"), without_echo = without("echo");
  switch_to(with_echo);
  EventStream stream(port_, "/mcp", key_, open_session());
  ASSERT_TRUE(stream.is_open());
  std::atomic<bool> done{false};
  std::atomic<int> ran{0}, unknown{0}, wrong{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back([&, i] {
      RawClient client(port_);
      while (!done) {
        const bool is_echo = i % 2 == 0;
        client.send(http("POST", "/mcp", key_, {},
                         is_echo ? call("1", "echo", R"({"text":"x"})") : call("1", "sleep", R"({"ms":5})")));
        const auto response = client.read_response();
        const bool has_run = response.status == 200 && response.body.find("\"isError\"") == std::string::npos &&
                             response.body.find("\"result\"") != std::string::npos;
        const bool is_unknown = response.body.find("Unknown tool: echo") != std::string::npos;
        ran += has_run;
        unknown += is_unknown;
        wrong += !has_run && !(is_echo && is_unknown);
      }
    });
  }
  for (int reload = 0; reload < 300 || ran < 200 || unknown < 50; ++reload) {
    switch_to(reload % 2 == 0 ? without_echo : with_echo);
    std::this_thread::sleep_for(1ms);
    ASSERT_LT(reload, 20'000);
  }
  done = true;
  for (auto& client : clients) client.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(stream.next(), kToolsChanged) << "it is still open";
}

}  // namespace
}  // namespace toolhost::protocol
