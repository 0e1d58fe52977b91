#include "plugin_runtime/sensitive_members.hpp"

#include <algorithm>
#include <deque>
#include <map>

#include "base/json_schema_text.hpp"
#include "base/json_writer.hpp"

namespace toolhost::plugin_runtime {
namespace {

constexpr std::string_view kSensitiveMark = "x-sensitive";
constexpr std::string_view kRedacted = "[redacted]";

using Places = std::vector<std::uint32_t>;

/// A subschema as it stands there; the lists are of places.
struct RawPlace {
  bool is_sensitive = false;
  bool leads_to_sensitive = false;  // itself included
  Places also;                      // apply to the same value
  std::map<std::string, Places> members;
  Places every_member, other_members, items;
};

void append(Places& to, const Places& from) {
  to.insert(to.end(), from.begin(), from.end());
}

std::string step(const std::string& pointer, std::string_view name) {
  std::string text = pointer + '/';
  for (const char c : name) {
    if (c == '~')
      text += "~0";
    else if (c == '/')
      text += "~1";
    else
      text += c;
  }
  return text;
}

}  // namespace

/// Walks through the schema, then keeps what leads to a mark.
class SensitiveMembersCompiler {
 public:
  explicit SensitiveMembersCompiler(const json::Value& root) : root_(root) {}

  std::vector<SensitiveMembers::Place> run() {
    collect_names({}, root_);
    place_of({}, root_);
    while (!queue_.empty()) {
      const auto [place, pointer, schema] = std::move(queue_.front());
      queue_.pop_front();
      read(place, pointer, schema);
    }
    find_what_leads_to_marks();
    std::vector<SensitiveMembers::Place> places;
    if (!raw_.front().leads_to_sensitive) return places;
    for (const auto& raw : raw_) places.push_back(compile(raw));
    return places;
  }
  [[nodiscard]] Places root() const { return closed({0}); }

 private:
  struct Pending {
    std::uint32_t place;
    std::string pointer;
    json::Value schema;
  };
  struct Named {
    std::string pointer;
    json::Value schema;
  };

  /// Every "$id" and anchor; data that only looks like one does no harm.
  void collect_names(const std::string& pointer, const json::Value& value) {
    if (json::Array array; value.get(array) == simdjson::SUCCESS) {
      std::size_t index = 0;
      for (const auto element : array) collect_names(step(pointer, std::to_string(index++)), element);
    }
    json::Object object;
    if (value.get(object) != simdjson::SUCCESS) return;
    for (const auto [name, member] : object) {
      std::string_view text;
      if (name == "$id") resources_.push_back({pointer, value});
      if ((name == "$anchor" || name == "$dynamicAnchor") && member.get(text) == simdjson::SUCCESS)
        anchors_.emplace(text, Named{pointer, value});
      collect_names(step(pointer, name), member);
    }
  }

  std::uint32_t place_of(const std::string& pointer, const json::Value& schema) {
    const auto [found, is_new] = known_.try_emplace(pointer, static_cast<std::uint32_t>(raw_.size()));
    if (is_new) {
      raw_.emplace_back();
      queue_.push_back({found->second, pointer, schema});
    }
    return found->second;
  }

  void read(std::uint32_t place, const std::string& pointer, const json::Value& schema) {
    json::Object keywords;
    if (schema.get(keywords) != simdjson::SUCCESS) return;
    for (const auto [name, value] : keywords) {
      const auto at = step(pointer, name);
      bool flag = false;
      std::string_view text;
      if (name == kSensitiveMark && value.get(flag) == simdjson::SUCCESS && flag) {
        raw_[place].is_sensitive = raw_[place].leads_to_sensitive = true;
      } else if (name == "$ref" || name == "$dynamicRef") {
        if (value.get(text) == simdjson::SUCCESS) add_reference(place, text);
      } else if (name == "allOf" || name == "anyOf" || name == "oneOf" || name == "dependentSchemas") {
        add_each(place, &RawPlace::also, at, value);
      } else if (name == "not" || name == "if" || name == "then" || name == "else") {
        add(place, &RawPlace::also, at, value);
      } else if (name == "properties") {
        add_properties(place, at, value);
      } else if (name == "patternProperties") {
        add_each(place, &RawPlace::every_member, at, value);
      } else if (name == "additionalProperties" || name == "unevaluatedProperties") {
        add(place, &RawPlace::other_members, at, value);
      } else if (name == "items" || name == "contains" || name == "unevaluatedItems") {
        add(place, &RawPlace::items, at, value);
      } else if (name == "prefixItems") {
        add_each(place, &RawPlace::items, at, value);
      }
    }
  }

