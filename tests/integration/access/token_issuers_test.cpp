// Access tokens from an issuer that listens: who they become, what is refused, and how they end.
#include "access/token_issuers.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <mutex>
#include <thread>

#include "access/grant.hpp"
#include "support/https_server.hpp"
#include "support/id_tokens.hpp"

namespace toolhost::access {
namespace {

using test_support::Claims;
using test_support::json_of;
using test_support::jwk_set;
using test_support::SigningKey;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;
using namespace std::chrono_literals;

const std::string kResource = "https://mcp.example/mcp";

/// Keeps what the host is told, and asks `listener` to hear of it.
class Notices final : public observability::EventSink {
 public:
  void emit(const observability::Event& event) noexcept override {
    const auto* const notice = std::get_if<observability::HostNotice>(&event);
    if (notice == nullptr) return;
    {
      const std::scoped_lock lock(mutex_);
      texts_.emplace_back(notice->message);
    }
    if (listener) listener();
  }
  std::vector<std::string> texts() const {
    const std::scoped_lock lock(mutex_);
    return texts_;
  }
  std::function<void()> listener;

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> texts_;
};

const SigningKey& key_of(const std::string& id) {
  static std::map<std::string, SigningKey> keys;
  return keys.try_emplace(id, SigningKey::rsa(id)).first->second;
}

class TokenIssuersTest : public testing::Test {
 protected:
  TokenIssuersTest() {
    published_ = {key_of("first").jwk()};
    config_.resource = kResource;
    config_.issuers.push_back(
        {.issuer = server_.url(), .tenant = {.name = "acme"}, .role = {.otherwise = Role::kAgent}});
  }

  void start(PolicyPtr policy = Policy::compile({built_in_defaults(), {}})) {
    auto started = TokenIssuers::start(config_,
                                       {.resource = std::make_shared<ProtectedResource>(config_),
                                        .policy = std::move(policy),
                                        .meters = std::make_shared<MeterTable>(),
                                        .most_tokens = most_tokens_,
                                        .wall =
                                            [this] {
                                              if (const auto meanwhile = std::exchange(meanwhile_, {})) meanwhile();
                                              return std::chrono::system_clock::now() + later_.load();
                                            },
                                        .steady = [this] { return std::chrono::steady_clock::now() + later_.load(); }},
                                       events_);
    ASSERT_TRUE(started) << started.error().message;
    tokens_ = std::move(*started);
    tokens_->set_tenants({{.id = TenantId{7}, .name = "acme", .time_zone = "Europe/Berlin"}});
    wait();
  }
  void wait() {
    const auto end = std::chrono::steady_clock::now() + 10s;
    while (tokens_->is_fetching() && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(1ms);
  }

  std::string claims(const Claims& changes = {}) const {
    const auto now = std::chrono::duration_cast<std::chrono::seconds>(
                         (std::chrono::system_clock::now() + later_.load()).time_since_epoch())
                         .count();
    return json_of({{"iss", "\"" + server_.url() + "\""},
                    {"sub", R"("ana")"},
                    {"aud", "\"" + kResource + "\""},
                    {"iat", std::to_string(now - 1)},
                    {"exp", std::to_string(now + 600)},
                    {"jti", std::to_string(++last_)}},
                   changes);
  }
  std::string token(const Claims& changes = {}, const std::string& key = "first") const {
    return key_of(key).token("RS256", claims(changes));
  }
  /// With a header of its own, signed by the issuer's key.
  std::string token_with(std::string_view header) const { return key_of("first").token("RS256", header, claims()); }

  std::string answer(std::string_view text) {
    const auto caller = tokens_->authenticate(text);
    if (caller) return "let in";
    EXPECT_THAT(caller.error().message, Not(HasSubstr("\"")));  // it is quoted in a header
    return std::string(to_string(caller.error().code)) + ": " + caller.error().message;
  }
  /// What comes of it once no keys are on their way.
  std::string settled(std::string_view text) {
    if (const auto at_once = answer(text); !at_once.starts_with("retry")) return at_once;
    wait();
    return answer(text);
  }
  void publish(std::vector<std::string> keys) {
    const std::scoped_lock lock(mutex_);
    published_ = std::move(keys);
  }

  test_support::RawReply serve(const test_support::SeenRequest& request) {
    const std::scoped_lock lock(mutex_);
    if (is_away_) return test_support::reply(500, "{}");
    if (request.target == metadata_at_)
      return test_support::reply(200, R"({"issuer":")" + says_issuer_.value_or(server_.url()) + R"(","jwks_uri":")" +
                                          server_.url("/keys") + "\"}");
    if (request.target == "/keys") return test_support::reply(200, jwk_set(published_));
    return test_support::reply(404, "{}");
  }

