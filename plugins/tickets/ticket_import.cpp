#include "ticket_import.hpp"

#include <toolhost/plugin.hpp>

#include <algorithm>
#include <chrono>
#include <unordered_map>
#include <unordered_set>

#include "arguments.hpp"
#include "categories.hpp"
#include "import_row.hpp"
#include "people.hpp"
#include "refusal.hpp"
#include "text.hpp"

namespace helpdesk::tickets {
namespace {

using toolhost::Row;
using toolhost::Rows;
using Texts = std::vector<std::string>;

/// A row that may become a ticket.
struct Candidate {
  std::int64_t row = 0;  ///< its number in the file
  ImportedTicket ticket;
  std::string ref;                    ///< the id that it gets
  std::string duplicate_ref, awaits;  ///< the ticket that it repeats: its id, or its external id until it is here
};

/// What the tables know of the rows of one call.
struct Found {
  std::unordered_set<std::string> imported;                 ///< external ids
  std::unordered_set<std::string> taken, same;              ///< ids of tickets; `same`: that are the row's own ticket
  std::unordered_map<std::string, std::string> duplicates;  ///< external id of a repeated ticket: its id
  bool has_early = false;                                   ///< a ticket of the source is there before its original
};

/// YYYY-MM-DD
std::string utc_day(std::int64_t microseconds) {
  const std::chrono::sys_time<std::chrono::microseconds> moment{std::chrono::microseconds{microseconds}};
  const std::chrono::year_month_day date{std::chrono::floor<std::chrono::days>(moment)};
  const auto two_digits = [](unsigned number) { return (number < 10 ? "-0" : "-") + std::to_string(number); };
  return std::to_string(static_cast<int>(date.year())) + two_digits(static_cast<unsigned>(date.month())) +
         two_digits(static_cast<unsigned>(date.day()));
}

Texts texts_of(const std::vector<Candidate>& candidates, const auto& text) {
  Texts texts;
  texts.reserve(candidates.size());
  for (const Candidate& candidate : candidates) texts.emplace_back(text(candidate));
  return texts;
}

/// Takes out the rows that say that something happened more than a day from now: their tickets would stay the latest
/// for ever.
void refuse_future(toolhost::Call& call, std::vector<Candidate>& candidates, ImportResult& result) {
  const std::string today = utc_day(call.now_us());
  Texts places, names, moments;
  for (std::size_t place = 0; place < candidates.size(); ++place) {
    const ImportedTicket& ticket = candidates[place].ticket;
    const auto check = [&](std::string_view name, const std::optional<std::string>& moment) {
      if (!moment || *moment < today) return;  // nearly all, without a question to the database
      places.push_back(std::to_string(place));
      names.emplace_back(name);
      moments.push_back(*moment);
    };
    check("created_at", ticket.created_at);
    check("updated_at", ticket.updated_at);
    for (const ImportedMessage& message : ticket.messages) check("the date of a message", message.created_at);
  }
  if (moments.empty()) return;
  Rows found = call.query(
      "select distinct on (said.place::bigint) said.place::bigint, said.name, said.moment "
      "  from unnest($1::text::text[], $2::text::text[], $3::text::text[]) with ordinality "
      "    as said(place, name, moment, number) "
      " where said.moment::timestamptz > $4::timestamptz + interval '1 day' order by said.place::bigint, number",
      places, names, moments, toolhost::Time{call.now_us()});
  std::size_t removed = 0;
  while (const Row row = found.next()) {
    const auto candidate = candidates.begin() + row.i64(0) - static_cast<std::int64_t>(removed++);
    result.refused.push_back({candidate->row, std::string(row.text(1)) + " '" + std::string(row.text(2)) +
                                                  "' lies in the future; nothing has happened then yet"});
    candidates.erase(candidate);
  }
}

void note_known(ImportResult& result, const Candidate& candidate, Known why) {
  ++result.unchanged;
  result.rows.push_back({candidate.row, candidate.ticket.external_id, why});
}

/// The rows that can be tickets, each external id once; the others go to the result.
std::vector<Candidate> read_rows(toolhost::Call& call, const ImportRequest& request, ImportResult& result) {
  const Columns columns(request.map ? parse_json(request.map->text) : JsonValue{});
  const People people = people_of(call);
  const std::vector<std::string> categories = categories_of(call);
  std::unordered_map<std::string, std::string> resolved;  // people are few, rows are many
  const ImportContext context{std::string(call.time_zone()),
                              [&](const std::string& person) {
                                const auto known = resolved.find(person);
                                if (known != resolved.end()) return known->second;
                                return resolved.emplace(person, people.read_exact(person)).first->second;
                              },
                              [&](const std::string& category) { return read_category(category, categories); }};
  std::vector<Candidate> candidates;
  std::unordered_set<std::string> seen;
  for (const ImportRow& row : request.rows) {
    try {
      Candidate candidate;
      candidate.row = row.row;
      candidate.ticket = read_import_row(columns, context, parse_json(row.data.text), row.data.text);
      if (seen.insert(candidate.ticket.external_id).second) {
        candidates.push_back(std::move(candidate));
      } else {
        note_known(result, candidate, Known::kRepeated);
      }
    } catch (const Refusal& refusal) {
      result.refused.push_back({row.row, refusal.what()});
    }
  }
  refuse_future(call, candidates, result);
  return candidates;
}

Found look_up(toolhost::Call& call, const std::string& source, const std::vector<Candidate>& candidates) {
  Texts repeated;
  for (const Candidate& candidate : candidates) {
    if (candidate.ticket.duplicate_of) repeated.push_back(*candidate.ticket.duplicate_of);
  }
  // Laterals, so that each row is one probe of a primary key, also while the planner knows nothing of a new table.
  Rows rows = call.query(
      "select 'imported', wanted.external_id, '' from unnest($2::text::text[]) as wanted(external_id) "
      "  join lateral (select from imports where source = $1::text and external_id = wanted.external_id limit 1) found "
      "    on true "
      "union all "
      "select case when found.title = wanted.title and found.created_at = nullif(wanted.created_at, '')::timestamptz "
      "            then 'same' else 'taken' end, wanted.ref, '' "
      "  from unnest($3::text::text[], $4::text::text[], $5::text::text[]) as wanted(ref, title, created_at) "
      "  join lateral (select title, created_at from tickets where ref = wanted.ref limit 1) found on true "
      "union all "
      "select 'duplicate', wanted.external_id, found.ref from unnest($6::text::text[]) as wanted(external_id) "
      "  join lateral (select ref from imports where source = $1::text and external_id = wanted.external_id limit 1) "
      "    found on true "
      "union all "
      "select 'early', '', '' where exists (select from imports where source = $1::text and duplicate_of is not null)",
      source, texts_of(candidates, [](const Candidate& one) { return one.ticket.external_id; }),
      texts_of(candidates, [](const Candidate& one) { return one.ref; }),
      texts_of(candidates, [](const Candidate& one) { return one.ticket.title; }),
      texts_of(candidates, [](const Candidate& one) { return one.ticket.created_at.value_or(""); }), repeated);
  Found known;
  while (const Row row = rows.next()) {
    const std::string text(row.text(1));
    if (row.text(0) == "imported") known.imported.insert(text);
    if (row.text(0) == "same") known.same.insert(text);
    if (row.text(0) == "taken") known.taken.insert(text);
    if (row.text(0) == "early") known.has_early = true;
    if (row.text(0) == "duplicate") known.duplicates.emplace(text, row.text(2));
  }
  return known;
}

/// An id for each row: the one that it has, when that is free, else a new one.
void choose_refs(toolhost::Call& call, std::vector<Candidate>& candidates) {
  std::unordered_set<std::string> used;
  for (Candidate& candidate : candidates) {
    candidate.ref = candidate.ticket.ref.value_or("");
    while (candidate.ref.empty() || !used.insert(candidate.ref).second) candidate.ref = make_ref(random_bits(call));
  }
}

/// What leads on from a ticket to the one that it repeats, by ids.
using Links = std::unordered_map<std::string, std::string>;

/// The links between what is here and what comes: from tickets that are repeated to the ends of their chains, and from
/// tickets that wait for a candidate to it.
Links links_to(toolhost::Call& call, const std::string& source, const std::vector<Candidate>& candidates) {
  Rows rows = call.query(
      "with recursive chain as ("
      "  select ref as start, ref, duplicate_of from tickets where ref = any($4::text::text[]) "
      "  union select chain.start, next.ref, next.duplicate_of from chain "
      "    join lateral (select ref, duplicate_of from tickets where ref = chain.duplicate_of limit 1) next on true) "
      "select start, ref from chain where duplicate_of is null and ref <> start "
      "union all "
      "select early.ref, late.ref from unnest($2::text::text[], $3::text::text[]) as late(external_id, ref) "
      "  join lateral (select ref from imports where source = $1::text and duplicate_of = late.external_id) waiting "
      "    on true "
      "  join lateral (select ref from tickets where ref = waiting.ref and resolution = 'duplicate' "
      "    and duplicate_of is null limit 1) early on true",
      source, texts_of(candidates, [](const Candidate& one) { return one.ticket.external_id; }),
      texts_of(candidates, [](const Candidate& one) { return one.ref; }),
      texts_of(candidates, [](const Candidate& one) { return one.duplicate_ref; }));
  Links links;
  while (const Row row = rows.next()) links.emplace(row.text(0), row.text(1));
  return links;
}

/// Takes away the link of each candidate that would close a circle with the links before it.
void drop_circles(std::vector<Candidate>& candidates, Links links) {
  for (Candidate& candidate : candidates) {
    std::string_view end = candidate.duplicate_ref;
    auto next = links.end();
    while (end != candidate.ref && (next = links.find(std::string(end))) != links.end()) end = next->second;
    if (end == candidate.ref) candidate.duplicate_ref.clear();
    if (!candidate.duplicate_ref.empty()) links.emplace(candidate.ref, candidate.duplicate_ref);
  }
}

/// Takes out what is here already, gives the others an id that is free, and finds what they repeat. True when tickets
/// of the source wait for their originals.
bool settle(toolhost::Call& call, const std::string& source, std::vector<Candidate>& candidates, ImportResult& result) {
  choose_refs(call, candidates);
  Found known = look_up(call, source, candidates);
  std::erase_if(candidates, [&](const Candidate& one) {
    const bool is_own = one.ticket.ref == one.ref && known.same.contains(one.ref);
    if (!is_own && !known.imported.contains(one.ticket.external_id)) return false;
    note_known(result, one, is_own ? Known::kHere : Known::kImported);
    return true;
  });

  std::unordered_map<std::string, std::string> here;
  std::unordered_set<std::string> used;
  for (const Candidate& one : candidates) used.insert(one.ref);
  known.taken.merge(known.same);
  for (Candidate& candidate : candidates) {
    while (known.taken.contains(candidate.ref)) {
      const std::string ref = make_ref(random_bits(call));
      if (!used.insert(ref).second) continue;
      Rows rows = call.query("select from tickets where ref = $1::text", ref);
      if (!rows.next()) candidate.ref = ref;
    }
    here.emplace(candidate.ticket.external_id, candidate.ref);
  }
  here.merge(known.duplicates);
  for (Candidate& candidate : candidates) {
    if (!candidate.ticket.duplicate_of || candidate.ticket.duplicate_of == candidate.ticket.external_id) continue;
    const auto found = here.find(*candidate.ticket.duplicate_of);
    if (found == here.end()) candidate.awaits = *candidate.ticket.duplicate_of;
    if (found != here.end()) candidate.duplicate_ref = found->second;
  }
  drop_circles(candidates, known.has_early ? links_to(call, source, candidates) : Links{});
  return known.has_early;
}

/// One statement for all rows: each column is an array, and an empty text stands for NULL. No joins, whose plan would
/// depend on what the planner guesses of arrays. A ticket's version counts its messages, whose numbers are the versions
/// that they made.
constexpr std::string_view kInsert = R"sql(
with row as (
  select * from unnest($4::text::text[], $5::text::text[], $6::text::text[], $7::text::text[], $8::text::text[],
                       $9::text::text[], $10::text::text[], $11::text::text[], $12::text::text[], $13::text::text[],
                       $14::text::text[], $15::text::text[], $16::text::text[], $17::text::text[], $18::text::text[],
                       $19::text::text[], $20::text::text[], $21::text::text[], $22::text::text[], $23::text::text[],
                       $24::text::text[])
    as row(external_id, ref, title, title_key, description, status, waiting_on, resolution, duplicate_of, priority,
           category, tags, assignee, requester, created_at, updated_at, due_at, first_reply_at, resolved_at, reopen_count,
           messages)
), said as (
  select * from unnest($25::text::text[], $26::text::text[], $27::text::text[], $28::text::text[], $29::text::text[],
                       $30::text::text[], $31::text::text[])
    as said(ref, number, visibility, body, author, author_role, created_at)
), ticket as (
  insert into tickets (ref, title, title_key, description, status, waiting_on, resolution, duplicate_of, priority, category,
                       tags, assignee, requester, created_at, updated_at, due_at, first_reply_at, resolved_at, reopen_count,
                       created_by, created_via, version)
  select ref, title, title_key::bigint, description, status::ticket_status, nullif(waiting_on, ''),
         nullif(resolution, ''), nullif(duplicate_of, ''), priority::ticket_priority, nullif(category, ''), tags::text[],
         nullif(assignee, ''), requester, coalesce(nullif(created_at, '')::timestamptz, now()),
         coalesce(greatest(nullif(updated_at, '')::timestamptz, nullif(created_at, '')::timestamptz), now()),
         nullif(due_at, '')::timestamptz, nullif(first_reply_at, '')::timestamptz, nullif(resolved_at, '')::timestamptz,
         reopen_count::integer, $2::text, $3::text, 1 + messages::integer
    from row
), message as (
  insert into ticket_messages (ticket, number, visibility, body, author, author_role, created_via, created_at)
  select ref, number::integer, visibility, body, author, author_role, $3::text,
         coalesce(nullif(created_at, '')::timestamptz, now())
    from said
)
insert into ticket_history (ticket, version, field, new_value, actor, via_key, at)
select ref, 1, 'created', 'imported from ' || $1::text || ': ' || external_id, $2::text, $3::text,
       coalesce(nullif(created_at, '')::timestamptz, now())
  from row
union all
select ref, number::integer, case visibility when 'public' then 'reply' else 'note' end, number, author, $3::text,
       coalesce(nullif(created_at, '')::timestamptz, now())
  from said)sql";

/// The messages of all rows as arrays.
struct Said {
  Texts refs, numbers, visibilities, bodies, authors, roles, moments;

