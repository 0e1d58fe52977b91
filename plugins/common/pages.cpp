#include "pages.hpp"

#include <charconv>
#include <utility>
#include <vector>

#include "refusal.hpp"

namespace helpdesk {
namespace {

constexpr char kSeparator = '\n';  // no part of a cursor holds one

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t end = text.find(kSeparator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

}  // namespace

bool TextBudget::take(std::size_t characters) {
  used_ += characters;
  return !std::exchange(is_begun_, true) || used_ <= kTextBudget;
}

std::string encode(const ListCursor& cursor) {
  return "list\n" + std::to_string(cursor.filters) + kSeparator + cursor.position.first_key + kSeparator +
         cursor.position.second_key + kSeparator + cursor.position.ref;
}

std::optional<ListCursor> decode_list_cursor(std::string_view text) {
  const auto parts = split(text);
  if (parts.size() != 5 || parts[0] != "list") return std::nullopt;
  ListCursor cursor;
  const char* const end = parts[1].data() + parts[1].size();
  const auto [read_to, error] = std::from_chars(parts[1].data(), end, cursor.filters);
  if (error != std::errc{} || read_to != end) return std::nullopt;
  cursor.position = {std::string(parts[2]), std::string(parts[3]), std::string(parts[4])};
  return cursor;
}

PagePosition read_cursor(std::string_view cursor, std::uint64_t filters, std::string_view tool, const OpenToken& open) {
  const auto opened = open(cursor);
  auto decoded = opened ? decode_list_cursor(*opened) : std::nullopt;
  if (!decoded) {
    throw Refusal(Refusal::Kind::kInvalid, "cursor is not one that " + std::string(tool) +
                                               " gave; pass next_cursor exactly as it came, or leave cursor out to "
                                               "start from the first page");
  }
  if (decoded->filters != filters) {
    throw Refusal(Refusal::Kind::kInvalid,
                  "cursor belongs to a list with other filters or another order; repeat the filters, sort and order "
                  "of the call that gave it, or leave cursor out to start from the first page");
  }
  return std::move(decoded->position);
}

}  // namespace helpdesk
