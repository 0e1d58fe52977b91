#include <atomic>
#include <mutex>
#include <set>
#include <thread>

#include "integration/storage/portal_fixture.hpp"

namespace toolhost::storage {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::system_clock;

class PortalKeysTest : public PortalTest {
 protected:
  std::vector<std::string> names_of(KeyScope scope) {
    std::vector<std::string> names;
    for (const auto& key : store_->keys_of(scope).value()) names.push_back(key.row.name);
    return names;
  }
  /// All there is to know of all keys, to see that nothing has changed.
  std::string everything() {
    return postgres_.run_sql(
        "select coalesce((select string_agg(k::text, ';' order by key_id) from toolhost.api_keys k), '') || "
        "(select count(*) from toolhost.audit)");
  }
};

TEST_F(PortalKeysTest, AKeyBelongsToThePersonWhoMadeIt) {
  auto wanted = new_key(ana_, 1, "  Claude Desktop ");
  wanted.scopes = {"read", "tickets.*"};
  wanted.expires_at = std::chrono::floor<std::chrono::seconds>(Clock::now()) + 24h;
  const auto before = Clock::now() - 1s;
  const auto made = store_->create_key_of(wanted, kAnaActs);
  ASSERT_TRUE(made) << made.error().message << made.error().detail;
  EXPECT_FALSE(made->has_namesake);
  const auto& key = made->key;
  EXPECT_EQ(key.row.name, "Claude Desktop");
  EXPECT_EQ(key.row.owner, "ana@acme.example") << "so the members of the tenant give it its role";
  EXPECT_EQ(key.row.person, ana_);
  EXPECT_EQ(key.row.tenant, "acme");
  EXPECT_EQ(key.row.scopes, wanted.scopes);
  EXPECT_EQ(key.row.expires_at, wanted.expires_at);
  EXPECT_EQ(key.row.hash, hash_of<KeyHash>(1));
  EXPECT_GE(key.created_at, before);
  EXPECT_LE(key.created_at, Clock::now());
  EXPECT_FALSE(key.last_used_at);
  add(ana_, 2, "Phone");
  EXPECT_EQ(names_of(ana_), (std::vector<std::string>{"Phone", "Claude Desktop"})) << "newest first";
  EXPECT_TRUE(names_of(bob_).empty());
  EXPECT_EQ(names_of(acme_).size(), 2U);
  EXPECT_TRUE(names_of(globex_).empty());
  EXPECT_EQ(directory_->keys(acme_)->size(), 2U) << "the host lets it in as any other";
  EXPECT_EQ(audit("kind", "kind like 'key%'"), "key_created key_created");
  EXPECT_EQ(audit("r->>'actor'", "kind like 'key%'"), "portal:ana@acme.example portal:ana@acme.example");
}

TEST_F(PortalKeysTest, AKeyOfTheCommandLineIsNobodysButTheTenants) {
  ASSERT_TRUE(directory_->insert_key({.tenant = acme_,
                                      .name = "Server",
                                      .owner = "ana@acme.example",
                                      .prefix = prefix_of(1),
                                      .hash = hash_of<KeyHash>(1)},
                                     {"cli:root@host"}));
  EXPECT_TRUE(names_of(ana_).empty()) << "an address may have had another owner";
  EXPECT_EQ(names_of(acme_), std::vector<std::string>{"Server"});
  EXPECT_FALSE(store_->keys_of(acme_)->front().row.person);
}

TEST_F(PortalKeysTest, WhatIsNotTheirsIsNotFoundLikeWhatIsNotThere) {
  const KeyId theirs = add(bob_, 1).row.id;
  auto elsewhere = new_key(ana_, 2);
  elsewhere.tenant = globex_;
  const KeyId in_globex = add(elsewhere).row.id;
  const auto before = everything();
  struct Try {
    KeyScope scope;
    KeyId key;
  };
  const auto nothing = [](const auto& result, const char* what) {
    ASSERT_FALSE(result) << what;
    EXPECT_EQ(result.error().code, Errc::kNotFound) << what;
    EXPECT_EQ(result.error().message, "there is no such key") << what;
    EXPECT_TRUE(result.error().detail.empty()) << what;
  };
  for (const auto& [scope, key] :
       {Try{ana_, theirs}, Try{acme_, in_globex}, Try{globex_, theirs}, Try{ana_, KeyId{999'999}}, Try{ana_, KeyId{-1}},
        Try{acme_, KeyId{0}}, Try{PersonId{999'999}, theirs}, Try{TenantId{-7}, theirs}}) {
    nothing(store_->key_of(scope, key), "key_of");
    nothing(store_->rename_key(scope, key, "Mine", kAnaActs), "rename_key");
    nothing(store_->delete_key_of(scope, key, kAnaActs), "delete_key_of");
    nothing(store_->days_of(scope, key, 30), "days_of");
    nothing(store_->recent_errors(scope, key, 10), "recent_errors");
    if (const auto* person = std::get_if<PersonId>(&scope))
      nothing(store_->replace_key_of(*person, key, secret(9), 0s, kAnaActs), "replace_key_of");
  }
  EXPECT_EQ(everything(), before);
  EXPECT_TRUE(store_->key_of(bob_, theirs));
  EXPECT_TRUE(store_->key_of(acme_, theirs)) << "of anybody in the tenant, for its admins";
}

TEST_F(PortalKeysTest, OnlyPeopleAndTenantsThatExistGetKeys) {
  EXPECT_EQ(store_->create_key_of(new_key(PersonId{999'999}, 1), kAnaActs).error().code, Errc::kNotFound);
  auto key = new_key(ana_, 1);
  key.tenant = TenantId{999'999};
  EXPECT_EQ(store_->create_key_of(key, kAnaActs).error().code, Errc::kNotFound);
  for (const char* name : {"", "  ", "a\nb", "\xff"}) {
    EXPECT_EQ(store_->create_key_of(new_key(ana_, 1, name), kAnaActs).error().code, Errc::kInvalidArgument) << name;
  }
  EXPECT_TRUE(names_of(ana_).empty());
}

TEST_F(PortalKeysTest, NamesThatWantToBeSqlAreNames) {
  int seed = 0;
  for (const auto& name : hostile_texts()) {
    const auto key = add(ana_, ++seed, name);
    EXPECT_EQ(key.row.name, name);
    const auto renamed = store_->rename_key(ana_, key.row.id, name + "!", {"portal:" + name});
    ASSERT_TRUE(renamed) << renamed.error().detail;
    EXPECT_EQ(renamed->key.row.name, name + "!");
    auto with_scope = new_key(ana_, ++seed);
    with_scope.prefix = "hdsk_'\"\\,{";
    with_scope.scopes = {name};
    EXPECT_EQ(add(with_scope).row.scopes, with_scope.scopes);
    EXPECT_TRUE(store_->delete_key_of(ana_, KeyId{value(key.row.id) + 1}, {name}));
  }
  EXPECT_EQ(names_of(ana_).size(), hostile_texts().size());
  EXPECT_TRUE(directory_->tenant("acme"));
  EXPECT_EQ(postgres_.run_sql("select count(*) from toolhost.audit where kind = 'key_deleted' and tenant_id = " +
                              std::to_string(value(acme_))),
            std::to_string(hostile_texts().size()))
      << "a record is one record, whatever stands in it";
}

TEST_F(PortalKeysTest, SaysWhenANameIsTaken) {
  add(ana_, 1, "Laptop");
  add(bob_, 2, "Phone");
  EXPECT_TRUE(store_->create_key_of(new_key(ana_, 3, "laptop"), kAnaActs)->has_namesake);
  EXPECT_FALSE(store_->create_key_of(new_key(ana_, 4, "Phone"), kAnaActs)->has_namesake) << "of somebody else";
  const auto tablet = add(ana_, 5, "Tablet").row.id;
  EXPECT_TRUE(store_->rename_key(ana_, tablet, "Phone", kAnaActs)->has_namesake);
  EXPECT_FALSE(store_->rename_key(ana_, tablet, "Tablet 2", kAnaActs)->has_namesake);
  ASSERT_TRUE(store_->replace_key_of(ana_, tablet, secret(6), 1h, kAnaActs));
  EXPECT_FALSE(store_->rename_key(ana_, store_->keys_of(ana_)->front().row.id, "Tablet 2", kAnaActs)->has_namesake)
      << "the one it replaces is on its way out";
}

TEST_F(PortalKeysTest, RenamingIsRecordedAndToldToEveryHost) {
  struct Hears final : KeyWatch::Listener {
    void on_keys(std::vector<KeyRow> keys) override {
      if (!keys.empty() && keys.front().name == "Büro") heard = true;
    }
    void on_confirmed() override {}
    std::atomic<bool> heard{false};
  } hears;
  const auto key = add(ana_, 1).row.id;
  const auto watch = KeyWatch::start(postgres_.address(), hears);
  ASSERT_TRUE(watch);
  ASSERT_TRUE(store_->rename_key(ana_, key, " Büro ", kAnaActs));
  ASSERT_TRUE(store_->rename_key(ana_, key, "Büro", kAnaActs)) << "it is so already";
  EXPECT_EQ(store_->rename_key(ana_, key, std::string(61, 'x'), kAnaActs).error().code, Errc::kInvalidArgument);
  EXPECT_EQ(store_->key_of(ana_, key)->row.name, "Büro");
  EXPECT_EQ(audit("kind || ':' || (r->>'name') || ':' || coalesce(r->>'previous_name', '-')", "kind like 'key%'"),
            "key_created:Laptop:- key_renamed:Büro:Laptop");
  for (int i = 0; i < 300 && !hears.heard; ++i) std::this_thread::sleep_for(10ms);
  EXPECT_TRUE(hears.heard);
}

TEST_F(PortalKeysTest, DeletingIsForGoodAndTakesItsDaysAlong) {
  const auto key = add(ana_, 1).row.id;
  ASSERT_TRUE(directory_->record_uses(
      {{key, 1, Clock::now(), {{std::chrono::floor<std::chrono::days>(Clock::now()), "list", 1, 0}}}}));
  const auto gone = store_->delete_key_of(acme_, key, kBobActs);
  ASSERT_TRUE(gone) << gone.error().detail;
  EXPECT_EQ(gone->row.name, "Laptop");
  EXPECT_EQ(gone->row.usage_count, 1);
  EXPECT_TRUE(gone->last_used_at);
  EXPECT_EQ(store_->delete_key_of(ana_, key, kAnaActs).error().code, Errc::kNotFound);
  EXPECT_EQ(postgres_.run_sql("select count(*) from toolhost.key_days"), "0");
  EXPECT_EQ(audit("r->>'actor'", "kind = 'key_deleted'"), "portal:bob@acme.example");
}

TEST_F(PortalKeysTest, AChangeThatCannotBeRecordedDoesNotHappen) {
  const auto key = add(ana_, 1).row.id;
  postgres_.run_sql("alter function toolhost.audit_append(integer, text[]) rename to away");
  auto once_only = new_key(ana_, 2);
  once_only.once = once(1);
  EXPECT_FALSE(store_->create_key_of(once_only, kAnaActs));
  EXPECT_FALSE(store_->rename_key(ana_, key, "Phone", kAnaActs));
  EXPECT_FALSE(store_->delete_key_of(ana_, key, kAnaActs));
  EXPECT_FALSE(store_->replace_key_of(ana_, key, secret(3), 0s, kAnaActs));
  postgres_.run_sql("alter function toolhost.away(integer, text[]) rename to audit_append");
  EXPECT_EQ(names_of(ana_), std::vector<std::string>{"Laptop"});
  EXPECT_FALSE(store_->key_of(ana_, key)->row.expires_at);
  EXPECT_TRUE(store_->create_key_of(once_only, kAnaActs)) << "the form was not used up";
}

TEST_F(PortalKeysTest, AFormMakesOneKey) {
  auto key = new_key(ana_, 1);
  key.once = once(1);
  ASSERT_TRUE(store_->create_key_of(key, kAnaActs));
  key.hash = hash_of<KeyHash>(2);
  EXPECT_EQ(store_->create_key_of(key, kAnaActs).error().code, Errc::kConflict);
  auto again = secret(3);
  again.once = key.once;
  EXPECT_EQ(store_->replace_key_of(ana_, store_->keys_of(ana_)->front().row.id, again, 0s, kAnaActs).error().code,
            Errc::kConflict);
  key.once = once(2, -1s);
  EXPECT_EQ(store_->create_key_of(key, kAnaActs).error().code, Errc::kConflict) << "too old";
  key.once = once(3);
  key.name = "";
  EXPECT_EQ(store_->create_key_of(key, kAnaActs).error().code, Errc::kInvalidArgument);
  key.name = "Phone";
  EXPECT_TRUE(store_->create_key_of(key, kAnaActs)) << "what was refused for its name may be sent again";
  EXPECT_EQ(names_of(ana_).size(), 2U);
}

TEST_F(PortalKeysTest, AFormThatIsSentTwiceAtOnceMakesOneKey) {
  std::atomic<int> made{0}, refused{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&, i] {
      auto key = new_key(ana_, 10 + i);
      key.once = once(1);
      const auto result = PortalStore::create(postgres_.address())->create_key_of(key, kAnaActs);
      ++(result ? made : refused);
      if (!result) EXPECT_EQ(result.error().code, Errc::kConflict) << result.error().message << result.error().detail;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(made, 1);
  EXPECT_EQ(names_of(ana_).size(), 1U);
}

TEST_F(PortalKeysTest, OfThoseWhoMakeTheLastKeyAtTheSameTimeOneSucceeds) {
  for (int seed = 0; seed < 19; ++seed) add(ana_, seed);
  std::atomic<int> made{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      const auto result = PortalStore::create(postgres_.address())->create_key_of(new_key(ana_, 100 + i), kAnaActs);
      if (result)
        ++made;
      else
        EXPECT_EQ(result.error().code, Errc::kLimit) << result.error().message << result.error().detail;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(made, 1);
  EXPECT_EQ(names_of(ana_).size(), 20U);
  EXPECT_TRUE(store_->create_key_of(new_key(bob_, 200), kBobActs)) << "of each person";
}

TEST_F(PortalKeysTest, KeysThatHaveEndedMakeRoomAndReplacingNeedsNone) {
  store_ = PortalStore::create(postgres_.address(), 2);
  const auto first = add(ana_, 1).row.id;
  auto ends = new_key(ana_, 2, "Ends");
  ends.expires_at = Clock::now() + 1h;
  const auto second = add(ends).row.id;
  const auto full = store_->create_key_of(new_key(ana_, 3), kAnaActs);
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, Errc::kLimit);
  EXPECT_NE(full.error().message.find("You have 2 keys"), std::string::npos) << full.error().message;
  EXPECT_TRUE(store_->replace_key_of(ana_, first, secret(4), 1h, kAnaActs));
  EXPECT_EQ(store_->create_key_of(new_key(ana_, 5), kAnaActs).error().code, Errc::kLimit);
  postgres_.run_sql("update toolhost.api_keys set expires_at = now() - interval '1 second' where key_id = " +
                    std::to_string(value(second)));
  EXPECT_TRUE(store_->create_key_of(new_key(ana_, 6), kAnaActs));

  // What has ended is not kept without end either: every host has all keys in memory.
  for (int seed = 100; names_of(ana_).size() < 20; ++seed)
    ASSERT_TRUE(store_->replace_key_of(ana_, store_->keys_of(ana_)->front().row.id, secret(seed), 0s, kAnaActs));
  const auto newest = store_->keys_of(ana_)->front().row.id;
  EXPECT_EQ(store_->replace_key_of(ana_, newest, secret(300), 0s, kAnaActs).error().code, Errc::kLimit);
  EXPECT_TRUE(store_->delete_key_of(ana_, first, kAnaActs));
  EXPECT_TRUE(store_->replace_key_of(ana_, newest, secret(300), 0s, kAnaActs));
}

TEST_F(PortalKeysTest, ReplacingOnAndOnMakesNoKeysThatWorkWithoutEnd) {
  store_ = PortalStore::create(postgres_.address(), 2);
  auto newest = add(ana_, 1).row.id;
  for (int seed = 2; seed < 5; ++seed)
    newest = store_->replace_key_of(ana_, newest, secret(seed), 168h, kAnaActs)->row.id;
  const auto refused = store_->replace_key_of(ana_, newest, secret(5), 168h, kAnaActs);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kLimit);
  EXPECT_NE(refused.error().message.find("4 keys of yours work"), std::string::npos) << refused.error().message;
  EXPECT_TRUE(store_->replace_key_of(ana_, newest, secret(6), 0s, kAnaActs)) << "as many work as before";
}

TEST_F(PortalKeysTest, ANameHasAsManyCharactersWhetherItIsGivenOrChanged) {
  std::string longest;
  for (int i = 0; i < 60; ++i) longest += "😀";
  const auto key = add(ana_, 1, longest).row;
  EXPECT_EQ(key.name, longest);
  EXPECT_TRUE(store_->rename_key(ana_, key.id, longest, kAnaActs));
  const auto made = store_->create_key_of(new_key(ana_, 2, longest + "x"), kAnaActs);
  const auto renamed = store_->rename_key(ana_, key.id, longest + "x", kAnaActs);
  ASSERT_FALSE(made || renamed);
  EXPECT_EQ(made.error().message, renamed.error().message);
}

TEST_F(PortalKeysTest, AKeyThatIsReplacedGoesOnForAWhile) {
  for (const auto overlap : kReplaceOverlaps) {
    const int seed = static_cast<int>(overlap.count() / 3600) * 2;
    auto wanted = new_key(ana_, 1'000 + seed, "Overlap " + std::to_string(seed));
    wanted.scopes = {"read"};
    const auto old = add(wanted).row.id;
    const auto before = Clock::now();
    const auto next = store_->replace_key_of(ana_, old, secret(1'001 + seed), overlap, kAnaActs);
    ASSERT_TRUE(next) << next.error().message << next.error().detail;
    EXPECT_EQ(next->row.name, wanted.name);
    EXPECT_EQ(next->row.owner, "ana@acme.example");
    EXPECT_EQ(next->row.person, ana_);
    EXPECT_EQ(next->row.scopes, wanted.scopes);
    EXPECT_FALSE(next->row.expires_at);
    const auto ending = store_->key_of(ana_, old).value();
    EXPECT_EQ(ending.row.replaced_by, next->row.id);
    EXPECT_EQ(ending.replaced_by_prefix, next->row.prefix);
    EXPECT_GE(ending.row.expires_at.value(), before + overlap - 2s);
    EXPECT_LE(ending.row.expires_at.value(), Clock::now() + overlap + 1s);
    EXPECT_EQ(store_->replace_key_of(ana_, old, secret(5'000), overlap, kAnaActs).error().code, Errc::kConflict);
    ASSERT_TRUE(store_->delete_key_of(ana_, next->row.id, kAnaActs));
    EXPECT_TRUE(store_->key_of(ana_, old)->replaced_by_prefix.empty());
  }
  const auto key = add(ana_, 1).row.id;
  for (const auto overlap : {-1s, 1s, std::chrono::seconds(8 * 24h)}) {
    EXPECT_EQ(store_->replace_key_of(ana_, key, secret(2), overlap, kAnaActs).error().code, Errc::kInvalidArgument);
  }
  EXPECT_EQ(audit("r->>'actor'", "kind = 'key_rotated' and r->>'name' = 'Overlap 0'"), "portal:ana@acme.example");
}

TEST_F(PortalKeysTest, ReplacingGivesTheKeyTheOwnersAddressOfToday) {
  const auto key = add(ana_, 1).row.id;
  auto married = named("ana");
  married.email = "ana.lopez@acme.example";
  ASSERT_TRUE(store_->upsert_person(married));
  EXPECT_EQ(store_->replace_key_of(ana_, key, secret(2), 1h, kAnaActs)->row.owner, "ana.lopez@acme.example");
}

TEST_F(PortalKeysTest, TheCommandLineRotatesAKeyOfThePortalForItsPerson) {
  add(ana_, 1);
  ASSERT_TRUE(directory_->rotate_key(prefix_of(1), prefix_of(2), hash_of<KeyHash>(2), 1, 1h, {"cli:root@host"}));
  const auto keys = store_->keys_of(ana_).value();
  ASSERT_EQ(keys.size(), 2U);
  EXPECT_EQ(keys[0].row.prefix, prefix_of(2));
  EXPECT_EQ(keys[1].replaced_by_prefix, prefix_of(2));
}

TEST_F(PortalKeysTest, RenamingAndReplacingAndDeletingAtTheSameTimeIsOneAfterTheOther) {
  for (int round = 0; round < 5; ++round) {
    const auto key = add(ana_, 10 * round).row.id;
    const auto check = [](const auto& result) {
      if (!result) {
        EXPECT_EQ(result.error().code, Errc::kNotFound) << result.error().message << result.error().detail;
      }
    };
    std::thread deletes([&] { check(PortalStore::create(postgres_.address())->delete_key_of(ana_, key, kAnaActs)); });
    std::thread renames(
        [&] { check(PortalStore::create(postgres_.address())->rename_key(acme_, key, "Other", kBobActs)); });
    check(store_->replace_key_of(ana_, key, secret(10 * round + 1), 1h, kAnaActs));
    deletes.join();
    renames.join();
    EXPECT_EQ(store_->key_of(ana_, key).error().code, Errc::kNotFound);
  }
}

}  // namespace
}  // namespace toolhost::storage
