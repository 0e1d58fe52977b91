#include "app/config/config_loader.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>

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
  std::set<std::string> loaded, there;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(TOOLHOST_CONFIG_DIR)) {
    if (entry.path().extension() != ".yaml") continue;
    there.insert(entry.path().string());
    if (entry.path().parent_path().filename() == "tenants") continue;  // with the host's file beside it
    const auto config = load_config(entry.path());
    loaded.insert(config.config.files.begin(), config.config.files.end());
    for (const auto& problem : config.problems) ADD_FAILURE() << to_string(problem);
  }
  EXPECT_EQ(loaded, there);
  EXPECT_GE(there.size(), 5U);
}

TEST(ConfigLoader, FindsARelativeFileWhenTheProcessHasGoneElsewhere) {
  const auto home = std::filesystem::current_path();
  const auto absolute = std::filesystem::path(TOOLHOST_CONFIG_DIR) / "toolhost.yaml";
  const auto relative = std::filesystem::relative(absolute);
  ASSERT_EQ(absolute_path(relative).lexically_normal(), absolute);
  std::string name = (std::filesystem::temp_directory_path() / "toolhost-cwd-XXXXXX").string();
  ASSERT_NE(::mkdtemp(name.data()), nullptr);
  std::filesystem::current_path(name);
  std::filesystem::remove(name);
  const auto loaded = load_config(relative);
  EXPECT_THAT(loaded.problems, IsEmpty());
  EXPECT_EQ(loaded.config.file.lexically_normal(), absolute);
  EXPECT_EQ(loaded.config.files.front(), relative.string());
  std::filesystem::current_path(home);
}

TEST(ConfigLoader, EveryFileInConfigNamesItsSchemaForEditors) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(TOOLHOST_CONFIG_DIR)) {
    if (entry.path().extension() != ".yaml") continue;
    std::ifstream in(entry.path());
    std::string line;
    std::getline(in, line);
    const std::string start = "# yaml-language-server: $schema=";
    ASSERT_TRUE(line.starts_with(start)) << entry.path();
    EXPECT_TRUE(std::filesystem::exists(entry.path().parent_path() / line.substr(start.size()))) << entry.path();
  }
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
  const auto& policy = loaded.config.policy.tenants.at("acme");
  EXPECT_EQ(policy.people.members.size(), 2u);
  ASSERT_EQ(policy.rules.size(), 1u);
  EXPECT_EQ(policy.rules[0].when.size(), 4u);
  EXPECT_EQ(loaded.config.plugins.plugins[0].tenant_settings.size(), 1u);
}

std::vector<std::string> texts_of(const auto& entries) {
  std::vector<std::string> texts;
  for (const auto& entry : entries) texts.push_back(entry.text);
  return texts;
}

