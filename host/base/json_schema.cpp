#include "base/json_schema.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <utility>

#include "base/json_schema_program.hpp"
#include "base/json_writer.hpp"
#include "base/similar_name.hpp"

namespace toolhost {

using namespace schema_program;

struct JsonSchema::Program {
  std::unique_ptr<const schema_program::Program> compiled;
};

namespace {

using schema_text::Format;
using simdjson::dom::element_type;

constexpr std::size_t kMaxReported = 64;         // violations that are collected before the best are chosen
constexpr std::size_t kMaxListed = 20;           // values or names in one message
constexpr std::size_t kMaxShownBytes = 60;       // of a value in a message
constexpr std::size_t kMaxNamesToCompare = 200;  // for "did you mean"
constexpr std::size_t kFewItems = 16;            // so many are compared each with each

/// The way from the root to a value; lives on the stack.
struct Path {
  const Path* parent = nullptr;
  std::string_view key{};
  std::size_t index = 0;
  bool is_item = false;
};

/// The resources that were entered on the way to a schema, innermost first; lives on the stack.
struct Scope {
  const Scope* outer = nullptr;
  std::uint32_t resource = 0;
};

/// The children of one value that some schema has looked at, for unevaluatedItems and unevaluatedProperties.
struct Evaluated {
  std::vector<bool> children;
  void mark(std::size_t index) {
    if (children.size() <= index) children.resize(index + 1);
    children[index] = true;
  }
  [[nodiscard]] bool has(std::size_t index) const { return index < children.size() && children[index]; }
  void merge(const Evaluated& other) {
    for (std::size_t index = 0; index < other.children.size(); ++index) {
      if (other.children[index]) mark(index);
    }
  }
};

std::uint32_t type_bits(const json::Value& value) noexcept {
  switch (value.type()) {
    case element_type::NULL_VALUE:
      return kNullBit;
    case element_type::BOOL:
      return kBooleanBit;
    case element_type::STRING:
      return kStringBit;
    case element_type::ARRAY:
      return kArrayBit;
    case element_type::OBJECT:
      return kObjectBit;
    default:
      return schema_text::is_integer(value) ? kIntegerBit | kNumberBit : std::uint32_t{kNumberBit};
  }
}

// ---- words for messages ----

std::string shortened(std::string_view text) {
  if (text.size() <= kMaxShownBytes) return std::string(text);
  std::size_t length = kMaxShownBytes;
  while (length > 0 && (static_cast<unsigned char>(text[length]) & 0xC0) == 0x80) --length;
  return std::string(text.substr(0, length)) + "...";
}

/// For a message: a string in single quotes, a number as it is, and what kind of thing anything larger is.
std::string shown(const json::Value& value) {
  switch (value.type()) {
    case element_type::STRING:
      return "'" + shortened(value.get_string().value_unsafe()) + "'";
    case element_type::ARRAY:
      return "an array";
    case element_type::OBJECT:
      return "an object";
    default:
      return json::to_text(value);
  }
}

std::string shown_constant(const json::Value& value) {
  return value.type() == element_type::STRING ? shortened(value.get_string().value_unsafe())
                                              : shortened(json::to_text(value));
}

template <class Items, class Show>
std::string listed(const Items& items, const Show& show) {
  std::string text;
  std::size_t count = 0;
  for (const auto& item : items) {
    if (count > 0) text += ", ";
    if (++count > kMaxListed) return text + "...";
    text += show(item);
  }
  return text;
}

std::string listed_types(std::uint32_t types) {
  constexpr std::pair<std::uint32_t, std::string_view> kNames[] = {
      {kStringBit, "a string"}, {kIntegerBit, "an integer"}, {kNumberBit, "a number"}, {kBooleanBit, "true or false"},
      {kArrayBit, "an array"},  {kObjectBit, "an object"},   {kNullBit, "null"}};
  std::string text;
  for (const auto& [bit, name] : kNames) {
    if ((types & bit) == 0) continue;
    if (!text.empty()) text += " or ";
    text += name;
  }
  return text;
}

std::string_view expectation(Format format) noexcept {
  switch (format) {
    case Format::kDate:
      return "a date such as 2026-01-31";
    case Format::kDateTime:
      return "a date and time with offset such as 2026-01-31T09:30:00Z";
    case Format::kEmail:
      return "an e-mail address";
    case Format::kUri:
      return "an absolute URI such as https://example.com/";
    case Format::kUuid:
      return "a UUID";
  }
  return "well-formed";
}

std::string did_you_mean(std::string_view given, std::span<const std::string> names) {
  if (names.size() > kMaxNamesToCompare) return {};
  const auto near = similar_name(given, names);
  return near ? "; did you mean '" + std::string(*near) + "'?" : std::string();
}

std::string pointer_to(const Path* path) {
  std::vector<const Path*> steps;
  for (; path->parent != nullptr; path = path->parent) steps.push_back(path);
  std::string pointer;
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    pointer += '/';
    if ((*step)->is_item) {
      pointer += std::to_string((*step)->index);
      continue;
    }
    for (const char c : shortened((*step)->key)) {
      if (c == '~' || c == '/') {
        pointer += c == '~' ? "~0" : "~1";
      } else {
        pointer += c;
      }
    }
  }
  return pointer;
}

/// "filter.tags[2]"; empty for the root.
std::string name_of(const Path* path) {
  if (path->parent == nullptr) return {};
  std::string name = name_of(path->parent);
  if (path->is_item) return name + "[" + std::to_string(path->index) + "]";
  if (!name.empty()) name += '.';
  return name + shortened(path->key);
}

std::string subject(const Path* path) {
  const std::string name = name_of(path);
  return name.empty() ? "the value" : "'" + name + "'";
}

std::string parameter_name(const Path& parent, std::string_view key) {
  const Path child{.parent = &parent, .key = key};
  return "'" + name_of(&child) + "'";
}

// ---- evaluation ----

/// One run of a program over one value. Without a report it stops at the first violation.
class Evaluator {
 public:
  Evaluator(const schema_program::Program& program, std::vector<SchemaViolation>* report) noexcept
      : program_(program), report_(report) {}

