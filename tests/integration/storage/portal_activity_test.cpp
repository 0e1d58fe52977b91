#include <algorithm>
#include <thread>

#include "integration/storage/portal_fixture.hpp"
#include "observability/audit_record.hpp"

namespace toolhost::storage {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::system_clock;

class PortalActivityTest : public PortalTest {
 protected:
  void use(KeyId key, int days_ago, const std::string& tool, std::int64_t calls, std::int64_t errors = 0) {
    const auto written = directory_->record_uses(
        {{key, calls, Clock::now(), {{today_ - std::chrono::days(days_ago), tool, calls, errors}}}});
    EXPECT_TRUE(written) << written.error().detail;
  }
  std::string text_of(const Result<std::vector<DayRow>>& days) const {
    EXPECT_TRUE(days) << days.error().message << days.error().detail;
    std::string text;
    for (const auto& row : days.value())
      text += std::to_string((row.day - today_).count()) + " " + row.tool + " " + std::to_string(row.calls) + "/" +
              std::to_string(row.errors) + "; ";
    return text;
  }
  struct Told {
    std::string outcome, tool, reason = {};
    std::int64_t count = 0;
    std::string principal = {};
  };
  /// A row of the audit, as the journal's shipper appends it.
  void tell(const PortalKey& key, const Told& told) {
    std::string record;
    observability::AuditRecord row(record, "tool_called");
    row.field("key", key.row.prefix).field("principal", told.principal.empty() ? key.row.owner : told.principal);
    row.field("tool", told.tool).field("outcome", told.outcome).field("reason", told.reason);
    if (told.count > 0) row.field("count", told.count);
    row.json("arguments", R"({"password":"geheim"})").end();
    postgres_.run_sql("select toolhost.audit_append(" + std::to_string(value(key.row.tenant_id)) + ", array['" +
                      record + "'])");
  }

