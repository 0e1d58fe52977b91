#include "app/config/config_check.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json_schema.hpp"

namespace toolhost::app {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kSchema = R"({"type":"object","additionalProperties":false,"properties":{
  "categories":{"type":"array","items":{"type":"string"}},"days":{"type":"integer"}}})";

/// The plugins /opt/tickets.so, with settings, and /opt/tasks.so, which takes none.
InstalledPlugins installed() {
  InstalledPlugins plugins;
  plugins.plugins = {
      {.file = "/opt/tickets.so", .id = "tickets", .is_loaded = true, .tools = {"create_ticket", "list_tickets"}},
      {.file = "/opt/tasks.so", .id = "tasks", .is_loaded = true, .tools = {"delete_task"}}};
  plugins.check_settings = [schema = std::make_shared<const JsonSchema>(*JsonSchema::compile(kSchema))](
                               std::string_view plugin, std::string_view settings) {
    return plugin_runtime::check_plugin_settings(plugin == "tickets" ? schema.get() : nullptr, settings);
  };
  return plugins;
}

std::vector<std::string> problems_of(const std::string& yaml, const InstalledPlugins& plugins = installed()) {
  const auto loaded = parse_config("plugins: [{file: /opt/tickets.so}, {file: /opt/tasks.so}]\n" + yaml, "host.yaml");
  for (const auto& problem : loaded.problems) ADD_FAILURE() << to_string(problem);
  std::vector<std::string> texts;
  for (const auto& problem : check_against_plugins(loaded.config, plugins)) texts.push_back(to_string(problem));
  return texts;
}

TEST(ConfigCheck, NamesToolsAndPluginsThatDoNotExistInTheOrderOfTheFile) {
  EXPECT_THAT(problems_of(R"(tenants:
  - name: zeta
    plugins: [tickets, tsaks]
    tools:
      allow: [create_*, "nothing_*", list_tikets]
      deny: [tasks.delete_task, tickets.delete_task]
      texts:
        creat_ticket: {title: New}
    roles:
      viewer: {scopes: [raed, list_tickets], deny: [nowhere]}
  - name: acme
    rules: [{tools: [update_ticket]}]
    limits: {tools: [{tools: [delete_tasks], rate: 1/s}]}
)"),
              ElementsAre("host.yaml:4: unknown plugin 'tsaks'; did you mean 'tasks'?",
                          "host.yaml:6: no plugin has a tool 'list_tikets'; did you mean 'list_tickets'?",
                          HasSubstr("host.yaml:7: no plugin has a tool 'tickets.delete_task'"),
                          "host.yaml:9: no plugin has a tool 'creat_ticket'; did you mean 'create_ticket'?",
                          "host.yaml:11: 'raed' is neither read, nor write, nor a tool; did you mean 'read'?",
                          "host.yaml:11: no plugin has a tool 'nowhere'; 'toolhost plugin list' shows what there is",
                          HasSubstr("host.yaml:13: no plugin has a tool 'update_ticket'"),
                          "host.yaml:14: no plugin has a tool 'delete_tasks'; did you mean 'delete_task'?"));
}

TEST(ConfigCheck, HasNothingAgainstTheBuiltInDefaults) {
  EXPECT_THAT(problems_of(""), IsEmpty());
}

TEST(ConfigCheck, RefusesNoNameWhileAPluginIsNotLoaded) {
  auto plugins = installed();
  plugins.plugins[1].is_loaded = false;
  EXPECT_THAT(problems_of("defaults: {tools: {deny: [no_such_tool]}}\n", plugins), IsEmpty());
  plugins.plugins.pop_back();
  EXPECT_THAT(problems_of("defaults: {tools: {deny: [no_such_tool]}}\n", plugins), IsEmpty());
}

TEST(ConfigCheck, PutsSettingsThatAPluginRefusesAtTheirLine) {
  EXPECT_THAT(
      problems_of(R"(tenants:
  - name: acme
    settings:
      tickets:
        categories:
          - it
          - 7
        dayz: 3
  - name: beta
    settings:
      tasks: {a: 1}
)"),
      ElementsAre("host.yaml:8:13: the plugin tickets refuses this: 'categories[1]' must be a string; got 7",
                  "host.yaml:9:15: the plugin tickets refuses this: unknown parameter 'dayz'; did you mean 'days'?",
                  "host.yaml:12:14: the plugin tasks refuses this: it takes no settings; remove them"));
}

TEST(ConfigCheck, BlamesThePluginsOwnSettingsOnce) {
  const auto loaded = parse_config(R"(plugins:
  - file: /opt/tickets.so
    settings: {days: many}
  - file: /opt/tasks.so
tenants:
  - {name: acme, settings: {tickets: {categories: [a]}}}
  - {name: beta, settings: {tickets: {days: 3}}}
)",
                                   "host.yaml");
  const auto problems = check_against_plugins(loaded.config, installed());
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_THAT(to_string(problems[0]), HasSubstr("host.yaml:3:22: the plugin tickets refuses this: 'days'"));
}

TEST(ConfigCheck, WantsAPluginCalledByItsOwnName) {
  auto plugins = installed();
  plugins.plugins[0].id = "com.acme.tickets";
  EXPECT_THAT(problems_of("tenants: [{name: a, settings: {tickets: {days: 3}}}]\n", plugins),
              ElementsAre("host.yaml:2:32: the plugin in 'tickets.so' is called 'com.acme.tickets'; name its settings "
                          "so"));
}

TEST(ConfigCheck, KeysSettingsByThePluginsId) {
  auto plugins = installed();
  const auto loaded = parse_config(
      "plugins: [{file: /opt/tickets.so, settings: {days: 1}}]\ntenants: [{name: a, settings: {tickets: {days: 3}}}]\n",
      "host.yaml");
  const auto settings = tenant_settings_of(loaded.config, plugins);
  ASSERT_TRUE(settings.contains("tickets"));
  EXPECT_EQ(settings.at("tickets").at("a"), R"({"days":3})");
}

}  // namespace
}  // namespace toolhost::app