  bool run(const json::Value& value) {
    const Path root;
    const Scope scope{.resource = program_.schemas[program_.root].resource};
    return apply(program_.root, value, root, scope, nullptr);
  }

 private:
  /// `evaluated`, when given, is told which children of `value` this schema looked at.
  bool apply(SchemaIndex index, const json::Value& value, const Path& path, const Scope& scope, Evaluated* evaluated) {
    if (index == kAnything) return true;
    if (applications_ == program_.max_applications)
      return fail(path, "schema", [] { return "the value takes too long to check"; });
    ++applications_;
    const Schema& schema = program_.schemas[index];
    const Scope entered{.outer = &scope, .resource = schema.resource};
    const Scope& inner = schema.resource == scope.resource ? scope : entered;
    if (!schema.tracks_evaluation) return apply_checks(schema, value, path, inner, evaluated);
    Evaluated own;
    const bool conforms = apply_checks(schema, value, path, inner, &own);
    if (conforms && evaluated != nullptr) evaluated->merge(own);
    return conforms;
  }

  bool apply_checks(const Schema& schema, const json::Value& value, const Path& path, const Scope& scope,
                    Evaluated* evaluated) {
    const std::uint32_t types = type_bits(value);
    bool conforms = true;
    for (const Check& check : std::span(program_.checks).subspan(schema.first, schema.count)) {
      if (holds(check, types, value, path, scope, evaluated)) continue;
      conforms = false;
      // A value of the wrong type has nothing else to say; without a report one violation is enough.
      if (is_done() || check.op == Op::kType) return false;
    }
    return conforms;
  }

