// Tokens as providers make them, and as nobody should get in with.
#include "portal/id_token.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/id_tokens.hpp"

namespace toolhost::portal {
namespace {

using test_support::Claims;
using test_support::json_of;
using test_support::jwk_set;
using test_support::SigningKey;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

constexpr std::int64_t kNow = 1'900'000'000;
const std::string kClient = "toolhost.apps.example";
const std::string kNonce = "n-0S6_WzA2Mj";

const SigningKey& rsa() {
  static const SigningKey key = SigningKey::rsa("rsa-1");
  return key;
}
const SigningKey& ec() {
  static const SigningKey key = SigningKey::ec("ec-1");
  return key;
}

SigningKeys keys_of(const std::vector<std::string>& jwks) {
  return SigningKeys::parse(jwk_set(jwks)).value();
}
const SigningKeys& keys() {
  static const SigningKeys set = keys_of({rsa().jwk(R"(,"use":"sig","alg":"RS256")"), ec().jwk()});
  return set;
}

ExpectedToken expected(std::string_view issuer = "https://id.example") {
  return {.issuer = issuer,
          .client_id = kClient,
          .nonce = kNonce,
          .now = std::chrono::system_clock::time_point(std::chrono::seconds(kNow))};
}

std::string claims(const Claims& changes = {}) {
  return json_of({{"iss", R"("https://id.example")"},
                  {"sub", R"("248289761001")"},
                  {"aud", "\"" + kClient + "\""},
                  {"nonce", "\"" + kNonce + "\""},
                  {"iat", std::to_string(kNow - 5)},
                  {"exp", std::to_string(kNow + 3600)},
                  {"email", R"("ana@acme.example")"},
                  {"email_verified", "true"},
                  {"name", R"("Ana Gómez")"}},
                 changes);
}

Result<Identity> verify(std::string_view token) {
  return verify_id_token(token, keys(), expected());
}
Result<Identity> with(const Claims& changes) {
  return verify(rsa().token("RS256", claims(changes)));
}

/// Refused for good, with a sentence that holds these words.
void expect_refused(const Result<Identity>& result, std::string_view words, std::string_view what = "") {
  ASSERT_FALSE(result) << what;
  EXPECT_EQ(result.error().code, Errc::kUnauthenticated) << what;
  EXPECT_THAT(result.error().message, HasSubstr(std::string(words))) << what;
}

TEST(IdToken, SaysWhoSignedIn) {
  const auto identity = with({{"hd", R"("acme.example")"}});
  ASSERT_TRUE(identity) << identity.error().message;
  EXPECT_EQ(identity->issuer, "https://id.example");
  EXPECT_EQ(identity->subject, "248289761001");
  EXPECT_EQ(identity->email, "ana@acme.example");
  EXPECT_TRUE(identity->email_verified);
  EXPECT_EQ(identity->name, "Ana Gómez");
  EXPECT_EQ(identity->hosted_domain, "acme.example");
}

TEST(IdToken, MayBeSignedWithEachAllowedAlgorithm) {
  EXPECT_TRUE(verify(ec().token("ES256", claims())));
  const auto set = keys_of({rsa().jwk()});
  for (const char* algorithm : {"RS256", "PS256"})
    EXPECT_TRUE(verify_id_token(rsa().token(algorithm, claims()), set, expected())) << algorithm;
}

TEST(IdToken, OfGoogleMayHaveEitherSpellingOfItsIssuerAndThePersonIsTheSame) {
  for (const char* spelling : {R"("https://accounts.google.com")", R"("accounts.google.com")"}) {
    const auto identity = verify_id_token(rsa().token("RS256", claims({{"iss", spelling}})), keys(),
                                          expected("https://accounts.google.com"));
    ASSERT_TRUE(identity) << spelling;
    EXPECT_EQ(identity->issuer, "https://accounts.google.com");
  }
  expect_refused(verify_id_token(rsa().token("RS256", claims({{"iss", R"("id.example")"}})), keys(), expected()),
                 "another provider");
}

TEST(IdToken, OfAnotherIssuerIsRefused) {
  for (const char* issuer :
       {R"("https://id.example/")", R"("https://evil.example")", R"("accounts.google.com")", "7", "null", ""})
    expect_refused(with({{"iss", issuer}}), "another provider", issuer);
}

TEST(IdToken, WithAnotherNonceIsRefused) {
  for (const char* nonce : {R"("n-0S6_WzA2Mk")", R"("n-0S6_WzA2M")", R"("")", "0", "null", ""})
    expect_refused(with({{"nonce", nonce}}), "another sign-in", nonce);
  auto nothing = expected();
  nothing.nonce = "";
  EXPECT_FALSE(verify_id_token(rsa().token("RS256", claims({{"nonce", R"("")"}})), keys(), nothing));
}

TEST(IdToken, ForAnotherAudienceIsRefused) {
  const std::string ours = "\"" + kClient + "\"";
  for (const std::string& audience :
       {std::string(R"("other.apps.example")"), std::string(R"(["other.apps.example"])"), std::string("[]"),
        std::string("7"), std::string(R"([{"a":1}])"), std::string(), "[[" + ours + "]]"})
    expect_refused(with({{"aud", audience}}), "another application", audience);
  EXPECT_TRUE(with({{"aud", "[" + ours + "]"}}));

  std::string many = "[" + ours;
  for (int i = 0; i < 100; ++i) many += ",\"x\"";
  expect_refused(with({{"aud", many + "]"}, {"azp", ours}}), "another application");
}

TEST(IdToken, ForSeveralAudiencesMustHaveBeenMadeForUs) {
  const std::string ours = "\"" + kClient + "\"", both = "[" + ours + R"(,"other.apps.example"])";
  EXPECT_TRUE(with({{"aud", both}, {"azp", ours}}));
  expect_refused(with({{"aud", both}}), "another application");
  expect_refused(with({{"aud", both}, {"azp", R"("other.apps.example")"}}), "another application");
  // Also with one audience: whoever azp names may use the token.
  expect_refused(with({{"azp", R"("other.apps.example")"}}), "another application");
  expect_refused(with({{"azp", "null"}}), "another application");
}

TEST(IdToken, IsValidFromItsIssueToItsEndWithAMinuteOfLeeway) {
  const auto at = [](std::int64_t seconds) { return std::to_string(kNow + seconds); };
  EXPECT_TRUE(with({{"exp", at(-59)}}));
  expect_refused(with({{"exp", at(-60)}}), "expired");
  expect_refused(with({{"exp", at(-3600)}}), "expired");
  EXPECT_TRUE(with({{"iat", at(60)}}));
  expect_refused(with({{"iat", at(61)}}), "future");
  EXPECT_TRUE(with({{"nbf", at(60)}}));
  expect_refused(with({{"nbf", at(61)}}), "future");
  expect_refused(with({{"nbf", R"("soon")"}}), "future");
  EXPECT_TRUE(with({{"exp", at(10) + ".5"}}));
}

TEST(IdToken, WithoutReadableTimesIsRefused) {
  for (const char* time : {"", "null", R"("1900000000")", "-1", "1e300", "true", "[1]"}) {
    expect_refused(with({{"exp", time}}), "how long it is valid", time);
    expect_refused(with({{"iat", time}}), "how long it is valid", time);
  }
}

TEST(IdToken, SignedWithAnUnknownKeyAsksForNewerKeys) {
  const auto unknown = SigningKey::rsa("rsa-2");
  const auto result = verify(unknown.token("RS256", claims()));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Errc::kNotFound);
  // An RSA key's name does not stand for an EC key.
  EXPECT_EQ(verify(rsa().token("RS256", R"({"alg":"ES256","kid":"rsa-1"})", claims())).error().code, Errc::kNotFound);
  // Nor does a key for RS256 verify PS256.
  EXPECT_EQ(verify(rsa().token("PS256", claims())).error().code, Errc::kNotFound);
}

TEST(IdToken, SignedWithAnotherKeyUnderAKnownNameIsRefused) {
  expect_refused(verify(SigningKey::rsa("rsa-1").token("RS256", claims())), "signature");
  expect_refused(verify(SigningKey::ec("ec-1").token("ES256", claims())), "signature");
}

TEST(IdToken, WithoutAKeysNameIsVerifiedWithTheOnlyKeyThatFits) {
  const std::string header = R"({"alg":"RS256"})";
  EXPECT_TRUE(verify(rsa().token("RS256", header, claims())));
  const auto two = keys_of({rsa().jwk(), SigningKey::rsa("rsa-2").jwk()});
  EXPECT_EQ(verify_id_token(rsa().token("RS256", header, claims()), two, expected()).error().code, Errc::kNotFound);
  // Its only key may have been changed.
  EXPECT_EQ(verify(SigningKey::rsa("").token("RS256", claims())).error().code, Errc::kNotFound);
}

TEST(IdToken, WithoutASignatureIsRefused) {
  for (const char* algorithm : {"none", "None", "NONE", "nOnE", ""}) {
    const std::string header = R"({"alg":")" + std::string(algorithm) + R"(","kid":"rsa-1"})";
    const std::string unsigned_token = to_base64url(header) + "." + to_base64url(claims()) + ".";
    EXPECT_FALSE(verify(unsigned_token)) << algorithm;
    EXPECT_FALSE(verify(unsigned_token + "AAAA")) << algorithm;
    expect_refused(verify(rsa().token("RS256", header, claims())), "not signed in a way", algorithm);
  }
  const std::string good = rsa().token("RS256", claims());
  EXPECT_FALSE(verify(good.substr(0, good.rfind('.') + 1)));
  EXPECT_FALSE(verify(good.substr(0, good.rfind('.'))));
}

TEST(IdToken, SignedWithThePublicKeyAsASecretIsRefused) {
  const std::string header = R"({"alg":"HS256","kid":"rsa-1"})";
  for (const auto& secret : {rsa().public_pem(), rsa().jwk(), std::string()})
    expect_refused(verify(test_support::hs256_token(secret, header, claims())), "not signed in a way");
  // The provider cannot be made to publish such a secret either.
  EXPECT_FALSE(SigningKeys::parse(jwk_set({R"({"kty":"oct","kid":"h","k":"c2VjcmV0","alg":"HS256"})"})));
}

TEST(IdToken, WithAnAlgorithmOrExtensionThatIsNotAllowedIsRefused) {
  for (const char* algorithm : {"RS384", "RS512", "PS512", "ES384", "ES512", "EdDSA", "RS256 ", "rs256", "RSA1_5"})
    expect_refused(
        verify(rsa().token("RS256", R"({"alg":")" + std::string(algorithm) + R"(","kid":"rsa-1"})", claims())),
        "not signed in a way", algorithm);
  expect_refused(verify(rsa().token("RS256", R"({"alg":"RS256","kid":"rsa-1","crit":["b64"],"b64":false})", claims())),
                 "extension");
  // A key that comes with the token is nobody's.
  const auto foreign = SigningKey::rsa("rsa-1");
  expect_refused(
      verify(foreign.token("RS256", R"({"alg":"RS256","kid":"rsa-1","jwk":)" + foreign.jwk() + "}", claims())),
      "signature");
}

TEST(IdToken, ThatReadersCouldUnderstandDifferentlyIsRefused) {
  expect_refused(verify(rsa().token("RS256", R"({"alg":"RS256","alg":"none","kid":"rsa-1"})", claims())),
                 "cannot be read");
  const std::string twice = R"({"sub":"1",)" + claims().substr(1);
  expect_refused(verify(rsa().token("RS256", twice)), "cannot be read");
}

TEST(IdToken, AlteredAnywhereIsRefused) {
  const std::string good = rsa().token("RS256", claims());
  ASSERT_TRUE(verify(good));
  for (std::size_t i = 0; i < good.size(); i += 7) {
    auto altered = good;
    altered[i] = altered[i] == 'A' ? 'B' : 'A';
    if (altered == good) continue;
    EXPECT_FALSE(verify(altered)) << i;
    EXPECT_FALSE(verify(good.substr(0, i))) << i;
  }
}

TEST(IdToken, ThatIsMalformedIsRefused) {
  const std::string header = to_base64url(R"({"alg":"RS256","kid":"rsa-1"})");
  for (const std::string& token :
       {std::string(), std::string("."), std::string(".."), std::string("..."), std::string("a.b.c"),
        std::string("\0\0\0", 3), std::string("{}"), header + "..", header + ".e30.AAAA", header + ".e30=.AAAA",
        header + ".e30.AAAA.AAAA.AAAA", header + ".e3 0.AAAA", std::string("W10.e30.AAAA"),
        std::string("bnVsbA.e30.AAAA"), std::string("IiI.e30.AAAA"), header + "\n.e30.AAAA",
        to_base64url(R"({"alg":7})") + ".e30.AAAA", to_base64url(R"({"kid":"rsa-1"})") + ".e30.AAAA",
        to_base64url(R"({"alg":"RS256","kid":7})") + ".e30.AAAA"}) {
    const auto result = verify(token);
    ASSERT_FALSE(result) << token;
    EXPECT_EQ(result.error().code, Errc::kUnauthenticated) << token;
  }
  EXPECT_FALSE(verify(rsa().token("RS256", "")));
  for (const char* payload : {"[]", "null", "7", "\"x\"", "{", "{}x", "{\"iss\":\"\\ud800\"}", "\xff"})
    expect_refused(verify(rsa().token("RS256", payload)), "cannot be read", payload);
}

TEST(IdToken, ThatIsHugeIsRefusedBeforeItIsRead) {
  expect_refused(with({{"padding", "\"" + std::string(20'000, 'x') + "\""}}), "too long");
  expect_refused(verify(std::string(50'000'000, '.')), "too long");
  EXPECT_TRUE(with({{"padding", "\"" + std::string(8'000, 'x') + "\""}}));
  EXPECT_FALSE(with({{"deep", std::string(5'000, '[')}}));
}

TEST(IdToken, WithoutAUsableSubjectIsRefused) {
  for (const std::string& subject :
       {std::string(), std::string(R"("")"), std::string("7"), "\"" + std::string(256, '1') + "\"",
        std::string("\"a\\u0000b\""), std::string("\"\xc3\xa4\""), std::string("\"a\\nb\"")})
    expect_refused(with({{"sub", subject}}), "who signed in", subject);
  EXPECT_TRUE(with({{"sub", "\"" + std::string(255, '1') + "\""}}));
}

TEST(IdToken, TellsAnUnverifiedAddressFromAVerifiedOne) {
  for (const char* said : {"false", "", "null", R"("true")", R"("false")", "1"}) {
    const auto identity = with({{"email_verified", said}});
    ASSERT_TRUE(identity) << said;
    EXPECT_FALSE(identity->email_verified) << said;
  }
}

TEST(IdToken, TakesNoAddressThatCouldBeMistakenForAnother) {
  for (const char* address :
       {R"("ana")", R"("@acme.example")", R"("ana@")", R"("ana@evil.example@acme.example")", R"("ana @acme.example")",
        R"("\"x@evil.example\"@acme.example")", R"("ana@acme.example\n")", R"("ana@acme.example\u0000")",
        R"("Ana <ana@acme.example>")", R"("a@b.example,ana@acme.example")", "7", "null", "",
        "\"an\u200ba@acme.example\"", "\"\u202eana@acme.example\"", "\"ana@acme\u00ad.example\"",
        "\"ana@acme.example\u2060\"", "\"ana\u00a0@acme.example\"", R"("ana\u200d@acme.example")"}) {
    const auto identity = with({{"email", address}});
    ASSERT_TRUE(identity) << address;
    EXPECT_EQ(identity->email, "") << address;
    EXPECT_FALSE(identity->email_verified) << address;
  }
  EXPECT_EQ(with({{"email", "\"" + std::string(300, 'a') + "@acme.example\""}})->email, "");
}

TEST(IdToken, CleansNames) {
  EXPECT_EQ(with({{"name", R"("A\u0000n\r\na\u202e")"}})->name, "Ana");
  EXPECT_EQ(with({{"name", "\"" + std::string(199, 'a') + "\xc3\xa4\""}})->name, std::string(199, 'a'));
  EXPECT_EQ(with({{"name", "7"}})->name, "");
}

TEST(SigningKeys, KeepsOnlyKeysThatMayVerifyTokens) {
  const auto lone = [](const std::string& jwk) { return SigningKeys::parse(jwk_set({jwk})).has_value(); };
  EXPECT_TRUE(lone(rsa().jwk()));
  EXPECT_TRUE(lone(rsa().jwk(R"(,"x5c":["MIIC"],"unknown":{})")));
  EXPECT_FALSE(lone(rsa().jwk(R"(,"use":"enc")")));
  EXPECT_FALSE(lone(rsa().jwk(R"(,"alg":"RS512")")));
  EXPECT_FALSE(lone(rsa().jwk(R"(,"alg":"ES256")")));
  EXPECT_FALSE(lone(SigningKey::rsa("weak", 1024).jwk()));
  EXPECT_FALSE(lone(R"({"kty":"RSA","kid":"a","n":")" + std::string(2000, 'A') + R"(","e":"AQAB"})"));
  EXPECT_FALSE(lone(R"({"kty":"EC","crv":"P-384","kid":"a","x":"AA","y":"AA"})"));
  EXPECT_FALSE(lone(R"({"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})"));
  // An unusable one does no harm to others.
  EXPECT_TRUE(SigningKeys::parse(jwk_set({"7", "null", "{}", R"({"kty":"oct","k":"AA"})", ec().jwk()})));
}

TEST(SigningKeys, APointThatIsOnNoCurveVerifiesNothing) {
  const std::string zeros(43, 'A');
  const auto set = keys_of({R"({"kty":"EC","crv":"P-256","kid":"ec-1","x":")" + zeros + R"(","y":")" + zeros + "\"}"});
  expect_refused(verify_id_token(ec().token("ES256", claims()), set, expected()), "signature");
}

TEST(SigningKeys, RefusesWhatIsNoKeySet) {
  for (const char* text :
       {"", "{", "[]", "null", "{}", R"({"keys":{}})", R"({"keys":[]})", R"({"keys":null})", "<html>"}) {
    const auto result = SigningKeys::parse(text);
    ASSERT_FALSE(result) << text;
    EXPECT_EQ(result.error().code, Errc::kUnavailable) << text;
  }
  std::vector<std::string> many(1000, R"({"kty":"oct","k":"AA"})");
  EXPECT_FALSE(SigningKeys::parse(jwk_set(many)));
}

}  // namespace
}  // namespace toolhost::portal
