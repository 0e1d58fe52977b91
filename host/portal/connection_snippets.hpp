#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace toolhost::portal {

/// What a person does to connect one assistant.
struct Snippet {
  std::string_view id;     ///< "claude-code": a word for addresses and elements
  std::string_view title;  ///< "Claude Desktop on Windows"
  std::string_view where;  ///< a few words: which file or dialog
  std::string_view paste;  ///< what the text is: the file's whole path, or a word for it
  std::vector<std::string> steps;
  std::string text;  ///< to paste
  std::string note;  ///< another way, or empty
};

/// The ready-made configuration of every assistant we know, the most common first. `base_url` has no slash at the end,
/// e.g. "https://mcp.example.com"; `key` is the whole key, or what stands in for one.
std::vector<Snippet> connection_snippets(std::string_view base_url, std::string_view key);

/// What stands in for a key where none may be shown.
inline constexpr std::string_view kKeyPlaceholder = "hdsk_your_key_here";

}  // namespace toolhost::portal
