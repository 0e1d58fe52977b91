#include "storage/migrator.hpp"

#include <pqxx/pqxx>

#include "storage/host_migrations.hpp"
#include "storage/libpq.hpp"
#include "storage/sql_screen.hpp"

namespace toolhost::storage {
namespace {

using observability::HostNotice;
using observability::Severity;

// One lock for everything that changes roles and schemas; it ends with its transaction.
constexpr const char* kLock = "select pg_advisory_xact_lock(8389754693201)";

/// A migration that may not be applied; carries the reason to the one place that makes it an Error.
struct Refused : std::exception {
  explicit Refused(Error why) : error(std::move(why)) {}
  [[nodiscard]] const char* what() const noexcept override { return error.message.c_str(); }
  Error error;
};

Refused refused(Errc code, std::string message) {
  return Refused(Error{code, std::move(message), {}});
}

/// Where migrations go, and as whom.
struct Target {
  std::string label;  // for messages
  std::string schema;
  std::string owner;  // the role that owns the schema and runs the migrations
  std::string user;   // the role that works in it
  std::string rest_of_search_path;
  bool is_plugin = false;
};

Target target_of(const DatabaseAddress& address, std::string_view plugin_id) {
  const std::string schema = schema_of_plugin(plugin_id);
  return {.label = std::string(plugin_id),
          .schema = schema,
          .owner = "toolhost_owner_" + schema,
          .user = "toolhost_plugin_" + schema,
          .rest_of_search_path = address.rest_of_search_path(),
          .is_plugin = true};
}

// ---- roles and the host's schema
// ---------------------------------------------------------------------------------------

// Roles belong to the whole server: another database's host may create the same one at the same moment.
void ensure_role(pqxx::work& work, const std::string& role, bool may_log_in, bool is_embedded) {
  const std::string name = work.quote_name(role);
  const std::string login = may_log_in ? "login" : "nologin";
  if (work.exec_params("select 1 from pg_roles where rolname = $1", role).empty()) {
    work.exec("do $do$ begin create role " + name + " " + login +
              " noinherit; exception when duplicate_object or unique_violation then null; end $do$");
  }
  if (is_embedded) {
    const pqxx::result differs = work.exec_params(
        "select 1 from pg_roles where rolname = $1 and (rolcanlogin <> $2 or rolsuper or rolinherit or rolcreaterole "
        "or rolcreatedb or rolreplication "
        "or rolbypassrls)",
        role, may_log_in);
    if (differs.empty()) return;
    work.exec("alter role " + name + " " + login +
              " nosuperuser noinherit nocreaterole nocreatedb noreplication nobypassrls");
    return;
  }
  // On a server of somebody else's the one login becomes the role, and needs to be a member for that.
  if (work.exec_params("select 1 where pg_has_role(current_user, $1, 'member')", role).empty())
    work.exec("grant " + name + " to current_user");
}

// The server is the host's own: PUBLIC loses what could change a setting, reach another session, or leave data outside
// of tenancy.
constexpr const char* kCloseServer = R"sql(
do $do$
declare
  f regprocedure;
begin
  for f in
    select p.oid::regprocedure from pg_proc p
    where p.pronamespace = 'pg_catalog'::regnamespace
      and (p.proname in ('set_config', 'pg_terminate_backend', 'pg_cancel_backend', 'pg_notify', 'ts_stat', 'loread', 'lowrite',
                         'pg_export_snapshot', 'pg_logical_emit_message', 'pg_stat_get_activity', 'pg_stat_file',
                         'query_to_xml', 'query_to_xmlschema', 'query_to_xml_and_xmlschema')
           or p.proname ~ '^(lo_|pg_advisory_|pg_try_advisory_|pg_read_|pg_ls_|pg_stat_get_backend_|(cursor|table|schema|database)_to_xml)'
           or p.oid = 'ts_rewrite(tsquery, text)'::regprocedure)
      and has_function_privilege('public', p.oid, 'execute')
  loop
    execute format('revoke execute on function %s from public', f);
  end loop;
  if has_table_privilege('public', 'pg_catalog.pg_settings', 'update') then
    revoke update on pg_catalog.pg_settings from public;
  end if;
  if has_table_privilege('public', 'pg_catalog.pg_stat_activity', 'select') then
    revoke select on pg_catalog.pg_stat_activity from public;
  end if;
  execute format('revoke all on database %I from public', current_database());
  revoke all on schema public from public;
end
$do$)sql";

constexpr const char* kHostSchema = R"sql(
create table if not exists toolhost.schema_migrations (
  schema     text not null,
  version    integer not null,
  name       text not null,
  sha256     text not null,
  applied_at timestamptz not null default now(),
  primary key (schema, version)
);
create or replace function toolhost.tenant_id() returns integer language sql stable parallel safe
  as $$ select nullif(pg_catalog.current_setting('app.tenant_id', true), '')::integer $$;
)sql";

