#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// From text to terms, the same way for what is indexed and for what is asked. Words are folded (case, accents,
/// compatibility forms) and stemmed by Snowball, the stemmer that PostgreSQL's text search has.
namespace search {

/// A stretch of a word that was written together: "Pointer" of "NullPointerException".
struct WrittenPart {
  std::string text;  ///< folded, not stemmed
  std::uint32_t begin = 0, end = 0;
};

/// A written word: the run of letters and digits at `begin` up to `end` (bytes of the text).
struct Word {
  std::string text;                        ///< folded, not stemmed
  std::string term;                        ///< what it is found by
  std::vector<std::string> parts;          ///< further terms of "win10" (win, 10) and "NullPointerException"
  std::vector<WrittenPart> written_parts;  ///< those of letters, "the" and single letters left out
  std::uint32_t position = 0;              ///< words before it in the text
  std::uint32_t chunk = 0;                 ///< words of one chunk were written without space between them: "VPN-1234"
  std::uint32_t begin = 0, end = 0;
  bool is_stop = false;  ///< so common that it tells nothing: "the"
};

/// A chunk of several words, joined: "vpn1234" of "VPN-1234".
struct JoinedTerm {
  std::string term;
  std::uint32_t chunk = 0;
  std::uint32_t position = 0;  ///< of its first word
};

struct LexedText {
  std::vector<Word> words;
  std::vector<JoinedTerm> joined;
};

/// Immutable; any thread.
class Lexer {
 public:
  virtual ~Lexer() = default;
  /// Reads at most `max_words` words. Text that is not UTF-8 is read as far as it can be.
  [[nodiscard]] virtual LexedText lex(std::string_view text, std::size_t max_words = 1'000'000) const = 0;
};

/// `language`: a language of Snowball such as "english", "german", or "simple" for no stemming. nullptr for any other.
std::shared_ptr<const Lexer> create_lexer(std::string_view language);

/// The languages that create_lexer() knows, sorted; for messages.
std::vector<std::string> lexer_languages();

}  // namespace search
