#include "storage/sql_screen.hpp"

#include <gtest/gtest.h>

namespace toolhost::storage {
namespace {

TEST(ScreenStatement, AllowsWhatReadsAndWritesRows) {
  for (const char* sql :
       {"select 1", "SELECT 1", " \n-- note\n/* a /* nested */ b */ ( ( select 1 ) )", "insert into t values ($1)",
        "update t set a = 1", "delete from t", "with x as (select 1) select * from x",
        "merge into t using s on true when matched then delete", "values (1)", "table t",
        "select 'set_config' , \"select\"", "select $$ set_config $$", "select e'it\\'s; set_config'",
        "select $1, $2 from t -- set_config"}) {
    EXPECT_TRUE(screen_statement(sql)) << sql;
  }
}

TEST(ScreenStatement, DeniesEverythingElse) {
  for (const char* sql : {"",
                          "   ",
                          "-- select 1",
                          "/* select 1",
                          "set app.tenant_id = 2",
                          "reset role",
                          "begin",
                          "commit",
                          "rollback",
                          "copy t to stdout",
                          "do $$ begin end $$",
                          "call p()",
                          "explain select 1",
                          "create table t()",
                          "drop table t",
                          "listen x",
                          "notify x",
                          "lock t",
                          "prepare p as select 1",
                          "execute p",
                          "declare c cursor for select 1",
                          "\"select\" 1",
                          "select2",
                          ";select 1"}) {
    const auto screened = screen_statement(sql);
    ASSERT_FALSE(screened) << sql;
    EXPECT_EQ(screened.error().code, Errc::kDenied) << sql;
  }
}

TEST(ScreenStatement, DeniesNamesThatChangeSettingsHoweverTheyAreWritten) {
  for (const char* sql :
       {"select set_config('app.tenant_id', '2', true)", "select SET_CONFIG('a', 'b', true)",
        "select pg_catalog.\"set_config\"('a', 'b', true)", "select set_config/**/('a', 'b', true)",
        "update pg_settings set setting = '2' where name = 'app.tenant_id'",
        "select U&\"set\\005fconfig\"('a', 'b', true)", "select u&'x'", "select query_to_xml('x', true, true, '')",
        "with x as (select set_config('a','b',true)) select 1", "select $$a$$, set_config('a','b',true)",
        "select 'a\\', set_config('a','b',true)"}) {
    EXPECT_FALSE(screen_statement(sql)) << sql;
  }
}

TEST(ScreenMigration, AllowsSchemaChangesAndFunctionBodies) {
  for (const char* sql : {"create table t (tenant_id integer); insert into t values (1); update t set tenant_id = 2;",
                          "create function f() returns trigger language plpgsql as $$ begin update t set a = 1; if "
                          "true then delete from t; end if; return new; end $$;"
                          "create trigger x before insert on t for each row execute function f()",
                          "create function g() returns int begin atomic select 1; select case when true then 2 end; "
                          "end; create table u ()",
                          "grant execute on function f() to public", "alter table t alter a set default 1",
                          "do $$ begin perform 1; end $$"}) {
    const auto screened = screen_migration(sql);
    EXPECT_TRUE(screened) << sql << ": " << screened.error().message;
  }
}

TEST(ScreenMigration, DeniesTransactionControlAndSettings) {
  for (const char* sql : {"commit", "create table t(); commit; drop table t", "create table t(); end",
                          "begin; create table t()", "rollback to x", "reset role", "set role toolhost_admin",
                          "SET LOCAL ROLE none", "/* x */ set session authorization default", "execute p",
                          "do $$ begin set role none; end $$", "do $x$ begin execute 'reset role'; end $x$",
                          "create function f() returns int begin atomic select 1; end; end"}) {
    EXPECT_FALSE(screen_migration(sql)) << sql;
  }
}

TEST(ScreenFunctionBody, DeniesSettingsAndSqlMadeOfText) {
  for (const char* body :
       {"begin set app.tenant_id = 2; end", "begin if true then SET LOCAL app.tenant_id = 2; end if; end",
        "begin perform 1; reset all; end", "begin execute 'select 1'; end",
        "begin return query execute 'select 1'; end", "begin perform set_config('a', 'b', true); end",
        "begin for r in update t set a = 1 returning a loop set app.tenant_id = 2; end loop; end",
        "begin <<here>> set app.tenant_id = 2; end", "set app.tenant_id = 2; select 1",
        "begin loop exit; end loop; discard all; end"}) {
    EXPECT_FALSE(screen_function_body(body)) << body;
  }
}

TEST(ScreenFunctionBody, AllowsUpdatesAndUpserts) {
  for (const char* body :
       {"begin update t set a = 1; insert into t values (1) on conflict do update set a = 2; return new; end",
        "begin new.search = to_tsvector('english', new.title); return new; end", "select 1"}) {
    EXPECT_TRUE(screen_function_body(body)) << body;
  }
}

}  // namespace
}  // namespace toolhost::storage
