#include "task_statements.hpp"

namespace helpdesk::tasks {

namespace {

constexpr std::string_view kToday = "local_day($2::timestamptz, $1::text)";
constexpr std::string_view kDueDay = "due_day(due_date, due_at, $1::text)";

/// How one sort of list_tasks is said in SQL. The keys are never null, so that a position in the list is total.
struct Sorting {
  std::string_view first_key;   ///< a column or expression
  std::string_view key_type;    ///< of the first key
  std::string_view second_key;  ///< a timestamptz column, or empty
};

Sorting sorting_of(SortKey sort, SortOrder order) {
  switch (sort) {
    case SortKey::kDue:  // tasks without a date come last either way
      return {order == SortOrder::kAscending ? "due_by" : "coalesce(nullif(due_by, 'infinity'), '-infinity')",
              "timestamptz", ""};
    case SortKey::kUpdated:
      return {"updated_at", "timestamptz", ""};
    case SortKey::kCreated:
      return {"created_at", "timestamptz", ""};
    case SortKey::kPriority:
      return {"priority", "task_priority", "created_at"};
  }
  return {};
}

/// The days of a due window as SQL; "null" when it is no span of days.
struct WindowDays {
  std::string first = "null", last = "null";
};

WindowDays days_of(const std::optional<DueWindow>& window) {
  const std::string today(kToday), monday = "week_start(" + today + ")";
  if (window == DueWindow::kToday) return {today, today};
  if (window == DueWindow::kThisWeek) return {monday, monday + " + 6"};
  if (window == DueWindow::kNextWeek) return {monday + " + 7", monday + " + 13"};
  return {};
}

/// A concise task shows what it is sorted by and leaves out what all of the list have in common.
std::string concise_columns(const ListRequest& request) {
  const auto only_when = [](bool wanted, const char* column) { return wanted ? column : "null"; };
  const bool is_one_persons = request.filter.assignee || request.filter.only_unassigned;
  return std::string(
             "ref, title, status::text, priority::text, is_overdue(status, due_date, due_at, $2::timestamptz, "
             "$1::text), due_date::text, local_time(due_at, $1::text), ") +
         only_when(!is_one_persons, "assignee") + ", null, " + only_when(!request.filter.ticket, "ticket") + ", " +
         only_when(request.sort == SortKey::kCreated, "local_time(created_at, $1::text)") + ", null, " +
         only_when(request.sort == SortKey::kUpdated, "local_time(updated_at, $1::text)") + ", null, null, null";
}

class ListBuilder {
 public:
  ListBuilder(const ListRequest& request, const Clock& clock) : request_(request) {
    parameter(clock.time_zone, "text");
    parameter(clock.now, "timestamptz");
  }

  Statement build() && {
    const Sorting sorting = sorting_of(request_.sort, request_.order);
    const bool ascending = request_.order == SortOrder::kAscending;
    const bool has_second = !sorting.second_key.empty();
    const std::string first(sorting.first_key), second(sorting.second_key), direction = ascending ? " asc" : " desc";
    const WindowDays days = days_of(request_.filter.due);
    const std::string conditions = "not deleted" + conditions_of(days);
    const std::string position = position_of(sorting, ascending);
    const std::string limit = parameter(request_.limit + 1, "bigint");
    // The page is numbered before it is joined, because a join promises no order.
    out_.sql = "with page as (select row_number() over (order by first_key" + direction + ", second_key" + direction +
               ", ref" + direction + ") as place, * from (select *, " + first + " as first_key, " +
               (has_second ? second : std::string("null::timestamptz")) + " as second_key from tasks where " +
               conditions + position + " order by " + first + direction +
               (has_second ? ", " + second + direction : "") + ", ref" + direction + " limit " + limit +
               ") chosen), found as (select count(*) as total from (select " + "from tasks where " + conditions +
               " limit " + std::to_string(kCounted + 1) +
               ") counted) select found.total, local_time($2::timestamptz, $1::text), (" + days.first + ")::text, (" +
               days.last + ")::text, first_key::text, coalesce(second_key::text, ''), " +
               (request_.format == ResponseFormat::kDetailed ? std::string(kTaskColumns) : concise_columns(request_)) +
               " from found left join page on true order by place";
    return std::move(out_);
  }

 private:
  template <class Value>
  std::string parameter(const Value& value, std::string_view type) {
    return '$' + std::to_string(out_.values.add(value)) + "::" + std::string(type);
  }

  std::string conditions_of(const WindowDays& days) {
    const TaskFilter& filter = request_.filter;
    std::string out;
    if (filter.only_unfinished) out += " and status < 'done'";
    if (filter.statuses) out += " and status = any(" + parameter(*filter.statuses, "text") + "::task_status[])";
    if (filter.due) out += window_condition(*filter.due, days);
    if (filter.due_after || filter.due_before) out += " and due_by < 'infinity'";
    if (filter.due_after) out += bound_condition(*filter.due_after, ">=");
    if (filter.due_before) out += bound_condition(*filter.due_before, "<");
    if (filter.only_unassigned) out += " and assignee is null";
    if (filter.assignee) out += " and lower(assignee) = lower(" + parameter(*filter.assignee, "text") + ")";
    if (filter.ticket) out += " and ticket = " + parameter(*filter.ticket, "text");
    if (filter.tags) out += " and tags @> " + parameter(*filter.tags, "text") + "::text[]";
    return out;
  }

