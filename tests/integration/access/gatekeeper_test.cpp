#include "access/gatekeeper.hpp"

#include <gtest/gtest.h>
#include <signal.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "access/api_key.hpp"
#include "support/temp_postgres.hpp"

namespace toolhost::access {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

/// Polls; true as soon as the condition holds, false after five seconds.
bool eventually(const std::function<bool()>& condition) {
  const auto end = Clock::now() + 5s;
  while (!condition()) {
    if (Clock::now() > end) return false;
    std::this_thread::sleep_for(5ms);
  }
  return true;
}

/// Keeps what was said about keys.
class KeyEvents final : public observability::EventSink {
 public:
  void emit(const observability::Event& event) noexcept override {
    const std::lock_guard lock(mutex_);
    if (const auto* change = std::get_if<observability::KeyChanged>(&event)) {
      lines_.push_back((change->change == observability::KeyChange::kCreated ? "created " : "deleted ") +
                       std::string(change->tenant) + " " + std::string(change->name));
    } else if (const auto* notice = std::get_if<observability::HostNotice>(&event)) {
      lines_.emplace_back(notice->message);
    }
  }
  bool has(std::string_view text) const {
    const std::lock_guard lock(mutex_);
    return std::any_of(lines_.begin(), lines_.end(),
                       [&](const auto& line) { return line.find(text) != std::string::npos; });
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
};

class GatekeeperTest : public testing::Test {
 protected:
  void SetUp() override {
    postgres_.run_sql("truncate toolhost.tenants cascade");
    store_ = storage::DirectoryStore::create(postgres_.address());
    tenant_ = store_->create_tenant("acme", "Acme", "Europe/Berlin").value().id;
  }

  void start(GatekeeperConfig config = {}) {
    auto started = Gatekeeper::start(postgres_.address(), Secret(std::string(32, 'p')), config, events_);
    ASSERT_TRUE(started) << started.error().message;
    gatekeeper_ = std::move(*started);
  }
  /// A live key; its text.
  std::string add_key(const std::string& name, const std::string& owner = {}) {
    const auto key = generate_key(pepper_);
    EXPECT_TRUE(store_->insert_key(tenant_, name, owner, key.prefix, key.hash, 1));
    return std::string(key.text.reveal());
  }
  void delete_key(const std::string& text) { EXPECT_TRUE(store_->delete_key_by_hash(hash_key(pepper_, text))); }
  bool is_accepted(const std::string& text) { return gatekeeper_->authenticate(text, "").has_value(); }

