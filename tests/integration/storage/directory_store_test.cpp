#include "storage/directory_store.hpp"

#include <condition_variable>
#include <mutex>
#include <thread>

#include "integration/storage/notes.hpp"

namespace toolhost::storage {
namespace {

using namespace std::chrono_literals;

const Actor kActor{"test"};

KeyHash hash_of(std::uint8_t seed) {
  KeyHash hash{};
  hash.fill(seed);
  return hash;
}

class DirectoryStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    postgres_.run_sql("truncate toolhost.tenants cascade");
    store_ = DirectoryStore::create(postgres_.address());
  }

  TenantId tenant(const std::string& name) {
    auto made = store_->create_tenant(name, name, "Europe/Berlin", kActor);
    EXPECT_TRUE(made) << made.error().message << made.error().detail;
    return made ? made->id : TenantId{};
  }

  KeyRow key(TenantId tenant, std::uint8_t seed, const std::string& prefix = "hdsk_abcdef") {
    auto made = store_->insert_key({.tenant = tenant,
                                    .name = "key " + std::to_string(seed),
                                    .owner = "ann@example.com",
                                    .prefix = prefix,
                                    .hash = hash_of(seed)},
                                   kActor);
    EXPECT_TRUE(made) << made.error().message << made.error().detail;
    return made ? *made : KeyRow{};
  }

  test_support::TempPostgres& postgres_ = test_support::TempPostgres::shared();
  std::unique_ptr<DirectoryStore> store_;
};

TEST_F(DirectoryStoreTest, TenantsAreMadeFoundAndListed) {
  const auto made = store_->create_tenant("acme", "Acme Ltd", "Europe/Berlin", kActor);
  ASSERT_TRUE(made) << made.error().message << made.error().detail;
  EXPECT_EQ(made->created_at.size(), 20U) << made->created_at;
  tenant("globex");
  const auto found = store_->tenant("acme");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->id, made->id);
  EXPECT_EQ(found->title, "Acme Ltd");
  EXPECT_EQ(store_->tenants()->size(), 2U);
}

TEST_F(DirectoryStoreTest, BadTenantsAreRefusedWithWhatIsAllowed) {
  tenant("acme");
  EXPECT_EQ(store_->create_tenant("acme", "Again", "UTC", kActor).error().code, Errc::kConflict);
  for (const char* name : {"", "Acme", "-acme", "a b", "ä", "a;drop"})
    EXPECT_EQ(store_->create_tenant(name, "t", "UTC", kActor).error().code, Errc::kInvalidArgument) << name;
  const auto zone = store_->create_tenant("new", "New", "Mars/Olympus", kActor);
  ASSERT_FALSE(zone);
  EXPECT_NE(zone.error().message.find("Europe/Berlin"), std::string::npos);
  const auto missing = store_->tenant("nobody");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Errc::kNotFound);
  EXPECT_NE(missing.error().message.find("acme"), std::string::npos);
}

TEST_F(DirectoryStoreTest, KeysAreKeptListedAndDeleted) {
  const TenantId acme = tenant("acme");
  const TenantId globex = tenant("globex");
  const KeyRow made = key(acme, 7);
  EXPECT_EQ(made.hash, hash_of(7));
  EXPECT_EQ(made.tenant, "acme");
  EXPECT_EQ(made.tenant_time_zone, "Europe/Berlin");
  EXPECT_FALSE(made.last_used_at.has_value());
  key(globex, 8, "hdsk_zzzzzz");
  EXPECT_EQ(store_->keys(std::nullopt)->size(), 2U);
  ASSERT_EQ(store_->keys(acme)->size(), 1U);
  const auto gone = store_->delete_key_by_hash(hash_of(7), kActor);
  ASSERT_TRUE(gone) << gone.error().detail;
  EXPECT_EQ(gone->id, made.id);
  EXPECT_EQ(store_->delete_key_by_hash(hash_of(7), kActor).error().code, Errc::kNotFound);
  EXPECT_EQ(store_->delete_key_by_prefix("hdsk_zzzzzz", kActor)->tenant, "globex");
  EXPECT_TRUE(store_->keys(std::nullopt)->empty());
}

TEST_F(DirectoryStoreTest, AnAmbiguousPrefixDeletesNothing) {
  const TenantId acme = tenant("acme");
  key(acme, 1);
  key(acme, 2);
  const auto gone = store_->delete_key_by_prefix("hdsk_abcdef", kActor);
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, Errc::kConflict);
  EXPECT_NE(gone.error().message.find("key 1 (tenant acme), key 2 (tenant acme)"), std::string::npos)
      << gone.error().message;
  EXPECT_EQ(store_->delete_key_by_prefix("hdsk_", kActor).error().code, Errc::kNotFound);
  EXPECT_EQ(store_->keys(acme)->size(), 2U);
}

