#include <gtest/gtest.h>

#include "endpoint_fixture.hpp"

namespace toolhost::protocol {
namespace {

constexpr const char* kEnvelope =
    R"("_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}})";
constexpr const char* kServerMeta =
    R"("_meta":{"io.modelcontextprotocol/serverInfo":{"name":"toolhost","title":"Toolhost","version":"1.0"}})";

/// A POST as a client of 2026-07-28 makes it; tests take away or change what they are about.
Request modern(const std::string& method, const std::string& params = {}, const std::string& id = "1") {
  return {.body = R"({"jsonrpc":"2.0","id":)" + id + R"(,"method":")" + method + R"(","params":{)" + params +
                  (params.empty() ? "" : ",") + kEnvelope + "}}",
          .accept = "application/json, text/event-stream",
          .version = "2026-07-28",
          .mcp_method = method};
}

Request modern_call(const std::string& tool, const std::string& arguments = "{}", const std::string& id = "1") {
  auto request = modern("tools/call", R"("name":")" + tool + R"(","arguments":)" + arguments, id);
  request.mcp_name = tool;
  return request;
}

class Modern : public Endpoint {
 protected:
  /// Whether the answer is this error with this status.
  testing::AssertionResult is_refused(Request request, unsigned status, int code) {
    const auto response = ask(std::move(request));
    if (response.status == status && response.body.find(R"("code":)" + std::to_string(code)) != std::string::npos)
      return testing::AssertionSuccess();
    return testing::AssertionFailure() << response.status << " " << response.body;
  }
};

TEST_F(Modern, RequestsAreAnsweredWithoutAnySession) {
  const auto response = ask(modern_call("echo", R"({"a":1})"));
  EXPECT_EQ(response.status, 200U);
  EXPECT_EQ(response.content_type, "application/json");
  EXPECT_EQ(response.headers, "");
  EXPECT_EQ(response.body, R"({"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"done"}],)"
                           R"("structuredContent":{"a":1},"resultType":"complete",)" +
                               std::string(kServerMeta) + "}}");
}

TEST_F(Modern, RequestsIgnoreSessionIds) {
  for (const auto& id : {initialize(), std::string("nonsense")}) {
    auto request = modern("tools/list");
    request.session = id;
    const auto response = ask(std::move(request));
    EXPECT_EQ(response.status, 200U);
    EXPECT_EQ(response.headers, "");
    EXPECT_NE(response.body.find(R"("ttlMs":0,"cacheScope":"private")"), std::string::npos);
  }
}

TEST_F(Modern, DiscoveryNamesVersionAndCapabilities) {
  const auto response = ask(modern("server/discover", {}, "\"p\""));
  EXPECT_EQ(response.status, 200U);
  EXPECT_EQ(response.body, R"({"jsonrpc":"2.0","id":"p","result":{"supportedVersions":["2026-07-28"],)"
                           R"("capabilities":{"tools":{"listChanged":true}},"resultType":"complete","ttlMs":0,)"
                           R"("cacheScope":"private",)" +
                               std::string(kServerMeta) + "}}");
}

TEST_F(Modern, DiscoveryWithoutAnEnvelopeIsLegacy) {
  const auto response = call(R"({"jsonrpc":"2.0","id":"p","method":"server/discover","params":{}})");
  EXPECT_EQ(response.status, 200U);
  EXPECT_NE(response.body.find("-32601"), std::string::npos);
}

TEST_F(Modern, MethodsThatAreNotThereAre404) {
  for (const auto* const method :
       {"initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe", "resources/list",
        "prompts/list", "completion/complete", "tasks/get", "no/such"})
    EXPECT_TRUE(is_refused(modern(method), 404, -32601)) << method;
}

TEST_F(Modern, EnvelopesAtFaultAre400) {
  auto request = modern("tools/list");
  request.body = R"({"jsonrpc":"2.0","id":1,"method":"tools/list"})";
  EXPECT_TRUE(is_refused(request, 400, -32602));
  request.body =
      R"({"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}})";
  EXPECT_TRUE(is_refused(request, 400, -32602));
}

