#include <algorithm>

#include "arguments.hpp"
#include "facts.hpp"
#include "refusal.hpp"
#include "text.hpp"
#include "ticket_service.hpp"

namespace helpdesk::tickets {

TicketPage TicketService::list(const ListTickets& request) {
  TicketPage page;
  std::vector<std::string> warnings;
  AppliedFilters& applied = page.applied_filters;
  const TicketFilter filter = read_filter(request, applied, warnings);
  applied.sort = request.sort.value_or(SortKey::kUpdated);
  applied.order =
      request.order.value_or(applied.sort == SortKey::kDue ? SortOrder::kAscending : SortOrder::kDescending);

  std::optional<PagePosition> after;
  if (request.cursor) after = read_cursor(*request.cursor, hash_of(applied), "list_tickets", context_.open);

  TicketRows rows = store_.list(filter, applied.sort, applied.order, after, request.limit, request.response_format);
  page.tickets = std::move(rows.tickets);
  if (rows.last) page.next_cursor = context_.seal(encode(ListCursor{hash_of(applied), *rows.last}));
  page.truncated = rows.is_cut;
  page.total = rows.total;
  page.total_is_exact = rows.total_is_exact;
  page.warnings = unless_empty(std::move(warnings));
  page.server_time = std::move(rows.server_time);
  page.time_zone = context_.time_zone;
  return page;
}

TicketFilter TicketService::read_filter(const ListTickets& request, AppliedFilters& applied,
                                        std::vector<std::string>& warnings) {
  TicketFilter filter;
  if (request.status) applied.status = request.status->values;
  if (applied.status.empty()) applied.status = {StatusFilter::kUnresolved};
  const auto has = [&](StatusFilter wanted) {
    return std::find(applied.status.begin(), applied.status.end(), wanted) != applied.status.end();
  };
  filter.only_unresolved = applied.status.size() == 1 && has(StatusFilter::kUnresolved);
  if (!filter.only_unresolved && !has(StatusFilter::kAll)) {
    filter.statuses.emplace();
    for (const Status status :
         {Status::kOpen, Status::kInProgress, Status::kWaiting, Status::kResolved, Status::kClosed}) {
      const bool by_group = status < Status::kResolved && has(StatusFilter::kUnresolved);
      if (by_group || has(static_cast<StatusFilter>(status))) filter.statuses->push_back(status);
    }
  }
  if (!request.priority.empty()) {
    applied.priority.emplace();
    for (const PriorityInput input : request.priority) applied.priority->push_back(read_priority(input, warnings));
    filter.priorities = applied.priority;
  }
  if (const auto assignee = given_filter("assignee", request.assignee)) {
    filter.only_unassigned = is_word(*assignee, "none");
    applied.assignee = filter.only_unassigned ? "none" : context_.people.read_filter("assignee", *assignee, warnings);
    if (!filter.only_unassigned) filter.assignee = applied.assignee;
  }
  if (const auto requester = given_filter("requester", request.requester)) {
    filter.requester = applied.requester = context_.people.read_filter("requester", *requester, warnings);
  }
  filter.tags = applied.tags = read_tag_filter(request.tags);
  filter.category = applied.category = read_category_filter(given_filter("category", request.category), warnings);
  const auto moment = [&](std::string_view parameter, const std::optional<std::string>& input,
                          std::optional<std::string>& shown) {
    shown = given(input);
    return read_moment_of(parameter, input, false);
  };
  filter.created_after = moment("created_after", request.created_after, applied.created_after);
  filter.created_before = moment("created_before", request.created_before, applied.created_before);
  filter.updated_after = moment("updated_after", request.updated_after, applied.updated_after);
  filter.due_before = moment("due_before", request.due_before, applied.due_before);
  return filter;
}

std::optional<std::string> TicketService::read_category_filter(const std::optional<std::string>& category,
                                                               std::vector<std::string>& warnings) const {
  if (!category) return std::nullopt;
  try {
    return read_category(*category);
  } catch (const Refusal& refusal) {
    warnings.emplace_back(refusal.what());  // tickets may still have a category that the helpdesk gave up
    return category;
  }
}

}  // namespace helpdesk::tickets
