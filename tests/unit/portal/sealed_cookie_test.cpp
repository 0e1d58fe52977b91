#include "portal/sealed_cookie.hpp"

#include <gtest/gtest.h>

#include <set>

namespace toolhost::portal {
namespace {

using namespace std::chrono_literals;

const std::chrono::system_clock::time_point kNow{1'900'000'000s};

SealedCookie cookie(char fill = 'k') {
  return SealedCookie(Secret(std::string(32, fill)));
}

TEST(SignInAttempt, HasFreshSecretsOf32Bytes) {
  std::set<std::string> seen;
  for (int i = 0; i < 10; ++i) {
    const auto attempt = SignInAttempt::begin("/mcp", kNow);
    for (const auto& secret : {attempt.state, attempt.nonce, attempt.verifier}) {
      EXPECT_EQ(secret.size(), 43U);
      EXPECT_TRUE(seen.insert(secret).second);
    }
  }
}

TEST(SignInAttempt, MakesTheChallengeOfRfc7636) {
  SignInAttempt attempt;
  attempt.verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";  // appendix B
  EXPECT_EQ(attempt.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
}

TEST(SignInAttempt, KnowsItsOwnState) {
  const auto attempt = SignInAttempt::begin("/mcp", kNow);
  EXPECT_TRUE(attempt.has_state(attempt.state));
  EXPECT_FALSE(attempt.has_state(SignInAttempt::begin("/mcp", kNow).state));
  EXPECT_FALSE(attempt.has_state(""));
  EXPECT_FALSE(SignInAttempt().has_state(""));
}

TEST(SignInAttempt, DropsWhereItCannotGo) {
  EXPECT_EQ(SignInAttempt::begin("/mcp/keys?tenant=acme", kNow).next, "/mcp/keys?tenant=acme");
  EXPECT_EQ(SignInAttempt::begin("/mcp/" + std::string(1000, 'x'), kNow).next, "");
  EXPECT_EQ(SignInAttempt::begin("/mcp\r\nSet-Cookie: a=b", kNow).next, "");
}

TEST(SealedCookie, GivesBackWhatItSealed) {
  const auto attempt = SignInAttempt::begin("/mcp/keys?a=\"\\", kNow);
  const auto sealed = cookie().seal(attempt);
  const auto opened = cookie().open(sealed, kNow + 9min);
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->state, attempt.state);
  EXPECT_EQ(opened->nonce, attempt.nonce);
  EXPECT_EQ(opened->verifier, attempt.verifier);
  EXPECT_EQ(opened->next, attempt.next);
  EXPECT_EQ(opened->started_at, attempt.started_at);
}

TEST(SealedCookie, FitsACookieAndNeedsNoQuotes) {
  const auto sealed = cookie().seal(SignInAttempt::begin("/" + std::string(500, '"'), kNow));
  EXPECT_LE(sealed.size(), 2048U);
  EXPECT_EQ(sealed.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
            std::string::npos);
}

TEST(SealedCookie, EndsAfterTenMinutes) {
  const auto sealed = cookie().seal(SignInAttempt::begin("/mcp", kNow));
  EXPECT_TRUE(cookie().open(sealed, kNow + 10min));
  EXPECT_FALSE(cookie().open(sealed, kNow + 10min + 1s));
  EXPECT_TRUE(cookie().open(sealed, kNow - 1min));
  EXPECT_FALSE(cookie().open(sealed, kNow - 1min - 1s));
}

TEST(SealedCookie, OpensNothingThatItDidNotSeal) {
  const auto sealed = cookie().seal(SignInAttempt::begin("/mcp", kNow));
  EXPECT_FALSE(cookie('q').open(sealed, kNow));
  for (const std::string& text : {std::string(), std::string("x"), sealed + "A", sealed.substr(1),
                                  std::string(R"({"state":"a"})"), std::string(1'000'000, 'A')})
    EXPECT_FALSE(cookie().open(text, kNow));
  // Something else that the same key sealed for the same purpose, were there such a thing.
  const access::SealedBox box(Secret(std::string(32, 'k')), "sign-in cookie");
  for (const char* text : {"", "{}", "[]", "null", R"({"state":1,"nonce":2,"verifier":3,"next":4,"started_at":"x"})"})
    EXPECT_FALSE(cookie().open(box.seal(text), kNow)) << text;
}

}  // namespace
}  // namespace toolhost::portal
