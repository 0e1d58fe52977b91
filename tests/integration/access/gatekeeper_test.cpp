#include "access/gatekeeper.hpp"

#include <gtest/gtest.h>
#include <signal.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "access/api_key.hpp"
#include "access/grant.hpp"
#include "support/https_server.hpp"
#include "support/id_tokens.hpp"
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
      lines_.push_back(word(change->change) + " " + std::string(change->tenant) + " " + std::string(change->name));
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
  static std::string word(observability::KeyChange change) {
    switch (change) {
      case observability::KeyChange::kCreated:
        return "created";
      case observability::KeyChange::kDeleted:
        return "deleted";
      case observability::KeyChange::kDisabled:
        return "disabled";
      case observability::KeyChange::kEnabled:
        return "enabled";
      case observability::KeyChange::kExpired:
        return "expired";
    }
    return "";
  }

  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
};

class GatekeeperTest : public testing::Test {
 protected:
  void SetUp() override {
    postgres_.run_sql("truncate toolhost.tenants cascade");
    store_ = storage::DirectoryStore::create(postgres_.address());
    tenant_ = store_->create_tenant("acme", "Acme", "Europe/Berlin", {"test"}).value().id;
  }

  void start(GatekeeperConfig config = {}) {
    auto started = Gatekeeper::start(postgres_.address(), Secret(std::string(32, 'p')), config, events_);
    ASSERT_TRUE(started) << started.error().message;
    gatekeeper_ = std::move(*started);
  }
  /// A live key; its text.
  std::string add_key(const std::string& name, const std::string& owner = {}) {
    const auto key = generate_key(pepper_);
    EXPECT_TRUE(store_->insert_key(
        {.tenant = tenant_, .name = name, .owner = owner, .prefix = key.prefix, .hash = key.hash}, {"test"}));
    return std::string(key.text.reveal());
  }
  void delete_key(const std::string& text) {
    EXPECT_TRUE(store_->delete_key_by_hash(hash_key(pepper_, text), {"test"}));
  }
  /// Sets what SQL says for every key.
  void update_keys(const std::string& assignment) { postgres_.run_sql("update toolhost.api_keys set " + assignment); }

  Result<CallerPtr> authenticate(std::string_view x_api_key, std::string_view authorization = {},
                                 std::string_view address = "192.0.2.1") {
    return gatekeeper_->authenticate(x_api_key, authorization, address);
  }
  bool is_accepted(const std::string& text) { return authenticate(text).has_value(); }
  /// Waits for a key that is known to be refused; the refusal.
  Error denial(const std::string& text) {
    EXPECT_TRUE(eventually([&] { return !is_accepted(text); }));
    const auto refused = authenticate(text);
    return refused ? Error{} : refused.error();
  }

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
  const auto caller = authenticate(key);
  ASSERT_TRUE(caller);
  EXPECT_EQ((*caller)->tenant, "acme");
  EXPECT_EQ((*caller)->tenant_id, tenant_);
  EXPECT_EQ((*caller)->time_zone, "Europe/Berlin");
  EXPECT_EQ((*caller)->principal, "ann@example.com");
  EXPECT_EQ((*caller)->key_prefix, key.substr(0, 11));
  EXPECT_EQ(authenticate("", "Bearer " + key).value(), *caller);
}

TEST_F(GatekeeperTest, AKeyOfTheTrialEndsWithIt) {
  const auto typed = add_key("typed", "ceo@acme.example"), by_command = add_key("script", "ceo@acme.example");
  postgres_.run_sql(
      "insert into toolhost.people (issuer, subject, email, email_verified, name) values ('local', 'ceo', "
      "'ceo@acme.example', true, '') on conflict do nothing; update toolhost.api_keys set person_id = (select "
      "person_id from toolhost.people where issuer = 'local' and subject = 'ceo') where name = 'typed'");
  start({.is_trial = true});
  EXPECT_TRUE(is_accepted(typed));
  EXPECT_FALSE(events_.has("were made in the trial"));
  start();
  const auto refused = authenticate(typed);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kDenied);
  EXPECT_EQ(gatekeeper_->denied_key(typed, "")->reason, Reason::kOwnerLeft);
  EXPECT_TRUE(is_accepted(by_command));
  EXPECT_TRUE(events_.has("1 API key(s) were made in the trial"));
}