/// But for the places.
void expect_same_defaults(const access::TenantPolicyConfig& left, const access::TenantPolicyConfig& right) {
  EXPECT_EQ(texts_of(*left.plugins), texts_of(*right.plugins));
  EXPECT_EQ(texts_of(*left.allow), texts_of(*right.allow));
  EXPECT_EQ(texts_of(left.deny), texts_of(right.deny));
  for (std::size_t role = 0; role < left.roles.size(); ++role) {
    EXPECT_EQ(texts_of(*left.roles[role].scopes), texts_of(*right.roles[role].scopes));
    EXPECT_EQ(texts_of(left.roles[role].deny), texts_of(right.roles[role].deny));
  }
  EXPECT_EQ(left.rules, right.rules);
  EXPECT_EQ(left.texts, right.texts);
  EXPECT_FALSE(left.limits.tenant.rate || right.limits.tenant.rate);
  EXPECT_FALSE(left.limits.tenant.concurrent || right.limits.tenant.concurrent);
  EXPECT_EQ(left.limits.key.rate->per_second, right.limits.key.rate->per_second);
  EXPECT_EQ(left.limits.key.rate->burst, right.limits.key.rate->burst);
  EXPECT_EQ(left.limits.key.concurrent->calls, right.limits.key.concurrent->calls);
  EXPECT_EQ(left.limits.tools, right.limits.tools);
  EXPECT_EQ(left.arguments_in_audit, right.arguments_in_audit);
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
  EXPECT_EQ(shipped.mcp.ask_limit, built_in.mcp.ask_limit);
  EXPECT_EQ(shipped.mcp.streams.after, built_in.mcp.streams.after);
  EXPECT_EQ(shipped.mcp.streams.keep, built_in.mcp.streams.keep);
  EXPECT_EQ(shipped.mcp.streams.retry, built_in.mcp.streams.retry);
  EXPECT_EQ(shipped.mcp.streams.memory, built_in.mcp.streams.memory);
  EXPECT_EQ(shipped.mcp.max_listeners, built_in.mcp.max_listeners);
  EXPECT_EQ(shipped.mcp.list_ttl, built_in.mcp.list_ttl);
  EXPECT_EQ(shipped.tracing.otlp, built_in.tracing.otlp);
  EXPECT_EQ(shipped.keys.failed_sign_ins, built_in.keys.failed_sign_ins);
  EXPECT_EQ(shipped.keys.failed_sign_in_period, built_in.keys.failed_sign_in_period);
  EXPECT_EQ(shipped.reload.watch, built_in.reload.watch);
  EXPECT_EQ(shipped.metrics.own_listener, built_in.metrics.own_listener);
  EXPECT_EQ(shipped.audit.retention, built_in.audit.retention);
  EXPECT_EQ(shipped.audit.checkpoint_every, built_in.audit.checkpoint_every);
  expect_same_defaults(shipped.policy.defaults, built_in.policy.defaults);
  ASSERT_EQ(shipped.plugins.plugins.size(), built_in.plugins.plugins.size());
  for (std::size_t i = 0; i < built_in.plugins.plugins.size(); ++i)
    EXPECT_EQ(shipped.plugins.plugins[i].file, built_in.plugins.plugins[i].file);
  EXPECT_EQ(shipped.plugins.trust.require_sha256, built_in.plugins.trust.require_sha256);
  EXPECT_EQ(shipped.plugins.trust.require_signature, built_in.plugins.trust.require_signature);
  EXPECT_EQ(shipped.plugins.trust.keys.size(), built_in.plugins.trust.keys.size());
}

TEST(ConfigLoader, ReadsValuesWithUnits) {
  const auto loaded = parse_config(R"(
http: { port: 9000, max_body: 64KiB, heartbeat: 20s }
calls: { timeout: 1500ms, workers: 3 }
mcp: { session_idle_limit: 2h, ask_limit: 90s, list_ttl: 1500ms, streams: { after: 2s, retry: 100ms, memory: 1MiB } }
tracing: { otlp: "http://[::1]:4318/v1/traces", sample: 0.5, headers: { authorization: "env:OTLP", x-team: desk } }
plugins:
  - file: /opt/acme.so
    settings: { retries: 3, zone: "7", nested: { on: true, list: [1.5, a] } }
    secrets: { smtp: "env:SMTP", api.key: "file:/run/key" }
tenants:
  - { name: acme, time_zone: Europe/Berlin }
)",
                                   "host.yaml");

  ASSERT_THAT(loaded.problems, IsEmpty());
  EXPECT_EQ(loaded.config.http.port, 9000);
  EXPECT_EQ(loaded.config.http.max_body_bytes, 65536u);
  EXPECT_EQ(loaded.config.http.heartbeat, std::chrono::seconds(20));
  EXPECT_EQ(loaded.config.plugins.default_timeout, std::chrono::milliseconds(1500));
  const auto& mcp = loaded.config.mcp;
  EXPECT_EQ(mcp.session_idle_limit, std::chrono::minutes(120));
  EXPECT_EQ(mcp.ask_limit, std::chrono::seconds(90));
  EXPECT_EQ(mcp.list_ttl, std::chrono::milliseconds(1500));
  EXPECT_EQ(mcp.streams.after, std::chrono::seconds(2));
  EXPECT_EQ(mcp.streams.retry, std::chrono::milliseconds(100));
  EXPECT_EQ(mcp.streams.memory, 1u << 20);
  const auto& tracing = loaded.config.tracing;
  EXPECT_EQ(tracing.otlp, "http://[::1]:4318/v1/traces");
  EXPECT_EQ(tracing.sample, 0.5);
  ASSERT_EQ(tracing.headers.size(), 2u);
  EXPECT_EQ(tracing.headers[0].name, "authorization");
  EXPECT_TRUE(tracing.headers[0].value.names_place());
  EXPECT_FALSE(tracing.headers[1].value.names_place());
  ASSERT_EQ(loaded.config.plugins.plugins.size(), 1u);
  EXPECT_EQ(loaded.config.plugins.plugins[0].settings_json,
            R"({"retries":3,"zone":"7","nested":{"on":true,"list":[1.5,"a"]}})");
  ASSERT_EQ(loaded.config.plugin_secrets.at(0).size(), 2u);
  EXPECT_EQ(loaded.config.plugin_secrets.at(0).at("api.key").text, "file:/run/key");
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

