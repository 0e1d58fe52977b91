#include "tickets_test.hpp"

#include "support/temp_postgres.hpp"

namespace toolhost::test_support {
namespace {

constexpr const char* kTenantWithCategories = "with-categories";

}  // namespace

std::vector<plugin_runtime::PluginSpec> served_plugins() {
  return {{.file = TICKETS_PLUGIN_FILE,
           .settings_json = "{}",
           .workers = 32,
           .tenant_settings = {{kTenantWithCategories, R"({"categories":["Hardware","Software","Network"]})"}}},
          {.file = TASKS_PLUGIN_FILE, .settings_json = "{}", .workers = 2}};
}

CallerPtr TicketsTest::with_members(const CallerPtr& caller, Members members) {
  Caller other = *caller;
  other.members = std::make_shared<const Members>(std::move(members));
  return std::make_shared<const Caller>(std::move(other));
}

CallerPtr TicketsTest::in_tenant_with_categories() {
  static const CallerPtr kCaller = [] {
    Caller caller = *new_tenant();
    caller.tenant = kTenantWithCategories;
    caller.tenant_id = TempPostgres::shared().add_tenant(kTenantWithCategories);
    return std::make_shared<const Caller>(std::move(caller));
  }();
  return kCaller;
}

std::vector<Answer> TicketsTest::call_at_once(const CallerPtr& caller, std::string_view tool,
                                              const std::vector<std::string>& arguments) {
  return ServedPluginsTest::call_at_once(static_cast<int>(arguments.size()), caller, tool,
                                         [&](int i) { return arguments[static_cast<std::size_t>(i)]; });
}

std::string TicketsTest::create(const CallerPtr& caller, const std::string& arguments) {
  const Answer answer = call(caller, "create_ticket", arguments);
  EXPECT_FALSE(answer.is_error()) << answer.text();
  return answer.at("/ticket/id");
}

}  // namespace toolhost::test_support
