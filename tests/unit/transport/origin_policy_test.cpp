#include "transport/origin_policy.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace toolhost::transport {
namespace {

using testing::HasSubstr;

OriginPolicy policy(std::string address, std::vector<std::string> origins = {}, std::vector<std::string> hosts = {}) {
  HttpServerConfig config;
  config.address = std::move(address);
  config.allowed_origins = std::move(origins);
  config.allowed_hosts = std::move(hosts);
  return OriginPolicy(config);
}

bool allows(const OriginPolicy& policy, std::string_view origin, std::string_view host) {
  const Refusal* refusal = policy.check(origin, host);
  if (refusal) EXPECT_EQ(refusal->status, 403U);
  return refusal == nullptr;
}

TEST(OriginPolicy, OnLoopbackAcceptsLoopbackNamesWithAnyPort) {
  const OriginPolicy local = policy("127.0.0.1");
  for (const char* host : {"localhost", "LOCALHOST:8080", "127.0.0.1:1", "[::1]", "[::1]:6274"}) {
    EXPECT_TRUE(allows(local, "", host)) << host;
    EXPECT_TRUE(allows(local, std::string("http://") + host, host)) << host;
    EXPECT_TRUE(allows(local, std::string("https://") + host, host)) << host;
  }
}

TEST(OriginPolicy, OnLoopbackRefusesEveryOtherHost) {
  const OriginPolicy local = policy("::1");
  for (const char* host : {"evil.example.com", "localhost.evil.com", "127.0.0.1.evil.com:80", "", "[::1",
                           "localhost:80:80", "localhost:x", "127.0.0.1@evil.com", "2130706433", "0.0.0.0"}) {
    EXPECT_FALSE(allows(local, "", host)) << host;
  }
}

TEST(OriginPolicy, OnLoopbackRefusesEveryOtherOrigin) {
  const OriginPolicy local = policy("127.0.0.1");
  for (const char* origin :
       {"http://evil.example.com", "null", "http://localhost.evil.com", "http://localhost@evil.com", "file://",
        "ftp://localhost", "http://localhost/", "http://", "localhost"}) {
    EXPECT_FALSE(allows(local, origin, "localhost")) << origin;
  }
}

TEST(OriginPolicy, APublicAddressTrustsItsListAlone) {
  const OriginPolicy open = policy("0.0.0.0", {"https://app.example.com"}, {"tools.example.com"});
  EXPECT_TRUE(allows(open, "https://app.example.com", "tools.example.com"));
  EXPECT_TRUE(allows(open, "https://APP.example.com", "tools.example.com:443"));
  EXPECT_TRUE(allows(open, "", "localhost"));
  EXPECT_FALSE(allows(open, "http://app.example.com", "tools.example.com"));
  EXPECT_FALSE(allows(open, "http://localhost:3000", "tools.example.com"));
  EXPECT_FALSE(allows(open, "", "other.example.com"));
}

TEST(OriginPolicy, APublicAddressWithoutAHostListAnswersToEveryName) {
  EXPECT_TRUE(allows(policy("0.0.0.0"), "", "whatever.example.com"));
  EXPECT_FALSE(allows(policy("0.0.0.0"), "http://localhost", "whatever.example.com"));
}

TEST(OriginPolicy, AListedHostWithAPortMeansThatPort) {
  const OriginPolicy local = policy("127.0.0.1", {}, {"tools.test:8443"});
  EXPECT_TRUE(allows(local, "", "tools.test:8443"));
  EXPECT_FALSE(allows(local, "", "tools.test:80"));
}

TEST(OriginPolicy, ThePublicUrlIsAllowedAndNothingElseBesides) {
  HttpServerConfig config;
  config.address = "127.0.0.1";
  config.public_url = "https://Tools.test/somewhere";
  const OriginPolicy proxied(config);
  EXPECT_TRUE(allows(proxied, "https://tools.test", "tools.test"));
  EXPECT_FALSE(allows(proxied, "http://tools.test", "tools.test"));
  EXPECT_FALSE(allows(proxied, "", "tools.test:8080"));
  EXPECT_FALSE(allows(proxied, "", "sub.tools.test"));

  config.address = "0.0.0.0";
  EXPECT_TRUE(allows(OriginPolicy(config), "https://tools.test", "whatever.test"));
  EXPECT_FALSE(allows(OriginPolicy(config), "https://whatever.test", "whatever.test"));
}

TEST(OriginPolicy, ForAnyHostStillLooksAtTheOrigin) {
  HttpServerConfig config;
  config.allowed_hosts = {"tools.test"};
  const OriginPolicy open(config, OriginPolicy::Hosts::kAny);
  EXPECT_TRUE(allows(open, "", "whatever.test"));
  EXPECT_FALSE(allows(open, "https://whatever.test", "whatever.test"));
}

TEST(OriginPolicy, CorsFieldsNameTheOriginOnlyWhenThereIsOne) {
  EXPECT_EQ(OriginPolicy::cors_fields(""), "");
  const std::string fields = OriginPolicy::cors_fields("http://localhost:6274");
  EXPECT_THAT(fields, HasSubstr("Access-Control-Allow-Origin: http://localhost:6274\r\n"));
  EXPECT_THAT(fields, HasSubstr("Access-Control-Expose-Headers: Mcp-Session-Id, WWW-Authenticate\r\n"));
  EXPECT_THAT(fields, HasSubstr("Vary: Origin\r\n"));
}

TEST(OriginPolicy, PreflightAllowsWhatMcpClientsSend) {
  const std::string fields = OriginPolicy::preflight_fields("content-type, mcp-param-region,x-other, mcp-param-b d");
  EXPECT_THAT(fields, HasSubstr("Access-Control-Allow-Methods: GET, POST, DELETE\r\n"));
  for (const char* name : {"Content-Type", "Accept", "Authorization", "X-API-Key", "Mcp-Session-Id",
                           "MCP-Protocol-Version", "Mcp-Method", "Mcp-Name", "Last-Event-ID"}) {
    EXPECT_THAT(fields, HasSubstr(name));
  }
  EXPECT_THAT(fields, HasSubstr("Last-Event-ID, mcp-param-region\r\n"));
}

}  // namespace
}  // namespace toolhost::transport
