#pragma once
#include <toolhost/plugin/values.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What changes of a ticket or task, and what changed meanwhile.
namespace helpdesk {

/// One line of what a caller sets, or null for what they clear, by null or "none". Throws Refusal for a text that holds
/// nothing: it might mean either.
toolhost::Nullable<std::string> read_nullable(std::string_view parameter,
                                              const toolhost::Nullable<std::string>& argument);

struct FieldChange {
  std::string field, from, to;  ///< an empty value stands for none
};

/// Adds the change of one field, if it is one.
void add_change(std::vector<FieldChange>& changes, std::string_view field, std::string_view from, std::string_view to);

/// The same as results show it: on one line, shortened; no value stands for none.
struct ChangedField {
  std::string field;
  std::optional<std::string> from, to;
};
std::vector<ChangedField> changed_fields(const std::vector<FieldChange>& changes);

/// "priority normal -> high", "note "toner is in"": words of the system as they are, what people wrote quoted.
std::string described(const ChangedField& change);

/// One step of a history, as results show it.
struct HistoryEvent {
  std::string at, actor, via_key, field;
  std::optional<std::string> from, to;
};

/// One row of history that a caller with an older version does not know.
struct MissedStep {
  std::int64_t version = 0;
  std::string actor, field;
  std::optional<std::string> from, to;
  std::int64_t seconds_ago = 0;
};

/// "2 minutes ago"
std::string ago(std::int64_t seconds);

/// Refuses an update that expected another version, and says who changed what:
/// "Task 7QK4MX was changed by Ana 2 minutes ago: priority normal -> high; read again with get_task ...".
/// `what`: "Task 7QK4MX"; `steps`: those after the expected version, newest first.
[[noreturn]] void refuse_stale(std::string_view what, std::string_view reader, std::int64_t expected,
                               std::int64_t current, const std::vector<MissedStep>& steps);

}  // namespace helpdesk
