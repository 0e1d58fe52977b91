#include "roles.hpp"

#include <gtest/gtest.h>

#include "refusal.hpp"

namespace helpdesk {
namespace {

TEST(RefuseViewer, RefusesNobodyElse) {
  EXPECT_NO_THROW(refuse_viewer("agent", "tickets"));
  EXPECT_NO_THROW(refuse_viewer("admin", "tickets"));
  try {
    refuse_viewer("viewer", "tickets");
    FAIL() << "not refused";
  } catch (const Refusal& refusal) {
    EXPECT_EQ(refusal.kind(), Refusal::Kind::kDenied);
    EXPECT_STREQ(refusal.what(), "A viewer may not change tickets; ask an admin of the tenant for the role agent.");
  }
}

}  // namespace
}  // namespace helpdesk