TEST_F(Modern, VersionsThatAreNotSpokenAre400) {
  auto request = modern("tools/list");
  request.body =
      R"({"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"v999","io.modelcontextprotocol/clientCapabilities":{}}}})";
  EXPECT_TRUE(is_refused(request, 400, -32020));
  request.version = "v999";
  const auto response = ask(request);
  EXPECT_EQ(response.status, 400U);
  EXPECT_EQ(response.body,
            R"({"jsonrpc":"2.0","id":1,"error":{"code":-32022,"message":"Unsupported protocol version: v999",)"
            R"("data":{"supported":["2026-07-28"],"requested":"v999"}}})");
}

TEST_F(Modern, FieldsRepeatTheBody) {
  const std::pair<std::string Request::*, std::string> changes[] = {
      {&Request::version, ""},        {&Request::version, "2025-11-25"},    {&Request::mcp_method, ""},
      {&Request::mcp_method, "ping"}, {&Request::mcp_method, "TOOLS/CALL"}, {&Request::mcp_name, ""},
      {&Request::mcp_name, "fail"},   {&Request::mcp_name, "=?base64?!?="}};
  for (const auto& [field, value] : changes) {
    auto request = modern_call("echo");
    request.*field = value;
    EXPECT_TRUE(is_refused(std::move(request), 400, -32020)) << value;
  }
  auto request = modern_call("echo");
  request.version = " 2026-07-28 ";
  request.mcp_method = "\ttools/call";
  request.mcp_name = "=?base64?ZWNobw==?=";
  EXPECT_EQ(ask(std::move(request)).status, 200U);
}

TEST_F(Modern, MarkedArgumentsAreRepeatedInFields) {
  plugins_.tools().add("here").headers = {{"Region", {"region"}, plugin_runtime::HeaderMember::Type::kString}};
  plugins_.tools().renew();
  const auto with = [](std::vector<transport::NamedText> params, const std::string& arguments) {
    auto request = modern_call("here", arguments);
    request.params = std::move(params);
    return request;
  };
  EXPECT_EQ(ask(with({{"region", "eu"}}, R"({"region":"eu"})")).status, 200U);
  EXPECT_EQ(ask(with({{"Region", "eu"}, {"Other", "x"}}, "{}")).status, 200U);
  EXPECT_TRUE(is_refused(with({}, R"({"region":"eu"})"), 400, -32020));
  EXPECT_TRUE(is_refused(with({{"Region", "us"}}, R"({"region":"eu"})"), 400, -32020));
  EXPECT_TRUE(is_refused(with({{"Region", "=?base64?eu?="}}, R"({"region":"eu"})"), 400, -32020));
  // A legacy call of the same tool has no such fields.
  EXPECT_EQ(
      call(R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"here","arguments":{"region":"eu"}}})",
           "2025-11-25")
          .status,
      200U);
}

TEST_F(Modern, ErrorsWhileHandlingAre200) {
  EXPECT_TRUE(is_refused(modern_call("nope"), 200, -32602));
  auto request = modern("tools/call");
  EXPECT_TRUE(is_refused(std::move(request), 200, -32602));
  EXPECT_TRUE(is_refused(modern("tools/list", R"("cursor":"bogus")"), 200, -32602));
}

TEST_F(Modern, NotificationsAreTakenWith202) {
  const std::string body = R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}})";
  const auto response = ask({.body = body, .version = "2026-07-28"});
  EXPECT_EQ(response.status, 202U);
  EXPECT_EQ(response.body, "");
  EXPECT_TRUE(is_refused({.body = body, .version = "2026-07-28", .mcp_method = "ping"}, 400, -32020));
}

