#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_set>

#include "lexer.hpp"

namespace search {

/// The stretch of `text` of about `limit` characters that shows best why it was found: with the most of the `terms`,
/// then with the most hits, then the first; without a hit the beginning. On one line, cut between words with "…", hits
/// «marked». « and » of the text become ‹ and ›. Whoever calls has cleaned the text of control characters; `lexed` is
/// of the same text.
std::string make_snippet(std::string_view text, const LexedText& lexed, const std::unordered_set<std::string>& terms,
                         std::size_t limit);

}  // namespace search
