#include <gmock/gmock.h>

#include "access/grant.hpp"
#include "access/policy.hpp"
#include "endpoint_fixture.hpp"
#include "protocol/dispatcher.hpp"

namespace toolhost::protocol {
namespace {

using access::ArgumentsInAudit;
using access::ConcurrencyLimit;
using access::PolicyConfig;
using access::RateLimit;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using namespace std::chrono_literals;

SourcePlace at(int line) {
  return {"acme.yaml", line};
}

/// The endpoint, with what a policy says of the key "one", which belongs to acme.
class CallPolicy : public Endpoint {
 protected:
  CallPolicy() {
    plugins_.tools().add("look").read_only = true;
    set_policy();
  }

  access::TenantPolicyConfig& acme() { return config_.tenants["acme"]; }
  /// Makes what config_ says decide over the calls of the key "one".
  void set_policy(access::Scopes scopes = {}) {
    const auto policy = access::Policy::compile(config_);
    auto caller = std::make_shared<Caller>(*fakes::caller(1, "acme"));
    caller->grant = access::make_grant(policy->rights("acme", Role::kAgent, scopes), policy->limits("acme"),
                                       {"acme", KeyId{1}}, meters_, access::Grant::Clock::now());
    gatekeeper_.live[0].second = caller;
  }

  static std::string call_of(std::string_view tool, std::string_view arguments = "{}") {
    return R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":")" + std::string(tool) +
           R"(","arguments":)" + std::string(arguments) + "}}";
  }
  HttpResponse call_tool(std::string_view tool, std::string_view arguments = "{}") {
    return call(call_of(tool, arguments), "2025-11-25");
  }
  std::string list() { return call(R"({"jsonrpc":"2.0","id":1,"method":"tools/list"})", "2025-11-25").body; }

  PolicyConfig config_{access::built_in_defaults(), {}};
  std::shared_ptr<access::MeterTable> meters_ = std::make_shared<access::MeterTable>();
};

TEST_F(CallPolicy, HidesADeniedToolFromListAndCallAndTellsTheAuditWhy) {
  acme().deny = {{"echo", at(7)}};
  set_policy();
  EXPECT_THAT(list(), AllOf(Not(HasSubstr("\"echo\"")), HasSubstr("\"slow\""), HasSubstr("\"look\"")));
  auto denied = call_tool("echo");
  auto unknown = call_tool("ochu");
  EXPECT_EQ(denied.status, unknown.status);
  EXPECT_EQ(denied.headers, unknown.headers);
  unknown.body.replace(unknown.body.find("ochu"), 4, "echo");
  EXPECT_EQ(denied.body, unknown.body) << "the same to the byte";
  EXPECT_THAT(denied.body, HasSubstr("Unknown tool: echo"));
  EXPECT_THAT(events_.calls(), ElementsAre("echo denied", "ochu unknown_tool"));
  EXPECT_THAT(events_.reasons(), ElementsAre("tool acme.yaml:7", "unknown_tool "));
}

TEST_F(CallPolicy, NamesRoleAndScope) {
  set_policy({{"read", at(3)}});
  EXPECT_THAT(list(), AllOf(Not(HasSubstr("\"echo\"")), HasSubstr("\"look\"")));
  call_tool("echo");
  set_policy({{"sl*", at(4)}});
  call_tool("echo");
  acme().roles[static_cast<std::size_t>(Role::kAgent)].scopes = access::Scopes{{"read", at(5)}};
  set_policy();
  call_tool("echo");
  EXPECT_THAT(events_.reasons(), ElementsAre("scope acme.yaml:3", "scope acme.yaml:4", "role acme.yaml:5"));
}

TEST_F(CallPolicy, RefusesByArgumentsWithASentence) {
  acme().rules = {{.tools = {{"echo", at(8)}},
                   .when = {{.argument = "priority", .values = {"urgent"}, .place = at(9)}},
                   .because = "Only admins set the priority urgent; ask one of them.",
                   .place = at(8)}};
  set_policy();
  EXPECT_THAT(list(), HasSubstr("\"echo\""));
  const auto refused = call_tool("echo", R"({"priority":"Urgent"})");
  EXPECT_EQ(refused.status, 200U);
  EXPECT_EQ(refused.body,
            R"({"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"Access denied: Only admins set the )"
            R"(priority urgent; ask one of them."}],"isError":true}})");
  EXPECT_THAT(call_tool("echo", R"({"priority":"low"})").body, Not(HasSubstr("isError")));
  call(R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}})");
  EXPECT_THAT(events_.calls(), ElementsAre("echo denied", "echo ok", "echo ok"));
  EXPECT_EQ(events_.reasons()[0], "rule acme.yaml:8");
}

