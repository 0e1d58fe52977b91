#include "list_statement.hpp"

namespace helpdesk::tickets {
namespace {

/// How one sort of list_tickets is said in SQL. The keys are never null, so that a position in the list is total.
struct Sorting {
  std::string_view first_key;   ///< a column or expression
  std::string_view key_type;    ///< of the first key
  std::string_view second_key;  ///< a timestamptz column, or empty
  std::string_view extra;       ///< created_at and due_at of a concise list: what it is sorted by must be visible
};

Sorting sorting_of(SortKey sort, SortOrder order) {
  switch (sort) {
    case SortKey::kUpdated:
      return {"updated_at", "timestamptz", "", "null, null"};
    case SortKey::kCreated:
      return {"created_at", "timestamptz", "", "local_time(created_at, $1::text), null"};
    case SortKey::kPriority:
      return {"priority", "ticket_priority", "created_at", "null, null"};
    case SortKey::kDue:  // tickets without a date come last either way
      return {order == SortOrder::kAscending ? "coalesce(due_at, 'infinity')" : "coalesce(due_at, '-infinity')",
              "timestamptz", "", "null, local_time(due_at, $1::text)"};
  }
  return {};
}

}  // namespace

std::string list_statement(const TicketFilter& filter, SortKey sort, SortOrder order, bool has_position,
                           ResponseFormat format) {
  std::string conditions;
  // A fragment names its parameter whether or not it filters.
  const auto add = [&](bool is_active, std::string_view active, std::string_view inactive) {
    conditions.append(" and ").append(is_active ? active : inactive);
  };
  const Sorting sorting = sorting_of(sort, order);
  if (filter.only_unresolved) conditions += " and status < 'resolved'";
  add(filter.statuses.has_value(), "status = any($2::text::ticket_status[])", "$2::text is null");
  add(filter.priorities.has_value(), "priority = any($3::text::ticket_priority[])", "$3::text is null");
  if (filter.only_unassigned) conditions += " and assignee is null";
  add(filter.assignee.has_value(), "lower(assignee) = lower($4::text)", "$4::text is null");
  add(filter.requester.has_value(), "lower(requester) = lower($5::text)", "$5::text is null");
  add(filter.tags.has_value(), "tags @> $6::text::text[]", "$6::text is null");
  add(filter.category.has_value(), "lower(category) = lower($7::text)", "$7::text is null");
  add(filter.created_after.has_value(), "created_at >= $8::text::timestamptz", "$8::text is null");
  add(filter.created_before.has_value(), "created_at < $9::text::timestamptz", "$9::text is null");
  add(filter.updated_after.has_value(), "updated_at >= $10::text::timestamptz", "$10::text is null");
  add(filter.due_before.has_value(), "due_at < $11::text::timestamptz", "$11::text is null");

  const bool ascending = order == SortOrder::kAscending;
  const bool has_second = !sorting.second_key.empty();
  const std::string first(sorting.first_key), second(sorting.second_key);
  const std::string direction = ascending ? " asc" : " desc";
  std::string position;
  if (has_position) {
    position = " and (" + first + (has_second ? ", " + second : "") + ", ref) " + (ascending ? ">" : "<") +
               " ($12::text::" + std::string(sorting.key_type) + (has_second ? ", $13::text::timestamptz" : "") +
               ", $14::text)" + (has_second ? "" : " and $13::text is not null");
  } else {
    position = " and $12::text is null and $13::text is null and $14::text is null";
  }
  const std::string columns = format == ResponseFormat::kDetailed
                                  ? std::string(kTicketColumns)
                                  : "ref, title, status::text, priority::text, local_time(updated_at, $1::text), " +
                                        std::string(sorting.extra) +
                                        ", null, null, null, null, null, null, null, null, null, null, null";
  // The page is numbered before it is joined, because a join promises no order.
  return "with page as (select row_number() over (order by first_key" + direction + ", second_key" + direction +
         ", ref" + direction + ") as place, * from (select *, " + first + " as first_key, " +
         (has_second ? second : std::string("null::timestamptz")) + " as second_key from tickets where true" +
         conditions + position + " order by " + first + direction + (has_second ? ", " + second + direction : "") +
         ", ref" + direction +
         " limit $15::bigint) newest), found as (select count(*) as total from (select from tickets where true" +
         conditions + " limit " + std::to_string(kCounted + 1) +
         ") counted) select found.total, local_time(now(), $1::text), first_key::text, coalesce(second_key::text, "
         "''), " +
         columns + " from found left join page on true order by place";
}

}  // namespace helpdesk::tickets