  const std::chrono::sys_days today_ = std::chrono::floor<std::chrono::days>(Clock::now());
};

TEST_F(PortalActivityTest, CallsAddUpByKeyDayAndTool) {
  const auto key = add(ana_, 1).row.id, other = add(ana_, 2, "Phone").row.id, bobs = add(bob_, 3).row.id;
  use(key, 1, "list_tickets", 3, 1);
  use(key, 0, "list_tickets", 2);
  use(key, 0, "list_tickets", 5, 2);
  use(key, 0, "", 1, 1);
  use(other, 0, "list_tickets", 10);
  use(bobs, 0, "create_ticket", 100);
  EXPECT_EQ(text_of(store_->days_of(ana_, key, 30)), "-1 list_tickets 3/1; 0  1/1; 0 list_tickets 7/2; ");
  EXPECT_EQ(text_of(store_->days_of(ana_, key, 1)), "0  1/1; 0 list_tickets 7/2; ");
  EXPECT_EQ(text_of(store_->days_of_all(ana_, 1)), "0  1/1; 0 list_tickets 17/2; ");
  EXPECT_EQ(text_of(store_->days_of_all(acme_, 1)), "0  1/1; 0 create_ticket 100/0; 0 list_tickets 17/2; ");
  EXPECT_EQ(text_of(store_->days_of_all(globex_, 100)), "");
  EXPECT_EQ(store_->key_of(ana_, key)->row.usage_count, 11);
}

TEST_F(PortalActivityTest, OneFlushMayNameAKeyAndAToolMoreThanOnce) {
  const auto key = add(ana_, 1).row.id;
  const auto written = directory_->record_uses({{key, 2, Clock::now(), {{today_, "a", 1, 0}, {today_, "b", 1, 1}}},
                                                {key, 1, Clock::now(), {{today_, "a", 1, 1}}},
                                                {KeyId{999'999}, 1, Clock::now(), {{today_, "a", 1, 0}}},
                                                {key, 1, Clock::now(), {}}});
  ASSERT_TRUE(written) << written.error().detail;
  EXPECT_EQ(text_of(store_->days_of(ana_, key, 1)), "0 a 2/1; 0 b 1/1; ");
  EXPECT_EQ(store_->key_of(ana_, key)->row.usage_count, 4);
}

TEST_F(PortalActivityTest, DaysAreKeptForAHundredDays) {
  const auto key = add(ana_, 1).row.id;
  use(key, 99, "old", 1);
  use(key, 100, "gone", 1);
  EXPECT_EQ(text_of(store_->days_of(ana_, key, 100)), "-99 old 1/0; ");
  EXPECT_EQ(text_of(store_->days_of(ana_, key, 100'000)), "-99 old 1/0; ");
  EXPECT_EQ(text_of(store_->days_of(ana_, key, -3)), "");
  directory_ = DirectoryStore::create(postgres_.address());
  use(key, 0, "new", 1);
  EXPECT_EQ(postgres_.run_sql("select string_agg(tool, ',' order by tool) from toolhost.key_days"), "new,old");
}

TEST_F(PortalActivityTest, HostsThatCountTheSameKeysDoNotBlockEachOther) {
  std::vector<KeyId> keys;
  for (int seed = 0; seed < 5; ++seed) keys.push_back(add(ana_, seed).row.id);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      const auto store = DirectoryStore::create(postgres_.address());
      for (int i = 0; i < 20; ++i) {
        std::vector<KeyUse> uses;
        for (const auto key : keys) uses.push_back({key, 2, Clock::now(), {{today_, "a", 1, 0}, {today_, "b", 1, 0}}});
        if (t % 2 == 0) std::reverse(uses.begin(), uses.end());
        const auto written = store->record_uses(uses);
        EXPECT_TRUE(written) << written.error().message << written.error().detail;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(text_of(store_->days_of_all(ana_, 1)), "0 a 400/0; 0 b 400/0; ");
}

TEST_F(PortalActivityTest, ToolNamesThatWantToBeSqlAreNames) {
  const auto key = add(ana_, 1).row.id;
  for (const auto& tool : hostile_texts()) use(key, 0, tool, 1);
  EXPECT_EQ(store_->days_of(ana_, key, 1)->size(), hostile_texts().size());
}

TEST_F(PortalActivityTest, TheLastErrorsOfAKeySayWhatWentWrongAndNothingElse) {
  const auto key = add(ana_, 1), other = add(ana_, 2, "Phone");
  const auto before = Clock::now() - 2s;
  tell(key, {"ok", "list_tickets"});
  tell(key, {"tool_error", "create_ticket"});
  tell(key, {"cancelled", "list_tickets"});
  tell(other, {"timeout", "list_tickets"});
  tell(key, {"limit", "list_tickets", "key_rate", 17});
  tell(key, {"denied", "", "key_expired"});
  const auto errors = store_->recent_errors(ana_, key.row.id, 10);
  ASSERT_TRUE(errors) << errors.error().message << errors.error().detail;
  ASSERT_EQ(errors->size(), 3U);
  EXPECT_EQ((*errors)[0].outcome, "denied");
  EXPECT_EQ((*errors)[0].reason, "key_expired");
  EXPECT_EQ((*errors)[0].tool, "");
  EXPECT_EQ((*errors)[1].outcome, "limit");
  EXPECT_EQ((*errors)[1].count, 17);
  EXPECT_EQ((*errors)[2].tool, "create_ticket");
  EXPECT_EQ((*errors)[2].outcome, "tool_error");
  EXPECT_EQ((*errors)[2].count, 1);
  EXPECT_GE((*errors)[2].at, before);
  EXPECT_LE((*errors)[2].at, Clock::now());
  EXPECT_EQ(store_->recent_errors(acme_, key.row.id, 2)->size(), 2U);
  EXPECT_EQ(store_->recent_errors(bob_, key.row.id, 2).error().code, Errc::kNotFound);
}

TEST_F(PortalActivityTest, TheAuditMaySpellAnAddressAsTheConfigurationDoes) {
  const auto key = add(ana_, 1);
  tell(key, {.outcome = "timeout", .tool = "list_tickets", .principal = "Ana@Acme.example"});
  EXPECT_EQ(store_->recent_errors(ana_, key.row.id, 10)->size(), 1U);
}

TEST_F(PortalActivityTest, AnothersErrorsAreNotShownThoughTheirPrefixIsTheSame) {
  const auto key = add(ana_, 1);
  tell(key, {.outcome = "timeout", .tool = "list_tickets", .principal = "bob@acme.example"});
  auto elsewhere = new_key(ana_, 2);
  elsewhere.tenant = globex_;
  elsewhere.prefix = key.row.prefix;
  tell(add(elsewhere), {"timeout", "list_tickets"});
  EXPECT_TRUE(store_->recent_errors(ana_, key.row.id, 10)->empty());
}

TEST_F(PortalActivityTest, TheErrorsOfAKeyAreFoundByAnIndex) {
  const auto key = add(ana_, 1);
  tell(key, {"timeout", "list_tickets"});
  const auto plan = postgres_.run_sql(
      "do $$ declare line text; plan text := ''; begin set local enable_seqscan = off; for line in execute "
      "'explain select 1 from toolhost.audit a where a.tenant_id = 1 and a.key_prefix = ''x'' and a.outcome <> ''ok'' "
      "and a.outcome <> ''cancelled'' order by a.sequence desc limit 5' loop plan := plan || line; end loop; "
      "perform set_config('test.plan', plan, false); end $$; select current_setting('test.plan')");
  EXPECT_NE(plan.find("key_prefix_sequence"), std::string::npos) << plan;
}

}  // namespace
}  // namespace toolhost::storage
