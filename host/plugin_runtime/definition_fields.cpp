#include "plugin_runtime/definition_fields.hpp"

#include <algorithm>
#include <cstring>

#include "base/json.hpp"

namespace toolhost::plugin_runtime {

Result<std::string> text_of(const char* text, std::size_t max_bytes, const std::string& what, bool required) {
  if (text == nullptr) {
    if (required) return refusal(what + " is NULL");
    return std::string();
  }
  const auto size = strnlen(text, max_bytes + 1);
  if (size > max_bytes) return refusal(what + " is longer than " + std::to_string(max_bytes) + " bytes");
  if (required && size == 0) return refusal(what + " is empty");
  if (!simdjson::validate_utf8(text, size)) return refusal(what + " is not UTF-8");
  return std::string(text, size);
}

Result<std::vector<std::string>> texts_of(const char* const* elements, const std::string& what) {
  const auto count = length_of(elements, what);
  if (!count) return count.error();
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < *count; ++i) {
    auto text = text_of(elements[i], kMaxNameBytes, what + "[" + std::to_string(i) + "]");
    if (!text) return text.error();
    texts.push_back(std::move(*text));
  }
  return texts;
}

Result<std::string> json_of(const char* text, JsonKind kind, const std::string& what) {
  auto copied = text_of(text, kMaxSchemaBytes, what, false);
  if (!copied || copied->empty()) return copied;
  json::Document document;
  const auto root = document.parse(*copied);
  const bool is_array = kind == JsonKind::kArray;
  if (!root || (is_array ? !root->is_array() : !root->is_object()))
    return refusal(what + " is not a JSON " + (is_array ? "array" : "object"));
  return json::to_text(*root);
}

Result<JsonSchema> object_schema(std::string& text, const std::string& what) {
  auto schema = JsonSchema::compile(text);
  if (!schema) return refusal(what + " is not usable: " + schema.error().message);
  json::Document document;
  const auto root = document.parse(text);
  std::string_view type;
  if (!root || json::find(*root, "type").get(type) != simdjson::SUCCESS || type != "object")
    return refusal(what + " must say \"type\": \"object\" at the top");
  text = json::to_text(*root);
  return schema;
}

bool is_tool_name(std::string_view name) {
  // The common ground of the assistants: longer names, and dots, are refused by some of them.
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

}  // namespace toolhost::plugin_runtime
