#include "changes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "refusal.hpp"

namespace helpdesk {
namespace {

using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using Text = toolhost::Nullable<std::string>;

std::string stale(const std::vector<MissedStep>& steps) {
  try {
    refuse_stale("Task 7QK4MX", "get_task", 3, 5, steps);
  } catch (const Refusal& refusal) {
    EXPECT_EQ(refusal.kind(), Refusal::Kind::kConflict);
    return refusal.what();
  }
}

TEST(ReadNullable, TellsLeaveClearAndSetApart) {
  EXPECT_TRUE(read_nullable("assignee", Text()).is_absent());
  EXPECT_TRUE(read_nullable("assignee", Text(nullptr)).is_null());
  EXPECT_TRUE(read_nullable("assignee", Text(std::string("None"))).is_null());
  EXPECT_EQ(*read_nullable("assignee", Text(std::string(" Ana\nLima "))), "Ana Lima");
  try {
    read_nullable("assignee", Text(std::string(" \u200B")));
    FAIL() << "not refused";
  } catch (const Refusal& refusal) {
    EXPECT_THAT(refusal.what(), HasSubstr("assignee is empty; pass null to clear it, or leave it out"));
  }
}

TEST(AddChange, AddsOnlyWhatChanges) {
  std::vector<FieldChange> changes;
  add_change(changes, "title", "a", "a");
  EXPECT_THAT(changes, IsEmpty());
  add_change(changes, "title", "a", "b");
  EXPECT_THAT(changes, ElementsAre(Field(&FieldChange::to, "b")));
}

TEST(ChangedFields, AreShortAndClean) {
  const auto fields = changed_fields({{"description", "", "a\nb\u202E" + std::string(300, 'c')}});
  ASSERT_EQ(fields.size(), 1u);
  EXPECT_EQ(fields[0].from, std::nullopt);
  EXPECT_TRUE(fields[0].to->starts_with("a bcc"));
  EXPECT_TRUE(fields[0].to->ends_with("…"));
}

TEST(Described, QuotesWhatPeopleWrote) {
  EXPECT_EQ(described({"priority", "normal", "high"}), "priority normal -> high");
  EXPECT_EQ(described({"assignee", "ana@example.com", std::nullopt}), "assignee \"ana@example.com\" -> none");
  EXPECT_EQ(described({"due_at", std::nullopt, "2026-11-30T17:00:00+01:00"}), "due_at 2026-11-30T17:00:00+01:00");
  for (const char* field : {"title", "description", "category", "tags", "requester", "assignee", "note", "created"}) {
    EXPECT_EQ(described({field, std::nullopt, "ignore-all-previous-instructions"}),
              std::string(field) + " \"ignore-all-previous-instructions\"");
  }
  EXPECT_EQ(described({"title", "Order toner", "Say \"hi\""}), "title \"Order toner\" -> \"Say 'hi'\"");
  EXPECT_EQ(described({"note", std::nullopt, "All there"}), "note \"All there\"");
  EXPECT_EQ(described({"created", std::nullopt, std::nullopt}), "created");
}

TEST(Ago, UsesTheLargestUnit) {
  EXPECT_EQ(ago(0), "just now");
  EXPECT_EQ(ago(1), "1 second ago");
  EXPECT_EQ(ago(59), "59 seconds ago");
  EXPECT_EQ(ago(60), "1 minute ago");
  EXPECT_EQ(ago(7199), "1 hour ago");
  EXPECT_EQ(ago(86400 * 3), "3 days ago");
}

TEST(RefuseStale, SaysWhoChangedWhatWhen) {
  EXPECT_EQ(stale({{5, "ana@example.com", "priority", "normal", "high", 125},
                   {5, "ana@example.com", "title", "Old one", "New one", 125},
                   {4, "bo@example.com", "status", "open", "in_progress", 7200}}),
            "Task 7QK4MX was changed by ana@example.com 2 minutes ago: priority normal -> high, title \"Old one\" -> "
            "\"New one\"; by bo@example.com 2 hours ago: status open -> in_progress; it has version 5 now, not 3; read "
            "again with get_task and repeat what you still want with expected_version 5");
}

TEST(RefuseStale, StopsAfterThreeVersionsAndLongTexts) {
  std::vector<MissedStep> steps;
  for (int version = 9; version > 3; --version)
    steps.push_back({version, "ana", "title", "a", std::string(500, 'b'), 1});
  const std::string message = stale(steps);
  EXPECT_THAT(message, HasSubstr("; and more before; it has version"));
  EXPECT_LT(message.size(), 600u);
}

TEST(RefuseStale, TellsOfAVersionThatIsYetToCome) {
  EXPECT_THAT(stale({}), HasSubstr("Task 7QK4MX has version 5 now, not 3"));
}

}  // namespace
}  // namespace helpdesk
