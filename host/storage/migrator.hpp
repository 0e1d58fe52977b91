#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "observability/events.hpp"
#include "storage/database_address.hpp"

namespace toolhost::storage {

struct Migration {
  int version = 0;   ///< 1, 2, 3 ... without gaps
  std::string name;  ///< "create tickets"
  std::string sql;   ///< any number of statements; runs in one transaction with its record
};

struct AppliedMigration {
  std::string schema;  ///< "toolhost" for the host's own
  int version = 0;
  std::string name;
};

/// Creates roles and the host's schema, then applies what is missing of the host's own migrations (compiled in from
/// storage/migrations/). Safe to run from several processes at once (advisory lock). An applied migration whose text
/// has changed is refused by name (checksum). Returns what was applied now.
Result<std::vector<AppliedMigration>> migrate_host(const DatabaseAddress& address, observability::EventSink& events);

/// The same for one plugin, in its own PostgreSQL schema (search_path is set to it). After the run every table of the
/// schema is held to tenancy: a column `tenant_id integer not null` (give it `default toolhost.tenant_id()`) that leads
/// the primary key; the host itself then enables and forces row-level security with the one policy. A table without is
/// refused by name, unless `shared_tables` names it (readable by all tenants, written by migrations only). Views must
/// be security_invoker, unless `exports` names them: other plugins may read those, which therefore run with the rights
/// of the schema's owner, who is held to the tenant as well. SECURITY DEFINER functions are refused. On refusal nothing
/// of the migration stays. What another plugin could read without `exports` naming it is taken back: grants to one or
/// to PUBLIC, on a table, on columns of it, on the schema; of an exported view all but SELECT.
Result<std::vector<AppliedMigration>> migrate_plugin(const DatabaseAddress& address, std::string_view plugin_id,
                                                     std::span<const Migration> migrations,
                                                     std::span<const std::string> shared_tables,
                                                     observability::EventSink& events,
                                                     std::span<const std::string> exports = {});

/// A view that a plugin exports.
struct ExportedView {
  std::string plugin_id;
  std::string view;
};

/// As a statement names it: "tickets"."search_documents".
std::string sql_name(const ExportedView& view);

/// Lets the role of a migrated plugin read exactly these views of other migrated plugins, and nothing else of theirs:
/// what it could read before and is not listed is taken back, and so is what was granted to PUBLIC. Views that are gone
/// are left out.
Result<> grant_reads(const DatabaseAddress& address, std::string_view reader_id, std::span<const ExportedView> views);

}  // namespace toolhost::storage