  bool holds(const Check check, std::uint32_t types, const json::Value& value, const Path& path, const Scope& scope,
             Evaluated* evaluated) {
    switch (check.op) {
      case Op::kNever:
        return fail(path, "false", [&] { return subject(&path) + " is not allowed"; });
      case Op::kType:
        return (types & check.operand) != 0 || fail(path, "type", [&] {
                 return subject(&path) + " must be " + listed_types(check.operand) + "; got " + shown(value);
               });
      case Op::kEnum:
      case Op::kConst:
        return is_constant(check, value) || fail_constant(check, value, path);
      case Op::kMinimum:
      case Op::kMaximum:
      case Op::kExclusiveMinimum:
      case Op::kExclusiveMaximum:
      case Op::kMultipleOf:
        return (types & kNumberBit) == 0 || is_in_bound(check, value) || fail_bound(check, value, path);
      case Op::kMinLength:
      case Op::kMaxLength:
        return (types & kStringBit) == 0 || has_length(check, value, path);
      case Op::kPattern:
        return (types & kStringBit) == 0 || matches(check.operand, value.get_string().value_unsafe()) ||
               fail(path, "pattern", [&] {
                 return subject(&path) + " must match the pattern " +
                        shortened(program_.patterns[check.operand].shown) + "; got " + shown(value);
               });
      case Op::kFormat: {
        const auto format = static_cast<Format>(check.operand);
        return (types & kStringBit) == 0 || schema_text::has_format(value.get_string().value_unsafe(), format) ||
               fail(path, "format", [&] {
                 return subject(&path) + " must be " + std::string(expectation(format)) + "; got " + shown(value);
               });
      }
      case Op::kMinItems:
      case Op::kMaxItems:
        return (types & kArrayBit) == 0 || has_count(check, json::Array(value).size(), "items", path);
      case Op::kItems:
        return (types & kArrayBit) == 0 ||
               items_conform(program_.item_rules[check.operand], value, path, scope, evaluated);
      case Op::kContains:
        return (types & kArrayBit) == 0 ||
               contains(program_.contains_rules[check.operand], value, path, scope, evaluated);
      case Op::kUniqueItems:
        return (types & kArrayBit) == 0 || has_unique_items(value) ||
               fail(path, "uniqueItems", [&] { return subject(&path) + " must not hold the same item twice"; });
      case Op::kMinProperties:
      case Op::kMaxProperties:
        return (types & kObjectBit) == 0 || has_count(check, json::Object(value).size(), "members", path);
      case Op::kObject:
        return (types & kObjectBit) == 0 ||
               members_conform(program_.object_rules[check.operand], value, path, scope, evaluated);
      case Op::kPropertyNames:
        return (types & kObjectBit) == 0 || names_conform(check.operand, value, path, scope);
      case Op::kDependentRequired:
        return (types & kObjectBit) == 0 || has_dependent_members(program_.dependents[check.operand], value, path);
      case Op::kDependentSchemas:
        return (types & kObjectBit) == 0 ||
               dependents_conform(program_.dependents[check.operand], value, path, scope, evaluated);
      case Op::kRef:
        return follow(check.operand, value, path, scope, evaluated);
      case Op::kDynamicRef:
        return follow(dynamic_target(program_.dynamic_refs[check.operand], scope), value, path, scope, evaluated);
      case Op::kAllOf:
        return all_conform(program_.lists[check.operand], value, path, scope, evaluated);
      case Op::kAnyOf:
        return any_conforms(program_.lists[check.operand], value, path, scope, evaluated);
      case Op::kOneOf:
        return one_conforms(program_.lists[check.operand], value, path, scope, evaluated);
      case Op::kNot:
        return !conforms_quietly(check.operand, value, path, scope, nullptr) || fail(path, "not", [&] {
          return subject(&path) + " has a form that is not allowed; got " + shown(value);
        });
      case Op::kIf:
        return branch_conforms(program_.conditions[check.operand], value, path, scope, evaluated);
      case Op::kUnevaluatedItems:
        return (types & kArrayBit) == 0 || rest_of_items_conforms(check.operand, value, path, scope, *evaluated);
      case Op::kUnevaluatedProperties:
        return (types & kObjectBit) == 0 || rest_of_members_conforms(check.operand, value, path, scope, *evaluated);
    }
    return true;
  }

  // ---- reporting ----

  [[nodiscard]] bool is_done() const noexcept { return report_ == nullptr || report_->size() >= kMaxReported; }

