#pragma once
#include <string>
#include <string_view>

namespace toolhost::app {

/// Paste-ready configuration for assistants: Claude Code, Claude Desktop (through mcp-remote), any other client.
/// `base_url` has no trailing slash, e.g. "http://127.0.0.1:8080".
std::string connection_snippets(std::string_view base_url, std::string_view api_key);

}  // namespace toolhost::app
