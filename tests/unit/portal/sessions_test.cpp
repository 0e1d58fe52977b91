#include "portal/sessions.hpp"

#include <gtest/gtest.h>

#include "access/crypto.hpp"
#include "base/base64url.hpp"
#include "unit/portal/fake_portal_store.hpp"

namespace toolhost::portal {
namespace {

using namespace std::chrono_literals;

const storage::NewPerson kAna{.issuer = "https://issuer.example",
                              .subject = "1",
                              .email = "ana@acme.example",
                              .name = "Ana",
                              .email_verified = true};

class SessionsTest : public testing::Test {
 protected:
  std::string start(std::string_view old_cookie = {}) {
    auto cookie = sessions_.start(kAna, old_cookie, "Firefox", "192.0.2.1");
    EXPECT_TRUE(cookie);
    return cookie ? *cookie : std::string();
  }
  bool is_signed_in(std::string_view cookie) {
    const auto found = sessions_.find(cookie);
    EXPECT_TRUE(found);
    return found && found->has_value();
  }

  FakePortalStore store_;
  Sessions sessions_{store_};
};

TEST_F(SessionsTest, ACookieIs32RandomBytesThatTheDatabaseDoesNotKnow) {
  const auto cookie = start();
  const auto id = from_base64url(cookie);
  ASSERT_TRUE(id);
  EXPECT_EQ(id->size(), 32U);
  EXPECT_TRUE(store_.sessions.contains(access::sha256(*id)));
  EXPECT_NE(start(), cookie);

  const auto found = sessions_.find(cookie);
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->person.email, "ana@acme.example");
  EXPECT_EQ((*found)->session.user_agent, "Firefox");
  EXPECT_EQ((*found)->session.address, "192.0.2.1");
  EXPECT_EQ((*found)->id, access::sha256(*id));
}

TEST_F(SessionsTest, WhatIsNoCookieOfOursIsNobody) {
  const auto cookie = start();
  for (const std::string& other : {std::string(), std::string("x"), cookie + "A", cookie.substr(1), cookie + "=",
                                   std::string(43, 'A'), std::string(100'000, 'A'), std::string("' or 1=1 --")})
    EXPECT_FALSE(is_signed_in(other)) << other.substr(0, 60);
  store_.failure = Error{Errc::kUnavailable, "no database", ""};
  EXPECT_FALSE(is_signed_in("nonsense")) << "without asking the database";
}

TEST_F(SessionsTest, SigningInNeverGoesOnWithAnIdThatWasThereBefore) {
  const auto planted = start();
  const auto cookie = start(planted);
  EXPECT_NE(cookie, planted);
  EXPECT_TRUE(is_signed_in(cookie));
  EXPECT_FALSE(is_signed_in(planted));
  const auto chosen = to_base64url(std::string(32, 'x'));
  EXPECT_NE(start(chosen), chosen);
  EXPECT_FALSE(is_signed_in(chosen));
}

TEST_F(SessionsTest, EndsOneOrAll) {
  const auto one = start(), two = start();
  EXPECT_TRUE(sessions_.end(one));
  EXPECT_TRUE(sessions_.end(one));
  EXPECT_TRUE(sessions_.end("nonsense"));
  EXPECT_FALSE(is_signed_in(one));
  EXPECT_TRUE(is_signed_in(two));
}

TEST_F(SessionsTest, WritesThatSomebodyIsHereAtMostOnceAMinute) {
  const auto cookie = start();
  for (int i = 0; i < 59; ++i) {
    store_.now += 1s;
    EXPECT_TRUE(is_signed_in(cookie));
  }
  EXPECT_EQ(store_.touches, 0);
  store_.now += 1s;
  EXPECT_TRUE(is_signed_in(cookie));
  EXPECT_TRUE(is_signed_in(cookie));
  EXPECT_EQ(store_.touches, 1);
}

TEST_F(SessionsTest, ADatabaseThatDoesNotAnswerIsNoMissingSession) {
  const auto cookie = start();
  store_.failure = Error{Errc::kUnavailable, "no database", ""};
  EXPECT_EQ(sessions_.find(cookie).error().code, Errc::kUnavailable);
  EXPECT_EQ(sessions_.end(cookie).error().code, Errc::kUnavailable);
  EXPECT_EQ(sessions_.start(kAna, {}, {}, {}).error().code, Errc::kUnavailable);
}

TEST(SessionCookie, IsBoundToTheHostAndHiddenFromScripts) {
  EXPECT_EQ(set_session_cookie("abc", true),
            "Set-Cookie: __Host-toolhost=abc; Path=/; HttpOnly; SameSite=Lax; Max-Age=604800; Secure\r\n");
  EXPECT_EQ(set_session_cookie("abc", false),
            "Set-Cookie: toolhost=abc; Path=/; HttpOnly; SameSite=Lax; Max-Age=604800\r\n");
  EXPECT_EQ(set_session_cookie("", true),
            "Set-Cookie: __Host-toolhost=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0; Secure\r\n");
}

}  // namespace
}  // namespace toolhost::portal