  /// Always false; the message is only built when somebody reads it.
  template <class Message>
  bool fail(const Path& path, std::string_view keyword, const Message& message) {
    if (!is_done()) report_->push_back({pointer_to(&path), std::string(keyword), message()});
    return false;
  }

  /// Whether a schema accepts the value, for applicators that only want to know. What it evaluated counts if it does.
  bool conforms_quietly(SchemaIndex schema, const json::Value& value, const Path& path, const Scope& scope,
                        Evaluated* evaluated) {
    std::vector<SchemaViolation>* const report = std::exchange(report_, nullptr);
    Evaluated branch;
    const bool conforms = apply(schema, value, path, scope, evaluated == nullptr ? nullptr : &branch);
    report_ = report;
    if (conforms && evaluated != nullptr) evaluated->merge(branch);
    return conforms;
  }

  // ---- constants, numbers, strings ----

  bool is_constant(const Check check, const json::Value& value) const {
    const Constants& constants = program_.constants[check.operand];
    switch (value.type()) {
      case element_type::STRING:
        return std::binary_search(constants.strings.begin(), constants.strings.end(),
                                  value.get_string().value_unsafe());
      case element_type::ARRAY:
      case element_type::OBJECT: {
        if (constants.others.empty()) return false;
        std::string text;
        schema_text::append_canonical(text, value);
        return std::binary_search(constants.others.begin(), constants.others.end(), text);
      }
      default: {
        char buffer[40];
        const std::string_view text = schema_text::canonical_scalar(value, buffer);
        return std::binary_search(constants.others.begin(), constants.others.end(), text);
      }
    }
  }

  bool fail_constant(const Check check, const json::Value& value, const Path& path) {
    const Constants& constants = program_.constants[check.operand];
    if (check.op == Op::kConst) {
      return fail(path, "const", [&] {
        return subject(&path) + " must be " + shown_constant(constants.shown.front()) + "; got " + shown(value);
      });
    }
    return fail(path, "enum", [&] {
      std::string message =
          subject(&path) + " must be one of: " + listed(constants.shown, shown_constant) + "; got " + shown(value);
      if (value.type() == element_type::STRING) {
        const std::vector<std::string> names(constants.strings.begin(), constants.strings.end());
        message += did_you_mean(value.get_string().value_unsafe(), names);
      }
      return message;
    });
  }

  bool is_in_bound(const Check check, const json::Value& value) const {
    const Bound& bound = program_.bounds[check.operand];
    const auto number = schema_text::exact_number(value);
    switch (check.op) {
      case Op::kMinimum:
        return number >= bound.number;
      case Op::kMaximum:
        return number <= bound.number;
      case Op::kExclusiveMinimum:
        return number > bound.number;
      case Op::kExclusiveMaximum:
        return number < bound.number;
      default:
        return schema_text::is_multiple(schema_text::decimal_of(value), bound.decimal);
    }
  }

  bool fail_bound(const Check check, const json::Value& value, const Path& path) {
    const auto report = [&](std::string_view keyword, std::string_view relation) {
      return fail(path, keyword, [&] {
        return subject(&path) + " must be " + std::string(relation) + " " +
               shown(program_.bounds[check.operand].shown) + "; got " + shown(value);
      });
    };
    switch (check.op) {
      case Op::kMinimum:
        return report("minimum", "at least");
      case Op::kMaximum:
        return report("maximum", "at most");
      case Op::kExclusiveMinimum:
        return report("exclusiveMinimum", "greater than");
      case Op::kExclusiveMaximum:
        return report("exclusiveMaximum", "less than");
      default:
        return report("multipleOf", "a multiple of");
    }
  }

  bool has_length(const Check check, const json::Value& value, const Path& path) {
    return has_count(check, schema_text::length_in_code_points(value.get_string().value_unsafe()), "characters", path);
  }

