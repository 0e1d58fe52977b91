#include "ticket_store.hpp"

#include <toolhost/plugin.hpp>

#include <algorithm>

#include "arguments.hpp"
#include "create_ticket_sql.hpp"
#include "list_statement.hpp"
#include "text.hpp"

namespace helpdesk::tickets {
namespace {

using toolhost::Row;
using toolhost::Rows;

constexpr std::size_t kTicketColumnCount = 18;

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

class PostgresTicketStore final : public TicketStore {
 public:
  PostgresTicketStore(toolhost::Call& call, std::string time_zone, std::string tasks_view)
      : call_(call), time_zone_(std::move(time_zone)), tasks_view_(std::move(tasks_view)) {}

  std::optional<InsertedTicket> insert(const NewTicket& ticket, std::int64_t title_key, const Actor& actor,
                                       Finish finish) override;
  ClaimedKey claim_key(std::string_view tool, std::string_view key, std::string_view request) override {
    return helpdesk::claim_key(call_, tool, key, request);
  }
  void settle_key(std::string_view tool, std::string_view key, std::string_view ref, std::int64_t message) override {
    helpdesk::settle_key(call_, tool, key, ref, message);
  }
  TicketRows list(const TicketFilter& filter, SortKey sort, SortOrder order, const std::optional<PagePosition>& after,
                  std::int64_t limit, ResponseFormat format) override;
  std::optional<StoredTicket> find(std::string_view ref, Finish finish) override;
  std::optional<StoredTicket> find_for_update(std::string_view ref) override;
  std::vector<std::pair<std::int64_t, Message>> messages(std::string_view ref, std::int64_t before, std::int64_t limit,
                                                         bool with_notes, Finish finish) override;
  HistoryRows history(const HistoryCursor& before, std::int64_t limit, bool with_notes, Finish finish) override;
  std::vector<MissedStep> steps_since(std::string_view ref, std::int64_t version) override;
  std::vector<LinkedTask> tasks(std::string_view ref, std::int64_t limit, Finish finish) override;
  StoredTicket write(const TicketChange& change, const Actor& actor, Finish finish) override;
  StoredTicket write(const TicketChange& change, const FieldUpdate& update, const Actor& actor) override;
  std::optional<std::string> duplicate_of(std::string_view ref) override;
  std::string shown(const std::string& moment) override;
  std::vector<IdAndTitle> nearest(std::string_view ref) override;
  std::string today() override { return helpdesk::today(call_); }

