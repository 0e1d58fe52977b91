#include "sources.hpp"

#include <algorithm>
#include <unordered_set>

namespace search {
namespace {

constexpr std::size_t kRefsAtOnce = 120;
/// Bytes of text that one statement returns; the first document comes whatever its size.
constexpr std::int64_t kBytesAtOnce = 16 << 20;

std::string optional_text(const toolhost::Row& row, std::size_t column) {
  return row.is_null(column) ? std::string() : std::string(row.text(column));
}

Document read_document(const toolhost::Row& row, std::string_view plugin) {
  Document document;
  document.source = plugin;
  document.ref = row.text(0);
  document.kind = row.text(1);
  document.title = row.text(2);
  document.body = optional_text(row, 3);
  document.messages = optional_text(row, 4);
  document.notes = optional_text(row, 5);
  document.tags = row.get<std::optional<std::vector<std::string>>>(6).value_or(std::vector<std::string>{});
  document.status = optional_text(row, 7);
  document.priority = optional_text(row, 8);
  document.category = optional_text(row, 9);
  document.assignee = optional_text(row, 10);
  document.requester = optional_text(row, 11);
  document.created_us = row.time_us(12);
  document.updated_us = row.time_us(13);
  if (!row.is_null(14)) document.due_us = row.time_us(14);
  document.changed = row.i64(15);
  return document;
}

/// A plugin's id as SQL; it holds nothing that ends the literal.
std::string literal(const Source& source) {
  return "'" + source.plugin + "'::text";
}

}  // namespace

Sources::Sources(std::vector<Source> sources) : sources_(std::move(sources)) {}

std::vector<std::string> Sources::plugins() const {
  std::vector<std::string> ids;
  for (const Source& source : sources_) ids.push_back(source.plugin);
  return ids;
}

const Source* Sources::find(std::string_view plugin) const {
  const auto found = std::find_if(sources_.begin(), sources_.end(), [&](const auto& s) { return s.plugin == plugin; });
  return found == sources_.end() ? nullptr : &*found;
}

std::vector<PendingDocument> Sources::pending(toolhost::Call& call, std::int64_t generation, std::int64_t limit) const {
  std::vector<PendingDocument> pending;
  if (sources_.empty()) return pending;
  // In a database that was restored elsewhere transactions count from the beginning again, and a watermark from before
  // is ahead of all of them: then everything is compared.
  std::string changes;
  for (const Source& source : sources_) {
    changes.append(changes.empty() ? "" : " union all ")
        .append("select " + literal(source) + " as source, ref, changed, deleted from " + source.sql_name +
                " where changed >= coalesce((select case when watermark <= "
                "pg_snapshot_xmin(pg_current_snapshot())::text::bigint then watermark end from index_sources "
                "where generation = $1::bigint and source = " +
                literal(source) + "), 0)");
  }
  toolhost::Rows rows = call.query(
      "select now.source, now.ref, now.changed, now.deleted, coalesce(known.segment, -1), coalesce(known.doc, 0) "
      "from (" +
          changes +
          ") now left join documents known "
          "on known.generation = $1::bigint and known.source = now.source and known.ref = now.ref "
          "where known.changed is distinct from now.changed and not (now.deleted and known.ref is null) "
          "order by now.changed, now.source, now.ref limit $2::bigint",
      generation, limit);
  while (const toolhost::Row row = rows.next()) {
    pending.push_back({std::string(row.text(0)), std::string(row.text(1)), row.i64(2), row.boolean(3), row.i64(4),
                       static_cast<std::uint32_t>(row.i64(5))});
  }
  return pending;
}

void Sources::documents(toolhost::Call& call, std::string_view plugin, std::vector<std::string> refs,
                        std::int64_t longest, const std::function<void(Document&& document)>& visit) const {
  const Source* source = find(plugin);
  if (source == nullptr) return;
  const std::string sql =
      "select * from (select *, count(*) over () as present, sum(bytes) over (order by ref) - bytes as before from ("
      "select *, octet_length(title) + coalesce(octet_length(body), 0) + coalesce(octet_length(messages), 0) + "
      "coalesce(octet_length(notes), 0) as bytes from (select ref, kind, title, left(body, $2::integer) as body, "
      "left(messages, $2::integer) as messages, left(notes, $2::integer) as notes, tags::text, status, priority, "
      "category, assignee, requester, created_at, updated_at, due_at, changed from " +
      source->sql_name +
      " where ref = any($1::text[]) and not deleted offset 0) cut) sized) counted where before < $3::bigint "
      "order by ref";
  while (!refs.empty()) {
    const std::size_t first = refs.size() - std::min(refs.size(), kRefsAtOnce);
    std::unordered_set<std::string> left(refs.begin() + static_cast<std::ptrdiff_t>(first), refs.end());
    refs.resize(first);
    for (bool more = true; more;) {
      std::size_t present = 0, returned = 0;
      toolhost::Rows rows = call.query(sql, std::vector<std::string>(left.begin(), left.end()), longest, kBytesAtOnce);
      while (const toolhost::Row row = rows.next()) {
        present = static_cast<std::size_t>(row.i64(17));
        ++returned;
        Document document = read_document(row, plugin);
        left.erase(document.ref);
        visit(std::move(document));
      }
      more = returned < present;
    }
  }
}

std::int64_t Sources::count(toolhost::Call& call) const {
  std::int64_t documents = 0;
  for (const Source& source : sources_) {
    toolhost::Rows rows = call.query("select count(*) from " + source.sql_name + " where not deleted");
    documents += rows.next().i64(0);
  }
  return documents;
}

}  // namespace search