TEST_F(CallPolicy, AnswersOverARateWithWhatToWaitFor) {
  acme().limits.key = {.rate = RateLimit{0.1, 1, at(11)}, .concurrent_off = true};
  set_policy();
  const auto first = call_tool("echo");
  EXPECT_EQ(first.headers, "");
  const auto second = call_tool("echo");
  EXPECT_EQ(second.status, 200U) << "the text is for the model";
  EXPECT_EQ(second.headers, "Retry-After: 10\r\n");
  EXPECT_THAT(second.body, AllOf(HasSubstr("Too many calls"), HasSubstr("Wait 10 s"), HasSubstr("\"isError\":true")));
  EXPECT_THAT(events_.calls(), ElementsAre("echo ok", "echo limit"));
  EXPECT_EQ(events_.reasons()[1], "key_rate acme.yaml:11");
  const auto batch = call("[" + call_of("echo") + "," + kPing + "]", "2025-03-26");
  EXPECT_EQ(batch.headers, "Retry-After: 10\r\n");
  EXPECT_THAT(batch.body, AllOf(HasSubstr("Too many calls"), HasSubstr("\"result\":{}")));
}

TEST_F(CallPolicy, AsksRulesAboutArgumentsOnlyOfCallsThatItsLimitsLetThrough) {
  acme().limits.key = {.rate = RateLimit{0.1, 2, at(11)}, .concurrent = ConcurrencyLimit{1, at(12)}};
  acme().rules = {
      {.tools = {{"echo", at(8)}},
       .when =
           {{.argument = "note", .kind = access::ArgumentTest::Kind::kMatches, .pattern = "secret", .place = at(9)}},
       .because = "No secrets.",
       .place = at(8)}};
  acme().arguments_in_audit = ArgumentsInAudit::kStore;
  set_policy();
  EXPECT_THAT(call_tool("echo", R"({"note":"a secret"})").body, HasSubstr("Access denied: No secrets."));
  EXPECT_THAT(call_tool("echo", R"({"note":")" + std::string(40'000, 'a') + "\"}").body,
              HasSubstr("the argument note is too long to be looked at"));
  for (int i = 0; i < 3; ++i)
    EXPECT_THAT(call_tool("echo", R"({"note":"a secret"})").body, HasSubstr("Too many calls"));
  EXPECT_THAT(events_.reasons(), ElementsAre("rule acme.yaml:8", "rule acme.yaml:8", "key_rate acme.yaml:11",
                                             "key_rate acme.yaml:11", "key_rate acme.yaml:11"));
  const auto kept = events_.arguments();
  EXPECT_EQ(kept[0], R"({"note":"a secret"})");
  EXPECT_THAT(kept[1], testing::SizeIs(40'011));
  for (std::size_t i = 2; i < kept.size(); ++i) EXPECT_EQ(kept[i], "") << "nothing bounds their number";
}

TEST_F(CallPolicy, BoundsAndRecordsTheSearchForTools) {
  acme().limits.key = {.rate = RateLimit{0.1, 2, at(11)}, .concurrent = ConcurrencyLimit{1, at(12)}};
  acme().arguments_in_audit = ArgumentsInAudit::kStore;
  set_policy({{"list:find", at(3)}});
  EXPECT_THAT(call_tool("find_tools", R"({"query":"echo"})").body, HasSubstr(R"(\"name\":\"echo\")"));
  EXPECT_THAT(call_tool("find_tools", R"({"limit":3})").body, HasSubstr("\"isError\":true"));
  const auto third = call_tool("find_tools", R"({"query":"echo"})");
  EXPECT_EQ(third.headers, "Retry-After: 10\r\n");
  EXPECT_THAT(third.body, HasSubstr("Too many calls"));
  call_tool("call_tool", "{}");
  EXPECT_THAT(events_.calls(), ElementsAre("find_tools ok", "find_tools invalid_arguments", "find_tools limit",
                                           "call_tool invalid_arguments"));
  EXPECT_EQ(events_.arguments()[0], R"({"query":"echo"})");
}

TEST_F(CallPolicy, GivesBackThePlaceBeforeItRefuses) {
  acme().limits.key = {.concurrent = ConcurrencyLimit{2, at(12)}, .rate_off = true};
  acme().rules = {{.tools = {{"fail", at(8)}},
                   .when = {{.argument = "n", .kind = access::ArgumentTest::Kind::kPresent, .place = at(9)}},
                   .because = "",
                   .place = at(8)}};
  set_policy();
  const auto caller = gatekeeper_.live[0].second;
  Dispatcher dispatcher({.sealing_key = Secret(std::string(32, 's'))}, gatekeeper_, plugins_, events_);
  const auto session = std::make_shared<Session>("s", *caller, SessionFacts{.revision = kNewestLegacy});
  std::vector<std::string> refused;
  const auto call = [&](const std::string& text) {
    auto message = parse_message(text);
    dispatcher.answer(std::move(std::get<Message>(message)), {caller, session}, [&](const Reply& reply) {
      access::Trace trace;
      const auto left = caller->grant->look({.name = "echo", .plugin = "test"}, access::Grant::Clock::now(), trace);
      refused.push_back((message_of(reply) == nullptr ? "no message" : "message") +
                        std::string(left.allowed() ? ", place is free" : ", place is held"));
    });
  };
  const std::string slow = call_of("slow");
  call(slow);
  EXPECT_THAT(refused, testing::IsEmpty());
  call(slow);                               // a duplicate
  call(call_of("fail", R"({"n":1})"));      // by a rule
  session->end(StopReason::kSessionEnded);  // answers the first one, which keeps its place
  call(call_of("slow"));
  dispatcher.drain(0ms);
  call(call_of("slow"));
  EXPECT_THAT(refused, ElementsAre("message, place is free", "message, place is free", "no message, place is free",
                                   "no message, place is free", "no message, place is free"));
  plugins_.finish_next();
}

TEST_F(CallPolicy, HoldsThePlaceOfACallUntilItsToolHasEnded) {
  acme().limits.key = {.concurrent = ConcurrencyLimit{1, at(12)}, .rate_off = true};
  set_policy();
  const auto session = initialize();
  const auto running = send({.body = slow(1), .session = session});
  EXPECT_THAT(call_tool("echo").body, HasSubstr("Wait until one of them has ended"));
  // Its client has gone; the tool still runs.
  ask({.method = Method::kDelete, .session = session});
  ASSERT_TRUE(running->is_answered);
  const auto refused = call_tool("echo");
  EXPECT_EQ(refused.headers, "Retry-After: 1\r\n");
  plugins_.finish_next();
  EXPECT_THAT(call_tool("echo").body, Not(HasSubstr("isError")));
  for (int i = 0; i < 5; ++i) EXPECT_THAT(call_tool("echo").body, Not(HasSubstr("isError"))) << "one after the other";
  set_policy();
  EXPECT_EQ(events_.reasons()[0], "key_concurrency acme.yaml:12");
}

TEST_F(CallPolicy, GivesBackThePlaceOfACallThatNeverBegan) {
  acme().limits.key = {.concurrent = ConcurrencyLimit{2, at(12)}, .rate_off = true};
  set_policy();
  const auto session = initialize();
  const auto running = send({.body = slow(1), .session = session});
  for (int i = 0; i < 5; ++i)
    EXPECT_THAT(ask({.body = slow(1), .session = session}).body, HasSubstr("is still running"));
  plugins_.finish_next();
  pump();
}

TEST_F(CallPolicy, HoldsRequestsResultsAndStreamsToTheTenantsLimits) {
  acme().limits.max_request = 300;
  acme().limits.max_result = 5'000;
  acme().limits.max_streams = 1;
  set_policy();
  EXPECT_EQ(call_tool("echo").status, 200U);
  const auto refused = call_tool("echo", R"({"text":")" + std::string(300, 'x') + "\"}");
  EXPECT_EQ(refused.status, 413U);
  EXPECT_THAT(refused.body, AllOf(HasSubstr(R"({"error":"request_size","message":"The request has )"),
                                  HasSubstr("this tenant may send 300. Send less at once.")));
  const auto running = send({.body = slow(1)});
  EXPECT_EQ(plugins_.waiting.front()->max_result_bytes, 5'000U);
  plugins_.finish_next();
  const auto stream = ask({.method = Method::kGet, .path = "/sse"});
  EXPECT_EQ(ask({.method = Method::kGet, .path = "/sse"}).status, 429U);
  const auto session = initialize();
  EXPECT_EQ(ask({.method = Method::kGet, .session = session}).status, 429U);
  EXPECT_THAT(events_.refusals(), ElementsAre("request_size of acme", "streams of acme", "streams of acme"));
}

TEST_F(CallPolicy, RunsNothingThatTheAuditCouldNotRecord) {
  bool has_room = false;
  McpConfig config;
  config.has_room = [&] { return has_room; };
  acme().limits.key = {.rate = RateLimit{0.1, 1, at(11)}, .concurrent_off = true};
  set_policy();
  start(std::move(config));
  const auto refused = call_tool("echo");
  EXPECT_THAT(refused.body, AllOf(HasSubstr("The audit journal cannot be written, so no call may run. Nothing was "
                                            "saved. Tell the operator."),
                                  HasSubstr("\"isError\":true")));
  EXPECT_THAT(events_.calls(), ElementsAre("echo unavailable"));
  EXPECT_EQ(events_.reasons()[0], "audit ");
  has_room = true;
  EXPECT_THAT(call_tool("echo").body, Not(HasSubstr("isError"))) << "nothing was taken from its limits";
}

TEST_F(CallPolicy, KeepsOfArgumentsWhatTheTenantSays) {
  json::Document document;
  plugins_.tools().add("sign").sensitive =
      plugin_runtime::SensitiveMembers(document.parse(R"({"properties":{"pin":{"x-sensitive":true}}})").value());
  plugins_.tools().add("hidden");
  plugins_.tools().renew();
  acme().deny = {{"hidden", at(7)}};
  const auto* const arguments = R"({ "pin": "1234", "n": 1 })";
  acme().arguments_in_audit = ArgumentsInAudit::kStore;
  set_policy();
  call_tool("sign", arguments);
  call(R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"sign"}})");
  call_tool("hidden", R"({"n":2})");
  call_tool("unknown", arguments);
  acme().arguments_in_audit = ArgumentsInAudit::kNone;
  set_policy();
  call_tool("sign", arguments);
  EXPECT_THAT(events_.arguments(), ElementsAre(R"({"pin":"[redacted]","n":1})", "{}", "", "", ""))
      << "nothing of tools that do not exist for the caller";

  acme().arguments_in_audit = ArgumentsInAudit::kHash;
  set_policy();
  call_tool("sign", arguments);
  call_tool("sign", R"({"pin":"1234","n":1})");
  call_tool("sign", R"({"pin":"1235","n":1})");
  const auto seen = events_.arguments();
  EXPECT_THAT(seen[5], testing::MatchesRegex(R"(\{"hmac":"[A-Za-z0-9_-]{43}"\})"));
  EXPECT_EQ(seen[5], seen[6]);
  EXPECT_NE(seen[5], seen[7]);
}

