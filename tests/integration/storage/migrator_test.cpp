#include "storage/migrator.hpp"

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include "integration/storage/notes.hpp"
#include "storage/host_migrations.hpp"

namespace toolhost::storage {
namespace {

using testing::HasSubstr;

constexpr const char* kColumns =
    "tenant_id integer not null default toolhost.tenant_id(), id int, primary key (tenant_id, id)";

class MigratorTest : public testing::Test {
 protected:
  void SetUp() override {
    postgres_.run_sql(
        "drop schema if exists com_acme_p cascade; delete from toolhost.schema_migrations where schema = 'com_acme_p'");
  }

  Result<std::vector<AppliedMigration>> migrate(std::vector<std::string> sql, std::vector<std::string> shared = {},
                                                std::string_view plugin = "com.acme.p",
                                                std::vector<std::string> exports = {}) {
    std::vector<Migration> migrations;
    for (const std::string& text : sql) {
      const int version = static_cast<int>(migrations.size()) + 1;
      migrations.push_back({version, "step " + std::to_string(version), text});
    }
    return migrate_plugin(postgres_.address(), plugin, migrations, shared, events_, exports);
  }

  /// The message of a refusal; nothing of the migration may be left.
  std::string refusal(const std::string& sql) {
    const auto done = migrate({sql});
    EXPECT_FALSE(done) << sql;
    EXPECT_EQ(postgres_.run_sql("select count(*) from pg_class where relnamespace = to_regnamespace('com_acme_p')"),
              "0")
        << sql;
    EXPECT_EQ(postgres_.run_sql("select count(*) from toolhost.schema_migrations where schema = 'com_acme_p'"), "0")
        << sql;
    return done ? "" : done.error().message;
  }