TEST_F(GatekeeperTest, HearsThatAnAddressIsNobodysAnyMore) {
  const auto key = add_key("laptop", "ana@acme.example");
  postgres_.run_sql(
      "insert into toolhost.people (issuer, subject, email, email_verified, name) values ('https://i.example', 'ana', "
      "'ana@acme.example', true, '') on conflict do nothing; update toolhost.api_keys set person_id = (select "
      "person_id from toolhost.people where subject = 'ana')");
  start();
  EXPECT_TRUE(is_accepted(key));
  postgres_.run_sql("update toolhost.people set email_verified = false where subject = 'ana'");
  EXPECT_EQ(denial(key).code, Errc::kDenied);
  postgres_.run_sql("update toolhost.people set email_verified = true where subject = 'ana'");
  EXPECT_TRUE(eventually([&] { return is_accepted(key); }));
}

TEST_F(GatekeeperTest, NotesNothingOfWhomItHoldsOff) {
  KeyAttempts attempts;
  start({.failed_sign_ins = 3, .attempts = &attempts});
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(authenticate("hdsk_" + std::to_string(i), {}, "192.0.2.77"));
  std::uint32_t noted = 0;
  for (const auto& attempt : attempts.of({}, "192.0.2.77")) noted += attempt.count;
  EXPECT_EQ(noted, 3U);
}

TEST_F(GatekeeperTest, KnowsWhatTheOwnerIsInTheTenant) {
  const auto admin = add_key("laptop", "ann@example.com"), nobody = add_key("script");
  PolicyConfig config;
  config.tenants["acme"].people = {.members = {{"ann@example.com", "Ann", Role::kAdmin}},
                                   .default_role = Role::kViewer};
  start({.policy = Policy::compile(config)});
  const auto caller = authenticate(admin).value();
  EXPECT_EQ(caller->role, Role::kAdmin);
  ASSERT_NE(caller->members, nullptr);
  EXPECT_EQ(caller->members->front().name, "Ann");
  EXPECT_EQ(authenticate(nobody).value()->role, Role::kViewer);
  const auto later = add_key("phone", "ANN@example.com");
  EXPECT_TRUE(eventually([&] { return is_accepted(later); }));
  EXPECT_EQ(authenticate(later).value()->role, Role::kAdmin);
}