TEST_F(Modern, BatchesAndNonsenseAre400) {
  EXPECT_TRUE(is_refused({.body = "[" + modern("tools/list").body + "]", .version = "2026-07-28"}, 400, -32600));
  EXPECT_TRUE(is_refused({.body = "[]", .version = "2026-07-28"}, 400, -32600));
  EXPECT_TRUE(is_refused({.body = "{}", .version = "2026-07-28"}, 400, -32600));
  const auto response = ask({.body = "nonsense", .version = "2026-07-28"});
  EXPECT_EQ(response.status, 400U);
  EXPECT_NE(response.body.find("-32700"), std::string::npos);
  // This revision knows no id null.
  EXPECT_EQ(response.body.find("\"id\""), std::string::npos);
}

TEST_F(Modern, InitializeStaysLegacyWhateverItAsksFor) {
  const auto response =
      call(R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2026-07-28"}})");
  EXPECT_EQ(response.status, 200U);
  EXPECT_NE(response.body.find(R"("protocolVersion":"2025-11-25")"), std::string::npos);
  EXPECT_EQ(response.body.find("resultType"), std::string::npos);
  EXPECT_TRUE(
      is_refused({.body = R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2026-07-28"}})",
                  .version = "2026-07-28"},
                 400, -32020));
}

TEST_F(Modern, CallsWithOneIdAreCallsOfTheirOwn) {
  // Clients know nothing of each other: the same id is no duplicate.
  const auto one = send(modern_call("slow"));
  const auto two = send(modern_call("slow"));
  EXPECT_FALSE(one->is_answered);
  EXPECT_FALSE(two->is_answered);
  plugins_.finish_next();
  plugins_.finish_next();
  pump();
  EXPECT_EQ(one->response.status, 200U);
  EXPECT_EQ(two->response.body, one->response.body);
}

TEST_F(Modern, AClientThatLeavesHasCancelled) {
  const auto exchange = send(modern_call("slow"));
  ASSERT_EQ(plugins_.waiting.size(), 1U);
  const auto running = plugins_.waiting.front();
  EXPECT_FALSE(running->cancelled);
  ASSERT_TRUE(exchange->response.disconnected);
  exchange->response.disconnected();
  EXPECT_TRUE(running->cancelled);
  plugins_.finish_next();
  pump();
  EXPECT_TRUE(exchange->is_answered);
}

TEST_F(Modern, ASubscriptionIsAStream) {
  auto request = modern("subscriptions/listen", R"("notifications":{"toolsListChanged":true})", "\"listen:0\"");
  const auto exchange = send(request);
  ASSERT_NE(exchange->response.stream, nullptr);
  EXPECT_EQ(exchange->response.status, 200U);
  request.accept = "application/json";
  EXPECT_EQ(ask(request).status, 406U);
  EXPECT_TRUE(is_refused(modern("subscriptions/listen"), 200, -32602));
}

TEST_F(Modern, AKeyTakesAQuarterOfTheSubscriptions) {
  start({.max_listeners = 4});
  auto request = modern("subscriptions/listen", R"("notifications":{"toolsListChanged":true})");
  const auto first = send(request);
  ASSERT_NE(first->response.stream, nullptr);
  EXPECT_TRUE(is_refused(request, 200, -32603));
  request.key = "two";
  const auto other = send(request);
  EXPECT_NE(other->response.stream, nullptr);
}

TEST_F(Modern, ASubscriptionFollowsWhatItsCallerMayRead) {
  plugins_.tools().add_resource("note", "note:/{id}");
  plugins_.tools().renew();
  const auto none = send(modern("subscriptions/listen", R"("notifications":{"resourceSubscriptions":["other:/1"]})"));
  EXPECT_EQ(endpoint_->counts().streams, 0U) << "there is nothing to follow";
  const auto some =
      send(modern("subscriptions/listen", R"("notifications":{"resourceSubscriptions":["other:/1","note:/1"]})"));
  EXPECT_EQ(endpoint_->counts().streams, 1U);
}

}  // namespace
}  // namespace toolhost::protocol
