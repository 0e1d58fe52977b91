#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json_schema.hpp"
#include "base/result.hpp"

// What the checks of definitions share. Each answers kInvalidArgument with a message that begins with `what`.

namespace toolhost::plugin_runtime {

constexpr std::size_t kMaxNameBytes = 200, kMaxDescriptionBytes = 16 * 1024, kMaxSchemaBytes = 256 * 1024;
constexpr std::size_t kMaxElements = 1024;  // of any array that a plugin ends with NULL

inline Error refusal(std::string reason) {
  return {Errc::kInvalidArgument, std::move(reason), {}};
}

/// A static string of the plugin, bounded and checked; empty for a NULL that is not required.
Result<std::string> text_of(const char* text, std::size_t max_bytes, const std::string& what, bool required = true);

/// The length of an array that ends with NULL.
template <class T>
Result<std::size_t> length_of(const T* const* elements, const std::string& what) {
  if (elements == nullptr) return std::size_t{0};
  for (std::size_t i = 0; i <= kMaxElements; ++i)
    if (elements[i] == nullptr) return i;
  return refusal(what + " has more than " + std::to_string(kMaxElements) + " elements; does NULL end it?");
}

/// The strings of an array that ends with NULL.
Result<std::vector<std::string>> texts_of(const char* const* elements, const std::string& what);

enum class JsonKind { kObject, kArray };
/// An optional object or array, made compact; empty for NULL.
Result<std::string> json_of(const char* text, JsonKind kind, const std::string& what);

/// Compiles a schema whose values are objects, and makes its text compact: it is sent with every tools/list.
Result<JsonSchema> object_schema(std::string& text, const std::string& what);

/// 1 to 64 of A-Z a-z 0-9 _ -: of tools, resources and prompts.
bool is_tool_name(std::string_view name);

}  // namespace toolhost::plugin_runtime