  /// minLength, minItems, minProperties and their maxima.
  bool has_count(const Check check, std::uint64_t count, std::string_view what, const Path& path) {
    const std::uint64_t limit = program_.counts[check.operand];
    const bool is_minimum = check.op == Op::kMinLength || check.op == Op::kMinItems || check.op == Op::kMinProperties;
    if (is_minimum ? count >= limit : count <= limit) return true;
    const std::string keyword = std::string(is_minimum ? "min" : "max") + (what == "characters" ? "Length"
                                                                           : what == "items"    ? "Items"
                                                                                                : "Properties");
    return fail(path, keyword, [&] {
      return subject(&path) + " must have at " + (is_minimum ? "least " : "most ") + std::to_string(limit) + " " +
             std::string(what) + "; got " + std::to_string(count);
    });
  }

  bool matches(std::uint32_t pattern, std::string_view text) const {
    return RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), *program_.patterns[pattern].expression);
  }

  // ---- arrays ----

  bool items_conform(const ItemRule& rule, const json::Value& value, const Path& path, const Scope& scope,
                     Evaluated* evaluated) {
    bool conforms = true;
    std::size_t index = 0;
    for (const auto item : json::Array(value)) {
      const SchemaIndex schema = index < rule.prefix.size() ? rule.prefix[index] : rule.rest;
      if (schema == kNone) break;
      if (evaluated != nullptr) evaluated->mark(index);
      const Path at{.parent = &path, .index = index, .is_item = true};
      conforms = apply(schema, item, at, scope, nullptr) && conforms;
      if (!conforms && is_done()) return false;
      ++index;
    }
    return conforms;
  }

  bool contains(const ContainsRule& rule, const json::Value& value, const Path& path, const Scope& scope,
                Evaluated* evaluated) {
    std::uint64_t found = 0;
    std::size_t index = 0;
    for (const auto item : json::Array(value)) {
      const Path at{.parent = &path, .index = index, .is_item = true};
      if (conforms_quietly(rule.schema, item, at, scope, nullptr)) {
        ++found;
        if (evaluated != nullptr) evaluated->mark(index);
      }
      ++index;
    }
    if (found < rule.at_least) {
      return fail(path, "contains", [&] {
        return subject(&path) + " must hold at least " + std::to_string(rule.at_least) +
               " item(s) of the required form; got " + std::to_string(found);
      });
    }
    return found <= rule.at_most || fail(path, "maxContains", [&] {
             return subject(&path) + " must hold at most " + std::to_string(rule.at_most) +
                    " item(s) of the counted form; got " + std::to_string(found);
           });
  }

  /// Few scalars are compared each with each, without allocation; anything else through its sorted canonical text, so
  /// that a huge array does not cost the square of its size.
  static bool has_unique_items(const json::Value& value) {
    const json::Array array(value);
    const auto is_scalar = [](const json::Value& item) {
      return item.type() != element_type::ARRAY && item.type() != element_type::OBJECT;
    };
    if (array.size() <= kFewItems && std::all_of(array.begin(), array.end(), is_scalar)) {
      std::array<json::Value, kFewItems> seen;
      std::size_t count = 0;
      for (const auto item : array) {
        const auto is_equal = [&](const json::Value& other) { return equal_scalars(item, other); };
        if (std::any_of(seen.begin(), seen.begin() + static_cast<std::ptrdiff_t>(count), is_equal)) return false;
        seen[count++] = item;
      }
      return true;
    }
    std::vector<std::string> texts;
    texts.reserve(array.size());
    for (const auto item : array) schema_text::append_canonical(texts.emplace_back(), item);
    std::sort(texts.begin(), texts.end());
    return std::adjacent_find(texts.begin(), texts.end()) == texts.end();
  }

  static bool equal_scalars(const json::Value& a, const json::Value& b) {
    const bool is_string = a.type() == element_type::STRING;
    if (is_string != (b.type() == element_type::STRING)) return false;
    if (is_string) return a.get_string().value_unsafe() == b.get_string().value_unsafe();
    char first[40];
    char second[40];
    return schema_text::canonical_scalar(a, first) == schema_text::canonical_scalar(b, second);
  }

  bool rest_of_items_conforms(SchemaIndex schema, const json::Value& value, const Path& path, const Scope& scope,
                              Evaluated& evaluated) {
    bool conforms = true;
    std::size_t index = 0;
    for (const auto item : json::Array(value)) {
      if (!evaluated.has(index)) {
        const Path at{.parent = &path, .index = index, .is_item = true};
        conforms = apply(schema, item, at, scope, nullptr) && conforms;
        if (!conforms && is_done()) return false;
        evaluated.mark(index);
      }
      ++index;
    }
    return conforms;
  }

  // ---- objects ----

  static const ObjectRule::Property* find_property(const ObjectRule& rule, std::string_view name) noexcept {
    const auto found = std::lower_bound(
        rule.table.begin(), rule.table.end(), name,
        [](const ObjectRule::Property& entry, std::string_view key) { return ByLength{}(entry.name, key); });
    return found != rule.table.end() && found->name == name ? &*found : nullptr;
  }

  bool members_conform(const ObjectRule& rule, const json::Value& value, const Path& path, const Scope& scope,
                       Evaluated* evaluated) {
    constexpr std::uint32_t kSeenBits = 64;
    std::uint64_t seen = 0;  // the first 64 required names
    bool conforms = true;
    std::size_t index = 0;
    for (const auto member : json::Object(value)) {
      const ObjectRule::Property* const property = find_property(rule, member.key);
      if (property != nullptr && property->required_bit < kSeenBits) seen |= std::uint64_t{1} << property->required_bit;
      const bool is_declared = property != nullptr && property->schema != kNone;
      conforms = member_conforms(rule, is_declared ? property->schema : kNone, index, member, path, scope, evaluated) &&
                 conforms;
      if (!conforms && is_done()) return false;
      ++index;
    }
    for (std::uint32_t bit = 0; bit < rule.required.size(); ++bit) {
      const bool is_present =
          bit < kSeenBits ? (seen >> bit & 1) != 0 : json::find(value, rule.required[bit]).error() == simdjson::SUCCESS;
      if (is_present) continue;
      conforms = fail(path, "required",
                      [&] { return "missing required parameter " + parameter_name(path, rule.required[bit]); });
      if (is_done()) return false;
    }
    return conforms;
  }

  bool member_conforms(const ObjectRule& rule, SchemaIndex declared, std::size_t index,
                       const simdjson::dom::key_value_pair& member, const Path& path, const Scope& scope,
                       Evaluated* evaluated) {
    const Path at{.parent = &path, .key = member.key};
    bool is_known = declared != kNone;
    bool conforms = !is_known || apply(declared, member.value, at, scope, nullptr);
    for (const auto& [pattern, schema] : rule.patterns) {
      if (!matches(pattern, member.key)) continue;
      is_known = true;
      conforms = apply(schema, member.value, at, scope, nullptr) && conforms;
    }
    if (!is_known && rule.additional != kNone) {
      is_known = true;
      conforms = is_false(rule.additional) ? fail_unknown(rule, member.key, path)
                                           : apply(rule.additional, member.value, at, scope, nullptr);
    }
    if (is_known && evaluated != nullptr) evaluated->mark(index);
    return conforms;
  }

  [[nodiscard]] bool is_false(SchemaIndex index) const noexcept {
    const Schema& schema = program_.schemas[index];
    return schema.count == 1 && program_.checks[schema.first].op == Op::kNever;
  }

  bool fail_unknown(const ObjectRule& rule, std::string_view key, const Path& path) {
    const Path at{.parent = &path, .key = key};
    return fail(at, "additionalProperties", [&] {
      std::string message = "unknown parameter " + parameter_name(path, key);
      const std::string suggestion = did_you_mean(key, rule.declared);
      if (!suggestion.empty()) return message + suggestion;
      if (rule.declared.empty()) return message + "; none are allowed here";
      return message + "; allowed are: " + listed(rule.declared, [](const std::string& name) { return name; });
    });
  }

  /// A name becomes a value only while it is checked, through a document of the thread's pool.
  bool names_conform(SchemaIndex schema, const json::Value& value, const Path& path, const Scope& scope) {
    bool conforms = true;
    const json::DocumentPtr document = json::acquire_document();
    std::string text;
    for (const auto member : json::Object(value)) {
      text.clear();
      append_json_string(text, member.key);
      const auto name = document->parse(text);
      if (name.has_value() && conforms_quietly(schema, *name, path, scope, nullptr)) continue;
      const Path at{.parent = &path, .key = member.key};
      conforms =
          fail(at, "propertyNames", [&] { return "the name " + parameter_name(path, member.key) + " is not allowed"; });
      if (is_done()) return false;
    }
    return conforms;
  }

  bool has_dependent_members(const std::vector<Dependent>& dependents, const json::Value& value, const Path& path) {
    bool conforms = true;
    for (const Dependent& dependent : dependents) {
      if (json::find(value, dependent.name).error() != simdjson::SUCCESS) continue;
      for (const std::string_view name : dependent.required) {
        if (json::find(value, name).error() == simdjson::SUCCESS) continue;
        conforms = fail(path, "dependentRequired", [&] {
          return "missing parameter " + parameter_name(path, name) + ", which " + parameter_name(path, dependent.name) +
                 " needs";
        });
        if (is_done()) return false;
      }
    }
    return conforms;
  }

  bool dependents_conform(const std::vector<Dependent>& dependents, const json::Value& value, const Path& path,
                          const Scope& scope, Evaluated* evaluated) {
    bool conforms = true;
    for (const Dependent& dependent : dependents) {
      if (json::find(value, dependent.name).error() != simdjson::SUCCESS) continue;
      conforms = apply(dependent.schema, value, path, scope, evaluated) && conforms;
      if (!conforms && is_done()) return false;
    }
    return conforms;
  }

  bool rest_of_members_conforms(SchemaIndex schema, const json::Value& value, const Path& path, const Scope& scope,
                                Evaluated& evaluated) {
    bool conforms = true;
    std::size_t index = 0;
    for (const auto member : json::Object(value)) {
      if (!evaluated.has(index)) {
        const Path at{.parent = &path, .key = member.key};
        conforms = (is_false(schema) ? fail(at, "unevaluatedProperties",
                                            [&] { return "unknown parameter " + parameter_name(path, member.key); })
                                     : apply(schema, member.value, at, scope, nullptr)) &&
                   conforms;
        if (!conforms && is_done()) return false;
        evaluated.mark(index);
      }
      ++index;
    }
    return conforms;
  }

  // ---- references and applicators ----

  bool follow(SchemaIndex target, const json::Value& value, const Path& path, const Scope& scope,
              Evaluated* evaluated) {
    if (references_ == program_.max_depth) {
      return fail(path, "$ref", [&] { return subject(&path) + " is nested too deeply"; });
    }
    ++references_;
    const bool conforms = apply(target, value, path, scope, evaluated);
    --references_;
    return conforms;
  }

  /// The outermost resource on the way here that has the anchor decides.
  static SchemaIndex dynamic_target(const DynamicRef& rule, const Scope& scope) noexcept {
    SchemaIndex target = rule.initial;
    for (const Scope* at = &scope; at != nullptr; at = at->outer) {
      for (const auto& [resource, schema] : rule.by_resource) {
        if (resource == at->resource) target = schema;
      }
    }
    return target;
  }

  bool all_conform(const std::vector<SchemaIndex>& schemas, const json::Value& value, const Path& path,
                   const Scope& scope, Evaluated* evaluated) {
    bool conforms = true;
    for (const SchemaIndex schema : schemas) {
      conforms = apply(schema, value, path, scope, evaluated) && conforms;
      if (!conforms && is_done()) return false;
    }
    return conforms;
  }

  bool any_conforms(const std::vector<SchemaIndex>& schemas, const json::Value& value, const Path& path,
                    const Scope& scope, Evaluated* evaluated) {
    bool conforms = false;
    for (const SchemaIndex schema : schemas) {
      conforms = conforms_quietly(schema, value, path, scope, evaluated) || conforms;
      if (conforms && evaluated == nullptr) return true;  // else every branch that conforms adds what it evaluated
    }
    return conforms || fail_alternatives(schemas, "anyOf", value, path, scope);
  }

  bool one_conforms(const std::vector<SchemaIndex>& schemas, const json::Value& value, const Path& path,
                    const Scope& scope, Evaluated* evaluated) {
    std::size_t count = 0;
    for (const SchemaIndex schema : schemas) {
      if (conforms_quietly(schema, value, path, scope, evaluated)) ++count;
      if (count > 1) {
        return fail(path, "oneOf",
                    [&] { return subject(&path) + " fits several of the allowed forms; it must fit only one"; });
      }
    }
    return count == 1 || fail_alternatives(schemas, "oneOf", value, path, scope);
  }

  /// When no alternative fits: what the one alternative of the value's type has against it, or which types there are.
  bool fail_alternatives(const std::vector<SchemaIndex>& schemas, std::string_view keyword, const json::Value& value,
                         const Path& path, const Scope& scope) {
    if (is_done()) return false;
    std::uint32_t types = 0;
    std::vector<SchemaIndex> of_its_type;
    for (const SchemaIndex schema : schemas) {
      const std::uint32_t allowed = program_.schemas[schema].types;
      types |= allowed;
      if (allowed == 0 || (allowed & type_bits(value)) != 0) of_its_type.push_back(schema);
    }
    if (of_its_type.size() == 1) {
      static_cast<void>(apply(of_its_type.front(), value, path, scope, nullptr));
      return false;
    }
    if (of_its_type.empty()) {
      return fail(path, keyword,
                  [&] { return subject(&path) + " must be " + listed_types(types) + "; got " + shown(value); });
    }
    return fail(path, keyword, [&] { return subject(&path) + " fits none of the allowed forms; got " + shown(value); });
  }

  bool branch_conforms(const Condition& rule, const json::Value& value, const Path& path, const Scope& scope,
                       Evaluated* evaluated) {
    const SchemaIndex next =
        conforms_quietly(rule.condition, value, path, scope, evaluated) ? rule.then_schema : rule.else_schema;
    return next == kNone || apply(next, value, path, scope, evaluated);
  }

  const schema_program::Program& program_;
  std::vector<SchemaViolation>* report_;
  std::uint32_t applications_ = 0;
  unsigned references_ = 0;
};

