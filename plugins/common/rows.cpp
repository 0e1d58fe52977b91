#include "rows.hpp"

#include <algorithm>

#include "text.hpp"

namespace helpdesk {

std::optional<std::string> optional_text(const toolhost::Row& row, std::size_t column) {
  return row.get<std::optional<std::string>>(column);
}

std::optional<std::string> cleaned(const toolhost::Row& row, std::size_t column) {
  if (row.is_null(column)) return std::nullopt;
  return clean_line(row.text(column));
}

std::optional<std::vector<std::string>> cleaned_tags(const toolhost::Row& row, std::size_t column) {
  auto tags = row.get<std::optional<std::vector<std::string>>>(column);
  if (tags) std::transform(tags->begin(), tags->end(), tags->begin(), clean_line);
  return tags;
}

}  // namespace helpdesk
