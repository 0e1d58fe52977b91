#pragma once
#include <string>

#include "ticket_types.hpp"

/// The text block of each result, Markdown: every fact of the structured result in few words, and what people wrote as
/// quoted lines that are marked as data.
namespace helpdesk::tickets {

std::string render(const CreatedTicket& result);
std::string render(const TicketPage& result);
std::string render(const TicketDetails& result);
std::string render(const UpdatedTicket& result);
std::string render(const ChangedStatus& result);
std::string render(const AddedNote& result);
std::string render(const AddedReply& result);
std::string render(const HistoryPage& result);

}  // namespace helpdesk::tickets
