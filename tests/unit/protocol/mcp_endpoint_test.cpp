#include "protocol/mcp_endpoint.hpp"

#include <gtest/gtest.h>

#include <thread>

#include "endpoint_fixture.hpp"

namespace toolhost::protocol {
namespace {

using namespace std::chrono_literals;

TEST_F(Endpoint, AnswersWithoutASession) {
  const auto response = call(kPing);
  EXPECT_EQ(response.status, 200U);
  EXPECT_EQ(response.content_type, "application/json");
  EXPECT_EQ(response.body, kPong);
  EXPECT_EQ(response.headers, "");
}

TEST_F(Endpoint, ServesBothUrlsAlike) {
  EXPECT_EQ(ask({.path = "/sse", .body = kPing}).body, kPong);
  const auto id = initialize();
  EXPECT_EQ(ask({.path = "/sse", .body = kPing, .session = id}).body, kPong);
  EXPECT_NE(ask({.method = Method::kGet, .path = "/sse", .session = id}).stream, nullptr);
  EXPECT_EQ(ask({.method = Method::kDelete, .path = "/sse", .session = id}).status, 200U);
}

TEST_F(Endpoint, EncodesForTheRevisionOfHeaderOrSession) {
  const std::string with_structure =
      R"({"jsonrpc":"2.0","id":5,"result":{"content":[{"type":"text","text":"done"}],"structuredContent":{"a":1}}})";
  EXPECT_EQ(call(kEcho, "2025-11-25").body, with_structure);
  EXPECT_NE(call(kEcho).body, with_structure);  // no header, no session: 2025-03-26
  EXPECT_EQ(ask({.body = kEcho, .session = initialize("2025-06-18")}).body, with_structure);
  EXPECT_NE(ask({.body = kEcho, .version = "2025-11-25", .session = initialize("2024-11-05")}).body, with_structure);
}

TEST_F(Endpoint, TakesNotificationsAndResponsesWith202) {
  for (const auto* const body :
       {R"({"jsonrpc":"2.0","method":"notifications/initialized"})", R"({"jsonrpc":"2.0","id":1,"result":{}})"}) {
    const auto response = call(body);
    EXPECT_EQ(response.status, 202U);
    EXPECT_EQ(response.body, "");
  }
}

TEST_F(Endpoint, RefusesWhatIsNoMessage) {
  EXPECT_EQ(call("nonsense").status, 400U);
  EXPECT_NE(call("nonsense").body.find("-32700"), std::string::npos);
  EXPECT_EQ(call("{}").status, 400U);
  EXPECT_NE(call("{}").body.find("-32600"), std::string::npos);
}

TEST_F(Endpoint, ChecksContentTypeAndAccept) {
  for (const auto* const type : {"application/json", "Application/JSON; charset=utf-8", "application/json ;x"}) {
    EXPECT_EQ(ask({.body = kPing, .content_type = type}).status, 200U) << type;
  }
  for (const auto* const type : {"", "text/plain", "application/jsonx", "application/x-www-form-urlencoded"}) {
    EXPECT_EQ(ask({.body = kPing, .content_type = type}).status, 415U) << type;
  }
  for (const auto* const accept : {"", "*/*", "application/json, text/event-stream",
                                   "text/event-stream,application/json;q=0.9", "application/*"}) {
    EXPECT_EQ(ask({.body = kPing, .accept = accept}).status, 200U) << accept;
  }
  for (const auto* const accept : {"text/html", "text/event-stream", "application/jsonx"}) {
    EXPECT_EQ(ask({.body = kPing, .accept = accept}).status, 406U) << accept;
  }
}

TEST_F(Endpoint, RefusesVersionsItDoesNotSpeakExceptForAProbe) {
  const auto refused = call(kPing, "1999-01-01");
  EXPECT_EQ(refused.status, 400U);
  EXPECT_NE(refused.body.find("supported versions: 2024-11-05"), std::string::npos);
  const auto probe = call(R"({"jsonrpc":"2.0","id":"p","method":"server/discover","params":{}})", "1999-01-01");
  EXPECT_EQ(probe.status, 200U);
  EXPECT_NE(probe.body.find("-32601"), std::string::npos);
}

TEST_F(Endpoint, RefusesASecondInitialize) {
  const auto id = initialize();
  const std::string again =
      R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25"}})";
  EXPECT_EQ(ask({.body = again, .session = id}).status, 400U);
  EXPECT_EQ(ask({.body = again, .session = "of a server that is gone"}).status, 200U);
}

TEST_F(Endpoint, TellsNobodyAboutSessionsOfOthers) {
  const auto id = initialize();
  const auto mine_gone = ask({.body = kPing, .session = "garbage"});
  const auto not_mine = ask({.body = kPing, .key = "two", .session = id});
  EXPECT_EQ(mine_gone.status, 404U);
  EXPECT_EQ(mine_gone.body, R"({"jsonrpc":"2.0","id":1,"error":{"code":-32001,"message":"Session not found"}})");
  EXPECT_EQ(not_mine.status, 404U);
  EXPECT_EQ(not_mine.body, mine_gone.body);
  EXPECT_EQ(ask({.method = Method::kGet, .key = "two", .session = id}).status, 404U);
  EXPECT_EQ(ask({.method = Method::kDelete, .key = "two", .session = id}).status, 404U);
}

TEST_F(Endpoint, RefusesIdsAndTokensAndUrisOfAnyLength) {
  const auto refused = [&](const std::string& body, const char* code) {
    const auto response = ask({.body = body, .session = initialize()});
    EXPECT_NE(response.body.find(code), std::string::npos) << response.body.substr(0, 200);
    EXPECT_LT(response.body.size(), 300U);
  };
  const auto ping = [](std::size_t length) {
    return R"({"jsonrpc":"2.0","id":")" + std::string(length, 'i') + R"(","method":"ping"})";
  };
  EXPECT_EQ(call(ping(1024)).status, 200U);
  refused(ping(1025), "-32600");
  const auto echo = [](std::size_t length) {
    return R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","_meta":{"progressToken":")" +
           std::string(length, 't') + "\"}}}";
  };
  EXPECT_NE(call(echo(1024)).body.find("done"), std::string::npos);
  refused(echo(1025), "-32602");
  plugins_.tools().add_resource("note", "note:/{id}");
  plugins_.tools().renew();
  const auto subscribe = [](std::size_t length) {
    return R"({"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"note:/)" +
           std::string(length - 6, 'u') + "\"}}";
  };
  EXPECT_EQ(ask({.body = subscribe(2048), .session = initialize()}).body, kPong);
  refused(subscribe(2049), "-32602");
}

TEST_F(Endpoint, EndsASessionOnce) {
  const auto id = initialize();
  EXPECT_EQ(ask({.method = Method::kDelete, .session = id}).status, 200U);
  EXPECT_EQ(ask({.method = Method::kDelete, .session = id}).status, 404U);
  EXPECT_EQ(ask({.body = kPing, .session = id}).status, 404U);
  EXPECT_EQ(ask({.method = Method::kDelete}).status, 400U);
}

TEST_F(Endpoint, HasOneStreamForASession) {
  const auto id = initialize();
  const auto first = ask({.method = Method::kGet, .accept = "text/event-stream", .session = id});
  ASSERT_NE(first.stream, nullptr);
  EXPECT_EQ(first.status, 200U);
  EXPECT_EQ(ask({.method = Method::kGet, .session = id}).status, 409U);
  EXPECT_EQ(ask({.method = Method::kGet, .accept = "application/json", .session = id}).status, 406U);
  ask({.method = Method::kDelete, .session = id});
  EXPECT_FALSE(first.stream->is_open());
}

TEST_F(Endpoint, NeverHangsOnAGetWithoutASession) {
  const auto response = ask({.method = Method::kGet});
  EXPECT_EQ(response.status, 405U);
  EXPECT_NE(response.headers.find("Allow: "), std::string::npos);
}

TEST_F(Endpoint, AllowsNoOtherMethods) {
  for (const auto* const path : {"/mcp", "/sse"}) EXPECT_EQ(ask({.method = Method::kOther, .path = path}).status, 405U);
  EXPECT_EQ(ask({.method = Method::kHead}).status, 405U);
  for (const auto method : {Method::kGet, Method::kHead, Method::kDelete, Method::kOther}) {
    const auto response = ask({.method = method, .path = "/messages"});
    EXPECT_EQ(response.status, 405U);
    EXPECT_EQ(response.headers, "Allow: POST\r\n");
  }
}

TEST_F(Endpoint, ChecksTheKeyOfEveryRequest) {
  for (const auto& [method, path] : {std::pair{Method::kPost, "/mcp"},
                                     {Method::kGet, "/mcp"},
                                     {Method::kDelete, "/mcp"},
                                     {Method::kGet, "/sse"},
                                     {Method::kHead, "/sse"},
                                     {Method::kPost, "/messages"}}) {
    const auto wrong = ask({.method = method, .path = path, .body = kPing, .key = "three"});
    EXPECT_EQ(wrong.status, 401U) << path;
    EXPECT_EQ(wrong.headers, "WWW-Authenticate: ApiKey realm=\"toolhost\"\r\n");
    EXPECT_EQ(wrong.body.find(R"({"error":"invalid_api_key","message":"Invalid API key)"), 0U) << wrong.body;
    const auto missing = ask({.method = method, .path = path, .body = kPing, .key = ""});
    EXPECT_EQ(missing.status, 401U);
    EXPECT_EQ(missing.body.find(R"({"error":"missing_api_key","message":"No API key)"), 0U) << missing.body;
  }
  EXPECT_EQ(events_.refusals().size(), 12U);
  EXPECT_EQ(events_.refusals()[0], "invalid_key");
  EXPECT_EQ(events_.refusals()[1], "missing_key");
  EXPECT_EQ(ask({.body = kPing, .key = "", .authorization = "Bearer one"}).status, 200U);
}

TEST_F(Endpoint, AnswersUnavailableWhileKeysCannotBeChecked) {
  gatekeeper_.is_trusted = false;
  const auto response = call(kPing);
  EXPECT_EQ(response.status, 503U);
  EXPECT_NE(response.headers.find("Retry-After: "), std::string::npos);
}

TEST_F(Endpoint, HasNothingForClientsThatLookForOAuth) {
  for (const auto* const path : {"/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-authorization-server",
                                 "/sse/.well-known/openid-configuration", "/authorize", "/token", "/", "/mcp/"}) {
    EXPECT_EQ(ask({.method = Method::kGet, .path = path, .key = ""}).status, 404U) << path;
  }
  const auto registration = ask({.path = "/register", .body = "{}", .key = ""});
  EXPECT_EQ(registration.status, 404U);
  EXPECT_NE(registration.body.find(R"("error_description":"This server uses API keys)"), std::string::npos);
  EXPECT_TRUE(events_.refusals().empty());
}

TEST_F(Endpoint, WaitsForAToolWithoutHoldingTheThread) {
  const auto exchange = send({.body = slow(1)});
  EXPECT_FALSE(exchange->is_answered);
  EXPECT_EQ(call(kPing).body, kPong);
  std::thread worker([this] { plugins_.finish_next(); });
  worker.join();
  pump();
  ASSERT_TRUE(exchange->is_answered);
  EXPECT_EQ(exchange->response.status, 200U);
  EXPECT_NE(exchange->response.body.find(R"("id":1,"result")"), std::string::npos);
}

TEST_F(Endpoint, EndsACancelledCallWithoutAnAnswer) {
  const auto id = initialize();
  const auto exchange = send({.body = slow(7), .session = id});
  const auto cancelled = R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}})";
  EXPECT_EQ(ask({.body = cancelled, .key = "two", .session = initialize("2025-11-25", "two")}).status, 202U);
  EXPECT_EQ(ask({.body = cancelled}).status, 202U);  // of no session: concerns no session's calls
  EXPECT_FALSE(exchange->is_answered);
  EXPECT_EQ(ask({.body = cancelled, .session = id}).status, 202U);
  ASSERT_TRUE(exchange->is_answered);
  EXPECT_EQ(exchange->response.status, 202U);
  EXPECT_EQ(exchange->response.body, "");
  EXPECT_TRUE(plugins_.waiting.front()->cancelled);
  plugins_.finish_next();
  EXPECT_EQ(events_.calls(), (std::vector<std::string>{"slow cancelled"}));
}

TEST_F(Endpoint, RefusesAnOpenIdInASessionOnly) {
  const auto id = initialize();
  const auto first = send({.body = slow(7), .session = id});
  const auto second = ask({.body = slow(7), .session = id});
  EXPECT_NE(second.body.find("-32600"), std::string::npos);
  const auto alone = send({.body = slow(7)}), alone_too = send({.body = slow(7)});
  EXPECT_EQ(plugins_.waiting.size(), 3U);
  while (!plugins_.waiting.empty()) plugins_.finish_next();
  pump();
  EXPECT_TRUE(first->is_answered && alone->is_answered && alone_too->is_answered);
}

TEST_F(Endpoint, EndsEverythingOfADeletedKey) {
  const auto id = initialize();
  const auto stream = ask({.method = Method::kGet, .session = id}).stream;
  const auto legacy_stream = ask({.method = Method::kGet, .path = "/sse"}).stream;
  const auto with_session = send({.body = slow(1), .session = id}), alone = send({.body = slow(2)});
  const auto of_another = send({.body = slow(3), .key = "two"});

  gatekeeper_.revoke("one");
  pump();

  EXPECT_FALSE(stream->is_open());
  EXPECT_FALSE(legacy_stream->is_open());
  for (const auto* const exchange : {with_session.get(), alone.get()}) {
    ASSERT_TRUE(exchange->is_answered);
    EXPECT_EQ(exchange->response.status, 401U);
    EXPECT_NE(exchange->response.body.find("Invalid API key"), std::string::npos);
  }
  EXPECT_TRUE(plugins_.waiting[0]->cancelled && plugins_.waiting[1]->cancelled);
  EXPECT_FALSE(of_another->is_answered);
  while (!plugins_.waiting.empty()) plugins_.finish_next();
  pump();
  EXPECT_TRUE(of_another->is_answered);
}

TEST_F(Endpoint, RunsNothingOfAKeyThatIsDeletedBetweenItsCheckAndTheCall) {
  const auto two = initialize("2025-11-25", "two");
  gatekeeper_.after_check = [this] { gatekeeper_.revoke("one"); };
  const auto alone = ask({.body = slow(1)});
  EXPECT_EQ(alone.status, 401U);
  EXPECT_NE(alone.body.find("Invalid API key"), std::string::npos);
  gatekeeper_.after_check = [this] { gatekeeper_.revoke("two"); };
  EXPECT_EQ(ask({.body = slow(2), .key = "two", .session = two}).status, 404U);
  EXPECT_TRUE(plugins_.waiting.empty());

  for (const auto* const path : {"/mcp", "/sse"}) {
    gatekeeper_.live.emplace_back(path, fakes::caller(path[1]));
    const bool has_session = std::string_view(path) == "/mcp";
    const auto session = has_session ? std::optional(initialize("2025-11-25", path)) : std::nullopt;
    gatekeeper_.after_check = [this, path] { gatekeeper_.revoke(path); };
    const auto stream = ask({.method = Method::kGet, .path = path, .key = path, .session = session});
    EXPECT_EQ(stream.status, has_session ? 404U : 401U);
    EXPECT_EQ(stream.stream, nullptr);
  }
}

TEST_F(Endpoint, EndsACallThatWasNotSupposedToBlock) {
  plugins_.runs_inline = false;
  const auto exchange = send({.body = kEcho});
  EXPECT_FALSE(exchange->is_answered);
  gatekeeper_.revoke("one");
  pump();
  ASSERT_TRUE(exchange->is_answered);
  EXPECT_EQ(exchange->response.status, 401U);
  EXPECT_TRUE(plugins_.waiting.front()->cancelled);
  plugins_.finish_next();
}

TEST_F(Endpoint, BoundsTheStreamsOfAKey) {
  const auto first = ask({.method = Method::kGet, .path = "/sse"}),
             second = ask({.method = Method::kGet, .path = "/sse"});
  EXPECT_EQ(ask({.method = Method::kGet, .path = "/sse"}).status, 429U);
  EXPECT_EQ(ask({.method = Method::kGet, .path = "/sse", .key = "two"}).status, 200U);
}

TEST_F(Endpoint, AnswersHeadOfTheStreamWithoutOpeningOne) {
  const auto response = ask({.method = Method::kHead, .path = "/sse"});
  EXPECT_EQ(response.status, 200U);
  EXPECT_EQ(response.content_type, "text/event-stream");
  EXPECT_EQ(response.stream, nullptr);
}

TEST_F(Endpoint, RefusesMessagesWithoutAStream) {
  EXPECT_EQ(ask({.path = "/messages", .body = kPing}).status, 400U);
  EXPECT_EQ(ask({.path = "/messages", .query = "sessionId=nope", .body = kPing}).status, 404U);
}

TEST_F(Endpoint, AnswersBatchesOfTheOneRevisionThatHasThem) {
  const std::string batch =
      std::string("[") + kPing + R"(,{"jsonrpc":"2.0","method":"notifications/x"},3,)" + kEcho + "]";
  const auto response = ask({.body = batch, .session = initialize("2025-03-26")});
  EXPECT_EQ(response.status, 200U);
  EXPECT_EQ(response.body.find(std::string("[") + kPong + R"(,{"jsonrpc":"2.0","id":null,"error":{"code":-32600,)"), 0U)
      << response.body;
  EXPECT_NE(response.body.find(R"(,{"jsonrpc":"2.0","id":5,"result":)"), std::string::npos);
  EXPECT_EQ(ask({.body = batch, .session = initialize("2025-06-18")}).status, 400U);
  EXPECT_EQ(call(R"([{"jsonrpc":"2.0","method":"notifications/x"}])").status, 202U);
  EXPECT_EQ(
      call(R"([{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-03-26"}}])").status,
      400U);
}

