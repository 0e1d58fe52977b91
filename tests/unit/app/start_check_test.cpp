#include "app/config/start_check.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>

#include "plugin_runtime/plugin_trust.hpp"
#include "support/certificates.hpp"

namespace toolhost::app {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class StartCheck : public ::testing::Test {
 protected:
  StartCheck() {
    std::string name = (std::filesystem::temp_directory_path() / "toolhost-start-XXXXXX").string();
    if (::mkdtemp(name.data()) != nullptr) directory_ = name;
    ::unsetenv("TOOLHOST_TEST_UNSET");
  }
  ~StartCheck() override { std::filesystem::remove_all(directory_); }

  std::string file(const std::string& name, std::string_view text) {
    std::ofstream(directory_ / name) << text;
    return (directory_ / name).string();
  }
  [[nodiscard]] std::string missing() const { return (directory_ / "missing").string(); }

  static std::vector<std::string> problems_of(const std::string& yaml, Machine machine = Machine::kServing) {
    const auto loaded = parse_config(yaml, "host.yaml");
    for (const auto& problem : loaded.problems) ADD_FAILURE() << to_string(problem);
    std::vector<std::string> texts;
    for (const auto& problem : check_start(loaded.config, machine)) texts.push_back(to_string(problem));
    return texts;
  }

  std::filesystem::path directory_;
};

TEST_F(StartCheck, HasNothingAgainstTheBuiltInDefaults) {
  EXPECT_THAT(problems_of("{}"), IsEmpty());
  EXPECT_THAT(check_start(default_config(), Machine::kServing), IsEmpty());
}

TEST_F(StartCheck, NamesEverySecretThatIsNotThereInTheOrderOfTheFile) {
  const std::string yaml = R"(database:
  url: env:TOOLHOST_TEST_UNSET
keys:
  pepper: file:)" + missing() +
                           R"(
mcp:
  sealing_key: file:)" + file("short", "too short\n") +
                           R"(
portal:
  sign_in:
    client_id: toolhost
    client_secret: env:TOOLHOST_TEST_UNSET
    ca_file: )" + missing() +
                           "\n";
  EXPECT_THAT(
      problems_of(yaml),
      ElementsAre("host.yaml:2:8: 'database.url' cannot be used: the environment variable TOOLHOST_TEST_UNSET is not "
                  "set; set it for the host, or refer to another place",
                  AllOf(StartsWith("host.yaml:4:11: 'keys.pepper'"), HasSubstr(missing())),
                  AllOf(StartsWith("host.yaml:6:16: 'mcp.sealing_key'"), HasSubstr("fewer than 32 bytes")),
                  AllOf(StartsWith("host.yaml:10:20: 'portal.sign_in.client_secret'"), HasSubstr("is not set")),
                  AllOf(StartsWith("host.yaml:11:14: 'portal.sign_in.ca_file'"), HasSubstr("No such file"))));
  EXPECT_THAT(problems_of(yaml, Machine::kOther), IsEmpty());
}

TEST_F(StartCheck, NamesTheSecretsOfPluginsThatAreNotThere) {
  EXPECT_THAT(problems_of("plugins:\n  - file: a.so\n    secrets: {here: 'file:" + file("here", "x") +
                          "'}\n  - file: b.so\n    secrets: {smtp: env:TOOLHOST_TEST_UNSET}\n"),
              ElementsAre(AllOf(StartsWith("host.yaml:4:5: 'plugins[].secrets.smtp' cannot be used"),
                                HasSubstr("TOOLHOST_TEST_UNSET is not set"))));
}

TEST_F(StartCheck, LooksIntoWhatIsThere) {
  EXPECT_THAT(problems_of("database: {url: 'file:" + file("url", "mysql://localhost") + "'}"),
              ElementsAre(HasSubstr("does not hold a postgresql:// URL")));
  EXPECT_THAT(problems_of("portal: {sign_in: {client_id: a, ca_file: " + file("ca.pem", "none") + "}}"),
              ElementsAre(HasSubstr("holds no certificates in PEM form")));
  const test_support::TestAuthority authority;
  EXPECT_THAT(
      problems_of("portal: {sign_in: {client_id: a, ca_file: " + file("ca.pem", authority.certificate()) + "}}"),
      IsEmpty());
}

TEST_F(StartCheck, LooksForTheAuthoritiesOfEveryIssuer) {
  const test_support::TestAuthority authority;
  const std::string yaml = R"(authorization:
  resource: https://mcp.example/mcp
  issuers:
    - issuer: https://one.example
      tenant: {name: acme}
      ca_file: )" + missing() +
                           R"(
    - issuer: https://two.example
      ca_file: )" + file("none.pem", "none") +
                           R"(
      tenant: {name: acme}
    - {issuer: 'https://three.example', tenant: {name: acme}}
    - {issuer: 'https://four.example', tenant: {name: acme}, ca_file: )" +
                           file("ca.pem", authority.certificate()) + "}\n";
  EXPECT_THAT(problems_of(yaml), ElementsAre(AllOf(StartsWith("host.yaml:6:16: 'authorization.issuers[0].ca_file'"),
                                                   HasSubstr("No such file")),
                                             AllOf(StartsWith("host.yaml:8:16: 'authorization.issuers[1].ca_file'"),
                                                   HasSubstr("holds no certificates in PEM form"))));
  EXPECT_THAT(problems_of(yaml, Machine::kOther), IsEmpty());
}

