#include "app/commands/connection_help.hpp"

#include "portal/connection_snippets.hpp"

namespace toolhost::app {

std::string connection_snippets(std::string_view base_url, std::string_view api_key) {
  std::string out;
  for (const auto& snippet : portal::connection_snippets(base_url, api_key)) {
    if (snippet.id != "claude-code" && snippet.id != "claude-desktop") continue;
    out.append(snippet.title).append(": ").append(snippet.where).append("\n\n").append(snippet.text).append("\n\n");
  }
  const std::string url(base_url), key(api_key);
  out += "Any other assistant\n\n";
  out += "  URL        " + url + "/sse   (HTTP with SSE or Streamable HTTP; " + url + "/mcp is the same)\n";
  out += "  Header     X-API-Key: " + key + "\n";
  out += "  or         Authorization: Bearer " + key + "\n";
  return out;
}

}  // namespace toolhost::app
