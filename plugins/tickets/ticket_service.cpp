#include "ticket_service.hpp"

#include "arguments.hpp"
#include "categories.hpp"
#include "text.hpp"

namespace helpdesk::tickets {

std::optional<std::string> TicketService::read_moment_of(std::string_view parameter,
                                                         const std::optional<std::string>& input, bool is_end) {
  const std::optional<std::string> line = given_filter(parameter, input);
  if (!line) return std::nullopt;
  auto moment = read_moment(*line, context_.time_zone, is_end ? DayEdge::kEnd : DayEdge::kStart);
  if (moment) return moment;
  refuse_moment(parameter, *line, store_.today());
}

std::string TicketService::read_category(const std::string& category) const {
  return tickets::read_category(category, context_.categories());
}

StoredTicket TicketService::require(std::optional<StoredTicket> found, std::string_view ref) {
  if (!found) refuse_unknown(ref);
  return *std::move(found);
}

void TicketService::refuse_unknown(std::string_view ref) {
  helpdesk::refuse_unknown(kTicket, ref, store_.nearest(ref));
}

std::string TicketService::key_of(const std::optional<std::string>& argument) const {
  return helpdesk::key_of(argument, context_.request_idempotency_key);
}

}  // namespace helpdesk::tickets
