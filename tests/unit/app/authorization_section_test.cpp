#include <gmock/gmock.h>

#include "app/config/config_diff.hpp"
#include "app/config/config_loader.hpp"

namespace toolhost::app {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

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

/// One issuer with this beside its name.
std::string issuer(const std::string& rest) {
  return "http: {public_url: 'https://mcp.acme.example'}\n"
         "authorization: {issuers: [{issuer: 'https://id.acme.example', " +
         rest + "}]}";
}

TEST(AuthorizationSection, LetsNobodyInByTokenUnlessItSaysSo) {
  EXPECT_THAT(config_of("{}").keys.tokens.issuers, IsEmpty());
  EXPECT_THAT(config_of("authorization:\n").keys.tokens.issuers, IsEmpty());
}

TEST(AuthorizationSection, TakesIssuersAndWhatTheirTokensMean) {
  const auto tokens = config_of(R"(
http: {public_url: 'https://mcp.acme.example'}
authorization:
  scopes_supported: [tickets:read]
  issuers:
    - issuer: https://id.acme.example
      jwks_url: https://id.acme.example/keys
      ca_file: /ca.pem
      algorithms: [ES256]
      audiences: [api://toolhost]
      tenant: {claim: org_id, values: {acme-inc: acme}}
      role: {claim: /realm_access/roles, values: {helpdesk-admins: admin}, default: viewer}
      scopes:
        tickets:read: {tools: ["tickets.*"], read_only: true}
        all: {}
    - issuer: http://localhost:4000
      tenant: {name: globex}
)")
                          .keys.tokens;
  EXPECT_EQ(tokens.resource, "https://mcp.acme.example/mcp");
  EXPECT_THAT(tokens.scopes, ElementsAre("tickets:read"));
  ASSERT_EQ(tokens.issuers.size(), 2U);
  const auto& acme = tokens.issuers.front();
  EXPECT_EQ(acme.issuer, "https://id.acme.example");
  EXPECT_EQ(acme.jwks_url, "https://id.acme.example/keys");
  EXPECT_EQ(acme.ca_file, "/ca.pem");
  EXPECT_THAT(acme.algorithms, ElementsAre("ES256"));
  EXPECT_THAT(acme.audiences, ElementsAre("api://toolhost"));
  EXPECT_EQ(acme.tenant.claim, "org_id");
  EXPECT_EQ(acme.tenant.values.at("acme-inc"), "acme");
  EXPECT_EQ(acme.role.claim, "/realm_access/roles");
  EXPECT_EQ(acme.role.values.at("helpdesk-admins"), Role::kAdmin);
  EXPECT_EQ(acme.role.otherwise, Role::kViewer);
  ASSERT_EQ(acme.scopes.size(), 2U);
  EXPECT_EQ(acme.scopes[0].name, "tickets:read");
  ASSERT_EQ(acme.scopes[0].opens.size(), 2U);
  EXPECT_EQ(acme.scopes[0].opens[0].text, "tickets.*");
  EXPECT_EQ(acme.scopes[0].opens[1].text, "read");
  EXPECT_THAT(acme.scopes[1].opens, IsEmpty());
  const auto& globex = tokens.issuers.back();
  EXPECT_EQ(globex.tenant.name, "globex");
  EXPECT_THAT(globex.algorithms, ElementsAre("RS256", "PS256", "ES256"));
  EXPECT_EQ(globex.role, access::RoleOfToken());
}

TEST(AuthorizationSection, SaysWhatIsWrong) {
  EXPECT_THAT(problems_of("authorization: {issuers: [{issuer: 'https://id.example', tenant: {name: acme}}]}"),
              ElementsAre(HasSubstr("http.public_url")));
  EXPECT_THAT(problems_of("authorization: {resource: 'https://mcp.example/mcp'}"), ElementsAre(HasSubstr("issuers")));
  EXPECT_THAT(
      problems_of("authorization: {resource: 'http://mcp.example/mcp', issuers: [{issuer: 'https://id.example', "
                  "tenant: {name: acme}}]}"),
      ElementsAre(HasSubstr("https")));
  EXPECT_THAT(problems_of(issuer("jwks_url: 'http://id.example/keys', tenant: {name: acme}")),
              ElementsAre(HasSubstr("https")));
  EXPECT_THAT(problems_of(issuer("ca_file: /ca.pem")), ElementsAre(HasSubstr("needs 'tenant'")));
  EXPECT_THAT(problems_of(issuer("tenant: {values: {a: b}}")), ElementsAre(HasSubstr("either 'name'")));
  EXPECT_THAT(problems_of(issuer("tenant: {name: a, claim: b}")), ElementsAre(HasSubstr("either 'name'")));
  EXPECT_THAT(problems_of(issuer("tenant: {name: a}, role: {claim: b}")), ElementsAre(HasSubstr("together")));
  EXPECT_THAT(problems_of(issuer("tenant: {name: a}, role: {claim: b, values: {c: boss}}")),
              Contains(HasSubstr("viewer, agent, admin")));
  for (const char* algorithm : {"none", "HS256", "RS512"})
    EXPECT_THAT(problems_of(issuer("tenant: {name: a}, algorithms: [" + std::string(algorithm) + "]")),
                ElementsAre(HasSubstr("RS256, PS256, ES256")))
        << algorithm;
  EXPECT_THAT(problems_of(issuer("tenant: {name: a}, algorithms: []")), ElementsAre(HasSubstr("at least one")));
  EXPECT_THAT(problems_of(issuer("tenant: {name: a}, scopes: {'a b': {}}")), ElementsAre(HasSubstr("name of a scope")));
  EXPECT_THAT(problems_of(issuer("tenant: {name: a}, scopes: {a: {tools: ['b c']}}")), ElementsAre(HasSubstr("tools")));
  EXPECT_THAT(problems_of(issuer("tenant: {name: a}, scopes: {a: {tools: []}}")), ElementsAre(HasSubstr("is empty")));
  EXPECT_THAT(problems_of(issuer("tenant: {name: a}, scopes: {a: {write: true}}")), ElementsAre(HasSubstr("write")));
  EXPECT_THAT(problems_of(issuer("tenant: {name: a}}, {issuer: 'https://id.acme.example', tenant: {name: b}")),
              ElementsAre(HasSubstr("twice")));
}

TEST(AuthorizationSection, NeedsARestart) {
  const auto before = config_of(issuer("tenant: {name: a}"));
  EXPECT_THAT(describe_restart_changes(before, config_of("\n\n" + issuer("tenant: {name: a}"))), IsEmpty());
  EXPECT_THAT(describe_restart_changes(before, config_of(issuer("tenant: {name: b}"))), ElementsAre("authorization"));
}

}  // namespace
}  // namespace toolhost::app
