// The second wall: what a plugin's role can do in SQL, with and without the checks of TenantConnection in front of it.
#include <fstream>

#include "integration/storage/notes.hpp"
#include "storage/libpq.hpp"

namespace toolhost::storage {
namespace {

class TenantIsolationTest : public NotesTest {
 protected:
  void SetUp() override {
    NotesTest::SetUp();
    ASSERT_TRUE(run_as(acme_, "insert into notes (body) values ('of acme')"));
    ASSERT_TRUE(run_as(globex_, "insert into notes (body) values ('of globex')"));
    raw_.reset(PQconnectdb(postgres_.address().as_plugin(kNotes).c_str()));
    ASSERT_EQ(PQstatus(raw_.get()), CONNECTION_OK) << PQerrorMessage(raw_.get());
  }

  /// SQLSTATE of a statement sent past TenantConnection, with the plugin's own role; empty when it worked.
  std::string raw(const std::string& sql) {
    const PgResultPtr result(PQexec(raw_.get(), sql.c_str()));
    const char* state = PQresultErrorField(result.get(), PG_DIAG_SQLSTATE);
    return state != nullptr ? state : "";
  }
  std::string raw_value(const std::string& sql) {
    const PgResultPtr result(PQexec(raw_.get(), sql.c_str()));
    return PQntuples(result.get()) > 0 ? PQgetvalue(result.get(), 0, 0) : PQresultErrorMessage(result.get());
  }

