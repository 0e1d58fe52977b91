#include "app/config/config_diff.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/protocol/fakes.hpp"

namespace toolhost::app {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class ConfigDiff : public testing::Test {
 protected:
  ConfigDiff() {
    for (auto* config : {&before_, &after_}) {
      config->policy.defaults = access::built_in_defaults();
      add_tenant(*config, "acme");
    }
    registry_.add("create_task");
    registry_.add("delete_task");
    registry_.add("list_tasks").read_only = true;
  }

  static void add_tenant(HostConfig& config, const std::string& name) {
    config.tenants.push_back({.name = name, .title = name});
    config.policy.tenants[name];
  }
  access::TenantPolicyConfig& acme() { return after_.policy.tenants.at("acme"); }
  std::vector<std::string> changes() const {
    const auto before = access::Policy::compile(before_.policy);
    const auto after = access::Policy::compile(after_.policy);
    return describe_changes({before_, *before}, {after_, *after}, registry_.tools());
  }

  HostConfig before_, after_;
  protocol::fakes::FakeRegistry registry_{1};
};

TEST_F(ConfigDiff, SaysNothingWhenOnlyLinesMoved) {
  acme().place.line = 7;
  EXPECT_THAT(changes(), IsEmpty());
}

TEST_F(ConfigDiff, NamesToolsThatAreLostAndGainedByRole) {
  acme().deny = {{.text = "delete_*"}};
  EXPECT_THAT(changes(), ElementsAre("acme loses delete_task"));
  acme().deny.clear();
  acme().roles[1].deny = {{.text = "delete_*"}};
  EXPECT_THAT(changes(), ElementsAre("acme loses delete_task (agent)"));
  std::swap(before_.policy, after_.policy);
  EXPECT_THAT(changes(), ElementsAre("acme gains delete_task (agent)"));
}

TEST_F(ConfigDiff, NamesTenantsThatComeAndGo) {
  add_tenant(after_, "globex");
  EXPECT_THAT(changes(), ElementsAre("globex is new in the configuration"));
  std::swap(before_, after_);
  EXPECT_THAT(changes(), ElementsAre("globex has left the configuration: its people have the defaults"));
}

TEST_F(ConfigDiff, NamesPeopleWhoseRolesChange) {
  before_.policy.tenants.at("acme").people.members = {{.email = "ana@acme.com", .role = Role::kAdmin},
                                                      {.email = "bo@acme.com"}};
  acme().people.members = {{.email = "ana@acme.com", .role = Role::kViewer}, {.email = "cy@acme.com"}};
  EXPECT_THAT(changes(), UnorderedElementsAre("acme: ana@acme.com is viewer now, was admin",
                                              "acme: bo@acme.com is no member any more, was agent",
                                              "acme: cy@acme.com is a new member, agent"));
}

TEST_F(ConfigDiff, NamesLimitsOnceForAllTenantsWithTheDefaults) {
  after_.policy.defaults.limits.key.rate = access::RateLimit{.per_second = 10, .burst = 10};
  const std::string slower = ": key rate 50 a second (burst 5000) -> 10 a second (burst 10)";
  EXPECT_THAT(changes(), ElementsAre("acme" + slower, "every other tenant" + slower));
  after_.policy.defaults = before_.policy.defaults;
  acme().limits.tools = {
      {.tools = {{.text = "create_*"}}, .limits = {.rate = access::RateLimit{.per_second = 1.5 / 3600, .burst = 2}}}};
  EXPECT_THAT(changes(),
              ElementsAre("acme: new limit for create_* per tenant: rate 1.50 an hour (burst 2), at a time off"));
}

TEST_F(ConfigDiff, NamesRulesTextsAndSettings) {
  acme().rules = {{.tools = {{.text = "create_task"}},
                   .roles = {Role::kAgent},
                   .when = {{.argument = "hours", .kind = access::ArgumentTest::Kind::kAbove, .number = 8}},
                   .place = {.file = "acme.yaml", .line = 9}}};
  acme().texts = {{.tool = "list_tasks", .title = "Our tasks"}};
  for (auto* config : {&before_, &after_}) config->plugins.plugins.push_back({.file = "tasks.so"});
  after_.plugins.plugins[0].tenant_settings["acme"] = R"({"lists":["a"]})";
  EXPECT_THAT(
      changes(),
      ElementsAre("acme: refused from now on: calls for create_task by agent when hours is above 8 (acme.yaml:9)",
                  "acme: other title or description of list_tasks", "acme: settings of tasks change: lists"));
}

TEST_F(ConfigDiff, NamesWhatWaitsForTheNextStartAndKeepsSecretsToItself) {
  EXPECT_THAT(describe_restart_changes(before_, after_), IsEmpty());
  after_.http.port = 9090;
  after_.pepper = SecretReference{"env:PEPPER"};
  after_.drain = std::chrono::seconds(5);
  EXPECT_THAT(describe_restart_changes(before_, after_),
              ElementsAre("http.port 8080 -> 9090", "keys.pepper", "calls.drain 10s -> 5s"));
}

TEST_F(ConfigDiff, NamesSecretsOfPluginsAsWaiting) {
  for (auto* config : {&before_, &after_}) config->plugins.plugins.push_back({.file = "tasks.so"});
  after_.plugin_secrets[0]["smtp"] = SecretReference{"env:SMTP"};
  EXPECT_THAT(describe_restart_changes(before_, after_), ElementsAre("plugins[tasks.so].secrets"));
}

TEST_F(ConfigDiff, NamesTlsAndProxiesAsWaiting) {
  after_.http.tls = transport::TlsConfig{.certificate = "/chain.pem", .key = "/key.pem"};
  after_.http.redirect_port = 80;
  after_.http.trusted_proxies = {"10.0.0.0/8"};
  EXPECT_THAT(describe_restart_changes(before_, after_),
              ElementsAre("http.tls.certificate (empty) -> /chain.pem", "http.tls.key (empty) -> /key.pem",
                          "http.redirect_port none -> 80", "http.trusted_proxies [] -> [10.0.0.0/8]"));
}

TEST_F(ConfigDiff, NamesTrustInPluginsAsWaiting) {
  for (auto* config : {&before_, &after_}) config->plugins.plugins.push_back({.file = "tasks.so"});
  after_.plugins.trust = {.require_sha256 = true, .keys = {{.name = "acme", .file = "/acme.pem"}}};
  after_.plugins.plugins[0].pins = {.id = "tasks", .sha256 = "00", .extra_needed = {"libz.so.1"}};
  EXPECT_THAT(describe_restart_changes(before_, after_),
              ElementsAre("plugin_trust.require_sha256 false -> true", "plugin_trust.keys [] -> [acme /acme.pem]"));
  // What holds for one file counts when that is loaded the next time.
  EXPECT_THAT(describe_setting_changes(before_, after_),
              ElementsAre("plugins[tasks.so].id (empty) -> tasks", "plugins[tasks.so].sha256 (empty) -> 00",
                          "plugins[tasks.so].extra_needed [] -> [libz.so.1]"));
}

TEST_F(ConfigDiff, PlacesDoNotCountAnywhere) {
  const auto fill = [](HostConfig& config, int line) {
    const SourcePlace place{"host.yaml", line};
    auto& acme = config.policy.tenants.at("acme");
    acme.place = place;
    acme.plugins = acme.allow = acme.deny = {{"a*", place}};
    acme.roles[0] = {.scopes = access::Scopes{{"read", place}}, .deny = {{"b", place}}, .place = place};
    acme.rules = {{.tools = {{"c", place}}, .when = {{.argument = "hours", .place = place}}, .place = place}};
    acme.limits.key = {.rate = access::RateLimit{1, 1, place}, .concurrent = access::ConcurrencyLimit{1, place}};
    acme.limits.tenant = acme.limits.key;
    acme.limits.tools = {{.tools = {{"d", place}}, .limits = acme.limits.key}};
    acme.texts = {{.tool = "e", .place = place}};
    acme.people = {.members = {{.email = "ana@acme.com", .place = place}}, .default_place = place};
    config.policy.defaults = acme;
  };
  fill(before_, 1);
  fill(after_, 2);
  EXPECT_NE(before_.policy, after_.policy);
  EXPECT_EQ(without_places(before_.policy), without_places(after_.policy));
  acme().people.members[0].name = "Ana";
  EXPECT_NE(without_places(before_.policy), without_places(after_.policy));
}

}  // namespace
}  // namespace toolhost::app
