#include "app/config_loader.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace toolhost::app {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> problems_of(std::string_view yaml) {
  std::vector<std::string> texts;
  for (const auto& problem : parse_config(yaml, "host.yaml").problems) texts.push_back(to_string(problem));
  return texts;
}

TEST(ConfigLoader, EveryFileInConfigLoadsWithoutAProblem) {
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(TOOLHOST_CONFIG_DIR)) {
    if (entry.path().extension() != ".yaml") continue;
    ++files;
    for (const auto& problem : load_config(entry.path()).problems) ADD_FAILURE() << to_string(problem);
  }
  EXPECT_GE(files, 2);
}

TEST(ConfigLoader, TheExampleOfATenantIsRight) {
  std::ifstream in(std::filesystem::path(TOOLHOST_CONFIG_DIR) / "toolhost.yaml");
  std::string yaml = "plugins: [{ file: tickets.so }]\ntenants:\n";
  bool begun = false;
  for (std::string line; std::getline(in, line);) {
    if (begun && line.starts_with("  # ")) yaml += "  " + line.substr(4) + "\n";
    begun = begun || line.starts_with("tenants:");
  }
  const auto loaded = parse_config(yaml, "toolhost.yaml");
  for (const auto& problem : loaded.problems) ADD_FAILURE() << to_string(problem);
  ASSERT_EQ(loaded.config.tenants.size(), 1u);
  EXPECT_EQ(loaded.config.tenants[0].people.members.size(), 2u);
  EXPECT_EQ(loaded.config.plugins.plugins[0].tenant_settings.size(), 1u);
}

TEST(ConfigLoader, TheShippedFileSaysTheBuiltInDefaults) {
  const HostConfig shipped = load_config(std::filesystem::path(TOOLHOST_CONFIG_DIR) / "toolhost.yaml").config;
  const HostConfig built_in = default_config();

  EXPECT_EQ(shipped.http.port, built_in.http.port);
  EXPECT_EQ(shipped.http.address, built_in.http.address);
  EXPECT_EQ(shipped.http.max_connections, built_in.http.max_connections);
  EXPECT_EQ(shipped.http.max_header_bytes, built_in.http.max_header_bytes);
  EXPECT_EQ(shipped.http.max_body_bytes, built_in.http.max_body_bytes);
  EXPECT_EQ(shipped.http.max_stream_queue_bytes, built_in.http.max_stream_queue_bytes);
  EXPECT_EQ(shipped.http.request_limit, built_in.http.request_limit);
  EXPECT_EQ(shipped.http.idle_limit, built_in.http.idle_limit);
  EXPECT_EQ(shipped.http.heartbeat, built_in.http.heartbeat);
  EXPECT_EQ(shipped.http.stream_write_limit, built_in.http.stream_write_limit);
  EXPECT_EQ(shipped.keys.trust_without_database, built_in.keys.trust_without_database);
  EXPECT_EQ(shipped.keys.usage_flush, built_in.keys.usage_flush);
  EXPECT_EQ(shipped.plugins.workers, built_in.plugins.workers);
  EXPECT_EQ(shipped.plugins.max_queued_calls, built_in.plugins.max_queued_calls);
  EXPECT_EQ(shipped.plugins.default_timeout, built_in.plugins.default_timeout);
  EXPECT_EQ(shipped.plugins.lost_worker_grace, built_in.plugins.lost_worker_grace);
  EXPECT_EQ(shipped.plugins.max_lost_workers, built_in.plugins.max_lost_workers);
  EXPECT_EQ(shipped.plugins.max_result_bytes, built_in.plugins.max_result_bytes);
  EXPECT_EQ(shipped.drain, built_in.drain);
  EXPECT_EQ(shipped.mcp.server_name, built_in.mcp.server_name);
  EXPECT_EQ(shipped.mcp.tools_page_size, built_in.mcp.tools_page_size);
  EXPECT_EQ(shipped.mcp.session_idle_limit, built_in.mcp.session_idle_limit);
  EXPECT_EQ(shipped.mcp.max_sessions_per_key, built_in.mcp.max_sessions_per_key);
  EXPECT_EQ(shipped.mcp.max_streams_per_key, built_in.mcp.max_streams_per_key);
  ASSERT_EQ(shipped.plugins.plugins.size(), built_in.plugins.plugins.size());
  for (std::size_t i = 0; i < built_in.plugins.plugins.size(); ++i)
    EXPECT_EQ(shipped.plugins.plugins[i].file, built_in.plugins.plugins[i].file);
}