TEST_F(DirectoryStoreTest, KeysNeedATenantAndAHashOfTheirOwn) {
  const TenantId acme = tenant("acme");
  key(acme, 1);
  const auto insert = [&](TenantId tenant, std::uint8_t seed) {
    return store_->insert_key({.tenant = tenant, .name = "twin", .prefix = "hdsk_abcdef", .hash = hash_of(seed)},
                              kActor);
  };
  EXPECT_EQ(insert(acme, 1).error().code, Errc::kConflict);
  EXPECT_EQ(insert(TenantId{12345}, 2).error().code, Errc::kNotFound);
}

TEST_F(DirectoryStoreTest, UsesAddUp) {
  const KeyRow made = key(tenant("acme"), 1);
  const auto at = std::chrono::sys_days{std::chrono::year{2026} / 3 / 4} + 5h;
  ASSERT_TRUE(store_->record_uses({{made.id, 3, at}, {KeyId{99999}, 1, at}}));
  ASSERT_TRUE(store_->record_uses({{made.id, 2, at - 1h}, {made.id, 1, at - 2h}}));
  const auto keys = store_->keys(std::nullopt);
  EXPECT_EQ(keys->front().usage_count, 6);
  EXPECT_EQ(keys->front().last_used_at, "2026-03-04T05:00:00Z");
}

TEST_F(DirectoryStoreTest, ALostConnectionIsReportedAndReplaced) {
  tenant("acme");
  postgres_.run_sql("select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = 'toolhost_app'");
  const auto lost = store_->tenants();
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code, Errc::kUnavailable);
  EXPECT_EQ(store_->tenants()->size(), 1U);
}

class Recorder final : public KeyWatch::Listener {
 public:
  void on_keys(std::vector<KeyRow> keys) override {
    const std::lock_guard lock(mutex_);
    keys_ = std::move(keys);
    ++loads_;
    changed_.notify_all();
  }
  void on_confirmed() override {
    const std::lock_guard lock(mutex_);
    ++confirmations_;
    changed_.notify_all();
  }
  template <class Predicate>
  bool wait(std::chrono::milliseconds limit, Predicate predicate) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, limit, [&] { return predicate(*this); });
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<KeyRow> keys_;
  int loads_ = 0;
  int confirmations_ = 0;
};

class KeyWatchTest : public DirectoryStoreTest {};

TEST_F(KeyWatchTest, TellsOfKeysThatComeAndGo) {
  const TenantId acme = tenant("acme");
  key(acme, 1);
  Recorder recorder;
  auto watch = KeyWatch::start(postgres_.address(), recorder);
  ASSERT_TRUE(watch) << watch.error().detail;
  EXPECT_EQ(recorder.keys_.size(), 1U);
  key(acme, 2);
  EXPECT_TRUE(recorder.wait(1000ms, [](const Recorder& r) { return r.keys_.size() == 2; }));
  const auto begun = std::chrono::steady_clock::now();
  ASSERT_TRUE(store_->delete_key_by_hash(hash_of(1), kActor));
  EXPECT_TRUE(recorder.wait(1000ms, [](const Recorder& r) { return r.keys_.size() == 1; }));
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 500ms);
}

TEST_F(KeyWatchTest, ConfirmsEverySecondAndIgnoresUses) {
  const KeyRow made = key(tenant("acme"), 1);
  Recorder recorder;
  auto watch = KeyWatch::start(postgres_.address(), recorder);
  ASSERT_TRUE(watch);
  ASSERT_TRUE(store_->record_uses({{made.id, 1, std::chrono::system_clock::now()}}));
  EXPECT_TRUE(recorder.wait(4000ms, [](const Recorder& r) { return r.confirmations_ >= 2; }));
  EXPECT_EQ(recorder.loads_, 1);
}

TEST_F(KeyWatchTest, LoadsEverythingAgainAfterALostConnection) {
  const TenantId acme = tenant("acme");
  key(acme, 1);
  Recorder recorder;
  auto watch = KeyWatch::start(postgres_.address(), recorder);
  ASSERT_TRUE(watch);
  postgres_.run_sql("select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = 'toolhost_app'");
  EXPECT_TRUE(recorder.wait(5000ms, [](const Recorder& r) { return r.loads_ == 2; }));
  static_cast<void>(store_->tenants());
  key(acme, 2);
  EXPECT_TRUE(recorder.wait(2000ms, [](const Recorder& r) { return r.keys_.size() == 2; })) << "it listens again";
}

TEST_F(KeyWatchTest, SaysSoWhenThereIsNoServer) {
  Recorder recorder;
  const auto watch = KeyWatch::start(DatabaseAddress::embedded("/nonexistent"), recorder);
  ASSERT_FALSE(watch);
  EXPECT_EQ(watch.error().code, Errc::kUnavailable);
}

}  // namespace
}  // namespace toolhost::storage