TEST_F(Endpoint, WaitsForEveryCallOfABatch) {
  const auto exchange = send({.body = "[" + slow(1) + "," + kPing + "," + slow(2) + "]"});
  plugins_.finish_next();
  pump();
  EXPECT_FALSE(exchange->is_answered);
  plugins_.finish_next();
  pump();
  ASSERT_TRUE(exchange->is_answered);
  const auto& body = exchange->response.body;
  EXPECT_LT(body.find("\"id\":1,\"result\":{\"content\""), body.find("\"id\":2,\"result\":{\"content\""));
}

TEST_F(Endpoint, CountsAndReportsEveryToolCall) {
  call(kEcho);
  call(R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"nope"}})");
  call(R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"fail"}})");
  call(R"({"jsonrpc":"2.0","id":1,"method":"tools/call"})");
  call(kPing);
  const auto uses = gatekeeper_.counter->take();
  ASSERT_EQ(uses.size(), 1U);
  EXPECT_EQ(uses[0].id, KeyId{1});
  EXPECT_EQ(uses[0].calls, 4);
  std::vector<std::string> tools;
  for (const auto& use : uses[0].tools)
    tools.push_back(use.tool + " " + std::to_string(use.calls) + " " + std::to_string(use.errors));
  EXPECT_EQ(tools, (std::vector<std::string>{"echo 1 0", " 2 2", "fail 1 1"}))
      << "what a client calls a tool is no name";
  EXPECT_EQ(events_.calls(),
            (std::vector<std::string>{"echo ok", "nope unknown_tool", "fail tool_error", " invalid_arguments"}));
}

