#include "storage/sql_screen.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <string>

namespace toolhost::storage {
namespace {

bool is_word_start(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}
bool is_word_part(char c) {
  return is_word_start(c) || std::isdigit(static_cast<unsigned char>(c)) != 0 || c == '$';
}

struct Token {
  enum class Kind { kEnd, kWord, kQuotedName, kString, kBody, kUnicodeEscape, kSymbol };
  Kind kind = Kind::kEnd;
  std::string text;  // words in lower case, the content of bodies, one character of symbols

  [[nodiscard]] bool is_word(std::string_view word) const { return kind == Kind::kWord && text == word; }
  [[nodiscard]] bool is_symbol(char c) const { return kind == Kind::kSymbol && text.front() == c; }
};

/// PostgreSQL's lexical rules (documentation, "Lexical Structure") as far as they decide where words begin.
class Lexer {
 public:
  explicit Lexer(std::string_view sql) : rest_(sql) {}

  Token next() {
    skip_space_and_comments();
    if (rest_.empty()) return {};
    const char c = rest_.front();
    if (c == '\'') return quoted(Token::Kind::kString, '\'', false);
    if (c == '"') return quoted(Token::Kind::kQuotedName, '"', false);
    if (c == '$') return dollar();
    if (is_word_start(c)) return word();
    if (std::isdigit(static_cast<unsigned char>(c)) != 0) {
      const auto end = std::find_if_not(rest_.begin(), rest_.end(), [](char d) { return is_word_part(d) || d == '.'; });
      return take(Token::Kind::kString, static_cast<std::size_t>(end - rest_.begin()));
    }
    return take(Token::Kind::kSymbol, 1);
  }

 private:
  Token take(Token::Kind kind, std::size_t size) {
    Token token{kind, std::string(rest_.substr(0, size))};
    rest_.remove_prefix(std::min(size, rest_.size()));
    return token;
  }

  void skip_space_and_comments() {
    for (;;) {
      while (!rest_.empty() && std::isspace(static_cast<unsigned char>(rest_.front())) != 0) rest_.remove_prefix(1);
      if (rest_.starts_with("--")) {
        rest_.remove_prefix(std::min(rest_.find_first_of("\r\n"), rest_.size()));
      } else if (rest_.starts_with("/*")) {
        skip_block_comment();
      } else {
        return;
      }
    }
  }

  void skip_block_comment() {
    int depth = 0;
    while (!rest_.empty()) {
      if (rest_.starts_with("/*")) {
        ++depth;
        rest_.remove_prefix(2);
      } else if (rest_.starts_with("*/")) {
        rest_.remove_prefix(2);
        if (--depth == 0) return;
      } else {
        rest_.remove_prefix(1);
      }
    }
  }

  Token quoted(Token::Kind kind, char quote, bool backslash_escapes) {
    rest_.remove_prefix(1);
    Token token{kind, {}};
    while (!rest_.empty()) {
      const char c = rest_.front();
      rest_.remove_prefix(1);
      if (c == quote) {
        if (rest_.empty() || rest_.front() != quote) break;
        rest_.remove_prefix(1);
      } else if (c == '\\' && backslash_escapes && !rest_.empty()) {
        rest_.remove_prefix(1);
        continue;
      }
      token.text += c;
    }
    return token;
  }

  Token dollar() {
    std::size_t end = 1;
    while (end < rest_.size() && is_word_part(rest_[end]) && rest_[end] != '$') ++end;
    const bool is_parameter = rest_.size() > 1 && std::isdigit(static_cast<unsigned char>(rest_[1])) != 0;
    if (is_parameter || end >= rest_.size() || rest_[end] != '$') return take(Token::Kind::kString, end);
    const std::string_view tag = rest_.substr(0, end + 1);
    rest_.remove_prefix(tag.size());
    const std::size_t close = std::min(rest_.find(tag), rest_.size());
    Token token = take(Token::Kind::kBody, close);
    rest_.remove_prefix(std::min(tag.size(), rest_.size()));
    return token;
  }

  Token word() {
    const auto end = std::find_if_not(rest_.begin(), rest_.end(), is_word_part);
    Token token = take(Token::Kind::kWord, static_cast<std::size_t>(end - rest_.begin()));
    std::transform(token.text.begin(), token.text.end(), token.text.begin(),
                   [](char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); });
    if (token.text == "e" && rest_.starts_with('\'')) return quoted(Token::Kind::kString, '\'', true);
    if (token.text == "u" && (rest_.starts_with("&'") || rest_.starts_with("&\"")))
      token.kind = Token::Kind::kUnicodeEscape;
    return token;
  }

