#include "tasks_test.hpp"

namespace toolhost::test_support {

std::vector<plugin_runtime::PluginSpec> served_plugins() {
  return {{.file = TICKETS_PLUGIN_FILE, .settings_json = "{}", .workers = 4},
          {.file = TASKS_PLUGIN_FILE, .settings_json = "{}", .workers = 16}};
}

std::string TasksTest::create(const CallerPtr& caller, const std::string& arguments) {
  const Answer answer = call(caller, "create_task", arguments);
  EXPECT_FALSE(answer.is_error()) << answer.text();
  return answer.at("/task/id");
}

std::string TasksTest::create_ticket(const CallerPtr& caller, const std::string& title) {
  const Answer answer = call(caller, "create_ticket", "{\"title\":" + json_string(title) + "}");
  EXPECT_FALSE(answer.is_error()) << answer.text();
  return answer.at("/ticket/id");
}

Answer TasksTest::change(const CallerPtr& caller, std::string_view tool, const std::string& id,
                         const std::string& more) {
  Answer answer = call(caller, tool, R"({"id":")" + id + '"' + (more.empty() ? "" : "," + more) + "}");
  EXPECT_FALSE(answer.is_error()) << answer.text();
  return answer;
}

std::string TasksTest::refused(const CallerPtr& caller, std::string_view tool, const std::string& arguments) {
  const Answer answer = call(caller, tool, arguments);
  EXPECT_TRUE(answer.is_error()) << tool << arguments << answer.text();
  EXPECT_NE(answer.outcome(), plugin_runtime::Outcome::kInternal) << tool << arguments << answer.text();
  return answer.text();
}

std::string TasksTest::column(const std::string& id, const std::string& name) {
  return sql("select " + name + " from tasks where ref = '" + id + "'");
}

std::string TasksTest::sql_in(const CallerPtr& caller, const std::string& statement) {
  return sql("set role toolhost_plugin_tasks; set app.tenant_id = " + std::to_string(value(caller->tenant_id)) + "; " +
             statement);
}

}  // namespace toolhost::test_support
