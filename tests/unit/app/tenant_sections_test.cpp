#include "app/config/tenant_sections.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "app/config/config_loader.hpp"

namespace toolhost::app {
namespace {

using access::ArgumentTest;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> texts_of(const std::vector<ConfigProblem>& problems) {
  std::vector<std::string> texts;
  for (const auto& problem : problems) texts.push_back(to_string(problem));
  return texts;
}

std::vector<std::string> problems_of(std::string_view yaml) {
  return texts_of(parse_config(yaml, "host.yaml").problems);
}

TEST(TenantSections, ReadsThePeopleOfATenant) {
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
  const auto& people = loaded.config.policy.tenants.at("acme").people;
  EXPECT_EQ(people.default_role, Role::kViewer);
  ASSERT_EQ(people.members.size(), 3u);
  EXPECT_EQ(people.members[0].name, "Ana Lopez");
  EXPECT_EQ(people.members[0].role, Role::kAdmin);
  EXPECT_EQ(people.members[1].role, Role::kAgent);
  EXPECT_EQ(people.members[2].email, "*@acme.com");
  EXPECT_EQ(loaded.config.policy.tenants.at("beta").people.default_role, Role::kAgent);
}

TEST(TenantSections, RefusesWrongPeople) {
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
              ElementsAre("host.yaml:1:31: 'tenants[].members' must be a list; write '- email: ana@acme.com' for "
                          "each"));
}

TEST(TenantSections, LaysTheSettingsOfATenantOverThoseOfThePlugin) {
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

TEST(TenantSections, RefusesSettingsOfATenantForNoPlugin) {
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
              ElementsAre("host.yaml:5:7: unknown plugin 'tikets'; did you mean 'tickets'?",
                          "host.yaml:6:16: 'tenants[].settings.tickets' must be a mapping of keys to values",
                          "host.yaml:7:7: duplicate key 'tickets'; keep one of them",
                          "host.yaml:9:15: 'tenants[].settings' must be a mapping of keys to values"));
}

/// A directory with files of configuration, for one test.
class Files {
 public:
  Files() {
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directories(directory_ / "tenants");
  }
  ~Files() { std::filesystem::remove_all(directory_); }
  void write(const std::string& name, const std::string& text) const { std::ofstream(directory_ / name) << text; }
  [[nodiscard]] std::string path(const std::string& name) const { return (directory_ / name).string(); }
  [[nodiscard]] LoadedConfig load() const { return load_config(directory_ / "host.yaml"); }

