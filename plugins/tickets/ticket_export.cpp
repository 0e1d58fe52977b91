#include "ticket_export.hpp"

#include <toolhost/plugin.hpp>

#include <charconv>

#include "refusal.hpp"
#include "rows.hpp"

namespace helpdesk::tickets {
namespace {

using toolhost::Row;
using toolhost::Rows;

constexpr std::string_view kCursorMark = "export ";

/// Where an export goes on; before it is sealed it is "export DONE TOTAL REF MOMENT".
struct Position {
  std::int64_t done = 0, total = 0;
  std::string ref, created_at;
};

std::string encode(const Position& position) {
  return std::string(kCursorMark) + std::to_string(position.done) + ' ' + std::to_string(position.total) + ' ' +
         position.ref + ' ' + position.created_at;
}

std::optional<Position> decode(std::string_view text) {
  if (!text.starts_with(kCursorMark)) return std::nullopt;
  text.remove_prefix(kCursorMark.size());
  const auto take = [&text] {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view part = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return part;
  };
  const auto number = [&](std::int64_t& out) {
    const std::string_view part = take();
    return std::from_chars(part.data(), part.data() + part.size(), out).ec == std::errc{};
  };
  Position position;
  if (!number(position.done) || !number(position.total)) return std::nullopt;
  position.ref = take();
  position.created_at = text;
  return position;
}

/// What one page may weigh, so that long texts do not burst an answer; at least one ticket is in it.
constexpr std::int64_t kPageBytes = 4'000'000;

constexpr std::string_view kPageBegin = R"sql(
with page as (
  select *, sum(bytes) over (order by created_at, ref) - bytes as bytes_before
    from (select *, octet_length(description) + coalesce((select sum(octet_length(body)) from ticket_messages m
                                                           where m.ticket = tickets.ref), 0) as bytes
            from tickets
           where )sql";
// Two conditions, because one that serves both finds no index.
constexpr std::string_view kFromStart = "$1::text is null and $2::text is null";
constexpr std::string_view kFromPosition = "(created_at, ref) > ($1::text::timestamptz, $2::text)";
constexpr std::string_view kPageEnd = R"sql(
           order by created_at, ref limit $3::bigint) next
)
select json_strip_nulls(json_build_object(
         'id', ref, 'title', title, 'description', nullif(description, ''), 'status', status, 'waiting_on', waiting_on,
         'resolution', resolution, 'duplicate_of', duplicate_of, 'priority', priority, 'category', category,
         'tags', case when tags <> '{}' then to_json(tags) end, 'assignee', assignee, 'requester', requester,
         'due_at', utc(due_at), 'created_at', utc(created_at), 'updated_at', utc(updated_at),
         'first_reply_at', utc(first_reply_at), 'resolved_at', utc(resolved_at), 'reopen_count', nullif(reopen_count, 0),
         'messages', (select json_agg(json_build_object('visibility', visibility, 'author', author,
                                                        'author_role', author_role, 'created_at', utc(m.created_at),
                                                        'body', body) order by number)
                        from ticket_messages m where m.ticket = page.ref))),
       ref, utc(created_at), bytes_before >= $4::bigint
  from page order by page.created_at, ref)sql";

}  // namespace

ExportResult export_tickets(toolhost::Call& call, const ExportRequest& request) {
  Position position;
  if (request.cursor) {
    const auto opened = call.open(*request.cursor);
    const auto decoded = opened ? decode(*opened) : std::nullopt;
    if (!decoded) throw Refusal(Refusal::Kind::kInvalid, "cursor is not one that this export gave");
    position = *decoded;
  } else {
    Rows rows = call.query("select count(*) from tickets");
    position.total = rows.next().i64(0);
  }
  std::optional<std::string> created_at, ref;
  if (request.cursor) created_at = position.created_at, ref = position.ref;
  const std::string sql = std::string(kPageBegin).append(ref ? kFromPosition : kFromStart).append(kPageEnd);
  Rows rows = call.query(sql, created_at, ref, request.limit + 1, kPageBytes);
  ExportResult result;
  bool has_more = false;
  while (const Row row = rows.next()) {
    has_more = result.rows.size() == static_cast<std::size_t>(request.limit) || row.boolean(3);
    if (has_more) break;
    result.rows.emplace_back(row.text(0));
    position.ref = row.text(1);
    position.created_at = row.text(2);
    ++position.done;
  }
  result.done = position.done;
  result.total = std::max(position.total, position.done);
  if (has_more) result.cursor = call.seal(encode(position));
  return result;
}

}  // namespace helpdesk::tickets