void connect_right(pqxx::work& work, const DatabaseAddress& address, const std::string& role) {
  if (!address.is_embedded()) return;
  work.exec("do $do$ begin execute format('grant connect on database %I to " + work.quote_name(role) +
            "', current_database()); end $do$");
}

void prepare_host(pqxx::connection& connection, const DatabaseAddress& address, const Target& host) {
  pqxx::work work(connection);
  work.exec(kLock);
  ensure_role(work, host.owner, false, address.is_embedded());
  ensure_role(work, host.user, address.is_embedded(), address.is_embedded());
  if (address.is_embedded()) {
    work.exec(kCloseServer);
    // By which hosts know of each other that they live.
    work.exec(
        "grant execute on function pg_catalog.pg_try_advisory_lock(integer, integer), "
        "pg_catalog.pg_try_advisory_xact_lock(integer, integer) to " +
        host.user);
  }
  connect_right(work, address, host.user);
  work.exec("create schema if not exists toolhost authorization toolhost_owner");
  work.exec("set local role toolhost_owner");
  work.exec(kHostSchema);
  work.exec("grant usage on schema toolhost to toolhost_app");
  work.commit();
}

void prepare_plugin(pqxx::connection& connection, const DatabaseAddress& address, const Target& plugin) {
  pqxx::work work(connection);
  work.exec(kLock);
  ensure_role(work, plugin.owner, false, address.is_embedded());
  ensure_role(work, plugin.user, address.is_embedded(), address.is_embedded());
  connect_right(work, address, plugin.user);
  const std::string schema = work.quote_name(plugin.schema);
  work.exec("create schema if not exists " + schema + " authorization " + work.quote_name(plugin.owner));
  work.exec("set local role " + work.quote_name(plugin.owner));
  work.exec("grant usage on schema " + schema + " to " + work.quote_name(plugin.user));
  // Both roles name toolhost.tenant_id(): the owner in defaults, the user in its statements.
  work.exec("set local role toolhost_owner");
  work.exec("grant usage on schema toolhost to " + work.quote_name(plugin.owner) + ", " + work.quote_name(plugin.user));
  work.commit();
}

// ---- tenancy of a plugin's schema
// --------------------------------------------------------------------------------------

/// What a plugin declares about its schema, each as an array in PostgreSQL's syntax.
struct Declared {
  std::string shared;   // tables
  std::string exports;  // views
};

struct Rule {
  const char* finds;  // $1 schema, $2 shared tables, $3 exported views; each row is the name of an offender
  const char* what;   // %s is the name
  // Holds for the schema as it is in the end: a view may be replaced or dropped by a later migration, and is exported
  // or not by what the newest version declares.
  bool at_the_end = false;
};

