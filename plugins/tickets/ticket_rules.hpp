#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ticket_types.hpp"

/// What is allowed and what follows from it: pure functions and values.
namespace tickets {

// ---- The status machine

/// What a ticket in `from` may become, in a fixed order; not `from` itself, which is always accepted and changes
/// nothing.
std::vector<Status> allowed_transitions(Status from);

/// True for the same status and for what allowed_transitions() lists.
bool may_become(Status from, Status to);

// ---- Cursors, before they are sealed

/// Where a page ended: the sort columns of its last ticket.
struct PagePosition {
  std::string first_key, second_key, ref;
};

/// Where a list goes on, and for which filters and order.
struct ListCursor {
  std::uint64_t filters = 0;
  PagePosition position;
};
std::string encode(const ListCursor& cursor);
/// nullopt for what encode() does not make, such as the cursor of another tool.
std::optional<ListCursor> decode_list_cursor(std::string_view text);

/// Where the messages of one ticket go on: below this number.
struct MessagesCursor {
  std::string ref;
  std::int64_t before = 0;
};
std::string encode(const MessagesCursor& cursor);
std::optional<MessagesCursor> decode_messages_cursor(std::string_view text);

// ---- What a reply does to its ticket

struct FieldChange {
  std::string field, from, to;  ///< an empty value stands for none
};

/// A reply and what becomes of its ticket. `after` holds the status columns as they will be.
struct ReplyChange {
  Ticket after;
  std::vector<FieldChange> changes;
  bool counts_as_reopen = false;
  bool is_staff_reply = false;  ///< by somebody other than the requester
  std::string body;
};

/// The change that `principal` makes by this reply. Throws Refusal when the status machine forbids it.
ReplyChange change_by_reply(const Ticket& ticket, const AddReply& request, std::string_view principal);

// ---- Comparing requests

/// A text that differs for requests that differ: every field with its length.
class RequestText {
 public:
  RequestText& add(std::string_view field);
  RequestText& add(const std::optional<std::string>& field);
  RequestText& add(const std::vector<std::string>& fields);
  [[nodiscard]] const std::string& text() const noexcept { return text_; }

 private:
  std::string text_;
};

/// Same value for the same filters, sort and order: what a cursor belongs to.
std::uint64_t hash_of(const AppliedFilters& filters);

}  // namespace tickets
