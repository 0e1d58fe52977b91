#include "sources.hpp"

#include <algorithm>

namespace search {
namespace {

/// Documents read by one statement: even the longest ones stay below what a statement may return.
constexpr std::size_t kDocumentsAtOnce = 120;

std::string optional_text(const toolhost::Row& row, std::size_t column) {
  return row.is_null(column) ? std::string() : std::string(row.text(column));
}

}  // namespace

Sources::Sources(std::vector<Source> sources) : sources_(std::move(sources)) {
  for (const Source& source : sources_) {
    // A plugin's id holds nothing that ends the literal.
    changes_.append(changes_.empty() ? "" : " union all ")
        .append("select '" + source.plugin + "'::text as source, ref, changed, deleted from " + source.sql_name);
  }
  if (changes_.empty())
    changes_ = "select null::text as source, null::text as ref, 0::bigint as changed, false as deleted where false";
}

const Source* Sources::find(std::string_view plugin) const {
  const auto found = std::find_if(sources_.begin(), sources_.end(), [&](const auto& s) { return s.plugin == plugin; });
  return found == sources_.end() ? nullptr : &*found;
}

std::vector<PendingDocument> Sources::pending(toolhost::Call& call, std::int64_t watermark, std::int64_t generation,
                                              std::int64_t limit) const {
  toolhost::Rows rows = call.query(
      "select now.source, now.ref, now.changed, now.deleted, coalesce(known.segment, -1), coalesce(known.doc, 0) "
      "from (" +
          changes_ +
          ") now left join documents known "
          "on known.generation = $2::bigint and known.source = now.source and known.ref = now.ref "
          "where now.changed >= $1::bigint and known.changed is distinct from now.changed "
          "and not (now.deleted and known.ref is null) "
          "order by now.changed, now.source, now.ref limit $3::bigint",
      watermark, generation, limit);
  std::vector<PendingDocument> pending;
  while (const toolhost::Row row = rows.next()) {
    pending.push_back({std::string(row.text(0)), std::string(row.text(1)), row.i64(2), row.boolean(3), row.i64(4),
                       static_cast<std::uint32_t>(row.i64(5))});
  }
  return pending;
}

std::vector<Document> Sources::documents(toolhost::Call& call, std::string_view plugin,
                                         const std::vector<std::string>& refs) const {
  std::vector<Document> documents;
  const Source* source = find(plugin);
  if (source == nullptr) return documents;
  const std::string sql =
      "select ref, kind, title, body, messages, notes, tags::text, status, priority, category, assignee, requester, "
      "created_at, updated_at, due_at, changed from " +
      source->sql_name + " where ref = any($1::text[]) and not deleted";
  for (std::size_t begin = 0; begin < refs.size(); begin += kDocumentsAtOnce) {
    const std::size_t end = std::min(begin + kDocumentsAtOnce, refs.size());
    toolhost::Rows rows = call.query(sql, std::vector<std::string>(refs.begin() + static_cast<std::ptrdiff_t>(begin),
                                                                   refs.begin() + static_cast<std::ptrdiff_t>(end)));
    while (const toolhost::Row row = rows.next()) {
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
      documents.push_back(std::move(document));
    }
  }
  return documents;
}

std::int64_t Sources::count(toolhost::Call& call) const {
  toolhost::Rows rows = call.query("select count(*) from (" + changes_ + ") now where not deleted");
  return rows.next().i64(0);
}

}  // namespace search
