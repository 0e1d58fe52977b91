#include "app/config/yaml_section.hpp"

#include <algorithm>
#include <set>
#include <tuple>

#include "app/commands/console.hpp"
#include "base/json_writer.hpp"
#include "base/similar_name.hpp"

namespace toolhost::app {
namespace {

std::string json_text(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

std::string json_texts(const std::vector<std::string>& texts) {
  std::string out = "[";
  for (const auto& text : texts) out += (out.size() > 1 ? "," : "") + json_text(text);
  return out + "]";
}

std::string of_pattern(const std::string& pattern) {
  return R"("type":"string")" + (pattern.empty() ? "" : R"(,"pattern":)" + json_text(pattern));
}

std::string range(std::int64_t low, std::int64_t high) {
  return R"("minimum":)" + std::to_string(low) + R"(,"maximum":)" + std::to_string(high);
}

constexpr const char* kSecretPattern = "^(env:|file:).+$";
constexpr const char* kTimePattern = "^[0-9]+ ?(ms|s|m|h|d)$";
constexpr const char* kSizePattern = "^[0-9]+ ?(KiB|MiB|GiB)?$";

}  // namespace

void Problems::add(const YAML::Mark& mark, std::string message) {
  list_.push_back({file_, mark.line + 1, mark.column + 1, printable(message)});
}

std::vector<ConfigProblem> Problems::take() {
  std::sort(list_.begin(), list_.end(), [](const auto& a, const auto& b) {
    return std::tie(a.line, a.column, a.message) < std::tie(b.line, b.column, b.message);
  });
  return std::move(list_);
}

ConfigPlace Problems::place(const YAML::Node& node) const {
  return {file_, node.Mark().line + 1, node.Mark().column + 1};
}

SourcePlace Problems::line(const YAML::Node& node) const {
  return {file_, node.Mark().line + 1};
}

Section::Section(Slot slot, Problems& problems) : slot_(std::move(slot)), problems_(problems) {
  if (slot_.schema != nullptr) {
    slot_.schema->is_mapping = true;
    return;
  }
  const YAML::Node& node = slot_.node;
  if (!node.IsDefined() || node.IsNull()) return;
  if (!node.IsMap()) {
    problems_.add(node, where() + " must be a mapping of keys to values");
    return;
  }
  std::set<std::string> seen;
  for (const auto& entry : node) {
    if (!entry.first.IsScalar()) {
      problems_.add(entry.first, "keys must be plain words");
    } else if (!seen.insert(entry.first.Scalar()).second) {
      problems_.add(entry.first, "duplicate key " + in_quotes(entry.first.Scalar()) + "; keep one of them");
    }
  }
  usable_ = true;
}

YAML::Node Section::find(const std::string& key) const {
  if (usable_) {
    for (const auto& entry : slot_.node)
      if (entry.first.IsScalar() && entry.first.Scalar() == key && !entry.second.IsNull()) return entry.second;
  }
  return YAML::Node(YAML::NodeType::Undefined);
}

Slot Section::take(const std::string& key, const char* about, const std::string& keywords,
                   const std::string& default_json) {
  known_.push_back(key);
  Slot slot{.name = slot_.name.empty() ? key : slot_.name + "." + key};
  if (slot_.schema == nullptr) {
    slot.node.reset(find(key));
    if (slot.node.IsDefined()) problems_.note(slot.name, slot.node);
    return slot;
  }
  auto& property = slot_.schema->properties.emplace_back(key, std::make_unique<SchemaNode>());
  slot.schema = property.second.get();
  slot.schema->description = about;
  slot.schema->may_be_empty = true;
  slot.schema->keywords = keywords;
  slot.schema->default_json = default_json;
  slot.node.reset(YAML::Node(YAML::NodeType::Undefined));
  return slot;
}

std::optional<std::string> Section::scalar(const std::string& key, const Slot& slot) {
  if (!slot.node.IsDefined()) return std::nullopt;
  if (slot.node.IsScalar()) return slot.node.Scalar();
  problems_.add(slot.node, where(key) + " must be a single value, not a " + (slot.node.IsMap() ? "mapping" : "list"));
  return std::nullopt;
}

Section Section::section(const std::string& key, const char* about) {
  return {take(key, about), problems_};
}

void Section::text(const std::string& key, const char* about, std::string& target, const char* pattern) {
  const auto found = scalar(key, take(key, about, of_pattern(pattern), target.empty() ? "" : json_text(target)));
  if (found) target = *found;
}

void Section::text(const std::string& key, const char* about, std::optional<std::string>& target) {
  if (auto found = scalar(key, take(key, about, of_pattern("")))) target = std::move(*found);
}

void Section::texts(const std::string& key, const char* about, std::vector<std::string>& target) {
  std::vector<std::string> found;
  if (scalars(key, about, "", json_texts(target), [&](const YAML::Node& item) { found.push_back(item.Scalar()); }))
    target = std::move(found);
}

void Section::flag(const std::string& key, const char* about, bool& target) {
  const auto found = scalar(key, take(key, about, R"("type":"boolean")", target ? "true" : "false"));
  if (!found) return;
  if (*found != "true" && *found != "false") return bad(key, "true or false", *found);
  target = *found == "true";
}

void Section::secret(const std::string& key, const char* about, std::optional<SecretReference>& target) {
  const auto found = scalar(key, take(key, about, of_pattern(kSecretPattern)));
  if (!found) return;
  if (found->starts_with("env:") || found->starts_with("file:")) {
    target = SecretReference{*found};
  } else {
    add(key, where(key) + " must say where the secret stands: env:NAME or file:/path; it is never written here");
  }
}

std::optional<std::int64_t> Section::whole_number(const std::string& key, const char* about,
                                                  std::optional<std::int64_t> now, std::int64_t low,
                                                  std::int64_t high) {
  const auto found = scalar(
      key, take(key, about, R"("type":"integer",)" + range(low, high), now && *now >= low ? std::to_string(*now) : ""));
  if (!found) return std::nullopt;
  constexpr Unit kNone{"", 1};
  const auto number = parse_with_unit(*found, {&kNone, 1});
  if (number && *number >= low && *number <= high) return number;
  bad(key, "a whole number from " + std::to_string(low) + " to " + std::to_string(high), *found);
  return std::nullopt;
}

std::optional<std::size_t> Section::size_in_bytes(const std::string& key, const char* about,
                                                  std::optional<std::int64_t> now, std::size_t low, std::size_t high) {
  const auto least = static_cast<std::int64_t>(low), most = static_cast<std::int64_t>(high);
  const auto found = scalar(
      key, take(key, about,
                R"("type":["integer","string"],)" + range(least, most) + R"(,"pattern":)" + json_text(kSizePattern),
                now ? json_text(with_unit(*now, size_units())) : ""));
  if (!found) return std::nullopt;
  const auto number = parse_with_unit(*found, size_units());
  if (number && *number >= least && *number <= most) return static_cast<std::size_t>(*number);
  bad(key, "a size from " + with_unit(least, size_units()) + " to " + with_unit(most, size_units()) + ", such as 64KiB",
      *found);
  return std::nullopt;
}

std::optional<std::chrono::milliseconds> Section::milliseconds(const std::string& key, const char* about,
                                                               std::chrono::milliseconds now,
                                                               std::chrono::milliseconds low,
                                                               std::chrono::milliseconds high,
                                                               std::chrono::milliseconds unit) {
  const auto shown = [](std::chrono::milliseconds time) { return with_unit(time.count(), time_units()); };
  const auto found = scalar(key, take(key, about, of_pattern(kTimePattern), json_text(shown(now))));
  if (!found) return std::nullopt;
  const auto number = parse_with_unit(*found, time_units());
  const bool is_in_range = number && *number >= low.count() && *number <= high.count();
  if (is_in_range && *number % unit.count() == 0) return std::chrono::milliseconds(*number);
  bad(key,
      "a time from " + shown(low) + " to " + shown(high) + (is_in_range ? " and a multiple of " + shown(unit) : "") +
          ", such as 500ms, 30s, 5m, 1h or 30d",
      *found);
  return std::nullopt;
}

std::optional<std::ptrdiff_t> Section::index_of_word(const std::string& key, const char* about,
                                                     const std::vector<std::string_view>& words, std::string_view now) {
  std::string keywords = R"("enum":[)", allowed;
  for (const auto word : words) {
    keywords += (allowed.empty() ? "" : ",") + json_text(word);
    allowed += (allowed.empty() ? "" : ", ") + std::string(word);
  }
  const auto found = scalar(key, take(key, about, keywords + "]", now.empty() ? "" : json_text(now)));
  if (!found) return std::nullopt;
  const auto word = std::find(words.begin(), words.end(), *found);
  if (word != words.end()) return word - words.begin();
  bad(key, "one of: " + allowed, *found);
  return std::nullopt;
}

bool Section::scalars(const std::string& key, const char* about, const char* pattern, const std::string& default_json,
                      const std::function<void(const YAML::Node&)>& read) {
  const Slot slot = take(key, about, R"("type":["array","null"])", default_json);
  if (slot.schema != nullptr) {
    slot.schema->items = std::make_unique<SchemaNode>();
    slot.schema->items->keywords = of_pattern(pattern);
  }
  if (!slot.node.IsDefined()) return false;
  if (!slot.node.IsSequence()) {
    problems_.add(slot.node, where(key) + " must be a list, such as [one, two]");
    return false;
  }
  for (const auto& item : slot.node) {
    if (item.IsScalar()) {
      read(item);
    } else {
      problems_.add(item, where(key) + " must hold plain texts");
    }
  }
  return true;
}

bool Section::list(const std::string& key, const char* about, const char* such_as,
                   const std::function<void(Slot)>& read) {
  const Slot slot = take(key, about, R"("type":["array","null"])");
  if (slot.schema != nullptr) {
    slot.schema->items = std::make_unique<SchemaNode>();
    read({.node = slot.node, .schema = slot.schema->items.get(), .name = slot.name + "[]"});
  }
  if (!slot.node.IsDefined()) return false;
  if (!slot.node.IsSequence()) {
    problems_.add(slot.node, where(key) + " must be a list; write '- " + such_as + "' for each");
    return false;
  }
  for (const auto& item : slot.node) {
    if (item.IsNull()) {
      problems_.add(item, where(key) + " has an empty entry; write '- " + such_as + "', or remove it");
    } else {
      read({.node = item, .name = slot.name + "[]"});
    }
  }
  return true;
}

bool Section::entries(const std::string& key, const char* about, const char* pattern,
                      const std::function<void(const YAML::Node&, Slot)>& read) {
  Slot slot = take(key, about);
  if (slot.schema != nullptr) {
    slot.schema->others = std::make_unique<SchemaNode>();
    slot.schema->other_names = pattern;
    slot.schema->is_mapping = true;
    read(YAML::Node(""), {.node = slot.node, .schema = slot.schema->others.get(), .name = slot.name + ".*"});
    return false;
  }
  const Section names(slot, problems_);
  if (!names.is_usable()) return false;
  for (const auto& entry : slot.node) {
    if (!entry.first.IsScalar()) continue;
    read(entry.first, {.node = entry.second, .name = slot.name + "." + entry.first.Scalar()});
  }
  return true;
}

void Section::free_mapping(const std::string& key, const char* about,
                           const std::function<void(const YAML::Node&)>& read) {
  const Slot slot = take(key, about, R"("type":["object","null"])");
  if (!slot.node.IsDefined()) return;
  if (!slot.node.IsMap()) return problems_.add(slot.node, where(key) + " must be a mapping of keys to values");
  read(slot.node);
}

std::optional<std::string> Section::special(const std::string& key, const char* about, const std::string& keywords,
                                            const std::string& default_json) {
  return scalar(key, take(key, about, keywords, default_json));
}

YAML::Node Section::value(const std::string& key, const char* about, const std::string& keywords) {
  return take(key, about, keywords).node;
}

void Section::require(const std::string& key, const std::string& message) {
  if (slot_.schema != nullptr) slot_.schema->required.push_back(key);
  if (!usable_) return;
  const YAML::Node found = find(key);
  if (!found.IsDefined()) {
    problems_.add(slot_.node, message);
  } else if (found.IsScalar() && found.Scalar().empty()) {
    problems_.add(found, message);
  }
}

void Section::finish() {
  if (!usable_) return;
  for (const auto& entry : slot_.node) {
    if (!entry.first.IsScalar()) continue;
    const std::string& key = entry.first.Scalar();
    if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    std::string message = "unknown key " + in_quotes(key) + (slot_.name.empty() ? "" : " in " + slot_.name);
    if (const auto near = similar_name(key, known_)) {
      message += "; did you mean '" + std::string(*near) + "'?";
    } else {
      message += "; known here:";
      for (const auto& name : known_) message += " " + name;
    }
    problems_.add(entry.first, std::move(message));
  }
}

void Section::bad(const std::string& key, const std::string& wanted, const std::string& got) {
  add(key, where(key) + " must be " + wanted + "; got " + in_quotes(got));
}

void Section::add(const std::string& key, const std::string& message) {
  const YAML::Node found = find(key);
  problems_.add(found.IsDefined() ? found : slot_.node, message);
}

std::string Section::where(const std::string& key) const {
  const std::string& section = slot_.name;
  if (key.empty()) return section.empty() ? "the file" : "'" + section + "'";
  return "'" + (section.empty() ? key : section + "." + key) + "'";
}

SourcePlace Section::place(const std::string& key) const {
  const YAML::Node found = find(key);
  return problems_.line(found.IsDefined() ? found : slot_.node);
}

}  // namespace toolhost::app