constexpr Rule kRules[] = {
    {"select relname from pg_class where relnamespace = to_regnamespace($1) and relkind = 'm'",
     "the materialized view \"%s\" would show every tenant's rows; use a view with security_invoker"},
    {"select relname from pg_class where relnamespace = to_regnamespace($1) and relkind = 'f'",
     "the foreign table \"%s\" is outside of tenancy"},
    {"select c.relname from pg_class c where c.relnamespace = to_regnamespace($1) and c.relkind in ('r', 'p') and "
     "c.relname <> all ($2::text[]) "
     "and not exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id' and a.atttypid = "
     "'int4'::regtype "
     "and a.attnotnull and not a.attisdropped)",
     "the table \"%s\" has no column \"tenant_id integer not null default toolhost.tenant_id()\"; add it, or declare "
     "the table as shared"},
    {"select c.relname from pg_class c where c.relnamespace = to_regnamespace($1) and c.relkind in ('r', 'p') and "
     "c.relname <> all ($2::text[]) "
     "and not exists (select from pg_index i join pg_attribute a on a.attrelid = c.oid and a.attnum = i.indkey[0] "
     "where i.indrelid = c.oid and i.indisprimary and a.attname = 'tenant_id')",
     "the primary key of the table \"%s\" does not begin with tenant_id"},
    {"select p.polrelid::regclass::text || '.' || p.polname from pg_policy p join pg_class c on c.oid = p.polrelid "
     "where c.relnamespace = to_regnamespace($1) and c.relname <> all ($2::text[]) and p.polname <> 'toolhost_tenant'",
     "the policy \"%s\" could open a table to other tenants; the host makes the one policy there is"},
    {"select c.relname from pg_class c where c.relnamespace = to_regnamespace($1) and c.relkind = 'v' "
     "and c.relname <> all ($3::text[]) "
     "and not exists (select from pg_options_to_table(c.reloptions) o where o.option_name = 'security_invoker' and "
     "o.option_value::boolean)",
     "the view \"%s\" runs with its owner's rights; create it WITH (security_invoker = true), or export it", true},
    {"select e from unnest($3::text[]) e where not exists (select from pg_class c "
     "where c.relnamespace = to_regnamespace($1) and c.relkind = 'v' and c.relname = e)",
     "it exports \"%s\", which is no view of its schema; create the view in a migration, or leave it out of exports",
     true},
    {"select c.relname from pg_class c where c.relnamespace = to_regnamespace($1) and c.relkind = 'v' "
     "and c.relname = any ($3::text[]) "
     "and exists (select from pg_options_to_table(c.reloptions) o where o.option_name = 'security_invoker' and "
     "o.option_value::boolean)",
     "the exported view \"%s\" is security_invoker, so no other plugin could read it; create it without", true},
    {"select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace "
     "where n.nspname = $1 and c.relkind = 'v' and c.relname = any ($3::text[]) and c.relowner <> n.nspowner",
     "the exported view \"%s\" belongs to another role than its schema, and would run with that role's rights", true},
    {"select r.rulename || ' on ' || c.relname from pg_rewrite r join pg_class c on c.oid = r.ev_class "
     "where c.relnamespace = to_regnamespace($1) and r.rulename <> '_RETURN'",
     "the rule \"%s\" would run with the owner's rights; use a trigger"},
    {"select oid::regprocedure::text from pg_proc where pronamespace = to_regnamespace($1) and prosecdef",
     "the function \"%s\" is SECURITY DEFINER and would run with its owner's rights"},
    {"select p.oid::regprocedure::text from pg_proc p join pg_language l on l.oid = p.prolang "
     "where p.pronamespace = to_regnamespace($1) and l.lanname not in ('sql', 'plpgsql')",
     "the function \"%s\" is written in a language other than SQL and PL/pgSQL"},
    {"select oid::regprocedure::text from pg_proc where pronamespace = to_regnamespace($1) "
     "and exists (select from unnest(proconfig) s where s not like 'search\\_path=%')",
     "the function \"%s\" changes settings (SET); only search_path is allowed"},
};

std::string with_name(std::string text, const std::string& name) {
  return text.replace(text.find("%s"), 2, name);
}

