#include "portal/connection_snippets.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace toolhost::portal {
namespace {

/// `@URL@`, `@KEY@` and `@HTTP@` stand for the address, the key, and what mcp-remote wants to hear about plain HTTP.
struct Template {
  std::string_view id, title, where, paste;
  std::vector<std::string_view> steps;
  std::string_view text, note = {};
};

// The header stands without a space after the colon and the key in "env": on Windows a space inside an argument breaks
// mcp-remote.
constexpr std::string_view kClaudeDesktop = R"({
  "mcpServers": {
    "helpdesk": {
      "command": "npx",
      "args": [
        "-y", "mcp-remote", "@URL@/sse",
        @HTTP@"--header", "X-API-Key:${HELPDESK_KEY}"
      ],
      "env": { "HELPDESK_KEY": "@KEY@" }
    }
  }
})";

constexpr std::string_view kClaudeDesktopWindows = R"({
  "mcpServers": {
    "helpdesk": {
      "command": "cmd",
      "args": [
        "/c", "npx", "-y", "mcp-remote", "@URL@/sse",
        @HTTP@"--header", "X-API-Key:${HELPDESK_KEY}"
      ],
      "env": { "HELPDESK_KEY": "@KEY@" }
    }
  }
})";

constexpr std::string_view kNode =
    "Install Node.js from nodejs.org if you do not have it. Claude Desktop starts a small helper with it, mcp-remote.";
constexpr std::string_view kDesktopFile =
    "In Claude Desktop open Settings, then Developer, then Edit Config. Open the file claude_desktop_config.json that "
    "is "
    "shown, with any text editor.";
constexpr std::string_view kDesktopPaste =
    "Replace everything in the file with the text below and save it. If you use other servers already, add only the "
    "part "
    "\"helpdesk\" to yours.";
constexpr std::string_view kDesktopWithout =
    "Without Node.js: if Settings, Connectors, Add custom connector offers you a request header, enter the address "
    "@URL@/mcp, the header Authorization, and as its value the word Bearer, a space and your key. This needs an "
    "address "
    "that the internet reaches.";
constexpr std::string_view kNotInRepository =
    "The file now holds your key. Keep it out of repositories and shared folders.";
constexpr std::string_view kAsk = "Ask: “Show me all open tickets”.";

