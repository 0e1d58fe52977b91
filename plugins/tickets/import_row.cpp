#include "import_row.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <span>

#include "arguments.hpp"
#include "facts.hpp"
#include "foreign_moment.hpp"
#include "refusal.hpp"
#include "text.hpp"

namespace helpdesk::tickets {
namespace {

using JsonKind = JsonValue::Kind;
using Values = RowValues;

constexpr std::size_t kLongestTitle = 200;
constexpr std::size_t kTitleFromDescription = 80;
constexpr std::size_t kTitleSource = 1000;  // of a description, to look for its first line in
constexpr std::size_t kLongestText = 20'000;
constexpr std::size_t kLongestId = 200;
constexpr std::size_t kLongestName = 200;
constexpr std::size_t kLongestCategory = 60;
constexpr std::string_view kUnknownPerson = "unknown";

struct FieldNames {
  Field field;
  std::string_view name;                      ///< as a map names it, and the first column
  std::initializer_list<const char*> others;  ///< columns
};

const std::array<FieldNames, kFields>& field_names() {
  static const std::array<FieldNames, kFields> kNames = {{
      {Field::kId, "id", {"key", "number", "issue_key", "ticket_id", "ticket_number", "bug_id", "issue_id"}},
      {Field::kTitle, "title", {"summary", "subject", "short_description", "headline"}},
      {Field::kDescription, "description", {"text", "body", "content", "details", "long_description"}},
      {Field::kStatus, "status", {"state"}},
      {Field::kWaitingOn, "waiting_on", {}},
      {Field::kResolution, "resolution", {"resolution_code", "close_code"}},
      {Field::kDuplicateOf, "duplicate_of", {"dupe_of", "dup_of"}},
      {Field::kPriority, "priority", {}},
      {Field::kCategory, "category", {"component", "components", "topic", "issue_type", "ticket_type", "type"}},
      {Field::kTags, "tags", {"labels", "keywords"}},
      {Field::kAssignee, "assignee", {"assigned_to", "owner", "agent"}},
      {Field::kRequester,
       "requester",
       {"reporter", "creator", "created_by", "opened_by", "submitter", "customer", "author", "requested_by",
        "reported_by"}},
      {Field::kCreatedAt,
       "created_at",
       {"created", "creation_date", "creation_time", "created_on", "created_date", "date_created", "opened_at",
        "opened", "submitted_at", "date"}},
      {Field::kUpdatedAt,
       "updated_at",
       {"updated", "modified", "last_modified", "last_updated", "updated_on", "modified_at", "last_change_time"}},
      {Field::kDueAt, "due_at", {"due", "due_date", "duedate", "deadline"}},
      {Field::kFirstReplyAt, "first_reply_at", {}},
      {Field::kResolvedAt,
       "resolved_at",
       {"resolved", "resolution_date", "resolutiondate", "solved_at", "closed_at", "closed"}},
      {Field::kReopenCount, "reopen_count", {}},
      {Field::kMessages, "messages", {"comments", "conversation"}},
  }};
  return kNames;
}

/// Throws Refusal for a name that a map should not have.
Field field_named(std::string_view name) {
  const auto& all = field_names();
  const auto found = std::find_if(all.begin(), all.end(), [&](const FieldNames& one) { return one.name == name; });
  if (found != all.end()) return found->field;
  std::string message = "map: there is no field '" + clean_line(name) + "'; the fields are ";
  for (const FieldNames& one : all) message.append(&one == all.begin() ? "" : ", ").append(one.name);
  throw Refusal(Refusal::Kind::kInvalid, message);
}

/// A name or value as it is compared: letters and digits in lower case, without what separates them.
std::string bare(std::string_view text) {
  std::string out;
  for (const char c : fold_case(text)) {
    if (std::string_view(" _-./'\t").find(c) == std::string_view::npos) out += c;
  }
  return out;
}

/// What stands for no value in data of other systems.
bool is_nothing(std::string_view text) {
  static constexpr std::array<std::string_view, 8> kNothing = {"", "-", "--", "---", "n/a", "nan", "none", "null"};
  return std::binary_search(kNothing.begin(), kNothing.end(), fold_case(trim(text)));
}

/// The text of a value; of an object that of its most telling member.
std::string text_of(const JsonValue& value) {
  if (value.is(JsonKind::kArray)) {
    std::vector<std::string> texts;
    for (const JsonValue& item : value.items) texts.push_back(text_of(item));
    return joined(texts);
  }
  if (!value.is(JsonKind::kObject)) return value.text;
  for (const char* name : {"email", "emailAddress", "name", "displayName", "value", "id"}) {
    if (const JsonValue* member = value.find(name)) return text_of(*member);
  }
  return "";
}

std::optional<std::string> line_of(const Values& values, Field field) {
  if (values[field] == nullptr) return std::nullopt;
  std::string line = clean_line(text_of(*values[field]));
  if (is_nothing(line)) return std::nullopt;
  return line;
}

[[noreturn]] void refuse(const std::string& reason) {
  throw Refusal(Refusal::Kind::kInvalid, reason);
}

std::string quoted(std::string_view text) {
  bool was_cut = false;
  return '\'' + shorten(clean_line(text), 60, was_cut) + '\'';
}

void refuse_longer(std::string_view field, std::string_view text, std::size_t limit) {
  const std::size_t length = count_characters(text);
  if (length <= limit) return;
  refuse(std::string(field) + " has " + std::to_string(length) + " characters; at most " + std::to_string(limit));
}

// ---- Values of other systems; each list is sorted

template <class Value>
struct Word {
  std::string_view bare;
  Value value;
};

template <class Value>
std::optional<Value> meaning(std::span<const Word<Value>> words, std::string_view text) {
  const std::string word = bare(text);
  const auto found = std::find_if(words.begin(), words.end(), [&](const auto& one) { return one.bare == word; });
  if (found == words.end()) return std::nullopt;
  return found->value;
}

struct StatusMeaning {
  Status status;
  WaitingOn waiting_on = WaitingOn::kRequester;
};
constexpr Word<StatusMeaning> kStatuses[] = {
    {"open", {Status::kOpen}},
    {"new", {Status::kOpen}},
    {"unconfirmed", {Status::kOpen}},
    {"reopened", {Status::kOpen}},
    {"todo", {Status::kOpen}},
    {"backlog", {Status::kOpen}},
    {"created", {Status::kOpen}},
    {"received", {Status::kOpen}},
    {"unassigned", {Status::kOpen}},
    {"inprogress", {Status::kInProgress}},
    {"assigned", {Status::kInProgress}},
    {"started", {Status::kInProgress}},
    {"active", {Status::kInProgress}},
    {"accepted", {Status::kInProgress}},
    {"working", {Status::kInProgress}},
    {"workinprogress", {Status::kInProgress}},
    {"investigating", {Status::kInProgress}},
    {"patchavailable", {Status::kInProgress}},
    {"inreview", {Status::kInProgress}},
    {"underreview", {Status::kInProgress}},
    {"waiting", {Status::kWaiting}},
    {"pending", {Status::kWaiting}},
    {"pendingreminder", {Status::kWaiting}},
    {"needinfo", {Status::kWaiting}},
    {"needsinfo", {Status::kWaiting}},
    {"waitingforcustomer", {Status::kWaiting}},
    {"awaitingcustomer", {Status::kWaiting}},
    {"snoozed", {Status::kWaiting}},
    {"onhold", {Status::kWaiting, WaitingOn::kThirdParty}},
    {"hold", {Status::kWaiting, WaitingOn::kThirdParty}},
    {"blocked", {Status::kWaiting, WaitingOn::kThirdParty}},
    {"waitingforvendor", {Status::kWaiting, WaitingOn::kThirdParty}},
    {"waitingonthirdparty", {Status::kWaiting, WaitingOn::kThirdParty}},
    {"resolved", {Status::kResolved}},
    {"solved", {Status::kResolved}},
    {"fixed", {Status::kResolved}},
    {"done", {Status::kResolved}},
    {"complete", {Status::kResolved}},
    {"completed", {Status::kResolved}},
    {"verified", {Status::kResolved}},
    {"closed", {Status::kClosed}},
    {"cancelled", {Status::kClosed}},
    {"canceled", {Status::kClosed}},
    {"archived", {Status::kClosed}},
};

constexpr Word<Priority> kPriorities[] = {
    {"low", Priority::kLow},          {"lowest", Priority::kLow},       {"minor", Priority::kLow},
    {"trivial", Priority::kLow},      {"p4", Priority::kLow},           {"p5", Priority::kLow},
    {"normal", Priority::kNormal},    {"medium", Priority::kNormal},    {"moderate", Priority::kNormal},
    {"major", Priority::kNormal},     {"default", Priority::kNormal},   {"p3", Priority::kNormal},
    {"high", Priority::kHigh},        {"p2", Priority::kHigh},          {"important", Priority::kHigh},
    {"urgent", Priority::kUrgent},    {"critical", Priority::kUrgent},  {"blocker", Priority::kUrgent},
    {"highest", Priority::kUrgent},   {"p0", Priority::kUrgent},        {"p1", Priority::kUrgent},
    {"emergency", Priority::kUrgent}, {"immediate", Priority::kUrgent}, {"showstopper", Priority::kUrgent},
};

/// nullopt: a word that says that it is over, and not how.
constexpr Word<std::optional<Resolution>> kResolutions[] = {
    {"fixed", Resolution::kFixed},
    {"done", Resolution::kFixed},
    {"implemented", Resolution::kFixed},
    {"completed", Resolution::kFixed},
    {"resolved", Resolution::kFixed},
    {"delivered", Resolution::kFixed},
    {"informationprovided", Resolution::kFixed},
    {"workaround", Resolution::kWorkaround},
    {"duplicate", Resolution::kDuplicate},
    {"wontfix", Resolution::kWontFix},
    {"wontdo", Resolution::kWontFix},
    {"invalid", Resolution::kWontFix},
    {"notaproblem", Resolution::kWontFix},
    {"notabug", Resolution::kWontFix},
    {"notplanned", Resolution::kWontFix},
    {"rejected", Resolution::kWontFix},
    {"declined", Resolution::kWontFix},
    {"abandoned", Resolution::kWontFix},
    {"later", Resolution::kWontFix},
    {"worksforme", Resolution::kNotReproducible},
    {"notreproducible", Resolution::kNotReproducible},
    {"cannotreproduce", Resolution::kNotReproducible},
    {"incomplete", Resolution::kNotReproducible},
    {"moved", std::nullopt},
    {"pendingclosed", std::nullopt},
    {"unresolved", std::nullopt},
};

// ---- The parts of a ticket

std::optional<std::string> moment_of(const Values& values, Field field, std::string_view name,
                                     const ImportContext& context, DayEdge edge = DayEdge::kStart) {
  const auto line = line_of(values, field);
  // A column "resolved" or "closed" may hold yes or no.
  if (!line || is_word(*line, "true") || is_word(*line, "false")) return std::nullopt;
  auto moment = read_foreign_moment(*line, context.time_zone, edge);
  if (!moment) refuse(std::string(name) + ' ' + quoted(*line) + " is not a date that can be read in one way only");
  return moment;
}

void read_texts(ImportedTicket& ticket, const Values& values) {
  ticket.title = line_of(values, Field::kTitle).value_or("");
  if (const JsonValue* description = values[Field::kDescription]) {
    ticket.description = text_of(*description);
    std::erase(ticket.description, '\0');
  }
  if (is_blank(ticket.description)) ticket.description.clear();
  if (ticket.title.empty()) {
    bool was_cut = false;
    const std::string text = clean(shorten(ticket.description, kTitleSource, was_cut));
    std::string_view rest = trim(text);
    ticket.title = shorten_at_word(clean_line(rest.substr(0, rest.find('\n'))), kTitleFromDescription);
  }
  // A ticket of ours may be called "none".
  if (ticket.title.empty() && values[Field::kTitle] != nullptr)
    ticket.title = clean_line(text_of(*values[Field::kTitle]));
  if (ticket.title.empty()) refuse("there is neither a title nor a description");
  if (count_characters(ticket.title) > kLongestTitle) {
    // What does not fit into the title is kept.
    ticket.description = ticket.title + (ticket.description.empty() ? "" : "\n\n") + ticket.description;
    ticket.title = shorten_at_word(ticket.title, kLongestTitle);
  }
  refuse_longer("description", ticket.description, kLongestText);
}

void read_status(ImportedTicket& ticket, const Values& values) {
  if (const auto line = line_of(values, Field::kStatus)) {
    const auto found = meaning<StatusMeaning>(kStatuses, *line);
    if (!found)
      refuse("status " + quoted(*line) +
             " has no plain meaning here; give open, in_progress, waiting, resolved or closed");
    ticket.status = found->status;
    if (ticket.status == Status::kWaiting) ticket.waiting_on = found->waiting_on;
  }
  const auto waiting_on = line_of(values, Field::kWaitingOn);
  if (ticket.waiting_on && waiting_on) {
    ticket.waiting_on = bare(*waiting_on) == "thirdparty" ? WaitingOn::kThirdParty : WaitingOn::kRequester;
  }
  const auto resolution = line_of(values, Field::kResolution);
  if (resolution) {
    const auto found = meaning<std::optional<Resolution>>(kResolutions, *resolution);
    if (!found) {
      refuse("resolution " + quoted(*resolution) +
             " has no plain meaning here; give fixed, workaround, duplicate, wont_fix or not_reproducible");
    }
    if (ticket.status >= Status::kResolved) ticket.resolution = *found;  // one that was reopened has none
  }
  if (ticket.resolution == Resolution::kDuplicate) ticket.duplicate_of = line_of(values, Field::kDuplicateOf);
  if (ticket.duplicate_of && count_characters(*ticket.duplicate_of) > kLongestId) ticket.duplicate_of.reset();
  if (const auto line = line_of(values, Field::kPriority)) {
    const auto found = meaning<Priority>(kPriorities, *line);
    if (!found) refuse("priority " + quoted(*line) + " has no plain meaning here; give low, normal, high or urgent");
    ticket.priority = *found;
  }
}

std::vector<std::string> tags_of(const Values& values) {
  const JsonValue* value = values[Field::kTags];
  if (value == nullptr) return {};
  std::vector<std::string> tags;
  if (value->is(JsonKind::kArray)) {
    for (const JsonValue& item : value->items) tags.push_back(text_of(item));
  } else {
    const std::string text = text_of(*value);
    const char* separators = text.find_first_of(",;|") == std::string::npos ? " " : ",;|";
    for (std::size_t start = 0; start <= text.size();) {
      const std::size_t end = std::min(text.find_first_of(separators, start), text.size());
      tags.push_back(text.substr(start, end - start));
      start = end + 1;
    }
  }
  tags = read_tags(tags);
  std::size_t characters = 0;
  for (const std::string& tag : tags) characters += count_characters(tag);
  if (tags.size() > 20 || characters > 1000)
    refuse("there are more than 20 tags, or more than 1000 characters of them");
  return tags;
}

void read_people(ImportedTicket& ticket, const Values& values, const ImportContext& context) {
  if (const auto line = line_of(values, Field::kAssignee); line && !is_word(*line, "unassigned")) {
    refuse_longer("assignee", *line, kLongestName);
    ticket.assignee = context.person(*line);
  }
  const auto requester = line_of(values, Field::kRequester);
  refuse_longer("requester", requester.value_or(""), kLongestName);
  ticket.requester = requester ? context.person(*requester) : std::string(kUnknownPerson);
  if (const auto category = line_of(values, Field::kCategory)) {
    refuse_longer("category", *category, kLongestCategory);
    ticket.category = context.category(*category);
  }
}

/// The first member of an object under one of these names.
const JsonValue* member_of(const JsonValue& object, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const JsonValue* member = object.find(name);
    if (member != nullptr && !member->is(JsonKind::kNull)) return member;
  }
  return nullptr;
}

/// What nobody called public stays among staff.
bool is_public(const JsonValue& message) {
  if (const JsonValue* visibility = member_of(message, {"visibility"})) return is_word(visibility->text, "public");
  if (const JsonValue* flag = member_of(message, {"public", "is_public"})) return flag->text == "true";
  if (const JsonValue* flag = member_of(message, {"internal", "is_internal", "private", "is_private"}))
    return flag->text == "false";
  return false;
}

ImportedMessage read_message(const JsonValue& value, const ImportedTicket& ticket, const ImportContext& context) {
  ImportedMessage message;
  message.author = kUnknownPerson;
  message.created_at = ticket.created_at;
  bool has_author = false;
  if (value.is(JsonKind::kObject)) {
    if (const JsonValue* body = member_of(value, {"body", "text", "content", "comment", "message"}))
      message.body = text_of(*body);
    message.visibility = is_public(value) ? Visibility::kPublic : Visibility::kInternal;
    if (const JsonValue* author = member_of(value, {"author", "creator", "user", "from", "name"})) {
      const std::string line = clean_line(text_of(*author));
      refuse_longer("the author of a message", line, kLongestName);
      has_author = !line.empty();
      if (has_author) message.author = context.person(line);
    }
    if (const JsonValue* moment = member_of(value, {"created_at", "created", "creation_time", "date", "time"})) {
      message.created_at = read_foreign_moment(text_of(*moment), context.time_zone);
      if (!message.created_at) refuse("the date " + quoted(text_of(*moment)) + " of a message cannot be read");
    }
    const JsonValue* role = member_of(value, {"author_role"});
    const bool is_requester =
        role != nullptr ? role->text == "requester" : fold_case(message.author) == fold_case(ticket.requester);
    message.author_role = has_author && is_requester ? AuthorRole::kRequester : AuthorRole::kStaff;
  } else {
    message.body = text_of(value);
  }
  std::erase(message.body, '\0');
  refuse_longer("a message", message.body, kLongestText);
  return message;
}

void read_messages(ImportedTicket& ticket, const Values& values, const ImportContext& context) {
  const JsonValue* value = values[Field::kMessages];
  if (value == nullptr || !value->is(JsonKind::kArray)) return;
  for (const JsonValue& item : value->items) {
    ImportedMessage message = read_message(item, ticket, context);
    if (!is_blank(message.body)) ticket.messages.push_back(std::move(message));
  }
}

/// The id in the data, else what the whole row is.
std::string external_id_of(const Values& values, std::string_view json) {
  const auto line = line_of(values, Field::kId);
  if (line && count_characters(*line) <= kLongestId) return *line;
  return "row " + std::to_string(hash64(json)) + ' ' + std::to_string(json.size());
}

}  // namespace