TEST(ConfigLoader, ReadsValuesWithUnits) {
  const auto loaded = parse_config(R"(
http: { port: 9000, max_body: 64KiB, heartbeat: 20s }
calls: { timeout: 1500ms, workers: 3 }
mcp: { session_idle_limit: 2h }
plugins:
  - file: /opt/acme.so
    settings: { retries: 3, zone: "7", nested: { on: true, list: [1.5, a] } }
tenants:
  - { name: acme, time_zone: Europe/Berlin }
)",
                                   "host.yaml");

  ASSERT_THAT(loaded.problems, IsEmpty());
  EXPECT_EQ(loaded.config.http.port, 9000);
  EXPECT_EQ(loaded.config.http.max_body_bytes, 65536u);
  EXPECT_EQ(loaded.config.http.heartbeat, std::chrono::seconds(20));
  EXPECT_EQ(loaded.config.plugins.default_timeout, std::chrono::milliseconds(1500));
  EXPECT_EQ(loaded.config.mcp.session_idle_limit, std::chrono::minutes(120));
  ASSERT_EQ(loaded.config.plugins.plugins.size(), 1u);
  EXPECT_EQ(loaded.config.plugins.plugins[0].settings_json,
            R"({"retries":3,"zone":"7","nested":{"on":true,"list":[1.5,"a"]}})");
  ASSERT_EQ(loaded.config.tenants.size(), 1u);
  EXPECT_EQ(loaded.config.tenants[0].title, "acme");
}

TEST(ConfigLoader, SaysEverythingThatIsWrongAtOnceWithLineAndCure) {
  EXPECT_THAT(
      problems_of("http:\n  prot: 80\n  port: 99999\nlog: { level: loud }\nplugin: []\n"),
      ElementsAre(
          "host.yaml:2:3: unknown key 'prot' in http; did you mean 'port'?",
          "host.yaml:3:9: 'http.port' must be a whole number from 0 to 65535; got '99999'",
          "host.yaml:4:15: 'log.level' must be one of: trace, debug, info, warning, error, critical; got 'loud'",
          "host.yaml:5:1: unknown key 'plugin'; did you mean 'plugins'?"));
}

TEST(ConfigLoader, RefusesDuplicateKeys) {
  EXPECT_THAT(problems_of("http:\n  port: 1\n  port: 2\n"),
              ElementsAre("host.yaml:3:3: duplicate key 'port'; keep one of them"));
}

TEST(ConfigLoader, RefusesSecretsThatAreWrittenDown) {
  EXPECT_THAT(problems_of("keys: { pepper: hunter2 }\ndatabase: { url: 'postgresql://me:pw@db/x' }\n"),
              ElementsAre("host.yaml:1:17: 'keys.pepper' must say where the secret stands: env:NAME or file:/path; it "
                          "is never written here",
                          "host.yaml:2:18: 'database.url' holds a password; write the URL into a file or the "
                          "environment and refer to it: "
                          "file:/path or env:NAME"));
}

TEST(ConfigLoader, RefusesWrongShapes) {
  EXPECT_THAT(problems_of("http: 8080\n"), ElementsAre("host.yaml:1:7: 'http' must be a mapping of keys to values"));
  EXPECT_THAT(problems_of("plugins: tickets.so\n"),
              ElementsAre("host.yaml:1:10: 'plugins' must be a list; write '- file: tickets.so' for each plugin"));
  EXPECT_THAT(problems_of("tenants:\n  - name: a\n  - name: a\n"),
              ElementsAre("host.yaml:3:5: tenant 'a' is listed twice; keep one of them"));
  EXPECT_THAT(problems_of("calls: { timeout: [1] }\n"),
              ElementsAre("host.yaml:1:19: 'calls.timeout' must be a single value, not a list"));
  EXPECT_THAT(
      problems_of("calls: { timeout: 5 }\n"),
      ElementsAre(
          "host.yaml:1:19: 'calls.timeout' must be a time from 100ms to 600s, such as 500ms, 30s, 5m or 1h; got '5'"));
}

TEST(ConfigLoader, ReadsThePeopleOfATenant) {
  const auto loaded = parse_config(R"(
tenants:
  - name: acme
    default_role: viewer
    members:
      - { email: ana@acme.com, name: Ana Lopez, role: admin }
      - { email: bo@acme.com, name: Bo Berg }
      - { email: "*@acme.com" }
  - name: beta
)",
                                   "host.yaml");

  ASSERT_THAT(loaded.problems, IsEmpty());
  ASSERT_EQ(loaded.config.tenants.size(), 2u);
  const auto& people = loaded.config.tenants[0].people;
  EXPECT_EQ(people.default_role, Role::kViewer);
  ASSERT_EQ(people.members.size(), 3u);
  EXPECT_EQ(people.members[0].name, "Ana Lopez");
  EXPECT_EQ(people.members[0].role, Role::kAdmin);
  EXPECT_EQ(people.members[1].role, Role::kAgent);
  EXPECT_EQ(people.members[2].email, "*@acme.com");
  EXPECT_EQ(loaded.config.tenants[1].people.default_role, Role::kAgent);

  const auto membership = membership_of(loaded.config);
  EXPECT_EQ(membership.role_of("acme", "ANA@acme.com"), Role::kAdmin);
  EXPECT_EQ(membership.role_of("acme", "eve@acme.com"), Role::kAgent);
  EXPECT_EQ(membership.role_of("acme", ""), Role::kViewer);
}

