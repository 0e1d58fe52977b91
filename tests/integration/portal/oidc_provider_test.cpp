// A provider that the test controls, behind real TLS: what it may do to a sign-in, and what it may not.
#include "portal/oidc_provider.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "support/https_server.hpp"
#include "support/id_tokens.hpp"

namespace toolhost::portal {
namespace {

using namespace std::chrono_literals;
using test_support::Claims;
using test_support::HttpsServer;
using test_support::json_of;
using test_support::jwk_set;
using test_support::RawReply;
using test_support::reply;
using test_support::SeenRequest;
using test_support::SigningKey;
using test_support::TestAuthority;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::int64_t kStart = 1'900'000'000;

/// Time that only the test moves.
struct TestTime {
  std::atomic<std::int64_t> seconds{0};

  OidcClock clock() {
    return {.wall = [this] { return std::chrono::system_clock::time_point(std::chrono::seconds(kStart + seconds)); },
            .steady =
                [this] {
                  return std::chrono::steady_clock::time_point(std::chrono::hours(1) + std::chrono::seconds(seconds));
                }};
  }
};

const SigningKey& first_key() {
  static const SigningKey key = SigningKey::rsa("first");
  return key;
}
const SigningKey& second_key() {
  static const SigningKey key = SigningKey::rsa("second");
  return key;
}

class OidcProviderTest : public ::testing::Test {
 protected:
  OidcProviderTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "toolhost-oidc-XXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
    std::ofstream(directory_ / "ca.pem") << authority_.certificate();
    says("/jwks", reply(200, jwk_set({first_key().jwk()})));
    says("/.well-known/openid-configuration", reply(200, metadata()));
    says("/token", token_reply(first_key().token("RS256", claims())));
    says("/userinfo", reply(200, R"({"sub":"sub-1","email":"ben@acme.example","email_verified":true,"name":"Ben"})"));
  }
  ~OidcProviderTest() override { std::filesystem::remove_all(directory_); }

  void says(const std::string& target, RawReply what) {
    const std::scoped_lock lock(mutex_);
    replies_[target] = std::move(what);
  }
  static RawReply token_reply(const std::string& id_token) {
    return reply(200, R"({"access_token":"at-1","token_type":"Bearer","id_token":")" + id_token + "\"}");
  }
  [[nodiscard]] std::string metadata(const Claims& changes = {}) const {
    const auto endpoint = [&](std::string_view path) { return "\"" + server_.url(path) + "\""; };
    return json_of({{"issuer", "\"" + server_.url() + "\""},
                    {"authorization_endpoint", endpoint("/authorize")},
                    {"token_endpoint", endpoint("/token")},
                    {"jwks_uri", endpoint("/jwks")},
                    {"userinfo_endpoint", endpoint("/userinfo")}},
                   changes);
  }
  [[nodiscard]] std::string claims(const Claims& changes = {}) const {
    return json_of({{"iss", "\"" + server_.url() + "\""},
                    {"sub", R"("sub-1")"},
                    {"aud", R"("client-1")"},
                    {"nonce", R"("nonce-1")"},
                    {"iat", std::to_string(kStart + time_.seconds)},
                    {"exp", std::to_string(kStart + time_.seconds + 3600)},
                    {"email", R"("ana@acme.example")"},
                    {"email_verified", "true"}},
                   changes);
  }

  [[nodiscard]] OidcConfig config() const {
    return {.issuer = server_.url(),
            .client_id = "client-1",
            .client_secret = Secret("s3cret/+ :"),
            .ca_file = directory_ / "ca.pem",
            .limit = 2s};
  }
  std::unique_ptr<OidcProvider> provider() { return OidcProvider::create(config(), time_.clock()).value(); }

