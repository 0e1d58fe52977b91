#pragma once
#include <toolhost/plugin/call.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Columns as results need them.
namespace helpdesk {

/// Whether more statements follow in the transaction of the call, or this one commits in its own round trip.
enum class Finish { kKeepOpen, kCommit };

template <class... Arguments>
toolhost::Rows run(toolhost::Call& call, Finish finish, std::string_view sql, const Arguments&... arguments) {
  return finish == Finish::kCommit ? call.query(toolhost::last, sql, arguments...) : call.query(sql, arguments...);
}

std::optional<std::string> optional_text(const toolhost::Row& row, std::size_t column);

/// What people wrote, on one line without what could deceive.
std::optional<std::string> cleaned(const toolhost::Row& row, std::size_t column);
std::optional<std::vector<std::string>> cleaned_tags(const toolhost::Row& row, std::size_t column);

}  // namespace helpdesk
