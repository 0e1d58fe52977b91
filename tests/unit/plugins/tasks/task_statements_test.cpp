#include "task_statements.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <set>

namespace helpdesk::tasks {
namespace {

using testing::HasSubstr;
using testing::Not;

const Clock kClock{toolhost::Time{1'795'446'309'000'000}, "Europe/Berlin"};

/// The numbers of the parameters in the text.
std::set<std::size_t> numbers_in(const std::string& sql) {
  std::set<std::size_t> numbers;
  const std::regex parameter("\\$([0-9]+)");
  for (std::sregex_iterator match(sql.begin(), sql.end(), parameter), end; match != end; ++match)
    numbers.insert(std::stoul((*match)[1]));
  return numbers;
}

void expect_all_parameters_used(const Statement& statement) {
  const auto numbers = numbers_in(statement.sql);
  EXPECT_EQ(numbers.size(), statement.values.size()) << statement.sql;
  EXPECT_EQ(*numbers.rbegin(), statement.values.size()) << statement.sql;
}

TEST(ListStatement, UsesEachParameterWhateverTheFilters) {
  ListRequest request;
  expect_all_parameters_used(list_statement(request, kClock));
  request.filter = {.only_unfinished = false,
                    .statuses = std::vector<Status>{Status::kOpen, Status::kDone},
                    .due_after = DueBound{"2026-11-23", true},
                    .due_before = DueBound{"2026-11-23T10:00Z", false},
                    .assignee = "ana@example.com",
                    .ticket = "ABC123",
                    .tags = std::vector<std::string>{"vpn"}};
  for (const SortKey sort : {SortKey::kDue, SortKey::kUpdated, SortKey::kCreated, SortKey::kPriority}) {
    for (const SortOrder order : {SortOrder::kAscending, SortOrder::kDescending}) {
      request.sort = sort;
      request.order = order;
      request.after = PagePosition{"a", "b", "7QK4MX"};
      expect_all_parameters_used(list_statement(request, kClock));
    }
  }
}

TEST(ListStatement, HoldsNobodysText) {
  ListRequest request;
  request.filter.assignee = "'; drop table tasks; --";
  request.filter.tags = std::vector<std::string>{"'; drop table tasks; --"};
  request.after = PagePosition{"'; drop", "'; drop", "'; drop"};
  EXPECT_THAT(list_statement(request, kClock).sql, Not(HasSubstr("drop")));
}

TEST(ListStatement, ReadsNoClockButTheOneItIsGiven) {
  for (const DueWindow due :
       {DueWindow::kOverdue, DueWindow::kToday, DueWindow::kThisWeek, DueWindow::kNextWeek, DueWindow::kNone}) {
    ListRequest request;
    request.filter.due = due;
    const std::string sql = list_statement(request, kClock).sql;
    for (const char* clock : {"now()", "current_", "clock_timestamp", "localtime"})
      EXPECT_THAT(sql, Not(HasSubstr(clock)));
  }
}

TEST(ListStatement, OfConciseTasksShowsWhatTheyAreSortedByAndNotWhatTheyShare) {
  ListRequest request;
  EXPECT_THAT(list_statement(request, kClock).sql, HasSubstr("local_time(due_at, $1::text), assignee, null, ticket"));
  request.filter.assignee = "ana@example.com";
  request.filter.ticket = "ABC123";
  EXPECT_THAT(list_statement(request, kClock).sql, HasSubstr("local_time(due_at, $1::text), null, null, null"));
  request.sort = SortKey::kUpdated;
  EXPECT_THAT(list_statement(request, kClock).sql, HasSubstr("local_time(updated_at, $1::text)"));
}

Task printer() {
  Task task;
  task.id = "7QK4MX";
  task.tags = std::vector<std::string>{"a", "b"};
  task.due_date = "2026-11-30";
  return task;
}

TEST(ChangeStatement, WritesOnlyWhatChanges) {
  const Statement statement =
      change_statement({printer(), {{"priority", "normal", "high"}}}, {"ana@example.com", "hdsk_abc123"}, kClock);
  EXPECT_THAT(statement.sql, HasSubstr("priority = $3::text::task_priority"));
  for (const char* other : {"title =", "description =", "status =", "assignee =", "tags =", "due_", "completed_at ="})
    EXPECT_THAT(statement.sql.substr(0, statement.sql.find("where")), Not(HasSubstr(other))) << other;
  expect_all_parameters_used(statement);
}

TEST(ChangeStatement, KeepsTheOrderColumnWithTheDueDate) {
  const Statement statement = change_statement({printer(), {{"due_date", "", "2026-11-30"}, {"due_at", "x", ""}}},
                                               {"ana@example.com", "hdsk_abc123"}, kClock);
  EXPECT_THAT(statement.sql, HasSubstr("due_by = due_end("));
  expect_all_parameters_used(statement);
}

TEST(ChangeStatement, KeepsTheTimesOfCompletionWithTheStatus) {
  Task done = printer();
  done.status = Status::kDone;
  const Actor ana{"ana@example.com", "hdsk_abc123"};
  EXPECT_THAT(change_statement({done, {{"status", "open", "done"}, {"note", "", "ok"}}}, ana, kClock).sql,
              HasSubstr("completed_at = greatest(updated_at, clock_timestamp()), completion_note = "));
  EXPECT_THAT(change_statement({printer(), {{"status", "done", "open"}}}, ana, kClock).sql,
              HasSubstr("completed_at = null, completion_note = null"));
}

}  // namespace
}  // namespace helpdesk::tasks
