#include "ticket_store.hpp"

#include <toolhost/plugin.hpp>

#include <algorithm>

#include "create_ticket_sql.hpp"
#include "text.hpp"

namespace tickets {
namespace {

using toolhost::Row;
using toolhost::Rows;

/// $1 is the time zone in every statement with these columns.
constexpr std::string_view kTicketColumns =
    "ref, title, status::text, priority::text, local_time(updated_at, $1::text), local_time(created_at, $1::text), "
    "local_time(due_at, $1::text), category, assignee, requester, tags::text, waiting_on, "
    "resolution, duplicate_of, local_time(first_reply_at, $1::text), local_time(resolved_at, $1::text), reopen_count, "
    "version";
constexpr std::size_t kTicketColumnCount = 18;

std::optional<std::string> optional_text(const Row& row, std::size_t column) {
  return row.get<std::optional<std::string>>(column);
}

std::optional<std::string> cleaned(const Row& row, std::size_t column) {
  if (row.is_null(column)) return std::nullopt;
  return clean_line(row.text(column));
}

std::optional<std::vector<std::string>> cleaned_tags(const Row& row, std::size_t column) {
  auto tags = row.get<std::optional<std::vector<std::string>>>(column);
  if (tags) std::transform(tags->begin(), tags->end(), tags->begin(), clean_line);
  return tags;
}

/// Reads the columns of kTicketColumns from `at` on.
Ticket read_ticket(const Row& row, std::size_t at = 0) {
  Ticket ticket;
  ticket.id = row.text(at);
  ticket.title = clean_line(row.text(at + 1));
  ticket.status = row.get<Status>(at + 2);
  ticket.priority = row.get<Priority>(at + 3);
  ticket.updated_at = row.text(at + 4);
  ticket.created_at = optional_text(row, at + 5);
  ticket.due_at = optional_text(row, at + 6);
  ticket.category = cleaned(row, at + 7);
  ticket.assignee = cleaned(row, at + 8);
  ticket.requester = cleaned(row, at + 9);
  ticket.tags = cleaned_tags(row, at + 10);
  ticket.waiting_on = optional_text(row, at + 11);
  ticket.resolution = optional_text(row, at + 12);
  ticket.duplicate_of = optional_text(row, at + 13);
  ticket.first_reply_at = optional_text(row, at + 14);
  ticket.resolved_at = optional_text(row, at + 15);
  ticket.reopen_count = row.get<std::optional<std::int64_t>>(at + 16);
  ticket.version = row.get<std::optional<std::int64_t>>(at + 17);
  return ticket;
}

template <class... Arguments>
Rows run(toolhost::Call& call, Finish finish, std::string_view sql, const Arguments&... arguments) {
  return finish == Finish::kCommit ? call.query(toolhost::last, sql, arguments...) : call.query(sql, arguments...);
}

/// How one sort of list_tickets is said in SQL. The keys are never null, so that a position in the list is total.
struct Sorting {
  std::string_view first_key;   ///< a column or expression
  std::string_view key_type;    ///< of the first key
  std::string_view second_key;  ///< a timestamptz column, or empty
  std::string_view extra;       ///< created_at and due_at of a concise list: what it is sorted by must be visible
};

Sorting sorting_of(SortKey sort, SortOrder order) {
  switch (sort) {
    case SortKey::kUpdated:
      return {"updated_at", "timestamptz", "", "null, null"};
    case SortKey::kCreated:
      return {"created_at", "timestamptz", "", "local_time(created_at, $1::text), null"};
    case SortKey::kPriority:
      return {"priority", "ticket_priority", "created_at", "null, null"};
    case SortKey::kDue:  // tickets without a date come last either way
      return {order == SortOrder::kAscending ? "coalesce(due_at, 'infinity')" : "coalesce(due_at, '-infinity')",
              "timestamptz", "", "null, local_time(due_at, $1::text)"};
  }
  return {};
}

/// Builds the statement of list() from fixed fragments. Each fragment names its parameter whether or not it filters, so
/// that the parameters are the same for every combination.
class ListStatement {
 public:
  ListStatement(const TicketFilter& filter, SortKey sort, SortOrder order, bool has_position, ResponseFormat format) {
    const Sorting sorting = sorting_of(sort, order);
    if (filter.only_unresolved) conditions_ += " and status < 'resolved'";
    add(filter.statuses.has_value(), "status = any($2::text::ticket_status[])", "$2::text is null");
    add(filter.priorities.has_value(), "priority = any($3::text::ticket_priority[])", "$3::text is null");
    if (filter.only_unassigned) conditions_ += " and assignee is null";
    add(filter.assignee.has_value(), "lower(assignee) = lower($4::text)", "$4::text is null");
    add(filter.requester.has_value(), "lower(requester) = lower($5::text)", "$5::text is null");
    add(filter.tags.has_value(), "tags @> $6::text::text[]", "$6::text is null");
    add(filter.category.has_value(), "lower(category) = lower($7::text)", "$7::text is null");
    add(filter.created_after.has_value(), "created_at >= $8::text::timestamptz", "$8::text is null");
    add(filter.created_before.has_value(), "created_at < $9::text::timestamptz", "$9::text is null");
    add(filter.updated_after.has_value(), "updated_at >= $10::text::timestamptz", "$10::text is null");
    add(filter.due_before.has_value(), "due_at < $11::text::timestamptz", "$11::text is null");

    const bool ascending = order == SortOrder::kAscending;
    const bool has_second = !sorting.second_key.empty();
    const std::string first(sorting.first_key), second(sorting.second_key);
    const std::string direction = ascending ? " asc" : " desc";
    std::string position;
    if (has_position) {
      position = " and (" + first + (has_second ? ", " + second : "") + ", ref) " + (ascending ? ">" : "<") +
                 " ($12::text::" + std::string(sorting.key_type) + (has_second ? ", $13::text::timestamptz" : "") +
                 ", $14::text)" + (has_second ? "" : " and $13::text is not null");
    } else {
      position = " and $12::text is null and $13::text is null and $14::text is null";
    }
    const std::string columns = format == ResponseFormat::kDetailed
                                    ? std::string(kTicketColumns)
                                    : "ref, title, status::text, priority::text, local_time(updated_at, $1::text), " +
                                          std::string(sorting.extra) +
                                          ", null, null, null, null, null, null, null, null, null, null, null";
    // The page is numbered before it is joined, because a join promises no order.
    sql_ = "with page as (select row_number() over (order by first_key" + direction + ", second_key" + direction +
           ", ref" + direction + ") as place, * from (select *, " + first + " as first_key, " +
           (has_second ? second : std::string("null::timestamptz")) + " as second_key from tickets where true" +
           conditions_ + position + " order by " + first + direction + (has_second ? ", " + second + direction : "") +
           ", ref" + direction +
           " limit $15::bigint) newest), found as (select count(*) as total from (select from tickets where true" +
           conditions_ + " limit " + std::to_string(kCountedTickets + 1) +
           ") counted) select found.total, local_time(now(), $1::text), first_key::text, coalesce(second_key::text, "
           "''), " +
           columns + " from found left join page on true order by place";
  }

