#include "task_rules.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace helpdesk::tasks {
namespace {

using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;

Task task_in(Status status) {
  Task task;
  task.id = "7QK4MX";
  task.title = "Order cartridges";
  task.status = status;
  task.assignee = "ana@example.com";
  task.due_date = "2026-11-30";
  task.tags = std::vector<std::string>{"printer"};
  return task;
}

template <class Work>
std::string refusal_of(const Work& work) {
  try {
    work();
  } catch (const Refusal& refusal) {
    return refusal.what();
  }
  return "not refused";
}

auto change_of(const std::string& field, const std::string& from, const std::string& to) {
  return testing::AllOf(Field(&FieldChange::field, field), Field(&FieldChange::from, from),
                        Field(&FieldChange::to, to));
}

TEST(TaskEdit, ThatSaysWhatIsSoAlreadyChangesNothing) {
  TaskEdit edit;
  edit.title = "Order cartridges";
  edit.description = "Black";
  edit.priority = Priority::kNormal;
  edit.status = Status::kOpen;
  edit.assignee = std::string("ana@example.com");
  edit.due = Due{"2026-11-30", {}};
  edit.tags_add = {"printer"};
  edit.tags_remove = {"vpn"};
  EXPECT_THAT(change_by_edit(task_in(Status::kOpen), edit, "Black").changes, IsEmpty());
}

TEST(TaskEdit, NotesEveryFieldThatChanges) {
  TaskEdit edit;
  edit.title = "Order toner";
  edit.description = "Cyan";
  edit.priority = Priority::kUrgent;
  edit.status = Status::kInProgress;
  edit.assignee = nullptr;
  edit.ticket_id = std::string("ABC123");
  edit.due = Due{{}, "2026-12-01T09:00:00+01:00"};
  edit.tags_add = {"toner"};
  edit.tags_remove = {"printer"};
  const TaskChange change = change_by_edit(task_in(Status::kOpen), edit, "Black");
  EXPECT_THAT(change.changes,
              ElementsAre(change_of("title", "Order cartridges", "Order toner"),
                          change_of("description", "Black", "Cyan"), change_of("status", "open", "in_progress"),
                          change_of("priority", "normal", "urgent"), change_of("assignee", "ana@example.com", ""),
                          change_of("ticket_id", "", "ABC123"), change_of("due_date", "2026-11-30", ""),
                          change_of("due_at", "", "2026-12-01T09:00:00+01:00"), change_of("tags", "printer", "toner")));
  EXPECT_THAT(*change.after.tags, ElementsAre("toner"));
  EXPECT_EQ(change.after.due_date, std::nullopt);
}

TEST(TaskEdit, ClearsOneKindOfDueAndReplacesEither) {
  TaskEdit edit;
  edit.clears_due_at = true;
  EXPECT_THAT(change_by_edit(task_in(Status::kOpen), edit, "Black").changes, IsEmpty());
  edit.due.date = "2026-12-01";
  EXPECT_THAT(change_by_edit(task_in(Status::kOpen), edit, "Black").changes,
              ElementsAre(change_of("due_date", "2026-11-30", "2026-12-01")));
  edit = {};
  edit.clears_due_date = true;
  EXPECT_THAT(change_by_edit(task_in(Status::kOpen), edit, "Black").changes,
              ElementsAre(change_of("due_date", "2026-11-30", "")));
}

TEST(TaskEdit, MovesBetweenOpenInProgressAndCancelled) {
  for (const Status from : {Status::kOpen, Status::kInProgress, Status::kCancelled}) {
    for (const Status to : {Status::kOpen, Status::kInProgress, Status::kCancelled}) {
      TaskEdit edit;
      edit.status = to;
      const TaskChange change = change_by_edit(task_in(from), edit, "");
      EXPECT_EQ(change.after.status, to);
      EXPECT_EQ(change.changes.size(), from == to ? 0u : 1u);
    }
  }
}

TEST(TaskEdit, LeavesDoneToTheToolsForIt) {
  TaskEdit edit;
  edit.status = Status::kDone;
  EXPECT_THAT(refusal_of([&] { change_by_edit(task_in(Status::kOpen), edit, ""); }),
              HasSubstr("call complete_task with id 7QK4MX"));
  EXPECT_THAT(change_by_edit(task_in(Status::kDone), edit, "").changes, IsEmpty());
  for (const Status to : {Status::kOpen, Status::kInProgress, Status::kCancelled}) {
    edit.status = to;
    EXPECT_THAT(refusal_of([&] { change_by_edit(task_in(Status::kDone), edit, ""); }),
                HasSubstr("Task 7QK4MX is done; call reopen_task"));
  }
}

TEST(TaskEdit, KeepsTagsUnderTheirLimit) {
  TaskEdit edit;
  for (int i = 0; i < 20; ++i) edit.tags_add.push_back("t" + std::to_string(i));
  EXPECT_THAT(refusal_of([&] { change_by_edit(task_in(Status::kOpen), edit, ""); }),
              HasSubstr("at most 20 tags, and this one would have 21"));
  edit.tags_remove = {"printer"};
  EXPECT_EQ(change_by_edit(task_in(Status::kOpen), edit, "").after.tags->size(), 20u);
}

TEST(Completion, HappensOnceAndKeepsTheNote) {
  const TaskChange change = change_by_completion(task_in(Status::kInProgress), "All there");
  EXPECT_EQ(change.after.status, Status::kDone);
  EXPECT_THAT(change.changes,
              ElementsAre(change_of("status", "in_progress", "done"), change_of("note", "", "All there")));
  EXPECT_THAT(change_by_completion(task_in(Status::kDone), "Again").changes, IsEmpty());
  EXPECT_THAT(change_by_completion(task_in(Status::kCancelled), {}).changes,
              ElementsAre(change_of("status", "cancelled", "done")));
}

TEST(Reopening, TakesUpWhatIsFinished) {
  for (const Status from : {Status::kDone, Status::kCancelled}) {
    const TaskChange change = change_by_reopening(task_in(from));
    EXPECT_EQ(change.after.status, Status::kOpen);
    EXPECT_THAT(change.changes, ElementsAre(change_of("status", std::string(name(from)), "open")));
  }
  for (const Status from : {Status::kOpen, Status::kInProgress})
    EXPECT_THAT(change_by_reopening(task_in(from)).changes, IsEmpty());
}

TEST(HashOfFilters, DiffersForListsThatDiffer) {
  AppliedFilters filters;
  filters.status = {StatusFilter::kUnfinished};
  const std::uint64_t hash = hash_of(filters);
  EXPECT_EQ(hash, hash_of(filters));
  const auto other = [&](auto change) {
    AppliedFilters changed = filters;
    change(changed);
    return hash_of(changed);
  };
  EXPECT_NE(hash, other([](AppliedFilters& f) { f.status = {StatusFilter::kAll}; }));
  EXPECT_NE(hash, other([](AppliedFilters& f) { f.due = DueWindow::kToday; }));
  EXPECT_NE(hash, other([](AppliedFilters& f) { f.due_after = "2026-11-23"; }));
  EXPECT_NE(hash, other([](AppliedFilters& f) { f.due_before = "2026-11-23"; }));
  EXPECT_NE(hash, other([](AppliedFilters& f) { f.assignee = "ana"; }));
  EXPECT_NE(hash, other([](AppliedFilters& f) { f.ticket_id = "ABC123"; }));
  EXPECT_NE(hash, other([](AppliedFilters& f) { f.tags = std::vector<std::string>{"ana"}; }));
  EXPECT_NE(hash, other([](AppliedFilters& f) { f.sort = SortKey::kCreated; }));
  EXPECT_NE(hash, other([](AppliedFilters& f) { f.order = SortOrder::kDescending; }));
  // What the window stands for on the day of the call is no part of what was asked.
  EXPECT_EQ(hash, other([](AppliedFilters& f) { f.due_first_day = "2026-11-23"; }));
}

}  // namespace
}  // namespace helpdesk::tasks