  static Result<Identity> sign_in(OidcProvider& provider) {
    return provider.exchange("code-1", "verifier-1", "https://toolhost.example/mcp/sign-in/callback", "nonce-1");
  }
  static Result<std::string> send_away(OidcProvider& provider) {
    return provider.authorization_url("state-1", "nonce-1", "challenge-1",
                                      "https://toolhost.example/mcp/sign-in/callback");
  }
  static void expect_error(const Error& error, Errc code, std::string_view words) {
    EXPECT_EQ(error.code, code) << error.message;
    EXPECT_THAT(error.message, HasSubstr(std::string(words)));
  }
  [[nodiscard]] SeenRequest last(std::string_view target) const {
    SeenRequest found;
    for (const auto& request : server_.seen()) {
      if (request.target == target) found = request;
    }
    return found;
  }

  const std::string discovery_ = "/.well-known/openid-configuration";
  TestTime time_;
  const TestAuthority authority_;
  std::filesystem::path directory_;
  std::mutex mutex_;
  std::map<std::string, RawReply> replies_;
  HttpsServer server_{authority_.issue(), [this](const SeenRequest& request) {
                        const std::scoped_lock lock(mutex_);
                        const auto found = replies_.find(request.target);
                        return found == replies_.end() ? reply(404, "{}") : found->second;
                      }};
};

TEST_F(OidcProviderTest, SendsTheBrowserAwayWithEverythingThatBindsTheAnswer) {
  const auto made = provider();
  EXPECT_EQ(send_away(*made).value(),
            server_.url("/authorize") +
                "?response_type=code&client_id=client-1"
                "&redirect_uri=https%3A%2F%2Ftoolhost.example%2Fmcp%2Fsign-in%2Fcallback&scope=openid%20email%20profile"
                "&state=state-1&nonce=nonce-1&code_challenge=challenge-1&code_challenge_method=S256");
  says(discovery_, reply(200, metadata({{"authorization_endpoint", "\"" + server_.url("/a?b=c") + "\""}})));
  EXPECT_THAT(send_away(*provider()).value(), HasSubstr("/a?b=c&response_type=code&"));
}

TEST_F(OidcProviderTest, TurnsACodeIntoAPerson) {
  const auto identity = sign_in(*provider());
  ASSERT_TRUE(identity) << identity.error().message << " " << identity.error().detail;
  EXPECT_EQ(identity->issuer, server_.url());
  EXPECT_EQ(identity->subject, "sub-1");
  EXPECT_EQ(identity->email, "ana@acme.example");
  EXPECT_TRUE(identity->email_verified);
  const SeenRequest sent = last("/token");
  EXPECT_EQ(sent.body,
            "grant_type=authorization_code&code=code-1"
            "&redirect_uri=https%3A%2F%2Ftoolhost.example%2Fmcp%2Fsign-in%2Fcallback&code_verifier=verifier-1");
  // client-1:s3cret%2F%2B%20%3A
  EXPECT_EQ(sent.authorization, "Basic Y2xpZW50LTE6czNjcmV0JTJGJTJCJTIwJTNB");
  EXPECT_EQ(server_.count("/userinfo"), 0U);
}

TEST_F(OidcProviderTest, ProvesItselfAsTheProviderWants) {
  says(discovery_, reply(200, metadata({{"token_endpoint_auth_methods_supported", R"(["client_secret_post"])"}})));
  EXPECT_TRUE(sign_in(*provider()));
  EXPECT_EQ(last("/token").authorization, "");
  EXPECT_THAT(last("/token").body, HasSubstr("&client_id=client-1&client_secret=s3cret%2F%2B%20%3A"));

  OidcConfig open = config();
  open.client_secret = Secret();
  EXPECT_TRUE(sign_in(*OidcProvider::create(std::move(open), time_.clock()).value()));
  EXPECT_EQ(last("/token").authorization, "");
  EXPECT_THAT(last("/token").body, HasSubstr("&client_id=client-1"));
  EXPECT_THAT(last("/token").body, Not(HasSubstr("client_secret")));
}

