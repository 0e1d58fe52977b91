#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/config/config_loader.hpp"

namespace toolhost::app {
namespace {

using access::ArgumentTest;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> problems_of(std::string_view yaml) {
  std::vector<std::string> texts;
  for (const auto& problem : parse_config(yaml, "host.yaml").problems) texts.push_back(to_string(problem));
  return texts;
}

access::PolicyConfig policy_of(std::string_view yaml) {
  auto loaded = parse_config(yaml, "host.yaml");
  for (const auto& problem : loaded.problems) ADD_FAILURE() << to_string(problem);
  return std::move(loaded.config.policy);
}

TEST(PolicySections, ReadsToolsRolesAndTextsWithTheirPlaces) {
  const auto policy = policy_of(R"(
defaults:
  tools: {deny: [delete_task]}
  roles: {viewer: {scopes: [read, tickets.*]}}
tenants:
  - name: acme
    plugins: [tickets]
    tools:
      allow: [list_*, tickets.get_ticket]
      texts:
        list_tickets: {title: Our tickets}
    roles:
      agent: {deny: ["*_task"]}
    audit: {arguments: none}
)");
  EXPECT_EQ(policy.defaults.deny, (access::ToolPatterns{{"delete_task", {"host.yaml", 3}}}));
  EXPECT_EQ(policy.defaults.plugins, access::built_in_defaults().plugins);
  EXPECT_EQ(policy.defaults.roles[0].scopes->at(1).text, "tickets.*");
  EXPECT_EQ(policy.defaults.roles[1].scopes->at(0).text, "write");
  const auto& acme = policy.tenants.at("acme");
  EXPECT_EQ(acme.plugins, (access::ToolPatterns{{"tickets", {"host.yaml", 7}}}));
  EXPECT_EQ(acme.allow->at(1), (access::ToolPattern{"tickets.get_ticket", {"host.yaml", 9}}));
  ASSERT_EQ(acme.texts.size(), 1U);
  EXPECT_EQ(acme.texts[0].tool, "list_tickets");
  EXPECT_EQ(acme.texts[0].title, "Our tickets");
  EXPECT_FALSE(acme.texts[0].description);
  EXPECT_EQ(acme.roles[1].deny.at(0), (access::ToolPattern{"*_task", {"host.yaml", 13}}));
  EXPECT_FALSE(acme.roles[1].scopes);
  EXPECT_EQ(acme.arguments_in_audit, access::ArgumentsInAudit::kNone);
  EXPECT_EQ(acme.place.line, 6);
}

TEST(PolicySections, ReadsConditionsOnArguments) {
  const auto policy = policy_of(R"(
defaults:
  rules:
    - tools: [create_*]
      roles: [viewer, agent]
      when:
        priority: [urgent, 5, null]
        assignee: {is_not: bo}
        title: {matches: "(?i)secret"}
        hours: {above: 2.5, below: 8}
        note: {present: false}
        /a~1b/0: off
      because: No.
    - roles: [viewer]
)");
  ASSERT_EQ(policy.defaults.rules.size(), 2U);
  const auto& rule = policy.defaults.rules[0];
  EXPECT_THAT(rule.roles, ElementsAre(Role::kViewer, Role::kAgent));
  EXPECT_EQ(rule.because, "No.");
  EXPECT_EQ(rule.place.line, 4);
  using Kind = ArgumentTest::Kind;
  EXPECT_THAT(rule.when,
              ElementsAre(ArgumentTest{"priority", Kind::kIs, {"urgent", "5", "null"}, "", 0, {"host.yaml", 7}},
                          ArgumentTest{"assignee", Kind::kIsNot, {"bo"}, "", 0, {"host.yaml", 8}},
                          ArgumentTest{"title", Kind::kMatches, {}, "(?i)secret", 0, {"host.yaml", 9}},
                          ArgumentTest{"hours", Kind::kAbove, {}, "", 2.5, {"host.yaml", 10}},
                          ArgumentTest{"hours", Kind::kBelow, {}, "", 8, {"host.yaml", 10}},
                          ArgumentTest{"note", Kind::kAbsent, {}, "", 0, {"host.yaml", 11}},
                          ArgumentTest{"/a~1b/0", Kind::kIs, {"off"}, "", 0, {"host.yaml", 12}}));
  EXPECT_THAT(policy.defaults.rules[1].when, IsEmpty());
}

TEST(PolicySections, ReadsLimits) {
  const auto policy = policy_of(R"(
defaults:
  limits: {key: {rate: off}}
tenants:
  - name: acme
    limits:
      tenant: {rate: 30/min}
      key: {rate: 0.5/s, burst: 10, concurrent: off}
      tools: [{tools: [create_*], per: key, concurrent: 2}]
      request: 64KiB
      streams: 3
)");
  EXPECT_FALSE(policy.defaults.limits.key.rate);
  EXPECT_TRUE(policy.defaults.limits.key.rate_off);
  EXPECT_EQ(policy.defaults.limits.key.concurrent->calls, 64U);
  const auto& limits = policy.tenants.at("acme").limits;
  EXPECT_EQ(limits.tenant.rate, (access::RateLimit{0.5, 30, {"host.yaml", 7}}));
  EXPECT_EQ(limits.key.rate, (access::RateLimit{0.5, 10, {"host.yaml", 8}}));
  EXPECT_TRUE(limits.key.concurrent_off);
  ASSERT_EQ(limits.tools.size(), 1U);
  EXPECT_TRUE(limits.tools[0].per_key);
  EXPECT_EQ(limits.tools[0].limits.concurrent->calls, 2U);
  EXPECT_EQ(limits.max_request, 65536U);
  EXPECT_FALSE(limits.max_result);
  EXPECT_EQ(limits.max_streams, 3U);
}

TEST(PolicySections, RefusesLimitsAboveThoseOfTheHost) {
  EXPECT_THAT(problems_of(R"(
http: {max_body: 64KiB}
defaults:
  limits: {request: 65KiB, result: 1MiB, streams: 8}
mcp: {max_streams_per_key: 8}
tenants:
  - name: acme
    limits:
      request: 64KiB
      result: 2MiB
      streams: 9
)"),
              ElementsAre("host.yaml:4:21: 'defaults.limits.request' must be at most http.max_body, 64KiB (or raise "
                          "that); got '65KiB'",
                          "host.yaml:10:15: 'tenants[].limits.result' must be at most calls.max_result, 1MiB (or raise "
                          "that); got '2MiB'",
                          "host.yaml:11:16: 'tenants[].limits.streams' must be at most mcp.max_streams_per_key, 8 (or "
                          "raise that); got '9'"));
}

TEST(PolicySections, SaysWhatIsWrongWithLimits) {
  EXPECT_THAT(problems_of(R"(defaults:
  limits:
    tenant: {rate: 50, concurrent: 0}
    key: {rate: 0/s, burst: 5}
    tools:
      - {tools: [create_*]}
      - {rate: 5/s, per: person}
      - {tools: [a b], rate: 1/day}
    result: 1KB
)"),
              ElementsAre("host.yaml:3:20: 'defaults.limits.tenant.rate' must be like 50/s, 30/min, 1000/h or off; got "
                          "'50'",
                          "host.yaml:3:36: 'defaults.limits.tenant.concurrent' must be a whole number from 1 to "
                          "1000000, or off; got '0'",
                          "host.yaml:4:17: 'defaults.limits.key.rate' must be like 50/s, 30/min, 1000/h or off; got "
                          "'0/s'",
                          "host.yaml:6:9: a limit of tools needs 'rate' or 'concurrent'",
                          "host.yaml:7:9: a limit of tools needs 'tools': names, or patterns such as create_*",
                          "host.yaml:7:26: 'defaults.limits.tools[].per' must be one of: tenant, key; got 'person'",
                          "host.yaml:8:18: 'defaults.limits.tools[].tools' must hold names, or patterns such as "
                          "create_* or tickets.*; got 'a b'",
                          "host.yaml:8:30: 'defaults.limits.tools[].rate' must be like 50/s, 30/min, 1000/h or off; "
                          "got '1/day'",
                          "host.yaml:9:13: 'defaults.limits.result' must be a size from 1KiB to 64MiB, such as 64KiB; "
                          "got '1KB'"));
  EXPECT_THAT(problems_of("defaults: {limits: {key: {burst: 5}}}\n"),
              ElementsAre("host.yaml:1:34: 'defaults.limits.key.burst' goes with a rate; write both, or neither"));
}

TEST(PolicySections, SaysWhatIsWrongWithRulesAndRoles) {
  const auto problems = problems_of(R"(defaults:
  rules:
    - because: x
    - tools: [a]
      roles: [boss]
      when: {}
    - when:
        title: {matches: "(", is: []}
        hours: {above: many}
        note: {present: maybe}
        who: {}
        deep: {is: [[1]]}
        else: {ist: a}
  roles:
    agent: {scopes: [], denny: []}
    admin: {scopes: [Write]}
    boss: {}
  audit: {arguments: all}
)");
  ASSERT_EQ(problems.size(), 15U) << testing::PrintToString(problems);
  EXPECT_THAT(problems[0], HasSubstr("3:7: this rule refuses everything to everybody"));
  EXPECT_THAT(problems[1], HasSubstr("5:15: 'defaults.rules[].roles' must hold viewer, agent or admin; got 'boss'"));
  EXPECT_THAT(problems[2], HasSubstr("6:13: 'defaults.rules[].when' is empty"));
  EXPECT_THAT(problems[3], HasSubstr("8:26: 'defaults.rules[].when.title.matches' is no regular expression: "));
  EXPECT_THAT(problems[4], HasSubstr("8:35: 'defaults.rules[].when.title.is' is an empty list"));
  EXPECT_THAT(problems[5], HasSubstr("9:24: 'defaults.rules[].when.hours.above' must be a number; got 'many'"));
  EXPECT_THAT(problems[6], HasSubstr("10:25: 'defaults.rules[].when.note.present' must be true or false"));
  EXPECT_THAT(problems[7], HasSubstr("11:14: 'defaults.rules[].when.who' says nothing"));
  EXPECT_THAT(problems[8], HasSubstr("12:21: 'defaults.rules[].when.deep.is' must hold plain values"));
  EXPECT_THAT(problems[9], HasSubstr("13:16: unknown key 'ist' in defaults.rules[].when.else; did you mean 'is'?"));
  EXPECT_THAT(problems[10], HasSubstr("15:21: 'defaults.roles.agent.scopes' is empty, which is no bound at all"));
  EXPECT_THAT(problems[11], HasSubstr("15:25: unknown key 'denny' in defaults.roles.agent; did you mean 'deny'?"));
  EXPECT_THAT(problems[12], HasSubstr("16:22: 'defaults.roles.admin.scopes': 'Write' is no scope"));
  EXPECT_THAT(problems[13], HasSubstr("17:5: unknown key 'boss' in defaults.roles"));
  EXPECT_THAT(problems[14], HasSubstr("18:22: 'defaults.audit.arguments' must be one of: none, hash, store"));
}

}  // namespace
}  // namespace toolhost::app
