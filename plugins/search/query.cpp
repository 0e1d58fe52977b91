#include "query.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "characters.hpp"

namespace search {
namespace {

/// A stretch of the query: what stands between two quotes, or between spaces.
struct Piece {
  std::size_t begin = 0, end = 0;
  bool is_quoted = false;
  bool is_excluded = false;
};

/// A piece with words in it.
struct Operand {
  std::string_view text;
  bool is_bare = false;  ///< neither quoted nor excluded
  bool is_excluded = false;
  std::vector<QueryUnit> units;
};

bool is_straight_quote(char32_t c) {
  return c == '"' || c == 0xFF02;
}
bool is_curved_quote(char32_t c) {
  return c == 0xAB || c == 0xBB || (c >= 0x201C && c <= 0x201F) || (c >= 0x300C && c <= 0x300F);
}
bool is_quote(char32_t c) {
  return is_straight_quote(c) || is_curved_quote(c);
}
bool is_minus(char32_t c) {
  return c == '-' || (c >= 0x2010 && c <= 0x2013) || c == 0x2212;
}
bool is_letter_or_digit(char32_t c) {
  return u_isalnum(static_cast<UChar32>(c)) != 0;
}

class Splitter {
 public:
  explicit Splitter(std::string_view text) : text_(text) {}

  std::vector<Piece> split() {
    while (at_ < text_.size()) {
      const bool is_excluded = take_minus();
      if (opens_quote()) {
        take_quoted(is_excluded);
      } else if (is_space(peek())) {
        take();
      } else {
        take_bare(is_excluded);
      }
    }
    return std::move(pieces_);
  }

 private:
  [[nodiscard]] char32_t peek() const {
    std::size_t at = at_;
    return at < text_.size() ? take_character(text_, at) : U' ';
  }
  char32_t take() { return before_ = take_character(text_, at_); }

  /// "--verbose" and "->" are no exclusions.
  bool take_minus() {
    if (!is_space(before_) || !is_minus(peek())) return false;
    std::size_t after = at_;
    take_character(text_, after);
    if (after == text_.size()) return false;
    const std::size_t begin_of_rest = after;
    const char32_t next = take_character(text_, after);
    if (is_space(next) || is_minus(next) || next == '>') return false;
    before_ = U' ';
    at_ = begin_of_rest;
    return true;
  }

  /// Not behind a letter or digit, so that the inches of 'monitor 27" black' open nothing.
  [[nodiscard]] bool opens_quote() const { return is_quote(peek()) && !is_letter_or_digit(before_); }

  /// Ends at the next quote of the same kind, so that "the “Save” button" is one phrase; without one, at any quote;
  /// without that, with the text.
  void take_quoted(bool is_excluded) {
    const bool is_straight = is_straight_quote(take());
    const std::size_t begin = at_;
    std::size_t same_kind = std::string_view::npos, any = std::string_view::npos;
    for (std::size_t at = begin; at < text_.size() && same_kind == std::string_view::npos;) {
      const std::size_t here = at;
      const char32_t c = take_character(text_, at);
      if (!is_quote(c)) continue;
      if (any == std::string_view::npos) any = here;
      if (is_straight_quote(c) == is_straight) same_kind = here;
    }
    const std::size_t end = std::min({same_kind != std::string_view::npos ? same_kind : any, text_.size()});
    pieces_.push_back({begin, end, true, is_excluded});
    at_ = end;
    if (at_ < text_.size()) take();
  }

  void take_bare(bool is_excluded) {
    const std::size_t begin = at_;
    do {
      take();
    } while (!is_space(peek()) && !opens_quote());
    pieces_.push_back({begin, at_, false, is_excluded});
  }

