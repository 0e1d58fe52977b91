#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "integration/storage/notes.hpp"
#include "storage/directory_store.hpp"

namespace toolhost::storage {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::system_clock;

const Actor kActor{"cli:ana@host"};

KeyHash hash_of(std::uint8_t seed) {
  KeyHash hash{};
  hash.fill(seed);
  return hash;
}

/// A prefix of its own for each seed.
std::string prefix_of(std::uint8_t seed) {
  return "hdsk_" + std::to_string(100000 + seed);
}

class KeyStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    postgres_.run_sql("truncate toolhost.tenants cascade");
    store_ = DirectoryStore::create(postgres_.address());
    tenant_ = store_->create_tenant("acme", "Acme", "UTC", kActor).value().id;
  }

  NewKeyRow new_key(std::uint8_t seed) const {
    return {.tenant = tenant_, .name = "Laptop", .prefix = prefix_of(seed), .hash = hash_of(seed)};
  }
  KeyRow add(const NewKeyRow& key) {
    auto made = store_->insert_key(key, kActor);
    EXPECT_TRUE(made) << made.error().message << made.error().detail;
    return made ? *made : KeyRow{};
  }
  Result<KeyRow> rotate(std::uint8_t old, std::uint8_t next, std::chrono::seconds overlap) {
    return store_->rotate_key(prefix_of(old), prefix_of(next), hash_of(next), 1, overlap, kActor);
  }
  KeyRow find(KeyId id) {
    for (const auto& key : store_->keys(tenant_).value())
      if (key.id == id) return key;
    ADD_FAILURE() << "the key is gone";
    return {};
  }
  /// What `select` says of each of the tenant's records, oldest first.
  std::string audit(const std::string& select) {
    return postgres_.run_sql("select coalesce(string_agg(" + select + ", ' ' order by sequence), '') from " +
                             "(select *, record::jsonb as r from toolhost.audit where tenant_id = " +
                             std::to_string(value(tenant_)) + ") a");
  }

  test_support::TempPostgres& postgres_ = test_support::TempPostgres::shared();
  std::unique_ptr<DirectoryStore> store_;
  TenantId tenant_{};
};

TEST_F(KeyStoreTest, KeepsScopesAndEnd) {
  auto key = new_key(1);
  key.scopes = {"read", "tickets.*", "a\"b\\c,{}", "null"};
  key.expires_at = std::chrono::sys_days{std::chrono::year{2031} / 2 / 28} + 5h + 1s;
  const KeyRow made = add(key);
  const KeyRow plain = add(new_key(2));
  EXPECT_EQ(made.scopes, key.scopes);
  EXPECT_EQ(made.expires_at, key.expires_at);
  EXPECT_FALSE(made.disabled);
  EXPECT_FALSE(made.replaced_by.has_value());
  EXPECT_EQ(find(made.id).scopes, key.scopes);
  EXPECT_EQ(find(made.id).expires_at, key.expires_at);
  EXPECT_TRUE(plain.scopes.empty());
  EXPECT_FALSE(plain.expires_at.has_value());
  key = new_key(3);
  key.scopes.assign(65, "read");
  EXPECT_EQ(store_->insert_key(key, kActor).error().code, Errc::kInvalidArgument);
}

TEST_F(KeyStoreTest, DisablesAndEnables) {
  const KeyRow made = add(new_key(1));
  EXPECT_TRUE(store_->set_key_disabled(prefix_of(1), true, kActor).value().disabled);
  EXPECT_TRUE(find(made.id).disabled);
  EXPECT_TRUE(store_->set_key_disabled(prefix_of(1), true, kActor).value().disabled) << "it is so already";
  EXPECT_FALSE(store_->set_key_disabled(prefix_of(1), false, kActor).value().disabled);
  EXPECT_FALSE(find(made.id).disabled);
  EXPECT_EQ(store_->set_key_disabled("hdsk_nobody", true, kActor).error().code, Errc::kNotFound);
  EXPECT_EQ(audit("kind"), "tenant_created key_created key_disabled key_enabled");
}

TEST_F(KeyStoreTest, OfSeveralKeysWithOnePrefixNoneChanges) {
  auto twin = new_key(2);
  twin.prefix = prefix_of(1);
  add(new_key(1));
  add(twin);
  EXPECT_EQ(store_->set_key_disabled(prefix_of(1), true, kActor).error().code, Errc::kConflict);
  EXPECT_EQ(rotate(1, 3, 1h).error().code, Errc::kConflict);
  for (const auto& key : store_->keys(tenant_).value()) EXPECT_FALSE(key.disabled || key.expires_at);
  EXPECT_EQ(audit("kind"), "tenant_created key_created key_created");
}