  std::mutex mutex_;
  std::vector<std::string> published_;
  std::string metadata_at_ = "/.well-known/openid-configuration";
  std::optional<std::string> says_issuer_;
  bool is_away_ = false;
  test_support::HttpsServer server_{std::nullopt, [this](const auto& request) { return serve(request); }};
  std::atomic<std::chrono::seconds> later_{0s};
  mutable int last_ = 0;
  std::size_t most_tokens_ = 10'000;
  std::function<void()> meanwhile_;  // done once, while a token is looked at
  Notices events_;
  TokenConfig config_;
  std::unique_ptr<TokenIssuers> tokens_;
};

TEST_F(TokenIssuersTest, MakesACallerOfWhoeverPresentsIt) {
  start();
  const auto caller = tokens_->authenticate(token({{"email", R"("ana@acme.example")"}, {"email_verified", "true"}}));
  ASSERT_TRUE(caller) << caller.error().message;
  EXPECT_EQ((*caller)->tenant, "acme");
  EXPECT_EQ((*caller)->tenant_id, TenantId{7});
  EXPECT_EQ((*caller)->time_zone, "Europe/Berlin");
  EXPECT_EQ((*caller)->principal, "ana@acme.example");
  EXPECT_EQ((*caller)->role, Role::kAgent);
  EXPECT_LT(value((*caller)->key_id), 0);
  EXPECT_THAT((*caller)->key_prefix, StartsWith("oauth_"));

  const auto again = tokens_->authenticate(token());
  EXPECT_EQ((*again)->key_id, (*caller)->key_id);  // the same person with another token
  EXPECT_EQ((*again)->principal, "ana");
  const auto other = tokens_->authenticate(token({{"sub", R"("bob")"}}));
  EXPECT_NE((*other)->key_id, (*caller)->key_id);
  EXPECT_NE((*other)->key_prefix, (*caller)->key_prefix);
}

TEST_F(TokenIssuersTest, RefusesWhatTheIssuerHasNotSignedForThisHost) {
  start();
  const std::string good = token();
  EXPECT_EQ(answer(good), "let in");
  const auto refused = StartsWith("unauthenticated: The access token was not accepted: ");
  const std::string header = R"({"alg":"RS256","kid":"first")";
  const std::string unsigned_part = to_base64url(R"({"alg":"none"})") + "." + to_base64url(claims()) + ".";
  for (const auto& [what, text] : std::vector<std::pair<std::string, std::string>>{
           {"nothing of the kind", "abc"},
           {"two parts", "a.b"},
           {"alg none", unsigned_part},
           {"alg none with a signature", unsigned_part + "AAAA"},
           {"alg None", token_with(R"({"alg":"None","kid":"first"})")},
           {"HS256 with the public key",
            test_support::hs256_token(key_of("first").public_pem(), R"({"alg":"HS256","kid":"first"})", claims())},
           {"HS256 with the JWK", test_support::hs256_token(key_of("first").jwk(), R"({"alg":"HS256"})", claims())},
           {"another's key under the same name", SigningKey::rsa("first").token("RS256", claims())},
           {"another's key that the token brings",
            SigningKey::rsa("mine").token("RS256", R"({"alg":"RS256","jwk":)" + key_of("mine").jwk() + "}", claims())},
           {"crit", token_with(header + R"(,"crit":["exp"]})")},
           {"b64", token_with(header + R"(,"b64":false})")},
           {"another kind", token_with(header + R"(,"typ":"logout+jwt"})")},
           {"kid that is a path", token_with(R"({"alg":"RS256","kid":"../../dev/null"})")},
           {"kid that is no text", token_with(R"({"alg":"RS256","kid":7})")},
           {"alg twice", token_with(R"({"alg":"RS256","alg":"none","kid":"first"})")},
           {"another issuer", token({{"iss", R"("https://other.example")"}})},
           {"the issuer with a slash", token({{"iss", "\"" + server_.url("/") + "\""}})},
           {"no issuer", token({{"iss", ""}})},
           {"another resource", token({{"aud", R"("https://other.example/mcp")"}})},
           {"two resources", token({{"aud", R"(["https://mcp.example/mcp","https://other.example/mcp"])"}})},
           {"aud twice", token({{"aud", "\"" + kResource + R"(","aud":"https://other.example")"}})},
           {"expired", token({{"exp", "1700000000"}})},
           {"not yet", token({{"nbf", "4000000000"}})},
           {"too long", token({{"pad", "\"" + std::string(16 * 1024, 'a') + "\""}})},
       }) {
    EXPECT_THAT(settled(text), refused) << what;
  }
  // Every bit of it counts.
  for (std::size_t at : {std::size_t{5}, good.find('.') + 20, good.rfind('.') + 20}) {
    std::string altered = good;
    altered[at] = altered[at] == 'A' ? 'B' : 'A';
    EXPECT_THAT(settled(altered), refused) << at;
  }
  EXPECT_EQ(answer(good), "let in");
}

TEST_F(TokenIssuersTest, LooksAtNoKeyThatTheTokenNames) {
  start();
  const auto asked = server_.seen().size();
  EXPECT_EQ(answer(token_with(R"({"alg":"RS256","kid":"first","jku":")" + server_.url("/evil") + R"(","x5u":")" +
                              server_.url("/evil") + R"(","x5c":["AAAA"]})")),
            "let in");
  EXPECT_EQ(server_.seen().size(), asked);
}

TEST_F(TokenIssuersTest, AcceptsOnlyTheSignaturesThatAreAllowed) {
  static const SigningKey ec = SigningKey::ec("ec");
  publish({key_of("first").jwk(), ec.jwk()});
  config_.issuers.front().algorithms = {"ES256"};
  start();
  EXPECT_EQ(answer(ec.token("ES256", claims())), "let in");
  EXPECT_THAT(answer(token()), HasSubstr("not signed in a way"));
  EXPECT_THAT(answer(key_of("first").token("PS256", claims())), HasSubstr("not signed in a way"));
}

TEST_F(TokenIssuersTest, FollowsTheIssuerToNewKeysOnceAMinute) {
  start();
  EXPECT_EQ(answer(token()), "let in");
  publish({key_of("second").jwk(), key_of("first").jwk()});
  EXPECT_THAT(answer(token({}, "second")), StartsWith("retry"));
  wait();
  EXPECT_EQ(answer(token({}, "second")), "let in");
  EXPECT_EQ(answer(token()), "let in");

  publish({key_of("third").jwk()});
  const auto asked = server_.count("/keys");
  for (int i = 0; i < 5; ++i) EXPECT_THAT(answer(token({}, "third")), HasSubstr("signing key is not known"));
  EXPECT_EQ(server_.count("/keys"), asked);
  later_ = 61s;
  EXPECT_EQ(settled(token({}, "third")), "let in");
}

TEST_F(TokenIssuersTest, AKeyThatIsWithdrawnEndsWhatItSigned) {
  start();
  const auto old = token(), old_of_bob = token({{"sub", R"("bob")"}});
  const auto ana = (*tokens_->authenticate(old))->key_id, bob = (*tokens_->authenticate(old_of_bob))->key_id;
  publish({key_of("second").jwk()});
  EXPECT_EQ(settled(token({}, "second")), "let in");  // Ana, anew
  EXPECT_THAT(tokens_->take_ended(), ElementsAre(bob));
  EXPECT_THAT(answer(old), HasSubstr("signing key is not known"));
  EXPECT_THAT(answer(old_of_bob), HasSubstr("signing key is not known"));
  EXPECT_NE(ana, bob);
  EXPECT_THAT(tokens_->take_ended(), IsEmpty());
}

TEST_F(TokenIssuersTest, AKeyThatIsWithdrawnWhileATokenIsLookedAtLetsNobodyIn) {
  start();
  EXPECT_EQ(answer(token({{"sub", R"("bob")"}})), "let in");
  const auto old = token();
  publish({key_of("second").jwk()});
  const auto newer = token({{"sub", R"("bob")"}}, "second");
  meanwhile_ = [&] {
    EXPECT_EQ(settled(newer), "let in");
    tokens_->take_ended();
  };
  EXPECT_THAT(answer(old), HasSubstr("signing key is not known"));
  EXPECT_THAT(answer(old), HasSubstr("signing key is not known")) << "it was not remembered";
}

TEST_F(TokenIssuersTest, NobodyIsLetInByKeysThatTheIssuerHasNotConfirmedForADay) {
  start();
  const auto late = token({{"exp", "4000000000"}});
  const auto id = (*tokens_->authenticate(late))->key_id;
  {
    const std::scoped_lock lock(mutex_);
    is_away_ = true;
  }
  later_ = 23h;
  EXPECT_THAT(tokens_->take_ended(), IsEmpty());
  later_ = 25h;
  EXPECT_THAT(tokens_->take_ended(), ElementsAre(id));
  EXPECT_THAT(answer(late), Not(testing::StrEq("let in")));
}

TEST_F(TokenIssuersTest, ThoseWhoseTokenIsForgottenEndAllTheSame) {
  most_tokens_ = 1;
  config_.issuers.front().tenant = {.claim = "org"};
  config_.issuers.front().role = {};
  const auto with = [](const std::string& address) {
    PolicyConfig config{built_in_defaults(), {}};
    config.tenants["acme"].people.members = {{address, "", Role::kAgent}};
    config.tenants["globex"].people.members = {{"*@globex.example", "", Role::kAgent}};
    return Policy::compile(config);
  };
  const auto person = [&](const std::string& tenant, const std::string& name) {
    const auto caller = tokens_->authenticate(token({{"org", "\"" + tenant + "\""},
                                                     {"sub", "\"" + name + "\""},
                                                     {"email", "\"" + name + "@" + tenant + R"(.example")"},
                                                     {"email_verified", "true"}}));
    EXPECT_TRUE(caller) << caller.error().message;
    return caller ? (*caller)->key_id : KeyId{};
  };
  start(with("*@acme.example"));
  const storage::TenantRow acme{.id = TenantId{7}, .name = "acme", .time_zone = "Europe/Berlin"};
  const storage::TenantRow globex{.id = TenantId{8}, .name = "globex", .time_zone = "UTC"};
  tokens_->set_tenants({acme, globex});
  const auto ana = person("acme", "ana"), gus = person("globex", "gus"), bob = person("acme", "bob");
  ASSERT_THAT(tokens_->callers(), testing::SizeIs(1));
  EXPECT_THAT(tokens_->set_policy(with("bob@acme.example")).ended, ElementsAre(ana));
  tokens_->set_tenants({acme});
  EXPECT_THAT(tokens_->take_ended(), ElementsAre(gus));
  tokens_->set_tenants({});
  EXPECT_THAT(tokens_->take_ended(), ElementsAre(bob));
  EXPECT_THAT(tokens_->take_ended(), IsEmpty());
}

TEST_F(TokenIssuersTest, TellsOfTenantsThatDoNotExist) {
  config_.issuers.front().tenant = {.name = "nosuch"};
  start();
  ASSERT_THAT(events_.texts(), ElementsAre(HasSubstr("names the tenant 'nosuch', which does not exist")));
  tokens_->set_tenants({});
  EXPECT_THAT(events_.texts(), testing::SizeIs(1));
  tokens_->set_tenants({{.id = TenantId{9}, .name = "nosuch", .time_zone = "UTC"}});
  EXPECT_EQ(answer(token()), "let in");
  tokens_->set_tenants({});
  EXPECT_THAT(events_.texts(), testing::SizeIs(2));
}

TEST_F(TokenIssuersTest, HoldsNobodyUpWhileItTellsThatTheIssuerIsAway) {
  is_away_ = true;
  std::promise<TokenIssuers*> made;
  const auto issuers = made.get_future().share();
  std::future<void> asked;
  std::atomic<bool> answered{false};
  events_.listener = [&, once = false]() mutable {
    if (std::exchange(once, true)) return;
    auto* const all = issuers.get();
    asked = std::async(std::launch::async, [all] { (void)all->is_fetching(); });
    answered = asked.wait_for(10s) == std::future_status::ready;
  };
  auto started = TokenIssuers::start(config_, {.resource = std::make_shared<ProtectedResource>(config_)}, events_);
  ASSERT_TRUE(started);
  made.set_value(started->get());
  const auto end = std::chrono::steady_clock::now() + 20s;
  while (!answered && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(5ms);
  EXPECT_TRUE(answered);
  started->reset();
  events_.listener = nullptr;
}

TEST_F(TokenIssuersTest, SomebodyEndsWithTheirLastToken) {
  start();
  const auto shorter = token();
  const auto id = (*tokens_->authenticate(shorter))->key_id;
  later_ = 300s;
  EXPECT_EQ(answer(token()), "let in");  // another one, which lasts longer
  later_ = 600s;  // it ends at 660 s, and the clock goes on beside
  EXPECT_EQ(answer(shorter), "let in");
  later_ = 661s;
  EXPECT_THAT(answer(shorter), HasSubstr("it has expired"));
  EXPECT_THAT(tokens_->take_ended(), IsEmpty());
  later_ = 961s;
  EXPECT_THAT(tokens_->take_ended(), ElementsAre(id));
  EXPECT_THAT(tokens_->take_ended(), IsEmpty());
  EXPECT_EQ((*tokens_->authenticate(token()))->key_id, id);  // and is back with a new one
}

TEST_F(TokenIssuersTest, WaitsForAnIssuerThatIsAway) {
  is_away_ = true;
  start();
  EXPECT_THAT(answer(token()), StartsWith("unavailable"));
  {
    const std::scoped_lock lock(mutex_);
    is_away_ = false;
  }
  later_ = 6s;  // the thread sleeps by its own clock; whoever waits sees it within five seconds
  const auto end = std::chrono::steady_clock::now() + 20s;
  while (answer(token()) != "let in" && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(10ms);
  EXPECT_EQ(answer(token()), "let in");
}

TEST_F(TokenIssuersTest, FindsTheKeysWhereEitherStandardPutsThem) {
  metadata_at_ = "/.well-known/oauth-authorization-server";
  start();
  EXPECT_EQ(answer(token()), "let in");
  says_issuer_ = "https://other.example";
  start();
  EXPECT_THAT(answer(token()), StartsWith("unavailable"));
  config_.issuers.front().jwks_url = server_.url("/keys");
  start();
  EXPECT_EQ(answer(token()), "let in");
  config_.issuers.front().jwks_url = "http://192.0.2.1/keys";
  EXPECT_FALSE(TokenIssuers::start(config_, {.resource = std::make_shared<ProtectedResource>(config_)}, events_));
}

TEST_F(TokenIssuersTest, LetsInWhomTheTenantNames) {
  config_.issuers.front().role = {};
  const auto with = [](Members members) {
    PolicyConfig config{built_in_defaults(), {}};
    config.tenants["acme"].people.members = std::move(members);
    return Policy::compile(config);
  };
  start(with({{"Ana@acme.example", "Ana", Role::kAdmin}, {"*@labs.example", "", Role::kViewer}}));
  const auto mail = [](const std::string& address, const char* verified = "true") {
    return Claims{{"email", "\"" + address + "\""}, {"email_verified", verified}};
  };
  const auto ana = tokens_->authenticate(token(mail("ana@acme.example")));
  ASSERT_TRUE(ana);
  EXPECT_EQ((*ana)->role, Role::kAdmin);
  EXPECT_EQ((*ana)->principal, "Ana@acme.example");
  EXPECT_EQ((*tokens_->authenticate(token(mail("x@labs.example"))))->role, Role::kViewer);
  EXPECT_THAT(answer(token(mail("bob@acme.example"))), StartsWith("denied: Access denied: the tenant does not name"));
  EXPECT_THAT(answer(token(mail("ana@acme.example", "false"))), StartsWith("denied"));
  EXPECT_THAT(answer(token()), StartsWith("denied"));

  const auto now = tokens_->set_policy(with({{"bob@acme.example", "Bob", Role::kAgent}}));
  EXPECT_THAT(now.ended, testing::Contains((*ana)->key_id));
  EXPECT_THAT(now.callers, IsEmpty());
  EXPECT_THAT(answer(token(mail("ana@acme.example"))), StartsWith("denied"));
  EXPECT_EQ(answer(token(mail("bob@acme.example"))), "let in");
}

TEST_F(TokenIssuersTest, KnowsTheTenantsThereAre) {
  config_.issuers.front().tenant = {.claim = "org"};
  start();
  const auto globex = token({{"org", R"("globex")"}});
  EXPECT_THAT(answer(globex), StartsWith("denied: Access denied: the access token names no tenant"));
  tokens_->set_tenants({{.id = TenantId{7}, .name = "acme", .time_zone = "UTC"},
                        {.id = TenantId{8}, .name = "globex", .time_zone = "UTC"}});
  EXPECT_EQ((*tokens_->authenticate(globex))->tenant_id, TenantId{8});
  EXPECT_NE((*tokens_->authenticate(globex))->key_id, (*tokens_->authenticate(token({{"org", R"("acme")"}})))->key_id);
  tokens_->set_tenants({});
  EXPECT_THAT(answer(globex), StartsWith("denied"));
}

TEST(PresentedToken, IsABearerThatIsNoKey) {
  EXPECT_EQ(presented_token("", "Bearer abc.def.ghi"), "abc.def.ghi");
  EXPECT_EQ(presented_token("", "bEARER  x"), "x");
  EXPECT_EQ(presented_token("hdsk_x", "Bearer abc"), "");
  EXPECT_EQ(presented_token("anything", "Bearer abc"), "");
  EXPECT_EQ(presented_token("", "Bearer hdsk_wrong"), "");
  EXPECT_EQ(presented_token("", "Basic abc"), "");
  EXPECT_EQ(presented_token("", "Bearer "), "");
  EXPECT_EQ(presented_token("", ""), "");
}

}  // namespace
}  // namespace toolhost::access
