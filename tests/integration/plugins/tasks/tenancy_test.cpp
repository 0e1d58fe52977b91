#include <gmock/gmock.h>

#include "tasks_test.hpp"

namespace toolhost::test_support {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class Tenancy : public TasksTest {
 protected:
  Tenancy() : eve(new_tenant()) {}
  CallerPtr eve;  ///< in another tenant; her e-mail address is the same
};

TEST_F(Tenancy, AnotherTenantsTaskIsUnknownInTheSameWords) {
  const std::string id = create(ana, R"({"title":"secret of ana"})");
  std::string near = id;
  near[5] = near[5] == 'X' ? 'Y' : 'X';
  for (const std::string& wanted : {id, near}) {
    for (const auto& [tool, more] : std::vector<std::pair<std::string, std::string>>{{"get_task", ""},
                                                                                     {"update_task", R"(,"title":"x")"},
                                                                                     {"complete_task", ""},
                                                                                     {"reopen_task", ""},
                                                                                     {"delete_task", ""}}) {
      EXPECT_EQ(refused(eve, tool, R"({"id":")" + wanted + '"' + more + "}"),
                "Task " + wanted + " not found. Use search_all or list_tasks to find it.")
          << tool;
    }
  }
  EXPECT_EQ(column(id, "version"), "1");
}

TEST_F(Tenancy, AnotherTenantsTicketIsUnknown) {
  const std::string ticket = create_ticket(ana, "secret of ana");
  EXPECT_EQ(refused(eve, "create_task", R"({"title":"x","ticket_id":")" + ticket + R"("})"),
            "Ticket " + ticket + " not found. Use search_tickets or list_tickets to find it.");
  EXPECT_EQ(refused(eve, "list_tasks", R"({"ticket_id":")" + ticket + R"("})"),
            "Ticket " + ticket + " not found. Use search_tickets or list_tickets to find it.");
}

TEST_F(Tenancy, ListsAndKeysAreOnesOwn) {
  create(ana, R"({"title":"Order","assignee":"me","idempotency_key":"k"})");
  const Answer created = call(eve, "create_task", R"({"title":"Order","assignee":"me","idempotency_key":"k"})");
  EXPECT_EQ(created.at("/created"), "true");
  const Answer list = call(eve, "list_tasks", R"({"status":"all","assignee":"me"})");
  EXPECT_THAT(list.each("/tasks", "id"), ElementsAre(created.at("/task/id")));
  EXPECT_EQ(list.at("/total"), "1");
}

TEST_F(Tenancy, CursorsAreBoundToTheirTenant) {
  for (int i = 0; i < 3; ++i) create(ana, R"({"title":"x"})");
  for (int i = 0; i < 3; ++i) create(eve, R"({"title":"x"})");
  const std::string cursor = call(ana, "list_tasks", R"({"limit":1})").at("/next_cursor");
  EXPECT_THAT(refused(eve, "list_tasks", "{\"limit\":1,\"cursor\":" + json_string(cursor) + "}"),
              HasSubstr("cursor is not one that list_tasks gave"));
}

TEST_F(Tenancy, InjectionStringsAreText) {
  create(ana, R"({"title":"secret of ana","assignee":"secret","tags":["secret"]})");
  const std::string own = create(eve, R"({"title":"own"})");
  for (const char* attack : {"' or 1=1 --", "'; drop table tasks; --", "$1", "\\'; select 1; --",
                             "x' union select * from tasks --", "'||(select title from tasks limit 1)||'", "{secret}",
                             "\");", "%", "_", "'; set app.tenant_id = 1; --", "{}", "secret"}) {
    const std::string text = json_string(attack);
    const auto expect_harmless = [&](std::string_view tool, const std::string& arguments) {
      Answer answer = call(eve, tool, arguments);
      EXPECT_THAT(answer.text(), Not(HasSubstr("secret of ana"))) << tool << arguments;
      EXPECT_NE(answer.outcome(), plugin_runtime::Outcome::kInternal) << tool << arguments;
      return answer;
    };
    for (const char* filter : {"assignee", "ticket_id", "due_after", "due_before", "cursor"}) {
      const Answer answer =
          expect_harmless("list_tasks", "{\"status\":\"all\",\"" + std::string(filter) + "\":" + text + "}");
      EXPECT_EQ(answer.size("/tasks"), 0u) << filter << attack;
    }
    expect_harmless("list_tasks", "{\"status\":\"all\",\"tags\":[" + text + "]}");
    for (const char* field : {"description", "assignee", "due_date", "due_at", "ticket_id", "idempotency_key"})
      expect_harmless("create_task", "{\"title\":\"t\",\"" + std::string(field) + "\":" + text + "}");
    for (const char* field : {"title", "description", "assignee", "due_date", "due_at", "ticket_id"})
      expect_harmless("update_task", "{\"id\":\"" + own + "\",\"" + field + "\":" + text + "}");
    expect_harmless("update_task", "{\"id\":\"" + own + "\",\"tags_add\":[" + text + "],\"tags_remove\":[\"x\"]}");
    const Answer created =
        expect_harmless("create_task", "{\"title\":" + text + ",\"description\":" + text + ",\"tags\":[" + text + "]}");
    const std::string id = created.at("/task/id");
    expect_harmless("complete_task", "{\"id\":\"" + id + "\",\"note\":" + text + "}");
    const Answer read = expect_harmless("get_task", "{\"id\":\"" + id + "\"}");
    EXPECT_EQ(read.at("/task/title"), attack);
    EXPECT_EQ(read.at("/task/description"), attack);
    EXPECT_EQ(read.at("/task/completion_note"), attack);
    for (const char* tool : {"get_task", "complete_task", "reopen_task", "delete_task"})
      expect_harmless(tool, "{\"id\":" + text + "}");
  }
  EXPECT_EQ(sql("select count(*) from tasks where tenant_id = " + std::to_string(value(ana->tenant_id))), "1");
}

TEST_F(Tenancy, ThePluginsRoleSeesNothingWithoutATenantAndOneTenantWithOne) {
  create(ana, R"({"title":"x","idempotency_key":"k"})");
  for (const char* table : {"tasks", "task_history", "request_keys"}) {
    const std::string count = std::string("select count(*) > 0 from ") + table;
    EXPECT_EQ(sql("set role toolhost_plugin_tasks; " + count), "f") << table;
    EXPECT_EQ(sql_in(eve, count), "f") << table;
    EXPECT_EQ(sql_in(ana, count), "t") << table;
  }
}

}  // namespace
}  // namespace toolhost::test_support
