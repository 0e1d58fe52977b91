#include "app/explain.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "access/grant.hpp"
#include "unit/protocol/fakes.hpp"

namespace toolhost::app {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using namespace std::chrono_literals;

const auto kNow = std::chrono::system_clock::time_point(std::chrono::seconds(1'800'000'000));
constexpr auto kFile = "config/tenants/acme.yaml";

SourcePlace line(int number) {
  return {.file = kFile, .line = number};
}

/// The tenant acme: Vera is its viewer, delete_task is denied, urgent tickets are an admin's.
access::PolicyConfig acme() {
  access::PolicyConfig config{.defaults = access::built_in_defaults()};
  auto& tenant = config.tenants["acme"];
  tenant.people.members = {{.email = "vera@acme.com", .name = "Vera", .role = Role::kViewer}};
  tenant.deny = {{.text = "delete_*", .place = line(3)}};
  tenant.roles[0] = {.scopes = access::Scopes{{.text = "read", .place = line(12)}}, .place = line(11)};
  tenant.rules = {{.tools = {{.text = "create_ticket", .place = line(20)}},
                   .when = {{.argument = "priority", .values = {"urgent"}, .place = line(22)}},
                   .because = "Only admins set the priority urgent.",
                   .place = line(20)}};
  tenant.limits.tools = {
      {.tools = {{.text = "create_task", .place = line(31)}},
       .limits = {.rate = access::RateLimit{.per_second = 1.0 / 3600, .burst = 1, .place = line(30)}}}};
  return config;
}

class Explain : public testing::Test {
 protected:
  Explain() {
    for (const char* name : {"create_ticket", "create_task", "delete_task"}) registry_.add(name);
    registry_.add("list_tickets").read_only = true;
    add_key("hdsk_agent1", "");
    add_key("hdsk_viewer", "vera@acme.com");
    add_key("hdsk_agent2", "").scopes = {{.text = "read"}};
    make_callers();
  }

  access::KnownKey& add_key(const std::string& prefix, const std::string& owner) {
    keys_.push_back({.name = "Claude", .owner = owner});
    prefixes_.push_back(prefix);
    return keys_.back();
  }
  void make_callers() {
    for (std::size_t index = 0; index < keys_.size(); ++index) {
      auto& key = keys_[index];
      const Role role = policy_->membership().role_of("acme", key.owner);
      const KeyId id{static_cast<std::int64_t>(index) + 1};
      key.caller = std::make_shared<const Caller>(
          Caller{.tenant = "acme",
                 .key_id = id,
                 .key_prefix = prefixes_[index],
                 .role = role,
                 .grant = access::make_grant(policy_->rights("acme", role, key.scopes), policy_->limits("acme"),
                                             {.tenant = "acme", .key = id}, meters_, access::Grant::Clock::now())});
    }
  }
  Explanation ask(const std::string& key, const std::string& tool, std::optional<std::string> arguments = {}) const {
    auto explained = explain(keys_, *policy_, registry_, {key, tool, std::move(arguments)}, kNow);
    if (!explained) ADD_FAILURE() << explained.error().message;
    return explained ? *explained : Explanation{};
  }

  protocol::fakes::FakeRegistry registry_{1};
  access::PolicyPtr policy_ = access::Policy::compile(acme());
  std::shared_ptr<access::MeterTable> meters_ = std::make_shared<access::MeterTable>();
  std::vector<access::KnownKey> keys_;
  std::vector<std::string> prefixes_;
};

TEST_F(Explain, SaysWhatLetACallThroughAndWhatTheKeyMayCall) {
  const auto said = ask("hdsk_agent1", "create_ticket");
  EXPECT_TRUE(said.allowed);
  EXPECT_EQ(said.reason, "allowed");
  EXPECT_TRUE(std::all_of(said.steps.begin(), said.steps.end(), [](const auto& step) { return step.passed; }));
  EXPECT_THAT(said.tools, ElementsAre("create_task", "create_ticket", "list_tickets"));
}

TEST_F(Explain, NamesTheLineThatDenies) {
  const auto by_list = ask("hdsk_agent1", "delete_task");
  EXPECT_EQ(by_list.reason, "tool");
  EXPECT_EQ(by_list.place, std::string(kFile) + ":3");
  const auto by_role = ask("hdsk_viewer", "create_task");
  EXPECT_EQ(by_role.reason, "role");
  EXPECT_EQ(by_role.place, std::string(kFile) + ":12");
  EXPECT_THAT(by_role.tools, ElementsAre("list_tickets"));
  const auto by_scope = ask("hdsk_agent2", "create_task");
  EXPECT_EQ(by_scope.reason, "scope");
  EXPECT_THAT(by_scope.message, HasSubstr("read-only"));
}

TEST_F(Explain, AsksRulesAboutArguments) {
  EXPECT_TRUE(ask("hdsk_agent1", "create_ticket", R"({"priority":"low"})").allowed);
  const auto refused = ask("hdsk_agent1", "create_ticket", R"({"priority":"urgent"})");
  EXPECT_EQ(refused.reason, "rule");
  EXPECT_EQ(refused.place, std::string(kFile) + ":20");
  EXPECT_THAT(refused.message, HasSubstr("Only admins"));
}

TEST_F(Explain, SeesWhatIsLeftOfALimitAndTakesNothing) {
  EXPECT_TRUE(ask("hdsk_agent1", "create_task").allowed);
  EXPECT_TRUE(ask("hdsk_agent1", "create_task").allowed);
  access::Admission admission;
  const access::ToolFacts tool{.name = "create_task", .plugin = "test"};
  ASSERT_FALSE(keys_[0].caller->grant->admit(tool, access::Grant::Clock::now(), admission));
  const auto refused = ask("hdsk_agent1", "create_task");
  EXPECT_EQ(refused.reason, "tool_rate");
  EXPECT_EQ(refused.place, std::string(kFile) + ":30");
  EXPECT_THAT(to_text(refused, true), HasSubstr("stopped by limit (tool rate)"));
}

TEST_F(Explain, AsksForTheToolThenForLimitsThenAboutArguments) {
  auto config = acme();
  config.tenants["acme"].limits.tools.push_back(
      {.tools = {{.text = "create_ticket", .place = line(41)}},
       .limits = {.rate = access::RateLimit{.per_second = 1.0 / 3600, .burst = 1, .place = line(40)}}});
  policy_ = access::Policy::compile(std::move(config));
  make_callers();
  const auto what = [](const Explanation& said) {
    std::vector<std::string> names;
    for (const auto& step : said.steps) names.push_back(step.what);
    return names;
  };
  const auto urgent = R"({"priority":"urgent"})";
  const auto by_rule = ask("hdsk_agent1", "create_ticket", urgent);
  EXPECT_EQ(by_rule.reason, "rule");
  EXPECT_THAT(what(by_rule), ElementsAre("key", "person", "tool", "plugins of the tenant", "allow list", "deny list",
                                         "role agent", "scopes of the key", "limits of the key", "limits of the key",
                                         "limits of create_ticket", "rule about arguments"));
  access::Admission admission;
  const access::ToolFacts tool{.name = "create_ticket", .plugin = "test"};
  ASSERT_FALSE(keys_[0].caller->grant->admit(tool, access::Grant::Clock::now(), admission));
  const auto by_limit = ask("hdsk_agent1", "create_ticket", urgent);
  EXPECT_EQ(by_limit.reason, "tool_rate") << "a rule is only asked of a call that was counted";
  EXPECT_FALSE(by_limit.steps.back().passed);
  EXPECT_EQ(what(by_limit), what(by_rule));
  EXPECT_EQ(ask("hdsk_viewer", "create_ticket", urgent).reason, "role");
}

TEST_F(Explain, SaysThatAKeyIsDisabledOrHasExpired) {
  keys_[0].disabled = true;
  EXPECT_EQ(ask("hdsk_agent1", "create_task").reason, "key_disabled");
  keys_[1].expires_at = kNow - 1s;
  const auto expired = ask("hdsk_viewer", "list_tickets");
  EXPECT_EQ(expired.reason, "key_expired");
  EXPECT_THAT(expired.message, HasSubstr("2027-01-15T07:59:59Z"));
  EXPECT_THAT(expired.tools, IsEmpty());
}

TEST_F(Explain, SaysThatWhoeverMadeTheKeyHasLeft) {
  keys_[0].has_owner_left = true;
  const auto said = ask("hdsk_agent1", "create_task");
  EXPECT_EQ(said.reason, "owner_left");
  EXPECT_THAT(said.message, HasSubstr("is no member of acme any more"));
  EXPECT_THAT(said.tools, IsEmpty());
}

TEST_F(Explain, KnowsANameThatIsNearlyATool) {
  const auto said = ask("hdsk_agent1", "creat_ticket");
  EXPECT_EQ(said.reason, "unknown_tool");
  EXPECT_EQ(said.did_you_mean, "create_ticket");
}

TEST_F(Explain, SaysWhenTheToolWouldNotTakeTheArguments) {
  registry_.add("strict").input_schema = JsonSchema::compile(R"({"type":"object","required":["title"]})").value();
  const auto said = ask("hdsk_agent1", "strict", "{}");
  EXPECT_TRUE(said.allowed);
  EXPECT_THAT(to_text(said, true), HasSubstr("title"));
}

TEST_F(Explain, WantsOneKeyAndAnObject) {
  const auto error = [&](const std::string& key, std::optional<std::string> arguments = {}) {
    const auto explained = explain(keys_, *policy_, registry_, {key, "create_task", std::move(arguments)}, kNow);
    return explained ? Error{Errc::kInternal, "explained", ""} : explained.error();
  };
  EXPECT_EQ(error("hdsk_zzzzzz").code, Errc::kNotFound);
  EXPECT_EQ(error("hdsk_agent").code, Errc::kConflict);
  EXPECT_THAT(error("hdsk_agent").message, HasSubstr("hdsk_agent2"));
  EXPECT_EQ(error("agent").code, Errc::kInvalidArgument);
  EXPECT_EQ(error("hdsk_agent1", "{").code, Errc::kInvalidArgument);
  EXPECT_EQ(error("hdsk_agent1", "[]").code, Errc::kInvalidArgument);
}

TEST_F(Explain, TravelsAsJson) {
  const auto said = ask("hdsk_viewer", "create_task");
  const auto read = explanation_from_json(to_json(said));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(to_text(*read, true), to_text(said, true));
}

}  // namespace
}  // namespace toolhost::app