TEST_F(OidcProviderTest, AsksForTheAddressWhenTheTokenHoldsNone) {
  says("/token", token_reply(first_key().token("RS256", claims({{"email", ""}, {"email_verified", ""}}))));
  const auto made = provider();
  const auto identity = sign_in(*made);
  ASSERT_TRUE(identity) << identity.error().message;
  EXPECT_EQ(identity->email, "ben@acme.example");
  EXPECT_TRUE(identity->email_verified);
  EXPECT_EQ(identity->name, "Ben");
  EXPECT_EQ(last("/userinfo").authorization, "Bearer at-1");

  // OpenID Connect Core 1.0, section 5.3.2: of somebody else it is worth nothing.
  says("/userinfo", reply(200, R"({"sub":"sub-2","email":"eve@acme.example","email_verified":true})"));
  expect_error(sign_in(*made).error(), Errc::kUnauthenticated, "somebody else");
  says("/userinfo", reply(200, R"({"email":"eve@acme.example","email_verified":true})"));
  expect_error(sign_in(*made).error(), Errc::kUnauthenticated, "somebody else");
  says("/userinfo", reply(200, R"({"sub":"sub-1","sub":"sub-2"})"));
  expect_error(sign_in(*made).error(), Errc::kUnavailable, "the person");
  // A token that cannot stand in a header field is not used.
  says("/token", reply(200, R"({"access_token":"a\r\nX: y","id_token":")" +
                                first_key().token("RS256", claims({{"email", ""}})) + "\"}"));
  EXPECT_EQ(sign_in(*made)->email, "");
}

TEST_F(OidcProviderTest, TellsAnUnverifiedAddress) {
  says("/token", token_reply(first_key().token("RS256", claims({{"email_verified", "false"}}))));
  EXPECT_FALSE(sign_in(*provider())->email_verified);
}

