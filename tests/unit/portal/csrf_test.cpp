#include "portal/csrf.hpp"

#include <gtest/gtest.h>

#include <set>

namespace toolhost::portal {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kBase = "https://help.acme.example";
constexpr storage::Moment kNow{1'800'000'000s};

storage::SecretHash session(std::uint8_t seed) {
  storage::SecretHash hash{};
  hash.fill(seed);
  return hash;
}

class FormTokensTest : public testing::Test {
 protected:
  const FormTokens tokens_{Secret(std::string(32, 's'))};
};

TEST(SameOrigin, TakesABrowsersWordForIt) {
  EXPECT_TRUE(is_same_origin("https://help.acme.example", "same-origin", kBase));
  EXPECT_TRUE(is_same_origin("https://help.acme.example", "", kBase)) << "before Fetch Metadata, or without HTTPS";
  EXPECT_TRUE(is_same_origin("", "same-origin", kBase));
  EXPECT_TRUE(is_same_origin("null", "same-origin", kBase)) << "a page that hides where it is";
  EXPECT_TRUE(is_same_origin("https://help.acme.example", "none", kBase)) << "the same form, loaded anew";
  EXPECT_TRUE(is_same_origin("https://HELP.acme.example", "same-origin", kBase));
  EXPECT_TRUE(is_same_origin("https://help.acme.example", "", "https://help.acme.example:443/"));
  EXPECT_TRUE(is_same_origin("https://help.acme.example", "", "https://help.acme.example/toolhost")) << "a path";
  EXPECT_TRUE(is_same_origin("http://localhost:8080", "", "http://localhost:8080"));
  EXPECT_TRUE(is_same_origin("http://localhost", "", "http://localhost:80"));
}

TEST(SameOrigin, RefusesEverythingElse) {
  EXPECT_FALSE(is_same_origin("", "", kBase)) << "nothing was said";
  EXPECT_FALSE(is_same_origin("null", "", kBase));
  EXPECT_FALSE(is_same_origin("null", "cross-site", kBase));
  for (const char* origin : {"https://evil.example", "http://help.acme.example", "https://help.acme.example:8443",
                             "https://help.acme.example.evil.example", "https://evil.example/https://help.acme.example",
                             "https://help.acme.exampl", "https://acme.example", "help.acme.example"}) {
    EXPECT_FALSE(is_same_origin(origin, "", kBase)) << origin;
    EXPECT_FALSE(is_same_origin(origin, "same-origin", kBase)) << origin;
  }
  for (const char* site : {"cross-site", "same-site", "Same-Origin", "same-origin, cross-site", "none, none"}) {
    EXPECT_FALSE(is_same_origin("https://help.acme.example", site, kBase)) << site;
    EXPECT_FALSE(is_same_origin("", site, kBase)) << site;
  }
  EXPECT_FALSE(is_same_origin("", "none", kBase));
  EXPECT_FALSE(is_same_origin("https://evil.example", "none", kBase));
  EXPECT_FALSE(is_same_origin("https://x", "", ""));
}

TEST_F(FormTokensTest, ATokenIsOfOneSessionAndOneHost) {
  const auto token = tokens_.of(session(1));
  EXPECT_TRUE(tokens_.accepts(token, session(1)));
  EXPECT_FALSE(tokens_.accepts(token, session(2)));
  EXPECT_FALSE(tokens_.accepts("", session(1)));
  EXPECT_FALSE(tokens_.accepts(token + "A", session(1)));
  EXPECT_FALSE(tokens_.accepts(token.substr(1), session(1)));
  EXPECT_FALSE(FormTokens(Secret(std::string(32, 't'))).accepts(token, session(1)));
  EXPECT_EQ(FormTokens(Secret(std::string(32, 's'))).of(session(1)), token) << "hosts of one database share it";
}

TEST_F(FormTokensTest, AFormThatIsSentOnceHasATokenOfItsOwn) {
  std::set<std::string> all;
  for (int i = 0; i < 100; ++i) all.insert(tokens_.once(session(1), kNow));
  EXPECT_EQ(all.size(), 100U);
  const auto token = *all.begin();
  const auto read = tokens_.read_once(token, session(1), kNow);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->good_until, kNow + 12h);
  EXPECT_EQ(tokens_.read_once(token, session(1), kNow + 5h)->hash, read->hash);
  EXPECT_NE(tokens_.read_once(*all.rbegin(), session(1), kNow)->hash, read->hash);
  EXPECT_FALSE(tokens_.read_once(token, session(1), kNow + 12h)) << "not good any more";
  EXPECT_FALSE(tokens_.read_once(token, session(2), kNow));
  EXPECT_FALSE(tokens_.accepts(token, session(1))) << "one kind is not the other";
  EXPECT_FALSE(tokens_.read_once(tokens_.of(session(1)), session(1), kNow));
}

TEST_F(FormTokensTest, EveryChangeOfATokenIsNoticed) {
  const auto token = tokens_.once(session(1), kNow);
  for (std::size_t at = 0; at < token.size(); ++at) {
    auto changed = token;
    changed[at] = changed[at] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(tokens_.read_once(changed, session(1), kNow)) << at;
  }
  for (const std::string& other : {std::string(), token + "AAAA", token.substr(4), std::string(100'000, 'A')})
    EXPECT_FALSE(tokens_.read_once(other, session(1), kNow));
}

}  // namespace
}  // namespace toolhost::portal