TEST(ConfigLoader, ReadsWhichPluginFilesAreTrusted) {
  const auto loaded = parse_config(
      "plugin_trust:\n  require_sha256: true\n  require_signature: true\n"
      "  keys: [{name: acme, file: /etc/toolhost/acme.pub.pem}]\n"
      "plugins:\n  - file: a.so\n    id: acme.tickets\n    sha256: " +
          std::string(63, 'A') + "0\n    extra_needed: [libfoo-2.so.1, libstdc++.so.7]\n",
      "host.yaml");
  for (const auto& problem : loaded.problems) ADD_FAILURE() << to_string(problem);
  const auto& trust = loaded.config.plugins.trust;
  EXPECT_TRUE(trust.require_sha256);
  EXPECT_TRUE(trust.require_signature);
  ASSERT_EQ(trust.keys.size(), 1u);
  EXPECT_EQ(trust.keys[0].name, "acme");
  EXPECT_EQ(trust.keys[0].file, "/etc/toolhost/acme.pub.pem");
  const auto& pins = loaded.config.plugins.plugins.at(0).pins;
  EXPECT_EQ(pins.id, "acme.tickets");
  EXPECT_EQ(pins.sha256, std::string(63, 'a') + "0") << "in lower case";
  EXPECT_THAT(pins.extra_needed, ElementsAre("libfoo-2.so.1", "libstdc++.so.7"));
}

TEST(ConfigLoader, RefusesPinsThatNoFileCouldMeet) {
  EXPECT_THAT(
      problems_of("plugins:\n"
                  "  - {file: a.so, sha256: abc}\n"
                  "  - {file: b.so, sha256: " +
                  std::string(64, 'g') +
                  "}\n"
                  "  - {file: c.so, id: Acme}\n"
                  "  - {file: d.so, extra_needed: [libfoo.so, /lib/libfoo.so, '', ..]}\n"),
      ElementsAre(
          "host.yaml:2:26: 'plugins[].sha256' must be 64 hexadecimal digits, as sha256sum prints them; got 'abc'",
          "host.yaml:3:26: 'plugins[].sha256' must be 64 hexadecimal digits, as sha256sum prints them; got '" +
              std::string(64, 'g') + "'",
          "host.yaml:4:22: 'plugins[].id' must be the id of a plugin: lower-case letters, digits, '_' and '.', such as "
          "acme.tickets; got 'Acme'",
          "host.yaml:5:44: 'plugins[].extra_needed' must hold names of library files without a directory, such as "
          "libfoo.so.1; got '/lib/libfoo.so'",
          "host.yaml:5:60: 'plugins[].extra_needed' must hold names of library files without a directory, such as "
          "libfoo.so.1; got ''",
          "host.yaml:5:64: 'plugins[].extra_needed' must hold names of library files without a directory, such as "
          "libfoo.so.1; got '..'"));
}

TEST(ConfigLoader, RefusesTrustThatNothingCouldHave) {
  EXPECT_THAT(
      problems_of("plugin_trust: {require_signature: true}\n"),
      ElementsAre("host.yaml:1:35: 'plugin_trust.require_signature' needs 'plugin_trust.keys': whose signatures "
                  "count; 'toolhost plugin keygen' makes a key"));
  EXPECT_THAT(problems_of("plugin_trust:\n  keys:\n    - {name: a, file: a.pem}\n    - {file: /a.pem}\n"
                          "    - {name: b, file: /b.pem}\n    - {name: b, file: /c.pem}\n"),
              ElementsAre("host.yaml:3:23: 'plugin_trust.keys[].file' must be an absolute path; got 'a.pem'",
                          "host.yaml:4:7: a trusted key needs 'name', such as acme",
                          "host.yaml:6:14: two trusted keys have the name 'b'; rename one"));
}

