#pragma once
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "storage/directory_store.hpp"
#include "storage/portal_store.hpp"
#include "support/temp_postgres.hpp"

namespace toolhost::storage {

inline const Actor kAnaActs{"portal:ana@acme.example"};
inline const Actor kBobActs{"portal:bob@acme.example"};

template <class Hash = SecretHash>
Hash hash_of(int seed) {
  Hash hash{};
  hash.fill(static_cast<std::uint8_t>(seed));
  hash[1] = static_cast<std::uint8_t>(seed >> 8);
  return hash;
}
/// A prefix of its own for each seed.
inline std::string prefix_of(int seed) {
  return "hdsk_" + std::to_string(100'000 + seed);
}

/// Two people of the tenants acme and globex, and the store of one thread of the portal.
class PortalTest : public testing::Test {
 protected:
  void SetUp() override {
    postgres_.run_sql("truncate toolhost.tenants, toolhost.people, toolhost.used_states cascade");
    directory_ = DirectoryStore::create(postgres_.address());
    acme_ = directory_->create_tenant("acme", "Acme", "UTC", {"test"}).value().id;
    globex_ = directory_->create_tenant("globex", "Globex", "UTC", {"test"}).value().id;
    ana_ = person("ana");
    bob_ = person("bob");
  }

  static NewPerson named(const std::string& name) {
    return {.issuer = "https://issuer.example",
            .subject = "sub-" + name,
            .email = name + "@acme.example",
            .name = name,
            .email_verified = true};
  }
  PersonId person(const std::string& name) {
    auto made = store_->upsert_person(named(name));
    EXPECT_TRUE(made) << made.error().message << made.error().detail;
    return made ? made->id : PersonId{};
  }
  NewPortalKey new_key(PersonId person, int seed, const std::string& name = "Laptop") const {
    return {.person = person, .tenant = acme_, .name = name, .prefix = prefix_of(seed), .hash = hash_of<KeyHash>(seed)};
  }
  PortalKey add(const NewPortalKey& key) {
    auto made = store_->create_key_of(key, kAnaActs);
    EXPECT_TRUE(made) << made.error().message << made.error().detail;
    return made ? made->key : PortalKey{};
  }
  PortalKey add(PersonId person, int seed, const std::string& name = "Laptop") {
    return add(new_key(person, seed, name));
  }
  static NewSecret secret(int seed) { return {.prefix = prefix_of(seed), .hash = hash_of<KeyHash>(seed)}; }
  static OnceToken once(int seed, std::chrono::seconds lasts = std::chrono::hours(1)) {
    return {hash_of(seed), std::chrono::system_clock::now() + lasts};
  }
  /// What `select` says of each of acme's records, oldest first.
  std::string audit(const std::string& select, const std::string& where = "true") {
    return postgres_.run_sql("select coalesce(string_agg(" + select + ", ' ' order by sequence), '') from " +
                             "(select *, record::jsonb as r from toolhost.audit where tenant_id = " +
                             std::to_string(value(acme_)) + ") a where " + where);
  }

  test_support::TempPostgres& postgres_ = test_support::TempPostgres::shared();
  std::unique_ptr<DirectoryStore> directory_;
  std::unique_ptr<PortalStore> store_ = PortalStore::create(postgres_.address());
  TenantId acme_{}, globex_{};
  PersonId ana_{}, bob_{};
};

/// What somebody might write to break out of a statement, a record or a page.
inline const std::vector<std::string>& hostile_texts() {
  static const std::vector<std::string> kTexts{
      "'; drop table toolhost.api_keys; --", "' or '1'='1", "\\'; delete from people; --", "$1 $2 %s {} \"}",
      "x\"},{\"kind\":\"key_deleted\"",      "{a,b,\"c\\",  "<script>alert(1)</script>",   "E'\\x41' || pg_sleep(9)"};
  return kTexts;
}

}  // namespace toolhost::storage