  // place_of() may move raw_: the place is looked up after it.
  void add(std::uint32_t place, Places RawPlace::* list, const std::string& pointer, const json::Value& schema) {
    const auto found = place_of(pointer, schema);
    (raw_[place].*list).push_back(found);
  }

  /// Every element of an array, or member of an object.
  void add_each(std::uint32_t place, Places RawPlace::* list, const std::string& pointer, const json::Value& schemas) {
    if (json::Array array; schemas.get(array) == simdjson::SUCCESS) {
      std::size_t index = 0;
      for (const auto schema : array) add(place, list, step(pointer, std::to_string(index++)), schema);
    }
    if (json::Object object; schemas.get(object) == simdjson::SUCCESS)
      for (const auto [name, schema] : object) add(place, list, step(pointer, name), schema);
  }

  void add_properties(std::uint32_t place, const std::string& pointer, const json::Value& properties) {
    json::Object object;
    if (properties.get(object) != simdjson::SUCCESS) return;
    for (const auto [name, schema] : object) {
      const auto found = place_of(step(pointer, name), schema);
      raw_[place].members[std::string(name)].push_back(found);
    }
  }

  /// All that the reference may mean; with "$id" in the schema that can be more than one.
  void add_reference(std::uint32_t place, std::string_view reference) {
    const auto hash = reference.find('#');
    const auto fragment =
        hash == reference.npos ? std::string() : schema_text::percent_decode(std::string(reference.substr(hash + 1)));
    if (!fragment.empty() && fragment.front() != '/') {
      const auto [first, last] = anchors_.equal_range(fragment);
      for (auto named = first; named != last; ++named)
        add(place, &RawPlace::also, named->second.pointer, named->second.schema);
      return;
    }
    auto bases = resources_;
    bases.push_back({{}, root_});
    for (const auto& [pointer, base] : bases) {
      json::Value found = base;
      if (fragment.empty() || base.at_pointer(fragment).get(found) == simdjson::SUCCESS)
        add(place, &RawPlace::also, pointer + fragment, found);
    }
  }

  void find_what_leads_to_marks() {
    const auto leads = [this](const Places& places) {
      return std::any_of(places.begin(), places.end(),
                         [this](std::uint32_t place) { return raw_[place].leads_to_sensitive; });
    };
    for (bool has_changed = true; has_changed;) {
      has_changed = false;
      for (auto raw = raw_.rbegin(); raw != raw_.rend(); ++raw) {
        if (raw->leads_to_sensitive) continue;
        raw->leads_to_sensitive = leads(raw->also) || leads(raw->every_member) || leads(raw->other_members) ||
                                  leads(raw->items) ||
                                  std::any_of(raw->members.begin(), raw->members.end(),
                                              [&](const auto& member) { return leads(member.second); });
        has_changed |= raw->leads_to_sensitive;
      }
    }
  }

  /// These and all that apply to the same value, as far as they lead to a mark.
  Places closed(Places places) const {
    std::vector<bool> is_in(raw_.size());
    Places all;
    while (!places.empty()) {
      const auto place = places.back();
      places.pop_back();
      if (is_in[place] || !raw_[place].leads_to_sensitive) continue;
      is_in[place] = true;
      all.push_back(place);
      append(places, raw_[place].also);
    }
    std::sort(all.begin(), all.end());
    return all;
  }