TEST(ConfigLoader, RefusesDuplicateKeys) {
  EXPECT_THAT(problems_of("http:\n  port: 1\n  port: 2\n"),
              ElementsAre("host.yaml:3:3: duplicate key 'port'; keep one of them"));
}

TEST(ConfigLoader, RefusesSecretsThatAreWrittenDown) {
  EXPECT_THAT(problems_of("plugins: [{file: a.so, secrets: {smtp: hunter2}}]"),
              ElementsAre("host.yaml:1:40: 'plugins[].secrets.smtp' must say where the secret stands: env:NAME or "
                          "file:/path; it is never written here"));
  EXPECT_THAT(problems_of("plugins: [{file: a.so, secrets: {'a b': env:A}}]"),
              ElementsAre(testing::HasSubstr("a name that is not 1 to 64 of A-Z a-z 0-9 _ . -")));
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
              ElementsAre("host.yaml:1:10: 'plugins' must be a list; write '- file: tickets.so' for each"));
  EXPECT_THAT(problems_of("tenants:\n  - name: a\n  - name: a\n"),
              ElementsAre("host.yaml:3:11: tenant 'a' is listed twice, here and at host.yaml:2; keep one of them"));
  EXPECT_THAT(problems_of("calls: { timeout: [1] }\n"),
              ElementsAre("host.yaml:1:19: 'calls.timeout' must be a single value, not a list"));
  EXPECT_THAT(problems_of("calls: { timeout: 5 }\n"),
              ElementsAre("host.yaml:1:19: 'calls.timeout' must be a time from 100ms to 10m, such as 500ms, 30s, 5m, "
                          "1h or 30d; got '5'"));
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

TEST(ConfigLoader, ReadsPlainScalarsOfSettingsAsYaml12HasThem) {
  const auto loaded = parse_config(
      "plugins: [{file: a.so, settings: {a: off, b: yes, c: 0x10, d: 010, e: 1e3, f: ~, g: 18446744073709551615, h: "
      "-0.5, i: 1.2.3, j: .inf, k: \"5\", l: True, m: '', n: -, o: +7, 7: x}}]\n",
      "host.yaml");
  ASSERT_THAT(loaded.problems, IsEmpty());
  EXPECT_EQ(loaded.config.plugins.plugins[0].settings_json,
            R"({"a":"off","b":"yes","c":16,"d":10,"e":1000,"f":null,"g":18446744073709551615,"h":-0.5,"i":"1.2.3",)"
            R"("j":".inf","k":"5","l":true,"m":"","n":"-","o":7,"7":"x"})");
}

TEST(ConfigLoader, RefusesAliasesThatNameThemselvesOrGrowWithoutEnd) {
  const auto itself = problems_of("plugins:\n  - file: a.so\n    settings: &s {deep: *s}\n");
  ASSERT_EQ(itself.size(), 1U);
  EXPECT_THAT(itself[0], ::testing::HasSubstr("does an alias name itself?"));
  std::string laughs = "plugins: [{file: a.so, settings: {a: &a [1,1,1,1,1,1,1,1,1,1]";
  for (char name = 'b'; name < 'l'; ++name) {
    laughs += std::string(", ") + name + ": &" + name + " [";
    for (int i = 0; i < 10; ++i) laughs += std::string(i > 0 ? "," : "") + "*" + static_cast<char>(name - 1);
    laughs += "]";
  }
  const auto grown = problems_of(laughs + "}}]\n");
  ASSERT_EQ(grown.size(), 1U);
  EXPECT_THAT(grown[0], ::testing::HasSubstr("more than a million values"));
}

TEST(ConfigLoader, RefusesMoreThanOneDocument) {
  EXPECT_THAT(problems_of("http: {port: 1}\n---\nhttp: {port: 2}\n"),
              ElementsAre("host.yaml:3:1: a second document begins here; keep one in a file"));
}

TEST(ConfigLoader, QuotesWithoutControlCharacters) {
  EXPECT_THAT(problems_of("\"a\\eb\": 1\nlog: {level: \"\\e[31m\"}\n"),
              ElementsAre(::testing::StartsWith("host.yaml:1:1: unknown key 'a\\x1bb'; known here:"),
                          ::testing::EndsWith("got '\\x1b[31m'")));
}

