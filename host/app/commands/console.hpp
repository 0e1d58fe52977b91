#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace toolhost::app {

/// Text of somebody else's, fit for a terminal: control characters, marks that change the direction of writing, and
/// bytes that are not UTF-8 become visible escapes such as \x1b and \u{202e}.
std::string printable(std::string_view text);

/// How many characters a UTF-8 text has.
std::size_t character_count(std::string_view text);

/// "1,234,567".
std::string grouped(std::uint64_t number);

/// "1 row", "1,234 rows".
std::string counted(std::uint64_t number, std::string_view one);

/// Rows of cells under each other, each made printable, each column as wide as its widest cell.
std::string columns(const std::vector<std::vector<std::string>>& rows);

}  // namespace toolhost::app