  static std::string window_condition(DueWindow window, const WindowDays& days) {
    // due_by is in the index and at most a day off, whatever zone a tenant has had: it says where to look, the columns
    // behind it decide.
    if (window == DueWindow::kNone) return " and due_by = 'infinity'";
    if (window == DueWindow::kOverdue) {
      return " and due_by < $2::timestamptz + interval '2 days'"
             " and is_overdue(status, due_date, due_at, $2::timestamptz, $1::text)";
    }
    return " and due_by >= (" + days.first + " - 2)::timestamp at time zone 'UTC' and due_by < (" + days.last +
           " + 3)::timestamp at time zone 'UTC' and " + std::string(kDueDay) + " between " + days.first + " and " +
           days.last;
  }

  /// A day is compared with days, a moment with moments; a task that is due on a day is due until its end.
  std::string bound_condition(const DueBound& bound, std::string_view comparison) {
    const std::string sign = ' ' + std::string(comparison) + ' ';
    if (bound.is_day) return " and " + std::string(kDueDay) + sign + parameter(bound.text, "text") + "::date";
    return " and due_end(due_date, due_at, $1::text)" + sign + parameter(bound.text, "text") + "::timestamptz";
  }

  std::string position_of(const Sorting& sorting, bool ascending) {
    if (!request_.after) return "";
    const std::string second(sorting.second_key);
    std::string out = " and (" + std::string(sorting.first_key) + (second.empty() ? "" : ", " + second) + ", ref) " +
                      (ascending ? ">" : "<") + " (" + parameter(request_.after->first_key, "text") +
                      "::" + std::string(sorting.key_type);
    if (!second.empty()) out += ", " + parameter(request_.after->second_key, "text") + "::timestamptz";
    return out + ", " + parameter(request_.after->ref, "text") + ')';
  }

  const ListRequest& request_;
  Statement out_;
};

/// How a field of results is written; {} stands for the new text, empty for none.
struct WrittenField {
  std::string_view field, assignment;
};
constexpr WrittenField kWrittenFields[] = {
    {"title", "title = {}"},
    {"description", "description = {}"},
    {"status", "status = {}::task_status"},
    {"priority", "priority = {}::task_priority"},
    {"assignee", "assignee = nullif({}, '')"},
    {"ticket_id", "ticket = nullif({}, '')"},
    {"due_date", "due_date = nullif({}, '')::date"},
    {"due_at", "due_at = nullif({}, '')::timestamptz"},
    {"tags", "tags = {}::text[]"},
    {"note", "completion_note = {}"},
    {"deleted", "deleted = true"},
};

std::string replace_braces(std::string_view pattern, std::string_view text) {
  std::string out(pattern);
  if (const std::size_t at = out.find("{}"); at != std::string::npos) out.replace(at, 2, text);
  return out;
}

}  // namespace

Statement list_statement(const ListRequest& request, const Clock& clock) {
  return ListBuilder(request, clock).build();
}

Statement change_statement(const TaskChange& change, const Actor& actor, const Clock& clock) {
  Statement out;
  const auto parameter = [&](const auto& value) { return '$' + std::to_string(out.values.add(value)) + "::text"; };
  parameter(clock.time_zone);
  out.values.add(clock.now);
  const Task& after = change.after;

  // clock_timestamp(), not now(): whoever waited for the row lock writes later than the one who held it.
  std::string assignments = "version = version + 1, updated_at = greatest(updated_at, clock_timestamp())";
  std::vector<std::string> fields, old_values, new_values;
  bool is_due_changed = false;
  for (const FieldChange& one : change.changes) {
    fields.push_back(one.field);
    old_values.push_back(one.from);
    new_values.push_back(one.to);
    is_due_changed |= one.field == "due_date" || one.field == "due_at";
    for (const auto& [field, assignment] : kWrittenFields) {
      if (field != one.field) continue;
      const bool has_text = assignment.find("{}") != std::string_view::npos;
      assignments += ", " + replace_braces(assignment, !has_text         ? std::string()
                                                       : field == "tags" ? parameter(*after.tags)
                                                                         : parameter(one.to));
    }
    if (one.field != "status") continue;
    assignments += after.status == Status::kDone ? ", completed_at = greatest(updated_at, clock_timestamp())"
                                                 : ", completed_at = null, completion_note = null";
  }
  if (is_due_changed) {
    assignments += ", due_by = due_end(" + parameter(after.due_date) + "::date, " + parameter(after.due_at) +
                   "::timestamptz, $1::text)";
  }
  const std::string ref = parameter(after.id), who = parameter(actor.principal), key = parameter(actor.key_prefix);
  out.sql = "with changed as (update tasks set " + assignments + " where ref = " + ref +
            " and not deleted returning *)" +
            ", history as (insert into task_history (task, version, field, old_value, new_value, actor, via_key, at) "
            "select ref, version, step.field, nullif(step.old_value, ''), nullif(step.new_value, ''), " +
            who + ", " + key + ", updated_at from changed, unnest(" + parameter(fields) + "::text[], " +
            parameter(old_values) + "::text[], " + parameter(new_values) +
            "::text[]) as step(field, old_value, new_value)) select " + std::string(kTaskColumns) +
            ", local_time($2::timestamptz, $1::text) from changed";
  return out;
}

}  // namespace helpdesk::tasks