TEST_F(GatekeeperTest, RefusesEverythingElseWithOneText) {
  const auto key = add_key("laptop");
  start();
  const auto unknown = generate_key(pepper_);
  const auto of_another_pepper = generate_key(Secret(std::string(32, 'x')));
  for (const std::string& text :
       {std::string(unknown.text.reveal()), std::string(of_another_pepper.text.reveal()), key.substr(0, 36), key + "x",
        std::string("hdsk_"), std::string("'; drop table toolhost.keys --")}) {
    const auto refused = authenticate(text);
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
  const auto id = authenticate(key).value()->key_id;
  delete_key(key);
  const auto deleted = Clock::now();
  EXPECT_TRUE(eventually([&] { return !is_accepted(key); }));
  EXPECT_TRUE(eventually([&] { return revoked == value(id); }));
  EXPECT_LT(Clock::now() - deleted, 1s);
  EXPECT_TRUE(is_accepted(other));
  EXPECT_TRUE(eventually([&] { return events_.has("deleted acme lost"); }));
}

TEST_F(GatekeeperTest, EndsADisabledKeyWithinASecondAndLetsItInAgain) {
  const auto key = add_key("laptop");
  start();
  std::atomic<std::int64_t> revoked{0};
  gatekeeper_->on_revoked([&](KeyId id) { revoked = value(id); });
  const auto caller = authenticate(key).value();
  const auto began = Clock::now();
  update_keys("disabled = true");
  const auto refused = denial(key);
  EXPECT_TRUE(eventually([&] { return revoked == value(caller->key_id); }));
  EXPECT_LT(Clock::now() - began, 1s);
  EXPECT_EQ(refused.code, Errc::kDenied);
  EXPECT_EQ(refused.message, "Access denied: this API key is disabled; ask whoever manages your keys to enable it");
  const auto denied = gatekeeper_->denied_key(key, "");
  ASSERT_TRUE(denied);
  EXPECT_EQ(denied->caller, caller);
  EXPECT_EQ(denied->reason, Reason::kKeyDisabled);
  EXPECT_TRUE(eventually([&] { return events_.has("disabled acme laptop"); }));
  EXPECT_TRUE(gatekeeper_->keys().at(0).disabled);

  const auto enabled = Clock::now();
  update_keys("disabled = false");
  EXPECT_TRUE(eventually([&] { return is_accepted(key); }));
  EXPECT_LT(Clock::now() - enabled, 1s);
  EXPECT_FALSE(gatekeeper_->denied_key(key, ""));
  EXPECT_TRUE(eventually([&] { return events_.has("enabled acme laptop"); }));
}

TEST_F(GatekeeperTest, EndsAKeyWhenItExpires) {
  const auto key = add_key("laptop");
  start();
  std::atomic<std::int64_t> revoked{0};
  gatekeeper_->on_revoked([&](KeyId id) { revoked = value(id); });
  const auto caller = authenticate(key).value();
  update_keys("expires_at = now() + interval '1500 milliseconds'");
  const auto expiry = Clock::now() + 1500ms;
  EXPECT_TRUE(eventually([&] { return gatekeeper_->keys().at(0).expires_at.has_value(); }));
  EXPECT_TRUE(is_accepted(key));
  const auto refused = denial(key);
  EXPECT_TRUE(eventually([&] { return revoked == value(caller->key_id); }));
  EXPECT_GE(Clock::now(), expiry - 1100ms);  // expiries are whole seconds
  EXPECT_LT(Clock::now(), expiry + 1s);
  EXPECT_EQ(refused.code, Errc::kDenied);
  EXPECT_TRUE(eventually([&] { return events_.has("expired acme laptop"); }));

  update_keys("expires_at = '2026-01-31 10:00:30+00'");
  const auto said = [&] { return denial(key).message; };
  EXPECT_TRUE(eventually([&] {
    return said() == "Access denied: this API key expired on 2026-01-31 10:00 UTC; make a new one";
  })) << said();
  update_keys("expires_at = null");
  EXPECT_TRUE(eventually([&] { return is_accepted(key); }));
}

TEST_F(GatekeeperTest, BoundsKeysByTheirScopesAndByThePolicyOfTheDay) {
  const auto key = add_key("laptop");
  start();
  const ToolFacts tool{.name = "create_ticket", .plugin = "tickets"};
  const auto decide = [&] { return authenticate(key).value()->grant->rights()->decide(tool, nullptr); };
  EXPECT_TRUE(decide().allowed());
  PolicyConfig config;
  config.tenants["acme"].deny = {{"create_*", {"acme.yaml", 7}}};
  const auto before = authenticate(key).value();
  const auto policy = Policy::compile(config);
  const auto changed = gatekeeper_->set_policy(policy);
  ASSERT_EQ(changed.size(), 1U);
  EXPECT_EQ(changed[0], authenticate(key).value());
  EXPECT_EQ(gatekeeper_->policy(), policy);
  EXPECT_EQ(decide().place.text(), "acme.yaml:7");
  EXPECT_TRUE(before->grant->rights()->decide(tool, nullptr).allowed());
  EXPECT_TRUE(gatekeeper_->set_policy(policy).empty());
}

TEST_F(GatekeeperTest, EndsTheKeysOfSomebodyWhoIsTakenOutOfTheConfiguration) {
  const auto key = add_key("laptop", "bob@acme.example");
  postgres_.run_sql(
      "with p as (insert into toolhost.people (issuer, subject, email, email_verified, name) values "
      "('test', 'bob', 'bob@acme.example', true, '') on conflict (issuer, subject) do update set name = '' "
      "returning person_id) update toolhost.api_keys set person_id = (select person_id from p)");
  KeyAttempts attempts;
  start({.attempts = &attempts});
  std::vector<KeyId> ended;
  gatekeeper_->on_revoked([&](KeyId id) { ended.push_back(id); });
  ASSERT_TRUE(is_accepted(key)) << "the tenant names nobody";

  PolicyConfig config;
  config.tenants["acme"].people.members = {{"ana@acme.example", "Ana", Role::kAdmin}};
  gatekeeper_->set_policy(Policy::compile(config));
  EXPECT_EQ(ended.size(), 1U) << "before set_policy() returns";
  const auto refused = authenticate(key);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kDenied);
  EXPECT_NE(refused.error().message.find("does not belong to the tenant any more"), std::string::npos);
  EXPECT_EQ(gatekeeper_->denied_key(key, {})->reason, Reason::kOwnerLeft);
  EXPECT_EQ(attempts.of({}, "192.0.2.1").front().flaw, KeyFlaw::kOwnerLeft);
  EXPECT_TRUE(events_.has("disabled acme laptop"));

  config.tenants["acme"].people.members.push_back({"*@acme.example", "", Role::kViewer});
  gatekeeper_->set_policy(Policy::compile(config));
  EXPECT_EQ(authenticate(key).value()->role, Role::kViewer);
}