 private:
  toolhost::Call& call_;
  std::string time_zone_, tasks_view_;
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

/// Characters of people's texts in a ticket of a list.
std::size_t weight_of(const Ticket& ticket) {
  std::size_t weight = count_characters(ticket.title);
  for (const auto* text : {&ticket.category, &ticket.assignee, &ticket.requester})
    weight += *text ? count_characters(**text) : 0;
  for (const std::string& tag : ticket.tags.value_or(std::vector<std::string>{})) weight += count_characters(tag);
  return weight;
}

TicketRows PostgresTicketStore::list(const TicketFilter& filter, SortKey sort, SortOrder order,
                                     const std::optional<PagePosition>& after, std::int64_t limit,
                                     ResponseFormat format) {
  const std::string statement = list_statement(filter, sort, order, after.has_value(), format);
  std::optional<std::string> first_key, second_key, ref;
  if (after) std::tie(first_key, second_key, ref) = std::tie(after->first_key, after->second_key, after->ref);
  Rows rows = call_.query(toolhost::last, statement, time_zone_, filter.statuses, filter.priorities, filter.assignee,
                          filter.requester, filter.tags, filter.category, filter.created_after, filter.created_before,
                          filter.updated_after, filter.due_before, first_key, second_key, ref, limit + 1);
  TicketRows result;
  PagePosition position;
  TextBudget budget;
  while (const Row row = rows.next()) {
    result.total = std::min(row.i64(0), kCounted);
    result.total_is_exact = row.i64(0) <= kCounted;
    result.server_time = row.text(1);
    if (row.is_null(4)) break;
    Ticket ticket = read_ticket(row, 4);
    const bool is_full = result.tickets.size() == static_cast<std::size_t>(limit);
    result.is_cut = !is_full && !budget.take(weight_of(ticket));
    if (is_full || result.is_cut) {
      result.last = position;
      break;
    }
    position = {std::string(row.text(2)), std::string(row.text(3)), std::string(row.text(4))};
    result.tickets.push_back(std::move(ticket));
  }
  return result;
}

/// The ticket that a change returned, and the time.
StoredTicket read_written(Rows& rows) {
  const Row row = rows.next();
  if (!row) throw toolhost::Error(TH_E_RETRY, "the ticket changed under its lock");
  return {read_ticket(row), std::string(row.text(kTicketColumnCount))};
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
                                                                            std::int64_t limit, bool with_notes,
                                                                            Finish finish) {
  Rows rows = run(call_, finish,
                  "select number, visibility, author, author_role, local_time(created_at, $1::text), body "
                  "from ticket_messages where ticket = $2::text and number < $3::bigint and (visibility = 'public' or "
                  "$5::boolean) order by number desc limit $4::bigint",
                  time_zone_, ref, before, limit, with_notes);
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

HistoryRows PostgresTicketStore::history(const HistoryCursor& before, std::int64_t limit, bool with_notes,
                                         Finish finish) {
  Rows rows = run(call_, finish,
                  "select local_time(now(), $1::text), local_time(at, $1::text), actor, via_key, field, old_value, "
                  "case when field in ('reply', 'note') then ref || '-' || new_value else new_value end, step.version "
                  "from tickets left join lateral (select * from ticket_history where ticket = tickets.ref "
                  "and (version, field) < ($3::bigint, $4::text) and (field <> 'note' or $6::boolean) "
                  "order by version desc, field desc limit $5::bigint) step on true "
                  "where ref = $2::text order by step.version desc, field desc",
                  time_zone_, before.ref, before.version, before.field, limit, with_notes);
  HistoryRows found;
  while (const Row row = rows.next()) {
    found.has_ticket = true;
    found.server_time = row.text(0);
    if (row.is_null(1)) break;
    found.events.push_back({std::string(row.text(1)), clean_line(row.text(2)), std::string(row.text(3)),
                            std::string(row.text(4)), cleaned(row, 5), cleaned(row, 6)});
    found.versions.push_back(row.i64(7));
  }
  return found;
}

std::vector<MissedStep> PostgresTicketStore::steps_since(std::string_view ref, std::int64_t version) {
  Rows rows = call_.query(
      "select version, actor, case when field in ('reply', 'note') then field || ' added' else field end, old_value, "
      "case when field not in ('reply', 'note') then new_value end, "
      "extract(epoch from clock_timestamp() - at)::bigint from ticket_history "
      "where ticket = $1::text and version > $2::bigint order by version desc, field desc limit 100",
      ref, version);
  std::vector<MissedStep> steps;
  while (const Row row = rows.next()) {
    steps.push_back(
        {row.i64(0), clean_line(row.text(1)), std::string(row.text(2)), cleaned(row, 3), cleaned(row, 4), row.i64(5)});
  }
  return steps;
}

std::vector<LinkedTask> PostgresTicketStore::tasks(std::string_view ref, std::int64_t limit, Finish finish) {
  const std::string sql =
      "select ref, title, status::text, priority::text, assignee, "
      "coalesce(due_date::text, local_time(due_at, $1::text)) from " +
      tasks_view_ +
      " where ticket = $2::text order by status::text in ('done', 'cancelled'), "
      "coalesce(due_at, due_date::timestamptz, 'infinity'), ref limit $3::bigint";
  Rows rows = run(call_, finish, sql, time_zone_, ref, limit);
  std::vector<LinkedTask> tasks;
  while (const Row row = rows.next()) {
    tasks.push_back({std::string(row.text(0)), clean_line(row.text(1)), std::string(row.text(2)),
                     std::string(row.text(3)), cleaned(row, 4), optional_text(row, 5)});
  }
  return tasks;
}

/// The history of a change as three arrays: fields, old values, new values; an empty value stands for none.
struct Steps {
  std::vector<std::string> fields, old_values, new_values;
  explicit Steps(const TicketChange& change) {
    for (const FieldChange& one : change.changes) {
      fields.push_back(one.field);
      old_values.push_back(one.from);
      new_values.push_back(one.to);
    }
  }
};

StoredTicket PostgresTicketStore::write(const TicketChange& change, const Actor& actor, Finish finish) {
  const Steps steps(change);
  std::optional<std::string> body, visibility;
  if (change.message) {
    body = change.message->body;
    visibility = name(change.message->visibility);
  }
  // clock_timestamp(), not now(): whoever waited for the row lock writes later than the one who held it.
  // Never destroyed: threads of the host may still be here when the process ends.
  static const std::string& kSql = *new std::string(
      "with changed as ("
      "  update tickets set status = $3::text::ticket_status, waiting_on = $4::text, resolution = $5::text, "
      "duplicate_of = $6::text,"
      "         resolved_at = case when $3::text::ticket_status < 'resolved' then null "
      "                            else coalesce(resolved_at, clock_timestamp()) end,"
      "         reopen_count = reopen_count + case when $7::boolean then 1 else 0 end,"
      "         first_reply_at = case when $8::boolean and $15::text = 'public' "
      "                               then coalesce(first_reply_at, clock_timestamp()) else first_reply_at end,"
      "         version = version + 1, updated_at = greatest(updated_at, clock_timestamp())"
      "   where ref = $2::text and version = $16::bigint returning *"
      "), message as ("
      "  insert into ticket_messages (ticket, number, visibility, body, author, author_role, created_via, created_at)"
      "  select ref, version, $15::text, $9::text, $10::text, case when $8::boolean then 'staff' else 'requester' end,"
      "         $11::text, updated_at from changed where $15::text is not null"
      "), history as ("
      "  insert into ticket_history (ticket, version, field, old_value, new_value, actor, via_key, at)"
      "  select ref, version, step.field, nullif(step.old_value, ''), nullif(step.new_value, ''), $10::text, "
      "$11::text, updated_at"
      "    from changed, unnest($12::text::text[], $13::text::text[], $14::text::text[])"
      "         as step(field, old_value, new_value)"
      "  union all"
      "  select ref, version, case when $15::text = 'public' then 'reply' else 'note' end, null, version::text, "
      "$10::text, $11::text, updated_at from changed where $15::text is not null"
      ") select " +
      std::string(kTicketColumns) + ", local_time(now(), $1::text) from changed");
  const Ticket& after = change.after;
  Rows rows = run(call_, finish, kSql, time_zone_, after.id, after.status, after.waiting_on, after.resolution,
                  after.duplicate_of, change.counts_as_reopen, change.is_by_staff, body, actor.principal,
                  actor.key_prefix, steps.fields, steps.old_values, steps.new_values, visibility, after.version);
  return read_written(rows);
}

StoredTicket PostgresTicketStore::write(const TicketChange& change, const FieldUpdate& update, const Actor& actor) {
  const Steps steps(change);
  static const std::string& kSql = *new std::string(
      "with changed as ("
      "  update tickets set title = coalesce($3::text, title), title_key = coalesce($4::bigint, title_key),"
      "         description = coalesce($5::text, description),"
      "         priority = coalesce($6::text::ticket_priority, priority),"
      "         requester = coalesce($7::text, requester), tags = coalesce($8::text::text[], tags),"
      "         category = case when $9::boolean then category else $10::text end,"
      "         assignee = case when $11::boolean then assignee else $12::text end,"
      "         due_at = case when $13::boolean then due_at else $14::text::timestamptz end,"
      "         version = version + 1, updated_at = greatest(updated_at, clock_timestamp())"
      "   where ref = $2::text and version = $20::bigint returning *"
      "), history as ("
      "  insert into ticket_history (ticket, version, field, old_value, new_value, actor, via_key, at)"
      "  select ref, version, step.field, nullif(step.old_value, ''), nullif(step.new_value, ''), $18::text, "
      "$19::text, updated_at"
      "    from changed, unnest($15::text::text[], $16::text::text[], $17::text::text[])"
      "         as step(field, old_value, new_value)"
      ") select " +
      std::string(kTicketColumns) + ", local_time(now(), $1::text) from changed");
  Rows rows =
      call_.query(toolhost::last, kSql, time_zone_, change.after.id, update.title, update.title_key, update.description,
                  update.priority, update.requester, update.tags, update.category.is_absent(), update.category,
                  update.assignee.is_absent(), update.assignee, update.due_at.is_absent(), update.due_at, steps.fields,
                  steps.old_values, steps.new_values, actor.principal, actor.key_prefix, change.after.version);
  return read_written(rows);
}

std::optional<std::string> PostgresTicketStore::duplicate_of(std::string_view ref) {
  Rows rows = call_.query("select coalesce(duplicate_of, '') from tickets where ref = $1::text for share", ref);
  const Row row = rows.next();
  if (!row) return std::nullopt;
  return std::string(row.text(0));
}

std::string PostgresTicketStore::shown(const std::string& moment) {
  Rows rows = call_.query("select local_time($2::text::timestamptz, $1::text)", time_zone_, moment);
  return std::string(rows.next().text(0));
}

std::vector<IdAndTitle> PostgresTicketStore::nearest(std::string_view ref) {
  return nearest_ids(call_, "tickets", ref);
}

}  // namespace

std::unique_ptr<TicketStore> create_ticket_store(toolhost::Call& call, std::string time_zone, std::string tasks_view) {
  return std::make_unique<PostgresTicketStore>(call, std::move(time_zone), std::move(tasks_view));
}

}  // namespace helpdesk::tickets
