#pragma once
#include <string>

#include "ticket_types.hpp"

/// The text block of each result, Markdown: every fact of the structured result in few words, and what people wrote as
/// quoted lines that are marked as data.
namespace tickets {

std::string render(const CreatedTicket& result);
std::string render(const TicketPage& result);
std::string render(const TicketDetails& result);
std::string render(const AddedReply& result);

}  // namespace tickets