TEST_F(GatekeeperTest, HoldsOffAnAddressThatGuesses) {
  start({.failed_sign_ins = 5, .failed_sign_in_period = 60s});
  const auto guess = [&](std::string_view address) {
    return authenticate(generate_key(pepper_).text.reveal(), "", address).error();
  };
  for (const char* address : {"192.0.2.1", "192.0.2.2"}) {
    for (int i = 0; i < 5; ++i) EXPECT_EQ(guess(address).code, Errc::kUnauthenticated);
    EXPECT_EQ(guess(address).code, Errc::kLimit);
  }
  EXPECT_EQ(guess("192.0.2.1").message, "Too many invalid API keys from this address. Wait 60 s, then try again.");
  EXPECT_EQ(authenticate("nonsense", "", "192.0.2.1").error().code, Errc::kLimit);
  EXPECT_EQ(authenticate("", "", "192.0.2.1").error().code, Errc::kUnauthenticated) << "no key is no guess";
}

TEST_F(GatekeeperTest, LetsKeysThatWorkInFromAnAddressThatIsHeldOff) {
  const auto key = add_key("laptop"), disabled = add_key("old");
  postgres_.run_sql("update toolhost.api_keys set disabled = true where name = 'old'");
  start({.failed_sign_ins = 1, .failed_sign_in_period = 1h});
  // Only its public prefix is that of a key which exists.
  const auto near = generate_key(pepper_);
  EXPECT_TRUE(store_->insert_key(
      {.tenant = tenant_, .name = "near", .prefix = near.prefix, .hash = generate_key(pepper_).hash}, {"test"}));
  EXPECT_TRUE(eventually([&] { return gatekeeper_->key_count() == 3; }));
  EXPECT_EQ(authenticate(generate_key(pepper_).text.reveal()).error().code, Errc::kUnauthenticated);

  EXPECT_EQ(authenticate(near.text.reveal()).error().code, Errc::kLimit);
  EXPECT_TRUE(is_accepted(key)) << "nothing was accepted from there before";
  EXPECT_EQ(authenticate(disabled).error().code, Errc::kDenied);
  delete_key(key);
  EXPECT_TRUE(eventually([&] { return !is_accepted(key); }));
  EXPECT_EQ(authenticate(key).error().code, Errc::kLimit);
}