  [[nodiscard]] const std::string& sql() const noexcept { return sql_; }

 private:
  void add(bool is_active, std::string_view active, std::string_view inactive) {
    conditions_ += " and ";
    conditions_ += is_active ? active : inactive;
  }

  std::string conditions_, sql_;
};

class PostgresTicketStore final : public TicketStore {
 public:
  PostgresTicketStore(toolhost::Call& call, std::string time_zone) : call_(call), time_zone_(std::move(time_zone)) {}

  std::optional<InsertedTicket> insert(const NewTicket& ticket, std::int64_t title_key, const Actor& actor,
                                       Finish finish) override;
  ClaimedKey claim_key(std::string_view principal, std::string_view tool, std::string_view key,
                       std::string_view request) override;
  void settle_key(std::string_view principal, std::string_view tool, std::string_view key, std::string_view ref,
                  std::int64_t message) override;
  TicketRows list(const TicketFilter& filter, SortKey sort, SortOrder order, const std::optional<PagePosition>& after,
                  std::int64_t limit, ResponseFormat format) override;
  std::optional<StoredTicket> find(std::string_view ref, Finish finish) override;
  std::optional<StoredTicket> find_for_update(std::string_view ref) override;
  std::vector<std::pair<std::int64_t, Message>> messages(std::string_view ref, std::int64_t before, std::int64_t limit,
                                                         Finish finish) override;
  std::vector<HistoryEvent> history(std::string_view ref, std::int64_t limit) override;
  StoredTicket add_reply(const ReplyChange& reply, const Actor& actor, Finish finish) override;
  std::vector<std::pair<std::string, std::string>> nearest(const std::vector<std::string>& refs,
                                                           std::string_view prefix) override;
  std::string today() override;

