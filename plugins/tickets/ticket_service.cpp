#include "ticket_service.hpp"

#include <algorithm>
#include <limits>

#include "text.hpp"

namespace tickets {
namespace {

using Kind = Refusal::Kind;

constexpr std::string_view kCreateTool = "create_ticket";
constexpr std::string_view kReplyTool = "add_reply";
constexpr std::int64_t kHistorySteps = 100;
constexpr std::size_t kHistoryText = 100;

/// One line of what the caller gave; nothing when that is nothing to read.
std::optional<std::string> given(const std::optional<std::string>& argument) {
  if (!argument) return std::nullopt;
  std::string line = clean_line(*argument);
  if (line.empty()) return std::nullopt;
  return line;
}

bool is_word(std::string_view text, std::string_view word) {
  return fold_case(text) == word;
}

void refuse_nul(std::string_view parameter, std::string_view text) {
  if (text.find('\0') == std::string_view::npos) return;
  throw Refusal(Kind::kInvalid,
                std::string(parameter) + " contains a NUL character (\\u0000), which no text may hold; remove it");
}

std::vector<std::string> read_tags(const std::vector<std::string>& tags) {
  std::vector<std::string> read;
  for (const std::string& tag : tags) {
    std::string line = fold_case(clean_line(tag));
    if (!line.empty() && std::find(read.begin(), read.end(), line) == read.end()) read.push_back(std::move(line));
  }
  return read;
}

Priority read_priority(PriorityInput input, std::vector<std::string>& warnings) {
  if (input != PriorityInput::kMedium) return static_cast<Priority>(input);
  warnings.emplace_back("priority 'medium' was taken as 'normal'; the priorities are low, normal, high, urgent");
  return Priority::kNormal;
}

std::optional<std::vector<std::string>> unless_empty(std::vector<std::string> texts) {
  if (texts.empty()) return std::nullopt;
  return texts;
}

void refuse_other_arguments(std::string_view tool, std::string_view key) {
  throw Refusal(Kind::kConflict,
                "idempotency_key '" + clean_line(key) + "' was used for " + std::string(tool) +
                    " with other arguments in the last 24 hours. Repeat exactly those arguments to get that "
                    "result again, or use a new key.");
}

}  // namespace

// ---- create_ticket

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
    const ClaimedKey claim = store_.claim_key(context_.actor.principal, kCreateTool, key, text.text());
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
  if (!key.empty()) store_.settle_key(context_.actor.principal, kCreateTool, key, ticket.ref, 0);

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
  ticket.category = given(request.category);
  ticket.tags = read_tags(request.tags);
  if (const auto assignee = given(request.assignee); assignee && !is_word(*assignee, "none")) {
    ticket.assignee = read_person(*assignee);
  }
  ticket.requester = read_person(given(request.requester).value_or("me"));
  ticket.due_at = read_moment_of("due_at", request.due_at, true);
  return ticket;
}

CreatedTicket TicketService::replay_create(const ClaimedKey& key) {
  StoredTicket stored = require(store_.find(key.ticket, Finish::kCommit), key.ticket);
  stored.ticket.description.reset();
  CreatedTicket result;
  result.ticket = std::move(stored.ticket);
  result.created = false;
  result.server_time = std::move(stored.server_time);
  result.time_zone = context_.time_zone;
  return result;
}

// ---- list_tickets

TicketPage TicketService::list(const ListTickets& request) {
  TicketPage page;
  std::vector<std::string> warnings;
  AppliedFilters& applied = page.applied_filters;
  const TicketFilter filter = read_filter(request, applied, warnings);
  applied.sort = request.sort.value_or(SortKey::kUpdated);
  applied.order =
      request.order.value_or(applied.sort == SortKey::kDue ? SortOrder::kAscending : SortOrder::kDescending);

  std::optional<PagePosition> after;
  if (request.cursor) {
    const auto opened = context_.open(*request.cursor);
    const auto cursor = opened ? decode_list_cursor(*opened) : std::nullopt;
    if (!cursor) {
      throw Refusal(Kind::kInvalid,
                    "cursor is not one that list_tickets gave; pass next_cursor exactly as it came, or leave cursor "
                    "out to start from the first page");
    }
    if (cursor->filters != hash_of(applied)) {
      throw Refusal(Kind::kInvalid,
                    "cursor belongs to a list with other filters or another order; repeat the filters, sort and order "
                    "of the call that gave it, or leave cursor out to start from the first page");
    }
    after = cursor->position;
  }

  TicketRows rows = store_.list(filter, applied.sort, applied.order, after, request.limit, request.response_format);
  page.tickets = std::move(rows.tickets);
  if (rows.last) page.next_cursor = context_.seal(encode(ListCursor{hash_of(applied), *rows.last}));
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
  if (const auto assignee = given(request.assignee)) {
    filter.only_unassigned = is_word(*assignee, "none");
    applied.assignee = filter.only_unassigned ? "none" : read_person(*assignee);
    if (!filter.only_unassigned) filter.assignee = applied.assignee;
  }
  if (const auto requester = given(request.requester)) filter.requester = applied.requester = read_person(*requester);
  filter.tags = applied.tags = unless_empty(read_tags(request.tags));
  filter.category = applied.category = given(request.category);
  filter.created_after = read_moment_of("created_after", applied.created_after = given(request.created_after), false);
  filter.created_before =
      read_moment_of("created_before", applied.created_before = given(request.created_before), false);
  filter.updated_after = read_moment_of("updated_after", applied.updated_after = given(request.updated_after), false);
  filter.due_before = read_moment_of("due_before", applied.due_before = given(request.due_before), false);
  return filter;
}

