#include "task_service.hpp"

#include <algorithm>
#include <type_traits>

#include "arguments.hpp"
#include "facts.hpp"
#include "text.hpp"

namespace helpdesk::tasks {
namespace {

using Kind = Refusal::Kind;
using Texts = std::vector<std::string>;

constexpr Findable kTask{"task", "search_all or list_tasks"};
constexpr Findable kTicket{"ticket", "search_tickets or list_tickets"};
constexpr std::string_view kCreateTool = "create_task";
constexpr std::size_t kHistoryText = 100, kDetailedHistoryText = 1'000;

std::string read_title(std::string_view title) {
  std::string line = clean_line(title);
  if (!line.empty()) return line;
  throw Refusal(Kind::kInvalid,
                "title is empty; say in one line what is to be done, e.g. \"Order printer cartridges\"");
}

std::string read_text(std::string_view parameter, std::string_view text) {
  refuse_nul(parameter, text);
  return std::string(text);
}

/// True for YYYY-MM-DD; `line` is something that read_moment() takes.
bool is_day(std::string_view line) {
  return trim(line).size() == std::string_view("2026-11-30").size();
}

bool has_edit(const UpdateTask& request) {
  return request.title || request.priority || request.status || !request.description.is_absent() ||
         !request.assignee.is_absent() || !request.due_date.is_absent() || !request.due_at.is_absent() ||
         !request.ticket_id.is_absent() || !request.tags_add.empty() || !request.tags_remove.empty();
}

/// The result of a tool that shows one task as it is now.
template <class Result>
Result result_of(StoredTask stored, const CallContext& context) {
  Result result;
  result.task = std::move(stored.task);
  if constexpr (!std::is_same_v<Result, TaskDetails>) {
    result.task.created_at.reset();
    result.task.created_by.reset();
  }
  result.server_time = std::move(stored.server_time);
  result.time_zone = context.time_zone;
  return result;
}

}  // namespace

// ---- create_task

CreatedTask TaskService::create(const CreateTask& request) {
  Texts warnings;
  NewTask task = read_new_task(request, warnings);
  const std::string key = key_of(request.idempotency_key, context_.request_idempotency_key);
  if (!key.empty()) {
    RequestText text;
    text.add(std::string_view(task.title)).add(std::string_view(task.description)).add(name(task.priority));
    text.add(task.assignee).add(task.ticket).add(task.tags).add(task.due_date).add(task.due_at);
    const ClaimedKey claim = store_.claim_key(kCreateTool, key, text.text());
    if (!claim.is_new && !claim.is_same_request) refuse_other_arguments(kCreateTool, key);
    if (!claim.is_new) return replay_create(key, claim.ref);
  }
  TicketTitle ticket;
  if (task.ticket) ticket = check_ticket(*task.ticket, warnings);

  const Finish finish = key.empty() ? Finish::kCommit : Finish::kKeepOpen;
  std::optional<InsertedTask> inserted;
  for (int attempt = 0; attempt < 10 && !inserted; ++attempt) {
    task.ref = make_ref(context_.random_bits());
    inserted = store_.insert(task, context_.actor, finish);
  }
  if (!inserted) throw std::runtime_error("ten random task ids in a row were taken");
  if (!key.empty()) store_.settle_key(kCreateTool, key, task.ref);
  if (key.empty() && inserted->repeated_ref) {
    warnings.push_back("the same title was sent with this API key less than 60 seconds ago and made task " +
                       *inserted->repeated_ref +
                       ". If this call was a retry, there are two tasks now; send an idempotency_key to make retries "
                       "safe.");
  }
  auto result = result_of<CreatedTask>(std::move(inserted->stored), context_);
  if (!ticket.title.empty()) {
    result.task.ticket_title = std::move(ticket.title);
    result.task.ticket_status = std::move(ticket.status);
  }
  result.warnings = unless_empty(std::move(warnings));
  return result;
}

NewTask TaskService::read_new_task(const CreateTask& request, Texts& warnings) {
  NewTask task;
  task.title = read_title(request.title);
  task.description = read_text("description", request.description.value_or(""));
  task.priority = read_priority(request.priority.value_or(PriorityInput::kNormal), warnings);
  task.assignee = read_assignee(given(request.assignee));
  if (const auto id = given(request.ticket_id)) task.ticket = read_id(kTicket, *id);
  task.tags = read_tags(request.tags);
  Due due = read_due(given(request.due_date), given(request.due_at), warnings);
  task.due_date = std::move(due.date);
  task.due_at = std::move(due.at);
  return task;
}

CreatedTask TaskService::replay_create(std::string_view key, std::string_view ref) {
  auto stored = store_.find(ref, Finish::kCommit);
  if (!stored || stored->is_deleted) {
    throw Refusal(Kind::kConflict, "idempotency_key '" + clean_line(key) + "' made task " + std::string(ref) +
                                       ", which has been deleted since; use a new key to make another task");
  }
  auto result = result_of<CreatedTask>(*std::move(stored), context_);
  result.created = false;
  return result;
}

// ---- list_tasks

TaskPage TaskService::list(const ListTasks& request) {
  TaskPage page;
  AppliedFilters& applied = page.applied_filters;
  ListRequest wanted;
  Texts warnings;
  wanted.filter = read_filter(request, applied, warnings);
  wanted.sort = applied.sort = request.sort.value_or(SortKey::kDue);
  wanted.order = applied.order =
      request.order.value_or(applied.sort == SortKey::kDue ? SortOrder::kAscending : SortOrder::kDescending);
  wanted.limit = request.limit;
  wanted.format = request.response_format;
  const std::uint64_t filters = hash_of(applied);
  if (request.cursor) wanted.after = read_cursor(*request.cursor, filters, "list_tasks", context_.open);

  TaskRows rows = store_.list(wanted);
  if (rows.tasks.empty() && wanted.filter.ticket && !wanted.after) {
    Texts ignored;
    check_ticket(*wanted.filter.ticket, ignored);
  }
  if (applied.due == DueWindow::kOverdue && !wanted.filter.only_unfinished && rows.total == 0)
    warnings.emplace_back("a task that is done or cancelled is never overdue; leave status out");
  page.warnings = unless_empty(std::move(warnings));
  page.tasks = std::move(rows.tasks);
  if (rows.last) page.next_cursor = context_.seal(encode(ListCursor{filters, *rows.last}));
  page.truncated = rows.is_cut;
  page.total = rows.total;
  page.total_is_exact = rows.total_is_exact;
  applied.due_first_day = std::move(rows.due_first_day);
  applied.due_last_day = std::move(rows.due_last_day);
  if (applied.due == DueWindow::kThisWeek || applied.due == DueWindow::kNextWeek) applied.week_begins = "Monday";
  page.server_time = std::move(rows.server_time);
  page.time_zone = context_.time_zone;
  return page;
}

TaskFilter TaskService::read_filter(const ListTasks& request, AppliedFilters& applied, Texts& warnings) {
  TaskFilter filter;
  if (request.status) applied.status = request.status->values;
  if (applied.status.empty()) applied.status = {StatusFilter::kUnfinished};
  const auto has = [&](StatusFilter wanted) {
    return std::find(applied.status.begin(), applied.status.end(), wanted) != applied.status.end();
  };
  filter.only_unfinished = applied.status.size() == 1 && has(StatusFilter::kUnfinished);
  if (!filter.only_unfinished && !has(StatusFilter::kAll)) {
    filter.statuses.emplace();
    for (const Status status : {Status::kOpen, Status::kInProgress, Status::kDone, Status::kCancelled}) {
      const bool by_group = status < Status::kDone && has(StatusFilter::kUnfinished);
      if (by_group || has(static_cast<StatusFilter>(status))) filter.statuses->push_back(status);
    }
  }
  if (request.due && (request.due_after || request.due_before)) {
    throw Refusal(Kind::kInvalid,
                  "due and due_after or due_before say the same thing twice; give the window or the dates");
  }
  filter.due = applied.due = request.due;
  filter.due_after = read_bound("due_after", applied.due_after = given_filter("due_after", request.due_after));
  filter.due_before = read_bound("due_before", applied.due_before = given_filter("due_before", request.due_before));
  if (const auto assignee = given_filter("assignee", request.assignee)) {
    filter.only_unassigned = is_word(*assignee, "none");
    applied.assignee = filter.only_unassigned ? "none" : context_.people.read_filter("assignee", *assignee, warnings);
    if (!filter.only_unassigned) filter.assignee = applied.assignee;
  }
  if (const auto ticket = given_filter("ticket_id", request.ticket_id))
    filter.ticket = applied.ticket_id = read_id(kTicket, *ticket);
  filter.tags = applied.tags = read_tag_filter(request.tags);
  return filter;
}

// ---- get_task

TaskDetails TaskService::get(const GetTask& request) {
  const std::string ref = read_id(kTask, request.id);
  const bool is_concise = request.response_format == ResponseFormat::kConcise;
  StoredTask stored = require(store_.find(ref, Finish::kKeepOpen), ref);
  std::string description = clean(stored.description);
  auto details = result_of<TaskDetails>(std::move(stored), context_);
  bool is_text_cut = false;
  if (is_concise) {
    description = shorten(description, kConciseText, is_text_cut);
    auto& note = details.task.completion_note;
    if (note) note = shorten(*note, kConciseText, is_text_cut);
  }
  if (!description.empty()) details.task.description = std::move(description);

  const std::int64_t steps = is_concise ? kConciseSteps : kDetailedSteps;
  details.history = store_.history(ref, steps + 1);
  const bool has_older_steps = details.history.size() > static_cast<std::size_t>(steps);
  if (has_older_steps) details.history.resize(static_cast<std::size_t>(steps));
  std::reverse(details.history.begin(), details.history.end());
  for (HistoryEvent& event : details.history) {
    bool ignored = false;
    const std::size_t length = is_concise ? kHistoryText : kDetailedHistoryText;
    if (event.from) event.from = shorten(*event.from, length, ignored);
    if (event.to) event.to = shorten(*event.to, length, ignored);
  }
  details.truncated = is_text_cut || has_older_steps;
  if (!details.truncated) return details;
  details.rest =
      has_older_steps ? "Only the latest " + std::to_string(steps) + " steps of the history are shown. " : "";
  if (is_concise) *details.rest += "Call get_task with response_format 'detailed' for the rest.";
  return details;
}

// ---- update_task

UpdatedTask TaskService::update(const UpdateTask& request) {
  if (!has_edit(request)) {
    throw Refusal(Kind::kInvalid,
                  "nothing to change: give at least one of title, description, priority, status, assignee, due_date, "
                  "due_at, ticket_id, tags_add, tags_remove");
  }
  Texts warnings;
  const TaskEdit edit = read_edit(request, warnings);
  StoredTask before = require_for_update(request.id, request.expected_version);
  TicketTitle ticket;
  if (edit.ticket_id.has_value() && edit.ticket_id.value() != before.task.ticket_id)
    ticket = check_ticket(*edit.ticket_id, warnings);

  const TaskChange change = change_by_edit(before.task, edit, before.description);
  auto result = result_of<UpdatedTask>(write_if_changed(std::move(before), change), context_);
  result.changed = !change.changes.empty();
  result.changed_fields = changed_fields(change.changes);
  if (!ticket.title.empty()) {
    result.task.ticket_title = std::move(ticket.title);
    result.task.ticket_status = std::move(ticket.status);
  }
  result.warnings = unless_empty(std::move(warnings));
  return result;
}

TaskEdit TaskService::read_edit(const UpdateTask& request, Texts& warnings) {
  TaskEdit edit;
  if (request.title) edit.title = read_title(*request.title);
  if (request.description.is_null()) edit.description = "";
  if (request.description.has_value()) {
    read_nullable("description", request.description);
    edit.description = read_text("description", *request.description);
  }
  if (request.priority) edit.priority = read_priority(*request.priority, warnings);
  edit.status = request.status;
  if (const auto assignee = read_nullable("assignee", request.assignee); !assignee.is_absent()) {
    edit.assignee = assignee;
    if (assignee.has_value()) edit.assignee = read_person("assignee", *assignee);
  }
  edit.ticket_id = read_nullable("ticket_id", request.ticket_id);
  if (edit.ticket_id.has_value()) edit.ticket_id = read_id(kTicket, *edit.ticket_id);
  const auto date = read_nullable("due_date", request.due_date), at = read_nullable("due_at", request.due_at);
  edit.due = read_due(date.value(), at.value(), warnings);
  if (edit.due.at) edit.due.at = store_.shown(*edit.due.at);
  edit.clears_due_date = date.is_null();
  edit.clears_due_at = at.is_null();
  edit.tags_add = read_tags(request.tags_add);
  edit.tags_remove = read_tags(request.tags_remove);
  return edit;
}

// ---- complete_task, reopen_task, delete_task

CompletedTask TaskService::complete(const CompleteTask& request) {
  std::optional<std::string> note;
  if (request.note) note = read_text("note", *request.note);
  if (note && is_blank(*note)) note.reset();
  StoredTask before = require_for_update(request.id, {});
  const TaskChange change = change_by_completion(before.task, note);
  auto result = result_of<CompletedTask>(write_if_changed(std::move(before), change), context_);
  result.changed = !change.changes.empty();
  result.completed_at = result.task.completed_at.value_or("");
  if (!result.changed && note && clean(*note) != result.task.completion_note) {
    result.hint =
        "The task was done already, so this note was not stored. To keep it, put it into the description with "
        "update_task.";
  }
  return result;
}

ReopenedTask TaskService::reopen(const ReopenTask& request) {
  StoredTask before = require_for_update(request.id, {});
  const TaskChange change = change_by_reopening(before.task);
  auto result = result_of<ReopenedTask>(write_if_changed(std::move(before), change), context_);
  result.changed = !change.changes.empty();
  return result;
}

DeletedTask TaskService::remove(const DeleteTask& request) {
  const std::string ref = read_id(kTask, request.id);
  std::optional<StoredTask> found = store_.find_for_update(ref);
  if (!found) refuse_unknown(kTask, ref, store_.nearest(ref));
  DeletedTask result;
  result.id = ref;
  result.deleted = !found->is_deleted;
  if (result.deleted) {
    check_version(*found, request.expected_version);
    result.title = found->task.title;
    store_.write({found->task, {{"deleted", "", ""}}}, context_.actor);
  }
  result.server_time = std::move(found->server_time);
  result.time_zone = context_.time_zone;
  return result;
}

// ---- What the tools share

std::string TaskService::read_person(std::string_view parameter, std::string_view person) const {
  return context_.people.read(parameter, person);
}

std::optional<std::string> TaskService::read_assignee(const std::optional<std::string>& argument) {
  if (!argument || is_word(*argument, "none")) return std::nullopt;
  return read_person("assignee", *argument);
}

Due TaskService::read_due(const std::optional<std::string>& date, const std::optional<std::string>& at,
                          Texts& warnings) {
  if (date && at) {
    throw Refusal(Kind::kInvalid,
                  "due_date and due_at exclude each other: give due_date for a day, or due_at for a time on it");
  }
  if (!date && !at) return {};
  const std::string_view parameter = date ? "due_date" : "due_at";
  const std::string& line = date ? *date : *at;
  auto moment = read_moment(line, context_.time_zone, DayEdge::kEnd);
  if (!moment) refuse_moment(parameter, line, store_.today(), !date);
  if (date && !is_day(line)) {
    throw Refusal(Kind::kInvalid, "due_date '" + line +
                                      "' has a time; give only its day (YYYY-MM-DD), or pass it as "
                                      "due_at");
  }
  if (date) return {line, {}};
  if (!is_day(line)) return {{}, std::move(moment)};
  warnings.push_back("due_at '" + line + "' is a day and was taken as due_date");
  return {line, {}};
}

std::optional<DueBound> TaskService::read_bound(std::string_view parameter,
                                                const std::optional<std::string>& argument) {
  if (!argument) return std::nullopt;
  auto moment = read_moment(*argument, context_.time_zone, DayEdge::kStart);
  if (!moment) refuse_moment(parameter, *argument, store_.today());
  if (is_day(*argument)) return DueBound{*argument, true};
  return DueBound{*std::move(moment), false};
}

TicketTitle TaskService::check_ticket(std::string_view ref, Texts& warnings) {
  if (!store_.can_read_tickets()) {
    warnings.push_back("ticket_id was not checked: this host has no tickets");
    return {};
  }
  if (auto ticket = store_.find_ticket(ref)) return *std::move(ticket);
  refuse_unknown(kTicket, ref, store_.nearest_tickets(ref));
}

StoredTask TaskService::require(std::optional<StoredTask> found, std::string_view ref) {
  if (!found || found->is_deleted) refuse_unknown(kTask, ref, store_.nearest(ref));
  return *std::move(found);
}

StoredTask TaskService::require_for_update(std::string_view id, const std::optional<std::int64_t>& expected_version) {
  const std::string ref = read_id(kTask, id);
  StoredTask stored = require(store_.find_for_update(ref), ref);
  check_version(stored, expected_version);
  return stored;
}

void TaskService::check_version(const StoredTask& stored, const std::optional<std::int64_t>& expected) {
  const std::int64_t current = stored.task.version.value_or(0);
  if (!expected || *expected == current) return;
  auto steps = store_.steps_after(stored.task.id, *expected);
  for (MissedStep& step : steps) step.actor = context_.people.called(step.actor);
  refuse_stale("Task " + stored.task.id, "get_task", *expected, current, steps);
}

StoredTask TaskService::write_if_changed(StoredTask before, const TaskChange& change) {
  if (change.changes.empty()) return before;
  return store_.write(change, context_.actor);
}

}  // namespace helpdesk::tasks
