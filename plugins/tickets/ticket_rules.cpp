#include "ticket_rules.hpp"

#include <algorithm>
#include <charconv>

#include "facts.hpp"
#include "refusal.hpp"
#include "request_keys.hpp"
#include "text.hpp"

namespace helpdesk::tickets {
namespace {

constexpr char kSeparator = '\n';  // no part of a cursor holds one

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t end = text.find(kSeparator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

template <class Number>
std::optional<Number> read_number(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

template <class Enum>
std::vector<std::string> names(const std::vector<Enum>& values) {
  std::vector<std::string> texts;
  for (const Enum value : values) texts.emplace_back(name(value));
  return texts;
}

using Kind = Refusal::Kind;
using Tags = std::vector<std::string>;

constexpr std::size_t kMostTags = 20;
constexpr std::size_t kMostTagCharacters = 1000;

bool is_same_person(const std::optional<std::string>& person, std::string_view other) {
  return fold_case(person.value_or("")) == fold_case(other);
}

void note_status_changes(TicketChange& change, const Ticket& before) {
  const Ticket& after = change.after;
  add_change(change.changes, "status", name(before.status), name(after.status));
  add_change(change.changes, "waiting_on", before.waiting_on.value_or(""), after.waiting_on.value_or(""));
  add_change(change.changes, "resolution", before.resolution.value_or(""), after.resolution.value_or(""));
  add_change(change.changes, "duplicate_of", before.duplicate_of.value_or(""), after.duplicate_of.value_or(""));
}

TicketChange change_by_message(const Ticket& ticket, NewMessage message, std::string_view principal) {
  TicketChange change;
  change.after = ticket;
  change.message = std::move(message);
  change.is_by_staff = !is_same_person(ticket.requester, principal);
  return change;
}

void refuse_unless_allowed(const Ticket& ticket, Status target, std::string_view what_to_do) {
  if (may_become(ticket.status, target)) return;
  throw Refusal(Kind::kConflict, "Ticket " + ticket.id + " is " + std::string(name(ticket.status)) +
                                     " and cannot become " + std::string(name(target)) +
                                     "; from here it can become: " + joined_names(allowed_transitions(ticket.status)) +
                                     (what_to_do.empty() ? "." : ". ") + std::string(what_to_do));
}

/// Sets the status of the change and clears what no longer holds with it.
void set_status(TicketChange& change, const Ticket& before, Status target) {
  change.after.status = target;
  change.after.waiting_on.reset();
  change.counts_as_reopen = before.status == Status::kClosed;
  if (target >= Status::kResolved) return;
  change.after.resolution.reset();
  change.after.duplicate_of.reset();
}

void refuse_what_does_not_fit(const SetTicketStatus& request, std::optional<Resolution> resolution) {
  const auto refuse = [](const std::string& message) { throw Refusal(Kind::kInvalid, message); };
  const std::string status(name(request.status));
  if (resolution && request.status < Status::kResolved) {
    refuse("resolution and duplicate_of go with status resolved or closed, not with " + status);
  }
  if (request.waiting_on && request.status != Status::kWaiting) {
    refuse("waiting_on goes with status waiting, not with " + status);
  }
  if (resolution == Resolution::kDuplicate && !request.duplicate_of) {
    refuse("resolution duplicate needs duplicate_of: the id of the ticket that this one repeats");
  }
  if (request.duplicate_of && resolution != Resolution::kDuplicate) {
    refuse("duplicate_of goes with resolution duplicate, not with " + std::string(name(*resolution)));
  }
}

Tags tags_after(const Ticket& ticket, const WantedFields& wanted) {
  Tags tags = ticket.tags.value_or(Tags{});
  const auto has = [](const Tags& list, const std::string& tag) {
    return std::find(list.begin(), list.end(), tag) != list.end();
  };
  for (const std::string& tag : wanted.tags_add) {
    if (has(wanted.tags_remove, tag)) {
      throw Refusal(Kind::kInvalid, "tag '" + tag + "' stands in tags_add and in tags_remove; name it in one of them");
    }
  }
  std::erase_if(tags, [&](const std::string& tag) { return has(wanted.tags_remove, tag); });
  for (const std::string& tag : wanted.tags_add) {
    if (!has(tags, tag)) tags.push_back(tag);
  }
  std::size_t characters = 0;
  for (const std::string& tag : tags) characters += count_characters(tag);
  if (tags.size() > kMostTags || characters > kMostTagCharacters) {
    throw Refusal(Kind::kInvalid, "a ticket has at most " + std::to_string(kMostTags) + " tags of " +
                                      std::to_string(kMostTagCharacters) + " characters in all; it has: " +
                                      joined(ticket.tags.value_or(Tags{})) + ". Remove some with tags_remove");
  }
  return tags;
}

}  // namespace

std::vector<Status> allowed_transitions(Status from) {
  switch (from) {
    case Status::kOpen:
      return {Status::kInProgress, Status::kWaiting, Status::kResolved, Status::kClosed};
    case Status::kInProgress:
      return {Status::kOpen, Status::kWaiting, Status::kResolved, Status::kClosed};
    case Status::kWaiting:
      return {Status::kOpen, Status::kInProgress, Status::kResolved, Status::kClosed};
    case Status::kResolved:
      return {Status::kOpen, Status::kInProgress, Status::kClosed};
    case Status::kClosed:
      return {Status::kOpen};
  }
  return {};
}

bool may_become(Status from, Status to) {
  const std::vector<Status> allowed = allowed_transitions(from);
  return from == to || std::find(allowed.begin(), allowed.end(), to) != allowed.end();
}

std::string encode(const MessagesCursor& cursor) {
  return "messages\n" + cursor.ref + kSeparator + std::to_string(cursor.before);
}

std::optional<MessagesCursor> decode_messages_cursor(std::string_view text) {
  const auto parts = split(text);
  if (parts.size() != 3 || parts[0] != "messages") return std::nullopt;
  const auto before = read_number<std::int64_t>(parts[2]);
  if (!before) return std::nullopt;
  return MessagesCursor{std::string(parts[1]), *before};
}

std::string encode(const HistoryCursor& cursor) {
  return "history\n" + cursor.ref + kSeparator + std::to_string(cursor.version) + kSeparator + cursor.field;
}

std::optional<HistoryCursor> decode_history_cursor(std::string_view text) {
  const auto parts = split(text);
  if (parts.size() != 4 || parts[0] != "history") return std::nullopt;
  const auto version = read_number<std::int64_t>(parts[2]);
  if (!version) return std::nullopt;
  return HistoryCursor{std::string(parts[1]), *version, std::string(parts[3])};
}

TicketChange change_by_reply(const Ticket& ticket, const AddReply& request, std::string_view principal) {
  TicketChange change = change_by_message(ticket, {Visibility::kPublic, request.body}, principal);
  // The answer that the ticket waited for takes it up again.
  const bool is_awaited = ticket.status == Status::kWaiting && ticket.waiting_on == "requester" && !change.is_by_staff;
  const Status target = request.set_status.value_or(is_awaited ? Status::kOpen : ticket.status);
  refuse_unless_allowed(ticket, target, "Nothing was written: reply again with one of these or without set_status.");
  if (target != ticket.status) set_status(change, ticket, target);
  // Who replies in public and then waits, waits for the requester.
  if (target != ticket.status && target == Status::kWaiting) change.after.waiting_on = "requester";
  note_status_changes(change, ticket);
  return change;
}

TicketChange change_by_note(const Ticket& ticket, const std::string& body, std::string_view principal) {
  return change_by_message(ticket, {Visibility::kInternal, body}, principal);
}

TicketChange change_of_status(const Ticket& ticket, const SetTicketStatus& request, std::string_view principal) {
  const Status target = request.status;
  refuse_unless_allowed(ticket, target, "");
  const std::optional<Resolution> resolution =
      request.duplicate_of && !request.resolution ? Resolution::kDuplicate : request.resolution;
  refuse_what_does_not_fit(request, resolution);
  const bool has_reason = resolution || request.comment;
  if (target == Status::kClosed && ticket.status < Status::kResolved && !has_reason) {
    throw Refusal(Kind::kInvalid, "Closing ticket " + ticket.id + ", which is " + std::string(name(ticket.status)) +
                                      ", needs a reason: give a resolution or a comment");
  }
  TicketChange change;
  change.after = ticket;
  change.is_by_staff = !is_same_person(ticket.requester, principal);
  if (target != ticket.status) set_status(change, ticket, target);
  if (target == Status::kWaiting && (request.waiting_on || target != ticket.status)) {
    change.after.waiting_on = name(request.waiting_on.value_or(WaitingOn::kRequester));
  }
  if (resolution) {
    change.after.resolution = name(*resolution);
    change.after.duplicate_of = request.duplicate_of;
  }
  note_status_changes(change, ticket);
  if (request.comment && !change.changes.empty()) change.message = NewMessage{request.visibility, *request.comment};
  return change;
}

TicketChange change_of_fields(const Ticket& ticket, const WantedFields& wanted) {
  TicketChange change;
  change.after = ticket;
  Ticket& after = change.after;
  if (wanted.title) after.title = *wanted.title;
  if (wanted.description) after.description = *wanted.description;
  if (wanted.priority) after.priority = *wanted.priority;
  if (wanted.requester) after.requester = wanted.requester;
  if (!wanted.category.is_absent()) after.category = wanted.category.value();
  if (!wanted.assignee.is_absent()) after.assignee = wanted.assignee.value();
  if (!wanted.due_at.is_absent()) after.due_at = wanted.due_at.value();
  after.tags = tags_after(ticket, wanted);

  add_change(change.changes, "title", ticket.title, after.title);
  add_change(change.changes, "description", ticket.description.value_or(""), after.description.value_or(""));
  add_change(change.changes, "priority", name(ticket.priority), name(after.priority));
  add_change(change.changes, "category", ticket.category.value_or(""), after.category.value_or(""));
  add_change(change.changes, "assignee", ticket.assignee.value_or(""), after.assignee.value_or(""));
  add_change(change.changes, "requester", ticket.requester.value_or(""), after.requester.value_or(""));
  add_change(change.changes, "due_at", ticket.due_at.value_or(""), after.due_at.value_or(""));
  add_change(change.changes, "tags", joined(ticket.tags.value_or(Tags{})), joined(*after.tags));
  return change;
}

std::uint64_t hash_of(const AppliedFilters& filters) {
  RequestText text;
  text.add(names(filters.status)).add(names(filters.priority.value_or(std::vector<Priority>{})));
  text.add(filters.assignee).add(filters.requester).add(filters.tags.value_or(std::vector<std::string>{}));
  text.add(filters.category).add(filters.created_after).add(filters.created_before);
  text.add(filters.updated_after).add(filters.due_before).add(name(filters.sort)).add(name(filters.order));
  return hash64(text.text());
}

}  // namespace helpdesk::tickets
