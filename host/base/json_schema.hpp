#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "base/result.hpp"

namespace toolhost {

/// One reason why a value does not satisfy a schema.
struct SchemaViolation {
  std::string path;     ///< JSON Pointer (RFC 6901) to the offending value; empty for the root
  std::string keyword;  ///< the schema keyword that failed, e.g. "required"
  /// A sentence for the model, with the cure: "unknown parameter 'state'; did you mean 'status'?"
  std::string message;
};

/// A JSON Schema, draft 2020-12, compiled once and then used from any number of threads at a time.
/// All keywords of the core, applicator, validation and unevaluated vocabularies. Local "$ref" only; nothing is ever
/// fetched. "format" asserts date, date-time, email, uri and uuid where `assert_formats` asks for it and is an
/// annotation otherwise. "pattern" and "patternProperties" are RE2 expressions, matched in linear time on code points:
/// no look-around and no back references (such a schema is refused), \d \w \s are ASCII; ECMA-262's \uXXXX is
/// understood. "multipleOf" is decided on the decimal text of numbers, so 0.07 is a multiple of 0.01.
class JsonSchema {
 public:
  struct Options {
    std::size_t max_schema_bytes = 256 * 1024;
    unsigned max_depth = 64;  ///< nesting of the schema, and of "$ref" while validating: beyond it a value is refused
    /// How often (sub)schemas may be applied while one value is checked; a value that needs more is refused.
    std::uint32_t max_applications = 4'000'000;
    bool assert_formats = true;  ///< check date, date-time, email, uri, uuid
  };
  /// kInvalidArgument when the text is no JSON, no schema, of another dialect ("$schema"), too large, too deep, refers
  /// outside itself or round in a circle. The message names the place in the schema.
  static Result<JsonSchema> compile(std::string_view schema_json, const Options& options);
  static Result<JsonSchema> compile(std::string_view schema_json) { return compile(schema_json, Options{}); }

  JsonSchema(JsonSchema&&) noexcept;
  JsonSchema& operator=(JsonSchema&&) noexcept;
  ~JsonSchema();

  /// True when the value conforms. Allocates nothing for a conforming value, except: uniqueItems on arrays of more than
  /// 16 items or of items that are not all scalars, enum and const on arrays and objects, propertyNames,
  /// unevaluatedItems and unevaluatedProperties, and what RE2 keeps from the first matches of a pattern.
  [[nodiscard]] bool accepts(const json::Value& value) const;
  /// What is wrong, most useful first, at most `limit`; empty when the value conforms.
  [[nodiscard]] std::vector<SchemaViolation> violations(const json::Value& value, std::size_t limit = 8) const;

 private:
  struct Program;
  explicit JsonSchema(std::unique_ptr<const Program> program) noexcept;
  std::unique_ptr<const Program> program_;
};

}  // namespace toolhost
