#pragma once
#include <string_view>

#include "base/result.hpp"

namespace toolhost::storage {

/// The first of two walls around a plugin's SQL (the second are the rights of its role): what it says is looked at
/// before the server sees it. Comments, strings, quoted names and dollar quotes are understood; nothing else of SQL is.

/// One statement of a tool: begins with SELECT, INSERT, UPDATE, DELETE, MERGE, WITH, VALUES or TABLE, and names nothing
/// that changes settings. kDenied otherwise.
Result<> screen_statement(std::string_view sql);

/// A migration: no transaction control and no settings, also not inside the bodies it quotes with dollars. kDenied
/// otherwise.
Result<> screen_migration(std::string_view sql);

/// The stored body of a function: runs no SET, no RESET and no SQL that it puts together itself. kDenied otherwise.
Result<> screen_function_body(std::string_view body);

}  // namespace toolhost::storage
