#include "access/policy.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "access/tenant_rights.hpp"
#include "access/tool_pattern.hpp"

namespace toolhost::access {
namespace {

using testing::HasSubstr;

constexpr ToolFacts kCreate{.name = "create_ticket", .plugin = "tickets", .read_only = false};
constexpr ToolFacts kFind{.name = "find_tickets", .plugin = "tickets", .read_only = true};
constexpr ToolFacts kSearch{.name = "search", .plugin = "acme.search", .read_only = true};

SourcePlace at(int line) {
  return {"acme.yaml", line};
}

std::size_t index(Role role) {
  return static_cast<std::size_t>(role);
}

/// A policy with one tenant, "acme".
std::shared_ptr<const Policy> policy_of(TenantPolicyConfig acme, TenantPolicyConfig defaults = built_in_defaults()) {
  PolicyConfig config{std::move(defaults), {}};
  config.tenants.emplace("acme", std::move(acme));
  return Policy::compile(std::move(config));
}

Decision decide(const Policy& policy, const ToolFacts& tool, Role role = Role::kAgent, const Scopes& scopes = {}) {
  return policy.rights("acme", role, scopes)->decide(tool, nullptr);
}

Decision call(const Rights& rights, const ToolFacts& tool, std::string_view arguments) {
  json::Document document;
  const auto parsed = document.parse(arguments).value();
  return rights.decide(tool, &parsed);
}

TEST(ToolPattern, IsHeldAgainstTheNameOrWithADotAgainstPluginAndName) {
  for (const char* pattern : {"*", "create_*", "*_ticket", "create_ticket", "c*e*t", "**", "tickets.*", "*.create_*",
                              "tickets.create_ticket", "t*.c*t", "*.*"}) {
    EXPECT_TRUE(matches(pattern, kCreate)) << pattern;
  }
  for (const char* pattern : {"", "create", "ticket", "tickets", "tickets*", "Create_*", "tickets.", ".create_ticket",
                              "tasks.*", "create_ticket.*", "tickets.create_ticket.*", "create_ticket*t"}) {
    EXPECT_FALSE(matches(pattern, kCreate)) << pattern;
  }
  EXPECT_TRUE(matches("acme.*", kSearch));
  EXPECT_TRUE(matches("acme.search.search", kSearch));
  EXPECT_FALSE(matches("t*", kSearch)) << "a plugin's name does not stand for its tools";
}

TEST(ToolPattern, TakesNoLongerForManyStars) {
  const std::string name(64, 'a');
  std::string pattern;
  for (int i = 0; i < 63; ++i) pattern += "a*";
  EXPECT_FALSE(matches(pattern + "b", {.name = name, .plugin = "p"}));
  EXPECT_TRUE(matches(pattern, {.name = name, .plugin = "p"}));
}

TEST(Scope, IsReadWriteOrAPattern) {
  for (const char* text : {"read", "write", "tickets.*", "create_ticket", "*-x"})
    EXPECT_TRUE(check_scope(text)) << text;
  for (const std::string& text : {std::string(), std::string("Read"), std::string("a b"), std::string("a/b"),
                                  std::string(129, 'a'), std::string("\xc3\xa4")}) {
    EXPECT_FALSE(check_scope(text)) << text;
  }
}

TEST(Policy, LetsAgentsDoEverythingAndViewersReadWhereNobodySaidAnything) {
  const auto policy = Policy::compile({});
  const auto agent = policy->rights("anybody", Role::kAgent, {}), viewer = policy->rights("anybody", Role::kViewer, {});
  EXPECT_TRUE(agent->decide(kCreate, nullptr).allowed());
  EXPECT_FALSE(agent->read_only());
  EXPECT_TRUE(viewer->decide(kFind, nullptr).allowed());
  EXPECT_TRUE(viewer->read_only());
  const auto refused = viewer->decide(kCreate, nullptr);
  EXPECT_EQ(refused.reason, Reason::kRole);
  EXPECT_EQ(refused.place.text(), "built-in default");
  EXPECT_EQ(agent->arguments_in_audit(), ArgumentsInAudit::kHash);
  EXPECT_EQ(agent->max_result(), SIZE_MAX);
  EXPECT_EQ(policy->limits("anybody").key.rate->burst, 5000U);
}

TEST(Policy, KnowsWhichPluginsExistInATenant) {
  TenantPolicyConfig acme;
  acme.plugins = ToolPatterns{{"tickets", at(2)}};
  const auto policy = policy_of(acme);
  EXPECT_TRUE(decide(*policy, kCreate).allowed());
  const auto refused = decide(*policy, kSearch);
  EXPECT_EQ(refused.reason, Reason::kPlugin);
  EXPECT_EQ(refused.place, at(2));
  EXPECT_EQ(refused.message, "") << "such a tool does not exist for the caller";
  EXPECT_TRUE(policy->rights("other", Role::kAgent, {})->decide(kSearch, nullptr).allowed());
}

TEST(Policy, ReplacesTheDefaultAllowListAndAddsToTheDefaultDenyList) {
  auto defaults = built_in_defaults();
  defaults.allow = ToolPatterns{{"tickets.*", {"toolhost.yaml", 3}}};
  defaults.deny = {{"create_*", {"toolhost.yaml", 5}}};
  TenantPolicyConfig acme;
  EXPECT_EQ(decide(*policy_of(acme, defaults), kSearch).place, (SourcePlace{"toolhost.yaml", 3}));
  acme.allow = ToolPatterns{{"search", at(4)}, {"*_ticket", at(5)}};
  acme.deny = {{"search", at(6)}};
  const auto policy = policy_of(acme, defaults);
  EXPECT_EQ(decide(*policy, kFind).place, at(4)) << "the list that does not have it";
  EXPECT_EQ(decide(*policy, kSearch).reason, Reason::kTool);
  EXPECT_EQ(decide(*policy, kSearch).place, at(6)) << "deny wins";
  EXPECT_EQ(decide(*policy, kCreate).place, (SourcePlace{"toolhost.yaml", 5})) << "nobody takes back a default denial";
}

TEST(Policy, BoundsAKeyByItsRoleAndByItsScopes) {
  TenantPolicyConfig acme;
  acme.roles[index(Role::kAgent)] = {.scopes = Scopes{{"write", at(7)}}, .deny = {{"create_*", at(8)}}, .place = at(6)};
  acme.roles[index(Role::kViewer)] = {.scopes = Scopes{{"read", at(9)}, {"search", at(9)}}, .deny = {}, .place = at(9)};
  const auto policy = policy_of(acme);
  EXPECT_EQ(decide(*policy, kCreate).reason, Reason::kRole);
  EXPECT_EQ(decide(*policy, kCreate).place, at(8));
  EXPECT_TRUE(decide(*policy, kSearch, Role::kViewer).allowed());
  EXPECT_EQ(decide(*policy, kFind, Role::kViewer).reason, Reason::kRole) << "a role with a pattern has no other tools";
  EXPECT_EQ(decide(*policy, kSearch, Role::kViewer, {{"tickets.*", {}}}).reason, Reason::kScope);
  EXPECT_EQ(decide(*policy, kFind, Role::kViewer, {{"write", {}}}).reason, Reason::kRole) << "a key adds nothing";

  const SourcePlace key{"scopes of the key", 0};
  const auto refused = decide(*policy, kCreate, Role::kAdmin, {{"read", key}});
  EXPECT_EQ(refused.reason, Reason::kScope);
  EXPECT_EQ(refused.place, key);
  EXPECT_TRUE(decide(*policy, kCreate, Role::kAdmin, {{"read", key}, {"write", key}}).allowed());
  EXPECT_TRUE(policy->rights("acme", Role::kAdmin, {{"read", key}})->read_only());
  EXPECT_FALSE(policy->rights("acme", Role::kAdmin, {{"search", key}})->read_only());
}

TEST(Policy, HidesAToolByARuleWithoutConditions) {
  TenantPolicyConfig acme;
  acme.rules = {{.tools = {{"find_*", {}}}, .roles = {Role::kAgent}, .when = {}, .because = "x", .place = at(12)}};
  const auto policy = policy_of(acme);
  EXPECT_EQ(decide(*policy, kFind).reason, Reason::kRule);
  EXPECT_EQ(decide(*policy, kFind).place, at(12));
  EXPECT_EQ(decide(*policy, kFind).message, "");
  EXPECT_TRUE(decide(*policy, kFind, Role::kAdmin).allowed());
  EXPECT_FALSE(policy->rights("acme", Role::kAgent, {})->looks_at_arguments(kFind));
}

TEST(Policy, RefusesACallByItsArguments) {
  const ArgumentTest urgent{.argument = "priority", .kind = ArgumentTest::Kind::kIs, .values = {"urgent"}};
  const ArgumentTest late{.argument = "hours", .kind = ArgumentTest::Kind::kAbove, .number = 8};
  TenantPolicyConfig acme;
  acme.rules = {
      {.tools = {{"create_*", {}}}, .roles = {Role::kAgent}, .when = {urgent, late}, .because = "", .place = at(3)},
      {.tools = {}, .roles = {}, .when = {late}, .because = "Ask an admin.", .place = at(9)}};
  const auto policy = policy_of(acme);
  const auto agent = policy->rights("acme", Role::kAgent, {}), admin = policy->rights("acme", Role::kAdmin, {});
  EXPECT_TRUE(agent->looks_at_arguments(kCreate));
  EXPECT_TRUE(agent->decide(kCreate, nullptr).allowed()) << "the tool is in the list";
  EXPECT_TRUE(call(*agent, kCreate, R"({"priority":"urgent"})").allowed());
  const auto refused = call(*agent, kCreate, R"({"priority":"URGENT","hours":9})");
  EXPECT_EQ(refused.reason, Reason::kRule);
  EXPECT_EQ(refused.place, at(3));
  EXPECT_EQ(refused.message,
            "Access denied: create_ticket may not be called when priority is urgent and hours is above 8");
  EXPECT_EQ(call(*admin, kCreate, R"({"priority":"urgent","hours":9})").message, "Access denied: Ask an admin.");
  EXPECT_EQ(call(*agent, kFind, R"({"hours":9})").place, at(9));
}

TEST(Policy, RefusesAnArgumentThatIsTooLongForAPatternAndSaysSo) {
  TenantPolicyConfig acme;
  acme.rules = {{.tools = {},
                 .roles = {},
                 .when = {{.argument = "note", .kind = ArgumentTest::Kind::kMatches, .pattern = "secret"}},
                 .because = "No secrets.",
                 .place = at(3)}};
  const auto rights = policy_of(acme)->rights("acme", Role::kAgent, {});
  EXPECT_EQ(call(*rights, kCreate, R"({"note":"a secret"})").message, "Access denied: No secrets.");
  json::Document document;
  const auto arguments = document.parse(R"({"note":")" + std::string(40'000, 'a') + "\"}").value();
  Trace trace;
  const auto refused = rights->decide(kCreate, &arguments, &trace);
  EXPECT_EQ(refused.place, at(3));
  EXPECT_EQ(refused.message,
            "Access denied: the argument note is too long to be looked at by a rule of the tenant (more than 32 KiB)");
  EXPECT_THAT(trace.back().text, HasSubstr("(more than 32 KiB), which counts as matching"));
}

TEST(Policy, SaysEveryStepWithItsPlace) {
  TenantPolicyConfig acme;
  acme.allow = ToolPatterns{{"tickets.*", at(4)}};
  acme.deny = {{"create_*", at(6)}};
  acme.rules = {{.tools = {{"create_*", {}}},
                 .roles = {},
                 .when = {{.argument = "note", .kind = ArgumentTest::Kind::kPresent}},
                 .because = "",
                 .place = at(8)}};
  const auto rights = policy_of(acme)->rights("acme", Role::kViewer, {{"tickets.*", {"scopes of the key", 0}}});
  Trace trace;
  const auto decision = rights->decide(kCreate, nullptr, &trace);
  EXPECT_EQ(decision.reason, Reason::kTool) << "the first refusal decides";
  ASSERT_EQ(trace.size(), 6U) << "those behind it are told as well";
  EXPECT_EQ(trace[0].text, "'*' matches the plugin tickets");
  EXPECT_EQ(trace[1].text, "'tickets.*' matches create_ticket");
  EXPECT_EQ(trace[1].place, at(4));
  EXPECT_TRUE(trace[1].passed);
  EXPECT_EQ(trace[2].what, "deny list");
  EXPECT_EQ(trace[2].place, at(6));
  EXPECT_FALSE(trace[2].passed);
  EXPECT_EQ(trace[3].what, "role viewer");
  EXPECT_FALSE(trace[3].passed);
  EXPECT_EQ(trace[4].what, "scopes of the key");
  EXPECT_TRUE(trace[4].passed);
  EXPECT_THAT(trace[5].text, HasSubstr("note is given"));
  EXPECT_EQ(trace[5].place, at(8));

  trace.clear();
  json::Document document;
  const auto arguments = document.parse(R"({"note":"x"})").value();
  EXPECT_EQ(rights->decide(kCreate, &arguments, &trace).message, "") << "of a tool that does not exist for the caller";
  EXPECT_FALSE(trace.back().passed);
}

TEST(Policy, GivesToolsTheTextsOfTheTenantThenTheDefaults) {
  auto defaults = built_in_defaults();
  defaults.texts = {{.tool = "search", .title = "Find"}, {.tool = "find_tickets", .title = "Tickets"}};
  TenantPolicyConfig acme;
  acme.texts = {{.tool = "search", .title = {}, .description = "Of Acme."}};
  const auto rights = policy_of(acme, defaults)->rights("acme", Role::kAgent, {});
  ASSERT_NE(rights->text_of("search"), nullptr);
  EXPECT_EQ(rights->text_of("search")->description, "Of Acme.");
  EXPECT_EQ(rights->text_of("find_tickets")->title, "Tickets");
  EXPECT_EQ(rights->text_of("create_ticket"), nullptr);
  EXPECT_EQ(rights->texts().size(), 2U);
}

TEST(Policy, FillsInLimitsMemberByMember) {
  auto defaults = built_in_defaults();
  defaults.limits.tools = {{.tools = {{"create_*", {}}}, .per_key = true, .limits = {}}};
  defaults.limits.max_request = 1000;
  TenantPolicyConfig acme;
  acme.limits.key.rate_off = true;
  acme.limits.tenant.concurrent = ConcurrencyLimit{7, at(2)};
  acme.limits.tools = {{.tools = {{"search", {}}}, .per_key = false, .limits = {}}};
  acme.limits.max_streams = 3;
  const auto policy = policy_of(acme, defaults);
  const auto& limits = policy->limits("acme");
  EXPECT_FALSE(limits.key.rate);
  EXPECT_EQ(limits.key.concurrent->calls, 64U);
  EXPECT_EQ(limits.tenant.concurrent->place, at(2));
  EXPECT_EQ(limits.tools.size(), 2U);
  const auto rights = policy->rights("acme", Role::kAgent, {});
  EXPECT_EQ(rights->max_request(), 1000U);
  EXPECT_EQ(rights->max_streams(), 3U);
}

TEST(Policy, SharesTheRightsOfKeysThatAreAlike) {
  const auto policy = policy_of({});
  const auto rights = policy->rights("acme", Role::kAgent, {{"read", {}}, {"search", {}}});
  EXPECT_EQ(policy->rights("acme", Role::kAgent, {{"search", {}}, {"read", {}}}), rights);
  EXPECT_NE(policy->rights("acme", Role::kAdmin, {{"search", {}}, {"read", {}}}), rights);
  EXPECT_NE(policy->rights("acme", Role::kAgent, {{"search", {}}}), rights);
  EXPECT_EQ(policy->rights("one", Role::kAgent, {}), policy->rights("two", Role::kAgent, {}))
      << "both have the defaults";
}

TEST(Policy, TellsApartWhatAClientWouldSee) {
  TenantPolicyConfig acme;
  acme.deny = {{"create_*", at(3)}};
  const auto rights = [](const TenantPolicyConfig& config, Role role) {
    return policy_of(config)->rights("acme", role, {});
  };
  const auto before = rights(acme, Role::kAgent);
  EXPECT_TRUE(list_alike(*before, *rights(acme, Role::kAgent)));
  EXPECT_FALSE(list_alike(*before, *rights(acme, Role::kViewer)));

  auto moved = acme;
  moved.deny.front().place = at(4);
  EXPECT_TRUE(list_alike(*before, *rights(moved, Role::kAgent)));

  auto about_arguments = acme;
  about_arguments.rules = {{.tools = {}, .roles = {}, .when = {{.argument = "a"}}, .because = "", .place = {}}};
  EXPECT_TRUE(list_alike(*before, *rights(about_arguments, Role::kAgent)));

  auto retitled = acme;
  retitled.texts = {{.tool = "search", .title = "Find"}};
  EXPECT_FALSE(list_alike(*before, *rights(retitled, Role::kAgent)));
  auto hiding = acme;
  hiding.rules = {{.tools = {{"search", {}}}, .roles = {Role::kAgent}, .when = {}, .because = "", .place = {}}};
  EXPECT_FALSE(list_alike(*before, *rights(hiding, Role::kAgent)));
  EXPECT_TRUE(list_alike(*rights(acme, Role::kAdmin), *rights(hiding, Role::kAdmin)));
  auto joined = acme;
  joined.people.members = {{"ann@acme.com", "Ann", Role::kAdmin}};
  EXPECT_TRUE(list_alike(*before, *rights(joined, Role::kAgent)));
}

TEST(Policy, KnowsThePeopleOfItsTenants) {
  TenantPolicyConfig acme;
  acme.people.members = {{"ann@acme.com", "Ann", Role::kAdmin}};
  acme.people.default_role = Role::kViewer;
  const auto policy = policy_of(acme);
  EXPECT_EQ(policy->membership().role_of("acme", "ann@acme.com"), Role::kAdmin);
  EXPECT_EQ(policy->membership().role_of("acme", ""), Role::kViewer);
}

TEST(ArgumentPattern, IsRefusedWithTheReasonOfRe2) {
  EXPECT_TRUE(check_argument_pattern("(?i)secret|password"));
  const auto refused = check_argument_pattern("(a");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kInvalidArgument);
  EXPECT_THAT(refused.error().message, HasSubstr("missing )"));
  EXPECT_FALSE(check_argument_pattern("(?=a)"));
  EXPECT_FALSE(check_argument_pattern("((a{100}){100}){100}")) << "more than it may take";
}

}  // namespace
}  // namespace toolhost::access
