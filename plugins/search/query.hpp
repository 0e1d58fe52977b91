#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "lexer.hpp"

namespace search {

enum class QueryMode { kAuto, kAllWords, kPhrase };

/// Words that stand together: one word, words written without space between them ("VPN-1234"), or a phrase in quotes.
struct QueryUnit {
  bool is_phrase = false;   ///< adjacent and in this order
  std::vector<Word> words;  ///< at least one; positions count from the unit's first word; begin and end are bytes of
                            ///< the query
  std::string joined;  ///< of one chunk of several words: the joined term, which stands for all of them; else empty
};

/// Units of which one is enough: 'printer or scanner'.
struct QueryClause {
  bool is_excluded = false;       ///< written with a minus
  std::vector<QueryUnit> any_of;  ///< at least one
};

struct ParsedQuery {
  std::vector<QueryClause> clauses;

  /// False when it holds nothing that can be looked for, or only exclusions.
  [[nodiscard]] bool asks_for_something() const;
};

/// Reads what people type: words, "phrases" (also in typographic quotes; an open quote ends with the text), -word,
/// -"phrase", and OR between two of them (any case). A minus counts only at the start of a word, and what it excludes
/// is a phrase when it has several words (-VPN-1234). OR between a word and an exclusion is dropped, and so is AND (in
/// capitals) between two words. With kPhrase the whole text is one phrase, and quotes, minus and OR are plain text.
/// Otherwise a quoted single word is a phrase of one word (it must be there). Punctuation alone makes no clause; words
/// like "the" do.
ParsedQuery parse_query(std::string_view text, QueryMode mode, const Lexer& lexer);

}  // namespace search
