#include "transport/https_redirect.hpp"

#include <gtest/gtest.h>

namespace toolhost::transport {
namespace {

HttpServerConfig config(std::string public_url, std::vector<std::string> hosts = {}) {
  HttpServerConfig made;
  made.address = "0.0.0.0";
  made.public_url = std::move(public_url);
  made.allowed_hosts = std::move(hosts);
  return made;
}

TEST(HttpsAddress, KeepsANameThatIsAllowed) {
  const HttpsAddress address(config("https://tools.test", {"mcp.test", "other.test:80"}), 443);
  EXPECT_EQ(address.of("mcp.test", "/mcp", ""), "https://mcp.test/mcp");
  EXPECT_EQ(address.of("MCP.test:80", "/a%20b", "c=d&e"), "https://MCP.test/a%20b?c=d&e");
  EXPECT_EQ(address.of("other.test", "/", ""), "https://other.test/");
  EXPECT_EQ(address.of("localhost", "/", ""), "https://localhost/");
}

TEST(HttpsAddress, NamesItsPort) {
  EXPECT_EQ(HttpsAddress(config("", {"mcp.test"}), 8443).of("mcp.test:8080", "/", ""), "https://mcp.test:8443/");
  EXPECT_EQ(HttpsAddress(config(""), 8443).of("[::1]:80", "/", ""), "https://[::1]:8443/");
}

TEST(HttpsAddress, AnyOtherNameBecomesThePublicOne) {
  const HttpsAddress address(config("https://tools.test:8443", {"mcp.test"}), 443);
  for (const char* host :
       {"evil.test", "tools.test", "tools.test:80", "", "mcp.test.evil.test", "mcp.test@evil.test", "a:b:c"})
    EXPECT_EQ(address.of(host, "/mcp", ""), "https://tools.test:8443/mcp") << host;
}

TEST(HttpsAddress, IsNotGuessed) {
  EXPECT_EQ(HttpsAddress(config(""), 443).of("evil.test", "/", ""), "");
  EXPECT_EQ(HttpsAddress(config("http://tools.test"), 443).of("tools.test", "/", ""), "");
}

TEST(HttpsAddress, OfAnAsteriskIsTheRoot) {
  EXPECT_EQ(HttpsAddress(config("https://tools.test"), 443).of("", "*", ""), "https://tools.test/");
}

}  // namespace
}  // namespace toolhost::transport
