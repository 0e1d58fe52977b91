#include "task_rules.hpp"

#include <algorithm>

#include "facts.hpp"
#include "request_keys.hpp"
#include "text.hpp"

namespace helpdesk::tasks {
namespace {

using Kind = Refusal::Kind;

constexpr std::size_t kMostTags = 20;

void check_status(const Task& task, Status wanted) {
  if (wanted == task.status) return;
  if (wanted == Status::kDone) {
    throw Refusal(Kind::kInvalid, "update_task does not finish tasks: call complete_task with id " + task.id +
                                      ". Nothing was changed.");
  }
  if (task.status == Status::kDone) {
    throw Refusal(Kind::kConflict,
                  "Task " + task.id + " is done; call reopen_task to take it up again. Nothing was changed.");
  }
}

std::vector<std::string> edited_tags(const Task& task, const TaskEdit& edit) {
  std::vector<std::string> tags = task.tags.value_or(std::vector<std::string>{});
  for (const std::string& tag : edit.tags_remove) std::erase(tags, tag);
  for (const std::string& tag : edit.tags_add) {
    if (std::find(tags.begin(), tags.end(), tag) == tags.end()) tags.push_back(tag);
  }
  if (tags.size() <= kMostTags) return tags;
  throw Refusal(Kind::kInvalid, "a task has at most " + std::to_string(kMostTags) + " tags, and this one would have " +
                                    std::to_string(tags.size()) + "; remove some with tags_remove");
}

}  // namespace

TaskChange change_by_edit(const Task& before, const TaskEdit& edit, std::string_view description) {
  TaskChange change{before, {}};
  Task& after = change.after;
  if (edit.title) after.title = *edit.title;
  if (edit.priority) after.priority = *edit.priority;
  if (edit.status) {
    check_status(before, *edit.status);
    after.status = *edit.status;
  }
  if (!edit.assignee.is_absent()) after.assignee = edit.assignee.value();
  if (!edit.ticket_id.is_absent()) after.ticket_id = edit.ticket_id.value();
  const bool has_new_due = edit.due.date || edit.due.at;
  if (has_new_due || edit.clears_due_date) after.due_date = edit.due.date;
  if (has_new_due || edit.clears_due_at) after.due_at = edit.due.at;
  std::vector<std::string> tags = edited_tags(before, edit);

  auto& changes = change.changes;
  add_change(changes, "title", before.title, after.title);
  if (edit.description) add_change(changes, "description", description, *edit.description);
  add_change(changes, "status", name(before.status), name(after.status));
  add_change(changes, "priority", name(before.priority), name(after.priority));
  add_change(changes, "assignee", before.assignee.value_or(""), after.assignee.value_or(""));
  add_change(changes, "ticket_id", before.ticket_id.value_or(""), after.ticket_id.value_or(""));
  add_change(changes, "due_date", before.due_date.value_or(""), after.due_date.value_or(""));
  add_change(changes, "due_at", before.due_at.value_or(""), after.due_at.value_or(""));
  add_change(changes, "tags", joined(before.tags.value_or(std::vector<std::string>{})), joined(tags));
  after.tags = std::move(tags);
  return change;
}

TaskChange change_by_completion(const Task& before, const std::optional<std::string>& note) {
  TaskChange change{before, {}};
  if (before.status == Status::kDone) return change;
  change.after.status = Status::kDone;
  add_change(change.changes, "status", name(before.status), name(Status::kDone));
  if (note) add_change(change.changes, "note", "", *note);
  return change;
}

TaskChange change_by_reopening(const Task& before) {
  TaskChange change{before, {}};
  if (before.status < Status::kDone) return change;
  change.after.status = Status::kOpen;
  add_change(change.changes, "status", name(before.status), name(Status::kOpen));
  return change;
}

std::uint64_t hash_of(const AppliedFilters& filters) {
  std::vector<std::string> statuses;
  for (const StatusFilter status : filters.status) statuses.emplace_back(name(status));
  RequestText text;
  text.add(statuses).add(filters.due ? name(*filters.due) : "").add(filters.due_after).add(filters.due_before);
  text.add(filters.assignee).add(filters.ticket_id).add(filters.tags.value_or(std::vector<std::string>{}));
  text.add(name(filters.sort)).add(name(filters.order));
  return hash64(text.text());
}

}  // namespace helpdesk::tasks
