// What a token's scopes let through, and what is said about the others.
#include "access/token_grant.hpp"

#include <gtest/gtest.h>

#include "access/policy.hpp"

namespace toolhost::access {
namespace {

using namespace std::chrono_literals;

constexpr ToolFacts kRead{.name = "get_ticket", .plugin = "tickets", .read_only = true};
constexpr ToolFacts kWrite{.name = "create_ticket", .plugin = "tickets", .read_only = false};
constexpr ToolFacts kTask{.name = "create_task", .plugin = "tasks", .read_only = false};
constexpr ToolFacts kSearch{.name = "search", .plugin = "search", .read_only = true};

Scopes scopes(std::initializer_list<const char*> texts) {
  Scopes all;
  for (const char* text : texts) all.push_back({text, {}});
  return all;
}

class TokenGrantTest : public testing::Test {
 protected:
  /// An issuer with three scopes, of which the token has these.
  std::shared_ptr<const Grant> grant(std::vector<std::string> granted, Role role = Role::kAgent) {
    TokenScopes all{.granted = std::move(granted)};
    std::vector<RightsPtr> each;
    for (const auto& [name, opens] :
         {std::pair{"tickets:read", scopes({"tickets.*", "read"})}, std::pair{"tickets:write", scopes({"tickets.*"})},
          std::pair{"tasks:read", scopes({"tasks.*", "read"})}}) {
      each.push_back(policy_->rights("acme", role, opens));
      all.all.push_back({name, each.back()});
    }
    all.challenge = [](std::string_view wanted) { return "needs " + std::string(wanted); };
    return make_token_grant(make_grant(any_of(std::move(each)), policy_->limits("acme"), {"acme", KeyId{-7}},
                                       std::make_shared<MeterTable>(), now_),
                            std::move(all));
  }
  std::string admit(const Grant& grant, const ToolFacts& tool) {
    Admission admission;
    const auto refused = grant.admit(tool, now_, admission);
    return refused ? std::string(to_string(refused->decision.reason)) + ": " + refused->challenge : "admitted";
  }

  PolicyPtr policy_ = Policy::compile({built_in_defaults(), {}});
  const Grant::Clock::time_point now_ = Grant::Clock::now();
};

TEST_F(TokenGrantTest, LetsThroughWhatOneOfItsScopesOpens) {
  const auto both = grant({"openid", "tickets:read", "tasks:read"});
  EXPECT_EQ(admit(*both, kRead), "admitted");
  // No scope lends another what it has: tasks may be read, tickets may be read, nothing is written.
  EXPECT_EQ(admit(*both, kWrite), "scope: needs openid tickets:read tasks:read tickets:write");
  EXPECT_EQ(admit(*grant({"tickets:write"}), kWrite), "admitted");
  EXPECT_EQ(admit(*grant({}), kRead), "scope: needs tickets:read");
  EXPECT_EQ(admit(*grant({"tickets:read"}), kTask), "scope: ");  // nothing that it could ask for opens this
}

TEST_F(TokenGrantTest, ShowsWhatAnotherScopeWouldOpenAndNothingElse) {
  const auto rights = grant({"tickets:read"})->rights();
  EXPECT_TRUE(rights->decide(kRead, nullptr).allowed());
  EXPECT_TRUE(rights->decide(kWrite, nullptr).allowed());
  EXPECT_EQ(rights->decide(kTask, nullptr).reason, Reason::kScope);
  EXPECT_EQ(rights->decide(kSearch, nullptr).reason, Reason::kScope);
  // Nor does a scope open what the role may not.
  EXPECT_EQ(grant({"tickets:write"}, Role::kViewer)->rights()->decide(kWrite, nullptr).reason, Reason::kRole);
}

TEST_F(TokenGrantTest, KnowsWhenItsScopesOnlyRead) {
  TokenScopes all{.all = {{"read", policy_->rights("acme", Role::kAgent, scopes({"read"}))},
                          {"write", policy_->rights("acme", Role::kAgent, {})}}};
  EXPECT_TRUE(opens_only_reading(all));
  all.granted = {"read"};
  EXPECT_TRUE(opens_only_reading(all));
  all.granted = {"read", "write"};
  EXPECT_FALSE(opens_only_reading(all));
}

TEST_F(TokenGrantTest, CountsAsAKeyDoes) {
  auto defaults = built_in_defaults();
  defaults.limits.key.rate = RateLimit{.per_second = 1, .burst = 1, .place = {}};
  policy_ = Policy::compile({defaults, {}});
  const auto limited = grant({"tickets:read"});
  EXPECT_EQ(admit(*limited, kWrite), "scope: needs tickets:read tickets:write");  // costs nothing
  EXPECT_EQ(admit(*limited, kRead), "admitted");
  EXPECT_EQ(admit(*limited, kRead), "key_rate: ");
}

}  // namespace
}  // namespace toolhost::access
