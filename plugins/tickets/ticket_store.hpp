#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ticket_rules.hpp"
#include "ticket_types.hpp"

namespace toolhost {
class Call;
}

namespace tickets {

/// Whether more statements follow in the transaction of the call, or this one commits in its own round trip.
enum class Finish { kKeepOpen, kCommit };

/// Who writes: recorded with every change.
struct Actor {
  std::string principal, key_prefix;
};

struct NewTicket {
  std::string ref, title, description;
  Priority priority = Priority::kNormal;
  std::optional<std::string> category, assignee;
  std::vector<std::string> tags;
  std::string requester;
  std::optional<std::string> due_at;  ///< as read_moment() gives it
};

struct InsertedTicket {
  std::string created_at;
  std::optional<std::string> due_at;
  std::vector<PossibleDuplicate> twins;  ///< newest first; without score
  std::optional<std::string>
      repeated_ref;  ///< a twin that the same key created within the last 60 s with the same text
};

/// What an idempotency key stands for.
struct ClaimedKey {
  bool is_new = true;           ///< this call has it now, until its transaction ends
  bool is_same_request = true;  ///< otherwise: whether the earlier call had the same arguments,
  std::string ticket;           ///< and what it wrote
  std::int64_t message = 0;
};

/// Filters with everything resolved: people by name, moments as read_moment() gives them.
struct TicketFilter {
  bool only_unresolved = true;
  std::optional<std::vector<Status>> statuses;  ///< exactly these
  std::optional<std::vector<Priority>> priorities;
  bool only_unassigned = false;
  std::optional<std::string> assignee, requester, category;
  std::optional<std::vector<std::string>> tags;  ///< all of them
  std::optional<std::string> created_after, created_before, updated_after, due_before;
};

struct TicketRows {
  std::vector<Ticket> tickets;
  std::optional<PagePosition> last;  ///< set when more follow
  std::int64_t total = 0;            ///< counted up to kCountedTickets
  bool total_is_exact = true;
  std::string server_time;
};
inline constexpr std::int64_t kCountedTickets = 1000;

struct StoredTicket {
  Ticket ticket;  ///< with description
  std::string server_time;
};

/// The tables, in one call's transaction. Times come back in the tenant's time zone. Failures are toolhost::SqlError.
class TicketStore {
 public:
  virtual ~TicketStore() = default;

  /// One statement (sql/create_ticket.sql): the ticket, its first history step, its possible duplicates. nullopt when
  /// `ref` is taken: nothing was written.
  virtual std::optional<InsertedTicket> insert(const NewTicket& ticket, std::int64_t title_key, const Actor& actor,
                                               Finish finish) = 0;

  /// Waits for a concurrent call with the same key to end.
  virtual ClaimedKey claim_key(std::string_view principal, std::string_view tool, std::string_view key,
                               std::string_view request) = 0;
  /// Notes what the claimed key stands for, and forgets a few keys older than 24 hours. Ends the transaction.
  virtual void settle_key(std::string_view principal, std::string_view tool, std::string_view key, std::string_view ref,
                          std::int64_t message) = 0;

  virtual TicketRows list(const TicketFilter& filter, SortKey sort, SortOrder order,
                          const std::optional<PagePosition>& after, std::int64_t limit, ResponseFormat format) = 0;

  virtual std::optional<StoredTicket> find(std::string_view ref, Finish finish) = 0;
  /// The same, and nobody else changes the ticket until the transaction ends.
  virtual std::optional<StoredTicket> find_for_update(std::string_view ref) = 0;

  /// Up to `limit` messages numbered below `before`, newest first, with their numbers.
  virtual std::vector<std::pair<std::int64_t, Message>> messages(std::string_view ref, std::int64_t before,
                                                                 std::int64_t limit, Finish finish) = 0;
  /// Up to `limit` steps, newest first.
  virtual std::vector<HistoryEvent> history(std::string_view ref, std::int64_t limit) = 0;

  /// Writes the message, the ticket's new state and its history; returns the ticket and the number of the message.
  virtual StoredTicket add_reply(const ReplyChange& reply, const Actor& actor, Finish finish) = 0;

  // For the texts of refusals; they leave the transaction open, so that it is rolled back.
  /// Up to three tickets whose id is among `refs` or begins with `prefix`, the former first: id and title.
  virtual std::vector<std::pair<std::string, std::string>> nearest(const std::vector<std::string>& refs,
                                                                   std::string_view prefix) = 0;

  /// "2026-11-23 (Mon, Europe/Berlin)"
  virtual std::string today() = 0;
};

/// The store in PostgreSQL; uses `call` as long as it lives.
std::unique_ptr<TicketStore> create_ticket_store(toolhost::Call& call, std::string time_zone);

}  // namespace tickets