  test_support::TempPostgres& postgres_ = test_support::TempPostgres::shared();
  test_support::NullEvents events_;
};

TEST_F(MigratorTest, HostMigrationsAreAppliedOnce) {
  EXPECT_EQ(postgres_.run_sql("select count(*) from toolhost.schema_migrations where schema = 'toolhost'"),
            std::to_string(host_migrations().size()));
  const auto again = migrate_host(postgres_.address(), events_);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_TRUE(again->empty());
}

TEST_F(MigratorTest, AppliesWhatIsMissingInOrder) {
  const std::string first = "create table a (" + std::string(kColumns) + ")";
  const auto one = migrate({first});
  ASSERT_TRUE(one) << one.error().message;
  ASSERT_EQ(one->size(), 1U);
  const auto two = migrate({first, "create table b (" + std::string(kColumns) + "); create index on b (tenant_id)"});
  ASSERT_TRUE(two) << two.error().message;
  ASSERT_EQ(two->size(), 1U);
  EXPECT_EQ(two->front().version, 2);
  EXPECT_EQ(two->front().schema, "com_acme_p");
  EXPECT_EQ(postgres_.run_sql("select bool_and(relrowsecurity and relforcerowsecurity) from pg_class where "
                              "relnamespace = 'com_acme_p'::regnamespace and relkind = 'r'"),
            "t");
  EXPECT_TRUE(migrate({first})) << "an older version of the plugin still starts";
}

TEST_F(MigratorTest, AnEditedMigrationIsRefusedByName) {
  ASSERT_TRUE(migrate({"create table a (" + std::string(kColumns) + ")"}));
  const auto edited = migrate({"create table a (" + std::string(kColumns) + ") -- edited"});
  ASSERT_FALSE(edited);
  EXPECT_EQ(edited.error().code, Errc::kConflict);
  EXPECT_THAT(edited.error().message,
              HasSubstr("migration 1 (step 1) of com.acme.p was applied before with another text"));
}

TEST_F(MigratorTest, AFailingMigrationLeavesTheOnesBeforeIt) {
  const auto done = migrate(
      {"create table a (" + std::string(kColumns) + ")", "create table b (" + std::string(kColumns) + "); select 1/0"});
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().message, HasSubstr("migration 2 (step 2) of com.acme.p failed"));
  EXPECT_THAT(done.error().message, HasSubstr("division by zero"));
  EXPECT_EQ(postgres_.run_sql("select count(*) from toolhost.schema_migrations where schema = 'com_acme_p'"), "1");
  EXPECT_EQ(postgres_.run_sql("select to_regclass('com_acme_p.b') is null"), "t");
}

TEST_F(MigratorTest, AMigrationSeesTheRowsOfAllTenants) {
  const std::string first = "create table a (" + std::string(kColumns) + ")";
  ASSERT_TRUE(migrate({first}));
  postgres_.run_sql("insert into com_acme_p.a values (1, 1), (2, 1)");
  ASSERT_TRUE(migrate({first, "alter table a add column b int; update a set b = tenant_id * 10"}));
  EXPECT_EQ(postgres_.run_sql("select string_agg(b::text, ',' order by b) from com_acme_p.a"), "10,20");
  EXPECT_EQ(postgres_.run_sql("select relforcerowsecurity from pg_class where oid = 'com_acme_p.a'::regclass"), "t");
}

TEST_F(MigratorTest, RefusesWhatWouldStepOutsideOfTenancy) {
  const std::string table = "create table a (" + std::string(kColumns) + "); ";
  EXPECT_THAT(refusal("create table bare (id int primary key)"),
              HasSubstr("the table \"bare\" has no column \"tenant_id integer not null"));
  EXPECT_THAT(refusal("create table big (tenant_id bigint not null, id int, primary key (tenant_id, id))"),
              HasSubstr("the table \"big\" has no column"));
  EXPECT_THAT(refusal("create table loose (tenant_id integer, id int)"),
              HasSubstr("the table \"loose\" has no column"));
  EXPECT_THAT(refusal("create table late (id int, tenant_id integer not null, primary key (id, tenant_id))"),
              HasSubstr("the primary key of the table \"late\""));
  EXPECT_THAT(refusal("create table keyless (tenant_id integer not null)"),
              HasSubstr("the primary key of the table \"keyless\""));
  EXPECT_THAT(refusal(table + "create view v as select * from a"),
              HasSubstr("the view \"v\" runs with its owner's rights"));
  EXPECT_THAT(refusal(table + "create materialized view m as select * from a"),
              HasSubstr("the materialized view \"m\""));
  EXPECT_THAT(refusal(table + "create policy open on a using (true)"), HasSubstr("the policy \"a.open\""));
  EXPECT_THAT(refusal(table + "create rule r as on insert to a do also delete from a"),
              HasSubstr("the rule \"r on a\""));
  EXPECT_THAT(refusal("create function f() returns int language sql security definer as 'select 1'"),
              HasSubstr("is SECURITY DEFINER"));
  EXPECT_THAT(refusal("create function f() returns int language sql set work_mem = '1MB' as 'select 1'"),
              HasSubstr("changes settings (SET)"));
  EXPECT_THAT(refusal("create function f() returns void language plpgsql as $$ begin set app.tenant_id = 2; end $$"),
              HasSubstr("must not change settings"));
  EXPECT_THAT(refusal("create function f() returns void language plpgsql as 'begin set app.tenant_id = 2; end'"),
              HasSubstr("in the function \"f()\""));
  EXPECT_THAT(refusal("create function f(t text) returns void language plpgsql as 'begin execute t; end'"),
              HasSubstr("must not EXECUTE"));
  EXPECT_THAT(refusal(table + "commit"), HasSubstr("must not contain the statement commit"));
  EXPECT_THAT(refusal("reset role; create role evil superuser"), HasSubstr("must not contain the statement reset"));
  EXPECT_THAT(refusal("create role evil"), HasSubstr("permission denied"));
  EXPECT_THAT(refusal("grant select on toolhost.api_keys to public"), HasSubstr("permission denied"));
  EXPECT_THAT(refusal("create table toolhost.mine (id int)"), HasSubstr("permission denied"));
}

TEST_F(MigratorTest, AllowsInvokerViewsTriggersAndSharedTables) {
  const auto done = migrate(
      {"create table a (" + std::string(kColumns) +
       ", t text, at timestamptz);"
       "create view v with (security_invoker = true) as select id from a;"
       "create function touch() returns trigger language plpgsql as $$ begin new.at = now(); return new; end $$;"
       "create trigger touch before insert or update on a for each row execute function touch();"
       "create table words (word text primary key); insert into words values ('the')"},
      {"words"});
  ASSERT_TRUE(done) << done.error().message;
  auto connection = TenantConnection::create({.conninfo = postgres_.address().as_plugin("com.acme.p")});
  connection->begin({.tenant = TenantId{1}});
  ASSERT_TRUE(connection->execute("insert into a (id) values (1)", {}, Finish::kCommit));
  connection->begin({.tenant = TenantId{2}});
  auto rows = connection->query("select (select count(*) from v), (select count(*) from words)", {}, Finish::kCommit);
  ASSERT_TRUE(rows) << rows.error().detail;
  const SqlValue* row = (*rows)->next();
  EXPECT_EQ(row[0].integer, 0);
  EXPECT_EQ(row[1].integer, 1);
  connection->begin({.tenant = TenantId{2}});
  const auto written = connection->execute("insert into words values ('mine')", {}, Finish::kCommit);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, Errc::kDenied);
}