TEST_F(GatekeeperTest, WritesUsesInBatchesAndAtTheEnd) {
  const auto key = add_key("laptop");
  start({.usage_flush = 1s});
  const auto id = authenticate(key).value()->key_id;
  const auto count = [&] { return store_->keys(tenant_).value().at(0).usage_count; };
  const auto use = [&, usage = gatekeeper_->usage()](bool failed) {
    usage->add(id, "echo", failed, std::chrono::system_clock::now());
  };
  for (int i = 0; i < 3; ++i) use(i == 0);
  EXPECT_EQ(count(), 0);
  EXPECT_TRUE(eventually([&] { return count() == 3; }));
  EXPECT_TRUE(store_->keys(tenant_).value().at(0).last_used_at.has_value());
  use(false);
  gatekeeper_.reset();
  EXPECT_EQ(count(), 4);
  EXPECT_EQ(postgres_.run_sql("select string_agg(distinct tool, ',') || ' ' || sum(calls) || ' ' || sum(errors) from "
                              "toolhost.key_days"),
            "echo 4 1");
  use(false);  // a call that nobody waited for
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
  const auto refused = authenticate(key);
  EXPECT_EQ(refused.error().code, Errc::kUnavailable);
  EXPECT_GE(gatekeeper_->unconfirmed_for(), 2s);
  EXPECT_EQ(authenticate("nonsense").error().code, Errc::kUnauthenticated);
  EXPECT_TRUE(eventually([&] { return events_.has("every key is refused"); }));

  EXPECT_TRUE(eventually([&] {
    server.supervise();
    return server.pid() != killed && server.pid() > 0 && is_accepted(key);
  }));
  EXPECT_TRUE(eventually([&] { return events_.has("they are accepted"); }));
}

TEST_F(GatekeeperTest, TakesAccessTokensBesideKeysOfWhateverTenantsThereAre) {
  const auto signer = test_support::SigningKey::rsa("first");
  const test_support::HttpsServer issuer(
      std::nullopt, [&](const auto&) { return test_support::reply(200, test_support::jwk_set({signer.jwk()})); });
  GatekeeperConfig config;
  config.tokens.resource = "https://mcp.example/mcp";
  config.tokens.issuers.push_back({.issuer = issuer.url(),
                                   .jwks_url = issuer.url("/keys"),
                                   .tenant = {.claim = "org"},
                                   .role = {.otherwise = Role::kAgent}});
  const auto key = add_key("laptop");
  start(config);
  ASSERT_NE(gatekeeper_->resource(), nullptr);
  const auto end = std::to_string(std::time(nullptr) + 600);
  const auto bearer = [&](const std::string& tenant) {
    return "Bearer " + signer.token("RS256", R"({"iss":")" + issuer.url() +
                                                 R"(","aud":"https://mcp.example/mcp","sub":"ana","org":")" + tenant +
                                                 R"(","exp":)" + end + "}");
  };
  EXPECT_TRUE(eventually([&] { return !gatekeeper_->is_fetching(); }));
  const auto caller = authenticate({}, bearer("acme"));
  ASSERT_TRUE(caller) << caller.error().message;
  EXPECT_EQ((*caller)->tenant_id, tenant_);
  EXPECT_EQ((*caller)->time_zone, "Europe/Berlin");
  EXPECT_TRUE(authenticate(key));
  EXPECT_TRUE(authenticate({}, "Bearer " + key));
  EXPECT_EQ(authenticate(key.substr(1), bearer("acme")).error().message, "Invalid API key") << "X-API-Key wins";
  for (int i = 0; i < 40; ++i) EXPECT_EQ(authenticate({}, "Bearer x").error().code, Errc::kUnauthenticated);
  EXPECT_EQ(authenticate("hdsk_x").error().code, Errc::kUnauthenticated) << "tokens count against nobody";
  ASSERT_EQ(gatekeeper_->token_callers().size(), 1U);
  EXPECT_EQ(gatekeeper_->set_policy(Policy::compile({built_in_defaults(), {}})).back()->key_id, (*caller)->key_id);

  const auto later = bearer("later");
  EXPECT_EQ(authenticate({}, later).error().code, Errc::kDenied);
  ASSERT_TRUE(store_->create_tenant("later", "Later", "UTC", {"test"}));
  EXPECT_TRUE(eventually([&] { return authenticate({}, later).has_value(); })) << "every host is told";

  gatekeeper_->usage()->add((*caller)->key_id, "echo", false, std::chrono::system_clock::now());
  gatekeeper_.reset();  // flushes
  EXPECT_EQ(postgres_.run_sql("select count(*) from toolhost.key_days"), "0");
}

TEST_F(GatekeeperTest, StartsOnlyWithItsDatabase) {
  const auto started =
      Gatekeeper::start(storage::DatabaseAddress::embedded("/nonexistent"), Secret(std::string(32, 'p')), {}, events_);
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, Errc::kUnavailable);
}

}  // namespace
}  // namespace toolhost::access