  PgConnectionPtr raw_;
};

TEST_F(TenantIsolationTest, EachTenantSeesItsOwnRowsOnly) {
  EXPECT_EQ(number_as(acme_, "select count(*) from notes"), 1);
  EXPECT_EQ(number_as(acme_, "select count(*) from notes where body = 'of globex'"), 0);
  const std::string other = std::to_string(value(globex_));
  EXPECT_EQ(number_as(acme_, "select count(*) from notes where tenant_id = " + other + " or true"), 1);
  EXPECT_EQ(number_as(acme_, "select count(*) from (select * from notes union all table notes) x"), 2);
}

TEST_F(TenantIsolationTest, NoTenantMeansNoRow) {
  EXPECT_EQ(raw_value("select count(*) from notes"), "0");
  EXPECT_EQ(raw_value("begin; set local app.tenant_id = " + std::to_string(value(acme_)) +
                      "; commit; select count(*) from notes"),
            "0")
      << "the empty setting that a local one leaves behind is no tenant either";
  EXPECT_EQ(number_as(TenantId{999'999}, "select count(*) from notes"), 0);
}

TEST_F(TenantIsolationTest, NothingIsWrittenForAnotherTenant) {
  const std::vector<SqlValue> other{integer(value(globex_))};
  const auto inserted = run_as(acme_, "insert into notes (tenant_id, body) values ($1, 'planted')", other);
  ASSERT_FALSE(inserted);
  EXPECT_EQ(inserted.error().code, Errc::kDenied);
  const auto moved = run_as(acme_, "update notes set tenant_id = $1", other);
  ASSERT_FALSE(moved);
  EXPECT_EQ(moved.error().code, Errc::kDenied);
  EXPECT_EQ(run_as(acme_, "update notes set body = 'stolen' where tenant_id = $1", other).value(), 0);
  EXPECT_EQ(run_as(acme_, "delete from notes where tenant_id = $1", other).value(), 0);
  EXPECT_FALSE(run_as(
      acme_, "merge into notes n using (select 1) s on false when not matched then insert (tenant_id, body) values (" +
                 std::to_string(value(globex_)) + ", 'merged')"));
  EXPECT_EQ(number_as(globex_, "select count(*) from notes where body = 'of globex'"), 1);
  EXPECT_EQ(number_as(globex_, "select count(*) from notes"), 1);
}

TEST_F(TenantIsolationTest, HostileSqlDoesNotChangeTheTenant) {
  const std::string other = std::to_string(value(globex_));
  for (const std::string& sql :
       std::vector<std::string>{"set app.tenant_id = " + other,
                                "set local app.tenant_id = " + other,
                                "reset app.tenant_id",
                                "reset all",
                                "reset role",
                                "set role toolhost_admin",
                                "set session authorization toolhost_admin",
                                "discard all",
                                "commit",
                                "commit; drop table notes",
                                "select 1; set app.tenant_id = 2",
                                "begin",
                                "do $$ begin set app.tenant_id = " + other + "; end $$",
                                "select set_config('app.tenant_id', '" + other + "', true)",
                                "select set_config('app.tenant_id', '" + other + "', false) from notes",
                                "update pg_settings set setting = '" + other + "' where name = 'app.tenant_id'",
                                "select query_to_xml('select 1', true, true, '')",
                                "select 1 into temp leak",
                                "select * into leak from notes",
                                "copy notes to stdout",
                                "copy (select 1) to program 'id'",
                                "create temp table leak (a int)",
                                "create function pg_temp.f() returns int language sql as 'select 1'",
                                "alter table notes no force row level security",
                                "alter table notes disable row level security",
                                "drop policy toolhost_tenant on notes",
                                "truncate notes",
                                "grant toolhost_owner to current_user",
                                "alter role current_user set app.tenant_id = 2",
                                "select pg_advisory_lock(1)",
                                "select pg_terminate_backend(pg_backend_pid())",
                                "select lo_create(0)",
                                "select pg_notify('toolhost_keys', '')",
                                "notify toolhost_keys",
                                "select pg_read_file('/etc/passwd')",
                                "select * from toolhost.api_keys",
                                "select * from toolhost.tenants",
                                "select * from pg_stat_activity",
                                "select * from pg_authid",
                                "lock table notes",
                                "explain analyze select 1"}) {
    connection_->begin({.tenant = acme_});
    EXPECT_FALSE(connection_->execute(sql, {}, Finish::kKeepOpen)) << sql;
    connection_->begin({.tenant = acme_});
    EXPECT_FALSE(connection_->execute(sql, {}, Finish::kCommit)) << sql;
    EXPECT_EQ(number_as(acme_, "select toolhost.tenant_id()"), value(acme_)) << sql;
    EXPECT_EQ(number_as(acme_, "select count(*) from notes"), 1) << sql;
  }
}

TEST_F(TenantIsolationTest, TheRoleItselfLacksTheRight) {
  for (const char* sql : {"select set_config('app.tenant_id', '2', false)",
                          "update pg_settings set setting = '2' where name = 'work_mem'",
                          "select query_to_xml('select 1', true, true, '')",
                          "select ts_stat('select 1')",
                          "select 1 into temp leak",
                          "create temp table leak (a int)",
                          "create table leak (a int)",
                          "create table public.leak (a int)",
                          "select pg_advisory_lock(1)",
                          "select pg_try_advisory_xact_lock(1)",
                          "select pg_cancel_backend(1)",
                          "select lo_create(0)",
                          "select lo_from_bytea(0, 'x')",
                          "select pg_notify('x', '')",
                          "select * from pg_stat_activity",
                          "select pg_stat_get_activity(null)",
                          "select * from toolhost.api_keys",
                          "select * from toolhost.tenants",
                          "select * from toolhost.schema_migrations",
                          "alter table notes disable row level security",
                          "set role toolhost_admin",
                          "set role toolhost_app",
                          "set role toolhost_owner",
                          "set session authorization toolhost_admin",
                          "create function f() returns int language sql as 'select 1'",
                          "truncate notes",
                          "create role x",
                          "grant toolhost_app to toolhost_plugin_com_acme_notes",
                          "create schema s",
                          "create database d",
                          "alter system set fsync = on"}) {
    EXPECT_EQ(raw(sql), "42501") << sql;
  }
}

TEST_F(TenantIsolationTest, NoWorkingRoleOwnsOrBypassesAnything) {
  EXPECT_EQ(postgres_.run_sql("select count(*) from pg_roles where rolname ~ '^toolhost_(app|plugin)' and (rolsuper or "
                              "rolbypassrls or rolcreaterole or rolcreatedb or rolinherit or rolreplication)"),
            "0");
  EXPECT_EQ(postgres_.run_sql("select count(*) from pg_class c join pg_roles r on r.oid = relowner where rolname ~ "
                              "'^toolhost_(app|plugin)'"),
            "0");
  EXPECT_EQ(postgres_.run_sql("select count(*) from pg_auth_members m join pg_roles r on r.oid = m.member where "
                              "r.rolname like 'toolhost%'"),
            "0");
  EXPECT_EQ(
      postgres_.run_sql(
          "select relrowsecurity and relforcerowsecurity from pg_class where oid = 'toolhost.api_keys'::regclass"),
      "t");
}

TEST_F(TenantIsolationTest, OnePluginDoesNotReachTheTablesOfAnother) {
  const std::vector<Migration> other{{1, "create",
                                      "create table things (tenant_id integer not null default toolhost.tenant_id(), "
                                      "id int, primary key (tenant_id, id))"}};
  ASSERT_TRUE(migrate_plugin(postgres_.address(), "com.other", other, {}, events_));
  EXPECT_EQ(raw("select * from com_other.things"), "42501");
  const auto reached = run_as(acme_, "select * from com_other.things");
  ASSERT_FALSE(reached);
  EXPECT_EQ(reached.error().code, Errc::kDenied);
}

TEST_F(TenantIsolationTest, TheTenantIsUsedAsAnIndexCondition) {
  raw("begin");
  raw("set local app.tenant_id = 1");
  raw("set local enable_seqscan = off");
  const PgResultPtr plan(PQexec(raw_.get(), "explain select * from notes where id = 1"));
  std::string lines;
  for (int i = 0; i < PQntuples(plan.get()); ++i) lines += PQgetvalue(plan.get(), i, 0);
  EXPECT_NE(lines.find("Index Cond: ((tenant_id = (NULLIF(current_setting"), std::string::npos) << lines;
}

}  // namespace
}  // namespace toolhost::storage
