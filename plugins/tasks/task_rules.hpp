#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "task_types.hpp"

/// What is allowed and what follows from it: pure functions and values.
namespace helpdesk::tasks {

/// When a task is due: a day (YYYY-MM-DD) or a moment (as results show it), or never.
struct Due {
  std::optional<std::string> date, at;
};

/// What update_task asks for, with people, dates and ids resolved. What is absent stays as it is.
struct TaskEdit {
  std::optional<std::string> title, description;
  std::optional<Priority> priority;
  std::optional<Status> status;
  toolhost::Nullable<std::string> assignee, ticket_id;
  Due due;  ///< in place of what it was due before, unless it is never
  bool clears_due_date = false, clears_due_at = false;
  std::vector<std::string> tags_add, tags_remove;
};

/// What becomes of a task. No changes: nothing is to be written.
struct TaskChange {
  Task after;
  std::vector<FieldChange> changes;  ///< by the names of results; texts as they are to be stored
};

/// `description`: as stored. Throws Refusal for a status that only another tool sets, and for too many tags.
TaskChange change_by_edit(const Task& before, const TaskEdit& edit, std::string_view description);

/// To done, with a note on how it went. No change for a task that is done.
TaskChange change_by_completion(const Task& before, const std::optional<std::string>& note);

/// From done or cancelled to open. No change for an unfinished task.
TaskChange change_by_reopening(const Task& before);

/// Same value for the same filters, sort and order: what a cursor belongs to.
std::uint64_t hash_of(const AppliedFilters& filters);

}  // namespace helpdesk::tasks
