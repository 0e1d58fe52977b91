#pragma once
#include <toolhost/plugin/enums.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

/// Lists that are read a page at a time.
namespace helpdesk {

enum class SortOrder { kDescending, kAscending };
TH_ENUM(SortOrder, value(SortOrder::kDescending, "desc"), value(SortOrder::kAscending, "asc"))

enum class ResponseFormat { kConcise, kDetailed };
TH_ENUM(ResponseFormat, value(ResponseFormat::kConcise, "concise"), value(ResponseFormat::kDetailed, "detailed"))

/// What matches a list's filters is counted up to here.
inline constexpr std::int64_t kCounted = 1000;

/// Characters of people's texts in one answer.
inline constexpr std::size_t kTextBudget = 20'000;

/// Says when the characters of a page are used up.
class TextBudget {
 public:
  /// Takes the characters of one item more; false when the page has to end before it. The first item always fits, so
  /// that every page leads on.
  bool take(std::size_t characters);

 private:
  std::size_t used_ = 0;
  bool is_begun_ = false;
};

/// Where a page ended: the sort columns of its last row.
struct PagePosition {
  std::string first_key, second_key, ref;
};

/// Where a list goes on, and for which filters and order (a hash). Before it is sealed.
struct ListCursor {
  std::uint64_t filters = 0;
  PagePosition position;
};
std::string encode(const ListCursor& cursor);
/// nullopt for what encode() does not make, such as the cursor of another tool.
std::optional<ListCursor> decode_list_cursor(std::string_view text);

/// What a sealed token held, or nullopt (toolhost::Call::open).
using OpenToken = std::function<std::optional<std::string>(std::string_view token)>;

/// The position in a cursor that `tool` gave for the list with this hash of filters. Throws Refusal for any other.
PagePosition read_cursor(std::string_view cursor, std::uint64_t filters, std::string_view tool, const OpenToken& open);

}  // namespace helpdesk
