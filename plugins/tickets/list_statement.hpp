#pragma once
#include <string>
#include <string_view>

#include "ticket_store.hpp"

namespace helpdesk::tickets {

/// The columns of a ticket as read_ticket() of ticket_store.cpp reads them. $1 is the time zone in every statement with
/// these.
inline constexpr std::string_view kTicketColumns =
    "ref, title, status::text, priority::text, local_time(updated_at, $1::text), local_time(created_at, $1::text), "
    "local_time(due_at, $1::text), category, assignee, requester, tags::text, waiting_on, "
    "resolution, duplicate_of, local_time(first_reply_at, $1::text), local_time(resolved_at, $1::text), reopen_count, "
    "version";

/// The statement of TicketStore::list(), built from fixed fragments. It has the same fifteen parameters for every
/// combination of filters: time zone, statuses, priorities, assignee, requester, tags, category, created after, created
/// before, updated after, due before, first key, second key and id of the position, limit.
std::string list_statement(const TicketFilter& filter, SortKey sort, SortOrder order, bool has_position,
                           ResponseFormat format);

}  // namespace helpdesk::tickets
