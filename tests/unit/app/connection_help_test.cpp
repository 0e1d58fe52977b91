#include "app/commands/connection_help.hpp"

#include <gtest/gtest.h>

namespace toolhost::app {
namespace {

TEST(ConnectionHelp, FillsAddressAndKeyIntoEverySnippet) {
  const std::string text = connection_snippets("http://127.0.0.1:8080", "hdsk_KEY");

  EXPECT_NE(text.find(R"("url": "http://127.0.0.1:8080/sse")"), std::string::npos);
  EXPECT_NE(text.find(R"("type": "sse")"), std::string::npos);
  EXPECT_NE(text.find(R"("X-API-Key": "hdsk_KEY")"), std::string::npos);
  EXPECT_NE(text.find(R"("-y", "mcp-remote", "http://127.0.0.1:8080/sse",)"), std::string::npos);
  EXPECT_NE(text.find(R"("--header", "X-API-Key:${HELPDESK_KEY}")"), std::string::npos);
  EXPECT_EQ(text.find("--allow-http"), std::string::npos);
  EXPECT_NE(text.find("Authorization: Bearer hdsk_KEY"), std::string::npos);
  EXPECT_EQ(text.find('@'), std::string::npos);
}

TEST(ConnectionHelp, PlainHttpElsewhereIsAllowedByName) {
  EXPECT_NE(connection_snippets("http://helpdesk.lan:8080", "hdsk_KEY").find(R"("--allow-http", "--header")"),
            std::string::npos);
  EXPECT_EQ(connection_snippets("https://mcp.acme.example", "hdsk_KEY").find("--allow-http"), std::string::npos);
}

}  // namespace
}  // namespace toolhost::app
