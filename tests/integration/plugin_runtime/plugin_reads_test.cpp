#include <gmock/gmock.h>

#include "base/json_writer.hpp"
#include "host_fixture.hpp"
#include "storage/migrator.hpp"

namespace toolhost::plugin_runtime {
namespace {

using std::chrono::milliseconds;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

/// reader.so reads what library.so exports; chained.so reads what reader.so exports.
class PluginReads : public PluginHostTest {
 protected:
  static test_support::TempPostgres& postgres() { return test_support::TempPostgres::shared(); }
  storage::DatabaseAddress address() override { return postgres().address(); }

  void SetUp() override {
    postgres().fresh_database();
    acme = postgres().add_tenant("acme");
    globex = postgres().add_tenant("globex");
  }
  void serve(const std::vector<std::filesystem::path>& files) {
    start(files);
    for (const auto& info : host->plugins()) ASSERT_EQ(info.state, "serving") << info.reason;
  }
  ToolResult read(TenantId tenant, std::string_view sql) {
    std::string arguments;
    JsonWriter(arguments).begin_object().member("sql", sql).end_object();
    return run("read", arguments, tenant);
  }
  void add_book(TenantId tenant, int id, const std::string& title) {
    const auto added = run("add_book", R"({"id":)" + std::to_string(id) + R"(,"title":")" + title + "\"}", tenant);
    ASSERT_EQ(added.outcome, Outcome::kOk) << added.detail;
  }
  static std::string granted(const std::string& role) {
    return postgres().run_sql(
        "select coalesce(string_agg(c.oid::regclass || ' ' || a.privilege_type, ', ' order by 1), '') from pg_class c, "
        "aclexplode(c.relacl) a where a.grantee = '" +
        role + "'::regrole and c.relname = 'titles' and c.relnamespace = 'library'::regnamespace");
  }

  TenantId acme{}, globex{};
};

TEST_F(PluginReads, AreThoseThatItDeclaredInTheOrderOfTheConfiguration) {
  // Before the plugin that it reads: all are migrated first.
  serve({test_plugin("reader"), test_plugin("library")});
  EXPECT_EQ(run("list_views", "{}").structured_json,
            R"({"texts":["library \"library\".\"titles\"","com.acme.reader \"com_acme_reader\".\"titles\""]})");
  add_book(acme, 1, "Emma");
  EXPECT_EQ(read(acme, R"(select title from "library"."titles")").structured_json, R"({"texts":["Emma"]})");
}

TEST_F(PluginReads, ShowNoRowOfAnotherTenant) {
  serve({test_plugin("library"), test_plugin("reader")});
  add_book(acme, 1, "secret of acme");
  add_book(globex, 1, "book of globex");
  for (const char* condition : {"true", "title like '%secret%'", "id = 1 or title <> ''",
                                "exists (select from library.titles t where t.id = 1)"}) {
    const auto found = read(globex, std::string("select title from library.titles where ") + condition);
    EXPECT_THAT(found.structured_json + found.content_json, Not(HasSubstr("secret"))) << condition;
  }
  EXPECT_EQ(read(globex, "select count(*)::text from library.titles").structured_json, R"({"texts":["1"]})");
  // A function that tells what it is given: PostgreSQL would run it on every row before the cheapest other condition.
  const auto told = read(globex, "select title from library.titles where tell(title) and id > 0");
  EXPECT_THAT(told.content_json, AllOf(HasSubstr("the title book of globex"), Not(HasSubstr("secret"))));
  const auto planned = read(globex, "select title from library.titles where tell(title) and title like '%secret%'");
  EXPECT_THAT(planned.content_json, Not(HasSubstr("the title secret")));
  const std::string other = std::to_string(value(acme));
  for (const std::string& attack :
       {"select title from library.titles where set_config('app.tenant_id', '" + other + "', true) is not null",
        std::string("select title from library.titles, lateral (select tell(title)) t")}) {
    EXPECT_THAT(read(globex, attack).content_json, Not(HasSubstr("secret"))) << attack;
  }
  postgres().run_sql("update library.books set title = 'none' where false");
}

TEST_F(PluginReads, GiveTheViewAndNothingElse) {
  serve({test_plugin("library"), test_plugin("reader")});
  add_book(acme, 1, "Emma");
  add_book(acme, 2, "draft of a book");
  EXPECT_EQ(read(acme, "select title from library.titles").structured_json, R"({"texts":["Emma"]})");
  for (const char* statement :
       {"select title from library.books", "update library.titles set title = 'mine'", "delete from library.titles",
        "insert into library.titles (id, title) values (3, 'mine')",
        "insert into library.books (id, title) values (3, '')"})
    EXPECT_THAT(read(acme, statement).content_json, HasSubstr("42501")) << statement;
  EXPECT_EQ(postgres().run_sql("select string_agg(title, ',' order by id) from library.books"), "Emma,draft of a book");
}

TEST_F(PluginReads, OfARequiredViewNeedItsPlugin) {
  start({test_plugin("chained"), test_plugin("reader"), test_plugin("echo")});
  const auto infos = host->plugins();
  EXPECT_EQ(infos[1].state, "refused");
  EXPECT_THAT(infos[1].reason,
              AllOf(HasSubstr("reader.so: it reads the view titles of the plugin library, which is not "
                              "loaded: list library among the plugins"),
                    Not(HasSubstr("absent"))));
  EXPECT_EQ(infos[0].state, "refused") << "what reads the refused one";
  EXPECT_THAT(infos[0].reason, HasSubstr("it reads the view titles of the plugin com.acme.reader"));
  EXPECT_EQ(infos[2].state, "serving");
  EXPECT_THAT(events.wait_for("com.acme.reader", "reads"), HasSubstr("list library"));
}

TEST_F(PluginReads, GiveADatabaseToAPluginWithoutTables) {
  serve({test_plugin("library"), test_plugin("reader"), test_plugin("chained")});
  EXPECT_EQ(run("count_loans", "{}", acme).structured_json, R"({"loans":0})");
  ASSERT_EQ(read(acme, "insert into loans (id, title) values (1, 'Emma') returning 'ok'").outcome, Outcome::kOk);
  EXPECT_EQ(run("count_loans", "{}", acme).structured_json, R"({"loans":1})");
  EXPECT_EQ(run("count_loans", "{}", globex).structured_json, R"({"loans":0})");
}

TEST_F(PluginReads, EndWhenNothingIsReadOrExportedAnyMore) {
  serve({test_plugin("library"), test_plugin("reader")});
  const std::string role = "toolhost_plugin_com_acme_reader";
  EXPECT_EQ(granted(role), "library.titles SELECT");
  ASSERT_TRUE(storage::grant_reads(address(), "com.acme.reader", {}));
  EXPECT_EQ(granted(role), "");
  EXPECT_EQ(postgres().run_sql("select has_schema_privilege('" + role + "', 'library', 'usage')"), "f");
  serve({test_plugin("library"), test_plugin("reader")});
  EXPECT_EQ(granted(role), "library.titles SELECT");
  // A grant that no host made: with the next start it is gone.
  postgres().run_sql("grant select on library.books to " + role);
  serve({test_plugin("library"), test_plugin("reader")});
  EXPECT_EQ(postgres().run_sql("select has_table_privilege('" + role + "', 'library.books', 'select')"), "f");
}

}  // namespace
}  // namespace toolhost::plugin_runtime
