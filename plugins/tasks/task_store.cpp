#include "task_store.hpp"

#include <toolhost/plugin.hpp>

#include <algorithm>

#include "arguments.hpp"
#include "text.hpp"

namespace helpdesk::tasks {
namespace {

using toolhost::Row;
using toolhost::Rows;

/// Reads kTaskColumns from `at` on.
Task read_task(const Row& row, std::size_t at = 0) {
  Task task;
  task.id = row.text(at);
  task.title = clean_line(row.text(at + 1));
  task.status = row.get<Status>(at + 2);
  task.priority = row.get<Priority>(at + 3);
  task.is_overdue = row.boolean(at + 4);
  task.due_date = optional_text(row, at + 5);
  task.due_at = optional_text(row, at + 6);
  task.assignee = cleaned(row, at + 7);
  task.tags = cleaned_tags(row, at + 8);
  if (task.tags && task.tags->empty()) task.tags.reset();
  task.ticket_id = optional_text(row, at + 9);
  task.created_at = optional_text(row, at + 10);
  task.created_by = cleaned(row, at + 11);
  task.updated_at = optional_text(row, at + 12);
  task.completed_at = optional_text(row, at + 13);
  if (!row.is_null(at + 14)) task.completion_note = clean(row.text(at + 14));
  task.version = row.get<std::optional<std::int64_t>>(at + 15);
  return task;
}

/// What stands behind kTaskColumns in the statement of insert() and of change_statement().
StoredTask read_written(const Row& row) {
  return {read_task(row), "", false, std::string(row.text(kTaskColumnCount))};
}

class PostgresTaskStore final : public TaskStore {
 public:
  PostgresTaskStore(toolhost::Call& call, Clock clock, std::string tickets)
      : call_(call), clock_(std::move(clock)), tickets_(std::move(tickets)) {}

  std::optional<InsertedTask> insert(const NewTask& task, const Actor& actor, Finish finish) override;
  ClaimedKey claim_key(std::string_view tool, std::string_view key, std::string_view request) override {
    return helpdesk::claim_key(call_, tool, key, request);
  }
  void settle_key(std::string_view tool, std::string_view key, std::string_view ref) override {
    helpdesk::settle_key(call_, tool, key, ref);
  }
  TaskRows list(const ListRequest& request) override;
  std::optional<StoredTask> find(std::string_view ref, Finish finish) override;
  std::optional<StoredTask> find_for_update(std::string_view ref) override;
  std::vector<HistoryEvent> history(std::string_view ref, std::int64_t limit) override;
  std::vector<MissedStep> steps_after(std::string_view ref, std::int64_t version) override;
  StoredTask write(const TaskChange& change, const Actor& actor) override;
  [[nodiscard]] bool can_read_tickets() const override { return !tickets_.empty(); }
  std::optional<TicketTitle> find_ticket(std::string_view ref) override;
  std::string shown(std::string_view moment) override;
  std::vector<IdAndTitle> nearest(std::string_view ref) override {
    return nearest_ids(call_, "(select ref, title from tasks where not deleted)", ref);
  }
  std::vector<IdAndTitle> nearest_tickets(std::string_view ref) override { return nearest_ids(call_, tickets_, ref); }
  std::string today() override { return helpdesk::today(call_); }

