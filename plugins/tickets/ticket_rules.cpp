#include "ticket_rules.hpp"

#include <algorithm>
#include <charconv>

#include "text.hpp"

namespace tickets {
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

std::string join_statuses(const std::vector<Status>& statuses) {
  std::string text;
  for (const Status status : statuses) text.append(text.empty() ? "" : ", ").append(name(status));
  return text;
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

std::string encode(const ListCursor& cursor) {
  return "list\n" + std::to_string(cursor.filters) + kSeparator + cursor.position.first_key + kSeparator +
         cursor.position.second_key + kSeparator + cursor.position.ref;
}

std::optional<ListCursor> decode_list_cursor(std::string_view text) {
  const auto parts = split(text);
  if (parts.size() != 5 || parts[0] != "list") return std::nullopt;
  const auto filters = read_number<std::uint64_t>(parts[1]);
  if (!filters) return std::nullopt;
  return ListCursor{*filters, {std::string(parts[2]), std::string(parts[3]), std::string(parts[4])}};
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

ReplyChange change_by_reply(const Ticket& ticket, const AddReply& request, std::string_view principal) {
  ReplyChange change;
  change.body = request.body;
  change.is_staff_reply = fold_case(ticket.requester.value_or("")) != fold_case(principal);

  // The answer that the ticket waited for takes it up again.
  const bool is_awaited =
      ticket.status == Status::kWaiting && ticket.waiting_on == "requester" && !change.is_staff_reply;
  const Status target = request.set_status.value_or(is_awaited ? Status::kOpen : ticket.status);
  if (!may_become(ticket.status, target)) {
    throw Refusal(Refusal::Kind::kConflict,
                  "Ticket " + ticket.id + " is " + std::string(name(ticket.status)) + " and cannot become " +
                      std::string(name(target)) +
                      "; from here it can become: " + join_statuses(allowed_transitions(ticket.status)) +
                      ". Nothing was written: reply again with one of these or without set_status.");
  }
  change.after = ticket;
  change.after.status = target;
  if (target != ticket.status) {
    change.counts_as_reopen = ticket.status == Status::kClosed;
    // Who replies in public and then waits, waits for the requester.
    change.after.waiting_on = target == Status::kWaiting ? std::optional<std::string>("requester") : std::nullopt;
    if (target < Status::kResolved) {
      change.after.resolution.reset();
      change.after.duplicate_of.reset();
    }
  }
  const auto note = [&](std::string_view field, std::string_view from, std::string_view to) {
    if (from != to) change.changes.push_back({std::string(field), std::string(from), std::string(to)});
  };
  note("status", name(ticket.status), name(target));
  note("waiting_on", ticket.waiting_on.value_or(""), change.after.waiting_on.value_or(""));
  note("resolution", ticket.resolution.value_or(""), change.after.resolution.value_or(""));
  note("duplicate_of", ticket.duplicate_of.value_or(""), change.after.duplicate_of.value_or(""));
  return change;
}

RequestText& RequestText::add(std::string_view field) {
  text_ += std::to_string(field.size());
  text_ += ':';
  text_ += field;
  return *this;
}

RequestText& RequestText::add(const std::optional<std::string>& field) {
  if (!field) return add(std::string_view("-"));
  return add(std::string_view("+")).add(std::string_view(*field));
}

RequestText& RequestText::add(const std::vector<std::string>& fields) {
  add(std::string_view(std::to_string(fields.size())));
  for (const std::string& field : fields) add(std::string_view(field));
  return *this;
}

std::uint64_t hash_of(const AppliedFilters& filters) {
  RequestText text;
  text.add(names(filters.status)).add(names(filters.priority.value_or(std::vector<Priority>{})));
  text.add(filters.assignee).add(filters.requester).add(filters.tags.value_or(std::vector<std::string>{}));
  text.add(filters.category).add(filters.created_after).add(filters.created_before);
  text.add(filters.updated_after).add(filters.due_before).add(name(filters.sort)).add(name(filters.order));
  return hash64(text.text());
}

}  // namespace tickets