// Throws Refused with the first rule that is broken.
void check_tenancy(pqxx::work& work, const Target& plugin, const Declared& declared, bool is_the_end,
                   const std::string& subject) {
  for (const Rule& rule : kRules) {
    if (rule.at_the_end && !is_the_end) continue;
    const pqxx::result offenders =
        work.exec_params("select * from (" + std::string(rule.finds) +
                             ") o where $1::text is not null and $2::text[] is not null and $3::text[] is not null "
                             "order by 1 limit 1",
                         plugin.schema, declared.shared, declared.exports);
    if (!offenders.empty())
      throw refused(Errc::kInvalidArgument, subject + ": " + with_name(rule.what, offenders[0][0].as<std::string>()));
  }
  for (const auto& row : work.exec_params(
           "select oid::regprocedure::text, prosrc from pg_proc where pronamespace = to_regnamespace($1) order by 1",
           plugin.schema)) {
    if (auto allowed = screen_function_body(row[1].as<std::string>()); !allowed) {
      throw refused(Errc::kInvalidArgument,
                    subject + ": in the function \"" + row[0].as<std::string>() + "\": " + allowed.error().message);
    }
  }
}

// Every grant on a relation, or on columns of it, as (relation, grantee, privilege_type).
constexpr const char* kGrants =
    "(select c.oid as relation, a.grantee, a.privilege_type from pg_class c cross join aclexplode(c.relacl) a "
    "union all select t.attrelid, a.grantee, a.privilege_type from pg_attribute t cross join aclexplode(t.attacl) a) g";

// Other plugins read what is exported; what one of them, or everybody, was granted otherwise or before ends here. A
// function needs no such care: it runs with the rights of whoever calls it.
void take_back_grants(pqxx::work& work, const Target& plugin, const Declared& declared) {
  const std::string others =
      " left join pg_roles r on r.oid = g.grantee where n.nspname = $1 and (g.grantee = 0 or "
      "(r.rolname ~ '^toolhost_(plugin|owner)_' and r.rolname <> $2 and r.oid <> n.nspowner)) ";
  const std::string kept = "coalesce(r.rolname like 'toolhost\\_plugin\\_%', false)";
  const pqxx::result statements = work.exec_params(
      "select distinct format('revoke %s on %I.%I from %s cascade', g.privilege_type, n.nspname, c.relname, "
      "coalesce(quote_ident(r.rolname), 'public')) from pg_class c join pg_namespace n on n.oid = c.relnamespace "
      "join " +
          std::string(kGrants) + " on g.relation = c.oid" + others + "and not (" + kept +
          " and g.privilege_type = 'SELECT' and c.relkind = 'v' and c.relname = any ($3::text[])) "
          "union select format('revoke %s on schema %I from %s cascade', g.privilege_type, n.nspname, "
          "coalesce(quote_ident(r.rolname), 'public')) from pg_namespace n cross join aclexplode(n.nspacl) g" +
          others + "and not (" + kept + " and g.privilege_type = 'USAGE')",
      plugin.schema, plugin.user, declared.exports);
  for (const auto& row : statements) work.exec(row[0].as<std::string>());
}