 private:
  toolhost::Call& call_;
  Clock clock_;
  std::string tickets_;
};

std::optional<InsertedTask> PostgresTaskStore::insert(const NewTask& task, const Actor& actor, Finish finish) {
  std::string sql =
      "with created as ("
      "  insert into tasks (ref, title, description, priority, assignee, ticket, tags, due_date, due_at, due_by, "
      "                     created_by, created_via)"
      "  values ($3::text, $4::text, $5::text, $6::text::task_priority, $7::text, $8::text, $9::text::text[], "
      "          $10::text::date, $11::text::timestamptz, "
      "          due_end($10::text::date, $11::text::timestamptz(0), $1::text), $12::text, $13::text)"
      "  on conflict (tenant_id, ref) do nothing"
      "  returning *"
      "), history as ("
      "  insert into task_history (task, version, field, actor, via_key)"
      "  select ref, version, 'created', created_by, created_via from created"
      ") select ";
  sql.append(kTaskColumns)
      .append(
          ", local_time($2::timestamptz, $1::text), "
          "(select twin.ref from tasks twin where twin.created_at > now() - interval '60 seconds' "
          "    and twin.title = created.title and twin.created_by = created.created_by "
          "    and twin.created_via = created.created_via and not twin.deleted "
          "  order by twin.created_at desc, twin.ref limit 1) from created");
  Rows rows =
      run(call_, finish, sql, clock_.time_zone, clock_.now, task.ref, task.title, task.description, task.priority,
          task.assignee, task.ticket, task.tags, task.due_date, task.due_at, actor.principal, actor.key_prefix);
  const Row row = rows.next();
  if (!row) return std::nullopt;
  return InsertedTask{read_written(row), optional_text(row, kTaskColumnCount + 1)};
}

/// Characters of people's texts in a task of a list.
std::size_t weight_of(const Task& task) {
  std::size_t weight = count_characters(task.title);
  for (const auto* text : {&task.assignee, &task.created_by, &task.completion_note})
    weight += *text ? count_characters(**text) : 0;
  for (const std::string& tag : task.tags.value_or(std::vector<std::string>{})) weight += count_characters(tag);
  return weight;
}

TaskRows PostgresTaskStore::list(const ListRequest& request) {
  const Statement statement = list_statement(request, clock_);
  Rows rows = call_.query(toolhost::last, statement.sql, statement.values);
  TaskRows result;
  PagePosition position;
  TextBudget budget;
  while (const Row row = rows.next()) {
    result.total = std::min(row.i64(0), kCounted);
    result.total_is_exact = row.i64(0) <= kCounted;
    result.server_time = row.text(1);
    result.due_first_day = optional_text(row, 2);
    result.due_last_day = optional_text(row, 3);
    if (row.is_null(6)) break;
    Task task = read_task(row, 6);
    const bool is_full = result.tasks.size() == static_cast<std::size_t>(request.limit);
    result.is_cut = !is_full && !budget.take(weight_of(task));
    if (is_full || result.is_cut) {
      result.last = position;
      break;
    }
    position = {std::string(row.text(4)), std::string(row.text(5)), std::string(row.text(6))};
    result.tasks.push_back(std::move(task));
  }
  return result;
}

std::optional<StoredTask> PostgresTaskStore::find(std::string_view ref, Finish finish) {
  std::string sql = "select ";
  sql.append(kTaskColumns).append(", local_time($2::timestamptz, $1::text), description, deleted, ");
  if (can_read_tickets()) {
    sql.append("ticket_title, ticket_status from tasks left join (select ref as titled, title as ticket_title, ")
        .append("status::text as ticket_status from ")
        .append(tickets_)
        .append(") titles on titled = ticket");
  } else {
    sql += "null, null from tasks";
  }
  Rows rows = run(call_, finish, sql += " where ref = $3::text", clock_.time_zone, clock_.now, ref);
  const Row row = rows.next();
  if (!row) return std::nullopt;
  StoredTask stored = read_written(row);
  stored.description = row.text(kTaskColumnCount + 1);
  stored.is_deleted = row.boolean(kTaskColumnCount + 2);
  stored.task.ticket_title = cleaned(row, kTaskColumnCount + 3);
  stored.task.ticket_status = optional_text(row, kTaskColumnCount + 4);
  return stored;
}

std::optional<StoredTask> PostgresTaskStore::find_for_update(std::string_view ref) {
  std::string sql = "select ";
  sql.append(kTaskColumns)
      .append(
          ", local_time($2::timestamptz, $1::text), description, deleted from tasks where ref = $3::text for update");
  Rows rows = call_.query(sql, clock_.time_zone, clock_.now, ref);
  const Row row = rows.next();
  if (!row) return std::nullopt;
  StoredTask stored = read_written(row);
  stored.description = row.text(kTaskColumnCount + 1);
  stored.is_deleted = row.boolean(kTaskColumnCount + 2);
  return stored;
}

std::vector<HistoryEvent> PostgresTaskStore::history(std::string_view ref, std::int64_t limit) {
  Rows rows = call_.query(toolhost::last,
                          "select local_time(at, $1::text), actor, via_key, field, old_value, new_value "
                          "from task_history where task = $2::text order by version desc, field desc limit $3::bigint",
                          clock_.time_zone, ref, limit);
  std::vector<HistoryEvent> events;
  while (const Row row = rows.next()) {
    events.push_back({std::string(row.text(0)), clean_line(row.text(1)), std::string(row.text(2)),
                      std::string(row.text(3)), cleaned(row, 4), cleaned(row, 5)});
  }
  return events;
}

std::vector<MissedStep> PostgresTaskStore::steps_after(std::string_view ref, std::int64_t version) {
  Rows rows = call_.query(
      "select version, actor, field, old_value, new_value, "
      "       greatest(0, extract(epoch from clock_timestamp() - at))::bigint "
      "from task_history where task = $1::text and version > $2::bigint order by version desc, field limit 50",
      ref, version);
  std::vector<MissedStep> steps;
  while (const Row row = rows.next()) {
    steps.push_back({row.i64(0), std::string(row.text(1)), std::string(row.text(2)), optional_text(row, 3),
                     optional_text(row, 4), row.i64(5)});
  }
  return steps;
}

StoredTask PostgresTaskStore::write(const TaskChange& change, const Actor& actor) {
  const Statement statement = change_statement(change, actor, clock_);
  Rows rows = call_.query(toolhost::last, statement.sql, statement.values);
  return read_written(rows.next());
}

std::optional<TicketTitle> PostgresTaskStore::find_ticket(std::string_view ref) {
  Rows rows = call_.query("select title, status::text from " + tickets_ + " where ref = $1::text", ref);
  const Row row = rows.next();
  if (!row) return std::nullopt;
  return TicketTitle{clean_line(row.text(0)), std::string(row.text(1))};
}

std::string PostgresTaskStore::shown(std::string_view moment) {
  Rows rows = call_.query("select local_time($2::text::timestamptz(0), $1::text)", clock_.time_zone, moment);
  return std::string(rows.next().text(0));
}

}  // namespace

std::unique_ptr<TaskStore> create_task_store(toolhost::Call& call, Clock clock, std::string tickets) {
  return std::make_unique<PostgresTaskStore>(call, std::move(clock), std::move(tickets));
}

}  // namespace helpdesk::tasks
