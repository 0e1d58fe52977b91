#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace helpdesk {

struct JsonMember;

/// A JSON value whose shape nobody promised, such as a row of imported data.
struct JsonValue {
  enum class Kind { kNull, kBoolean, kNumber, kText, kArray, kObject };

  Kind kind = Kind::kNull;
  std::string text;  ///< of a text, unescaped; of a number or boolean, as written; of what is nested too deep, its JSON
  std::vector<JsonValue> items;
  std::vector<JsonMember> members;  ///< in the order of the text

  [[nodiscard]] bool is(Kind wanted) const noexcept { return kind == wanted; }
  /// The first member of that name, or nullptr.
  [[nodiscard]] const JsonValue* find(std::string_view name) const;
};

struct JsonMember {
  std::string name;
  JsonValue value;
};

/// Reads JSON that the host has checked.
JsonValue parse_json(std::string_view json);

}  // namespace helpdesk