// ---- get_ticket

TicketDetails TicketService::get(const GetTicket& request) {
  const std::string ref = existing_form(request.id);
  const std::vector<Include> include = request.include.value_or(std::vector<Include>{Include::kMessages});
  const auto wants = [&](Include part) { return std::find(include.begin(), include.end(), part) != include.end(); };
  const bool wants_messages = wants(Include::kMessages) || request.messages_cursor;

  std::int64_t before = std::numeric_limits<std::int32_t>::max();
  if (request.messages_cursor) {
    const auto opened = context_.open(*request.messages_cursor);
    const auto cursor = opened ? decode_messages_cursor(*opened) : std::nullopt;
    if (!cursor || cursor->ref != ref) {
      throw Refusal(Kind::kInvalid,
                    "messages_cursor is not one that get_ticket gave for ticket " + ref +
                        "; pass it exactly as it came, or leave it out to start from the latest message");
    }
    before = cursor->before;
  }

  TicketDetails details;
  const Finish finish = wants_messages || wants(Include::kHistory) ? Finish::kKeepOpen : Finish::kCommit;
  StoredTicket stored = require(store_.find(ref, finish), ref);
  details.ticket = std::move(stored.ticket);
  details.server_time = std::move(stored.server_time);
  details.time_zone = context_.time_zone;
  details.version = details.ticket.version.value_or(1);
  details.allowed_transitions = allowed_transitions(details.ticket.status);
  // A page of older messages leaves the description out: the first page had it.
  if (request.messages_cursor || details.ticket.description->empty()) details.ticket.description.reset();
  if (details.ticket.description && request.response_format == ResponseFormat::kConcise) {
    details.ticket.description = shorten(*details.ticket.description, kConciseText, details.truncated);
  }
  if (wants_messages)
    add_messages(details, request, before, wants(Include::kHistory) ? Finish::kKeepOpen : Finish::kCommit);
  if (wants(Include::kHistory)) {
    details.history = store_.history(ref, kHistorySteps + 1);
    if (details.history->size() > kHistorySteps) {
      details.history->resize(kHistorySteps);
      details.truncated = true;
      details.rest = details.rest.value_or("") + "Only the latest " + std::to_string(kHistorySteps) +
                     " steps of the history are shown. ";
    }
    std::reverse(details.history->begin(), details.history->end());
    bool was_cut = false;
    for (HistoryEvent& event : *details.history) {
      if (event.from) event.from = shorten(*event.from, kHistoryText, was_cut);
      if (event.to) event.to = shorten(*event.to, kHistoryText, was_cut);
    }
  }
  if (details.truncated && request.response_format == ResponseFormat::kConcise) {
    details.rest = details.rest.value_or("") + "Call get_ticket with response_format 'detailed' for whole texts.";
  }
  return details;
}

void TicketService::add_messages(TicketDetails& details, const GetTicket& request, std::int64_t before, Finish finish) {
  auto found = store_.messages(details.ticket.id, before, request.messages_limit + 1, finish);
  std::size_t budget = kTextBudget;
  if (details.ticket.description) budget -= std::min(budget, count_characters(*details.ticket.description));

  details.messages.emplace();
  std::int64_t oldest = before;
  const std::size_t limit = static_cast<std::size_t>(request.messages_limit);
  for (auto& [number, message] : found) {
    if (details.messages->size() == limit) break;
    if (request.response_format == ResponseFormat::kConcise) {
      message.body = shorten(message.body, kConciseText, details.truncated);
    }
    const std::size_t length = count_characters(message.body);
    if (length > budget) {
      details.truncated = true;
      break;
    }
    budget -= length;
    oldest = number;
    details.messages->push_back(std::move(message));
  }
  if (details.messages->size() < found.size()) {
    details.messages_cursor = context_.seal(encode(MessagesCursor{details.ticket.id, oldest}));
    details.rest = "There are older messages: call get_ticket with this messages_cursor. ";
  }
  std::reverse(details.messages->begin(), details.messages->end());
}

// ---- add_reply

