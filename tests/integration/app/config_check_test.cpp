#include "app/config/config_check.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace toolhost::app {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> problems_of(LoadedConfig loaded) {
  std::vector<std::string> texts;
  loaded.config.plugin_dir = TOOLHOST_PLUGIN_DIR;
  const auto installed = describe_plugins(loaded.config, loaded.problems);
  for (auto& problem : check_against_plugins(loaded.config, installed)) loaded.problems.push_back(std::move(problem));
  for (const auto& problem : loaded.problems) texts.push_back(to_string(problem));
  return texts;
}

TEST(ConfigCheck, HasNothingAgainstTheFilesThatShip) {
  for (const char* file : {"toolhost.yaml", "bench.yaml", "examples/toolhost.yaml"}) {
    for (const auto& problem : problems_of(load_config(std::filesystem::path(TOOLHOST_CONFIG_DIR) / file)))
      ADD_FAILURE() << problem;
  }
}

TEST(ConfigCheck, AsksThePluginsThemselves) {
  EXPECT_THAT(
      problems_of(parse_config("plugins:\n"
                               "  - {file: tickets.so, settings: {categories: [1]}}\n"
                               "  - {file: tasks.so, settings: {x: 1}}\n"
                               "defaults: {tools: {deny: [create_tikcet]}}\n",
                               "host.yaml")),
      ElementsAre(HasSubstr("host.yaml:2:48: the plugin tickets refuses this: 'categories[0]' must be a string"),
                  "host.yaml:3:32: the plugin tasks refuses this: it takes no settings; remove them",
                  "host.yaml:4: no plugin has a tool 'create_tikcet'; did you mean 'create_ticket'?"));
}

TEST(ConfigCheck, SaysWhichPluginCannotBeLoaded) {
  EXPECT_THAT(problems_of(parse_config("plugins:\n  - file: nowhere.so\n", "host.yaml")),
              ElementsAre(HasSubstr("host.yaml:2:5: this plugin cannot be loaded: ")));
}

TEST(ConfigCheck, SaysWhichPluginIsNotTrusted) {
  EXPECT_THAT(problems_of(parse_config("plugin_trust: {require_sha256: true}\nplugins:\n  - file: tickets.so\n"
                                       "  - {file: tasks.so, id: chores, sha256: " +
                                           std::string(64, '0') + "}\n",
                                       "host.yaml")),
              ElementsAre(HasSubstr("host.yaml:3:5: this plugin cannot be loaded: "),
                          HasSubstr("and the configuration allows only 0000")));
}

TEST(DescribePluginFile, TellsIdToolsAndSettings) {
  const auto described = plugin_runtime::describe_plugin_file(std::filesystem::path(TOOLHOST_PLUGIN_DIR) / "tickets.so",
                                                              testing::TempDir() + "described");
  ASSERT_TRUE(described) << described.error().message;
  EXPECT_EQ(described->id, "tickets");
  EXPECT_THAT(described->tools, Contains("create_ticket"));
  ASSERT_NE(described->settings_schema, nullptr);
  EXPECT_TRUE(plugin_runtime::check_plugin_settings(described->settings_schema.get(), "").empty());
}

}  // namespace
}  // namespace toolhost::app
