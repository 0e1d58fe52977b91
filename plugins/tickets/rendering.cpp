#include "rendering.hpp"

#include <string_view>

#include "facts.hpp"
#include "text.hpp"

namespace helpdesk::tickets {
namespace {

/// One line: id, status, priority, title, then what else is known.
std::string ticket_line(const Ticket& ticket) {
  std::string out = "**" + ticket.id + "** [" + std::string(name(ticket.status));
  if (ticket.waiting_on) out.append(" for ").append(*ticket.waiting_on);
  if (ticket.resolution) out.append(": ").append(*ticket.resolution);
  out.append(", ").append(name(ticket.priority)).append("] ").append(quote_line(ticket.title));
  add_fact(out, "duplicate of", ticket.duplicate_of);
  add_quoted(out, "assignee", ticket.assignee);
  add_quoted(out, "requester", ticket.requester);
  add_quoted(out, "category", ticket.category);
  if (ticket.tags && !ticket.tags->empty()) add_quoted(out, "tags", joined(*ticket.tags));
  add_fact(out, "due", ticket.due_at);
  add_fact(out, "created", ticket.created_at);
  add_fact(out, "updated", ticket.updated_at);
  add_fact(out, "first reply", ticket.first_reply_at);
  add_fact(out, "resolved", ticket.resolved_at);
  if (ticket.reopen_count.value_or(0) > 0) add_fact(out, "reopened times", std::to_string(*ticket.reopen_count));
  if (ticket.version) add_fact(out, "version", std::to_string(*ticket.version));
  return out + '\n';
}

/// The same of what a change answers with.
std::string ticket_line(const TicketSummary& summary) {
  Ticket ticket;
  ticket.id = summary.id;
  ticket.title = summary.title;
  ticket.status = summary.status;
  ticket.waiting_on = summary.waiting_on;
  ticket.resolution = summary.resolution;
  ticket.duplicate_of = summary.duplicate_of;
  ticket.priority = summary.priority;
  ticket.assignee = summary.assignee;
  ticket.updated_at = summary.updated_at;
  ticket.version = summary.version;
  return ticket_line(ticket);
}

std::string message_text(const Message& message) {
  return message.id + " · " + message.created_at + " · " + quote_unless_token(message.author) + " (" +
         std::string(name(message.author_role)) + ", " + std::string(name(message.visibility)) + "):\n" +
         quote_lines(message.body);
}

std::string task_line(const LinkedTask& task) {
  std::string out = "- **" + task.id + "** [" + task.status + ", " + task.priority + "] " + quote_line(task.title);
  add_quoted(out, "assignee", task.assignee);
  add_fact(out, "due", task.due);
  return out + '\n';
}

std::string filters_text(const AppliedFilters& filters) {
  std::string out = "status " + joined_names(filters.status);
  if (filters.priority) add_fact(out, "priority", joined_names(*filters.priority));
  add_fact(out, "assignee", filters.assignee);
  add_fact(out, "requester", filters.requester);
  if (filters.tags) add_fact(out, "tags", joined(*filters.tags));
  add_fact(out, "category", filters.category);
  add_fact(out, "created after", filters.created_after);
  add_fact(out, "created before", filters.created_before);
  add_fact(out, "updated after", filters.updated_after);
  add_fact(out, "due before", filters.due_before);
  return out + " · sorted by " + std::string(name(filters.sort)) + " " + std::string(name(filters.order));
}

}  // namespace

std::string render(const CreatedTicket& result) {
  std::string out =
      result.created ? "Created ticket " : "This idempotency_key had created the ticket already; it is now ";
  out += ticket_line(result.ticket);
  if (!result.possible_duplicates.empty()) {
    out += "Possible duplicates, unresolved:\n";
    for (const PossibleDuplicate& twin : result.possible_duplicates) {
      out.append("- ")
          .append(twin.id)
          .append(" [")
          .append(name(twin.status))
          .append("] ")
          .append(quote_line(twin.title))
          .append("\n");
    }
  }
  add_warnings(out, result.warnings);
  return out.append(kQuoteMark).append(clock_line(result.server_time, result.time_zone));
}

std::string render(const TicketPage& result) {
  std::string out = std::to_string(result.tickets.size()) + " of " + (result.total_is_exact ? "" : "more than ") +
                    std::to_string(result.total) + " tickets (" + filters_text(result.applied_filters) + ")\n";
  if (!result.tickets.empty()) out += kQuoteMark;
  for (const Ticket& ticket : result.tickets) out.append("- ").append(ticket_line(ticket));
  if (result.truncated) out += "The page ended early: its texts are long.\n";
  if (result.next_cursor)
    out.append("More: call again with the same arguments and cursor ").append(*result.next_cursor).append("\n");
  add_warnings(out, result.warnings);
  return out.append(clock_line(result.server_time, result.time_zone));
}

std::string render(const TicketDetails& result) {
  std::string out = ticket_line(result.ticket);
  out.append("May become: ").append(joined_names(result.allowed_transitions)).append("\n").append(kQuoteMark);
  if (result.ticket.description) out.append("Description:\n").append(quote_lines(*result.ticket.description));
  if (result.messages && !result.messages->empty()) {
    out += "Messages, oldest first:\n";
    for (const Message& message : *result.messages) out += message_text(message);
  } else if (result.messages && !result.messages_cursor) {
    out += "No messages.\n";
  }
  if (result.history) {
    out += "History, oldest first:\n";
    for (const HistoryEvent& event : *result.history) add_event(out, event);
  }
  if (result.tasks) {
    out += result.tasks->empty() ? "No tasks.\n" : "Tasks:\n";
    for (const LinkedTask& task : *result.tasks) out += task_line(task);
  }
  if (result.rest) out.append(*result.rest).append("\n");
  if (result.messages_cursor) out.append("messages_cursor: ").append(*result.messages_cursor).append("\n");
  return out.append(clock_line(result.server_time, result.time_zone));
}

std::string render(const UpdatedTicket& result) {
  std::string out = result.changed ? "Changed " : "Nothing to change in ";
  out += ticket_line(result.ticket);
  for (const ChangedField& field : result.changed_fields) {
    out.append("- ").append(described(field)).append("\n");
  }
  add_warnings(out, result.warnings);
  return out.append(kQuoteMark).append(clock_line(result.server_time, result.time_zone));
}

std::string render(const ChangedStatus& result) {
  std::string out = result.changed ? "Changed from " + std::string(name(result.previous_status)) + ": "
                                   : std::string("Nothing to change in ");
  out += ticket_line(result.ticket);
  if (result.comment) out.append("Comment ").append(message_text(*result.comment));
  out += kQuoteMark;
  if (result.hint) out.append(*result.hint).append("\n");
  out.append("May become: ").append(joined_names(result.allowed_transitions)).append("\n");
  return out.append(clock_line(result.server_time, result.time_zone));
}

std::string render(const AddedNote& result) {
  std::string out = result.created ? "Added the internal note " : "This idempotency_key had added the note already: ";
  out.append(message_text(result.message)).append(kQuoteMark).append(ticket_line(result.ticket));
  if (result.hint) out.append(*result.hint).append("\n");
  return out.append(clock_line(result.server_time, result.time_zone));
}

std::string render(const AddedReply& result) {
  std::string out = result.created ? "Added the public reply " : "This idempotency_key had added the reply already: ";
  out.append(message_text(result.message)).append(kQuoteMark).append(ticket_line(result.ticket));
  if (result.status_changed) {
    out.append("Status changed from ")
        .append(name(result.previous_status))
        .append(" to ")
        .append(name(result.ticket.status));
    out += ".\n";
  }
  if (result.hint) out.append(*result.hint).append("\n");
  out.append("May become: ").append(joined_names(result.allowed_transitions)).append("\n");
  return out.append(clock_line(result.server_time, result.time_zone));
}

std::string render(const HistoryPage& result) {
  std::string out = "History of **" + result.id + "**, newest first:\n";
  out += kQuoteMark;
  for (const HistoryEvent& event : result.events) add_event(out, event);
  if (result.rest) out.append(*result.rest).append("\n");
  if (result.next_cursor) out.append("More: call again with cursor ").append(*result.next_cursor).append("\n");
  return out.append(clock_line(result.server_time, result.time_zone));
}

}  // namespace helpdesk::tickets
