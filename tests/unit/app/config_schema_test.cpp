#include "app/config/config_schema.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "app/config/config_loader.hpp"
#include "app/config/yaml_section.hpp"
#include "base/json_schema.hpp"

namespace toolhost::app {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

std::string text_of(const fs::path& file) {
  std::stringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

/// What an editor says of this text.
std::vector<std::string> violations_of(const std::string& schema_text, const std::string& yaml) {
  const auto schema = JsonSchema::compile(schema_text);
  if (!schema) return {schema.error().message};
  std::string json;
  SettingsPlaces places;
  Problems problems("");
  append_settings(json, places, YAML::Load(yaml), problems);
  json::Document document;
  const auto root = document.parse(json);
  if (!root) return {root.error().message};
  std::vector<std::string> texts;
  for (const auto& violation : schema->violations(*root)) texts.push_back(violation.path + ": " + violation.message);
  return texts;
}

TEST(ConfigSchema, TheShippedFilesAreWhatTheReadersSay) {
  const fs::path directory = TOOLHOST_CONFIG_DIR;
  EXPECT_TRUE(text_of(directory / "toolhost.schema.json") == host_schema())
      << "run: toolhost config-schema host > config/toolhost.schema.json";
  EXPECT_TRUE(text_of(directory / "tenant.schema.json") == tenant_schema())
      << "run: toolhost config-schema tenant > config/tenant.schema.json";
}

TEST(ConfigSchema, AcceptsEveryFileInConfig) {
  for (const auto& entry : fs::recursive_directory_iterator(TOOLHOST_CONFIG_DIR)) {
    if (entry.path().extension() != ".yaml") continue;
    const bool is_tenant = entry.path().parent_path().filename() == "tenants";
    for (const auto& text : violations_of(is_tenant ? tenant_schema() : host_schema(), text_of(entry.path())))
      ADD_FAILURE() << entry.path() << ": " << text;
  }
}

TEST(ConfigSchema, AgreesWithTheReaders) {
  struct Case {
    const char* yaml;
    bool is_right;
  };
  for (const auto& [yaml, is_right] : std::initializer_list<Case>{
           {"http: {port: 9000}", true},
           {"http: {prot: 9000}", false},
           {"http: {port: 99999}", false},
           {"http:", true},
           {"http: []", false},
           {"plugins: [~]", false},
           {"tenants:", true},
           {"defaults: {tools: {texts: {create_ticket: ~}}}", false},
           {"http: {max_body: 64KiB}", true},
           {"http: {tls: {certificate: /a.pem, key: file:/b.pem}, redirect_port: 80}", true},
           {"http: {tls: }", true},
           {"http: {tls: {certificate: /a.pem}}", false},
           {"http: {tls: {certificate: a.pem, key: file:/b.pem}}", false},
           {"http: {tls: {certificate: /a.pem, key: env:KEY}}", false},
           {"http: {trusted_proxies: [10.0.0.0/8, '::1']}", true},
           {"http: {max_body: 65536}", true},
           {"http: {max_body: 64KB}", false},
           {"calls: {timeout: 500ms}", true},
           {"calls: {timeout: 500}", false},
           {"log: {level: loud}", false},
           {"keys: {pepper: hunter2}", false},
           {"keys: {pepper: env:PEPPER}", true},
           {"database: {url: 'mysql://db/x'}", false},
           {"reload: {watch: false}", true},
           {"reload: {watch: 1}", false},
           {"plugins: [{workers: 3}]", false},
           {"plugins: [{file: a.so, settings: {any: [1]}}]", true},
           {"plugins: [{file: a.so, secrets: {smtp: env:SMTP}}]", true},
           {"plugins: [{file: a.so, secrets: {smtp: hunter2}}]", false},
           {"tenants: [{name: acme}]", true},
           {"tenants: [{name: Acme}]", false},
           {"tenants: [{title: x}]", false},
           {"tenants: [{name: a, default_role: boss}]", false},
           {"tenants: [{name: a, members: [{email: a@b.c, role: admin}]}]", true},
           {"tenants: [{name: a, members: [{name: Ana}]}]", false},
           {"tenants: [{name: a, tools: {deny: [create_*]}}]", true},
           {"tenants: [{name: a, tools: {deny: ['a b']}}]", false},
           {"mcp: {ask_limit: 5m, max_listeners: 8, list_ttl: 30s}", true},
           {"mcp: {streams: {after: 0s, keep: 1h, retry: 500ms, memory: 8MiB}}", true},
           {"mcp: {streams: {after: 1}}", false},
           {"mcp: {streams: {kept: 5m}}", false},
           {"mcp: {max_listeners: 0}", false},
           {"tracing: {otlp: 'http://127.0.0.1:4318/v1/traces', headers: {x-team: desk}, sample: 0.25}", true},
           {"tracing: {otlp: 'https://otlp.example.com/v1/traces', headers: {x: [1]}}", false},
           {"tracing: {otlp: 'https://otlp.example.com/v1/traces', headers: {'a b': c}}", false},
           {"tracing: {otlp: 'https://otlp.example.com/v1/traces', sample: 2}", false},
           {"defaults: {limits: {key: {rate: 50/s, concurrent: off}}}", true},
           {"defaults: {limits: {key: {rate: 50, concurrent: 0}}}", false},
           {"defaults: {limits: {tools: [{rate: 5/s}]}}", false},
           {"defaults: {roles: {boss: {}}}", false},
           {"defaults: {roles: {viewer: {scopes: [Read]}}}", false},
           {"defaults: {rules: [{when: {priority: urgent, a: [1, null], b: {above: 3}}}]}", true},
           {"defaults: {rules: [{when: {b: {abov: 3}}}]}", false},
           {"defaults: {rules: [{when: {b: {above: many}}}]}", false},
           {"defaults: {rules: [{roles: [boss]}]}", false},
       }) {
    EXPECT_EQ(violations_of(host_schema(), yaml).empty(), is_right) << yaml;
    EXPECT_EQ(parse_config(yaml, "host.yaml").problems.empty(), is_right) << yaml;
  }
}

TEST(ConfigSchema, SaysWhatAnEditorShows) {
  const std::string schema = host_schema();
  for (const char* part :
       {R"("description": "Port to listen on; 0 takes any free one.")", R"("default": 8080)", R"("default": "16KiB")",
        R"("default": "1h")", R"("enum": ["auto", "text", "json"])", R"("additionalProperties": false)"}) {
    EXPECT_THAT(schema, HasSubstr(part));
  }
}

}  // namespace
}  // namespace toolhost::app
