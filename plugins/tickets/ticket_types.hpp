#pragma once
#include <toolhost/plugin/enums.hpp>
#include <toolhost/plugin/values.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "changes.hpp"
#include "names.hpp"
#include "pages.hpp"
#include "priority.hpp"

/// What the tools take and give, as plain values. The JSON names and descriptions stand in ticket_fields.hpp.
namespace helpdesk::tickets {

enum class Status { kOpen, kInProgress, kWaiting, kResolved, kClosed };
TH_ENUM(Status, value(Status::kOpen, "open"), value(Status::kInProgress, "in_progress"),
        value(Status::kWaiting, "waiting"), value(Status::kResolved, "resolved"), value(Status::kClosed, "closed"))

enum class StatusFilter { kOpen, kInProgress, kWaiting, kResolved, kClosed, kUnresolved, kAll };
TH_ENUM(StatusFilter, value(StatusFilter::kOpen, "open"), value(StatusFilter::kInProgress, "in_progress"),
        value(StatusFilter::kWaiting, "waiting"), value(StatusFilter::kResolved, "resolved"),
        value(StatusFilter::kClosed, "closed"), value(StatusFilter::kUnresolved, "unresolved"),
        value(StatusFilter::kAll, "all"))

enum class SortKey { kUpdated, kCreated, kPriority, kDue };
TH_ENUM(SortKey, value(SortKey::kUpdated, "updated"), value(SortKey::kCreated, "created"),
        value(SortKey::kPriority, "priority"), value(SortKey::kDue, "due"))

enum class Include { kMessages, kHistory, kTasks };
TH_ENUM(Include, value(Include::kMessages, "messages"), value(Include::kHistory, "history"),
        value(Include::kTasks, "tasks"))

enum class Resolution { kFixed, kWorkaround, kDuplicate, kWontFix, kNotReproducible };
TH_ENUM(Resolution, value(Resolution::kFixed, "fixed"), value(Resolution::kWorkaround, "workaround"),
        value(Resolution::kDuplicate, "duplicate"), value(Resolution::kWontFix, "wont_fix"),
        value(Resolution::kNotReproducible, "not_reproducible"))

enum class WaitingOn { kRequester, kThirdParty };
TH_ENUM(WaitingOn, value(WaitingOn::kRequester, "requester"), value(WaitingOn::kThirdParty, "third_party"))

enum class Visibility { kPublic, kInternal };
TH_ENUM(Visibility, value(Visibility::kPublic, "public"), value(Visibility::kInternal, "internal"))

enum class AuthorRole { kRequester, kStaff };
TH_ENUM(AuthorRole, value(AuthorRole::kRequester, "requester"), value(AuthorRole::kStaff, "staff"))

// ---- Arguments

struct CreateTicket {
  std::string title;
  std::optional<std::string> description;
  std::optional<PriorityInput> priority;
  std::optional<std::string> category;
  std::vector<std::string> tags;
  std::optional<std::string> assignee, requester, due_at, idempotency_key;
};

struct ListTickets {
  std::optional<toolhost::OneOrMany<StatusFilter>> status;
  std::vector<PriorityInput> priority;
  std::optional<std::string> assignee, requester;
  std::vector<std::string> tags;
  std::optional<std::string> category, created_after, created_before, updated_after, due_before;
  std::optional<SortKey> sort;
  std::optional<SortOrder> order;
  std::int64_t limit = 20;
  std::optional<std::string> cursor;
  ResponseFormat response_format = ResponseFormat::kConcise;
};

struct GetTicket {
  std::string id;
  std::optional<std::vector<Include>> include;
  std::int64_t messages_limit = 10;
  std::optional<std::string> messages_cursor;
  ResponseFormat response_format = ResponseFormat::kConcise;
};

/// What is absent stays; null clears.
struct UpdateTicket {
  std::string id;
  std::optional<std::string> title, description;
  std::optional<PriorityInput> priority;
  toolhost::Nullable<std::string> category, assignee;
  std::optional<std::string> requester;
  toolhost::Nullable<std::string> due_at;
  std::vector<std::string> tags_add, tags_remove;
  std::optional<std::int64_t> expected_version;
};

struct SetTicketStatus {
  std::string id;
  Status status = Status::kOpen;
  std::optional<Resolution> resolution;
  std::optional<std::string> duplicate_of;
  std::optional<WaitingOn> waiting_on;
  std::optional<std::string> comment;
  Visibility visibility = Visibility::kInternal;
  std::optional<std::int64_t> expected_version;
};

struct AddNote {
  std::string id, body;
  std::optional<std::string> idempotency_key;
};

struct AddReply {
  std::string id, body;
  std::optional<Status> set_status;
  std::optional<std::string> idempotency_key;
};

struct TicketHistory {
  std::string id;
  std::int64_t limit = 20;
  std::optional<std::string> cursor;
};

// ---- Results. Times are ISO 8601 in the tenant's time zone, with offset.

/// A ticket as far as the answer needs it: the first five always, the rest when asked for and set.
struct Ticket {
  std::string id, title;
  Status status = Status::kOpen;
  Priority priority = Priority::kNormal;
  std::string updated_at;
  std::optional<std::string> created_at, due_at, first_reply_at, resolved_at;
  std::optional<std::string> category, assignee, requester, waiting_on, resolution, duplicate_of;
  std::optional<std::vector<std::string>> tags;
  std::optional<std::int64_t> reopen_count, version;
  std::optional<std::string> description;
};

/// What a change answers with: the ticket in short.
struct TicketSummary {
  std::string id, title;
  Status status = Status::kOpen;
  std::optional<std::string> waiting_on, resolution, duplicate_of;
  Priority priority = Priority::kNormal;
  std::optional<std::string> assignee;
  std::string updated_at;
  std::int64_t version = 1;
};

struct Message {
  std::string id;  ///< ticket and number, "7QK4MX-3"
  Visibility visibility = Visibility::kPublic;
  std::string author;
  AuthorRole author_role = AuthorRole::kStaff;
  std::string created_at, body;
};

/// A task of a ticket, as the tasks plugin shows it.
struct LinkedTask {
  std::string id, title, status, priority;
  std::optional<std::string> assignee, due;  ///< due: a date, or a moment
};

struct PossibleDuplicate {
  std::string id, title;
  Status status = Status::kOpen;
  double score = 0;  ///< 1: same title; less: same significant words
};

struct CreatedTicket {
  Ticket ticket;
  bool created = true;  ///< false: an earlier call with this idempotency_key had created it
  std::vector<PossibleDuplicate> possible_duplicates;
  std::optional<std::vector<std::string>> warnings;
  std::string server_time, time_zone;
};

/// The filters as they were understood.
struct AppliedFilters {
  std::vector<StatusFilter> status;
  std::optional<std::vector<Priority>> priority;
  std::optional<std::string> assignee, requester;
  std::optional<std::vector<std::string>> tags;
  std::optional<std::string> category, created_after, created_before, updated_after, due_before;
  SortKey sort = SortKey::kUpdated;
  SortOrder order = SortOrder::kDescending;
};

struct TicketPage {
  std::vector<Ticket> tickets;
  std::optional<std::string> next_cursor;
  bool truncated = false;  ///< the page ended early, because its texts are long
  std::int64_t total = 0;
  bool total_is_exact = true;  ///< false: there are more than `total`
  AppliedFilters applied_filters;
  std::optional<std::vector<std::string>> warnings;
  std::string server_time, time_zone;
};

struct TicketDetails {
  Ticket ticket;
  std::vector<Status> allowed_transitions;
  std::int64_t version = 1;
  std::optional<std::vector<Message>> messages;      ///< oldest of this page first
  std::optional<std::string> messages_cursor;        ///< leads to the messages before these
  std::optional<std::vector<HistoryEvent>> history;  ///< the latest, oldest first
  std::optional<std::vector<LinkedTask>> tasks;
  bool truncated = false;
  std::optional<std::string> rest;  ///< how to get what was left out
  std::string server_time, time_zone;
};

struct UpdatedTicket {
  TicketSummary ticket;
  bool changed = false;  ///< false: everything was so already
  std::vector<ChangedField> changed_fields;
  std::optional<std::vector<std::string>> warnings;
  std::string server_time, time_zone;
};

struct ChangedStatus {
  TicketSummary ticket;
  Status previous_status = Status::kOpen;
  bool changed = false;
  std::vector<Status> allowed_transitions;
  std::optional<Message> comment;
  std::optional<std::string> hint;
  std::string server_time, time_zone;
};

struct AddedNote {
  Message message;
  TicketSummary ticket;
  bool created = true;  ///< false: an earlier call with this idempotency_key had added it
  std::optional<std::string> hint;
  std::string server_time, time_zone;
};

struct AddedReply {
  Message message;
  TicketSummary ticket;
  bool created = true;  ///< false: an earlier call with this idempotency_key had added it
  Status previous_status = Status::kOpen;
  bool status_changed = false;
  std::vector<Status> allowed_transitions;
  std::optional<std::string> hint;
  std::string server_time, time_zone;
};

struct HistoryPage {
  std::string id;
  std::vector<HistoryEvent> events;  ///< newest first
  std::optional<std::string> next_cursor;
  bool truncated = false;
  std::optional<std::string> rest;  ///< how to get what was left out
  std::string server_time, time_zone;
};

}  // namespace helpdesk::tickets