AddedReply TicketService::add_reply(const AddReply& request) {
  const std::string ref = existing_form(request.id);
  refuse_nul("body", request.body);
  if (trim(clean(request.body)).empty())
    throw Refusal(Kind::kInvalid, "body is empty; write what the requester shall read");
  const std::string key = key_of(request.idempotency_key);
  if (!key.empty()) {
    RequestText text;
    text.add(std::string_view(ref))
        .add(std::string_view(request.body))
        .add(request.set_status ? name(*request.set_status) : "-");
    const ClaimedKey claim = store_.claim_key(context_.actor.principal, kReplyTool, key, text.text());
    if (!claim.is_new && !claim.is_same_request) refuse_other_arguments(kReplyTool, key);
    if (!claim.is_new) return replay_reply(claim);
  }
  const StoredTicket before = require(store_.find_for_update(ref), ref);
  const ReplyChange change = change_by_reply(before.ticket, request, context_.actor.principal);
  StoredTicket after = store_.add_reply(change, context_.actor, key.empty() ? Finish::kCommit : Finish::kKeepOpen);
  const std::int64_t number = after.ticket.version.value_or(0);
  if (!key.empty()) store_.settle_key(context_.actor.principal, kReplyTool, key, ref, number);

  AddedReply result;
  result.message = {ref + '-' + std::to_string(number),
                    Visibility::kPublic,
                    context_.actor.principal,
                    change.is_staff_reply ? AuthorRole::kStaff : AuthorRole::kRequester,
                    after.ticket.updated_at,
                    clean(request.body)};
  result.previous_status = before.ticket.status;
  result.status_changed = before.ticket.status != after.ticket.status;
  result.allowed_transitions = allowed_transitions(after.ticket.status);
  if (!result.status_changed && after.ticket.status < Status::kResolved && sounds_resolved(request.body)) {
    result.hint = "The status is still " + std::string(name(after.ticket.status)) +
                  ". If the ticket is done, reply with set_status 'resolved'.";
  }
  if (!result.status_changed && after.ticket.status >= Status::kResolved && !change.is_staff_reply) {
    result.hint =
        "The ticket stays " + std::string(name(after.ticket.status)) + ". A reply with set_status 'open' reopens it.";
  }
  result.ticket = std::move(after.ticket);
  result.server_time = std::move(after.server_time);
  result.time_zone = context_.time_zone;
  return result;
}

AddedReply TicketService::replay_reply(const ClaimedKey& key) {
  StoredTicket stored = require(store_.find(key.ticket, Finish::kKeepOpen), key.ticket);
  auto messages = store_.messages(key.ticket, key.message + 1, 1, Finish::kCommit);
  stored.ticket.description.reset();
  AddedReply result;
  result.created = false;
  result.message = std::move(messages.front().second);
  result.previous_status = stored.ticket.status;
  result.allowed_transitions = allowed_transitions(stored.ticket.status);
  result.ticket = std::move(stored.ticket);
  result.server_time = std::move(stored.server_time);
  result.time_zone = context_.time_zone;
  return result;
}

// ---- What the tools share

std::string TicketService::read_person(std::string_view person) const {
  return is_word(person, "me") ? context_.actor.principal : std::string(person);
}

std::optional<std::string> TicketService::read_moment_of(std::string_view parameter,
                                                         const std::optional<std::string>& input, bool is_end) {
  const std::optional<std::string> line = given(input);
  if (!line) return std::nullopt;
  auto moment = read_moment(*line, context_.time_zone, is_end ? DayEdge::kEnd : DayEdge::kStart);
  if (moment) return moment;
  throw Refusal(Kind::kInvalid, std::string(parameter) + " '" + *line + "' is not a date; today is " + store_.today() +
                                    "; use YYYY-MM-DD or a timestamp such as 2026-11-30T17:00 (years 2000 to 2199)");
}

std::string TicketService::existing_form(std::string_view id) const {
  std::optional<std::string> ref = read_ref(id);
  if (ref) return *std::move(ref);
  throw Refusal(Kind::kInvalid, "'" + clean_line(id) +
                                    "' is not a ticket id: ids are six letters and digits such as 7QK4MX. Use "
                                    "list_tickets to find the ticket.");
}

StoredTicket TicketService::require(std::optional<StoredTicket> found, std::string_view ref) {
  if (!found) refuse_unknown(ref);
  return *std::move(found);
}

void TicketService::refuse_unknown(std::string_view ref) {
  std::string message = "Ticket " + std::string(ref) + " not found.";
  const auto nearest = store_.nearest(refs_one_mistake_away(ref), ref.substr(0, 4));
  for (std::size_t i = 0; i < nearest.size(); ++i) {
    message.append(i == 0 ? " Nearest: " : ", ")
        .append(nearest[i].first)
        .append(" ")
        .append(quote_line(nearest[i].second));
  }
  message.append(nearest.empty() ? "" : ".").append(" Use list_tickets to find it.");
  throw Refusal(Kind::kNotFound, message);
}

std::string TicketService::key_of(const std::optional<std::string>& argument) const {
  const std::string& key = argument && !argument->empty() ? *argument : context_.request_idempotency_key;
  refuse_nul("idempotency_key", key);
  return key;
}

}  // namespace tickets
