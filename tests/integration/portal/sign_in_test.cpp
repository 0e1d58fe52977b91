// Signing in with a provider, as a browser and whoever attacks it see it. What the provider itself may send is in
// oidc_provider_test.cpp and id_token_test.cpp.
#include "access/crypto.hpp"
#include "base/base64url.hpp"
#include "integration/portal/visit_fixture.hpp"

namespace toolhost::portal {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr const char* kPublic = "https://mcp.acme.example";

/// Lets in whom the test says, when everything belongs together.
class FakeProvider final : public OidcProvider {
 public:
  struct Says {
    Result<Identity> identity = Error{Errc::kInternal, "nobody", ""};
    std::optional<Error> is_down;
    std::string nonce, challenge, redirect_uri;  ///< of the last one who was sent away
    int exchanges = 0;
  };
  explicit FakeProvider(std::shared_ptr<Says> says) : says_(std::move(says)) {}

  Result<std::string> authorization_url(std::string_view state, std::string_view nonce, std::string_view challenge,
                                        std::string_view redirect_uri) override {
    if (says_->is_down) return *says_->is_down;
    says_->nonce = nonce;
    says_->challenge = challenge;
    says_->redirect_uri = redirect_uri;
    return "https://id.example/authorize?state=" + std::string(state);
  }
  Result<Identity> exchange(std::string_view code, std::string_view verifier, std::string_view redirect_uri,
                            std::string_view nonce) override {
    ++says_->exchanges;
    if (says_->is_down) return *says_->is_down;
    const auto digest = access::sha256(verifier);
    EXPECT_EQ(code, "code-1");
    EXPECT_EQ(to_base64url({reinterpret_cast<const char*>(digest.data()), digest.size()}), says_->challenge);
    EXPECT_EQ(redirect_uri, says_->redirect_uri);
    EXPECT_EQ(nonce, says_->nonce);
    return says_->identity;
  }

 private:
  const std::shared_ptr<Says> says_;
};

class SignInTest : public VisitFixture {
 protected:
  static Identity identity(std::string email, std::string hosted_domain = {}) {
    auto subject = "sub-" + email;
    return {.issuer = std::string(kGoogleIssuer),
            .subject = std::move(subject),
            .email = std::move(email),
            .name = "Somebody",
            .hosted_domain = std::move(hosted_domain),
            .email_verified = true};
  }
  /// Leaves for the provider; the state that comes back.
  static std::string leave(Browser& browser, const std::string& next = "/mcp/keys") {
    const auto page = browser.get("/mcp/sign-in/start?next=" + transport::form_encoded(next));
    EXPECT_EQ(page.status, 303U);
    const auto at = page.headers.find("state=");
    return page.headers.substr(at + 6, page.headers.find_first_of("&\r", at) - at - 6);
  }
  static Page come_back(Browser& browser, const std::string& state, const std::string& rest = "&code=code-1") {
    return browser.get("/mcp/sign-in/callback?state=" + state + rest);
  }
  Page sign_in(Browser& browser, Identity who) {
    says_->identity = std::move(who);
    return come_back(browser, leave(browser));
  }
  static bool is_in(Browser& browser) { return browser.get("/mcp/keys").status == 200; }

