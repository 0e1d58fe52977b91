#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "json_value.hpp"
#include "ticket_types.hpp"

/// Rows of other systems' data as tickets: pure functions and values.
namespace helpdesk::tickets {

/// What a column may hold.
enum class Field {
  kId,
  kTitle,
  kDescription,
  kStatus,
  kWaitingOn,
  kResolution,
  kDuplicateOf,
  kPriority,
  kCategory,
  kTags,
  kAssignee,
  kRequester,
  kCreatedAt,
  kUpdatedAt,
  kDueAt,
  kFirstReplyAt,
  kResolvedAt,
  kReopenCount,
  kMessages,
};

inline constexpr std::size_t kFields = 19;

/// The values of a row by field; nullptr for what holds nothing.
class RowValues {
 public:
  [[nodiscard]] const JsonValue* operator[](Field field) const { return values_[static_cast<std::size_t>(field)]; }

 private:
  friend class Columns;
  std::array<const JsonValue*, kFields> values_{};
};

/// Which column holds what: by name, whatever its case and separators. Where several do, the first name counts.
class Columns {
 public:
  /// `map`: an object {field: [column, ...]}, which goes before the names that everybody uses; a field with no column
  /// is left out. Throws Refusal for an unknown field.
  explicit Columns(const JsonValue& map);

  /// `row` must outlive the values.
  [[nodiscard]] RowValues values_of(const JsonValue& row) const;

 private:
  struct Place {
    Field field = Field::kId;
    std::size_t rank = 0;
  };
  std::unordered_map<std::string, Place> places_;
};

struct ImportedMessage {
  Visibility visibility = Visibility::kInternal;
  AuthorRole author_role = AuthorRole::kStaff;
  std::string author, body;
  std::optional<std::string> created_at;
};

/// A ticket as the data has it. Moments as read_moment() gives them.
struct ImportedTicket {
  std::string external_id;
  std::optional<std::string> ref;           ///< its id, when that could be one of ours
  std::optional<std::string> duplicate_of;  ///< an external id
  std::string title, description;
  Status status = Status::kOpen;
  std::optional<WaitingOn> waiting_on;
  std::optional<Resolution> resolution;
  Priority priority = Priority::kNormal;
  std::optional<std::string> category, assignee;
  std::vector<std::string> tags;
  std::string requester;
  std::optional<std::string> created_at, updated_at, due_at, first_reply_at, resolved_at;
  std::int64_t reopen_count = 0;
  std::vector<ImportedMessage> messages;
};

/// What the tenant makes of people and categories.
struct ImportContext {
  std::string time_zone;
  std::function<std::string(const std::string&)> person;    ///< never refuses
  std::function<std::string(const std::string&)> category;  ///< throws Refusal
};

/// One row. Throws Refusal, with the reason, for what cannot be a ticket. `json`: the text of `row`.
ImportedTicket read_import_row(const Columns& columns, const ImportContext& context, const JsonValue& row,
                               std::string_view json);

}  // namespace helpdesk::tickets
