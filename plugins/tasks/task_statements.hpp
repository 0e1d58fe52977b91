#pragma once
#include <toolhost/plugin/sql.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "task_rules.hpp"

/// The SQL that is put together from fixed fragments. Nobody's text is part of it: texts are parameters.
namespace helpdesk::tasks {

/// The moment and the place of one call. No statement reads another clock to decide what is due.
struct Clock {
  toolhost::Time now;
  std::string time_zone;  ///< the tenant's, IANA name
};

/// Who writes: recorded with every change.
struct Actor {
  std::string principal, key_prefix;
};

/// One end of a span of due dates: a day of the tenant's, or a moment as read_moment() gives it.
struct DueBound {
  std::string text;
  bool is_day = false;
};

/// Filters with everything resolved.
struct TaskFilter {
  bool only_unfinished = true;
  std::optional<std::vector<Status>> statuses;  ///< exactly these
  std::optional<DueWindow> due;
  std::optional<DueBound> due_after, due_before;  ///< inclusive, exclusive
  bool only_unassigned = false;
  std::optional<std::string> assignee, ticket;
  std::optional<std::vector<std::string>> tags;  ///< all of them
};

struct ListRequest {
  TaskFilter filter;
  SortKey sort = SortKey::kDue;
  SortOrder order = SortOrder::kAscending;
  std::optional<PagePosition> after;
  std::int64_t limit = 20;
  ResponseFormat format = ResponseFormat::kConcise;
};

/// A statement and its parameters.
struct Statement {
  std::string sql;
  toolhost::Values values;
};

/// In every statement with these columns $1 is the time zone and $2 the moment. They are read by read_task().
inline constexpr std::string_view kTaskColumns =
    "ref, title, status::text, priority::text, is_overdue(status, due_date, due_at, $2::timestamptz, $1::text), "
    "due_date::text, local_time(due_at, $1::text), assignee, tags::text, ticket, local_time(created_at, $1::text), "
    "created_by, local_time(updated_at, $1::text), local_time(completed_at, $1::text), completion_note, version";
inline constexpr std::size_t kTaskColumnCount = 16;

/// One row a task, at most limit + 1, and one row even without tasks: total (counted up to kCounted + 1),
/// server time, first and last day of the due window, the two sort keys, kTaskColumns.
Statement list_statement(const ListRequest& request, const Clock& clock);

/// Writes the change, its history and the next version; gives kTaskColumns and the server time. At least one change.
Statement change_statement(const TaskChange& change, const Actor& actor, const Clock& clock);

}  // namespace helpdesk::tasks