TEST_F(Endpoint, PassesTheIdempotencyKeyOn) {
  const auto exchange = send(
      {.body =
           R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"slow","arguments":{"idempotency_key":"k1"}}})"});
  EXPECT_EQ(plugins_.waiting.front()->idempotency_key, "k1");
  plugins_.finish_next();
  pump();
}

TEST_F(Endpoint, AnswersRunningCallsBeforeItStops) {
  const auto exchange = send({.body = slow(1)});
  const auto stream = ask({.method = Method::kGet, .path = "/sse"}).stream;
  std::thread stopper([this] { endpoint_->stop(10s); });
  plugins_.finish_next();
  stopper.join();
  pump();
  ASSERT_TRUE(exchange->is_answered);
  EXPECT_EQ(exchange->response.status, 200U);
  EXPECT_FALSE(stream->is_open());
  const auto late = call(kPing);
  EXPECT_EQ(late.status, 503U);
  EXPECT_NE(late.headers.find("Retry-After: "), std::string::npos);
  EXPECT_NE(late.body.find(R"("repeatable":true)"), std::string::npos) << late.body;
}

TEST_F(Endpoint, GivesUpOnCallsThatOutlastTheDrain) {
  const auto exchange = send({.body = slow(1)});
  endpoint_->stop(0ms);
  pump();
  ASSERT_TRUE(exchange->is_answered);
  EXPECT_EQ(exchange->response.status, 503U);
  EXPECT_EQ(exchange->response.body.find("repeatable"), std::string::npos) << "it has begun";
  EXPECT_TRUE(plugins_.waiting.front()->cancelled);
  endpoint_.reset();
  plugins_.finish_next();  // after the endpoint is gone
}

}  // namespace
}  // namespace toolhost::protocol