  explicit Said(const std::vector<Candidate>& candidates) {
    for (const Candidate& candidate : candidates) {
      int number = 1;
      for (const ImportedMessage& message : candidate.ticket.messages) {
        refs.push_back(candidate.ref);
        numbers.push_back(std::to_string(++number));
        visibilities.emplace_back(name(message.visibility));
        bodies.push_back(message.body);
        authors.push_back(message.author);
        roles.emplace_back(name(message.author_role));
        moments.push_back(message.created_at.value_or(candidate.ticket.created_at.value_or("")));
      }
    }
  }
};

/// The columns $4 to $24 of kInsert.
void add_columns(toolhost::Values& values, const std::vector<Candidate>& candidates) {
  const auto add = [&](const auto& text) { values.add(texts_of(candidates, text)); };
  const auto add_optional = [&](std::optional<std::string> ImportedTicket::* member) {
    add([member](const Candidate& one) { return (one.ticket.*member).value_or(""); });
  };
  add([](const Candidate& one) { return one.ticket.external_id; });
  add([](const Candidate& one) { return one.ref; });
  add([](const Candidate& one) { return one.ticket.title; });
  add([](const Candidate& one) { return std::to_string(title_key(one.ticket.title)); });
  add([](const Candidate& one) { return one.ticket.description; });
  add([](const Candidate& one) { return name(one.ticket.status); });
  add([](const Candidate& one) { return one.ticket.waiting_on ? name(*one.ticket.waiting_on) : ""; });
  add([](const Candidate& one) { return one.ticket.resolution ? name(*one.ticket.resolution) : ""; });
  add([](const Candidate& one) { return one.duplicate_ref; });
  add([](const Candidate& one) { return name(one.ticket.priority); });
  add_optional(&ImportedTicket::category);
  add([](const Candidate& one) { return toolhost::detail::array_literal(one.ticket.tags); });
  add_optional(&ImportedTicket::assignee);
  add([](const Candidate& one) { return one.ticket.requester; });
  add_optional(&ImportedTicket::created_at);
  add_optional(&ImportedTicket::updated_at);
  add_optional(&ImportedTicket::due_at);
  add_optional(&ImportedTicket::first_reply_at);
  add_optional(&ImportedTicket::resolved_at);
  add([](const Candidate& one) { return std::to_string(one.ticket.reopen_count); });
  add([](const Candidate& one) { return std::to_string(one.ticket.messages.size()); });
}

/// Notes what the rows become. A row that another import of the source has noted meanwhile is taken out.
void claim(toolhost::Call& call, const std::string& source, std::vector<Candidate>& candidates, ImportResult& result) {
  Rows rows = call.query(
      "insert into imports (source, external_id, ref, duplicate_of) "
      "select $1::text, external_id, ref, nullif(awaits, '') "
      "  from unnest($2::text::text[], $3::text::text[], $4::text::text[]) as row(external_id, ref, awaits) "
      "on conflict (tenant_id, source, external_id) do nothing returning ref",
      source, texts_of(candidates, [](const Candidate& one) { return one.ticket.external_id; }),
      texts_of(candidates, [](const Candidate& one) { return one.ref; }),
      texts_of(candidates, [](const Candidate& one) { return one.awaits; }));
  std::unordered_set<std::string> claimed;
  while (const Row row = rows.next()) claimed.emplace(row.text(0));
  std::erase_if(candidates, [&](const Candidate& one) {
    if (claimed.contains(one.ref)) return false;
    note_known(result, one, Known::kImported);
    return true;
  });
}

void insert(toolhost::Call& call, const std::string& source, const std::vector<Candidate>& candidates) {
  const Said said(candidates);
  toolhost::Values values;
  values.add(source);
  values.add(call.principal());
  values.add(call.key_prefix());
  add_columns(values, candidates);
  for (const Texts* texts :
       {&said.refs, &said.numbers, &said.visibilities, &said.bodies, &said.authors, &said.roles, &said.moments}) {
    values.add(*texts);
  }
  call.exec(kInsert, values);
}

/// Tells tickets that came before the one that they repeat.
void link_early_duplicates(toolhost::Call& call, const std::string& source, const std::vector<Candidate>& candidates) {
  call.exec(
      toolhost::last,
      "with early as ("
      "  update imports set duplicate_of = null "
      "    from unnest($2::text::text[], $3::text::text[]) as late(external_id, ref) "
      "   where source = $1::text and duplicate_of = late.external_id returning imports.ref, late.ref as original) "
      "update tickets set duplicate_of = early.original from early "
      " where tickets.ref = early.ref and tickets.ref <> early.original and tickets.resolution = 'duplicate' "
      "   and tickets.duplicate_of is null",
      source, texts_of(candidates, [](const Candidate& one) { return one.ticket.external_id; }),
      texts_of(candidates, [](const Candidate& one) { return one.ref; }));
}

}  // namespace

ImportResult import_tickets(toolhost::Call& call, const ImportRequest& request) {
  ImportResult result;
  std::vector<Candidate> candidates = read_rows(call, request, result);
  const bool has_early = settle(call, request.source, candidates, result);
  if (!request.dry_run && !candidates.empty()) {
    claim(call, request.source, candidates, result);
    insert(call, request.source, candidates);
    if (has_early) link_early_duplicates(call, request.source, candidates);
  }
  result.accepted = static_cast<std::int64_t>(candidates.size());
  for (const Candidate& one : candidates) result.rows.push_back({one.row, one.ticket.external_id, std::nullopt});
  return result;
}

}  // namespace helpdesk::tickets
