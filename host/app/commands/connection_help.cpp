#include "app/commands/connection_help.hpp"

namespace toolhost::app {
namespace {

// The header stands without a space after the colon and the key in "env": on Windows a space inside an argument breaks
// mcp-remote.
constexpr std::string_view kTemplate = R"(Claude Code: .mcp.json in your project

{
  "mcpServers": {
    "helpdesk": {
      "type": "sse",
      "url": "@URL@/sse",
      "headers": { "X-API-Key": "@KEY@" }
    }
  }
}

Claude Desktop: claude_desktop_config.json

{
  "mcpServers": {
    "helpdesk": {
      "command": "npx",
      "args": ["-y", "mcp-remote", "@URL@/sse", "--header", "X-API-Key:${HELPDESK_KEY}"],
      "env": { "HELPDESK_KEY": "@KEY@" }
    }
  }
}

Any other assistant

  URL        @URL@/sse   (HTTP with SSE or Streamable HTTP; @URL@/mcp is the same)
  Header     X-API-Key: @KEY@
  or         Authorization: Bearer @KEY@
)";

}  // namespace

std::string connection_snippets(std::string_view base_url, std::string_view api_key) {
  std::string out;
  std::string_view rest = kTemplate;
  while (!rest.empty()) {
    const auto at = rest.find('@');
    out += rest.substr(0, at);
    if (at == std::string_view::npos) break;
    rest.remove_prefix(at);
    const bool is_url = rest.starts_with("@URL@");
    out += is_url ? base_url : api_key;
    rest.remove_prefix(5);
  }
  return out;
}

}  // namespace toolhost::app