TEST(ConfigLoader, RefusesWrongPeople) {
  EXPECT_THAT(problems_of(R"(tenants:
  - name: acme
    default_role: boss
    members:
      - { email: ana@acme.com, roll: admin }
      - { email: ANA@acme.com }
      - { email: ana }
      - { name: Nobody }
      - { email: "*@acme.com", name: Everybody }
      - { email: bo@acme.com, role: owner }
      - ana@acme.com
)"),
              ElementsAre("host.yaml:3:19: 'tenants[].default_role' must be one of: viewer, agent, admin; got 'boss'",
                          "host.yaml:5:32: unknown key 'roll' in tenants[].members[]; did you mean 'role'?",
                          "host.yaml:6:9: member 'ANA@acme.com' is listed twice; keep one of them",
                          "host.yaml:7:18: 'tenants[].members[].email' must be an e-mail address, or *@acme.com for "
                          "everybody of that domain; got 'ana'",
                          "host.yaml:8:9: a member needs 'email': a person's address, or *@acme.com for everybody of "
                          "that domain",
                          "host.yaml:9:38: 'tenants[].members[].name' must be absent for a whole domain; got "
                          "'Everybody'",
                          "host.yaml:10:37: 'tenants[].members[].role' must be one of: viewer, agent, admin; got "
                          "'owner'",
                          "host.yaml:11:9: 'tenants[].members[]' must be a mapping of keys to values"));
  EXPECT_THAT(problems_of("tenants: [{ name: a, members: ana@acme.com }]\n"),
              ElementsAre("host.yaml:1:31: 'tenants[].members' must be a list; write '- email: ana@acme.com' for each "
                          "person"));
}

TEST(ConfigLoader, LaysTheSettingsOfATenantOverThoseOfThePlugin) {
  const auto loaded = parse_config(R"(
plugins:
  - file: /opt/tickets.so
    settings: { categories: [hardware], reopen_days: 7 }
  - file: /opt/notes.so
tenants:
  - name: acme
    settings:
      tickets: { categories: [it, "7"], extra: { deep: true } }
  - name: beta
    settings: { notes: { x: 1 }, tickets: {} }
  - name: gamma
)",
                                   "host.yaml");

  ASSERT_THAT(loaded.problems, IsEmpty());
  const auto& plugins = loaded.config.plugins.plugins;
  ASSERT_EQ(plugins.size(), 2u);
  EXPECT_EQ(plugins[0].settings_json, R"({"categories":["hardware"],"reopen_days":7})");
  EXPECT_THAT(
      plugins[0].tenant_settings,
      ElementsAre(std::pair<const std::string, std::string>(
                      "acme", R"({"reopen_days":7,"categories":["it","7"],"extra":{"deep":true}})"),
                  std::pair<const std::string, std::string>("beta", R"({"categories":["hardware"],"reopen_days":7})")));
  EXPECT_THAT(plugins[1].tenant_settings, ElementsAre(std::pair<const std::string, std::string>("beta", R"({"x":1})")));
}

TEST(ConfigLoader, RefusesSettingsOfATenantForNoPlugin) {
  EXPECT_THAT(problems_of(R"(plugins: [{ file: /opt/tickets.so }]
tenants:
  - name: acme
    settings:
      tikets: { a: 1 }
      tickets: yes
      tickets: { a: 1 }
  - name: beta
    settings: [tickets]
)"),
              ElementsAre("host.yaml:5:7: unknown plugin 'tikets' in tenants[].settings; did you mean 'tickets'?",
                          "host.yaml:6:16: 'tenants[].settings.tickets' must be a mapping of keys to values",
                          "host.yaml:7:7: duplicate key 'tickets'; keep one of them",
                          "host.yaml:9:15: 'tenants[].settings' must be a mapping of keys to values"));
}

TEST(ConfigLoader, SaysWhereTextIsNoYaml) {
  const auto problems = problems_of("http: [\n");
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_THAT(problems[0], ::testing::HasSubstr("this is not YAML"));
}

TEST(ConfigLoader, NamesAFileThatCannotBeRead) {
  const auto problems = load_config("/nonexistent/host.yaml").problems;
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(to_string(problems[0]), "/nonexistent/host.yaml: cannot be read; check the path and its permissions");
}

TEST(SecretReference, NamesTheMissingPlace) {
  const auto missing = resolve({"env:TOOLHOST_TEST_NO_SUCH_VARIABLE"});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Errc::kInvalidArgument);
  EXPECT_THAT(missing.error().message, ::testing::HasSubstr("TOOLHOST_TEST_NO_SUCH_VARIABLE"));
}

}  // namespace
}  // namespace toolhost::app
