#include "observability/refusal_folds.hpp"

#include <gtest/gtest.h>

#include "base/json.hpp"
#include "observability/audited_event.hpp"

namespace toolhost::observability {
namespace {

using namespace std::chrono_literals;

const RefusalFolds::Time kStart = std::chrono::sys_days(std::chrono::year{2026} / 1 / 31);

Caller caller_of(std::int32_t tenant, std::string key) {
  return {.tenant_id = TenantId{tenant},
          .tenant = "tenant-" + std::to_string(tenant),
          .time_zone = "UTC",
          .key_prefix = std::move(key),
          .principal = "ann@example.com"};
}

Refusal limit(const Caller& caller, std::string_view tool = "search", std::string_view reason = "key_rate") {
  return {.caller = caller, .outcome = "limit", .reason = reason, .tool = tool, .remote = {}};
}

class RefusalFoldsTest : public testing::Test {
 protected:
  int admit(int count, const Refusal& refusal, RefusalFolds::Time now = kStart, bool has_room = true) {
    int admitted = 0;
    for (int at = 0; at < count; ++at) admitted += folds_.admit(refusal, has_room, now) ? 1 : 0;
    return admitted;
  }
  RefusalFolds folds_;
};

TEST_F(RefusalFoldsTest, AKeyGetsSomeRecordsAtOnceAndAFewASecondAndTheRestIsCounted) {
  const Caller ann = caller_of(1, "hdsk_annann");
  EXPECT_EQ(admit(12'000, limit(ann)), 100);
  EXPECT_EQ(admit(1'000, limit(ann, "create_ticket"), kStart + 1s), 10);
  const auto told = folds_.take(kStart + 1s);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].count, 12'890U);
  EXPECT_EQ(told[0].tenant_id, 1);
  EXPECT_EQ(told[0].key, "hdsk_annann");
  EXPECT_EQ(told[0].outcome, "limit");
  EXPECT_EQ(told[0].reason, "key_rate");
  EXPECT_EQ(told[0].tool, "create_ticket") << "of the last one";
  EXPECT_EQ(told[0].since, kStart);
  EXPECT_EQ(told[0].until, kStart + 1s);
  EXPECT_TRUE(folds_.take(kStart + 1s).empty()) << "told once";
  EXPECT_EQ(admit(200, limit(ann), kStart + 1h), 100);
}

TEST_F(RefusalFoldsTest, NoKeyOrReasonTakesTheRecordsOfAnother) {
  const Caller ann = caller_of(1, "hdsk_annann"), bob = caller_of(1, "hdsk_bobbob"), eve = caller_of(2, "hdsk_annann");
  EXPECT_EQ(admit(1'000, limit(ann)), 100);
  EXPECT_EQ(admit(1'000, limit(ann, "search", "tenant_rate")), 100);
  EXPECT_EQ(admit(1'000, limit(bob)), 100);
  EXPECT_EQ(admit(1'000, limit(eve)), 100);
  EXPECT_EQ(folds_.take(kStart).size(), 4U);
}

TEST_F(RefusalFoldsTest, WithoutRoomAllAreCounted) {
  const Caller ann = caller_of(1, "hdsk_annann");
  EXPECT_EQ(admit(50, limit(ann), kStart, false), 0);
  const auto told = folds_.take(kStart);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].count, 50U);
}

TEST_F(RefusalFoldsTest, VeryManyKeysAreTakenTogetherByTenantUntilTheyAreQuiet) {
  const auto refuse_many = [&](RefusalFolds::Time now) {
    int admitted = 0;
    for (std::size_t key = 0; key < RefusalFolds::kMostKeys + 1'000; ++key)
      admitted += admit(1, limit(caller_of(1, "hdsk_" + std::to_string(key))), now);
    return admitted;
  };
  EXPECT_EQ(refuse_many(kStart), static_cast<int>(RefusalFolds::kMostKeys) + 100);
  const auto told = folds_.take(kStart);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].count, 900U);
  EXPECT_EQ(told[0].key, "");
  EXPECT_EQ(told[0].principal, "");
  EXPECT_EQ(told[0].tenant, "tenant-1");
  folds_.take(kStart + 1min);  // forgets them all
  EXPECT_EQ(refuse_many(kStart + 2min), static_cast<int>(RefusalFolds::kMostKeys) + 100);
}

TEST_F(RefusalFoldsTest, AClockThatGoesBackAllowsNothingMore) {
  const Caller ann = caller_of(1, "hdsk_annann");
  EXPECT_EQ(admit(200, limit(ann)), 100);
  EXPECT_EQ(admit(200, limit(ann), kStart - 1h), 0);
  EXPECT_EQ(admit(200, limit(ann), kStart - 1h + 1s), 10);
}

TEST(RefusalIn, IsWhatDidNotRunAndNothingElse) {
  const Caller ann = caller_of(1, "hdsk_annann");
  const auto is_one = [&](std::string_view outcome, std::string_view reason) {
    return refusal_in(ToolCalled{.caller = ann,
                                 .tool = "t",
                                 .plugin = "p",
                                 .request_id = "r",
                                 .outcome = outcome,
                                 .duration = 1us,
                                 .detail = "",
                                 .reason = reason})
        .has_value();
  };
  for (const char* outcome : {"denied", "limit", "unknown_tool"}) EXPECT_TRUE(is_one(outcome, "")) << outcome;
  for (const char* reason : {"audit", "busy"}) EXPECT_TRUE(is_one("unavailable", reason)) << reason;
  for (const char* outcome :
       {"ok", "tool_error", "invalid_arguments", "timeout", "cancelled", "unavailable", "internal"})
    EXPECT_FALSE(is_one(outcome, "")) << outcome;
  EXPECT_TRUE(refusal_in(RequestRefused{.reason = "key_expired", .remote = "::1", .detail = "", .caller = &ann}));
  EXPECT_FALSE(refusal_in(RequestRefused{.reason = "invalid_key", .remote = "::1", .detail = ""}));
}

}  // namespace
}  // namespace toolhost::observability