TEST_F(MigratorTest, AnExportedViewRunsAsItsOwnerAndNobodyWritesThroughIt) {
  const std::string sql =
      "create table a (" + std::string(kColumns) +
      "); create table words (word text primary key);"
      "insert into words values ('the'); create view v as select id from a; create view w as select word from words";
  const auto done = migrate({sql}, {"words"}, "com.acme.p", {"v", "w"});
  ASSERT_TRUE(done) << done.error().message;
  postgres_.run_sql("insert into com_acme_p.a values (1, 1), (2, 7)");
  auto connection = TenantConnection::create({.conninfo = postgres_.address().as_plugin("com.acme.p")});
  connection->begin({.tenant = TenantId{2}, .read_only = true});
  auto rows = connection->query("select id from v, w", {}, Finish::kCommit);
  ASSERT_TRUE(rows) << rows.error().detail;
  EXPECT_EQ((*rows)->next()[0].integer, 7);
  EXPECT_EQ((*rows)->next(), nullptr);
  // The owner may write what is shared by all tenants, so nobody may through its view.
  for (const char* statement : {"insert into w values ('mine')", "update w set word = 'mine'", "delete from v"}) {
    connection->begin({.tenant = TenantId{2}});
    const auto written = connection->execute(statement, {}, Finish::kCommit);
    ASSERT_FALSE(written) << statement;
    EXPECT_EQ(written.error().code, Errc::kDenied);
  }
}

TEST_F(MigratorTest, RefusesExportsThatNoOtherPluginCouldRead) {
  const std::string table = "create table a (" + std::string(kColumns) + "); ";
  const auto refusal_of = [&](const std::string& sql) {
    postgres_.run_sql(
        "drop schema if exists com_acme_p cascade; delete from toolhost.schema_migrations where schema = "
        "'com_acme_p'");
    const auto done = migrate({table + sql}, {}, "com.acme.p", {"v"});
    return done ? std::string() : done.error().message;
  };
  EXPECT_THAT(refusal_of(""), HasSubstr("it exports \"v\", which is no view of its schema; create the view"));
  EXPECT_THAT(refusal_of("create table v (like a including all)"), HasSubstr("which is no view"));
  EXPECT_THAT(refusal_of("create view v with (security_invoker = true) as select id from a"),
              HasSubstr("the exported view \"v\" is security_invoker, so no other plugin could read it"));
  EXPECT_THAT(refusal_of("create view v as select id from a; create view u as select id from a"),
              HasSubstr("the view \"u\" runs with its owner's rights"));
  EXPECT_EQ(refusal_of("create view v as select id from a"), "");
  postgres_.run_sql("alter view com_acme_p.v owner to toolhost_admin");
  const auto owned = migrate({table + "create view v as select id from a"}, {}, "com.acme.p", {"v"});
  ASSERT_FALSE(owned);
  EXPECT_THAT(owned.error().message, HasSubstr("the exported view \"v\" belongs to another role"));
}

