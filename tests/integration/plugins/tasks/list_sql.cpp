#include "list_sql.hpp"

#include <regex>

#include "task_statements.hpp"

namespace {

using helpdesk::tasks::DueWindow;

/// A parameter as SQL; the tests give none with quotes in it.
std::string literal(const th_value& value) {
  if (value.type == TH_V_I64) return std::to_string(value.u.i64);
  if (value.type == TH_V_TIME) return '\'' + toolhost::Time{value.u.i64}.str() + '\'';
  return '\'' + std::string(toolhost::view(value.u.s)) + '\'';
}

}  // namespace

std::string list_sql(std::string_view window, std::string_view now, std::string_view zone) {
  helpdesk::tasks::ListRequest request;
  request.filter.due = toolhost::detail::enum_value<DueWindow>(window).value();
  request.limit = 5000;
  const auto statement =
      helpdesk::tasks::list_statement(request, {toolhost::Time::parse(now).value(), std::string(zone)});
  static const std::regex parameter("\\$([0-9]+)");
  std::string sql;
  std::size_t at = 0;
  for (std::sregex_iterator match(statement.sql.begin(), statement.sql.end(), parameter), end; match != end; ++match) {
    const auto begin = static_cast<std::size_t>(match->position());
    sql.append(statement.sql, at, begin - at).append(literal(statement.values.data()[std::stoul((*match)[1]) - 1]));
    at = begin + static_cast<std::size_t>(match->length());
  }
  return sql.append(statement.sql, at);
}
