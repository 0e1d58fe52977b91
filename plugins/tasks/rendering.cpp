#include "rendering.hpp"

#include <string_view>

#include "facts.hpp"
#include "text.hpp"

namespace helpdesk::tasks {
namespace {

/// One line: id, status, priority, title, then what else is known.
std::string task_line(const Task& task) {
  std::string out = "**" + task.id + "** [" + std::string(name(task.status));
  out.append(", ").append(name(task.priority)).append("] ").append(quote_line(task.title));
  add_fact(out, task.is_overdue ? "OVERDUE since" : "due", task.due_date ? task.due_date : task.due_at);
  add_quoted(out, "assignee", task.assignee);
  if (task.tags && !task.tags->empty()) add_quoted(out, "tags", joined(*task.tags));
  add_fact(out, "ticket", task.ticket_id);
  if (task.ticket_title) out.append(" ").append(quote_line(*task.ticket_title));
  if (task.ticket_status) out.append(" [").append(*task.ticket_status).append("]");
  add_fact(out, "created", task.created_at);
  add_quoted(out, "by", task.created_by);
  add_fact(out, "updated", task.updated_at);
  add_fact(out, "completed", task.completed_at);
  if (task.version) add_fact(out, "version", std::to_string(*task.version));
  return out + '\n';
}

template <class Result>
std::string clock(const Result& result) {
  return clock_line(result.server_time, result.time_zone);
}

std::string due_text(const AppliedFilters& filters) {
  std::string out(name(*filters.due));
  if (filters.due_first_day) out.append(" = ").append(*filters.due_first_day);
  if (filters.due_last_day != filters.due_first_day) out.append(" to ").append(*filters.due_last_day);
  if (filters.week_begins) out.append(", weeks begin on ").append(*filters.week_begins);
  return out;
}

std::string filters_text(const AppliedFilters& filters) {
  std::string out = "status " + joined_names(filters.status);
  if (filters.due) add_fact(out, "due", due_text(filters));
  add_fact(out, "due from", filters.due_after);
  add_fact(out, "due before", filters.due_before);
  add_fact(out, "assignee", filters.assignee);
  add_fact(out, "ticket", filters.ticket_id);
  if (filters.tags) add_quoted(out, "tags", joined(*filters.tags));
  return out + " · sorted by " + std::string(name(filters.sort)) + " " + std::string(name(filters.order));
}

}  // namespace

std::string render(const CreatedTask& result) {
  std::string out = result.created ? "Created task " : "This idempotency_key had created the task already; it is now ";
  out += task_line(result.task);
  add_warnings(out, result.warnings);
  return out.append(kQuoteMark).append(clock(result));
}

std::string render(const TaskPage& result) {
  std::string out = std::to_string(result.tasks.size()) + " of " + (result.total_is_exact ? "" : "more than ") +
                    std::to_string(result.total) + " tasks (" + filters_text(result.applied_filters) + ")\n";
  if (!result.tasks.empty()) out += kQuoteMark;
  for (const Task& task : result.tasks) out.append("- ").append(task_line(task));
  if (result.truncated) out += "The page ended early: its texts are long.\n";
  if (result.next_cursor)
    out.append("More: call again with the same arguments and cursor ").append(*result.next_cursor).append("\n");
  add_warnings(out, result.warnings);
  return out += clock(result);
}

std::string render(const TaskDetails& result) {
  std::string out = task_line(result.task);
  out += kQuoteMark;
  if (result.task.description) out.append("Description:\n").append(quote_lines(*result.task.description));
  if (result.task.completion_note) out.append("Completed with:\n").append(quote_lines(*result.task.completion_note));
  out += "History, oldest first:\n";
  for (const HistoryEvent& event : result.history) add_event(out, event);
  if (result.rest) out.append(*result.rest).append("\n");
  return out += clock(result);
}

std::string render(const UpdatedTask& result) {
  std::string out = result.changed ? "Changed " : "Nothing to change, the task is like this already: ";
  out += task_line(result.task);
  for (const ChangedField& change : result.changed_fields) out.append("- ").append(described(change)).append("\n");
  add_warnings(out, result.warnings);
  return out.append(kQuoteMark).append(clock(result));
}

std::string render(const CompletedTask& result) {
  std::string out = result.changed ? "Completed " : "The task was done already: ";
  out += task_line(result.task);
  if (result.task.completion_note) out.append("Completed with:\n").append(quote_lines(*result.task.completion_note));
  if (result.hint) out.append(*result.hint).append("\n");
  return out.append(kQuoteMark).append(clock(result));
}

std::string render(const ReopenedTask& result) {
  std::string out = result.changed ? "Reopened " : "The task was unfinished already: ";
  return out.append(task_line(result.task)).append(kQuoteMark).append(clock(result));
}

std::string render(const DeletedTask& result) {
  std::string out = (result.deleted ? "Deleted task **" : "Deleted before: task **") + result.id + "**";
  if (result.title) out.append(" ").append(quote_line(*result.title));
  return out.append("\n").append(clock(result));
}

}  // namespace helpdesk::tasks
