#include "arguments.hpp"
#include "facts.hpp"
#include "refusal.hpp"
#include "text.hpp"
#include "ticket_service.hpp"

namespace helpdesk::tickets {
namespace {

using Kind = Refusal::Kind;

constexpr std::string_view kCreateTool = "create_ticket";

}  // namespace

CreatedTicket TicketService::create(const CreateTicket& request) {
  std::vector<std::string> warnings;
  NewTicket ticket = read_new_ticket(request, warnings);
  const std::string key = key_of(request.idempotency_key);
  if (!key.empty()) {
    RequestText text;
    for (const std::string_view field : {std::string_view(ticket.title), std::string_view(ticket.description),
                                         name(ticket.priority), std::string_view(ticket.requester)}) {
      text.add(field);
    }
    text.add(ticket.category).add(ticket.tags).add(ticket.assignee).add(ticket.due_at);
    const ClaimedKey claim = store_.claim_key(kCreateTool, key, text.text());
    if (!claim.is_new && !claim.is_same_request) refuse_other_arguments(kCreateTool, key);
    if (!claim.is_new) return replay_create(claim);
  }
  // Without a key the one statement is the whole transaction.
  const Finish finish = key.empty() ? Finish::kCommit : Finish::kKeepOpen;
  std::optional<InsertedTicket> inserted;
  for (int attempt = 0; attempt < 10 && !inserted; ++attempt) {
    ticket.ref = make_ref(context_.random_bits());
    inserted = store_.insert(ticket, title_key(ticket.title), context_.actor, finish);
  }
  if (!inserted) throw std::runtime_error("ten random ticket ids in a row were taken");
  if (!key.empty()) store_.settle_key(kCreateTool, key, ticket.ref, 0);

  CreatedTicket result;
  result.ticket.id = ticket.ref;
  result.ticket.title = ticket.title;
  result.ticket.priority = ticket.priority;
  result.ticket.updated_at = inserted->created_at;
  result.ticket.created_at = inserted->created_at;
  result.ticket.due_at = inserted->due_at;
  result.ticket.category = ticket.category;
  result.ticket.assignee = ticket.assignee;
  result.ticket.requester = ticket.requester;
  result.ticket.tags = unless_empty(ticket.tags);
  result.ticket.version = 1;
  result.server_time = inserted->created_at;
  result.time_zone = context_.time_zone;
  result.possible_duplicates = std::move(inserted->twins);
  for (PossibleDuplicate& twin : result.possible_duplicates) {
    twin.score = fold_case(twin.title) == fold_case(ticket.title) ? 1.0 : 0.9;
  }
  if (inserted->repeated_ref) {
    warnings.push_back(
        "the same title, description and requester were sent with this API key less than 60 seconds ago and made "
        "ticket " +
        *inserted->repeated_ref +
        ". If this call was a retry, there are two tickets now; send an idempotency_key to make retries safe.");
  }
  result.warnings = unless_empty(std::move(warnings));
  return result;
}

NewTicket TicketService::read_new_ticket(const CreateTicket& request, std::vector<std::string>& warnings) {
  NewTicket ticket;
  ticket.title = clean_line(request.title);
  if (ticket.title.empty()) {
    throw Refusal(Kind::kInvalid,
                  "title is empty; give a short summary of the problem, e.g. \"Printer on the 3rd floor not working\"");
  }
  ticket.description = request.description.value_or("");
  refuse_nul("description", ticket.description);
  ticket.priority = read_priority(request.priority.value_or(PriorityInput::kNormal), warnings);
  if (const auto category = given(request.category)) ticket.category = read_category(*category);
  ticket.tags = read_tags(request.tags);
  if (const auto assignee = given(request.assignee); assignee && !is_word(*assignee, "none")) {
    ticket.assignee = context_.people.read("assignee", *assignee);
  }
  ticket.requester = context_.people.read("requester", given(request.requester).value_or("me"));
  ticket.due_at = read_moment_of("due_at", given(request.due_at), true);
  return ticket;
}

CreatedTicket TicketService::replay_create(const ClaimedKey& key) {
  StoredTicket stored = require(store_.find(key.ref, Finish::kCommit), key.ref);
  stored.ticket.description.reset();
  CreatedTicket result;
  result.ticket = std::move(stored.ticket);
  result.created = false;
  result.server_time = std::move(stored.server_time);
  result.time_zone = context_.time_zone;
  return result;
}

}  // namespace helpdesk::tickets
