#include "access/membership.hpp"

#include <gtest/gtest.h>

namespace toolhost::access {
namespace {

Membership acme() {
  PeopleOfTenants tenants;
  tenants["acme"] = {.members = {{"zoe@acme.com", "Zoe Park", Role::kViewer},
                                 {"*@acme.com", "", Role::kAgent},
                                 {"Ana@Acme.com", "Ana Lopez", Role::kAdmin}},
                     .default_role = Role::kViewer};
  tenants["domains"] = {.members = {{"*@acme.com", "", Role::kAdmin}}};
  return Membership(tenants);
}

TEST(Membership, MakesEverybodyAnAgentWhereNobodyIsNamed) {
  EXPECT_EQ(Membership().role_of("demo", "ana@acme.com"), Role::kAgent);
  EXPECT_EQ(acme().role_of("other", ""), Role::kAgent);
  EXPECT_EQ(Membership().members_of("demo"), nullptr);
}

TEST(Membership, TakesThePersonThenTheDomainThenTheDefault) {
  const auto membership = acme();
  EXPECT_EQ(membership.role_of("acme", "ana@acme.com"), Role::kAdmin);
  EXPECT_EQ(membership.role_of("acme", "ZOE@acme.COM"), Role::kViewer);
  EXPECT_EQ(membership.role_of("acme", "bob@ACME.com"), Role::kAgent);
  EXPECT_EQ(membership.role_of("acme", "bob@sub.acme.com"), Role::kViewer);
  EXPECT_EQ(membership.role_of("acme", "bob@example.com"), Role::kViewer);
  EXPECT_EQ(membership.role_of("acme", ""), Role::kViewer);
  EXPECT_EQ(membership.role_of("acme", "acme.com"), Role::kViewer);
}

TEST(Membership, ListsPeopleByNameWithoutDomains) {
  const auto members = acme().members_of("acme");
  ASSERT_NE(members, nullptr);
  ASSERT_EQ(members->size(), 2U);
  EXPECT_EQ((*members)[0].email, "Ana@Acme.com");
  EXPECT_EQ((*members)[1].name, "Zoe Park");
  EXPECT_EQ(acme().members_of("domains"), nullptr) << "a domain is nobody in particular";
}

TEST(HostCaller, IsAnAdminWithoutAKey) {
  storage::TenantRow tenant;
  tenant.id = TenantId{4};
  tenant.name = "acme";
  tenant.time_zone = "Europe/Berlin";
  const auto caller = host_caller(tenant, acme());
  EXPECT_EQ(caller->tenant_id, TenantId{4});
  EXPECT_EQ(caller->tenant, "acme");
  EXPECT_EQ(caller->time_zone, "Europe/Berlin");
  EXPECT_EQ(caller->role, Role::kAdmin);
  EXPECT_EQ(caller->principal, "toolhost");
  EXPECT_EQ(caller->key_prefix, "");
  ASSERT_NE(caller->members, nullptr);
}

}  // namespace
}  // namespace toolhost::access