TEST_F(KeyStoreTest, ARotatedKeyEndsAfterTheOverlapAndIsFollowedByItsLike) {
  auto key = new_key(1);
  key.owner = "ana@acme.example";
  key.scopes = {"read"};
  const KeyRow old = add(key);
  const auto before = Clock::now();
  const auto next = rotate(1, 2, 1h);
  ASSERT_TRUE(next) << next.error().message << next.error().detail;
  EXPECT_EQ(next->name, "Laptop");
  EXPECT_EQ(next->owner, "ana@acme.example");
  EXPECT_EQ(next->scopes, key.scopes);
  EXPECT_EQ(next->prefix, prefix_of(2));
  EXPECT_EQ(next->hash, hash_of(2));
  EXPECT_FALSE(next->expires_at.has_value()) << "the old one had no end";
  const KeyRow replaced = find(old.id);
  EXPECT_EQ(replaced.replaced_by, next->id);
  ASSERT_TRUE(replaced.expires_at.has_value());
  EXPECT_GE(*replaced.expires_at, before + 1h) << "not shorter than was said";
  EXPECT_LE(*replaced.expires_at, Clock::now() + 1h + 1s);

  const auto again = rotate(1, 3, 1h);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Errc::kConflict);
  EXPECT_NE(again.error().message.find(prefix_of(2)), std::string::npos) << again.error().message;
  EXPECT_TRUE(rotate(2, 3, 0s));
  EXPECT_LE(find(next->id).expires_at.value(), Clock::now()) << "without an overlap it ends at once";
}

TEST_F(KeyStoreTest, ARotatedKeyKeepsAnEarlierEndAndPassesItsSpanOfLifeOn) {
  auto key = new_key(1);
  key.expires_at = std::chrono::floor<std::chrono::seconds>(Clock::now()) + 10min;
  const KeyRow old = add(key);
  postgres_.run_sql("update toolhost.api_keys set created_at = created_at - interval '2 days'");
  const KeyRow next = rotate(1, 2, 24h).value();
  EXPECT_EQ(find(old.id).expires_at, key.expires_at);
  EXPECT_GE(next.expires_at.value(), Clock::now() + 48h + 9min);
  EXPECT_LE(next.expires_at.value(), Clock::now() + 48h + 11min);
}

TEST_F(KeyStoreTest, ADisabledKeyIsNotRotated) {
  add(new_key(1));
  ASSERT_TRUE(store_->set_key_disabled(prefix_of(1), true, kActor));
  EXPECT_EQ(rotate(1, 2, 1h).error().code, Errc::kConflict);
  EXPECT_EQ(rotate(1, 2, -1s).error().code, Errc::kInvalidArgument);
  EXPECT_EQ(store_->keys(tenant_).value().size(), 1U);
}