// Policies and rights for every table. Touches only what is not yet so, since each change locks its table for a moment.
void enforce_tenancy(pqxx::work& work, const Target& plugin, const Declared& declared) {
  const std::string user = work.quote_name(plugin.user);
  const pqxx::result tables = work.exec_params(
      "select quote_ident(nspname) || '.' || quote_ident(relname), relname = any ($2::text[]), relrowsecurity and "
      "relforcerowsecurity, "
      "exists (select from pg_policy where polrelid = c.oid and polname = 'toolhost_tenant') "
      "from pg_class c join pg_namespace n on n.oid = relnamespace where nspname = $1 and relkind in ('r', 'p') order "
      "by 1",
      plugin.schema, declared.shared);
  for (const auto& row : tables) {
    const auto table = row[0].as<std::string>();
    if (row[1].as<bool>()) {
      work.exec("revoke all on " + table + " from " + user + "; grant select on " + table + " to " + user);
      continue;
    }
    if (!row[3].as<bool>()) {
      work.exec("create policy toolhost_tenant on " + table +
                " using (tenant_id = toolhost.tenant_id()) with check (tenant_id = toolhost.tenant_id())");
    }
    if (!row[2].as<bool>()) work.exec("alter table " + table + " enable row level security, force row level security");
    work.exec("grant select, insert, update, delete on " + table + " to " + user);
  }
  const std::string schema = work.quote_name(plugin.schema);
  for (const auto& row : work.exec_params("select quote_ident(relname), relname = any ($2::text[]) from pg_class "
                                          "where relnamespace = to_regnamespace($1) and relkind = 'v'",
                                          plugin.schema, declared.exports)) {
    const auto view = schema + "." + row[0].as<std::string>();
    // Through an exported view one would write as the owner, also where only migrations may.
    if (row[1].as<bool>())
      work.exec("revoke all on " + view + " from " + user + "; grant select on " + view + " to " + user);
    else
      work.exec("grant select, insert, update, delete on " + view + " to " + user);
  }
  take_back_grants(work, plugin, declared);
  work.exec("grant usage on all sequences in schema " + schema + " to " + user);
}

// The owner is held to tenancy too, and a migration has to see all rows; the locks keep everybody else out until it
// commits.
void lift_force(pqxx::work& work, const Target& plugin) {
  for (const auto& row :
       work.exec_params("select quote_ident(nspname) || '.' || quote_ident(relname) from pg_class c "
                        "join pg_namespace n on n.oid = relnamespace where nspname = $1 and relforcerowsecurity",
                        plugin.schema)) {
    work.exec("alter table " + row[0].as<std::string>() + " no force row level security");
  }
}

// ---- applying
// ----------------------------------------------------------------------------------------------------------

bool is_applied(pqxx::work& work, const Target& target, const Migration& migration, const std::string& subject) {
  const pqxx::result found = work.exec_params(
      "select name, sha256 = encode(sha256(convert_to($3, 'UTF8')), 'hex') from toolhost.schema_migrations where "
      "schema = $1 and version = $2",
      target.schema, migration.version, migration.sql);
  if (found.empty()) return false;
  if (!found[0][1].as<bool>()) {
    throw refused(Errc::kConflict,
                  subject +
                      " was applied before with another text; an applied migration must not be edited: "
                      "restore it and add a new one");
  }
  return true;
}

bool apply_one(pqxx::connection& connection, const Target& target, const Migration& migration, bool is_last,
               const Declared& declared) {
  const std::string subject =
      "migration " + std::to_string(migration.version) + " (" + migration.name + ") of " + target.label;
  if (auto allowed = screen_migration(migration.sql); target.is_plugin && !allowed) {
    throw refused(Errc::kInvalidArgument, subject + " is refused: " + allowed.error().message);
  }
  pqxx::work work(connection);
  work.exec(kLock);
  work.exec("set local role toolhost_owner");
  if (is_applied(work, target, migration, subject)) return false;
  work.exec("set local role " + work.quote_name(target.owner));
  if (target.is_plugin) lift_force(work, target);
  work.exec("set local search_path = " + work.quote_name(target.schema) + target.rest_of_search_path);
  try {
    work.exec(migration.sql);
  } catch (const pqxx::sql_error& error) {
    throw refused(Errc::kInvalidArgument, subject + " failed: " + one_line(error.what()));
  }
  if (work.exec("select current_user")[0][0].as<std::string>() != target.owner) {
    throw refused(Errc::kInvalidArgument, subject + " is refused: it leaves the role it was given");
  }
  if (target.is_plugin) {
    check_tenancy(work, target, declared, is_last, subject + " is refused");
    enforce_tenancy(work, target, declared);
  }
  work.exec("set local role toolhost_owner");
  work.exec_params(
      "insert into toolhost.schema_migrations (schema, version, name, sha256) "
      "values ($1, $2, $3, encode(sha256(convert_to($4, 'UTF8')), 'hex'))",
      target.schema, migration.version, migration.name, migration.sql);
  work.commit();
  return true;
}