  std::string_view text_;
  std::size_t at_ = 0;
  char32_t before_ = U' ';  ///< the character before `at_`
  std::vector<Piece> pieces_;
};

using WordIterator = std::vector<Word>::iterator;

QueryUnit make_unit(WordIterator first, WordIterator last, const std::vector<JoinedTerm>& joined) {
  QueryUnit unit;
  const std::uint32_t position = first->position, chunk = first->chunk;
  if (std::next(first) != last && std::prev(last)->chunk == chunk) {
    const auto found =
        std::find_if(joined.begin(), joined.end(), [&](const auto& term) { return term.chunk == chunk; });
    if (found != joined.end()) unit.joined = found->term;
  }
  unit.words.assign(std::make_move_iterator(first), std::make_move_iterator(last));
  for (Word& word : unit.words) {
    word.position -= position;
    word.chunk -= chunk;
  }
  return unit;
}

std::vector<QueryUnit> read_units(std::string_view text, const Piece& piece, const Lexer& lexer) {
  LexedText lexed = lexer.lex(text.substr(piece.begin, piece.end - piece.begin));
  std::vector<Word>& words = lexed.words;
  for (Word& word : words) {
    word.begin += static_cast<std::uint32_t>(piece.begin);
    word.end += static_cast<std::uint32_t>(piece.begin);
    for (WrittenPart& part : word.written_parts) {
      part.begin += static_cast<std::uint32_t>(piece.begin);
      part.end += static_cast<std::uint32_t>(piece.begin);
    }
  }
  std::vector<QueryUnit> units;
  for (auto first = words.begin(); first != words.end();) {
    auto last = words.end();
    if (!piece.is_quoted && !piece.is_excluded) {
      last = std::adjacent_find(first, words.end(), [](const Word& a, const Word& b) {
        return a.chunk != b.chunk && a.end != b.begin;  // Chinese words touch
      });
      if (last != words.end()) ++last;
    }
    units.push_back(make_unit(first, last, lexed.joined));
    units.back().is_phrase = piece.is_quoted || (piece.is_excluded && units.back().words.size() > 1);
    first = last;
  }
  return units;
}

std::vector<Operand> read_operands(std::string_view text, const std::vector<Piece>& pieces, const Lexer& lexer) {
  std::vector<Operand> operands;
  for (const Piece& piece : pieces) {
    std::vector<QueryUnit> units = read_units(text, piece, lexer);
    if (units.empty()) continue;
    operands.push_back({text.substr(piece.begin, piece.end - piece.begin), !piece.is_quoted && !piece.is_excluded,
                        piece.is_excluded, std::move(units)});
  }
  return operands;
}

bool is_or(const Operand& operand) {
  const std::string_view text = operand.text;
  return operand.is_bare && text.size() == 2 && (text[0] == 'o' || text[0] == 'O') &&
         (text[1] == 'r' || text[1] == 'R');
}
bool is_operator(const Operand& operand) {
  return is_or(operand) || (operand.is_bare && operand.text == "AND");
}

}  // namespace

ParsedQuery parse_query(std::string_view text, QueryMode mode, const Lexer& lexer) {
  std::vector<Operand> operands = mode == QueryMode::kPhrase ? read_operands(text, {{0, text.size(), true}}, lexer)
                                                             : read_operands(text, Splitter(text).split(), lexer);
  const auto last_operand = std::find_if_not(operands.rbegin(), operands.rend(), is_operator);
  const auto operators_end = last_operand.base();  // behind it, "or" is a word

  ParsedQuery query;
  bool is_alternative = false;
  for (auto operand = operands.begin(); operand != operands.end(); ++operand) {
    if (is_operator(*operand) && !query.clauses.empty() && operand < operators_end) {
      is_alternative = is_alternative || is_or(*operand);
      continue;
    }
    for (QueryUnit& unit : operand->units) {
      if (is_alternative && query.clauses.back().is_excluded == operand->is_excluded) {
        query.clauses.back().any_of.push_back(std::move(unit));
      } else {
        query.clauses.push_back({operand->is_excluded, {}});
        query.clauses.back().any_of.push_back(std::move(unit));
      }
      is_alternative = false;
    }
  }
  return query;
}

bool ParsedQuery::asks_for_something() const {
  return std::any_of(clauses.begin(), clauses.end(), [](const QueryClause& clause) { return !clause.is_excluded; });
}

}  // namespace search
