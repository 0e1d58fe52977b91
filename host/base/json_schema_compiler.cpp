#include <algorithm>
#include <cctype>
#include <cstdio>
#include <deque>
#include <functional>
#include <initializer_list>
#include <map>
#include <optional>
#include <unordered_map>

#include "base/json_schema_program.hpp"

namespace toolhost::schema_program {
namespace {

using schema_text::Format;
using simdjson::dom::element_type;
using PlaceIndex = std::uint32_t;

constexpr int kPatternMemoryBytes =
    1024 * 1024;  // for the program of one pattern; its automaton's cache comes from the same

constexpr std::initializer_list<std::string_view> kSchemaKeywords = {"additionalProperties",
                                                                     "unevaluatedProperties",
                                                                     "unevaluatedItems",
                                                                     "items",
                                                                     "contains",
                                                                     "propertyNames",
                                                                     "not",
                                                                     "if",
                                                                     "then",
                                                                     "else",
                                                                     "contentSchema"};
constexpr std::initializer_list<std::string_view> kSchemaListKeywords = {"allOf", "anyOf", "oneOf", "prefixItems"};
constexpr std::initializer_list<std::string_view> kSchemaMapKeywords = {"properties", "patternProperties",
                                                                        "dependentSchemas", "$defs", "definitions"};

std::string escape_pointer_token(std::string_view token) {
  std::string escaped;
  for (const char c : token) {
    if (c == '~') {
      escaped += "~0";
    } else if (c == '/') {
      escaped += "~1";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

std::string unescape_pointer_token(std::string_view token) {
  std::string plain;
  for (std::size_t at = 0; at < token.size(); ++at) {
    if (token[at] == '~' && at + 1 < token.size() && (token[at + 1] == '0' || token[at + 1] == '1')) {
      plain += token[++at] == '0' ? '~' : '/';
    } else {
      plain += token[at];
    }
  }
  return plain;
}

/// "\u0041", which JSON Schema's ECMA-262 has and RE2 has not, as "\x{0041}"; all else stays.
std::string to_re2(std::string_view pattern) {
  std::string translated;
  const auto hex4 = [&](std::size_t at) -> std::optional<unsigned> {
    if (at + 6 > pattern.size() || pattern[at] != '\\' || pattern[at + 1] != 'u') return std::nullopt;
    const std::string digits(pattern.substr(at + 2, 4));
    if (!std::all_of(digits.begin(), digits.end(), [](unsigned char c) { return std::isxdigit(c) != 0; }))
      return std::nullopt;
    return static_cast<unsigned>(std::stoul(digits, nullptr, 16));
  };
  for (std::size_t at = 0; at < pattern.size();) {
    if (pattern[at] != '\\' || at + 1 == pattern.size()) {
      translated += pattern[at++];
      continue;
    }
    if (auto code_point = hex4(at)) {
      at += 6;
      const auto low = hex4(at);
      if (*code_point >= 0xD800 && *code_point < 0xDC00 && low && *low >= 0xDC00 && *low < 0xE000) {
        code_point = 0x10000 + ((*code_point - 0xD800) << 10) + (*low - 0xDC00);
        at += 6;
      }
      char escape[16];
      std::snprintf(escape, sizeof escape, "\\x{%X}", *code_point);
      translated += escape;
      continue;
    }
    translated += pattern.substr(at, 2);
    at += 2;
  }
  return translated;
}

/// Reads a schema in two passes: the first finds every resource ("$id") and anchor, the second compiles what can be
/// reached from the root, one schema after the other from a queue, so that chains of "$ref" need no stack. The first
/// thing that is wrong is kept in `error_` and ends the work.
class Compiler {
 public:
  explicit Compiler(const JsonSchema::Options& options) : options_(options), program_(std::make_unique<Program>()) {}

  Result<std::unique_ptr<const Program>> run(std::string_view text) {
    if (text.size() > options_.max_schema_bytes) {
      return Error{.code = Errc::kInvalidArgument,
                   .message = "the schema has " + std::to_string(text.size()) + " bytes; at most " +
                              std::to_string(options_.max_schema_bytes) + " are allowed",
                   .detail = {}};
    }
    const auto root = program_->document.parse(text);
    if (root.has_error()) return root.error();
    program_->max_depth = options_.max_depth;
    program_->max_applications = options_.max_applications;
    program_->schemas.emplace_back();  // kAnything

    resources_.push_back({});
    places_.push_back({.value = *root, .token = {}});
    check_dialect(*root);
    find_resources(0, 1);
    if (!error_) program_->root = schema_of(0);
    while (!error_ && !queue_.empty()) {
      const PlaceIndex place = queue_.front();
      queue_.pop_front();
      compile_schema(place);
    }
    if (!error_) refuse_loops();
    if (error_) return *error_;
    return std::unique_ptr<const Program>(std::move(program_));
  }

 private:
  /// A value inside the schema document, named once and for all.
  struct Place {
    json::Value value;
    std::string_view token;  // its name in the parent
    PlaceIndex parent = 0;
    std::uint32_t resource = 0;
    SchemaIndex schema = kNone;
    bool is_known = false;  // its "$id" and anchors are registered
  };
  struct Resource {
    std::string uri;
    PlaceIndex root = 0;
    std::map<std::string_view, PlaceIndex> anchors;
    std::map<std::string_view, PlaceIndex> dynamic_anchors;
  };

  // ---- errors and places ----

  void refuse(PlaceIndex place, const std::string& what) {
    if (error_) return;
    std::string pointer;
    for (; place != 0; place = places_[place].parent)
      pointer = "/" + escape_pointer_token(places_[place].token) + pointer;
    error_ = Error{
        .code = Errc::kInvalidArgument, .message = "invalid JSON Schema at #" + pointer + ": " + what, .detail = {}};
  }

  static std::optional<json::Value> member(const json::Value& object, std::string_view name) {
    json::Value found;
    if (json::find(object, name).get(found) != simdjson::SUCCESS) return std::nullopt;
    return found;
  }

  std::optional<json::Value> keyword(PlaceIndex place, std::string_view name) const {
    return member(places_[place].value, name);
  }

  /// The place of a child; `token` must be borrowed from the document or from `numbers_`.
  PlaceIndex child(PlaceIndex parent, std::string_view token, const json::Value& value) {
    const auto [found, is_new] = children_.try_emplace({parent, token}, static_cast<PlaceIndex>(places_.size()));
    if (is_new) {
      places_.push_back({.value = value, .token = token, .parent = parent, .resource = places_[parent].resource});
    }
    return found->second;
  }

  PlaceIndex child(PlaceIndex parent, std::size_t index, const json::Value& value) {
    while (numbers_.size() <= index) numbers_.push_back(std::to_string(numbers_.size()));
    return child(parent, numbers_[index], value);
  }

  /// The value of a keyword, as a place; the token is the keyword's own literal.
  PlaceIndex keyword_place(PlaceIndex place, std::string_view name) {
    return child(place, name, *keyword(place, name));
  }

  // ---- first pass ----

  void check_dialect(const json::Value& root) {
    const auto dialect = member(root, "$schema");
    if (!dialect) return;
    constexpr std::string_view kDialect = "https://json-schema.org/draft/2020-12/schema";
    std::string_view text;
    if (dialect->get(text) != simdjson::SUCCESS || (text != kDialect && text != std::string(kDialect) + "#")) {
      refuse(0, "\"$schema\" must be \"" + std::string(kDialect) + "\" or absent");
    }
  }

  /// Registers the "$id" and the anchors of one schema.
  void register_schema(PlaceIndex place) {
    if (places_[place].is_known) return;
    places_[place].is_known = true;
    if (place == 0) resources_[0].root = 0;
    if (const auto id = keyword(place, "$id")) {
      std::string_view text;
      if (id->get(text) != simdjson::SUCCESS) return refuse(place, "\"$id\" must be a string");
      std::string uri = schema_text::resolve_uri(resources_[places_[place].resource].uri, text);
      if (uri.ends_with('#')) uri.pop_back();
      if (uri.find('#') != uri.npos) return refuse(place, "\"$id\" must not have a fragment");
      if (place != 0) {
        places_[place].resource = static_cast<std::uint32_t>(resources_.size());
        resources_.push_back({});
      }
      resources_[places_[place].resource].root = place;
      resources_[places_[place].resource].uri = uri;
      if (!by_uri_.emplace(uri, places_[place].resource).second)
        return refuse(place, "\"$id\" " + uri + " stands there twice");
    } else if (place == 0) {
      by_uri_.emplace("", 0);
    }
    Resource& resource = resources_[places_[place].resource];
    for (const bool is_dynamic : {false, true}) {
      const auto anchor = keyword(place, is_dynamic ? "$dynamicAnchor" : "$anchor");
      if (!anchor) continue;
      std::string_view name;
      if (anchor->get(name) != simdjson::SUCCESS || name.empty()) return refuse(place, "an anchor must be a string");
      if (!resource.anchors.emplace(name, place).second) return refuse(place, "the anchor stands there twice");
      if (is_dynamic) resource.dynamic_anchors.emplace(name, place);
    }
  }

  void find_resources(PlaceIndex place, unsigned depth) {
    const json::Value value = places_[place].value;
    if (error_ || value.type() != element_type::OBJECT) return;
    if (depth > options_.max_depth) {
      return refuse(place, "nested deeper than " + std::to_string(options_.max_depth) + " schemas");
    }
    register_schema(place);
    for (const auto entry : json::Object(value)) {
      const auto is_one_of = [&](const auto& names) {
        return std::find(names.begin(), names.end(), entry.key) != names.end();
      };
      if (is_one_of(kSchemaKeywords)) {
        find_resources(child(place, entry.key, entry.value), depth + 1);
      } else if (is_one_of(kSchemaListKeywords) && entry.value.type() == element_type::ARRAY) {
        const PlaceIndex list = child(place, entry.key, entry.value);
        std::size_t index = 0;
        for (const auto item : json::Array(entry.value)) find_resources(child(list, index++, item), depth + 1);
      } else if (is_one_of(kSchemaMapKeywords) && entry.value.type() == element_type::OBJECT) {
        const PlaceIndex map = child(place, entry.key, entry.value);
        for (const auto item : json::Object(entry.value)) find_resources(child(map, item.key, item.value), depth + 1);
      }
    }
  }

  // ---- references ----

  /// Where a reference leads; nullopt (and an error) when it leads nowhere in this document.
  std::optional<PlaceIndex> follow(PlaceIndex place, std::string_view reference) {
    const std::string target = schema_text::resolve_uri(resources_[places_[place].resource].uri, reference);
    const auto hash = target.find('#');
    const auto resource = by_uri_.find(target.substr(0, hash));
    if (resource == by_uri_.end()) {
      refuse(place,
             "the reference \"" + std::string(reference) + "\" leads outside of the schema, and nothing is fetched");
      return std::nullopt;
    }
    const Resource& found = resources_[resource->second];
    const std::string fragment = hash == target.npos ? "" : schema_text::percent_decode(target.substr(hash + 1));
    if (fragment.empty()) return found.root;
    if (fragment.front() == '/') return follow_pointer(place, found.root, fragment, reference);
    const auto anchor = found.anchors.find(fragment);
    if (anchor != found.anchors.end()) return anchor->second;
    refuse(place, "the reference \"" + std::string(reference) + "\" names an anchor that does not exist");
    return std::nullopt;
  }

  std::optional<PlaceIndex> follow_pointer(PlaceIndex from, PlaceIndex at, std::string_view pointer,
                                           std::string_view reference) {
    while (!pointer.empty()) {
      pointer.remove_prefix(1);
      const auto end = std::min(pointer.find('/'), pointer.size());
      const std::string token = unescape_pointer_token(pointer.substr(0, end));
      pointer.remove_prefix(end);
      const std::optional<PlaceIndex> next = step(at, token);
      if (!next) {
        refuse(from, "the reference \"" + std::string(reference) + "\" leads nowhere");
        return std::nullopt;
      }
      at = *next;
    }
    return at;
  }

  std::optional<PlaceIndex> step(PlaceIndex at, const std::string& token) {
    const json::Value value = places_[at].value;
    if (value.type() == element_type::OBJECT) {
      for (const auto entry : json::Object(value)) {
        if (entry.key == token) return child(at, entry.key, entry.value);
      }
    } else if (value.type() == element_type::ARRAY) {
      std::size_t index = 0;
      for (const auto item : json::Array(value)) {
        if (std::to_string(index) == token) return child(at, index, item);
        ++index;
      }
    }
    return std::nullopt;
  }

  /// The schema at a place, which is compiled later.
  SchemaIndex schema_of(PlaceIndex place) {
    Place& here = places_[place];
    if (here.schema != kNone) return here.schema;
    const bool is_object = here.value.type() == element_type::OBJECT;
    if (!is_object && here.value.type() != element_type::BOOL) {
      refuse(place, "a schema is an object, true or false");
      return kAnything;
    }
    if (here.value.type() == element_type::BOOL && here.value.get_bool().value_unsafe()) return here.schema = kAnything;
    register_schema(place);
    places_[place].schema = static_cast<SchemaIndex>(program_->schemas.size());
    program_->schemas.emplace_back();
    queue_.push_back(place);
    return places_[place].schema;
  }

  SchemaIndex schema_at_keyword(PlaceIndex place, std::string_view name) {
    return schema_of(keyword_place(place, name));
  }

  // ---- second pass ----

  void add(Op op, std::size_t operand) { checks_.push_back({op, static_cast<std::uint32_t>(operand)}); }

  template <class Table, class Entry>
  void add_to(Op op, Table& table, Entry&& entry) {
    add(op, table.size());
    table.push_back(std::forward<Entry>(entry));
  }

  void compile_schema(PlaceIndex place) {
    checks_.clear();
    Schema schema{.first = static_cast<std::uint32_t>(program_->checks.size()), .resource = places_[place].resource};
    if (places_[place].value.type() == element_type::BOOL) {
      add(Op::kNever, 0);
    } else {
      compile_type(place, schema);
      compile_constants(place);
      compile_numbers(place);
      compile_strings(place);
      compile_arrays(place);
      compile_objects(place);
      compile_references(place);
      compile_applicators(place);
      for (const auto& [name, op] : {std::pair{"unevaluatedItems", Op::kUnevaluatedItems},
                                     std::pair{"unevaluatedProperties", Op::kUnevaluatedProperties}}) {
        if (!keyword(place, name)) continue;
        schema.tracks_evaluation = true;
        add(op, schema_at_keyword(place, name));
      }
    }
    schema.count = static_cast<std::uint32_t>(checks_.size());
    program_->checks.insert(program_->checks.end(), checks_.begin(), checks_.end());
    program_->schemas[places_[place].schema] = schema;
  }

  void compile_type(PlaceIndex place, Schema& schema) {
    const auto type = keyword(place, "type");
    if (!type) return;
    const auto add_name = [&](const json::Value& value) {
      constexpr std::pair<std::string_view, std::uint32_t> kNames[] = {
          {"null", kNullBit},     {"boolean", kBooleanBit}, {"integer", kIntegerBit}, {"number", kNumberBit},
          {"string", kStringBit}, {"array", kArrayBit},     {"object", kObjectBit}};
      std::string_view name;
      static_cast<void>(value.get(name));
      for (const auto& [known, bit] : kNames) {
        if (name == known) {
          schema.types |= bit;
          return;
        }
      }
      refuse(place, "\"type\" must be one or several of null, boolean, integer, number, string, array, object");
    };
    if (type->type() == element_type::ARRAY) {
      for (const auto name : json::Array(*type)) add_name(name);
    } else {
      add_name(*type);
    }
    add(Op::kType, schema.types);
  }

  void compile_constants(PlaceIndex place) {
    const auto add_constants = [&](Op op, std::vector<json::Value> values) {
      Constants constants{.shown = std::move(values), .strings = {}, .others = {}};
      for (const auto& value : constants.shown) {
        if (value.type() == element_type::STRING) {
          constants.strings.push_back(value.get_string().value_unsafe());
        } else {
          schema_text::append_canonical(constants.others.emplace_back(), value);
        }
      }
      std::sort(constants.strings.begin(), constants.strings.end());
      std::sort(constants.others.begin(), constants.others.end());
      add_to(op, program_->constants, std::move(constants));
    };
    if (const auto value = keyword(place, "const")) add_constants(Op::kConst, {*value});
    if (const auto values = keyword(place, "enum")) {
      if (values->type() != element_type::ARRAY) return refuse(place, "\"enum\" must be an array");
      const json::Array array(*values);
      add_constants(Op::kEnum, std::vector<json::Value>(array.begin(), array.end()));
    }
  }

  void compile_numbers(PlaceIndex place) {
    for (const auto& [name, op] :
         {std::pair{"minimum", Op::kMinimum}, std::pair{"maximum", Op::kMaximum},
          std::pair{"exclusiveMinimum", Op::kExclusiveMinimum}, std::pair{"exclusiveMaximum", Op::kExclusiveMaximum},
          std::pair{"multipleOf", Op::kMultipleOf}}) {
      const auto value = keyword(place, name);
      if (!value) continue;
      if (!schema_text::is_number(*value)) return refuse(place, "\"" + std::string(name) + "\" must be a number");
      const Bound bound{schema_text::exact_number(*value), schema_text::decimal_of(*value), *value};
      if (op == Op::kMultipleOf && bound.number <= 0) return refuse(place, "\"multipleOf\" must be greater than 0");
      add_to(op, program_->bounds, bound);
    }
  }

  std::optional<std::uint64_t> count(PlaceIndex place, std::string_view name) {
    const auto value = keyword(place, name);
    if (!value) return std::nullopt;
    if (!schema_text::is_integer(*value) || schema_text::exact_number(*value) < 0 ||
        schema_text::exact_number(*value) > 0x1p53L) {
      refuse(place, "\"" + std::string(name) + "\" must be an integer of 0 or more");
      return std::nullopt;
    }
    return static_cast<std::uint64_t>(schema_text::exact_number(*value));
  }

  void compile_count(PlaceIndex place, std::string_view name, Op op) {
    if (const auto limit = count(place, name)) add_to(op, program_->counts, *limit);
  }

  std::uint32_t compile_pattern(PlaceIndex place, std::string_view text) {
    RE2::Options options(RE2::Quiet);
    options.set_max_mem(kPatternMemoryBytes);
    options.set_never_capture(true);
    auto expression = std::make_unique<const RE2>(to_re2(text), options);
    if (!expression->ok()) {
      refuse(place, "the pattern \"" + std::string(text) + "\" is not supported: " + expression->error() +
                        " (RE2 syntax: no look-around, no back references)");
    }
    program_->patterns.push_back({std::move(expression), text});
    return static_cast<std::uint32_t>(program_->patterns.size() - 1);
  }

  void compile_strings(PlaceIndex place) {
    compile_count(place, "minLength", Op::kMinLength);
    compile_count(place, "maxLength", Op::kMaxLength);
    if (const auto pattern = keyword(place, "pattern")) {
      std::string_view text;
      if (pattern->get(text) != simdjson::SUCCESS) return refuse(place, "\"pattern\" must be a string");
      add(Op::kPattern, compile_pattern(place, text));
    }
    if (const auto format = keyword(place, "format")) {
      std::string_view name;
      if (format->get(name) != simdjson::SUCCESS) return refuse(place, "\"format\" must be a string");
      const auto known = schema_text::format_named(name);
      if (known && options_.assert_formats) add(Op::kFormat, static_cast<std::size_t>(*known));
    }
  }

  std::vector<SchemaIndex> schema_list(PlaceIndex place, std::string_view name) {
    std::vector<SchemaIndex> schemas;
    const PlaceIndex list = keyword_place(place, name);
    const json::Value value = places_[list].value;
    if (value.type() != element_type::ARRAY || json::Array(value).size() == 0) {
      refuse(place, "\"" + std::string(name) + "\" must be an array of schemas that is not empty");
      return schemas;
    }
    for (const auto item : json::Array(value)) schemas.push_back(schema_of(child(list, schemas.size(), item)));
    return schemas;
  }

  void compile_arrays(PlaceIndex place) {
    compile_count(place, "minItems", Op::kMinItems);
    compile_count(place, "maxItems", Op::kMaxItems);
    if (keyword(place, "prefixItems") || keyword(place, "items")) {
      ItemRule rule;
      if (keyword(place, "prefixItems")) rule.prefix = schema_list(place, "prefixItems");
      if (keyword(place, "items")) rule.rest = schema_at_keyword(place, "items");
      add_to(Op::kItems, program_->item_rules, std::move(rule));
    }
    if (keyword(place, "contains")) {
      ContainsRule rule{.schema = schema_at_keyword(place, "contains")};
      rule.at_least = count(place, "minContains").value_or(rule.at_least);
      rule.at_most = count(place, "maxContains").value_or(rule.at_most);
      add_to(Op::kContains, program_->contains_rules, rule);
    }
    if (const auto unique = keyword(place, "uniqueItems")) {
      if (unique->type() != element_type::BOOL) return refuse(place, "\"uniqueItems\" must be true or false");
      if (unique->get_bool().value_unsafe()) add(Op::kUniqueItems, 0);
    }
  }

  /// Calls `use(name, place of the member)` for each member of an object-valued keyword.
  template <class Use>
  void for_each_member(PlaceIndex place, std::string_view name, const Use& use) {
    if (!keyword(place, name)) return;
    const PlaceIndex map = keyword_place(place, name);
    const json::Value value = places_[map].value;
    if (value.type() != element_type::OBJECT) return refuse(place, "\"" + std::string(name) + "\" must be an object");
    for (const auto entry : json::Object(value)) use(entry.key, child(map, entry.key, entry.value));
  }

  std::vector<std::string_view> strings(PlaceIndex place, const json::Value& value, std::string_view name) {
    std::vector<std::string_view> texts;
    bool is_good = value.type() == element_type::ARRAY;
    if (is_good) {
      for (const auto item : json::Array(value))
        is_good = item.get(texts.emplace_back()) == simdjson::SUCCESS && is_good;
    }
    if (!is_good) refuse(place, "\"" + std::string(name) + "\" must be an array of strings");
    return texts;
  }

  void compile_objects(PlaceIndex place) {
    compile_count(place, "minProperties", Op::kMinProperties);
    compile_count(place, "maxProperties", Op::kMaxProperties);
    compile_object_rule(place);
    if (keyword(place, "propertyNames")) add(Op::kPropertyNames, schema_at_keyword(place, "propertyNames"));
    std::vector<Dependent> required;
    for_each_member(place, "dependentRequired", [&](std::string_view name, PlaceIndex at) {
      required.push_back({name, strings(place, places_[at].value, "dependentRequired"), kNone});
    });
    if (!required.empty()) add_to(Op::kDependentRequired, program_->dependents, std::move(required));
    std::vector<Dependent> schemas;
    for_each_member(place, "dependentSchemas",
                    [&](std::string_view name, PlaceIndex at) { schemas.push_back({name, {}, schema_of(at)}); });
    if (!schemas.empty()) add_to(Op::kDependentSchemas, program_->dependents, std::move(schemas));
  }

  void compile_object_rule(PlaceIndex place) {
    ObjectRule rule;
    std::map<std::string_view, ObjectRule::Property, ByLength> table;
    for_each_member(place, "properties", [&](std::string_view name, PlaceIndex at) {
      table[name].schema = schema_of(at);
      rule.declared.emplace_back(name);
    });
    if (const auto required = keyword(place, "required")) {
      for (const auto name : strings(place, *required, "required")) {
        ObjectRule::Property& property = table[name];
        if (property.required_bit != kNone) continue;
        property.required_bit = static_cast<std::uint32_t>(rule.required.size());
        rule.required.push_back(name);
      }
    }
    for_each_member(place, "patternProperties", [&](std::string_view pattern, PlaceIndex at) {
      rule.patterns.emplace_back(compile_pattern(place, pattern), schema_of(at));
    });
    if (keyword(place, "additionalProperties")) rule.additional = schema_at_keyword(place, "additionalProperties");
    for (auto& [name, property] : table) {
      property.name = name;
      rule.table.push_back(property);
    }
    if (!rule.table.empty() || !rule.patterns.empty() || rule.additional != kNone) {
      add_to(Op::kObject, program_->object_rules, std::move(rule));
    }
  }

  void compile_references(PlaceIndex place) {
    if (const auto reference = keyword(place, "$ref")) {
      std::string_view text;
      if (reference->get(text) != simdjson::SUCCESS) return refuse(place, "\"$ref\" must be a string");
      if (const auto target = follow(place, text)) add(Op::kRef, schema_of(*target));
    }
    if (const auto reference = keyword(place, "$dynamicRef")) {
      std::string_view text;
      if (reference->get(text) != simdjson::SUCCESS) return refuse(place, "\"$dynamicRef\" must be a string");
      compile_dynamic_reference(place, text);
    }
  }

  void compile_dynamic_reference(PlaceIndex place, std::string_view reference) {
    const auto target = follow(place, reference);
    if (!target) return;
    // It is dynamic only where it leads to a "$dynamicAnchor" by that name; else it is a plain "$ref".
    const auto hash = reference.find('#');
    const std::string name = hash == reference.npos ? "" : schema_text::percent_decode(reference.substr(hash + 1));
    const auto& anchors = resources_[places_[*target].resource].dynamic_anchors;
    const auto anchor = anchors.find(name);
    if (anchor == anchors.end() || anchor->second != *target) return add(Op::kRef, schema_of(*target));
    DynamicRef rule{.initial = schema_of(*target), .by_resource = {}};
    for (std::uint32_t index = 0; index < resources_.size(); ++index) {
      const auto found = resources_[index].dynamic_anchors.find(name);
      if (found != resources_[index].dynamic_anchors.end())
        rule.by_resource.emplace_back(index, schema_of(found->second));
    }
    add_to(Op::kDynamicRef, program_->dynamic_refs, std::move(rule));
  }

  void compile_applicators(PlaceIndex place) {
    for (const auto& [name, op] :
         {std::pair{"allOf", Op::kAllOf}, std::pair{"anyOf", Op::kAnyOf}, std::pair{"oneOf", Op::kOneOf}}) {
      if (keyword(place, name)) add_to(op, program_->lists, schema_list(place, name));
    }
    if (keyword(place, "not")) add(Op::kNot, schema_at_keyword(place, "not"));
    if (!keyword(place, "if")) return;
    Condition condition{.condition = schema_at_keyword(place, "if")};
    if (keyword(place, "then")) condition.then_schema = schema_at_keyword(place, "then");
    if (keyword(place, "else")) condition.else_schema = schema_at_keyword(place, "else");
    add_to(Op::kIf, program_->conditions, condition);
  }

  // ---- loops ----

  /// The schemas that are applied to the same value as `schema`.
  std::vector<SchemaIndex> applied_in_place(const Schema& schema) const {
    std::vector<SchemaIndex> targets;
    const auto add_target = [&](SchemaIndex target) {
      if (target != kNone) targets.push_back(target);
    };
    for (std::uint32_t index = schema.first; index < schema.first + schema.count; ++index) {
      const Check check = program_->checks[index];
      switch (check.op) {
        case Op::kRef:
        case Op::kNot:
          add_target(check.operand);
          break;
        case Op::kAllOf:
        case Op::kAnyOf:
        case Op::kOneOf:
          for (const SchemaIndex target : program_->lists[check.operand]) add_target(target);
          break;
        case Op::kIf:
          add_target(program_->conditions[check.operand].condition);
          add_target(program_->conditions[check.operand].then_schema);
          add_target(program_->conditions[check.operand].else_schema);
          break;
        case Op::kDependentSchemas:
          for (const Dependent& dependent : program_->dependents[check.operand]) add_target(dependent.schema);
          break;
        default:
          break;  // "$dynamicRef" is decided while validating, where the depth is bounded
      }
    }
    return targets;
  }

  /// A schema that applies itself to the same value would never end.
  void refuse_loops() {
    enum class Mark : std::uint8_t { kNew, kOpen, kDone };
    struct Step {
      SchemaIndex schema;
      std::vector<SchemaIndex> targets;
    };
    std::vector<Mark> marks(program_->schemas.size(), Mark::kNew);
    std::vector<Step> path;
    for (SchemaIndex start = 0; start < marks.size(); ++start) {
      if (marks[start] != Mark::kNew) continue;
      marks[start] = Mark::kOpen;
      path.push_back({start, applied_in_place(program_->schemas[start])});
      while (!path.empty()) {
        Step& last = path.back();
        if (last.targets.empty()) {
          marks[last.schema] = Mark::kDone;
          path.pop_back();
          continue;
        }
        const SchemaIndex next = last.targets.back();
        last.targets.pop_back();
        if (marks[next] == Mark::kOpen)
          return refuse(0, "a \"$ref\" leads back to itself without a property or item between");
        if (marks[next] == Mark::kDone) continue;
        marks[next] = Mark::kOpen;
        path.push_back({next, applied_in_place(program_->schemas[next])});
      }
    }
  }

  struct HashChild {
    std::size_t operator()(const std::pair<PlaceIndex, std::string_view>& key) const noexcept {
      return std::hash<std::string_view>{}(key.second) * 31 + key.first;
    }
  };

  const JsonSchema::Options& options_;
  std::unique_ptr<Program> program_;
  std::optional<Error> error_;
  std::vector<Place> places_;
  std::unordered_map<std::pair<PlaceIndex, std::string_view>, PlaceIndex, HashChild> children_;
  std::deque<std::string> numbers_;  // "0", "1", ...: tokens of array items
  std::vector<Resource> resources_;
  std::map<std::string, std::uint32_t, std::less<>> by_uri_;
  std::deque<PlaceIndex> queue_;
  std::vector<Check> checks_;  // of the schema that is being compiled
};

}  // namespace

Result<std::unique_ptr<const Program>> compile(std::string_view schema_json, const JsonSchema::Options& options) {
  return Compiler(options).run(schema_json);
}

}  // namespace toolhost::schema_program
