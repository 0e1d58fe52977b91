#pragma once
#include <toolhost/plugin/enums.hpp>
#include <toolhost/plugin/values.hpp>

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

/// What the four tools take and give, as plain values. The JSON names and descriptions stand in tickets_plugin.cpp.
namespace tickets {

enum class Status { kOpen, kInProgress, kWaiting, kResolved, kClosed };
TH_ENUM(Status, value(Status::kOpen, "open"), value(Status::kInProgress, "in_progress"),
        value(Status::kWaiting, "waiting"), value(Status::kResolved, "resolved"), value(Status::kClosed, "closed"))

enum class StatusFilter { kOpen, kInProgress, kWaiting, kResolved, kClosed, kUnresolved, kAll };
TH_ENUM(StatusFilter, value(StatusFilter::kOpen, "open"), value(StatusFilter::kInProgress, "in_progress"),
        value(StatusFilter::kWaiting, "waiting"), value(StatusFilter::kResolved, "resolved"),
        value(StatusFilter::kClosed, "closed"), value(StatusFilter::kUnresolved, "unresolved"),
        value(StatusFilter::kAll, "all"))

enum class Priority { kLow, kNormal, kHigh, kUrgent };
TH_ENUM(Priority, value(Priority::kLow, "low"), value(Priority::kNormal, "normal"), value(Priority::kHigh, "high"),
        value(Priority::kUrgent, "urgent"))

/// "medium" is taken as normal, with a remark in the result.
enum class PriorityInput { kLow, kNormal, kHigh, kUrgent, kMedium };
TH_ENUM(PriorityInput, value(PriorityInput::kLow, "low"), value(PriorityInput::kNormal, "normal"),
        value(PriorityInput::kHigh, "high"), value(PriorityInput::kUrgent, "urgent"),
        value(PriorityInput::kMedium, "medium"))

enum class SortKey { kUpdated, kCreated, kPriority, kDue };
TH_ENUM(SortKey, value(SortKey::kUpdated, "updated"), value(SortKey::kCreated, "created"),
        value(SortKey::kPriority, "priority"), value(SortKey::kDue, "due"))

enum class SortOrder { kDescending, kAscending };
TH_ENUM(SortOrder, value(SortOrder::kDescending, "desc"), value(SortOrder::kAscending, "asc"))

enum class ResponseFormat { kConcise, kDetailed };
TH_ENUM(ResponseFormat, value(ResponseFormat::kConcise, "concise"), value(ResponseFormat::kDetailed, "detailed"))

enum class Include { kMessages, kHistory };
TH_ENUM(Include, value(Include::kMessages, "messages"), value(Include::kHistory, "history"))

enum class Visibility { kPublic, kInternal };
TH_ENUM(Visibility, value(Visibility::kPublic, "public"), value(Visibility::kInternal, "internal"))

enum class AuthorRole { kRequester, kStaff };
TH_ENUM(AuthorRole, value(AuthorRole::kRequester, "requester"), value(AuthorRole::kStaff, "staff"))

/// How tools and database spell the enumerator.
template <class Enum>
constexpr std::string_view name(Enum enumerator) {
  for (const auto& entry : th_enum_values(std::type_identity<Enum>{})) {
    if (entry.value == enumerator) return entry.name;
  }
  return {};
}

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

struct AddReply {
  std::string id, body;
  std::optional<Status> set_status;
  std::optional<std::string> idempotency_key;
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

struct Message {
  std::string id;  ///< ticket and number, "7QK4MX-3"
  Visibility visibility = Visibility::kPublic;
  std::string author;
  AuthorRole author_role = AuthorRole::kStaff;
  std::string created_at, body;
};

struct HistoryEvent {
  std::string at, actor, via_key, field;
  std::optional<std::string> from, to;
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
  bool truncated = false;
  std::optional<std::string> rest;  ///< how to get what was left out
  std::string server_time, time_zone;
};

struct AddedReply {
  Message message;
  Ticket ticket;
  bool created = true;  ///< false: an earlier call with this idempotency_key had added it
  Status previous_status = Status::kOpen;
  bool status_changed = false;
  std::vector<Status> allowed_transitions;
  std::optional<std::string> hint;
  std::string server_time, time_zone;
};

// ---- Refusals

/// Why a call was not carried out, in a sentence that says what to do instead.
class Refusal : public std::runtime_error {
 public:
  enum class Kind { kInvalid, kNotFound, kConflict };
  Refusal(Kind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  [[nodiscard]] Kind kind() const noexcept { return kind_; }

 private:
  Kind kind_;
};

}  // namespace tickets
