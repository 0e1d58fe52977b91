#include "changes.hpp"

#include <algorithm>
#include <array>

#include "arguments.hpp"
#include "refusal.hpp"
#include "text.hpp"

namespace helpdesk {
namespace {

constexpr std::size_t kShownVersions = 3;
constexpr std::size_t kShownText = 60;
constexpr std::size_t kResultText = 200;

/// Fields whose values are words of the system. All others are written by people.
bool is_own_word(std::string_view field) {
  static constexpr std::array<std::string_view, 9> kFields = {
      "due_at", "due_date", "duplicate_of", "priority", "reply", "resolution", "status", "ticket_id", "waiting_on"};
  return std::binary_search(kFields.begin(), kFields.end(), field);
}

std::string shown(std::string_view field, const std::optional<std::string>& value) {
  if (!value) return "none";
  return is_own_word(field) ? quote_unless_token(*value) : quote_line(*value);
}

/// At most `limit` characters on one line.
std::optional<std::string> in_short(const std::optional<std::string>& value, std::size_t limit) {
  if (!value || value->empty()) return std::nullopt;
  bool was_cut = false;
  return shorten(clean_line(*value), limit, was_cut);
}

}  // namespace

toolhost::Nullable<std::string> read_nullable(std::string_view parameter,
                                              const toolhost::Nullable<std::string>& argument) {
  if (!argument.has_value()) return argument;
  std::string line = clean_line(*argument);
  if (line.empty()) {
    throw Refusal(Refusal::Kind::kInvalid,
                  std::string(parameter) + " is empty; pass null to clear it, or leave it out");
  }
  if (is_word(line, "none")) return nullptr;
  return line;
}

void add_change(std::vector<FieldChange>& changes, std::string_view field, std::string_view from, std::string_view to) {
  if (from != to) changes.push_back({std::string(field), std::string(from), std::string(to)});
}

std::vector<ChangedField> changed_fields(const std::vector<FieldChange>& changes) {
  std::vector<ChangedField> fields;
  for (const auto& [field, from, to] : changes)
    fields.push_back({field, in_short(from, kResultText), in_short(to, kResultText)});
  return fields;
}

std::string described(const ChangedField& change) {
  if (!change.from && !change.to) return change.field;
  if (!change.from) return change.field + ' ' + shown(change.field, change.to);
  return change.field + ' ' + shown(change.field, change.from) + " -> " + shown(change.field, change.to);
}

std::string ago(std::int64_t seconds) {
  struct Unit {
    std::int64_t seconds;
    const char* name;
  };
  static constexpr Unit kUnits[] = {{86400, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}};
  for (const Unit& unit : kUnits) {
    const std::int64_t count = seconds / unit.seconds;
    if (count >= 1) return std::to_string(count) + ' ' + unit.name + (count == 1 ? " ago" : "s ago");
  }
  return "just now";
}

void refuse_stale(std::string_view what, std::string_view reader, std::int64_t expected, std::int64_t current,
                  const std::vector<MissedStep>& steps) {
  std::string message(what);
  std::size_t versions = 0;
  std::int64_t version = 0;
  for (const MissedStep& step : steps) {
    if (step.version == version) {
      message += ", " + described({step.field, in_short(step.from, kShownText), in_short(step.to, kShownText)});
      continue;
    }
    if (versions++ == kShownVersions) {
      message += "; and more before";
      break;
    }
    version = step.version;
    message += versions == 1 ? " was changed by " : "; by ";
    message += clean_line(step.actor) + ' ' + ago(step.seconds_ago) + ": " +
               described({step.field, in_short(step.from, kShownText), in_short(step.to, kShownText)});
  }
  message += steps.empty() ? " has" : "; it has";
  message += " version " + std::to_string(current) + " now, not " + std::to_string(expected) + "; read again with " +
             std::string(reader) + " and repeat what you still want with expected_version " + std::to_string(current);
  throw Refusal(Refusal::Kind::kConflict, message);
}

}  // namespace helpdesk
