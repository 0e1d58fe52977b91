#include "portal/portal_request.hpp"

#include <gmock/gmock.h>

namespace toolhost::portal {
namespace {

using ::testing::ElementsAre;

TEST(PortalRequest, ReadsForms) {
  const auto form = parse_form("name=Claude+Desktop&plugin=tickets&plugin=tasks&note=%C3%A4%3Cb%3E&empty=&&flag");
  ASSERT_TRUE(form);
  EXPECT_EQ(form->get("name"), "Claude Desktop");
  EXPECT_THAT(form->all("plugin"), ElementsAre("tickets", "tasks"));
  EXPECT_EQ(form->get("note"), "ä<b>");
  EXPECT_TRUE(form->has("flag"));
  EXPECT_FALSE(form->has("nothing"));
}

TEST(PortalRequest, RefusesFormsThatAreNone) {
  EXPECT_FALSE(parse_form("name=%"));
  EXPECT_FALSE(parse_form("name=%4"));
  EXPECT_FALSE(parse_form("name=%zz"));
  std::string many;
  for (int i = 0; i < 101; ++i) many += "a=b&";
  EXPECT_FALSE(parse_form(many));
}

TEST(PortalRequest, ReadsCookies) {
  const auto cookies = parse_cookies("a=1; __Host-toolhost=abc_-=; a=2;  b ; =x");
  EXPECT_EQ(cookies.get("a"), "1");
  EXPECT_EQ(cookies.get("__Host-toolhost"), "abc_-=");
  EXPECT_TRUE(cookies.has("b"));
  EXPECT_FALSE(cookies.has(""));
}

TEST(PortalRequest, LeadsBackToPagesOfThePortalOnly) {
  for (const auto* ours : {"/mcp", "/mcp/keys", "/mcp/keys/17/delete", "/mcp?done=deleted"})
    EXPECT_EQ(safe_next(ours), ours);
  for (const auto* foreign :
       {"", "/", "//evil.example/mcp", "https://evil.example", "/mcp//evil.example", "/mcp/../x", "/mcp\\evil",
        "/mcpevil", "mcp", "/mcp/\r\nSet-Cookie: a=b", "/mcp/a b", "/mcp/\t", "/mcp/sign-out", "/mcp/sign-in/callback"})
    EXPECT_EQ(safe_next(foreign), "/mcp") << foreign;
}

TEST(PortalRequest, KnowsWhereThePersonsBrowserIs) {
  transport::HttpRequest from;
  from.host = "127.0.0.1:8080";
  EXPECT_EQ(make_portal_request(from, "").base_url, "http://127.0.0.1:8080");
  from.is_https = true;
  EXPECT_EQ(make_portal_request(from, "").base_url, "https://127.0.0.1:8080");
  EXPECT_TRUE(make_portal_request(from, "").is_secure);
  EXPECT_EQ(make_portal_request(from, "https://mcp.acme.example").base_url, "https://mcp.acme.example");
  EXPECT_FALSE(make_portal_request(from, "http://localhost:8080").is_secure);
}

TEST(PortalRequest, TakesSmallFormsOfItsOwnKindOnly) {
  transport::HttpRequest from;
  from.method = transport::Method::kPost;
  from.content_type = "application/x-www-form-urlencoded; charset=UTF-8";
  from.body = "name=a";
  EXPECT_EQ(make_portal_request(from, "").form.get("name"), "a");
  from.content_type = "text/plain";
  EXPECT_FALSE(make_portal_request(from, "").problem.empty());
  from.content_type = "application/x-www-form-urlencoded";
  const std::string large = "name=" + std::string(kMaxFormBytes, 'a');
  from.body = large;
  EXPECT_FALSE(make_portal_request(from, "").problem.empty());
  EXPECT_TRUE(make_portal_request(from, "").form.empty());
}

TEST(PortalRequest, ReadsIds) {
  EXPECT_EQ(parse_id("17"), 17);
  for (const auto* text : {"", "0", "-1", "1x", " 1", "99999999999999999999"}) EXPECT_FALSE(parse_id(text)) << text;
}

}  // namespace
}  // namespace toolhost::portal