  test_support::TempPostgres& postgres_ = test_support::TempPostgres::shared();
  const Secret pepper_{std::string(32, 'p')};
  KeyEvents events_;
  std::unique_ptr<storage::DirectoryStore> store_;
  TenantId tenant_{};
  std::unique_ptr<Gatekeeper> gatekeeper_;
};

TEST_F(GatekeeperTest, KnowsTheOwnerOfAKeyInEitherHeader) {
  const auto key = add_key("laptop", "ann@example.com");
  start();
  const auto caller = gatekeeper_->authenticate(key, "");
  ASSERT_TRUE(caller);
  EXPECT_EQ((*caller)->tenant, "acme");
  EXPECT_EQ((*caller)->tenant_id, tenant_);
  EXPECT_EQ((*caller)->time_zone, "Europe/Berlin");
  EXPECT_EQ((*caller)->principal, "ann@example.com");
  EXPECT_EQ((*caller)->key_prefix, key.substr(0, 11));
  EXPECT_EQ(gatekeeper_->authenticate("", "Bearer " + key).value(), *caller);
}

TEST_F(GatekeeperTest, KnowsWhatTheOwnerIsInTheTenant) {
  const auto admin = add_key("laptop", "ann@example.com"), nobody = add_key("script");
  PeopleOfTenants people;
  people["acme"] = {.members = {{"ann@example.com", "Ann", Role::kAdmin}}, .default_role = Role::kViewer};
  start({.membership = Membership(people)});
  const auto caller = gatekeeper_->authenticate(admin, "").value();
  EXPECT_EQ(caller->role, Role::kAdmin);
  ASSERT_NE(caller->members, nullptr);
  EXPECT_EQ(caller->members->front().name, "Ann");
  EXPECT_EQ(gatekeeper_->authenticate(nobody, "").value()->role, Role::kViewer);
  const auto later = add_key("phone", "ANN@example.com");
  EXPECT_TRUE(eventually([&] { return is_accepted(later); }));
  EXPECT_EQ(gatekeeper_->authenticate(later, "").value()->role, Role::kAdmin);
}

TEST_F(GatekeeperTest, RefusesEverythingElseWithOneText) {
  const auto key = add_key("laptop");
  start();
  const auto unknown = generate_key(pepper_);
  const auto of_another_pepper = generate_key(Secret(std::string(32, 'x')));
  for (const std::string& text :
       {std::string(unknown.text.reveal()), std::string(of_another_pepper.text.reveal()), key.substr(0, 36), key + "x",
        std::string("hdsk_"), std::string("'; drop table toolhost.keys --")}) {
    const auto refused = gatekeeper_->authenticate(text, "");
    ASSERT_FALSE(refused) << text;
    EXPECT_EQ(refused.error().code, Errc::kUnauthenticated);
    EXPECT_EQ(refused.error().message, "Invalid API key");
    EXPECT_FALSE(refused.error().detail.empty());
    EXPECT_EQ(refused.error().detail.find(key.substr(11)), std::string::npos) << "a secret in the log";
  }
}

TEST_F(GatekeeperTest, AcceptsANewKeyWithinASecond) {
  start();
  const auto key = add_key("new");
  const auto added = Clock::now();
  EXPECT_TRUE(eventually([&] { return is_accepted(key); }));
  EXPECT_LT(Clock::now() - added, 1s);
  EXPECT_TRUE(eventually([&] { return events_.has("created acme new"); }));
}

TEST_F(GatekeeperTest, RefusesADeletedKeyWithinASecondAndSaysSo) {
  const auto key = add_key("lost"), other = add_key("kept");
  start();
  std::atomic<std::int64_t> revoked{0};
  gatekeeper_->on_revoked([&](KeyId id) { revoked = value(id); });
  const auto id = gatekeeper_->authenticate(key, "").value()->key_id;
  delete_key(key);
  const auto deleted = Clock::now();
  EXPECT_TRUE(eventually([&] { return !is_accepted(key); }));
  EXPECT_TRUE(eventually([&] { return revoked == value(id); }));
  EXPECT_LT(Clock::now() - deleted, 1s);
  EXPECT_TRUE(is_accepted(other));
  EXPECT_TRUE(eventually([&] { return events_.has("deleted acme lost"); }));
}

TEST_F(GatekeeperTest, WritesUsesInBatchesAndAtTheEnd) {
  const auto key = add_key("laptop");
  start({.usage_flush = 1s});
  const auto caller = gatekeeper_->authenticate(key, "").value();
  const auto count = [&] { return store_->keys(tenant_).value().at(0).usage_count; };
  for (int i = 0; i < 3; ++i) gatekeeper_->count_use(*caller);
  EXPECT_EQ(count(), 0);
  EXPECT_TRUE(eventually([&] { return count() == 3; }));
  EXPECT_TRUE(store_->keys(tenant_).value().at(0).last_used_at.has_value());
  gatekeeper_->count_use(*caller);
  gatekeeper_.reset();
  EXPECT_EQ(count(), 4);
}

TEST_F(GatekeeperTest, TrustsNobodyWhenTheDatabaseIsSilentForTooLong) {
  const auto key = add_key("laptop");
  start({.trust_without_database = 2s});
  ASSERT_TRUE(is_accepted(key));

  auto& server = postgres_.server();
  const pid_t killed = server.pid();
  ::kill(killed, SIGKILL);
  EXPECT_TRUE(is_accepted(key)) << "memory is trusted for a while";
  EXPECT_TRUE(eventually([&] { return !is_accepted(key); }));
  const auto refused = gatekeeper_->authenticate(key, "");
  EXPECT_EQ(refused.error().code, Errc::kUnavailable);
  EXPECT_GE(gatekeeper_->unconfirmed_for(), 2s);
  EXPECT_EQ(gatekeeper_->authenticate("nonsense", "").error().code, Errc::kUnauthenticated);
  EXPECT_TRUE(eventually([&] { return events_.has("every key is refused"); }));

  EXPECT_TRUE(eventually([&] {
    server.supervise();
    return server.pid() != killed && server.pid() > 0 && is_accepted(key);
  }));
  EXPECT_TRUE(eventually([&] { return events_.has("they are accepted"); }));
}

TEST_F(GatekeeperTest, StartsOnlyWithItsDatabase) {
  const auto started =
      Gatekeeper::start(storage::DatabaseAddress::embedded("/nonexistent"), Secret(std::string(32, 'p')), {}, events_);
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, Errc::kUnavailable);
}

}  // namespace
}  // namespace toolhost::access