 private:
  const std::filesystem::path directory_ =
      std::filesystem::temp_directory_path() / ("toolhost-config-" + std::to_string(getpid()));
};

TEST(TenantSections, ReadsTheFilesOfTenantsInTheOrderOfTheirNames) {
  const Files files;
  files.write("host.yaml", "tenants: [{name: zeta}]\n");
  files.write("tenants/beta.yml", "name: beta\n");
  files.write("tenants/acme.yaml", "name: acme\ntools:\n  deny:\n    - delete_task\n");
  files.write("tenants/.acme.yaml.swp.yaml", "an editor's");
  files.write("tenants/readme.txt", "none");

  const auto loaded = files.load();
  ASSERT_THAT(texts_of(loaded.problems), IsEmpty());
  ASSERT_EQ(loaded.config.tenants.size(), 3U);
  EXPECT_EQ(loaded.config.tenants[0].name, "zeta");
  EXPECT_EQ(loaded.config.tenants[1].name, "acme");
  EXPECT_EQ(loaded.config.tenants[2].name, "beta");
  EXPECT_THAT(loaded.config.files,
              ElementsAre(files.path("host.yaml"), files.path("tenants/acme.yaml"), files.path("tenants/beta.yml")));
  EXPECT_EQ(loaded.config.tenants[1].place.text(), files.path("tenants/acme.yaml") + ":1");
  EXPECT_EQ(loaded.config.policy.tenants.at("acme").deny.at(0).place.text(), files.path("tenants/acme.yaml") + ":4");
  EXPECT_THAT(watched_paths(loaded), ElementsAre(files.path("host.yaml"), files.path("tenants")));
}

TEST(TenantSections, NamesBothPlacesOfATenantThatIsTwice) {
  const Files files;
  files.write("host.yaml", "tenants:\n  - name: acme\n");
  files.write("tenants/acme.yaml", "title: Acme\nname: acme\n");
  EXPECT_THAT(texts_of(files.load().problems),
              ElementsAre(files.path("tenants/acme.yaml") + ":2:7: tenant 'acme' is listed twice, here and at " +
                          files.path("host.yaml") + ":2; keep one of them"));
}

TEST(TenantSections, FindsATenantByItsFile) {
  const Files files;
  files.write("host.yaml", "log: {level: loud}\n");
  files.write("tenants/a.yaml", "name: b\n");
  files.write("tenants/c.yaml", "# nothing yet\n");
  files.write("tenants/d.yaml", "title: D\n");
  files.write("tenants/e.yaml", "- name: e\n");
  files.write("tenants/f.yaml", "name: F f\n");
  const auto problems = texts_of(files.load().problems);
  ASSERT_EQ(problems.size(), 6U);
  EXPECT_THAT(problems[0], HasSubstr("host.yaml:1:14: 'log.level' must be one of"));
  EXPECT_THAT(problems[1], HasSubstr("a.yaml:1:7: the tenant 'b' is looked for in 'b.yaml'; rename the file, or write "
                                     "'name: a'"));
  EXPECT_THAT(problems[2], HasSubstr("c.yaml: a tenant's file holds its keys; write at least 'name: c'"));
  EXPECT_THAT(problems[3], HasSubstr("d.yaml:1:1: a tenant needs 'name'"));
  EXPECT_THAT(problems[4], HasSubstr("e.yaml:1:1: the file must be a mapping of keys to values"));
  EXPECT_THAT(problems[5], HasSubstr("f.yaml:1:7: 'name' must be 1 to 63 of a-z"));
}

TEST(TenantSections, LooksForTenantsWhereTheHostsFileSays) {
  const Files files;
  std::filesystem::create_directories(files.path("customers"));
  files.write("host.yaml", "tenant_dir: customers\n");
  files.write("customers/acme.yaml", "name: acme\n");
  EXPECT_EQ(files.load().config.tenants.size(), 1U);
  files.write("host.yaml", "tenant_dir: nowhere\n");
  EXPECT_THAT(texts_of(files.load().problems), ElementsAre(HasSubstr("nowhere: 'tenant_dir' names this directory")));
  files.write("host.yaml", "tenant_dir: tenants\n");
  EXPECT_THAT(texts_of(files.load().problems), IsEmpty()) << "the default, which need not exist";
  files.write("host.yaml", "tenant_dir: host.yaml\n");
  EXPECT_THAT(texts_of(files.load().problems),
              ElementsAre(HasSubstr("host.yaml: cannot be read as a directory of tenants (Not a directory)")));
}

TEST(TenantSections, RefusesNamesAndTimeZonesThatTheDatabaseWouldRefuse) {
  EXPECT_THAT(
      problems_of(R"(tenants:
  - name: Acme
  - {name: b, time_zone: EST}
  - {name: c, time_zone: Europe/Berlni}
  - {name: d, time_zone: ../../../etc/passwd}
  - {name: e, time_zone: posix/Europe/Berlin}
  - {name: f, time_zone: Tokyo}
  - {name: g, time_zone: GMT}
)"),
      ElementsAre("host.yaml:2:11: 'tenants[].name' must be 1 to 63 of a-z, 0-9 and '-', beginning with a letter "
                  "or digit; got 'Acme'",
                  "host.yaml:3:26: 'tenants[].time_zone': 'EST' is an abbreviation, which has no summer time; "
                  "write a place such as America/New_York",
                  "host.yaml:4:26: 'tenants[].time_zone': 'Europe/Berlni' is no IANA time zone; did you mean "
                  "Europe/Berlin?",
                  "host.yaml:5:26: 'tenants[].time_zone': '../../../etc/passwd' is no IANA time zone; write one "
                  "such as Europe/Berlin or UTC",
                  HasSubstr("host.yaml:6:26: 'tenants[].time_zone': 'posix/Europe/Berlin' is no IANA time zone"),
                  "host.yaml:7:26: 'tenants[].time_zone': 'Tokyo' is no IANA time zone; did you mean "
                  "Asia/Tokyo?"));
}

}  // namespace
}  // namespace toolhost::app
