#include <gmock/gmock.h>

#include "app/config/config_diff.hpp"
#include "app/config/config_loader.hpp"

namespace toolhost::app {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

HostConfig config_of(std::string_view yaml) {
  auto loaded = parse_config(yaml, "host.yaml");
  for (const auto& problem : loaded.problems) ADD_FAILURE() << to_string(problem);
  return std::move(loaded.config);
}

std::vector<std::string> problems_of(std::string_view yaml) {
  std::vector<std::string> texts;
  for (const auto& problem : parse_config(yaml, "host.yaml").problems) texts.push_back(to_string(problem));
  return texts;
}

TEST(PortalSection, TakesAProviderAndItsSecretByReference) {
  const auto config = config_of(R"(
portal:
  sign_in: {issuer: https://id.acme.example, client_id: toolhost, client_secret: env:SECRET, name: Acme ID, ca_file: /ca.pem}
  support: Ask the help desk.
  keys_per_person: 5
)");
  EXPECT_EQ(config.portal.issuer, "https://id.acme.example");
  EXPECT_EQ(config.portal.client_id, "toolhost");
  EXPECT_EQ(config.portal.client_secret->text, "env:SECRET");
  EXPECT_EQ(config.portal.provider_name, "Acme ID");
  EXPECT_EQ(config.portal.ca_file, "/ca.pem");
  EXPECT_EQ(config.portal.support, "Ask the help desk.");
  EXPECT_EQ(config.portal.keys_per_person, 5);
}

TEST(PortalSection, LetsPeopleInWithoutAProofOnlyWhereNobodyElseCanCome) {
  EXPECT_TRUE(uses_local_sign_in(config_of("{}")));
  EXPECT_TRUE(uses_local_sign_in(config_of("http: {public_url: 'http://localhost:8080'}")));
  for (const auto* yaml : {"portal: {local_sign_in: off}", "http: {address: 0.0.0.0}", "http: {address: 192.0.2.1}",
                           "http: {public_url: 'https://mcp.acme.example'}", "portal: {sign_in: {client_id: a}}",
                           "http: {allowed_hosts: [mcp.acme.example]}", "http: {trusted_proxies: [127.0.0.1]}"})
    EXPECT_FALSE(uses_local_sign_in(config_of(yaml))) << yaml;
}

TEST(PortalSection, SaysWhatIsWrong) {
  EXPECT_THAT(problems_of("portal: {sign_in: {issuer: 'http://id.acme.example'}}"), ElementsAre(HasSubstr("https")));
  EXPECT_THAT(problems_of("portal: {sign_in: {issuer: 'http://127.0.0.1:4000', client_id: a}}"), IsEmpty());
  EXPECT_THAT(problems_of("portal: {sign_in: {client_secret: plain}}"), ElementsAre(HasSubstr("env:NAME")));
  EXPECT_THAT(problems_of("http: {address: 0.0.0.0}\nportal: {sign_in: {client_id: a}}"),
              ElementsAre(HasSubstr("http.public_url")));
  EXPECT_THAT(problems_of("http: {public_url: 'http://mcp.acme.example'}\nportal: {sign_in: {client_id: a}}"),
              ElementsAre(HasSubstr("https 'http.public_url'")));
  EXPECT_THAT(problems_of("http: {public_url: 'http://localhost:8080'}\nportal: {sign_in: {client_id: a}}"), IsEmpty());
}

TEST(PortalSection, TakesNoPublicUrlThatPeopleCannotOpen) {
  for (const auto* url :
       {"https://", "https://a b", "https://user@host", "https://host?x=1", "https://host#x", "https://host:99999",
        "https://host:", "https://host/x", "http://user:secret@mcp.example.com", "ftp://host", "host", "/"}) {
    const std::string yaml = "portal: {sign_in: {client_id: a}}\nhttp: {public_url: '" + std::string(url) + "'}";
    EXPECT_THAT(problems_of(yaml),
                Contains(AllOf(StartsWith("host.yaml:2:20: 'http.public_url' must be"), Not(HasSubstr("secret")))))
        << url;
  }
  EXPECT_THAT(problems_of("http: {public_url: 'https://host:99999'}"), ElementsAre(HasSubstr("the port is no number")));
  EXPECT_THAT(problems_of("http: {public_url: 'https://host/x'}"), ElementsAre(HasSubstr("a path or a query")));
  for (const auto* url : {"https://mcp.acme.example/", "https://mcp.acme.example:8443", "https://[::1]:8443", ""})
    EXPECT_THAT(problems_of("http: {public_url: '" + std::string(url) + "'}"), IsEmpty()) << url;
}

TEST(PortalSection, ChangesWithARestart) {
  EXPECT_THAT(describe_restart_changes(config_of("{}"), config_of("portal: {enabled: false, keys_per_person: 3}")),
              ElementsAre("portal.enabled true -> false", "portal.keys_per_person 20 -> 3"));
}

}  // namespace
}  // namespace toolhost::app