TEST(ConfigLoader, DoesNotRepeatADatabaseUrlThatMayHoldAPassword) {
  EXPECT_THAT(problems_of("database: {url: 'mysql://me:hunter2@db/x'}\n"),
              ElementsAre("host.yaml:1:17: 'database.url' must be postgresql://user@host/database, env:NAME or "
                          "file:/path"));
}

TEST(ConfigLoader, ReadsWhatIsTheHostsOwn) {
  const auto config = parse_config(R"(
keys: {failed_sign_ins: 5, failed_sign_in_period: 1m}
reload: {watch: false}
metrics: {address: 0.0.0.0}
audit: {retention: 30d, checkpoint_every: 10m}
)",
                                   "host.yaml")
                          .config;
  EXPECT_EQ(config.keys.failed_sign_ins, 5U);
  EXPECT_EQ(config.keys.failed_sign_in_period, std::chrono::seconds(60));
  EXPECT_FALSE(config.reload.watch);
  EXPECT_TRUE(config.metrics.own_listener);
  EXPECT_EQ(config.metrics.address, "0.0.0.0");
  EXPECT_EQ(config.metrics.port, 9464);
  EXPECT_EQ(config.audit.retention, std::chrono::hours(720));
  EXPECT_EQ(config.audit.checkpoint_every, std::chrono::minutes(10));
  EXPECT_THAT(
      problems_of("audit: {retention: 1501m}\nreload: {watch: yes}\n"),
      ElementsAre("host.yaml:1:20: 'audit.retention' must be a time from 1d to 36500d and a multiple of 1h, such "
                  "as 500ms, 30s, 5m, 1h or 30d; got '1501m'",
                  "host.yaml:2:17: 'reload.watch' must be true or false; got 'yes'"));
}

TEST(ConfigLoader, ReadsTlsAndProxies) {
  const auto loaded = parse_config(R"(
http:
  public_url: https://tools.test/
  tls: {certificate: /etc/chain.pem, key: file:/etc/key.pem}
  redirect_port: 80
  trusted_proxies: [10.0.0.0/8, "::1"]
)",
                                   "host.yaml");
  ASSERT_THAT(loaded.problems, IsEmpty());
  const auto& http = loaded.config.http;
  ASSERT_TRUE(http.tls);
  EXPECT_EQ(http.tls->certificate, "/etc/chain.pem");
  EXPECT_EQ(http.tls->key, "/etc/key.pem");
  EXPECT_EQ(http.redirect_port, 80);
  EXPECT_THAT(http.trusted_proxies, ElementsAre("10.0.0.0/8", "::1"));
  EXPECT_EQ(http.public_url, "https://tools.test");
  EXPECT_FALSE(default_config().http.tls);
}

TEST(ConfigLoader, SaysWhatIsWrongWithTlsAndProxies) {
  EXPECT_THAT(problems_of("http:\n  tls: {certificate: chain.pem, key: /etc/key.pem}\n"),
              ElementsAre("host.yaml:2:22: 'http.tls.certificate' must be an absolute path; got 'chain.pem'",
                          "host.yaml:2:38: 'http.tls.key' must say where the file stands: file:/path"));
  EXPECT_THAT(problems_of("http:\n  tls: {key: file:/etc/key.pem}\n"),
              ElementsAre("host.yaml:2:8: HTTPS needs 'certificate': a PEM file, and 'key'"));
  EXPECT_THAT(problems_of("http:\n  redirect_port: 80\n  trusted_proxies: [proxy]\n"),
              ElementsAre("host.yaml:2:18: 'http.redirect_port' needs 'http.tls'",
                          "host.yaml:3:20: 'http.trusted_proxies' must be addresses or networks, such as 10.0.0.7 or "
                          "10.0.0.0/8; got 'proxy'"));
}

TEST(SecretReference, NamesTheMissingPlace) {
  const auto missing = resolve({"env:TOOLHOST_TEST_NO_SUCH_VARIABLE"});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Errc::kInvalidArgument);
  EXPECT_THAT(missing.error().message, ::testing::HasSubstr("TOOLHOST_TEST_NO_SUCH_VARIABLE"));
}

}  // namespace
}  // namespace toolhost::app