TEST_F(CallPolicy, FollowsEachCallerThroughAReload) {
  const auto before = config_;
  const auto caller_before = gatekeeper_.live[0].second;
  acme().deny = {{"echo", at(7)}};
  set_policy();
  const auto caller_after = gatekeeper_.live[0].second;
  for (int i = 0; i < 200; ++i) {
    gatekeeper_.live[0].second = i % 2 == 0 ? caller_before : caller_after;
    EXPECT_EQ(call_tool("echo").body.find("Unknown tool") == std::string::npos, i % 2 == 0);
  }
}

TEST_F(CallPolicy, TellsTheClientsOfAKeyThatTheirToolsChanged) {
  const auto session = initialize();
  const auto stream = ask({.method = Method::kGet, .session = session}).stream;
  const auto legacy = ask({.method = Method::kGet, .path = "/sse"}).stream;
  EXPECT_EQ(endpoint_->counts().sessions, 2U);
  EXPECT_EQ(endpoint_->counts().streams, 2U);
  const auto running = send({.body = slow(1)});
  EXPECT_EQ(endpoint_->counts().running_calls, 1U);
  plugins_.finish_next();
  pump();
  EXPECT_EQ(endpoint_->counts().running_calls, 0U);
  const std::vector keys{KeyId{1}, KeyId{2}, KeyId{99}};
  endpoint_->lists_changed(keys, kToolsList);  // what the streams carry is seen in the tests with sockets
  EXPECT_TRUE(stream->is_open() && legacy->is_open());
}

