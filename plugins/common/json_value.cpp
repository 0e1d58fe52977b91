#include "json_value.hpp"

#include <toolhost/plugin/json.hpp>

namespace helpdesk {
namespace {

using Kind = JsonValue::Kind;

constexpr int kDeepest = 16;

JsonValue read(toolhost::detail::JsonReader& reader, int depth) {
  JsonValue value;
  switch (reader.peek()) {
    case '{':
    case '[':
      if (depth == kDeepest) {
        value.kind = Kind::kText;
        value.text = reader.raw();
      } else if (reader.peek() == '{') {
        value.kind = Kind::kObject;
        reader.object([&](std::string_view name) {
          std::string member(name);  // the reader reuses its buffer
          value.members.push_back({std::move(member), read(reader, depth + 1)});
        });
      } else {
        value.kind = Kind::kArray;
        reader.array([&] { value.items.push_back(read(reader, depth + 1)); });
      }
      return value;
    case '"':
      value.kind = Kind::kText;
      reader.string(value.text);
      return value;
    case 'n':
      reader.null();
      return value;
    default:
      value.kind = reader.peek() == 't' || reader.peek() == 'f' ? Kind::kBoolean : Kind::kNumber;
      value.text = reader.raw();
      return value;
  }
}

}  // namespace

const JsonValue* JsonValue::find(std::string_view name) const {
  for (const auto& [member, value] : members) {
    if (member == name) return &value;
  }
  return nullptr;
}

JsonValue parse_json(std::string_view json) {
  toolhost::detail::JsonReader reader(json);
  return read(reader, 0);
}

}  // namespace helpdesk