std::vector<AppliedMigration> apply_all(pqxx::connection& connection, const Target& target,
                                        std::span<const Migration> migrations, const Declared& declared,
                                        observability::EventSink& events) {
  int expected = 1;
  for (const Migration& migration : migrations) {
    if (migration.version != expected++) {
      throw refused(Errc::kInvalidArgument,
                    "the migrations of " + target.label + " must be numbered 1, 2, 3 ...; found " +
                        std::to_string(migration.version) + " as number " + std::to_string(expected - 1));
    }
  }
  std::vector<AppliedMigration> applied;
  for (const Migration& migration : migrations) {
    if (apply_one(connection, target, migration, &migration == &migrations.back(), declared))
      applied.push_back({target.schema, migration.version, migration.name});
  }
  pqxx::work work(connection);
  work.exec(kLock);
  work.exec("set local role toolhost_owner");
  const int newest =
      work.exec_params("select coalesce(max(version), 0) from toolhost.schema_migrations where schema = $1",
                       target.schema)[0][0]
          .as<int>();
  if (newest >= expected) {
    events.emit(HostNotice{Severity::kWarning, "database",
                           "the database of " + target.label + " is at migration " + std::to_string(newest) +
                               ", newer than this version knows"});
  }
  if (target.is_plugin) {
    // Also without a new migration: what counts as shared may have changed, and an administrator may have changed the
    // schema.
    work.exec("set local role " + work.quote_name(target.owner));
    check_tenancy(work, target, declared, true, "the schema of " + target.label + " is refused");
    enforce_tenancy(work, target, declared);
    work.commit();
  }
  return applied;
}

// ---- reading what others export

// Takes back what the role, by itself or as one of everybody, may read of other plugins beyond `wanted`, an array of
// "schema.view".
void end_reads(pqxx::work& work, const Target& reader, const std::string& wanted) {
  const pqxx::result relations = work.exec_params(
      "select distinct quote_ident(pg_get_userbyid(c.relowner)), format('revoke all on %I.%I from %s cascade', "
      "n.nspname, c.relname, case g.grantee when 0 then 'public' else quote_ident($1::text) end) "
      "from pg_class c join pg_namespace n on n.oid = c.relnamespace join " +
          std::string(kGrants) +
          " on g.relation = c.oid where n.nspname <> $2 and pg_get_userbyid(n.nspowner) like 'toolhost\\_owner\\_%' "
          "and (g.grantee = 0 or g.grantee = $1::text::regrole and n.nspname || '.' || c.relname <> all ($3::text[]))",
      reader.user, reader.schema, wanted);
  const pqxx::result schemas = work.exec_params(
      "select distinct quote_ident(pg_get_userbyid(n.nspowner)), format('revoke all on schema %I from %s cascade', "
      "n.nspname, case g.grantee when 0 then 'public' else quote_ident($1::text) end) "
      "from pg_namespace n cross join aclexplode(n.nspacl) g "
      "where n.nspname <> $2 and pg_get_userbyid(n.nspowner) like 'toolhost\\_owner\\_%' and (g.grantee = 0 or "
      "g.grantee = $1::text::regrole "
      "and not exists (select from unnest($3::text[]) w where split_part(w, '.', 1) = n.nspname))",
      reader.user, reader.schema, wanted);
  for (const auto& statements : {relations, schemas}) {
    for (const auto& row : statements) {
      work.exec("set local role " + row[0].as<std::string>());
      work.exec(row[1].as<std::string>());
    }
  }
}

