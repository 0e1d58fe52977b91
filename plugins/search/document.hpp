#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace search {

/// Where in a document a word stands.
enum class Field : std::uint8_t { kTitle, kTags, kBody, kMessages, kNotes };
inline constexpr std::size_t kFieldCount = 5;

/// A set of fields: bit n for the field n.
using FieldSet = std::uint8_t;
constexpr FieldSet only(Field field) {
  return static_cast<FieldSet>(1U << static_cast<unsigned>(field));
}
inline constexpr FieldSet kAllFields = (1U << kFieldCount) - 1;
/// What everybody may read.
inline constexpr FieldSet kPublicFields = kAllFields & static_cast<FieldSet>(~only(Field::kNotes));

/// What a word counts in each field, for its own weight and for the length of the document.
inline constexpr std::array<std::uint32_t, kFieldCount> kFieldWeights = {3, 3, 1, 1, 1};

/// A document as the plugin that has it shows it: one row of its view search_documents.
struct Document {
  std::string source;  ///< id of that plugin
  std::string ref;     ///< unique in the source
  std::string kind;    ///< "ticket", "task" ...
  std::string title, body, messages, notes;
  std::vector<std::string> tags;
  std::string status, priority, category, assignee, requester;  ///< empty: none
  std::int64_t created_us = 0, updated_us = 0;
  std::optional<std::int64_t> due_us;
  std::int64_t changed = 0;  ///< tells two states of the document apart
};

}  // namespace search
