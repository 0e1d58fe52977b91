#include <algorithm>

#include "arguments.hpp"
#include "facts.hpp"
#include "refusal.hpp"
#include "text.hpp"
#include "ticket_service.hpp"

namespace helpdesk::tickets {
namespace {

using Kind = Refusal::Kind;

constexpr std::string_view kNoteTool = "add_note";
constexpr std::string_view kReplyTool = "add_reply";
constexpr std::size_t kLongestChain = 1000;

TicketSummary summary_of(const Ticket& ticket) {
  return {ticket.id,           ticket.title,    ticket.status,   ticket.waiting_on, ticket.resolution,
          ticket.duplicate_of, ticket.priority, ticket.assignee, ticket.updated_at, ticket.version.value_or(1)};
}

bool asks_for_nothing(const UpdateTicket& request) {
  return !request.title && !request.description && !request.priority && request.category.is_absent() &&
         request.assignee.is_absent() && !request.requester && request.due_at.is_absent() && request.tags_add.empty() &&
         request.tags_remove.empty();
}

}  // namespace

// ---- update_ticket

UpdatedTicket TicketService::update(const UpdateTicket& request) {
  const std::string ref = read_id(kTicket, request.id);
  if (asks_for_nothing(request)) {
    throw Refusal(Kind::kInvalid,
                  "nothing to change: give at least one of title, description, priority, category, assignee, "
                  "requester, due_at, tags_add, tags_remove. The status is changed by set_ticket_status");
  }
  UpdatedTicket result;
  std::vector<std::string> warnings;
  FieldUpdate update;
  const WantedFields wanted = read_wanted(request, update, warnings);
  StoredTicket stored = require(store_.find_for_update(ref), ref);
  refuse_other_version(stored, request.expected_version);
  const TicketChange change = change_of_fields(stored.ticket, wanted);
  result.changed = !change.changes.empty();
  if (result.changed) {
    if (!wanted.tags_add.empty() || !wanted.tags_remove.empty()) update.tags = change.after.tags;
    stored = store_.write(change, update, context_.actor);
  }
  result.changed_fields = helpdesk::changed_fields(change.changes);
  result.ticket = summary_of(stored.ticket);
  result.warnings = unless_empty(std::move(warnings));
  result.server_time = std::move(stored.server_time);
  result.time_zone = context_.time_zone;
  return result;
}

WantedFields TicketService::read_wanted(const UpdateTicket& request, FieldUpdate& update,
                                        std::vector<std::string>& warnings) {
  WantedFields wanted;
  if (request.title) {
    wanted.title = update.title = clean_line(*request.title);
    if (wanted.title->empty()) throw Refusal(Kind::kInvalid, "title is empty; a ticket needs one");
    update.title_key = title_key(*wanted.title);
  }
  if (request.description) {
    refuse_nul("description", *request.description);
    update.description = request.description;
    wanted.description = clean(*request.description);
  }
  if (request.priority) wanted.priority = update.priority = read_priority(*request.priority, warnings);
  wanted.category = read_nullable("category", request.category);
  if (wanted.category.has_value()) wanted.category = read_category(*wanted.category);
  wanted.assignee = read_nullable("assignee", request.assignee);
  if (wanted.assignee.has_value()) wanted.assignee = context_.people.read("assignee", *wanted.assignee);
  if (const auto requester = given_filter("requester", request.requester)) {
    wanted.requester = update.requester = context_.people.read("requester", *requester);
  }
  wanted.due_at = read_nullable("due_at", request.due_at);
  update.due_at = wanted.due_at;
  if (wanted.due_at.has_value()) {
    update.due_at = *read_moment_of("due_at", *wanted.due_at, true);
    wanted.due_at = store_.shown(*update.due_at);
  }
  update.category = wanted.category;
  update.assignee = wanted.assignee;
  wanted.tags_add = read_tags(request.tags_add);
  wanted.tags_remove = read_tags(request.tags_remove);
  return wanted;
}

void TicketService::refuse_other_version(const StoredTicket& stored, std::optional<std::int64_t> expected) {
  const Ticket& ticket = stored.ticket;
  if (!expected || *expected == ticket.version) return;
  std::vector<MissedStep> steps = store_.steps_since(ticket.id, *expected);
  for (MissedStep& step : steps) step.actor = context_.people.called(step.actor);
  refuse_stale("Ticket " + ticket.id, "get_ticket", *expected, ticket.version.value_or(1), steps);
}

// ---- set_ticket_status

ChangedStatus TicketService::set_status(const SetTicketStatus& request) {
  const std::string ref = read_id(kTicket, request.id);
  if (request.comment) check_body("comment", *request.comment);
  SetTicketStatus wanted = request;
  if (request.duplicate_of) wanted.duplicate_of = read_id(kTicket, *request.duplicate_of);
  StoredTicket stored = require(store_.find_for_update(ref), ref);
  refuse_other_version(stored, request.expected_version);
  const TicketChange change = change_of_status(stored.ticket, wanted, context_.actor.principal);

  ChangedStatus result;
  result.previous_status = stored.ticket.status;
  result.changed = !change.changes.empty();
  if (change.after.duplicate_of && change.after.duplicate_of != stored.ticket.duplicate_of) {
    result.hint = check_duplicate(ref, *change.after.duplicate_of);
  }
  if (result.changed) stored = store_.write(change, context_.actor, Finish::kCommit);
  if (change.message) result.comment = message_of(change, stored);
  if (request.comment && !change.message) {
    result.hint = "Nothing was changed, so the comment was not added either; use add_note or add_reply for it.";
  }
  result.allowed_transitions = allowed_transitions(stored.ticket.status);
  result.ticket = summary_of(stored.ticket);
  result.server_time = std::move(stored.server_time);
  result.time_zone = context_.time_zone;
  return result;
}

std::optional<std::string> TicketService::check_duplicate(const std::string& ref, const std::string& duplicate_of) {
  if (duplicate_of == ref) {
    throw Refusal(Kind::kInvalid, "duplicate_of names ticket " + ref + " itself; give the ticket that it repeats");
  }
  std::string hop = duplicate_of, last;
  for (std::size_t hops = 0; !hop.empty() && hops < kLongestChain; ++hops) {
    const std::optional<std::string> next = store_.duplicate_of(hop);
    if (!next && hops == 0) refuse_unknown(hop);
    last = std::exchange(hop, next.value_or(""));
    if (hop != ref) continue;
    throw Refusal(Kind::kConflict, "Ticket " + last + " is a duplicate of " + ref + " already, so " + ref +
                                       " cannot become a duplicate of " + duplicate_of +
                                       ": tickets would be duplicates of each other. Change " + last + " first");
  }
  if (last == duplicate_of) return std::nullopt;
  return "Ticket " + duplicate_of + " is itself a duplicate; in the end of " + last + ".";
}

// ---- add_note

AddedNote TicketService::add_note(const AddNote& request) {
  const std::string ref = read_id(kTicket, request.id);
  check_body("body", request.body);
  const std::string key = key_of(request.idempotency_key);
  if (!key.empty()) {
    const std::string text = RequestText().add(std::string_view(ref)).add(std::string_view(request.body)).text();
    const ClaimedKey claim = store_.claim_key(kNoteTool, key, text);
    if (!claim.is_new && !claim.is_same_request) refuse_other_arguments(kNoteTool, key);
    if (!claim.is_new) return replay_note(claim);
  }
  const StoredTicket before = require(store_.find_for_update(ref), ref);
  const TicketChange change = change_by_note(before.ticket, request.body, context_.actor.principal);
  StoredTicket after = store_.write(change, context_.actor, key.empty() ? Finish::kCommit : Finish::kKeepOpen);
  if (!key.empty()) store_.settle_key(kNoteTool, key, ref, after.ticket.version.value_or(0));

  AddedNote result;
  result.message = message_of(change, after);
  if (after.ticket.status < Status::kResolved && sounds_resolved(request.body)) {
    result.hint = "The status is still " + std::string(name(after.ticket.status)) +
                  ". If the ticket is done, call set_ticket_status.";
  }
  result.ticket = summary_of(after.ticket);
  result.server_time = std::move(after.server_time);
  result.time_zone = context_.time_zone;
  return result;
}

AddedNote TicketService::replay_note(const ClaimedKey& key) {
  auto [message, stored] = replayed(key);
  AddedNote result;
  result.created = false;
  result.message = std::move(message);
  result.ticket = summary_of(stored.ticket);
  result.server_time = std::move(stored.server_time);
  result.time_zone = context_.time_zone;
  return result;
}

// ---- add_reply

AddedReply TicketService::add_reply(const AddReply& request) {
  const std::string ref = read_id(kTicket, request.id);
  check_body("body", request.body);
  const std::string key = key_of(request.idempotency_key);
  if (!key.empty()) {
    RequestText text;
    text.add(std::string_view(ref))
        .add(std::string_view(request.body))
        .add(request.set_status ? name(*request.set_status) : "-");
    const ClaimedKey claim = store_.claim_key(kReplyTool, key, text.text());
    if (!claim.is_new && !claim.is_same_request) refuse_other_arguments(kReplyTool, key);
    if (!claim.is_new) return replay_reply(claim);
  }
  const StoredTicket before = require(store_.find_for_update(ref), ref);
  const TicketChange change = change_by_reply(before.ticket, request, context_.actor.principal);
  StoredTicket after = store_.write(change, context_.actor, key.empty() ? Finish::kCommit : Finish::kKeepOpen);
  if (!key.empty()) store_.settle_key(kReplyTool, key, ref, after.ticket.version.value_or(0));

  AddedReply result;
  result.message = message_of(change, after);
  result.previous_status = before.ticket.status;
  result.status_changed = before.ticket.status != after.ticket.status;
  result.allowed_transitions = allowed_transitions(after.ticket.status);
  if (!result.status_changed && after.ticket.status < Status::kResolved && sounds_resolved(request.body)) {
    result.hint = "The status is still " + std::string(name(after.ticket.status)) +
                  ". If the ticket is done, call set_ticket_status.";
  }
  if (!result.status_changed && after.ticket.status >= Status::kResolved && !change.is_by_staff) {
    result.hint =
        "The ticket stays " + std::string(name(after.ticket.status)) + ". set_ticket_status with 'open' reopens it.";
  }
  result.ticket = summary_of(after.ticket);
  result.server_time = std::move(after.server_time);
  result.time_zone = context_.time_zone;
  return result;
}

AddedReply TicketService::replay_reply(const ClaimedKey& key) {
  auto [message, stored] = replayed(key);
  AddedReply result;
  result.created = false;
  result.message = std::move(message);
  result.previous_status = stored.ticket.status;
  result.allowed_transitions = allowed_transitions(stored.ticket.status);
  result.ticket = summary_of(stored.ticket);
  result.server_time = std::move(stored.server_time);
  result.time_zone = context_.time_zone;
  return result;
}

// ---- Messages

void TicketService::check_body(std::string_view parameter, std::string_view body) const {
  refuse_nul(parameter, body);
  if (!is_blank(body)) return;
  throw Refusal(Kind::kInvalid, std::string(parameter) + " is empty; write what shall be read");
}

Message TicketService::message_of(const TicketChange& change, const StoredTicket& after) const {
  bool was_cut = false;
  return {after.ticket.id + '-' + std::to_string(after.ticket.version.value_or(0)),
          change.message->visibility,
          context_.actor.principal,
          change.is_by_staff ? AuthorRole::kStaff : AuthorRole::kRequester,
          after.ticket.updated_at,
          shorten(clean(change.message->body), kEchoedText, was_cut)};
}

std::pair<Message, StoredTicket> TicketService::replayed(const ClaimedKey& key) {
  StoredTicket stored = require(store_.find(key.ref, Finish::kKeepOpen), key.ref);
  auto messages = store_.messages(key.ref, key.number + 1, 1, true, Finish::kCommit);
  bool was_cut = false;
  Message message = std::move(messages.front().second);
  message.body = shorten(message.body, kEchoedText, was_cut);
  return {std::move(message), std::move(stored)};
}

}  // namespace helpdesk::tickets