  std::string_view rest_;
};

template <std::size_t N>
bool is_one_of(std::string_view word, const std::array<std::string_view, N>& words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

constexpr std::array<std::string_view, 8> kStatements{"select", "insert", "update", "delete",
                                                      "merge",  "with",   "values", "table"};

// Each of these changes a setting, or runs SQL that it is handed as text.
constexpr std::array<std::string_view, 9> kForbiddenNames{
    "set_config", "pg_settings", "query_to_xml", "query_to_xmlschema", "query_to_xml_and_xmlschema", "cursor_to_xml",
    "ts_stat",    "ts_rewrite",  "dblink"};

constexpr std::array<std::string_view, 15> kControlStatements{"begin", "start",     "commit",  "end",     "rollback",
                                                              "abort", "savepoint", "release", "prepare", "set",
                                                              "reset", "discard",   "listen",  "load",    "execute"};

Error denied(std::string message) {
  return Error{Errc::kDenied, std::move(message), {}};
}

Result<> check_name(const Token& token) {
  if (token.kind == Token::Kind::kUnicodeEscape)
    return denied("Unicode escapes (U&) are not allowed in SQL here; write the characters themselves.");
  const bool is_name = token.kind == Token::Kind::kWord || token.kind == Token::Kind::kQuotedName;
  if (is_name && is_one_of(token.text, kForbiddenNames)) return denied("SQL must not use " + token.text + " here.");
  return {};
}

bool opens_statement(const Token& token) {
  // A '>' may end a label: <<here>> SET ...
  if (token.is_symbol(';') || token.is_symbol('>')) return true;
  return token.is_word("begin") || token.is_word("then") || token.is_word("else") || token.is_word("loop");
}

}  // namespace

Result<> screen_statement(std::string_view sql) {
  Lexer lexer(sql);
  Token token = lexer.next();
  while (token.is_symbol('(')) token = lexer.next();
  if (token.kind != Token::Kind::kWord || !is_one_of(token.text, kStatements)) {
    return denied("Only SELECT, INSERT, UPDATE, DELETE, MERGE, WITH, VALUES and TABLE statements are allowed.");
  }
  for (; token.kind != Token::Kind::kEnd; token = lexer.next()) {
    if (auto allowed = check_name(token); !allowed) return allowed;
  }
  return {};
}

Result<> screen_function_body(std::string_view body) {
  Lexer lexer(body);
  bool at_start = true;
  Token token = lexer.next();
  while (token.kind != Token::Kind::kEnd) {
    if (auto allowed = check_name(token); !allowed) return allowed;
    if (token.kind == Token::Kind::kBody) {
      if (auto allowed = screen_function_body(token.text); !allowed) return allowed;
    }
    const Token next = lexer.next();
    if (token.is_word("execute") && !next.is_word("function") && !next.is_word("procedure") && !next.is_word("on")) {
      return denied("A function must not EXECUTE SQL that it puts together.");
    }
    if (at_start && (token.is_word("set") || token.is_word("reset") || token.is_word("discard"))) {
      return denied("A function must not change settings (SET, RESET, DISCARD).");
    }
    at_start = opens_statement(token);
    token = next;
  }
  return {};
}

Result<> screen_migration(std::string_view sql) {
  Lexer lexer(sql);
  bool at_start = true;
  int atomic_bodies = 0;
  Token token = lexer.next();
  while (token.kind != Token::Kind::kEnd) {
    if (auto allowed = check_name(token); !allowed) return allowed;
    if (token.kind == Token::Kind::kBody) {
      if (auto allowed = screen_function_body(token.text); !allowed) return allowed;
    }
    const Token next = lexer.next();
    // BEGIN ATOMIC ... END is the body of a function in standard SQL and no transaction.
    if (token.is_word("begin") && next.is_word("atomic")) {
      ++atomic_bodies;
    } else if (at_start && atomic_bodies > 0 && token.is_word("end")) {
      --atomic_bodies;
    } else if (at_start && token.kind == Token::Kind::kWord && is_one_of(token.text, kControlStatements)) {
      return denied(
          "A migration runs in a transaction of its own, with settings of its own; it must not contain the statement " +
          token.text + ".");
    }
    at_start = token.is_symbol(';') || token.is_word("atomic");
    token = next;
  }
  return {};
}

}  // namespace toolhost::storage