  const std::shared_ptr<FakeProvider::Says> says_ = std::make_shared<FakeProvider::Says>();
  const Premises premises_{{.public_url = kPublic}, parts(std::make_unique<FakeProvider>(says_))};
  Browser ana_{premises_, desk_, kPublic}, bob_{premises_, desk_, kPublic};
};

TEST_F(SignInTest, LetsAMemberInAndRecordsIt) {
  EXPECT_THAT(ana_.get("/mcp").body, HasSubstr("Sign in with Google"));
  const auto page = sign_in(ana_, identity("ana@acme.example"));
  EXPECT_EQ(page.status, 303U);
  EXPECT_THAT(page.headers, AllOf(HasSubstr("Location: /mcp/keys\r\n"),
                                  HasSubstr("__Host-toolhost-signin=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0")));
  EXPECT_EQ(says_->redirect_uri, "https://mcp.acme.example/mcp/sign-in/callback");
  EXPECT_TRUE(is_in(ana_));
  EXPECT_THAT(events_.lines(), Contains("signed in: ana@acme.example"));
  EXPECT_EQ(postgres_.run_sql("select string_agg(t.name || ' ' || (record::jsonb ->> 'actor') || ' ' || (record::jsonb "
                              "->> 'remote'), ',') from toolhost.audit a join toolhost.tenants t on t.id = a.tenant_id "
                              "where kind = 'signed_in'"),
            "acme portal:ana@acme.example 127.0.0.1");
}

TEST_F(SignInTest, AnAnswerIsOfThisBrowserAndThisAttempt) {
  says_->identity = identity("ana@acme.example");
  const auto state = leave(ana_);
  leave(bob_);
  EXPECT_EQ(come_back(bob_, state).status, 403U) << "of another browser: somebody would be signed in as Ana";
  EXPECT_EQ(come_back(ana_, state.substr(1) + "A").status, 403U);
  Browser nobody(premises_, desk_, kPublic);
  EXPECT_EQ(come_back(nobody, state).status, 403U);
  EXPECT_EQ(nobody.get("/mcp/sign-in/callback?code=code-1").status, 403U);
  EXPECT_EQ(says_->exchanges, 0) << "no code is spent";
  EXPECT_FALSE(is_in(ana_) || is_in(bob_));
  EXPECT_THAT(events_.lines(), Contains(StartsWith("sign_in: It took more than ten minutes")));
}

TEST_F(SignInTest, AnAnswerIsTakenOnce) {
  says_->identity = identity("ana@acme.example");
  const auto state = leave(ana_);
  const auto cookie = ana_.cookies.at("__Host-toolhost-signin");
  EXPECT_EQ(come_back(ana_, state).status, 303U);
  bob_.cookies["__Host-toolhost-signin"] = cookie;
  EXPECT_THAT(come_back(bob_, state).body, HasSubstr("was completed already"));
  EXPECT_EQ(says_->exchanges, 1);
  EXPECT_FALSE(is_in(bob_));
}

TEST_F(SignInTest, WhatTheProviderRefusesIsSaid) {
  EXPECT_THAT(come_back(ana_, leave(ana_), "&error=access_denied").body, HasSubstr("You did not allow it"));
  EXPECT_THAT(come_back(ana_, leave(ana_), "&error=%3Cb%3E").body, AllOf(HasSubstr("said no"), Not(HasSubstr("<b>"))));
  EXPECT_EQ(come_back(ana_, leave(ana_), "").status, 403U);
  EXPECT_EQ(come_back(ana_, leave(ana_), "&code=code-1&iss=https://evil.example").status, 403U) << "RFC 9207";
  EXPECT_EQ(says_->exchanges, 0);
  says_->identity = Error{Errc::kUnauthenticated, "It was issued for another application.", ""};
  EXPECT_THAT(come_back(ana_, leave(ana_)).body, HasSubstr("It was issued for another application."));
  EXPECT_FALSE(is_in(ana_));
}

TEST_F(SignInTest, AProviderThatIsDownIsSaidToPeopleAndInTheLog) {
  const auto state = leave(ana_);
  says_->is_down = Error{Errc::kUnavailable, "The sign-in provider cannot be used now: it is down.", "reset by peer"};
  const auto page = come_back(ana_, state);
  EXPECT_EQ(page.status, 503U);
  EXPECT_THAT(page.body, AllOf(HasSubstr("it is down"), Not(HasSubstr("reset by peer"))));
  EXPECT_EQ(ana_.get("/mcp/sign-in/start").status, 503U);
  EXPECT_THAT(events_.lines(), Contains(HasSubstr("(reset by peer)")));
}

TEST_F(SignInTest, AnAddressThatIsNotVerifiedIsNobodys) {
  auto unverified = identity("ana@acme.example");
  unverified.email_verified = false;
  EXPECT_EQ(sign_in(ana_, unverified).status, 403U);
  EXPECT_EQ(sign_in(ana_, identity("")).status, 403U);
  EXPECT_FALSE(is_in(ana_));
}

TEST_F(SignInTest, ADomainIsThatOfAWorkspaceNotOfAnyAccountWithSuchAnAddress) {
  EXPECT_EQ(sign_in(bob_, identity("bob@acme.example")).status, 403U) << "perhaps he worked there once";
  EXPECT_EQ(sign_in(bob_, identity("bob@acme.example", "acme.example")).status, 303U);
  EXPECT_TRUE(is_in(bob_));
  EXPECT_EQ(sign_in(ana_, identity("ana@acme.example")).status, 303U) << "she is named herself";
}

TEST_F(SignInTest, LeadsBackIntoThePortalOnly) {
  for (const auto* next : {"https://evil.example/", "//evil.example", "/\\evil.example", "/mcp//evil.example",
                           "/mcp\\x", "/mcp/sign-out", "/mcp/x\r\nSet-Cookie: a=b", "/%2f%2fevil.example"}) {
    says_->identity = identity("ana@acme.example");
    const auto page = come_back(ana_, leave(ana_, next));
    EXPECT_THAT(page.headers, AllOf(HasSubstr("Location: /mcp\r\n"), Not(HasSubstr("evil")), Not(HasSubstr("a=b"))))
        << next;
  }
}

TEST_F(SignInTest, ASessionOfTheTrialEndsWithTheTrial) {
  const Premises trial({.local_sign_in = true}, parts());
  Browser before(trial, desk_);
  before.sign_in("ana@acme.example");
  EXPECT_EQ(before.get("/mcp/keys").status, 200U);
  Browser now(premises_, desk_, kPublic);
  now.session() = before.session();
  EXPECT_EQ(now.get("/mcp/keys").status, 303U) << "nobody proved to be Ana";
  EXPECT_EQ(now.post("/mcp/sign-in/local", {{"email", "ana@acme.example"}}).status, 404U);
  const Premises closed({}, parts());
  Browser afterwards(closed, desk_);
  afterwards.session() = before.session();
  EXPECT_EQ(afterwards.get("/mcp/keys").status, 303U);
}

TEST_F(SignInTest, TwoTabsDoNotEndEachOthersSignIn) {
  says_->identity = identity("ana@acme.example");
  const auto first = leave(ana_);
  const auto nonce = says_->nonce, challenge = says_->challenge;
  const auto second = leave(ana_);
  EXPECT_EQ(come_back(ana_, "of-nobody").status, 403U) << "and a foreign answer ends neither";
  EXPECT_EQ(come_back(ana_, second).status, 303U);
  says_->nonce = nonce;
  says_->challenge = challenge;
  EXPECT_EQ(come_back(ana_, first).status, 303U);
  EXPECT_TRUE(is_in(ana_));
  for (int i = 0; i < 30; ++i) leave(ana_);
  EXPECT_LE(std::ranges::count_if(ana_.cookies,
                                  [](const auto& cookie) { return cookie.first.find("signin") != std::string::npos; }),
            8)
      << "what a browser sends has an end";
  EXPECT_EQ(come_back(ana_, leave(ana_)).status, 303U);
}

TEST_F(SignInTest, WhatAPersonMayRestsOnTheAddressOfToday) {
  auto who = identity("ana@acme.example");
  const auto now_is = [&](std::string email, bool is_verified = true) {
    auto changed = who;
    changed.email = std::move(email);
    changed.email_verified = is_verified;
    return changed;
  };
  const auto owner = [&] { return desk_.store->keys_of(desk_.directory->tenant("acme")->id)->front().row.owner; };
  sign_in(ana_, who);
  make_key(ana_, "Claude");
  EXPECT_EQ(ana_.get("/mcp/team").status, 200U);

  EXPECT_EQ(sign_in(bob_, now_is("ana.new@elsewhere.example")).status, 403U);
  EXPECT_EQ(ana_.get("/mcp/team").status, 403U) << "the session of before";
  EXPECT_EQ(owner(), "ana.new@elsewhere.example");
  EXPECT_EQ(sign_in(ana_, who).status, 303U);
  EXPECT_EQ(owner(), "ana@acme.example");

  who.hosted_domain = "acme.example";
  EXPECT_EQ(sign_in(bob_, now_is("x@acme.example")).status, 303U);
  EXPECT_EQ(ana_.get("/mcp/team").status, 404U) << "an agent";
  EXPECT_EQ(owner(), "x@acme.example");

  EXPECT_EQ(sign_in(bob_, now_is("ana@acme.example", false)).status, 403U);
  EXPECT_FALSE(is_in(ana_) || is_in(bob_));
  EXPECT_EQ(sign_in(ana_, who).status, 303U);
  sign_in(bob_, identity("bob@acme.example", "acme.example"));
  EXPECT_EQ(sign_in(bob_, now_is("")).status, 403U);
  EXPECT_FALSE(is_in(ana_)) << "no address that can be used";
  says_->identity = identity("ana@acme.example");
  EXPECT_EQ(sign_in(bob_, now_is("ana@acme.example", false)).status, 403U);
  Browser admin(premises_, desk_, kPublic);
  auto other = identity("ana@acme.example");
  other.subject = "another account of hers";
  sign_in(admin, other);
  EXPECT_THAT(admin.get("/mcp/team").body, HasSubstr("Revoked"));
}

TEST_F(SignInTest, AKeyOfTheTrialIsRevokedWhenTheTrialIsOver) {
  const Premises trial({.local_sign_in = true}, parts());
  Browser before(trial, desk_);
  before.sign_in("bob@acme.example");
  make_key(before, "Typed");
  EXPECT_THAT(before.get("/mcp/keys").body, Not(HasSubstr("Revoked")));
  sign_in(ana_, identity("ana@acme.example"));
  EXPECT_THAT(ana_.get("/mcp/team").body, AllOf(HasSubstr("Typed"), HasSubstr("Revoked")));
}

TEST_F(SignInTest, AWorkspaceSpeaksForItsOwnDomain) {
  EXPECT_EQ(sign_in(bob_, identity("bob@acme.example", "evil.example")).status, 403U);
  EXPECT_EQ(sign_in(bob_, identity("bob@acme.example", "ACME.example")).status, 303U);
  auto config = two_tenants();
  config.tenants["acme"].people.members.push_back({.email = "*@acme.org", .role = Role::kAgent});
  config.tenants["globex"].people.members.push_back({.email = "*@globex.org", .role = Role::kAgent});
  set_policy(config);
  EXPECT_EQ(sign_in(bob_, identity("bob@acme.org", "acme.example")).status, 303U) << "a second domain of acme's";
  EXPECT_EQ(sign_in(bob_, identity("bob@globex.org", "acme.example")).status, 403U) << "which is not globex's";
}

TEST_F(SignInTest, WhoIsTakenOutOfTheConfigurationIsOutAtOnce) {
  sign_in(ana_, identity("ana@acme.example"));
  sign_in(bob_, identity("bob@acme.example", "acme.example"));
  const auto key = std::to_string(make_key(bob_, "Bob's"));
  EXPECT_EQ(ana_.get("/mcp/team").status, 200U);

  auto config = two_tenants();
  config.tenants["acme"].people.members = {{.email = "ana@acme.example", .name = "Ana", .role = Role::kAgent}};
  set_policy(config);
  EXPECT_EQ(ana_.get("/mcp/team").status, 404U) << "no admin any more";
  EXPECT_EQ(ana_.submit("/mcp/team/acme/keys/" + key + "/delete", {}).status, 404U);
  const auto page = bob_.get("/mcp/keys");
  EXPECT_EQ(page.status, 403U);
  EXPECT_THAT(page.headers, HasSubstr("__Host-toolhost=; Path=/"));
  set_policy(two_tenants());
  EXPECT_FALSE(is_in(bob_)) << "his session has ended";
  EXPECT_TRUE(is_in(ana_));
}

TEST_F(SignInTest, WhoHasLeftATenantMakesNoKeysOfItOutOfOldOnes) {
  auto config = two_tenants();
  config.tenants["globex"].people.members.push_back({.email = "ana@acme.example", .name = "Ana"});
  set_policy(config);
  sign_in(ana_, identity("ana@acme.example"));
  const auto path = "/mcp/keys/" + std::to_string(make_key(ana_, "For globex", "globex"));
  EXPECT_EQ(ana_.get(path + "/replace").status, 200U);
  const auto once = Browser::value_of(ana_.get(path + "/replace").body, "once");

  set_policy(two_tenants());
  EXPECT_EQ(ana_.get(path + "/replace").status, 404U);
  EXPECT_EQ(ana_.submit(path + "/replace", {{"overlap", "0"}, {"once", once}}).status, 404U);
  EXPECT_THAT(ana_.get("/mcp/keys").body, HasSubstr("Revoked"));
  EXPECT_EQ(ana_.submit(path + "/delete", {}).status, 303U) << "cleaning up is allowed";
}

}  // namespace
}  // namespace toolhost::portal