TEST_F(OidcProviderTest, RefusesAReplayedCode) {
  says("/token", reply(400, R"({"error":"invalid_grant","error_description":"<script>alert(1)</script>"})"));
  const auto made = provider();
  const Error error = sign_in(*made).error();
  expect_error(error, Errc::kUnauthenticated, "used already");
  EXPECT_THAT(error.message + error.detail, Not(HasSubstr("script")));
  const auto asked = server_.count("/token");
  for (const std::string& code : {std::string(), std::string(10'000, 'x')})
    expect_error(made->exchange(code, "v", "https://a.example/", "nonce-1").error(), Errc::kUnauthenticated, "used");
  EXPECT_EQ(server_.count("/token"), asked);
}

TEST_F(OidcProviderTest, TellsTheOperatorThatTheSecretIsWrong) {
  says("/token", reply(401, R"({"error":"invalid_client"})"));
  expect_error(sign_in(*provider()).error(), Errc::kUnavailable, "client_id or client_secret");
  for (const char* body : {R"({"error":"<b>"})", R"({"error":7})", "{}", "", "<html>"}) {
    says("/token", reply(400, body));
    const Error error = sign_in(*provider()).error();
    expect_error(error, Errc::kUnavailable, "refused the exchange");
    EXPECT_EQ(error.detail, "");
  }
}

TEST_F(OidcProviderTest, RefusesTokensThatAreNotForThisSignIn) {
  const auto made = provider();
  for (const Claims& wrong : {Claims{{"nonce", R"("nonce-2")"}}, Claims{{"aud", R"("client-2")"}}, Claims{{"exp", "1"}},
                              Claims{{"iss", R"("https://evil.example")"}}}) {
    says("/token", token_reply(first_key().token("RS256", claims(wrong))));
    EXPECT_EQ(sign_in(*made).error().code, Errc::kUnauthenticated);
  }
  for (const char* body : {"{}", "[]", "null", R"({"id_token":7})", R"({"id_token":""})", "<html>"}) {
    says("/token", reply(200, body));
    EXPECT_EQ(sign_in(*made).error().code, Errc::kUnavailable) << body;
  }
}

TEST_F(OidcProviderTest, LooksOnceAMinuteForAKeyThatItDoesNotKnow) {
  const auto made = provider();
  EXPECT_TRUE(sign_in(*made));
  EXPECT_EQ(server_.count("/jwks"), 1U);

  // Rotated: found at once.
  says("/jwks", reply(200, jwk_set({second_key().jwk()})));
  says("/token", token_reply(second_key().token("RS256", claims())));
  EXPECT_TRUE(sign_in(*made));
  EXPECT_EQ(server_.count("/jwks"), 2U);
  // What was signed with the old one is void from then on.
  says("/token", token_reply(first_key().token("RS256", claims())));
  expect_error(sign_in(*made).error(), Errc::kUnauthenticated, "signing key is not known");
  EXPECT_EQ(server_.count("/jwks"), 2U);

  time_.seconds += 59;
  EXPECT_FALSE(sign_in(*made));
  EXPECT_EQ(server_.count("/jwks"), 2U);
  time_.seconds += 1;
  EXPECT_FALSE(sign_in(*made));
  EXPECT_EQ(server_.count("/jwks"), 3U);
}

TEST_F(OidcProviderTest, KeepsItsKeysWhenLookingForANewerOneFails) {
  const auto made = provider();
  EXPECT_TRUE(sign_in(*made));
  says("/jwks", reply(500, "{}"));
  says("/token", token_reply(second_key().token("RS256", claims())));
  expect_error(sign_in(*made).error(), Errc::kUnavailable, "its keys");
  says("/token", token_reply(first_key().token("RS256", claims())));
  EXPECT_TRUE(sign_in(*made));
}

TEST_F(OidcProviderTest, KeepsDocumentsAsLongAsTheyAreFreshWithinBounds) {
  struct Case {
    const char* fields;
    std::int64_t still, over;  // seconds
  };
  for (const Case& c : {Case{"Cache-Control: max-age=600\r\n", 599, 600}, Case{"", 3599, 3600},
                        Case{"Cache-Control: no-store\r\n", 59, 60}, Case{"Cache-Control: max-age=1\r\n", 59, 60},
                        Case{"Cache-Control: max-age=600\r\nAge: 300\r\n", 299, 300},
                        Case{"Cache-Control: max-age=31536000\r\n", 86'399, 86'400}}) {
    says("/jwks", reply(200, jwk_set({first_key().jwk()}), c.fields));
    says(discovery_, reply(200, metadata(), c.fields));
    says("/token", token_reply(first_key().token("RS256", claims({{"exp", "9e10"}}))));
    const auto made = provider();
    const auto begin = time_.seconds.load();
    const auto keys = server_.count("/jwks"), documents = server_.count(discovery_);
    EXPECT_TRUE(sign_in(*made));
    time_.seconds = begin + c.still;
    EXPECT_TRUE(sign_in(*made));
    EXPECT_EQ(server_.count("/jwks"), keys + 1) << c.fields;
    EXPECT_EQ(server_.count(discovery_), documents + 1) << c.fields;
    time_.seconds = begin + c.over;
    EXPECT_TRUE(sign_in(*made));
    EXPECT_EQ(server_.count("/jwks"), keys + 2) << c.fields;
    EXPECT_EQ(server_.count(discovery_), documents + 2) << c.fields;
  }
}

TEST_F(OidcProviderTest, DoesNotUseKeysThatAreNoLongerFresh) {
  const auto made = provider();
  EXPECT_TRUE(sign_in(*made));
  time_.seconds += 3600;
  says("/jwks", reply(503, ""));
  says("/token", token_reply(first_key().token("RS256", claims())));
  expect_error(sign_in(*made).error(), Errc::kUnavailable, "its keys");
}

TEST_F(OidcProviderTest, ThatIsDownIsLeftAloneForFiveSeconds) {
  says(discovery_, reply(503, ""));
  const auto made = provider();
  expect_error(send_away(*made).error(), Errc::kUnavailable, "it answered 503");
  expect_error(send_away(*made).error(), Errc::kUnavailable, "it answered 503");
  EXPECT_EQ(server_.count(discovery_), 1U);
  says(discovery_, reply(200, metadata()));
  time_.seconds += 5;
  EXPECT_TRUE(send_away(*made));

  std::string gone;
  {
    const HttpsServer ended(authority_.issue(), [](const SeenRequest&) { return reply(200, "{}"); });
    gone = ended.url();
  }
  OidcConfig config = this->config();
  config.issuer = gone;
  expect_error(send_away(*OidcProvider::create(std::move(config)).value()).error(), Errc::kUnavailable,
               "cannot be reached");
}

TEST_F(OidcProviderTest, ThatIsSlowIsGivenUp) {
  OidcConfig hurried = config();
  hurried.limit = 300ms;
  const auto made = OidcProvider::create(std::move(hurried), time_.clock()).value();
  ASSERT_TRUE(send_away(*made));
  RawReply late = token_reply(first_key().token("RS256", claims()));
  late.before = 20s;
  says("/token", late);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_TRUE(made->is_ready());
  expect_error(sign_in(*made).error(), Errc::kUnavailable, "in time");
  EXPECT_LT(std::chrono::steady_clock::now() - start, 3s);
  // Whoever comes next does not wait for the same again.
  for (int i = 0; i < 10; ++i) expect_error(sign_in(*made).error(), Errc::kUnavailable, "in time");
  EXPECT_EQ(server_.count("/token"), 1U);
  says("/token", token_reply(first_key().token("RS256", claims())));
  time_.seconds += 5;
  EXPECT_TRUE(sign_in(*made));
}

TEST_F(OidcProviderTest, IsReadyWhenItNeedsToAskNobody) {
  const auto made = provider();
  EXPECT_FALSE(made->is_ready());
  ASSERT_TRUE(send_away(*made));
  EXPECT_TRUE(made->is_ready());
  time_.seconds += 3601;
  EXPECT_FALSE(made->is_ready());
}

TEST_F(OidcProviderTest, StopEndsWhatIsUnderWay) {
  OidcConfig patient = config();
  patient.limit = 30s;
  const auto made = OidcProvider::create(std::move(patient), time_.clock()).value();
  ASSERT_TRUE(send_away(*made));
  RawReply late = token_reply(first_key().token("RS256", claims()));
  late.before = 3s;
  says("/token", late);
  const auto start = std::chrono::steady_clock::now();
  std::thread waiting([&] { EXPECT_FALSE(sign_in(*made)); });
  while (server_.count("/token") == 0) std::this_thread::sleep_for(1ms);
  made->stop();
  waiting.join();
  EXPECT_LT(std::chrono::steady_clock::now() - start, 2s);
}

TEST_F(OidcProviderTest, ThatSaysTooMuchIsGivenUp) {
  const std::string much = R"({"padding":")" + std::string(300'000, 'x') + "\"}";
  const auto made = provider();
  says("/token", reply(200, much));
  expect_error(sign_in(*made).error(), Errc::kUnavailable, "more than is taken");
  says(discovery_, reply(200, much));
  expect_error(send_away(*provider()).error(), Errc::kUnavailable, "more than is taken");
}

TEST_F(OidcProviderTest, WithAWrongCertificateIsNotAsked) {
  struct Case {
    test_support::CertificateWish wish;
    const char* words;
  };
  for (const Case& c : {Case{{.begins_in = -2h, .ends_in = -1h}, "has expired"},
                        Case{{.names = "DNS:other.example"}, "another host name"}}) {
    const HttpsServer other(authority_.issue(c.wish), [](const SeenRequest&) { return reply(200, "{}"); });
    OidcConfig config = this->config();
    config.issuer = other.url();
    expect_error(send_away(*OidcProvider::create(std::move(config)).value()).error(), Errc::kUnavailable, c.words);
    EXPECT_TRUE(other.seen().empty());
  }
  OidcConfig system = config();
  system.ca_file.clear();
  expect_error(send_away(*OidcProvider::create(std::move(system)).value()).error(), Errc::kUnavailable, "not trusted");
}

TEST_F(OidcProviderTest, IsNotFollowedElsewhere) {
  const HttpsServer elsewhere(authority_.issue(), [](const SeenRequest&) { return reply(200, "{}"); });
  const auto redirect = reply(307, "", "Location: " + elsewhere.url("/stolen") + "\r\n");
  const auto made = provider();
  ASSERT_TRUE(send_away(*made));
  says("/token", redirect);  // would take the code and the secret along
  expect_error(sign_in(*made).error(), Errc::kUnavailable, "it answered 307");
  says(discovery_, redirect);
  expect_error(send_away(*provider()).error(), Errc::kUnavailable, "it answered 307");
  EXPECT_EQ(elsewhere.connections(), 0);
}

TEST_F(OidcProviderTest, ThatDescribesItselfWronglyIsNotUsed) {
  for (const Claims& wrong :
       {Claims{{"issuer", R"("https://evil.example")"}}, Claims{{"issuer", "\"" + server_.url("/") + "\""}},
        Claims{{"issuer", ""}}, Claims{{"authorization_endpoint", R"("javascript:x")"}},
        Claims{{"authorization_endpoint", R"("http://a.example/")"}}, Claims{{"authorization_endpoint", "7"}},
        Claims{{"token_endpoint", R"("http://a.example/")"}}, Claims{{"token_endpoint", R"("http://localhost/")"}},
        Claims{{"token_endpoint", ""}}, Claims{{"jwks_uri", R"("file:///etc/passwd")"}},
        Claims{{"jwks_uri", "null"}}}) {
    says(discovery_, reply(200, metadata(wrong)));
    EXPECT_EQ(send_away(*provider()).error().code, Errc::kUnavailable) << json_of(wrong);
  }
  for (const char* body : {"", "[]", "null", "{", "<html>"}) {
    says(discovery_, reply(200, body));
    EXPECT_EQ(send_away(*provider()).error().code, Errc::kUnavailable) << body;
  }
  // A UserInfo endpoint that cannot be used is none.
  says(discovery_, reply(200, metadata({{"userinfo_endpoint", R"("http://a.example/")"}})));
  says("/token", token_reply(first_key().token("RS256", claims({{"email", ""}}))));
  EXPECT_EQ(sign_in(*provider())->email, "");
}

TEST_F(OidcProviderTest, IsAskedOnceByManyThreads) {
  RawReply slow = reply(200, metadata());
  slow.before = 100ms;
  says(discovery_, slow);
  const auto made = provider();
  std::atomic<int> signed_in{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&] {
      if (sign_in(*made)) ++signed_in;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(signed_in, 6);
  EXPECT_EQ(server_.count(discovery_), 1U);
  EXPECT_EQ(server_.count("/jwks"), 1U);
}

TEST_F(OidcProviderTest, MayBeOnThisMachineWithoutTls) {
  HttpsServer plain(std::nullopt, [&](const SeenRequest& request) {
    const auto at = [&](const char* path) { return "\"http://" + request.host + path + "\""; };
    return reply(200, json_of({{"issuer", at("")},
                               {"authorization_endpoint", at("/authorize")},
                               {"token_endpoint", at("/token")},
                               {"jwks_uri", at("/jwks")}}));
  });
  OidcConfig config{.issuer = plain.url(), .client_id = "client-1"};
  EXPECT_THAT(send_away(*OidcProvider::create(std::move(config)).value()).value(), HasSubstr("http://localhost"));
}

TEST(OidcProvider, WantsAnIssuerAndAClient) {
  const auto code_of = [](const char* issuer, const char* client) {
    const auto made = OidcProvider::create({.issuer = issuer, .client_id = client});
    return made ? Errc::kInternal : made.error().code;
  };
  for (const char* issuer : {"", "accounts.google.com", "http://accounts.google.com", "https://a.example?x=1",
                             "https://a.example#x", "ftp://a.example"})
    EXPECT_EQ(code_of(issuer, "c"), Errc::kInvalidArgument) << issuer;
  EXPECT_EQ(code_of("https://accounts.google.com", ""), Errc::kInvalidArgument);
  EXPECT_TRUE(OidcProvider::create({.client_id = "c"}));
}

}  // namespace
}  // namespace toolhost::portal
