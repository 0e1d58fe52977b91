#include "search_test.hpp"

namespace toolhost::test_support {

std::vector<plugin_runtime::PluginSpec> served_plugins() {
  return {{.file = TICKETS_PLUGIN_FILE}, {.file = TASKS_PLUGIN_FILE}, {.file = SEARCH_PLUGIN_FILE}};
}

std::string SearchTest::create_ticket(const CallerPtr& caller, const std::string& title, const std::string& more) {
  const Answer answer = call(caller, "create_ticket", R"({"title":)" + json_string(title) + more + "}");
  EXPECT_FALSE(answer.is_error()) << answer.text();
  return answer.at("/ticket/id");
}

std::string SearchTest::create_task(const CallerPtr& caller, const std::string& title) {
  const Answer answer = call(caller, "create_task", R"({"title":)" + json_string(title) + "}");
  EXPECT_FALSE(answer.is_error()) << answer.text();
  return answer.at("/task/id");
}

Answer SearchTest::search(const CallerPtr& caller, const std::string& query, const std::string& more) {
  Answer answer = call(caller, "search_tickets", R"({"query":)" + json_string(query) + more + "}");
  EXPECT_FALSE(answer.is_error()) << answer.text();
  return answer;
}

std::vector<std::string> SearchTest::find(const CallerPtr& caller, const std::string& query, const std::string& more) {
  return search(caller, query, more).each("/hits", "id");
}

CallerPtr SearchTest::as(const CallerPtr& caller, Role role) {
  Caller other = *caller;
  other.role = role;
  return std::make_shared<const Caller>(std::move(other));
}

}  // namespace toolhost::test_support