TEST_F(CallPolicy, AnswersKeysThatAreKnownButMayNot) {
  gatekeeper_.refusal = Error{Errc::kDenied, "Access denied: this API key expired on 2026-01-31; make a new one", "d"};
  gatekeeper_.denied = access::Gatekeeper::DeniedKey{gatekeeper_.live[0].second, access::Reason::kKeyExpired};
  const auto denied = call(kPing);
  EXPECT_EQ(denied.status, 403U);
  EXPECT_EQ(
      denied.body,
      R"({"error":"access_denied","message":"Access denied: this API key expired on 2026-01-31; make a new one"})");
  gatekeeper_.refusal =
      Error{Errc::kLimit, "Too many invalid API keys from this address. Wait 3 s, then try again.", ""};
  const auto held_off = call(kPing);
  EXPECT_EQ(held_off.status, 429U);
  EXPECT_EQ(held_off.headers, "Retry-After: 3\r\n");
  EXPECT_THAT(held_off.body, HasSubstr("Wait 3 s"));
  EXPECT_THAT(events_.refusals(), ElementsAre("key_expired of acme", "failed_sign_ins"));
}

TEST_F(CallPolicy, LetsAKeyBeginAnewThatWasEnabledAgain) {
  const auto caller = gatekeeper_.live[0].second;
  gatekeeper_.revoke("one");
  EXPECT_EQ(call(kPing).status, 401U);
  gatekeeper_.live.emplace_back("one", caller);
  EXPECT_THAT(call_tool("echo").body, HasSubstr("structuredContent"));
  EXPECT_EQ(ask({.method = Method::kGet, .path = "/sse"}).status, 200U);
}

}  // namespace
}  // namespace toolhost::protocol