TEST_F(MigratorTest, GrantsToOthersAreTakenBack) {
  const auto reader = migrate_plugin(postgres_.address(), kNotes, notes_migrations(), {}, events_);
  ASSERT_TRUE(reader) << reader.error().message;
  const std::string others = " to toolhost_plugin_com_acme_notes, toolhost_owner_com_acme_notes, public";
  const std::string sql = "create table a (" + std::string(kColumns) +
                          ", title text); create view v as select id, title from a;"
                          "create view w with (security_invoker = true) as select id from a; create sequence s;"
                          "grant usage, create on schema com_acme_p" +
                          others + "; grant select on a" + others + "; grant select (title), update (title) on a" +
                          others + "; grant select (id) on w" + others + "; grant usage on sequence s" + others +
                          "; grant select, insert, update (title) on v" + others;
  const auto grants = [&] {
    return postgres_.run_sql(
        "select coalesce(string_agg(what, ', ' order by what), '') from (select c.relname || ' ' || a.privilege_type "
        "|| "
        "' ' || case a.grantee when 0 then 'public' else a.grantee::regrole::text end from pg_class c left join "
        "pg_attribute t on t.attrelid = c.oid cross join lateral (select * from aclexplode(c.relacl) union select * "
        "from aclexplode(t.attacl)) a where c.relnamespace = 'com_acme_p'::regnamespace and a.grantee not in "
        "('toolhost_plugin_com_acme_p'::regrole, 'toolhost_owner_com_acme_p'::regrole) union select 'schema ' || "
        "a.privilege_type || ' ' || case a.grantee when 0 then 'public' else a.grantee::regrole::text end from "
        "pg_namespace n cross join aclexplode(n.nspacl) a where nspname = 'com_acme_p' and a.grantee not in "
        "('toolhost_plugin_com_acme_p'::regrole, 'toolhost_owner_com_acme_p'::regrole)) g (what)");
  };
  const std::vector<ExportedView> reads{{"com.acme.p", "v"}};
  const std::string granted = "schema USAGE toolhost_plugin_com_acme_notes, v SELECT toolhost_plugin_com_acme_notes";

  const auto done = migrate({sql}, {}, "com.acme.p", {"v"});
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(grants(), granted);
  ASSERT_TRUE(grant_reads(postgres_.address(), kNotes, reads));
  EXPECT_EQ(grants(), granted);
  // By an administrator, of a plugin that is not loaded: whoever starts next ends them.
  postgres_.run_sql(
      "grant select on com_acme_p.a to public; grant select (title) on com_acme_p.a to "
      "toolhost_plugin_com_acme_notes; grant select (id) on com_acme_p.v to public");
  ASSERT_TRUE(grant_reads(postgres_.address(), kNotes, reads));
  EXPECT_EQ(grants(), granted);
  ASSERT_TRUE(grant_reads(postgres_.address(), kNotes, {}));
  EXPECT_EQ(grants(), "");
}

TEST_F(MigratorTest, AnExportMayBeRenamedByALaterMigration) {
  const std::string first = "create table a (" + std::string(kColumns) + "); create view v as select id from a";
  const std::string second = "drop view v; create view v2 as select id from a";
  ASSERT_TRUE(migrate({first}, {}, "com.acme.p", {"v"}));
  ASSERT_TRUE(migrate({first, second}, {}, "com.acme.p", {"v2"}));
  postgres_.run_sql(
      "drop schema com_acme_p cascade; delete from toolhost.schema_migrations where schema = 'com_acme_p'");
  const auto anew = migrate({first, second}, {}, "com.acme.p", {"v2"});
  EXPECT_TRUE(anew) << anew.error().message;
}

TEST_F(MigratorTest, ATableThatStopsBeingSharedIsRefused) {
  const std::string sql = "create table words (word text primary key)";
  ASSERT_TRUE(migrate({sql}, {"words"}));
  const auto done = migrate({sql}, {});
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().message, HasSubstr("the schema of com.acme.p is refused: the table \"words\""));
}

TEST_F(MigratorTest, RefusesGapsAndReservedIds) {
  const std::vector<Migration> gap{{1, "a", "select 1"}, {3, "c", "select 1"}};
  const auto gapped = migrate_plugin(postgres_.address(), "com.acme.p", gap, {}, events_);
  ASSERT_FALSE(gapped);
  EXPECT_THAT(gapped.error().message, HasSubstr("must be numbered 1, 2, 3"));
  for (const char* id : {"toolhost", "public", "pg.x", "information.schema", ""})
    EXPECT_FALSE(migrate({}, {}, id)) << id;
}

