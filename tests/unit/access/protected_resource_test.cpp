// What clients are told about getting access tokens.
#include "access/protected_resource.hpp"

#include <gtest/gtest.h>

namespace toolhost::access {
namespace {

TokenConfig config(std::string resource) {
  TokenIssuer issuer{.issuer = "https://id.example"};
  issuer.scopes = {{.name = "tickets:read"}, {.name = "tickets:write"}};
  return {.resource = std::move(resource), .issuers = {issuer}};
}

std::string document(const ProtectedResource& resource, std::string_view path) {
  const auto* const found = resource.metadata_at(path);
  return found == nullptr ? "none" : *found;
}

TEST(ProtectedResource, DescribesItselfWhereClientsLook) {
  const ProtectedResource resource(config("https://mcp.example/mcp"));
  const auto described = [](const std::string& name) {
    return R"({"resource":")" + name + R"(","authorization_servers":["https://id.example"],)" +
           R"("scopes_supported":["tickets:read","tickets:write"],"bearer_methods_supported":["header"]})";
  };
  EXPECT_EQ(document(resource, "/.well-known/oauth-protected-resource/mcp"), described("https://mcp.example/mcp"));
  EXPECT_EQ(document(resource, "/.well-known/oauth-protected-resource/sse"), described("https://mcp.example/sse"));
  EXPECT_EQ(document(resource, "/.well-known/oauth-protected-resource"), described("https://mcp.example/mcp"));
  for (const char* nothing :
       {"/.well-known/oauth-protected-resource/", "/.well-known/oauth-protected-resource/messages",
        "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration", "/register", ""}) {
    EXPECT_EQ(document(resource, nothing), "none") << nothing;
  }
}

TEST(ProtectedResource, StandsBehindAPathToo) {
  const ProtectedResource resource(config("https://tools.example/desk/mcp"));
  EXPECT_NE(document(resource, "/.well-known/oauth-protected-resource/desk/mcp"), "none");
  EXPECT_NE(document(resource, "/.well-known/oauth-protected-resource/desk/sse"), "none");
  EXPECT_NE(resource.challenge("/mcp").find("\"https://tools.example/.well-known/oauth-protected-resource/desk/mcp\""),
            std::string::npos);
  EXPECT_EQ(resource.names().back(), "https://tools.example/desk/sse");
}

TEST(ProtectedResource, HasOneNameWhenItsAddressIsAnother) {
  const ProtectedResource resource(config("https://mcp.example"));
  EXPECT_EQ(resource.names().size(), 1U);
  EXPECT_EQ(resource.challenge("/sse"),
            "Bearer resource_metadata=\"https://mcp.example/.well-known/oauth-protected-resource\", "
            "scope=\"tickets:read tickets:write\"");
}

TEST(ProtectedResource, ChallengesForTheAddressThatWasAsked) {
  auto wanted = config("https://mcp.example/mcp");
  wanted.scopes = {"tickets:read"};
  const ProtectedResource resource(wanted);
  EXPECT_EQ(resource.challenge("/mcp"),
            "Bearer resource_metadata=\"https://mcp.example/.well-known/oauth-protected-resource/mcp\", "
            "scope=\"tickets:read\"");
  EXPECT_EQ(
      resource.challenge_invalid("/messages", "It has expired."),
      "Bearer error=\"invalid_token\", error_description=\"It has expired.\", "
      "resource_metadata=\"https://mcp.example/.well-known/oauth-protected-resource/sse\", scope=\"tickets:read\"");
  EXPECT_EQ(resource.challenge_scopes("https://mcp.example/mcp", "tickets:read tickets:write"),
            "Bearer error=\"insufficient_scope\", "
            "resource_metadata=\"https://mcp.example/.well-known/oauth-protected-resource/mcp\", "
            "scope=\"tickets:read tickets:write\"");
}

}  // namespace
}  // namespace toolhost::access