  SensitiveMembers::Place compile(const RawPlace& raw) const {
    SensitiveMembers::Place place{.is_sensitive = raw.is_sensitive, .members = {}, .other_members = {}, .items = {}};
    if (!raw.leads_to_sensitive) return place;
    for (const auto& [name, schemas] : raw.members) {
      auto members = schemas;
      append(members, raw.every_member);
      place.members.emplace_back(name, closed(std::move(members)));
    }
    auto others = raw.other_members;
    append(others, raw.every_member);
    place.other_members = closed(std::move(others));
    place.items = closed(raw.items);
    return place;
  }

  const json::Value root_;
  std::vector<Named> resources_;
  std::multimap<std::string, Named, std::less<>> anchors_;
  std::map<std::string, std::uint32_t> known_;
  std::vector<RawPlace> raw_;
  std::deque<Pending> queue_;
};

/// Writes a value by the places that apply to it; the rest as it is.
class RedactingWriter {
 public:
  RedactingWriter(std::string& out, const std::vector<SensitiveMembers::Place>& places) : json_(out), places_(places) {}

  /// `places` is a range of stack_, which may move.
  void write(const json::Value& value, std::size_t first, std::size_t last) {
    if (first == last) return raw(value);
    for (auto at = first; at != last; ++at)
      if (places_[stack_[at]].is_sensitive) return static_cast<void>(json_.string(kRedacted));
    if (json::Object object; value.get(object) == simdjson::SUCCESS) return write_members(object, first, last, false);
    json::Array array;
    if (value.get(array) != simdjson::SUCCESS) return raw(value);
    json_.begin_array();
    const auto items = stack_.size();
    for (auto at = first; at != last; ++at) push(places_[stack_[at]].items, items);
    for (const auto item : array) write(item, items, stack_.size());
    stack_.resize(items);
    json_.end_array();
  }

  void write_members(const json::Object& object, std::size_t first, std::size_t last, bool redact_all) {
    json_.begin_object();
    for (const auto [name, member] : object) {
      json_.key(name);
      if (redact_all) {
        json_.string(kRedacted);
        continue;
      }
      const auto base = stack_.size();
      for (auto at = first; at != last; ++at) push(places_of(places_[stack_[at]], name), base);
      write(member, base, stack_.size());
      stack_.resize(base);
    }
    json_.end_object();
  }

  std::vector<std::uint32_t>& stack() noexcept { return stack_; }

 private:
  static const std::vector<std::uint32_t>& places_of(const SensitiveMembers::Place& place, std::string_view name) {
    const auto found =
        std::lower_bound(place.members.begin(), place.members.end(), name,
                         [](const auto& member, std::string_view wanted) { return member.first < wanted; });
    return found != place.members.end() && found->first == name ? found->second : place.other_members;
  }

  void push(const std::vector<std::uint32_t>& places, std::size_t base) {
    for (const auto place : places)
      if (std::find(stack_.begin() + static_cast<std::ptrdiff_t>(base), stack_.end(), place) == stack_.end())
        stack_.push_back(place);
  }

  void raw(const json::Value& value) {
    text_.clear();
    json::append_text(text_, value);
    json_.raw(text_);
  }

  JsonWriter json_;
  const std::vector<SensitiveMembers::Place>& places_;
  std::vector<std::uint32_t> stack_;  // the places of a value, then those of its members or items, ...
  std::string text_;
};

SensitiveMembers::SensitiveMembers(const json::Value& schema) {
  SensitiveMembersCompiler compiler(schema);
  places_ = compiler.run();
  root_ = compiler.root();
}

void SensitiveMembers::append_redacted(std::string& out, const json::Value& arguments) const {
  json::Object object;
  if (places_.empty() || arguments.get(object) != simdjson::SUCCESS) return json::append_text(out, arguments);
  RedactingWriter writer(out, places_);
  for (const auto place : root_) writer.stack().push_back(place);
  // They stay an object, even when the mark stands at the top.
  const bool redact_all =
      std::any_of(root_.begin(), root_.end(), [this](std::uint32_t place) { return places_[place].is_sensitive; });
  writer.write_members(object, 0, root_.size(), redact_all);
}

}  // namespace toolhost::plugin_runtime