TEST_F(StartCheck, WantsPublicKeysOfPluginsThatCanBeUsed) {
  const auto pair = plugin_runtime::make_signing_key_pair();
  const auto keys = [](const std::string& key) { return "plugin_trust:\n  keys: [{name: acme, file: " + key + "}]\n"; };
  EXPECT_THAT(problems_of(keys(file("acme.pub.pem", pair->public_pem))), IsEmpty());
  const auto wrong = keys(file("acme.pem", pair->private_pem.reveal()));
  EXPECT_THAT(problems_of(wrong),
              ElementsAre(AllOf(StartsWith("host.yaml:2:9: 'plugin_trust.keys' has the key acme, which cannot be used"),
                                HasSubstr("holds a private key where a public one belongs"))));
  EXPECT_THAT(problems_of(keys(missing())), ElementsAre(HasSubstr("No such file")));
  EXPECT_THAT(problems_of(wrong, Machine::kOther), IsEmpty());
}

TEST_F(StartCheck, WantsACertificateAndItsKey) {
  const test_support::TestAuthority authority;
  const auto own = authority.issue(), other = authority.issue();
  const auto tls = [](const std::string& certificate, const std::string& key) {
    return "http:\n  tls:\n    certificate: " + certificate + "\n    key: file:" + key + "\n";
  };
  const auto chain = file("chain.pem", own.certificate), key = file("key.pem", own.key);
  const auto other_key = file("other.pem", other.key), nothing = file("empty.pem", ""), text = file("text.pem", "text");
  EXPECT_THAT(problems_of(tls(chain, key)), IsEmpty());
  EXPECT_THAT(problems_of(tls(missing(), nothing)),
              ElementsAre(AllOf(StartsWith("host.yaml:3:18: 'http.tls.certificate'"), HasSubstr("No such file")),
                          AllOf(StartsWith("host.yaml:4:10: 'http.tls.key'"), HasSubstr("it is empty"))));
  EXPECT_THAT(problems_of(tls(missing(), nothing), Machine::kOther), IsEmpty());
  EXPECT_THAT(problems_of(tls(directory_, key)), ElementsAre(HasSubstr("Is a directory")));
  EXPECT_THAT(problems_of(tls(text, key)), ElementsAre(StartsWith("host.yaml:3:18: 'http.tls.certificate'")));
  EXPECT_THAT(problems_of(tls(chain, text)), ElementsAre(StartsWith("host.yaml:4:10: 'http.tls.key'")));
  EXPECT_THAT(problems_of(tls(chain, other_key)),
              ElementsAre(AllOf(StartsWith("host.yaml:4:10: 'http.tls.key'"), HasSubstr("does not belong"))));
}

TEST_F(StartCheck, LeavesAPipeForTheHost) {
  const auto pipe = (directory_ / "pipe").string();
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_THAT(problems_of("keys: {pepper: 'file:" + pipe + "'}"), IsEmpty());
}

TEST_F(StartCheck, WantsPortsOfTheirOwn) {
  const std::string tls = "http:\n  tls: {certificate: /a.pem, key: file:/b.pem}\n  port: 8443\n  redirect_port: ";
  EXPECT_THAT(problems_of(tls + "8443\n", Machine::kOther),
              ElementsAre(AllOf(StartsWith("host.yaml:4:18: 'http.redirect_port'"), HasSubstr("'http.port'"))));
  EXPECT_THAT(problems_of(tls + "8080\n", Machine::kOther), IsEmpty());
  EXPECT_THAT(problems_of("http: {port: 0}\nmetrics: {port: 0}\n"), IsEmpty());
  EXPECT_THAT(problems_of("metrics:\n  port: 8080\n"), ElementsAre(StartsWith("host.yaml:2:9: 'metrics.port'")));
  EXPECT_THAT(problems_of("metrics: {address: 127.0.0.2, port: 8080}\n"), IsEmpty());
}

TEST_F(StartCheck, WantsAClientIdWithWhatElseIsSaidOfSignIn) {
  for (const auto* yaml : {"{client_secret: env:TOOLHOST_TEST_UNSET}", "{issuer: https://id.acme.example}",
                           "{name: Acme ID}", "{ca_file: /ca.pem, client_id: ''}"})
    EXPECT_THAT(problems_of("portal:\n  sign_in: " + std::string(yaml)),
                ElementsAre(AllOf(StartsWith("host.yaml:2:12: 'portal.sign_in' has '"), HasSubstr("no 'client_id'"))))
        << yaml;
  EXPECT_THAT(problems_of("portal: {sign_in: {issuer: 'https://accounts.google.com'}}"), IsEmpty());
  EXPECT_THAT(problems_of("portal: {enabled: false, sign_in: {name: Acme ID}}"), IsEmpty());
}

}  // namespace
}  // namespace toolhost::app
