#include <algorithm>
#include <limits>

#include "refusal.hpp"
#include "text.hpp"
#include "ticket_service.hpp"

namespace helpdesk::tickets {
namespace {

using Kind = Refusal::Kind;

constexpr std::size_t kHistorySteps = 20;
constexpr std::size_t kHistoryText = 100;
constexpr std::size_t kTasks = 20;

void add_rest(TicketDetails& details, std::string_view sentence) {
  if (!details.rest) details.rest.emplace();
  details.rest->append(details.rest->empty() ? "" : " ").append(sentence);
}

void shorten_events(std::vector<HistoryEvent>& events, std::size_t limit, bool& was_cut) {
  for (HistoryEvent& event : events) {
    if (event.from) event.from = shorten(*event.from, limit, was_cut);
    if (event.to) event.to = shorten(*event.to, limit, was_cut);
  }
}

/// Characters of the old and new values.
std::size_t count_texts(const std::vector<HistoryEvent>& events) {
  std::size_t characters = 0;
  for (const HistoryEvent& event : events) {
    characters += count_characters(event.from.value_or("")) + count_characters(event.to.value_or(""));
  }
  return characters;
}

}  // namespace

TicketDetails TicketService::get(const GetTicket& request) {
  const std::string ref = read_id(kTicket, request.id);
  const std::vector<Include> include = request.include.value_or(std::vector<Include>{Include::kMessages});
  const auto wants = [&](Include part) { return std::find(include.begin(), include.end(), part) != include.end(); };
  const bool wants_messages = wants(Include::kMessages) || request.messages_cursor;
  const bool wants_tasks = wants(Include::kTasks) && context_.has_tasks;
  int left = (wants_messages ? 1 : 0) + (wants(Include::kHistory) ? 1 : 0) + (wants_tasks ? 1 : 0);
  const auto finish = [&] { return left-- == 0 ? Finish::kCommit : Finish::kKeepOpen; };

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
  StoredTicket stored = require(store_.find(ref, finish()), ref);
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
  if (wants_messages) add_messages(details, request, before, finish());
  if (wants(Include::kHistory)) add_history(details, finish());
  if (wants_tasks) add_tasks(details);
  if (wants(Include::kTasks) && !context_.has_tasks) add_rest(details, "This helpdesk keeps no tasks.");
  if (details.truncated && request.response_format == ResponseFormat::kConcise) {
    add_rest(details, "Call get_ticket with response_format 'detailed' for whole texts.");
  }
  return details;
}

void TicketService::add_history(TicketDetails& details, Finish finish) {
  const HistoryCursor latest{details.ticket.id, std::numeric_limits<std::int32_t>::max(), ""};
  HistoryRows rows = store_.history(latest, kHistorySteps + 1, context_.may_read_notes, finish);
  if (rows.events.size() > kHistorySteps) {
    rows.events.resize(kHistorySteps);
    details.truncated = true;
    add_rest(details, "Only the latest steps of the history are shown; ticket_history has them all.");
  }
  std::reverse(rows.events.begin(), rows.events.end());
  bool was_cut = false;
  shorten_events(rows.events, kHistoryText, was_cut);
  details.history = std::move(rows.events);
}

void TicketService::add_tasks(TicketDetails& details) {
  details.tasks = store_.tasks(details.ticket.id, kTasks + 1, Finish::kCommit);
  if (details.tasks->size() <= kTasks) return;
  details.tasks->resize(kTasks);
  details.truncated = true;
  add_rest(details, "There are more tasks: list_tasks with this ticket_id.");
}

void TicketService::add_messages(TicketDetails& details, const GetTicket& request, std::int64_t before, Finish finish) {
  auto found = store_.messages(details.ticket.id, before, request.messages_limit + 1, context_.may_read_notes, finish);
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
    add_rest(details, "There are older messages: call get_ticket with this messages_cursor.");
  }
  std::reverse(details.messages->begin(), details.messages->end());
}

HistoryPage TicketService::history(const TicketHistory& request) {
  const std::string ref = read_id(kTicket, request.id);
  HistoryCursor before{ref, std::numeric_limits<std::int32_t>::max(), ""};
  if (request.cursor) {
    const auto opened = context_.open(*request.cursor);
    const auto cursor = opened ? decode_history_cursor(*opened) : std::nullopt;
    if (!cursor || cursor->ref != ref) {
      throw Refusal(Kind::kInvalid, "cursor is not one that ticket_history gave for ticket " + ref +
                                        "; pass next_cursor exactly as it came, or leave it out to start from the "
                                        "latest step");
    }
    before = *cursor;
  }
  const auto limit = static_cast<std::size_t>(request.limit);
  HistoryRows rows = store_.history(before, request.limit + 1, context_.may_read_notes, Finish::kCommit);
  if (!rows.has_ticket) refuse_unknown(ref);
  HistoryPage page;
  page.id = ref;
  if (rows.events.size() > limit) {
    rows.events.resize(limit);
    page.next_cursor = context_.seal(encode(HistoryCursor{ref, rows.versions[limit - 1], rows.events.back().field}));
  }
  // Fewer steps leave more room for each text, and one may have all of it.
  const bool is_whole = limit == 1 && count_texts(rows.events) <= kTextBudget;
  if (!is_whole) shorten_events(rows.events, kTextBudget / (2 * limit), page.truncated);
  if (page.truncated) {
    page.rest = limit == 1 ? "The texts of this step are too long for one answer; what is cut off is not shown."
                           : "Texts are cut; a smaller limit shows more of each.";
  }
  page.events = std::move(rows.events);
  page.server_time = std::move(rows.server_time);
  page.time_zone = context_.time_zone;
  return page;
}

}  // namespace helpdesk::tickets