 private:
  toolhost::Call& call_;
  std::string time_zone_;
};

std::optional<InsertedTicket> PostgresTicketStore::insert(const NewTicket& ticket, std::int64_t title_key,
                                                          const Actor& actor, Finish finish) {
  Rows rows = run(call_, finish, kCreateTicketSql, ticket.ref, ticket.title, ticket.description, ticket.priority,
                  ticket.category, ticket.tags, ticket.assignee, ticket.requester, ticket.due_at, actor.principal,
                  actor.key_prefix, title_key, time_zone_);
  std::optional<InsertedTicket> inserted;
  while (const Row row = rows.next()) {
    if (!inserted) inserted = InsertedTicket{std::string(row.text(0)), optional_text(row, 1), {}, {}};
    if (row.is_null(2)) break;
    inserted->twins.push_back({std::string(row.text(2)), clean_line(row.text(3)), row.get<Status>(4), 0});
    if (row.boolean(5) && !inserted->repeated_ref) inserted->repeated_ref = row.text(2);
  }
  return inserted;
}

ClaimedKey PostgresTicketStore::claim_key(std::string_view principal, std::string_view tool, std::string_view key,
                                          std::string_view request) {
  // An insert waits for a concurrent transaction that inserted the same key; only one of them gets the row.
  const std::int64_t claimed = call_.exec(
      "insert into request_keys as mine (principal, tool, key, request_hash) "
      "values ($1::text, $2::text, $3::text, sha256(convert_to($4::text, 'UTF8'))) "
      "on conflict (tenant_id, principal, tool, key) do update "
      "set request_hash = excluded.request_hash, ticket = null, message = null, created_at = now() "
      "where mine.created_at < now() - interval '24 hours'",
      principal, tool, key, request);
  if (claimed == 1) return {};
  Rows rows = call_.query(
      "select request_hash = sha256(convert_to($4::text, 'UTF8')), ticket, coalesce(message, 0) from request_keys "
      "where principal = $1::text and tool = $2::text and key = $3::text",
      principal, tool, key, request);
  const Row row = rows.next();
  return {false, row.boolean(0), std::string(row.text(1)), row.i64(2)};
}

void PostgresTicketStore::settle_key(std::string_view principal, std::string_view tool, std::string_view key,
                                     std::string_view ref, std::int64_t message) {
  // Each call forgets more keys than it adds, so that the table stays small without a job.
  call_.exec(toolhost::last,
             "with expired as ("
             "  delete from request_keys where ctid = any(array("
             "    select ctid from request_keys where created_at < now() - interval '24 hours' "
             "    order by created_at limit 4 for update skip locked))) "
             "update request_keys set ticket = $4::text, message = nullif($5::bigint, 0) "
             "where principal = $1::text and tool = $2::text and key = $3::text",
             principal, tool, key, ref, message);
}

TicketRows PostgresTicketStore::list(const TicketFilter& filter, SortKey sort, SortOrder order,
                                     const std::optional<PagePosition>& after, std::int64_t limit,
                                     ResponseFormat format) {
  const ListStatement statement(filter, sort, order, after.has_value(), format);
  std::optional<std::string> first_key, second_key, ref;
  if (after) std::tie(first_key, second_key, ref) = std::tie(after->first_key, after->second_key, after->ref);
  Rows rows =
      call_.query(toolhost::last, statement.sql(), time_zone_, filter.statuses, filter.priorities, filter.assignee,
                  filter.requester, filter.tags, filter.category, filter.created_after, filter.created_before,
                  filter.updated_after, filter.due_before, first_key, second_key, ref, limit + 1);
  TicketRows result;
  PagePosition position;
  while (const Row row = rows.next()) {
    result.total = std::min(row.i64(0), kCountedTickets);
    result.total_is_exact = row.i64(0) <= kCountedTickets;
    result.server_time = row.text(1);
    if (row.is_null(4)) break;
    if (result.tickets.size() == static_cast<std::size_t>(limit)) {
      result.last = position;
      break;
    }
    position = {std::string(row.text(2)), std::string(row.text(3)), std::string(row.text(4))};
    result.tickets.push_back(read_ticket(row, 4));
  }
  return result;
}

std::optional<StoredTicket> find_ticket(toolhost::Call& call, Finish finish, std::string_view time_zone,
                                        std::string_view ref, std::string_view lock) {
  std::string sql = "select ";
  sql.append(kTicketColumns)
      .append(", description, local_time(now(), $1::text) from tickets where ref = $2::text")
      .append(lock);
  Rows rows = run(call, finish, sql, time_zone, ref);
  const Row row = rows.next();
  if (!row) return std::nullopt;
  StoredTicket stored{read_ticket(row), std::string(row.text(kTicketColumnCount + 1))};
  stored.ticket.description = clean(row.text(kTicketColumnCount));
  return stored;
}

std::optional<StoredTicket> PostgresTicketStore::find(std::string_view ref, Finish finish) {
  return find_ticket(call_, finish, time_zone_, ref, "");
}

std::optional<StoredTicket> PostgresTicketStore::find_for_update(std::string_view ref) {
  return find_ticket(call_, Finish::kKeepOpen, time_zone_, ref, " for update");
}

std::vector<std::pair<std::int64_t, Message>> PostgresTicketStore::messages(std::string_view ref, std::int64_t before,
                                                                            std::int64_t limit, Finish finish) {
  Rows rows =
      run(call_, finish,
          "select number, visibility, author, author_role, local_time(created_at, $1::text), body "
          "from ticket_messages where ticket = $2::text and number < $3::bigint order by number desc limit $4::bigint",
          time_zone_, ref, before, limit);
  std::vector<std::pair<std::int64_t, Message>> messages;
  while (const Row row = rows.next()) {
    Message message;
    message.id = std::string(ref) + '-' + std::to_string(row.i64(0));
    message.visibility = row.text(1) == "public" ? Visibility::kPublic : Visibility::kInternal;
    message.author = clean_line(row.text(2));
    message.author_role = row.text(3) == "staff" ? AuthorRole::kStaff : AuthorRole::kRequester;
    message.created_at = row.text(4);
    message.body = clean(row.text(5));
    messages.emplace_back(row.i64(0), std::move(message));
  }
  return messages;
}

std::vector<HistoryEvent> PostgresTicketStore::history(std::string_view ref, std::int64_t limit) {
  Rows rows = call_.query(toolhost::last,
                          "select local_time(at, $1::text), actor, via_key, field, old_value, case when field in "
                          "('reply', 'note') then ticket || '-' || new_value else new_value end from ticket_history "
                          "where ticket = $2::text order by version desc, field desc limit $3::bigint",
                          time_zone_, ref, limit);
  std::vector<HistoryEvent> events;
  while (const Row row = rows.next()) {
    events.push_back({std::string(row.text(0)), clean_line(row.text(1)), std::string(row.text(2)),
                      std::string(row.text(3)), cleaned(row, 4), cleaned(row, 5)});
  }
  return events;
}

StoredTicket PostgresTicketStore::add_reply(const ReplyChange& reply, const Actor& actor, Finish finish) {
  std::vector<std::string> fields, old_values, new_values;
  for (const FieldChange& change : reply.changes) {
    fields.push_back(change.field);
    old_values.push_back(change.from);
    new_values.push_back(change.to);
  }
  // clock_timestamp(), not now(): whoever waited for the row lock writes later than the one who held it.
  static const std::string kSql =
      "with changed as ("
      "  update tickets set status = $3::text::ticket_status, waiting_on = $4::text, resolution = $5::text, "
      "duplicate_of = $6::text,"
      "         resolved_at = case when $3::text::ticket_status < 'resolved' then null "
      "                            else coalesce(resolved_at, clock_timestamp()) end,"
      "         reopen_count = reopen_count + case when $7::boolean then 1 else 0 end,"
      "         first_reply_at = case when $8::boolean then coalesce(first_reply_at, clock_timestamp()) else "
      "first_reply_at end,"
      "         version = version + 1, updated_at = greatest(updated_at, clock_timestamp())"
      "   where ref = $2::text returning *"
      "), message as ("
      "  insert into ticket_messages (ticket, number, visibility, body, author, author_role, created_via, created_at)"
      "  select ref, version, 'public', $9::text, $10::text, case when $8::boolean then 'staff' else 'requester' end,"
      "         $11::text, updated_at from changed"
      "), history as ("
      "  insert into ticket_history (ticket, version, field, old_value, new_value, actor, via_key, at)"
      "  select ref, version, step.field, nullif(step.old_value, ''), nullif(step.new_value, ''), $10::text, "
      "$11::text, updated_at"
      "    from changed, unnest($12::text::text[], $13::text::text[], $14::text::text[])"
      "         as step(field, old_value, new_value)"
      "  union all"
      "  select ref, version, 'reply', null, version::text, $10::text, $11::text, updated_at from changed"
      ") select " +
      std::string(kTicketColumns) + ", local_time(now(), $1::text) from changed";
  Rows rows = run(call_, finish, kSql, time_zone_, reply.after.id, reply.after.status, reply.after.waiting_on,
                  reply.after.resolution, reply.after.duplicate_of, reply.counts_as_reopen, reply.is_staff_reply,
                  reply.body, actor.principal, actor.key_prefix, fields, old_values, new_values);
  const Row row = rows.next();
  return {read_ticket(row), std::string(row.text(kTicketColumnCount))};
}

std::vector<std::pair<std::string, std::string>> PostgresTicketStore::nearest(const std::vector<std::string>& refs,
                                                                              std::string_view prefix) {
  Rows rows = call_.query(
      "select ref, title from tickets where ref = any($1::text::text[]) "
      "or (ref >= $2::text and ref < $2::text || '~') order by ref = any($1::text::text[]) desc, ref limit 3",
      refs, prefix);
  std::vector<std::pair<std::string, std::string>> found;
  while (const Row row = rows.next()) found.emplace_back(row.text(0), clean_line(row.text(1)));
  return found;
}

std::string PostgresTicketStore::today() {
  Rows rows = call_.query("select to_char(now() at time zone $1::text, 'YYYY-MM-DD (Dy')", time_zone_);
  const Row row = rows.next();
  return std::string(row.text(0)) + ", " + time_zone_ + ')';
}

}  // namespace

std::unique_ptr<TicketStore> create_ticket_store(toolhost::Call& call, std::string time_zone) {
  return std::make_unique<PostgresTicketStore>(call, std::move(time_zone));
}

}  // namespace tickets
