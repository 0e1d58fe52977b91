#include "access/key_table.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace toolhost::access {
namespace {

using namespace std::chrono_literals;
constexpr KeyTable::Clock::time_point kStart{1000s};

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

TEST(KeyTable, KnowsNothingAtFirst) {
  const KeyTable table;
  EXPECT_EQ(table.find(hash_of(1)), nullptr);
  EXPECT_EQ(table.unconfirmed_for(kStart), KeyTable::Clock::duration::max());
}

TEST(KeyTable, MakesACallerOfARow) {
  KeyTable table;
  auto owned = row(2, 2);
  owned.owner = "ann@example.com";
  table.replace({row(1, 1), owned}, kStart);
  const auto caller = table.find(hash_of(1));
  ASSERT_NE(caller, nullptr);
  EXPECT_EQ(caller->key_id, KeyId{1});
  EXPECT_EQ(caller->tenant_id, TenantId{7});
  EXPECT_EQ(caller->tenant, "demo");
  EXPECT_EQ(caller->time_zone, "Europe/Berlin");
  EXPECT_EQ(caller->key_prefix, "hdsk_abc123");
  EXPECT_EQ(caller->principal, "key 1");
  EXPECT_EQ(table.find(hash_of(2))->principal, "ann@example.com");
}

TEST(KeyTable, KnowsWhatTheOwnerOfAKeyIsInTheTenant) {
  PeopleOfTenants tenants;
  tenants["demo"] = {.members = {{"Ann@example.com", "Ann", Role::kAdmin}, {"*@example.com", "", Role::kAgent}},
                     .default_role = Role::kViewer};
  KeyTable table{Membership(tenants)};
  auto member = row(1, 1), colleague = row(2, 2), impostor = row(3, 3), elsewhere = row(4, 4, "other");
  member.owner = "ann@EXAMPLE.com";
  colleague.owner = "bob@example.com";
  impostor.name = "ann@example.com";  // a name is not an owner
  elsewhere.owner = "ann@example.com";
  table.replace({member, colleague, impostor, elsewhere}, kStart);

  EXPECT_EQ(table.find(hash_of(1))->role, Role::kAdmin);
  EXPECT_EQ(table.find(hash_of(1))->principal, "Ann@example.com") << "one spelling for one person";
  ASSERT_NE(table.find(hash_of(1))->members, nullptr);
  EXPECT_EQ(table.find(hash_of(1))->members->size(), 1U);
  EXPECT_EQ(table.find(hash_of(2))->role, Role::kAgent);
  EXPECT_EQ(table.find(hash_of(3))->role, Role::kViewer);
  EXPECT_EQ(table.find(hash_of(4))->role, Role::kAgent);
  EXPECT_EQ(table.find(hash_of(4))->members, nullptr);
}

TEST(KeyTable, ReportsWhatAppearedAndWhatWent) {
  KeyTable table;
  EXPECT_EQ(table.replace({row(1, 1), row(2, 2)}, kStart).added.size(), 2U);
  const auto changes = table.replace({row(2, 2), row(3, 3)}, kStart);
  ASSERT_EQ(changes.added.size(), 1U);
  EXPECT_EQ(changes.added[0].caller->key_id, KeyId{3});
  EXPECT_EQ(changes.added[0].name, "key 3");
  ASSERT_EQ(changes.removed.size(), 1U);
  EXPECT_EQ(changes.removed[0].caller->key_id, KeyId{1});
  EXPECT_EQ(table.find(hash_of(1)), nullptr);
}

TEST(KeyTable, CountsAKeyWithANewHashAsRemoved) {
  KeyTable table;
  table.replace({row(1, 1)}, kStart);
  const auto changes = table.replace({row(1, 9)}, kStart);
  EXPECT_EQ(changes.removed.size(), 1U);
  EXPECT_EQ(changes.added.size(), 1U);
  EXPECT_EQ(table.find(hash_of(1)), nullptr);
  EXPECT_NE(table.find(hash_of(9)), nullptr);
}

TEST(KeyTable, ChangesAnOwnerWithoutRevokingTheKey) {
  KeyTable table;
  table.replace({row(1, 1)}, kStart);
  const auto before = table.find(hash_of(1));
  auto changes = table.replace({row(1, 1)}, kStart);
  EXPECT_TRUE(changes.removed.empty());
  EXPECT_EQ(table.find(hash_of(1)), before);
  changes = table.replace({row(1, 1, "renamed")}, kStart);
  EXPECT_TRUE(changes.removed.empty());
  EXPECT_TRUE(changes.added.empty());
  EXPECT_EQ(table.find(hash_of(1))->tenant, "renamed");
  EXPECT_EQ(before->tenant, "demo");
}

TEST(KeyTable, TellsHowLongNobodyConfirmed) {
  KeyTable table;
  table.replace({}, kStart);
  EXPECT_EQ(table.unconfirmed_for(kStart + 3s), 3s);
  table.confirm(kStart + 5s);
  EXPECT_EQ(table.unconfirmed_for(kStart + 6s), 1s);
  EXPECT_EQ(table.unconfirmed_for(kStart), 0s);
}

TEST(KeyTable, IsReadWhileItIsReplaced) {
  KeyTable table;
  table.replace({row(1, 1), row(2, 2)}, kStart);
  std::atomic<bool> done{false};
  std::atomic<int> missing{0};
  std::thread reader([&] {
    while (!done) missing += table.find(hash_of(1)) == nullptr;
  });
  for (int i = 0; i < 500; ++i) table.replace({row(1, 1), row(3 + i, 3)}, kStart);
  done = true;
  reader.join();
  EXPECT_EQ(missing, 0);
}

}  // namespace
}  // namespace toolhost::access
