#pragma once
#include <toolhost/plugin/enums.hpp>
#include <toolhost/plugin/values.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "changes.hpp"
#include "names.hpp"
#include "pages.hpp"
#include "priority.hpp"
#include "refusal.hpp"

/// What the seven tools take and give, as plain values. The JSON names and descriptions stand in task_fields.hpp.
namespace helpdesk::tasks {

enum class Status { kOpen, kInProgress, kDone, kCancelled };
TH_ENUM(Status, value(Status::kOpen, "open"), value(Status::kInProgress, "in_progress"), value(Status::kDone, "done"),
        value(Status::kCancelled, "cancelled"))

enum class StatusFilter { kOpen, kInProgress, kDone, kCancelled, kUnfinished, kAll };
TH_ENUM(StatusFilter, value(StatusFilter::kOpen, "open"), value(StatusFilter::kInProgress, "in_progress"),
        value(StatusFilter::kDone, "done"), value(StatusFilter::kCancelled, "cancelled"),
        value(StatusFilter::kUnfinished, "unfinished"), value(StatusFilter::kAll, "all"))

enum class DueWindow { kOverdue, kToday, kThisWeek, kNextWeek, kNone };
TH_ENUM(DueWindow, value(DueWindow::kOverdue, "overdue"), value(DueWindow::kToday, "today"),
        value(DueWindow::kThisWeek, "this_week"), value(DueWindow::kNextWeek, "next_week"),
        value(DueWindow::kNone, "none"))

enum class SortKey { kDue, kUpdated, kCreated, kPriority };
TH_ENUM(SortKey, value(SortKey::kDue, "due"), value(SortKey::kUpdated, "updated"), value(SortKey::kCreated, "created"),
        value(SortKey::kPriority, "priority"))

// ---- Arguments

struct CreateTask {
  std::string title;
  std::optional<std::string> description, due_date, due_at;
  std::optional<PriorityInput> priority;
  std::optional<std::string> assignee, ticket_id;
  std::vector<std::string> tags;
  std::optional<std::string> idempotency_key;
};

struct ListTasks {
  std::optional<toolhost::OneOrMany<StatusFilter>> status;
  std::optional<DueWindow> due;
  std::optional<std::string> due_after, due_before, assignee, ticket_id;
  std::vector<std::string> tags;
  std::optional<SortKey> sort;
  std::optional<SortOrder> order;
  std::int64_t limit = 20;
  std::optional<std::string> cursor;
  ResponseFormat response_format = ResponseFormat::kConcise;
};

struct GetTask {
  std::string id;
  ResponseFormat response_format = ResponseFormat::kConcise;
};

struct UpdateTask {
  std::string id;
  std::optional<std::string> title;
  toolhost::Nullable<std::string> description, due_date, due_at;
  std::optional<PriorityInput> priority;
  std::optional<Status> status;
  toolhost::Nullable<std::string> assignee, ticket_id;
  std::vector<std::string> tags_add, tags_remove;
  std::optional<std::int64_t> expected_version;
};

struct CompleteTask {
  std::string id;
  std::optional<std::string> note;
};

struct ReopenTask {
  std::string id;
};

struct DeleteTask {
  std::string id;
  std::optional<std::int64_t> expected_version;
};

// ---- Results. Times are ISO 8601 in the tenant's time zone, with offset.

/// A task as far as the answer needs it: the first five always, the rest when asked for and set.
struct Task {
  std::string id, title;
  Status status = Status::kOpen;
  Priority priority = Priority::kNormal;
  bool is_overdue = false;
  std::optional<std::string> due_date, due_at, assignee;
  std::optional<std::vector<std::string>> tags;
  std::optional<std::string> ticket_id, ticket_title, ticket_status;
  std::optional<std::string> created_at, created_by, updated_at, completed_at, completion_note;
  std::optional<std::int64_t> version;
  std::optional<std::string> description;
};

struct CreatedTask {
  Task task;
  bool created = true;  ///< false: an earlier call with this idempotency_key had created it
  std::optional<std::vector<std::string>> warnings;
  std::string server_time, time_zone;
};

/// The filters as they were understood.
struct AppliedFilters {
  std::vector<StatusFilter> status;
  std::optional<DueWindow> due;
  std::optional<std::string> due_first_day, due_last_day;  ///< the days that `due` stands for now
  std::optional<std::string> week_begins;                  ///< when `due` is a week
  std::optional<std::string> due_after, due_before, assignee, ticket_id;
  std::optional<std::vector<std::string>> tags;
  SortKey sort = SortKey::kDue;
  SortOrder order = SortOrder::kAscending;
};

struct TaskPage {
  std::vector<Task> tasks;
  std::optional<std::string> next_cursor;
  bool truncated = false;  ///< the page ended early, because its texts are long
  std::int64_t total = 0;
  bool total_is_exact = true;  ///< false: there are more than `total`
  AppliedFilters applied_filters;
  std::optional<std::vector<std::string>> warnings;
  std::string server_time, time_zone;
};

struct TaskDetails {
  Task task;
  std::vector<HistoryEvent> history;  ///< the latest steps, oldest first
  bool truncated = false;
  std::optional<std::string> rest;  ///< how to get what was left out
  std::string server_time, time_zone;
};

struct UpdatedTask {
  Task task;
  bool changed = true;  ///< false: the task was like this already
  std::vector<ChangedField> changed_fields;
  std::optional<std::vector<std::string>> warnings;
  std::string server_time, time_zone;
};

struct CompletedTask {
  Task task;
  bool changed = true;  ///< false: it was done already
  std::string completed_at;
  std::optional<std::string> hint;
  std::string server_time, time_zone;
};

struct ReopenedTask {
  Task task;
  bool changed = true;  ///< false: it was unfinished already
  std::string server_time, time_zone;
};

struct DeletedTask {
  std::string id;
  bool deleted = true;  ///< false: it had been deleted before
  std::optional<std::string> title;
  std::string server_time, time_zone;
};

}  // namespace helpdesk::tasks