TEST_F(MigratorTest, SeveralHostsMayMigrateAtTheSameTime) {
  postgres_.fresh_database();
  postgres_.run_sql("drop schema toolhost cascade");
  std::vector<pid_t> children;
  for (int i = 0; i < 4; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      const std::vector<Migration> plugin{{1, "create", "create table a (" + std::string(kColumns) + ")"}};
      const bool is_done = migrate_host(postgres_.address(), events_) &&
                           migrate_plugin(postgres_.address(), "com.acme.p", plugin, {}, events_);
      ::_exit(is_done ? 0 : 1);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(postgres_.run_sql("select count(*) || ',' || max(version) from toolhost.schema_migrations"),
            std::to_string(host_migrations().size() + 1) + "," + std::to_string(host_migrations().size()));
}

class WarningCount final : public observability::EventSink {
 public:
  void emit(const observability::Event& event) noexcept override {
    const auto* notice = std::get_if<observability::HostNotice>(&event);
    if (notice != nullptr && notice->severity == observability::Severity::kWarning) ++count;
  }
  int count = 0;
};

TEST_F(MigratorTest, AServerOfSomebodyElsesNeedsNoSuperuserAndKeepsItsSettings) {
  postgres_.run_sql("drop database if exists managed with (force)");
  postgres_.run_sql("drop role if exists managed");
  postgres_.run_sql("create role managed login createrole");
  postgres_.run_sql("create database managed owner managed");
  const std::string socket = (postgres_.directory() / "run").string();
  const auto address = DatabaseAddress::external("postgresql://managed@/managed?host=" + socket);
  WarningCount events;
  const auto migrated = migrate_host(address, events);
  ASSERT_TRUE(migrated) << migrated.error().message << migrated.error().detail;
  EXPECT_EQ(events.count, 1);
  const auto notes = migrate_plugin(address, kNotes, notes_migrations(), {}, events);
  ASSERT_TRUE(notes) << notes.error().message << notes.error().detail;

  const std::vector<Migration> titles{
      {1, "titles", "create table a (" + std::string(kColumns) + "); create view v as select id from a"}};
  const std::vector<std::string> exports{"v"};
  ASSERT_TRUE(migrate_plugin(address, "com.acme.p", titles, {}, events, exports));
  const std::vector<ExportedView> reads{{"com.acme.p", "v"}};
  const auto granted = grant_reads(address, kNotes, reads);
  ASSERT_TRUE(granted) << granted.error().message << granted.error().detail;
  {
    auto reader = TenantConnection::create({.conninfo = address.as_plugin(kNotes)});
    reader->begin({.tenant = TenantId{1}, .read_only = true});
    EXPECT_TRUE(reader->query("select id from " + sql_name(reads[0]), {}, Finish::kCommit));
    ASSERT_TRUE(grant_reads(address, kNotes, {}));
    reader->begin({.tenant = TenantId{1}, .read_only = true});
    EXPECT_FALSE(reader->query("select id from " + sql_name(reads[0]), {}, Finish::kCommit));
  }

  auto connection = TenantConnection::create({.conninfo = address.as_plugin(kNotes)});
  connection->begin({.tenant = TenantId{1}});
  const auto made = connection->execute("insert into notes (body) values ('x')", {}, Finish::kCommit);
  ASSERT_TRUE(made) << made.error().detail;
  connection->begin({.tenant = TenantId{2}});
  auto rows = connection->query("select count(*), current_user::text from notes", {}, Finish::kCommit);
  ASSERT_TRUE(rows) << rows.error().detail;
  const SqlValue* row = (*rows)->next();
  EXPECT_EQ(row[0].integer, 0);
  EXPECT_EQ(row[1].text, "toolhost_plugin_com_acme_notes");
  for (const char* sql : {"select set_config('app.tenant_id', '1', true)", "select set_config('role', 'managed', true)",
                          "update pg_settings set setting = '1' where name = 'app.tenant_id'"}) {
    connection->begin({.tenant = TenantId{2}});
    const auto hostile = connection->execute(sql, {}, Finish::kCommit);
    ASSERT_FALSE(hostile) << sql;
    EXPECT_EQ(hostile.error().code, Errc::kDenied);
  }
}

}  // namespace
}  // namespace toolhost::storage
