#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "changes.hpp"
#include "ids.hpp"
#include "request_keys.hpp"
#include "rows.hpp"
#include "ticket_rules.hpp"
#include "ticket_types.hpp"

namespace toolhost {
class Call;
}

namespace helpdesk::tickets {

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
  bool is_cut = false;               ///< because the texts outgrew kTextBudget
  std::int64_t total = 0;            ///< counted up to kCounted
  bool total_is_exact = true;
  std::string server_time;
};

struct StoredTicket {
  Ticket ticket;  ///< with description
  std::string server_time;
};

/// A ticket's history, newest first; `position` of each event is its version.
struct HistoryRows {
  bool has_ticket = false;
  std::vector<HistoryEvent> events;
  std::vector<std::int64_t> versions;  ///< of the events
  std::string server_time;
};

/// What a change of fields writes; what is absent stays.
struct FieldUpdate {
  std::optional<std::string> title, description, requester;
  std::optional<std::int64_t> title_key;
  std::optional<Priority> priority;
  std::optional<std::vector<std::string>> tags;
  toolhost::Nullable<std::string> category, assignee, due_at;  ///< due_at as read_moment() gives it
};

/// The tables, in one call's transaction. Times come back in the tenant's time zone. Failures are toolhost::SqlError.
class TicketStore {
 public:
  virtual ~TicketStore() = default;

  /// One statement (sql/create_ticket.sql): the ticket, its first history step, its possible duplicates. nullopt when
  /// `ref` is taken: nothing was written.
  virtual std::optional<InsertedTicket> insert(const NewTicket& ticket, std::int64_t title_key, const Actor& actor,
                                               Finish finish) = 0;

  /// As in request_keys.hpp.
  virtual ClaimedKey claim_key(std::string_view tool, std::string_view key, std::string_view request) = 0;
  virtual void settle_key(std::string_view tool, std::string_view key, std::string_view ref, std::int64_t message) = 0;

  /// A page of up to `limit` tickets; fewer when their texts outgrow kTextBudget.
  virtual TicketRows list(const TicketFilter& filter, SortKey sort, SortOrder order,
                          const std::optional<PagePosition>& after, std::int64_t limit, ResponseFormat format) = 0;

  virtual std::optional<StoredTicket> find(std::string_view ref, Finish finish) = 0;
  /// The same, and nobody else changes the ticket until the transaction ends.
  virtual std::optional<StoredTicket> find_for_update(std::string_view ref) = 0;

  /// Up to `limit` messages numbered below `before`, newest first, with their numbers.
  virtual std::vector<std::pair<std::int64_t, Message>> messages(std::string_view ref, std::int64_t before,
                                                                 std::int64_t limit, bool with_notes,
                                                                 Finish finish) = 0;
  /// Up to `limit` steps before the position of `before`, newest first. Ends the transaction when `finish` says so.
  virtual HistoryRows history(const HistoryCursor& before, std::int64_t limit, bool with_notes, Finish finish) = 0;
  /// What happened after a version, newest first.
  virtual std::vector<MissedStep> steps_since(std::string_view ref, std::int64_t version) = 0;
  /// The ticket's tasks, those that are due first first.
  virtual std::vector<LinkedTask> tasks(std::string_view ref, std::int64_t limit, Finish finish) = 0;

  /// Writes the status columns, the message and the history; returns the ticket as it is now.
  virtual StoredTicket write(const TicketChange& change, const Actor& actor, Finish finish) = 0;
  /// Writes fields and their history. The ticket is held by find_for_update().
  virtual StoredTicket write(const TicketChange& change, const FieldUpdate& update, const Actor& actor) = 0;

  /// What the ticket is said to repeat, and nobody changes that until the transaction ends. nullopt: there is no such
  /// ticket; empty: it repeats none.
  virtual std::optional<std::string> duplicate_of(std::string_view ref) = 0;

  /// A moment of read_moment() as it is shown.
  virtual std::string shown(const std::string& moment) = 0;

  // For the texts of refusals; they leave the transaction open, so that it is rolled back.
  /// As nearest_ids() of ids.hpp.
  virtual std::vector<IdAndTitle> nearest(std::string_view ref) = 0;

  /// "2026-11-23 (Mon, Europe/Berlin)"
  virtual std::string today() = 0;
};

/// The store in PostgreSQL; uses `call` as long as it lives. `tasks_view`: how SQL names the tasks of tickets, or
/// empty.
std::unique_ptr<TicketStore> create_ticket_store(toolhost::Call& call, std::string time_zone, std::string tasks_view);

}  // namespace helpdesk::tickets