TEST_F(KeyStoreTest, AKeyThatHasExpiredIsNotRotated) {
  auto key = new_key(1);
  key.expires_at = Clock::from_time_t(1'700'000'000);
  add(key);
  const auto next = rotate(1, 2, 1h);
  ASSERT_FALSE(next);
  EXPECT_EQ(next.error().code, Errc::kConflict);
  EXPECT_EQ(next.error().message, "the key \"Laptop\" expired at 2023-11-14T22:13:20Z; make a new one");
  EXPECT_EQ(store_->keys(tenant_).value().size(), 1U);
}

TEST_F(KeyStoreTest, OfRotationsAtTheSameTimeOneSucceeds) {
  add(new_key(1));
  constexpr std::uint8_t kThreads = 8;
  std::atomic<int> done{0}, refused{0};
  std::vector<std::thread> threads;
  for (std::uint8_t i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      const auto store = DirectoryStore::create(postgres_.address());
      const std::uint8_t seed = 10 + i;
      const auto made = store->rotate_key(prefix_of(1), prefix_of(seed), hash_of(seed), 1, 1h, kActor);
      ++(made ? done : refused);
      if (!made) EXPECT_EQ(made.error().code, Errc::kConflict) << made.error().message << made.error().detail;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(done, 1);
  EXPECT_EQ(refused, kThreads - 1);
  EXPECT_EQ(store_->keys(tenant_).value().size(), 2U);
}

TEST_F(KeyStoreTest, ChangesThatRaceWithADeletionFindNothing) {
  for (std::uint8_t round = 0; round < 10; ++round) {
    add(new_key(round));
    std::thread deletes(
        [&] { EXPECT_TRUE(DirectoryStore::create(postgres_.address())->delete_key_by_hash(hash_of(round), kActor)); });
    const auto disabled = store_->set_key_disabled(prefix_of(round), true, kActor);
    deletes.join();
    if (!disabled) EXPECT_EQ(disabled.error().code, Errc::kNotFound) << disabled.error().message;
  }
  EXPECT_TRUE(store_->keys(tenant_).value().empty());
}

TEST_F(KeyStoreTest, EveryChangeIsRecordedWithWhoMadeIt) {
  auto key = new_key(1);
  key.owner = "ana@acme.example";
  key.scopes = {"read", "tickets.*"};
  key.expires_at = std::chrono::sys_days{std::chrono::year{2031} / 1 / 31} + 9h;
  add(key);
  ASSERT_TRUE(rotate(1, 2, 1h));
  ASSERT_TRUE(store_->set_key_disabled(prefix_of(2), true, kActor));
  ASSERT_TRUE(store_->set_key_disabled(prefix_of(2), false, kActor));
  ASSERT_TRUE(store_->delete_key_by_prefix(prefix_of(1), kActor));
  ASSERT_TRUE(store_->delete_key_by_hash(hash_of(2), kActor));
  EXPECT_EQ(audit("kind"),
            "tenant_created key_created key_created key_rotated key_disabled key_enabled key_deleted key_deleted");
  EXPECT_EQ(audit("coalesce(key_prefix, '-')"), "- " + prefix_of(1) + " " + prefix_of(2) + " " + prefix_of(1) + " " +
                                                    prefix_of(2) + " " + prefix_of(2) + " " + prefix_of(1) + " " +
                                                    prefix_of(2));
  EXPECT_EQ(audit("case when r->>'actor' = 'cli:ana@host' and r->>'tenant' = 'acme' then 'yes' else record end"),
            "yes yes yes yes yes yes yes yes");
  EXPECT_EQ(postgres_.run_sql("select r->>'name' || ' ' || (r->>'owner') || ' ' || (r->>'scopes') || ' ' || "
                              "(r->>'expires_at') from (select record::jsonb r, kind from toolhost.audit where "
                              "tenant_id = " +
                              std::to_string(value(tenant_)) + " order by sequence) a where kind = 'key_created'"),
            "Laptop ana@acme.example [\"read\", \"tickets.*\"] 2031-01-31T09:00:00.000000Z");
  EXPECT_EQ(audit("r->>'replaced_by'"), prefix_of(2));
  EXPECT_EQ(audit("r->>'replaces'"), prefix_of(1));
}

TEST_F(KeyStoreTest, AChangeThatCannotBeRecordedDoesNotHappen) {
  add(new_key(1));
  postgres_.run_sql("alter function toolhost.audit_append(integer, text[]) rename to away");
  EXPECT_FALSE(store_->set_key_disabled(prefix_of(1), true, kActor));
  EXPECT_FALSE(store_->delete_key_by_prefix(prefix_of(1), kActor));
  EXPECT_FALSE(store_->insert_key(new_key(2), kActor));
  postgres_.run_sql("alter function toolhost.away(integer, text[]) rename to audit_append");
  const auto keys = store_->keys(tenant_).value();
  ASSERT_EQ(keys.size(), 1U);
  EXPECT_FALSE(keys.front().disabled);
}

/// Counts what it is told.
class Loads final : public KeyWatch::Listener {
 public:
  void on_keys(std::vector<KeyRow> keys) override {
    const std::lock_guard lock(mutex_);
    keys_ = std::move(keys);
    changed_.notify_all();
  }
  void on_confirmed() override {}
  template <class Predicate>
  bool within_a_second(Predicate predicate) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 1s, [&] { return !keys_.empty() && predicate(keys_.front()); });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<KeyRow> keys_;
};

TEST_F(KeyStoreTest, EveryHostHearsOfAKeyThatIsDisabledOrReplaced) {
  add(new_key(1));
  Loads loads;
  const auto watch = KeyWatch::start(postgres_.address(), loads);
  ASSERT_TRUE(watch) << watch.error().detail;
  ASSERT_TRUE(store_->set_key_disabled(prefix_of(1), true, kActor));
  EXPECT_TRUE(loads.within_a_second([](const KeyRow& key) { return key.disabled; }));
  ASSERT_TRUE(store_->set_key_disabled(prefix_of(1), false, kActor));
  EXPECT_TRUE(loads.within_a_second([](const KeyRow& key) { return !key.disabled; }));
  ASSERT_TRUE(rotate(1, 2, 1h));
  EXPECT_TRUE(loads.within_a_second([](const KeyRow& key) { return key.replaced_by && key.expires_at; }));
}

TEST_F(KeyStoreTest, WhatAKeyIsCannotBeChangedByTheHostsRole) {
  add(new_key(1));
  for (const char* column : {"scopes = '{}'", "hash = hash", "tenant_id = tenant_id", "owner = 'x@y.z'"}) {
    const auto refused = postgres_.run_sql(
        "do $$ begin set local role toolhost_app; update toolhost.api_keys set " + std::string(column) +
        "; exception when insufficient_privilege then perform set_config('test.refused', 'yes', false); end $$; "
        "select current_setting('test.refused', true)");
    EXPECT_EQ(refused, "yes") << column;
  }
}

}  // namespace
}  // namespace toolhost::storage