Columns::Columns(const JsonValue& map) {
  const auto add = [this](Field field, const std::vector<std::string>& columns) {
    for (std::size_t rank = 0; rank < columns.size(); ++rank) places_.insert({columns[rank], {field, rank}});
  };
  // A column that is mapped is what it is mapped to, and nothing else.
  for (const JsonMember& member : map.members) {
    std::vector<std::string> columns;
    for (const JsonValue& column : member.value.items) columns.push_back(bare(column.text));
    add(field_named(member.name), columns);
  }
  for (const FieldNames& names : field_names()) {
    if (map.find(names.name) != nullptr) continue;
    std::vector<std::string> columns;
    if (names.field == Field::kId) columns.emplace_back("_id");
    columns.push_back(bare(names.name));
    for (const char* other : names.others) columns.push_back(bare(other));
    add(names.field, columns);
  }
}

RowValues Columns::values_of(const JsonValue& row) const {
  RowValues values;
  std::array<std::size_t, kFields> ranks{};
  for (const auto& [name, value] : row.members) {
    auto place = places_.find(name);
    if (place == places_.end()) place = places_.find(bare(name));
    const bool is_empty = value.is(JsonKind::kNull) || (value.is(JsonKind::kText) && is_blank(value.text));
    if (place == places_.end() || is_empty) continue;
    const auto field = static_cast<std::size_t>(place->second.field);
    if (values.values_[field] != nullptr && ranks[field] <= place->second.rank) continue;
    ranks[field] = place->second.rank;
    values.values_[field] = &value;
  }
  return values;
}

