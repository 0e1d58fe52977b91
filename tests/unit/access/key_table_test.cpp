#include "access/key_table.hpp"

#include <gtest/gtest.h>

#include <thread>

#include "access/grant.hpp"

namespace toolhost::access {
namespace {

using namespace std::chrono_literals;
constexpr KeyTable::Clock::time_point kStart{1000s};
constexpr KeyTable::WallClock::time_point kToday{20'000 * 24h};

storage::KeyHash hash_of(std::uint8_t byte) {
  storage::KeyHash hash{};
  hash.fill(byte);
  return hash;
}

storage::KeyRow row(std::int64_t id, std::uint8_t hash, std::string tenant = "demo") {
  storage::KeyRow row;
  row.id = KeyId{id};
  row.tenant_id = TenantId{7};
  row.tenant = std::move(tenant);
  row.tenant_time_zone = "Europe/Berlin";
  row.name = "key " + std::to_string(id);
  row.prefix = "hdsk_abc123";
  row.hash = hash_of(hash);
  return row;
}

PolicyPtr policy_of(std::map<std::string, TenantPolicyConfig, std::less<>> tenants = {}) {
  return Policy::compile({built_in_defaults(), std::move(tenants)});
}

/// A table at kStart on kToday, where time stands still unless it is said.
class Keys {
 public:
  explicit Keys(PolicyPtr policy = policy_of()) : table(std::move(policy)) {}

  KeyTable::Changes replace(std::vector<storage::KeyRow> rows) {
    return table.replace(std::move(rows), kStart, kToday);
  }
  CallerPtr caller(std::uint8_t hash) const { return table.find(hash_of(hash), kToday).caller; }
  KeyState state(std::uint8_t hash, KeyTable::WallClock::duration later = {}) const {
    return table.find(hash_of(hash), kToday + later).state;
  }
  std::vector<CallerPtr> set_policy(std::map<std::string, TenantPolicyConfig, std::less<>> tenants) {
    return table.set_policy(policy_of(std::move(tenants)), kStart, kToday).relisted;
  }

  KeyTable table;
};

TEST(KeyTable, KnowsNothingAtFirst) {
  const Keys keys;
  EXPECT_EQ(keys.caller(1), nullptr);
  EXPECT_EQ(keys.table.unconfirmed_for(kStart), KeyTable::Clock::duration::max());
}

TEST(KeyTable, MakesACallerOfARow) {
  Keys keys;
  auto owned = row(2, 2);
  owned.owner = "ann@example.com";
  keys.replace({row(1, 1), owned});
  const auto caller = keys.caller(1);
  ASSERT_NE(caller, nullptr);
  EXPECT_EQ(caller->key_id, KeyId{1});
  EXPECT_EQ(caller->tenant_id, TenantId{7});
  EXPECT_EQ(caller->tenant, "demo");
  EXPECT_EQ(caller->time_zone, "Europe/Berlin");
  EXPECT_EQ(caller->key_prefix, "hdsk_abc123");
  EXPECT_EQ(caller->principal, "key 1");
  EXPECT_EQ(keys.caller(2)->principal, "ann@example.com");
}

TEST(KeyTable, KnowsWhatTheOwnerOfAKeyIsInTheTenant) {
  std::map<std::string, TenantPolicyConfig, std::less<>> tenants;
  tenants["demo"].people = {.members = {{"Ann@example.com", "Ann", Role::kAdmin}, {"*@example.com", "", Role::kAgent}},
                            .default_role = Role::kViewer};
  Keys keys(policy_of(tenants));
  auto member = row(1, 1), colleague = row(2, 2), impostor = row(3, 3), elsewhere = row(4, 4, "other");
  member.owner = "ann@EXAMPLE.com";
  colleague.owner = "bob@example.com";
  impostor.name = "ann@example.com";  // a name is not an owner
  elsewhere.owner = "ann@example.com";
  keys.replace({member, colleague, impostor, elsewhere});

  EXPECT_EQ(keys.caller(1)->role, Role::kAdmin);
  EXPECT_EQ(keys.caller(1)->principal, "Ann@example.com") << "one spelling for one person";
  ASSERT_NE(keys.caller(1)->members, nullptr);
  EXPECT_EQ(keys.caller(1)->members->size(), 1U);
  EXPECT_EQ(keys.caller(2)->role, Role::kAgent);
  EXPECT_EQ(keys.caller(3)->role, Role::kViewer);
  EXPECT_EQ(keys.caller(4)->role, Role::kAgent);
  EXPECT_EQ(keys.caller(4)->members, nullptr);
}

TEST(KeyTable, ReportsWhatAppearedAndWhatWent) {
  Keys keys;
  EXPECT_EQ(keys.replace({row(1, 1), row(2, 2)}).added.size(), 2U);
  const auto changes = keys.replace({row(2, 2), row(3, 3)});
  ASSERT_EQ(changes.added.size(), 1U);
  EXPECT_EQ(changes.added[0].caller->key_id, KeyId{3});
  EXPECT_EQ(changes.added[0].name, "key 3");
  ASSERT_EQ(changes.removed.size(), 1U);
  EXPECT_EQ(changes.removed[0].caller->key_id, KeyId{1});
  EXPECT_EQ(keys.caller(1), nullptr);
}

TEST(KeyTable, CountsAKeyWithANewHashAsRemoved) {
  Keys keys;
  keys.replace({row(1, 1)});
  const auto changes = keys.replace({row(1, 9)});
  EXPECT_EQ(changes.removed.size(), 1U);
  EXPECT_EQ(changes.added.size(), 1U);
  EXPECT_EQ(keys.caller(1), nullptr);
  EXPECT_NE(keys.caller(9), nullptr);
}

TEST(KeyTable, ChangesAnOwnerWithoutRevokingTheKey) {
  Keys keys;
  keys.replace({row(1, 1)});
  const auto before = keys.caller(1);
  auto changes = keys.replace({row(1, 1)});
  EXPECT_TRUE(changes.removed.empty());
  EXPECT_EQ(keys.caller(1), before);
  changes = keys.replace({row(1, 1, "renamed")});
  EXPECT_TRUE(changes.removed.empty());
  EXPECT_TRUE(changes.added.empty());
  EXPECT_EQ(keys.caller(1)->tenant, "renamed");
  EXPECT_EQ(before->tenant, "demo");
}

TEST(KeyTable, TellsHowLongNobodyConfirmed) {
  KeyTable table(policy_of());
  table.replace({}, kStart, kToday);
  EXPECT_EQ(table.unconfirmed_for(kStart + 3s), 3s);
  table.confirm(kStart + 5s);
  EXPECT_EQ(table.unconfirmed_for(kStart + 6s), 1s);
  EXPECT_EQ(table.unconfirmed_for(kStart), 0s);
}

TEST(KeyTable, IsReadWhileItIsReplaced) {
  Keys keys;
  keys.replace({row(1, 1), row(2, 2)});
  std::atomic<bool> done{false};
  std::atomic<int> missing{0};
  std::thread reader([&] {
    while (!done) missing += keys.caller(1) == nullptr;
  });
  for (int i = 0; i < 500; ++i) keys.replace({row(1, 1), row(3 + i, 3)});
  done = true;
  reader.join();
  EXPECT_EQ(missing, 0);
}

TEST(KeyTable, BoundsACallerByTheScopesOfTheKey) {
  Keys keys;
  auto reader = row(1, 1), writer = row(2, 2);
  reader.scopes = {"read", "find_*"};
  keys.replace({reader, writer});
  EXPECT_TRUE(keys.caller(1)->read_only);
  EXPECT_FALSE(keys.caller(2)->read_only);
  const ToolFacts create{.name = "create_ticket", .plugin = "tickets"};
  const auto decision = keys.caller(1)->grant->rights()->decide(create, nullptr);
  EXPECT_EQ(decision.reason, Reason::kScope);
  EXPECT_EQ(decision.place.text(), "scopes of the key");
  EXPECT_TRUE(keys.caller(2)->grant->rights()->decide(create, nullptr).allowed());
}

TEST(KeyTable, KnowsKeysThatAreDisabled) {
  Keys keys;
  auto key = row(1, 1);
  keys.replace({key});
  key.disabled = true;
  auto changes = keys.replace({key});
  ASSERT_EQ(changes.disabled.size(), 1U);
  EXPECT_EQ(changes.disabled[0].name, "key 1");
  EXPECT_TRUE(changes.removed.empty());
  EXPECT_EQ(keys.state(1), KeyState::kDisabled);
  EXPECT_NE(keys.caller(1), nullptr) << "whose it is can be told";
  changes = keys.replace({key});
  EXPECT_TRUE(changes.disabled.empty()) << "once";
  key.disabled = false;
  changes = keys.replace({key});
  EXPECT_EQ(changes.enabled.size(), 1U);
  EXPECT_EQ(keys.state(1), KeyState::kLive);
}

TEST(KeyTable, EndsKeysOfWhoeverIsNamedNoMore) {
  Keys keys;
  auto made_here = row(1, 1), of_the_command_line = row(2, 2), of_a_domain = row(3, 3);
  made_here.person = PersonId{4};
  made_here.owner = of_the_command_line.owner = "ann@example.com";
  of_a_domain.person = PersonId{5};
  of_a_domain.owner = "bob@example.org";
  keys.replace({made_here, of_the_command_line, of_a_domain});
  EXPECT_EQ(keys.state(1), KeyState::kLive) << "the tenant names nobody";

  std::map<std::string, TenantPolicyConfig, std::less<>> named, others;
  named["demo"].people.members = {{"Ann@example.com", "Ann", Role::kAdmin}, {"*@example.org", "", Role::kViewer}};
  others["demo"].people.members = {{"zoe@example.com", "Zoe", Role::kAdmin}, {"*@example.org", "", Role::kViewer}};
  EXPECT_TRUE(keys.table.set_policy(policy_of(named), kStart, kToday).changes.disabled.empty());

  auto changes = keys.table.set_policy(policy_of(others), kStart, kToday).changes;
  ASSERT_EQ(changes.disabled.size(), 1U) << "so that its streams are closed";
  EXPECT_EQ(changes.disabled[0].caller->key_id, KeyId{1});
  EXPECT_EQ(keys.state(1), KeyState::kOwnerLeft);
  EXPECT_EQ(keys.state(2), KeyState::kLive) << "its owner is a name only";
  EXPECT_EQ(keys.state(3), KeyState::kLive);
  EXPECT_TRUE(keys.table.keys()[0].has_owner_left);
  EXPECT_TRUE(keys.replace({made_here, of_the_command_line, of_a_domain}).disabled.empty()) << "told once";
  EXPECT_EQ(keys.state(1), KeyState::kOwnerLeft);

  changes = keys.table.set_policy(policy_of(named), kStart, kToday).changes;
  EXPECT_EQ(changes.enabled.size(), 1U);
  EXPECT_EQ(keys.state(1), KeyState::kLive);
  EXPECT_EQ(keys.caller(1)->role, Role::kAdmin);
}

TEST(KeyTable, LetsInNoKeyOfAnAddressThatNobodyVouchesFor) {
  Keys keys;
  auto of_trial = row(1, 1), doubted = row(2, 2);
  of_trial.person = PersonId{4};
  of_trial.is_of_trial = true;
  doubted.person = PersonId{5};
  keys.replace({of_trial, doubted});
  EXPECT_EQ(keys.state(1), KeyState::kOwnerLeft) << "whoever typed the address";
  EXPECT_EQ(keys.state(2), KeyState::kLive);
  doubted.is_owner_doubted = true;
  EXPECT_EQ(keys.replace({of_trial, doubted}).disabled.size(), 1U);
  EXPECT_EQ(keys.state(2), KeyState::kOwnerLeft);
  doubted.is_owner_doubted = false;
  EXPECT_EQ(keys.replace({of_trial, doubted}).enabled.size(), 1U);

  KeyTable trial(policy_of(), true);
  trial.replace({of_trial}, kStart, kToday);
  EXPECT_EQ(trial.find(hash_of(1), kToday).state, KeyState::kLive);
}

TEST(KeyTable, EndsKeysAtTheirTime) {
  Keys keys;
  auto soon = row(1, 1), later = row(2, 2), never = row(3, 3);
  soon.expires_at = kToday + 10s;
  later.expires_at = kToday + 1h;
  keys.replace({soon, later, never});
  EXPECT_EQ(keys.state(1, 9s), KeyState::kLive);
  EXPECT_EQ(keys.state(1, 10s), KeyState::kExpired) << "whether or not it was told";
  EXPECT_TRUE(keys.table.expire(kToday + 9s).expired.empty());
  const auto changes = keys.table.expire(kToday + 11s);
  ASSERT_EQ(changes.expired.size(), 1U);
  EXPECT_EQ(changes.expired[0].caller->key_id, KeyId{1});
  EXPECT_TRUE(keys.table.expire(kToday + 12s).expired.empty()) << "once";
  EXPECT_EQ(keys.table.expire(kToday + 2h).expired.size(), 1U);
  EXPECT_EQ(keys.state(3, 24h * 365), KeyState::kLive);

  soon.expires_at = kToday + 3h;
  EXPECT_EQ(keys.table.replace({soon, never}, kStart, kToday + 2h).enabled.size(), 1U) << "its end was put off";
}

TEST(KeyTable, SaysNothingOfKeysThatCameDisabledOrExpired) {
  Keys keys;
  auto disabled = row(1, 1), expired = row(2, 2);
  disabled.disabled = true;
  expired.expires_at = kToday - 1h;
  const auto changes = keys.replace({disabled, expired});
  EXPECT_EQ(changes.added.size(), 2U);
  EXPECT_TRUE(changes.disabled.empty());
  EXPECT_TRUE(changes.expired.empty());
  EXPECT_TRUE(keys.table.expire(kToday).expired.empty());
}

TEST(KeyTable, ListsAllKeysById) {
  Keys keys;
  auto second = row(2, 1), first = row(1, 2);
  second.disabled = true;
  first.scopes = {"read"};
  first.owner = "ann@example.com";
  first.expires_at = kToday;
  keys.replace({second, first});
  const auto known = keys.table.keys();
  ASSERT_EQ(known.size(), 2U);
  EXPECT_EQ(known[0].owner, "ann@example.com");
  EXPECT_EQ(known[0].scopes.at(0).text, "read");
  EXPECT_EQ(known[0].expires_at, kToday);
  EXPECT_TRUE(known[1].disabled);
  EXPECT_EQ(known[1].name, "key 2");
  EXPECT_EQ(known[1].caller->key_id, KeyId{2});
}

TEST(KeyTable, TellsWhoseListOfToolsAPolicyChanged) {
  std::map<std::string, TenantPolicyConfig, std::less<>> tenants;
  tenants["demo"].deny = {{"a", {"demo.yaml", 3}}};
  tenants["other"].people.members = {{"ann@example.com", "Ann", Role::kAgent}};
  Keys keys(policy_of(tenants));
  auto disabled = row(3, 3);
  disabled.disabled = true;
  keys.replace({row(1, 1), row(2, 2, "other"), disabled});
  const auto demo = keys.caller(1);

  EXPECT_TRUE(keys.set_policy(tenants).empty());
  tenants["demo"].deny.push_back({"b", {"demo.yaml", 4}});
  const auto changed = keys.set_policy(tenants);
  ASSERT_EQ(changed.size(), 1U) << "a key that is not let in has nobody to tell";
  EXPECT_EQ(changed[0], keys.caller(1));
  EXPECT_TRUE(demo->grant->rights()->decide({.name = "b", .plugin = "p"}, nullptr).allowed()) << "a call keeps its own";
  EXPECT_FALSE(keys.caller(1)->grant->rights()->decide({.name = "b", .plugin = "p"}, nullptr).allowed());

  tenants["demo"].deny[0].place.line = 9;
  EXPECT_TRUE(keys.set_policy(tenants).empty()) << "the list is the same";
  EXPECT_EQ(keys.caller(1)->grant->rights()->decide({.name = "a", .plugin = "p"}, nullptr).place.line, 9);
  tenants["other"].people.default_role = Role::kViewer;
  EXPECT_EQ(keys.set_policy(tenants).size(), 1U);
  EXPECT_EQ(keys.caller(2)->role, Role::kViewer);
  EXPECT_TRUE(keys.caller(2)->read_only);

  const auto kept = keys.caller(2);
  keys.replace({row(1, 1), row(2, 2, "other")});
  EXPECT_EQ(keys.caller(2), kept) << "the next load finds the same";
}

TEST(KeyTable, SharesRightsAmongKeysThatAreAlikeAlsoAfterAReload) {
  Keys keys;
  keys.replace({row(1, 1)});
  keys.set_policy({});
  keys.replace({row(1, 1), row(2, 2)});
  EXPECT_EQ(keys.caller(1)->grant->rights(), keys.caller(2)->grant->rights());
}

TEST(KeyTable, KnowsThePublicPrefixesOfItsKeys) {
  Keys keys;
  auto other = row(2, 2);
  other.prefix = "hdsk_xyz789";
  keys.replace({row(1, 1), other});
  EXPECT_TRUE(keys.table.knows_prefix("hdsk_abc123"));
  EXPECT_FALSE(keys.table.knows_prefix("hdsk_abc124"));
  keys.replace({row(1, 1)});
  keys.set_policy({});
  EXPECT_TRUE(keys.table.knows_prefix("hdsk_abc123"));
  EXPECT_FALSE(keys.table.knows_prefix("hdsk_xyz789"));
}

TEST(KeyTable, CountsOnThroughAReload) {
  std::map<std::string, TenantPolicyConfig, std::less<>> tenants;
  tenants["demo"].limits.key.rate = RateLimit{0.001, 2, {}};
  Keys keys(policy_of(tenants));
  keys.replace({row(1, 1)});
  const ToolFacts tool{.name = "t", .plugin = "p"};
  const auto is_admitted = [&] {
    Admission admission;
    return !keys.caller(1)->grant->admit(tool, kStart, admission);
  };
  EXPECT_TRUE(is_admitted());
  tenants["demo"].deny = {{"x", {}}};
  keys.set_policy(tenants);
  EXPECT_TRUE(is_admitted());
  EXPECT_FALSE(is_admitted());
}

}  // namespace
}  // namespace toolhost::access
