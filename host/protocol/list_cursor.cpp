#include "protocol/list_cursor.hpp"

#include "base/base64url.hpp"

namespace toolhost::protocol {
namespace {

constexpr std::string_view kCursorMark = "after:";

}  // namespace

std::string make_cursor(std::string_view last_name) {
  return to_base64url(std::string(kCursorMark).append(last_name));
}

std::optional<std::string> name_in_cursor(std::string_view cursor) {
  auto text = from_base64url(cursor);
  if (!text || text->size() <= kCursorMark.size() || !text->starts_with(kCursorMark)) return std::nullopt;
  return text->substr(kCursorMark.size());
}

}  // namespace toolhost::protocol