const std::vector<Template>& templates() {
  static const std::vector<Template> kTemplates{
      {"claude-code",
       "Claude Code",
       ".mcp.json in your project",
       ".mcp.json",
       {"Save this as .mcp.json in the folder of your project.", kNotInRepository,
        "Start Claude Code there and allow the new server. /mcp shows whether it is connected.", kAsk},
       R"({
  "mcpServers": {
    "helpdesk": {
      "type": "sse",
      "url": "@URL@/sse",
      "headers": { "X-API-Key": "@KEY@" }
    }
  }
})"},
      {"claude-desktop",
       "Claude Desktop on macOS",
       "claude_desktop_config.json",
       "~/Library/Application Support/Claude/claude_desktop_config.json",
       {kNode, kDesktopFile, kDesktopPaste, "Quit Claude Desktop (⌘Q) and open it again.", kAsk},
       kClaudeDesktop,
       kDesktopWithout},
      {"claude-desktop-windows",
       "Claude Desktop on Windows",
       "claude_desktop_config.json",
       "%APPDATA%\\Claude\\claude_desktop_config.json",
       {kNode, kDesktopFile, kDesktopPaste,
        "Quit Claude Desktop, also from the icons beside the clock, and open it again.", kAsk},
       kClaudeDesktopWindows,
       kDesktopWithout},
      {"chatgpt",
       "ChatGPT",
       "only where your account accepts a key",
       "What to enter",
       {"ChatGPT reaches only servers that the internet reaches, over https.",
        "In ChatGPT on the web open Settings, then Apps (or Connectors), then Advanced, and switch on Developer mode. "
        "Not "
        "every plan has it. Then choose Create.",
        "Enter the address below. If you are offered an API key or bearer token, paste your key there.",
        "Many accounts offer only OAuth. That is no fault of your key, but ChatGPT cannot use it then: take Codex, "
        "which "
        "comes with ChatGPT, or another assistant."},
       "Address    @URL@/mcp\nAPI key    @KEY@"},
      {"codex",
       "Codex",
       ".codex/config.toml in your home folder",
       "~/.codex/config.toml",
       {"Add this to the end of .codex/config.toml in your home folder; make the file if there is none.",
        "Start Codex. /mcp lists the tools.", kAsk},
       R"([mcp_servers.helpdesk]
url = "@URL@/mcp"
http_headers = { "X-API-Key" = "@KEY@" })"},
      {"cursor",
       "Cursor",
       ".cursor/mcp.json",
       ".cursor/mcp.json",
       {"Save this as .cursor/mcp.json in your home folder, or in one project.", kNotInRepository,
        "In Cursor open Settings, then MCP, and switch “helpdesk” on.", kAsk},
       R"({
  "mcpServers": {
    "helpdesk": {
      "url": "@URL@/mcp",
      "headers": { "X-API-Key": "@KEY@" }
    }
  }
})"},
      {"vscode",
       "VS Code",
       ".vscode/mcp.json",
       ".vscode/mcp.json",
       {"Save this as .vscode/mcp.json in your project. Your key is not in it, so you may share the file.",
        "Choose Start above “helpdesk” in that file and paste your key when you are asked for it. VS Code keeps it "
        "safe.",
        "In the chat choose Agent. Then ask: “Show me all open tickets”."},
       R"({
  "inputs": [
    { "type": "promptString", "id": "helpdesk-key", "description": "Helpdesk API key", "password": true }
  ],
  "servers": {
    "helpdesk": {
      "type": "http",
      "url": "@URL@/mcp",
      "headers": { "X-API-Key": "${input:helpdesk-key}" }
    }
  }
})"},
      {"gemini",
       "Gemini",
       "Gemini CLI: .gemini/settings.json",
       ".gemini/settings.json",
       {"This is for Gemini CLI. The Gemini app and website cannot use servers of your own.",
        "Save this as .gemini/settings.json in your home folder, or in one project.", kNotInRepository,
        "Start gemini. /mcp lists the tools.", kAsk},
       R"({
  "mcpServers": {
    "helpdesk": {
      "httpUrl": "@URL@/mcp",
      "headers": { "X-API-Key": "@KEY@" }
    }
  }
})"},
      {"curl",
       "curl",
       "for a first look from a terminal",
       "Terminal on macOS or Linux",
       {"Paste this into a terminal. The answer lists the tools that your key may use."},
       R"(curl -sS @URL@/mcp \
  -H 'X-API-Key: @KEY@' \
  -H 'Content-Type: application/json' \
  -H 'Accept: application/json, text/event-stream' \
  -d '{"jsonrpc":"2.0","id":1,"method":"tools/list"}')"},
      {"other",
       "Any other assistant",
       "address and header",
       "What to enter",
       {"It has to speak MCP. Use one of the two headers, not both.",
        "The address works with SSE and with Streamable HTTP; @URL@/mcp is the same."},
       "URL              @URL@/sse\nX-API-Key        @KEY@\n\nor, where headers cannot be named:\n\nAuthorization    "
       "Bearer "
       "@KEY@"},
  };
  return kTemplates;
}

bool is_plain_http_elsewhere(std::string_view url) noexcept {
  constexpr std::string_view kPlain = "http://";
  if (!url.starts_with(kPlain)) return false;
  url.remove_prefix(kPlain.size());
  const auto host = url.substr(0, url.find_first_of(":/"));
  return host != "localhost" && host != "127.0.0.1" && !url.starts_with("[::1]");
}

std::string filled(std::string_view text, std::string_view url, std::string_view key) {
  const std::pair<std::string_view, std::string_view> values[] = {
      {"@URL@", url}, {"@KEY@", key}, {"@HTTP@", is_plain_http_elsewhere(url) ? "\"--allow-http\", " : ""}};
  std::string out;
  while (!text.empty()) {
    const auto value =
        std::ranges::find_if(values, [&](const auto& candidate) { return text.starts_with(candidate.first); });
    if (value == std::end(values)) {
      out += text.front();
      text.remove_prefix(1);
    } else {
      out += value->second;
      text.remove_prefix(value->first.size());
    }
  }
  return out;
}

}  // namespace

std::vector<Snippet> connection_snippets(std::string_view base_url, std::string_view key) {
  std::vector<Snippet> snippets;
  for (const auto& from : templates()) {
    Snippet snippet{.id = from.id, .title = from.title, .where = from.where, .paste = from.paste};
    for (const auto step : from.steps) snippet.steps.push_back(filled(step, base_url, key));
    snippet.text = filled(from.text, base_url, key);
    snippet.note = filled(from.note, base_url, key);
    snippets.push_back(std::move(snippet));
  }
  return snippets;
}

}  // namespace toolhost::portal
