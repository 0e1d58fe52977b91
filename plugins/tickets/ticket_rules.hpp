#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ticket_types.hpp"

/// What is allowed and what follows from it: pure functions and values.
namespace helpdesk::tickets {

// ---- The status machine

/// What a ticket in `from` may become, in a fixed order; not `from` itself, which is always accepted and changes
/// nothing.
std::vector<Status> allowed_transitions(Status from);

/// True for the same status and for what allowed_transitions() lists.
bool may_become(Status from, Status to);

// ---- Cursors, before they are sealed

/// Where the messages of one ticket go on: below this number.
struct MessagesCursor {
  std::string ref;
  std::int64_t before = 0;
};
std::string encode(const MessagesCursor& cursor);
std::optional<MessagesCursor> decode_messages_cursor(std::string_view text);

/// Where the history of one ticket goes on: before this step.
struct HistoryCursor {
  std::string ref;
  std::int64_t version = 0;
  std::string field;
};
std::string encode(const HistoryCursor& cursor);
std::optional<HistoryCursor> decode_history_cursor(std::string_view text);

// ---- What a call does to its ticket

struct NewMessage {
  Visibility visibility = Visibility::kPublic;
  std::string body;
};

/// One step of a ticket: what becomes of it, and what is said with it. `after` holds the columns as they will be.
struct TicketChange {
  Ticket after;
  std::vector<FieldChange> changes;
  std::optional<NewMessage> message;
  bool counts_as_reopen = false;
  bool is_by_staff = false;  ///< by somebody other than the requester
};

/// What `principal` does by a reply, a note, a new status. Throw Refusal when the status machine forbids it.
TicketChange change_by_reply(const Ticket& ticket, const AddReply& request, std::string_view principal);
TicketChange change_by_note(const Ticket& ticket, const std::string& body, std::string_view principal);
/// `request.duplicate_of` is in canonical form. Nothing changes and nothing is said when everything is so already.
TicketChange change_of_status(const Ticket& ticket, const SetTicketStatus& request, std::string_view principal);

/// What update_ticket asks for, read and checked as far as the ticket need not be known. What is absent stays.
struct WantedFields {
  std::optional<std::string> title, description, requester;
  std::optional<Priority> priority;
  toolhost::Nullable<std::string> category, assignee, due_at;  ///< due_at as shown
  std::vector<std::string> tags_add, tags_remove;
};

/// The change of fields; none when everything is so already. Throws Refusal for too many tags.
TicketChange change_of_fields(const Ticket& ticket, const WantedFields& wanted);

/// Same value for the same filters, sort and order: what a cursor belongs to.
std::uint64_t hash_of(const AppliedFilters& filters);

}  // namespace helpdesk::tickets
