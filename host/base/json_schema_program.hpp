#pragma once
#include <re2/re2.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.hpp"
#include "base/json_schema.hpp"
#include "base/json_schema_text.hpp"

/// What JsonSchema::compile makes of a schema, shared by the compiler and the evaluator. Everything is an index into a
/// flat table; text and constants are borrowed from `document`.
namespace toolhost::schema_program {

using SchemaIndex = std::uint32_t;
constexpr SchemaIndex kAnything = 0;  ///< accepts every value
constexpr SchemaIndex kNone = std::numeric_limits<SchemaIndex>::max();

/// What one check does; its operand is given in brackets.
enum class Op : std::uint8_t {
  kNever,
  kType,  // bits of TypeBit
  kEnum,
  kConst,  // index in `constants`
  kMinimum,
  kMaximum,
  kExclusiveMinimum,
  kExclusiveMaximum,
  kMultipleOf,  // index in `bounds`
  kMinLength,
  kMaxLength,  // index in `counts`
  kPattern,    // index in `patterns`
  kFormat,     // schema_text::Format
  kMinItems,
  kMaxItems,  // index in `counts`
  kItems,     // index in `item_rules`
  kContains,  // index in `contains_rules`
  kUniqueItems,
  kMinProperties,
  kMaxProperties,  // index in `counts`
  kObject,         // index in `object_rules`
  kPropertyNames,  // schema
  kDependentRequired,
  kDependentSchemas,  // index in `dependents`
  kRef,               // schema
  kDynamicRef,        // index in `dynamic_refs`
  kAllOf,
  kAnyOf,
  kOneOf,  // index in `lists`
  kNot,    // schema
  kIf,     // index in `conditions`
  kUnevaluatedItems,
  kUnevaluatedProperties,  // schema; always last
};

enum TypeBit : std::uint32_t {
  kNullBit = 1,
  kBooleanBit = 2,
  kIntegerBit = 4,
  kNumberBit = 8,
  kStringBit = 16,
  kArrayBit = 32,
  kObjectBit = 64,
};

struct Check {
  Op op;
  std::uint32_t operand;
};

/// A range of `checks`, all of which must hold.
struct Schema {
  std::uint32_t first = 0;
  std::uint32_t count = 0;
  std::uint32_t resource = 0;      ///< the "$id" it stands under
  std::uint32_t types = 0;         ///< TypeBits of its "type"; 0 when it has none
  bool tracks_evaluation = false;  ///< has unevaluatedItems or unevaluatedProperties
};

/// enum and const, in the order in which they are written (for messages) and sorted (to be searched).
struct Constants {
  std::vector<json::Value> shown;
  std::vector<std::string_view> strings;  // sorted
  std::vector<std::string> others;        // canonical text, sorted
};

struct Bound {
  schema_text::ExactNumber number;
  schema_text::Decimal decimal;
  json::Value shown;
};

struct Pattern {
  std::unique_ptr<const RE2> expression;
  std::string_view shown;
};

struct ItemRule {
  std::vector<SchemaIndex> prefix;
  SchemaIndex rest = kNone;
};

struct ContainsRule {
  SchemaIndex schema = kAnything;
  std::uint64_t at_least = 1;
  std::uint64_t at_most = std::numeric_limits<std::uint64_t>::max();
};

/// properties, patternProperties, additionalProperties and required in one pass over the members.
struct ObjectRule {
  struct Property {
    std::string_view name;
    SchemaIndex schema = kNone;          ///< kNone for a name that is only required
    std::uint32_t required_bit = kNone;  ///< kNone for an optional one
  };
  std::vector<Property> table;                                  // sorted by length, then bytes
  std::vector<std::string> declared;                            // names of "properties", as written
  std::vector<std::string_view> required;                       // as written; the bit is the index
  std::vector<std::pair<std::uint32_t, SchemaIndex>> patterns;  // index in Program::patterns
  SchemaIndex additional = kNone;
};

struct Dependent {
  std::string_view name;
  std::vector<std::string_view> required;
  SchemaIndex schema = kNone;
};

struct DynamicRef {
  SchemaIndex initial = kAnything;
  std::vector<std::pair<std::uint32_t, SchemaIndex>> by_resource;  // where the same "$dynamicAnchor" stands
};

struct Condition {
  SchemaIndex condition = kAnything;
  SchemaIndex then_schema = kNone;
  SchemaIndex else_schema = kNone;
};

struct Program {
  json::Document document;
  unsigned max_depth = 0;
  std::uint32_t max_applications = 0;
  SchemaIndex root = kAnything;
  std::vector<Schema> schemas;
  std::vector<Check> checks;
  std::vector<Constants> constants;
  std::vector<Bound> bounds;
  std::vector<std::uint64_t> counts;
  std::vector<Pattern> patterns;
  std::vector<ItemRule> item_rules;
  std::vector<ContainsRule> contains_rules;
  std::vector<ObjectRule> object_rules;
  std::vector<std::vector<Dependent>> dependents;
  std::vector<DynamicRef> dynamic_refs;
  std::vector<std::vector<SchemaIndex>> lists;
  std::vector<Condition> conditions;
};

/// The order of ObjectRule::table: cheaper to compare than the alphabetical one.
struct ByLength {
  bool operator()(std::string_view a, std::string_view b) const noexcept {
    return a.size() != b.size() ? a.size() < b.size() : a < b;
  }
};

Result<std::unique_ptr<const Program>> compile(std::string_view schema_json, const JsonSchema::Options& options);

}  // namespace toolhost::schema_program
