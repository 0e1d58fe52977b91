#pragma once
#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace toolhost::protocol {

/// The cursors of all lists: each names the last item of its page, so that it survives a change of the list.
std::string make_cursor(std::string_view last_name);
/// The name; nothing for a text that make_cursor() does not make.
std::optional<std::string> name_in_cursor(std::string_view cursor);

template <class Item>
struct ListPage {
  std::span<const Item> items;
  std::optional<std::string> next_cursor;
};

/// The page of a list, sorted by `name_of`, that `cursor` asks for; kInvalidArgument for a cursor that no page handed
/// out.
template <class Item, class NameOf>
Result<ListPage<Item>> find_page(std::span<const Item> list, std::size_t page_size,
                                 std::optional<std::string_view> cursor, NameOf name_of) {
  auto first = list.begin();
  if (cursor) {
    const auto last_seen = name_in_cursor(*cursor);
    if (!last_seen)
      return Error{Errc::kInvalidArgument, "Invalid cursor: pass nextCursor of the page before, unchanged", ""};
    first = std::upper_bound(list.begin(), list.end(), std::string_view(*last_seen),
                             [&](std::string_view name, const Item& item) { return name < name_of(item); });
  }
  ListPage<Item> page;
  page.items = list.subspan(static_cast<std::size_t>(first - list.begin()));
  if (page.items.size() > page_size) {
    page.items = page.items.first(page_size);
    page.next_cursor = make_cursor(name_of(page.items.back()));
  }
  return page;
}

}  // namespace toolhost::protocol