template <class Work>
auto guarded(Work work) -> Result<decltype(work())> {
  try {
    if constexpr (std::is_void_v<decltype(work())>) {
      work();
      return {};
    } else {
      return work();
    }
  } catch (const Refused& why) {
    return why.error;
  } catch (const pqxx::broken_connection& error) {
    return Error{Errc::kUnavailable, "cannot reach the database: " + one_line(error.what()), {}};
  } catch (const pqxx::sql_error& error) {
    return Error{Errc::kInternal, "the database refused a step of the migration: " + one_line(error.what()),
                 one_line(error.query())};
  } catch (const std::exception& error) {
    return Error{Errc::kInternal, "the migration failed: " + one_line(error.what()), {}};
  }
}

}  // namespace

Result<std::vector<AppliedMigration>> migrate_host(const DatabaseAddress& address, observability::EventSink& events) {
  return guarded([&] {
    const Target host{.label = "the host", .schema = "toolhost", .owner = "toolhost_owner", .user = "toolhost_app"};
    pqxx::connection connection(address.as_admin());
    {
      pqxx::nontransaction work(connection);
      if (const auto encoding = work.exec1("show server_encoding")[0].as<std::string>(); encoding != "UTF8") {
        throw refused(Errc::kInvalidArgument,
                      "the database stores text as " + encoding +
                          ", which cannot hold what people write; create one with encoding UTF8");
      }
    }
    prepare_host(connection, address, host);
    if (!address.is_embedded()) {
      events.emit(HostNotice{Severity::kWarning, "database",
                             "this server's settings are not Toolhost's to change: that a plugin cannot name a tenant "
                             "rests on the check of its SQL "
                             "alone, not on the rights of its role as well"});
    }
    return apply_all(connection, host, host_migrations(), {"{}", "{}"}, events);
  });
}

Result<std::vector<AppliedMigration>> migrate_plugin(const DatabaseAddress& address, std::string_view plugin_id,
                                                     std::span<const Migration> migrations,
                                                     std::span<const std::string> shared_tables,
                                                     observability::EventSink& events,
                                                     std::span<const std::string> exports) {
  return guarded([&]() -> std::vector<AppliedMigration> {
    const std::string schema = schema_of_plugin(plugin_id);
    if (schema.empty() || schema == "toolhost" || schema == "public" || schema == "information_schema" ||
        schema.starts_with("pg_")) {
      throw refused(Errc::kInvalidArgument, "a plugin cannot have the id \"" + std::string(plugin_id) +
                                                "\": its schema would be \"" + schema + "\"");
    }
    const Target plugin = target_of(address, plugin_id);
    pqxx::connection connection(address.as_admin());
    prepare_plugin(connection, address, plugin);
    return apply_all(connection, plugin, migrations, {text_array(shared_tables), text_array(exports)}, events);
  });
}

std::string sql_name(const ExportedView& view) {
  return '"' + schema_of_plugin(view.plugin_id) + "\".\"" + view.view + '"';
}

Result<> grant_reads(const DatabaseAddress& address, std::string_view reader_id, std::span<const ExportedView> views) {
  return guarded([&] {
    const Target reader = target_of(address, reader_id);
    std::vector<std::string> wanted;
    for (const auto& view : views) wanted.push_back(schema_of_plugin(view.plugin_id) + "." + view.view);
    pqxx::connection connection(address.as_admin());
    pqxx::work work(connection);
    work.exec(kLock);
    end_reads(work, reader, text_array(wanted));
    for (const auto& view : views) {
      const Target exporter = target_of(address, view.plugin_id);
      if (exporter.schema == reader.schema) continue;
      const std::string user = work.quote_name(reader.user);
      work.exec("set local role " + work.quote_name(exporter.owner));
      // What an earlier version exported may be gone by now.
      if (work.exec_params("select to_regclass($1) is null", sql_name(view))[0][0].as<bool>()) continue;
      work.exec("grant usage on schema " + work.quote_name(exporter.schema) + " to " + user);
      work.exec("grant select on " + sql_name(view) + " to " + user);
    }
    work.commit();
  });
}

}  // namespace toolhost::storage