/// What the caller can act on at once comes first: names, then values, then forms.
constexpr int kLastRank = 3;
int rank(const SchemaViolation& violation) noexcept {
  if (violation.keyword == "required" || violation.keyword == "dependentRequired") return 0;
  if (violation.keyword == "additionalProperties" || violation.keyword == "unevaluatedProperties") return 1;
  const bool is_vague = violation.keyword == "anyOf" || violation.keyword == "oneOf" || violation.keyword == "not";
  return is_vague ? kLastRank : 2;
}

}  // namespace

JsonSchema::JsonSchema(std::unique_ptr<const Program> program) noexcept : program_(std::move(program)) {}
JsonSchema::JsonSchema(JsonSchema&&) noexcept = default;
JsonSchema& JsonSchema::operator=(JsonSchema&&) noexcept = default;
JsonSchema::~JsonSchema() = default;

Result<JsonSchema> JsonSchema::compile(std::string_view schema_json, const Options& options) {
  auto compiled = schema_program::compile(schema_json, options);
  if (compiled.has_error()) return compiled.error();
  return JsonSchema(std::make_unique<const Program>(Program{std::move(*compiled)}));
}

bool JsonSchema::accepts(const json::Value& value) const {
  return Evaluator(*program_->compiled, nullptr).run(value);
}

std::vector<SchemaViolation> JsonSchema::violations(const json::Value& value, std::size_t limit) const {
  std::vector<SchemaViolation> found;
  if (Evaluator(*program_->compiled, &found).run(value)) return {};
  std::vector<SchemaViolation> best;
  for (int wanted = 0; wanted <= kLastRank; ++wanted) {
    for (const SchemaViolation& violation : found) {
      if (best.size() < limit && rank(violation) == wanted) best.push_back(violation);
    }
  }
  return best;
}

}  // namespace toolhost
