#include "portal/router.hpp"

#include <gmock/gmock.h>

#include "portal/portal.hpp"

namespace toolhost::portal {
namespace {

using ::testing::ElementsAre;
using ::testing::Eq;
using ::testing::IsEmpty;
using ::testing::Optional;

TEST(Router, MatchesWholePathsAndTakesTheirParts) {
  EXPECT_THAT(match_path("/mcp", "/mcp"), Optional(IsEmpty()));
  EXPECT_THAT(match_path("/mcp/keys/*/delete", "/mcp/keys/17/delete"), Optional(ElementsAre("17")));
  EXPECT_THAT(match_path("/mcp/team/*/keys/*", "/mcp/team/acme/keys/3"), Optional(ElementsAre("acme", "3")));
}

TEST(Router, TakesNothingElse) {
  for (const auto* path : {"/mcp/", "/mcp/keys/", "/mcp/keys//", "/mcp/keys", "/mcp/keys/1/", "/mcp/keys/1/x", "", "/",
                           "/mcp/keysx", "mcp/keys/1"})
    EXPECT_THAT(match_path("/mcp/keys/*", path), Eq(std::nullopt)) << path;
}

transport::HttpRequest request(transport::Method method, std::string_view path, std::string_view accept) {
  transport::HttpRequest request;
  request.method = method;
  request.path = path;
  request.accept = accept;
  return request;
}

TEST(Router, ReadsAcceptAsAList) {
  for (const auto* accept : {"text/html", "Text/HTML;q=0.1", "*/*;q=0.5, text/html ; level=1 ; q=0.0001",
                             "application/xhtml+xml,\ttext/html"})
    EXPECT_TRUE(accepts_html(accept)) << accept;
  for (const auto* accept : {"", "*/*", "text/*", "text/htmlx", "xtext/html", "text/html;q=0, text/event-stream",
                             "text/html; Q=0.000", "application/json;x=text/html", ",;,"})
    EXPECT_FALSE(accepts_html(accept)) << accept;
}

TEST(Router, LeavesToMcpWhatProgramsAskForBelowIt) {
  using transport::Method;
  EXPECT_TRUE(is_for_portal(request(Method::kGet, "/mcp/nothing", "text/html")));
  EXPECT_TRUE(is_for_portal(request(Method::kDelete, "/mcp/keys/1", "")));
  for (const auto* accept : {"text/html", "application/json", ""})
    for (const auto* path : {"/mcp/.well-known/openid-configuration", "/mcp/.well-known/oauth-protected-resource"})
      EXPECT_FALSE(is_for_portal(request(Method::kGet, path, accept))) << path;
  for (const auto method : {Method::kGet, Method::kPost, Method::kDelete})
    EXPECT_FALSE(is_for_portal(request(method, "/mcp/", "application/json, text/event-stream")));
  EXPECT_FALSE(is_for_portal(request(Method::kPost, "/mcp/register", "application/json")));
}

TEST(Router, LeavesToMcpWhatIsItsOwn) {
  using transport::Method;
  EXPECT_TRUE(is_for_portal(request(Method::kGet, "/mcp", "text/html,application/xhtml+xml,*/*;q=0.8")));
  EXPECT_TRUE(is_for_portal(request(Method::kPost, "/mcp/keys/new", "*/*")));
  EXPECT_FALSE(is_for_portal(request(Method::kGet, "/mcp", "text/event-stream")));
  EXPECT_FALSE(is_for_portal(request(Method::kGet, "/mcp", "application/json, text/event-stream")));
  EXPECT_FALSE(is_for_portal(request(Method::kGet, "/mcp", "*/*")));
  EXPECT_FALSE(is_for_portal(request(Method::kGet, "/mcp", "")));
  EXPECT_FALSE(is_for_portal(request(Method::kPost, "/mcp", "text/html")));
  EXPECT_FALSE(is_for_portal(request(Method::kDelete, "/mcp", "text/html")));
  EXPECT_FALSE(is_for_portal(request(Method::kGet, "/mcpx", "text/html")));
  EXPECT_FALSE(is_for_portal(request(Method::kGet, "/sse", "text/html")));
}

}  // namespace
}  // namespace toolhost::portal