ImportedTicket read_import_row(const Columns& columns, const ImportContext& context, const JsonValue& row,
                               std::string_view json) {
  const Values values = columns.values_of(row);
  ImportedTicket ticket;
  ticket.external_id = external_id_of(values, json);
  if (const auto ref = read_ref(ticket.external_id); ref && ref->size() == kRefLength) ticket.ref = ref;
  read_texts(ticket, values);
  read_status(ticket, values);
  read_people(ticket, values, context);
  ticket.tags = tags_of(values);
  ticket.created_at = moment_of(values, Field::kCreatedAt, "created_at", context);
  ticket.updated_at = moment_of(values, Field::kUpdatedAt, "updated_at", context);
  ticket.due_at = moment_of(values, Field::kDueAt, "due_at", context, DayEdge::kEnd);
  if (ticket.due_at && *ticket.due_at < "2000") refuse("due_at " + quoted(*ticket.due_at) + " is before the year 2000");
  ticket.first_reply_at = moment_of(values, Field::kFirstReplyAt, "first_reply_at", context);
  if (ticket.status >= Status::kResolved) {
    ticket.resolved_at = moment_of(values, Field::kResolvedAt, "resolved_at", context);
  }
  if (const auto count = line_of(values, Field::kReopenCount)) {
    std::from_chars(count->data(), count->data() + std::min<std::size_t>(count->size(), 6), ticket.reopen_count);
  }
  read_messages(ticket, values, context);
  return ticket;
}

}  // namespace helpdesk::tickets
