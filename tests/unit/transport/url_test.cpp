#include "transport/url.hpp"

#include <gtest/gtest.h>

namespace toolhost::transport {
namespace {

TEST(Url, IsTakenApart) {
  const auto url = parse_url("HTTPS://Accounts.Example:8443/o/authorize?a=b&c=%20").value();
  EXPECT_TRUE(url.is_https);
  EXPECT_EQ(url.host, "accounts.example");
  EXPECT_EQ(url.port, 8443);
  EXPECT_EQ(url.target, "/o/authorize?a=b&c=%20");
  EXPECT_EQ(url.authority(), "accounts.example:8443");
  EXPECT_EQ(url.origin(), "https://accounts.example:8443");
}

TEST(Url, KnowsTheUsualPorts) {
  EXPECT_EQ(parse_url("https://a.example")->port, 443);
  EXPECT_EQ(parse_url("https://a.example:443/x")->origin(), "https://a.example");
  EXPECT_EQ(parse_url("http://a.example")->port, 80);
  EXPECT_EQ(parse_url("http://a.example:443")->origin(), "http://a.example:443");
  EXPECT_EQ(parse_url("https://a.example")->target, "/");
  EXPECT_EQ(parse_url("https://a.example?x=1")->target, "/?x=1");
}

TEST(Url, MayNameAnAddress) {
  const auto url = parse_url("http://[::1]:8080/x").value();
  EXPECT_EQ(url.host, "::1");
  EXPECT_EQ(url.port, 8080);
  EXPECT_EQ(url.authority(), "[::1]:8080");
  EXPECT_TRUE(url.is_loopback());
  EXPECT_TRUE(parse_url("http://127.0.0.1")->is_loopback());
  EXPECT_TRUE(parse_url("http://LOCALHOST:1/")->is_loopback());
  for (const char* other : {"http://127.0.0.1.evil.example", "http://localhost.evil.example", "http://10.0.0.1",
                            "http://0.0.0.0", "http://[::2]"})
    EXPECT_FALSE(parse_url(other)->is_loopback()) << other;
}

TEST(Url, RefusesEverythingElse) {
  for (const std::string& text : {std::string(),
                                  std::string("a.example"),
                                  std::string("//a.example"),
                                  std::string("ftp://a.example"),
                                  std::string("javascript://a.example"),
                                  std::string("https://"),
                                  std::string("https:///x"),
                                  std::string("https://user@a.example"),
                                  std::string("https://a.example@evil.example/"),
                                  std::string("https://a.example/#x"),
                                  std::string("https://a.example:0"),
                                  std::string("https://a.example:"),
                                  std::string("https://a.example:65536"),
                                  std::string("https://a.example:4x"),
                                  std::string("https://a.example:-1"),
                                  std::string("https://a b.example"),
                                  std::string("https://a.example/ x"),
                                  std::string("https://a.example/\r\nX: y"),
                                  std::string("https://a.example/\\evil"),
                                  std::string("https://a\\evil.example"),
                                  std::string("https://\xc3\xa4.example"),
                                  std::string("https://a.example/\xc3\xa4"),
                                  std::string("https://[::1"),
                                  std::string("https://[::1]x"),
                                  std::string("https://[]"),
                                  std::string("https://[a.example]"),
                                  std::string("https://a.example/\"<>"),
                                  std::string("https://a.example/\0", 19),
                                  "https://a.example/" + std::string(3000, 'x'),
                                  "https://" + std::string(300, 'a')})
    EXPECT_FALSE(parse_url(text)) << text;
}

TEST(FormEncoded, EscapesEverythingThatIsNotUnreserved) {
  EXPECT_EQ(form_encoded("aZ09-._~"), "aZ09-._~");
  EXPECT_EQ(form_encoded("a b&c=d+e\n\xc3\xa4/?"), "a%20b%26c%3Dd%2Be%0A%C3%A4%2F%3F");
  EXPECT_EQ(form_encoded(FormFields{{"scope", "openid email"}, {"a", ""}}), "scope=openid%20email&a=");
}

}  // namespace
}  // namespace toolhost::transport
