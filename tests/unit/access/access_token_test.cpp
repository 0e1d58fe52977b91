// What a token that was signed by the right key must say, and who that is here.
#include "access/access_token.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/id_tokens.hpp"

namespace toolhost::access {
namespace {

using test_support::Claims;
using test_support::json_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using namespace std::chrono_literals;

constexpr std::int64_t kNow = 1'900'000'000;
const std::vector<std::string> kOurs{"https://mcp.example/mcp", "https://mcp.example/sse"};

TokenIssuer issuer() {
  return {.issuer = "https://id.example", .tenant = {.name = "acme"}, .role = {.otherwise = Role::kAgent}};
}

Result<TokenClaims> read(const Claims& changes, const TokenIssuer& from = issuer()) {
  const auto text = json_of({{"aud", R"("https://mcp.example/mcp")"},
                             {"sub", R"("248289761001")"},
                             {"iat", std::to_string(kNow - 5)},
                             {"exp", std::to_string(kNow + 600)}},
                            changes);
  json::Document document;
  return read_claims(document.parse(text).value(), from, kOurs,
                     std::chrono::system_clock::time_point(std::chrono::seconds(kNow)));
}

std::string refusal(const Claims& changes) {
  const auto claims = read(changes);
  if (claims) return "accepted";
  EXPECT_EQ(claims.error().code, Errc::kUnauthenticated) << claims.error().message;
  return claims.error().message;
}

std::string denial(const Claims& changes, const TokenIssuer& from) {
  const auto claims = read(changes, from);
  if (claims) return "accepted";
  EXPECT_EQ(claims.error().code, Errc::kDenied) << claims.error().message;
  return claims.error().message;
}

TEST(AccessToken, EndsWithItsTimeAndTheLeeway) {
  const auto claims = read({});
  ASSERT_TRUE(claims) << claims.error().message;
  EXPECT_EQ(claims->end.time_since_epoch(), std::chrono::seconds(kNow + 660));
  EXPECT_EQ(claims->subject, "248289761001");
  EXPECT_EQ(refusal({{"exp", std::to_string(kNow - 59)}}), "accepted");
  EXPECT_THAT(refusal({{"exp", std::to_string(kNow - 60)}}), HasSubstr("expired"));
  EXPECT_THAT(refusal({{"exp", ""}}), HasSubstr("how long it is valid"));
  EXPECT_THAT(refusal({{"exp", R"("1900000600")"}}), HasSubstr("how long it is valid"));
  EXPECT_EQ(refusal({{"nbf", std::to_string(kNow + 60)}}), "accepted");
  EXPECT_THAT(refusal({{"nbf", std::to_string(kNow + 61)}}), HasSubstr("from the future"));
  EXPECT_THAT(refusal({{"iat", std::to_string(kNow + 61)}}), HasSubstr("from the future"));
  EXPECT_EQ(refusal({{"iat", ""}}), "accepted");  // RFC 9068 wants it, some issuers leave it out
}

TEST(AccessToken, IsForThisHostAndNobodyElse) {
  EXPECT_EQ(refusal({{"aud", R"("https://mcp.example/sse")"}}), "accepted");
  EXPECT_EQ(refusal({{"aud", R"(["https://mcp.example/mcp","https://mcp.example/sse"])"}}), "accepted");
  for (const char* foreign :
       {"", R"("https://other.example/mcp")", R"("https://mcp.example/mcp/")", R"("https://mcp.example")", "[]", "7",
        R"(["https://mcp.example/mcp","https://other.example"])", R"(["https://mcp.example/mcp",7])"}) {
    EXPECT_THAT(refusal({{"aud", foreign}}), HasSubstr("another resource")) << foreign;
  }
}

TEST(AccessToken, IsOfSomebodyAndOfTheRightKind) {
  for (const char* nobody : {"", R"("")", "7", R"("a\nb")"})
    EXPECT_THAT(refusal({{"sub", nobody}}), HasSubstr("whose it is")) << nobody;
  EXPECT_THAT(refusal({{"cnf", R"({"jkt":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"})"}}), HasSubstr("bound"));
  EXPECT_THAT(refusal({{"at_hash", R"("77QmUPtjPfzWtF2AnpK9RQ")"}}), HasSubstr("ID token"));
  json::Document document;
  const auto is_kind = [&](std::string_view header) { return is_access_token(document.parse(header).value()); };
  EXPECT_TRUE(is_kind("{}"));
  for (const char* good : {"at+jwt", "AT+JWT", "application/at+jwt", "JWT"})
    EXPECT_TRUE(is_kind(std::string(R"({"typ":")") + good + "\"}")) << good;
  for (const char* bad : {R"("logout+jwt")", R"("dpop+jwt")", "null", "7", R"("")"})
    EXPECT_FALSE(is_kind(std::string(R"({"typ":)") + bad + "}")) << bad;
}

TEST(AccessToken, NamesATenantByAClaim) {
  auto from = issuer();
  from.tenant = {.claim = "org", .values = {{"acme-inc", "acme"}, {"acme-labs", "acme"}, {"globex-gmbh", "globex"}}};
  EXPECT_EQ(read({{"org", R"("globex-gmbh")"}}, from)->tenant, "globex");
  EXPECT_EQ(read({{"org", R"(["others","acme-inc","acme-labs"])"}}, from)->tenant, "acme");
  EXPECT_THAT(denial({{"org", R"(["acme-inc","globex-gmbh"])"}}, from), HasSubstr("several tenants"));
  for (const char* none : {"", R"("acme")", "7", "[]"})
    EXPECT_THAT(denial({{"org", none}}, from), HasSubstr("no tenant")) << none;
  from.tenant = {.claim = "/org/id"};
  EXPECT_EQ(read({{"org", R"({"id":"globex"})"}}, from)->tenant, "globex");
  EXPECT_THAT(denial({{"org", R"("globex")"}}, from), HasSubstr("no tenant"));
}

TEST(AccessToken, GivesTheHighestOfItsRoles) {
  auto from = issuer();
  from.role = {.claim = "groups", .values = {{"readers", Role::kViewer}, {"admins", Role::kAdmin}}};
  EXPECT_EQ(read({{"groups", R"(["readers","admins","others"])"}}, from)->role, Role::kAdmin);
  EXPECT_EQ(read({{"groups", R"("readers")"}}, from)->role, Role::kViewer);
  EXPECT_THAT(denial({{"groups", R"(["others"])"}}, from), HasSubstr("no role"));
  from.role.otherwise = Role::kAgent;
  EXPECT_EQ(read({{"groups", R"(["others"])"}}, from)->role, Role::kAgent);
  EXPECT_EQ(read({{"groups", R"(["readers"])"}}, from)->role, Role::kViewer);  // what is said goes before the default
  from.role = {};
  EXPECT_EQ(read({}, from)->role, std::nullopt);
}

TEST(AccessToken, SpeaksForAnAddressOnlyWhenTheIssuerDoes) {
  EXPECT_EQ(read({{"email", R"("ana@acme.example")"}, {"email_verified", "true"}})->email, "ana@acme.example");
  for (const char* doubtful : {"", "false", R"("true")", "1"})
    EXPECT_THAT(read({{"email", R"("ana@acme.example")"}, {"email_verified", doubtful}})->email, IsEmpty()) << doubtful;
  for (const char* none : {R"("ana")", R"("a@b@c")", R"("a b@c")", "7"})
    EXPECT_THAT(read({{"email", none}, {"email_verified", "true"}})->email, IsEmpty()) << none;
}

TEST(AccessToken, HasScopesInEitherSpelling) {
  EXPECT_THAT(read({{"scope", R"("tickets:read  openid")"}})->scopes, ElementsAre("tickets:read", "openid"));
  EXPECT_THAT(read({{"scp", R"(["tickets:read","tasks:read"])"}})->scopes, ElementsAre("tickets:read", "tasks:read"));
  EXPECT_THAT(read({{"scope", R"("a\"b c\\d ok")"}})->scopes, ElementsAre("ok"));  // they are sent in a header again
  EXPECT_THAT(read({})->scopes, IsEmpty());
}

}  // namespace
}  // namespace toolhost::access
