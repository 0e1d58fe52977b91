#include "lexer.hpp"

#include <libstemmer.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>
#include <unicode/uscript.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <array>
#include <mutex>

namespace search {
namespace {

constexpr std::size_t kLongestTerm = 64;  // bytes; longer ones are cut, alike when indexed and when asked
constexpr std::size_t kMostWordsJoined =
    6;  // a chunk of more words is a path or an address that nobody types from memory
constexpr std::size_t kLongestJoined = 48;  // bytes
constexpr std::size_t kMostParts = 8;

/// What PostgreSQL's English dictionary drops.
constexpr std::array<std::string_view, 127> kEnglishStopWords = {
    "a",       "about",  "above",   "after",  "again",  "against",    "all",       "am",        "an",    "and",
    "any",     "are",    "as",      "at",     "be",     "because",    "been",      "before",    "being", "below",
    "between", "both",   "but",     "by",     "can",    "did",        "do",        "does",      "doing", "don",
    "down",    "during", "each",    "few",    "for",    "from",       "further",   "had",       "has",   "have",
    "having",  "he",     "her",     "here",   "hers",   "herself",    "him",       "himself",   "his",   "how",
    "i",       "if",     "in",      "into",   "is",     "it",         "its",       "itself",    "just",  "me",
    "more",    "most",   "my",      "myself", "no",     "nor",        "not",       "now",       "of",    "off",
    "on",      "once",   "only",    "or",     "other",  "our",        "ours",      "ourselves", "out",   "over",
    "own",     "s",      "same",    "she",    "should", "so",         "some",      "such",      "t",     "than",
    "that",    "the",    "their",   "theirs", "them",   "themselves", "then",      "there",     "these", "they",
    "this",    "those",  "through", "to",     "too",    "under",      "until",     "up",        "very",  "was",
    "we",      "were",   "what",    "when",   "where",  "which",      "while",     "who",       "whom",  "why",
    "will",    "with",   "you",     "your",   "yours",  "yourself",   "yourselves"};
static_assert(std::is_sorted(kEnglishStopWords.begin(), kEnglishStopWords.end()));

/// Letters that no normalisation takes apart, as people without them on their keyboard type them.
std::string_view plain_letter(UChar32 c) {
  switch (c) {
    case 0xE6:
      return "ae";
    case 0xF0:
      return "d";
    case 0xF8:
      return "o";
    case 0xFE:
      return "th";
    case 0x111:
      return "d";
    case 0x127:
      return "h";
    case 0x131:
      return "i";
    case 0x142:
      return "l";
    case 0x153:
      return "oe";
    default:
      return {};
  }
}

/// Accents and vowel points that people leave out when they type. Marks of other scripts are part of their letters.
bool is_accent(UChar32 c) {
  return (c >= 0x300 && c <= 0x36F) || (c >= 0x483 && c <= 0x489) || (c >= 0x591 && c <= 0x5C7) ||
         (c >= 0x64B && c <= 0x65F) || c == 0x670 || c == 0x640;
}

/// Scripts written without space between words.
bool runs_on(UChar32 c) {
  if (c < 0xE00) return false;
  UErrorCode error = U_ZERO_ERROR;
  switch (uscript_getScript(c, &error)) {
    case USCRIPT_HAN:
    case USCRIPT_HIRAGANA:
    case USCRIPT_KATAKANA:
    case USCRIPT_THAI:
    case USCRIPT_LAO:
    case USCRIPT_KHMER:
    case USCRIPT_MYANMAR:
      return true;
    default:
      return false;
  }
}

enum class Kind { kOther, kLetter, kDigit, kMark };

Kind kind_of(UChar32 c) {
  if (c < 0x80) {
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return Kind::kLetter;
    return c >= '0' && c <= '9' ? Kind::kDigit : Kind::kOther;
  }
  if (u_isalpha(c)) return Kind::kLetter;
  if (u_isdigit(c)) return Kind::kDigit;
  const auto mask = U_GET_GC_MASK(c);
  // What cannot be seen, such as a soft hyphen, does not end a word; folding drops it.
  if ((mask & (U_GC_MN_MASK | U_GC_MC_MASK)) != 0 || u_hasBinaryProperty(c, UCHAR_DEFAULT_IGNORABLE_CODE_POINT))
    return Kind::kMark;
  return (mask & (U_GC_NL_MASK | U_GC_NO_MASK)) != 0 ? Kind::kDigit : Kind::kOther;
}

/// Between two words they leave these one chunk.
bool connects(UChar32 c) {
  return c < 0x80 ? c != 0 && std::string_view("-_./\\@:#+&'=~%").find(static_cast<char>(c)) != std::string_view::npos
                  : c == 0x2019 || c == 0x2010 || c == 0x2011;
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

void cut(std::string& term) {
  if (term.size() <= kLongestTerm) return;
  std::size_t end = kLongestTerm;
  while (end > 0 && (static_cast<unsigned char>(term[end]) & 0xC0) == 0x80) --end;
  term.resize(end);
}

std::string fold(std::string_view word) {
  std::string folded;
  if (is_ascii(word)) {
    folded = word;
    for (char& c : folded) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    return folded;
  }
  UErrorCode error = U_ZERO_ERROR;
  const icu::Normalizer2* case_fold = icu::Normalizer2::getNFKCCasefoldInstance(error);
  const icu::Normalizer2* decompose = icu::Normalizer2::getNFDInstance(error);
  const icu::Normalizer2* compose = icu::Normalizer2::getNFCInstance(error);
  if (U_FAILURE(error)) return std::string(word);
  const auto text = icu::UnicodeString::fromUTF8(icu::StringPiece(word.data(), static_cast<int32_t>(word.size())));
  const icu::UnicodeString apart = decompose->normalize(case_fold->normalize(text, error), error);
  icu::UnicodeString kept;
  for (int32_t i = 0; i < apart.length(); i = apart.moveIndex32(i, 1)) {
    const UChar32 c = apart.char32At(i);
    if (is_accent(c)) continue;
    if (const std::string_view plain = plain_letter(c); !plain.empty()) {
      kept.append(icu::UnicodeString::fromUTF8(icu::StringPiece(plain.data(), static_cast<int32_t>(plain.size()))));
    } else {
      kept.append(c);
    }
  }
  compose->normalize(kept, error).toUTF8String(folded);
  return folded;
}

class SnowballLexer final : public Lexer {
 public:
  explicit SnowballLexer(std::string language) : language_(std::move(language)) {}
  ~SnowballLexer() override {
    for (sb_stemmer* stemmer : idle_) sb_stemmer_delete(stemmer);
  }
  SnowballLexer(const SnowballLexer&) = delete;
  SnowballLexer& operator=(const SnowballLexer&) = delete;

  [[nodiscard]] LexedText lex(std::string_view text, std::size_t max_words) const override;

  [[nodiscard]] bool drops(std::string_view word) const {
    return language_ == "english" && std::binary_search(kEnglishStopWords.begin(), kEnglishStopWords.end(), word);
  }

  /// A stemmer serves one thread at a time.
  sb_stemmer* borrow() const {
    if (language_ == "simple") return nullptr;
    {
      const std::lock_guard lock(mutex_);
      if (!idle_.empty()) {
        sb_stemmer* stemmer = idle_.back();
        idle_.pop_back();
        return stemmer;
      }
    }
    return sb_stemmer_new(language_.c_str(), "UTF_8");
  }
  void give_back(sb_stemmer* stemmer) const {
    if (stemmer == nullptr) return;
    const std::lock_guard lock(mutex_);
    idle_.push_back(stemmer);
  }

 private:
  const std::string language_;
  mutable std::mutex mutex_;
  mutable std::vector<sb_stemmer*> idle_;
};

/// Reads one text.
class Scanner {
 public:
  Scanner(const SnowballLexer& lexer, std::string_view text, std::size_t max_words)
      : lexer_(lexer), text_(text), max_words_(max_words), stemmer_(lexer.borrow()) {}
  ~Scanner() { lexer_.give_back(stemmer_); }
  Scanner(const Scanner&) = delete;
  Scanner& operator=(const Scanner&) = delete;

  LexedText run() {
    while (at_ < text_.size() && out_.words.size() < max_words_) {
      const std::size_t begin = at_;
      const UChar32 c = take();
      const Kind kind = kind_of(c);
      if (kind == Kind::kOther || kind == Kind::kMark) {
        // A connector keeps the chunk open only when it stands right behind a word, and alone.
        chunk_open_ = chunk_open_ && connects(c) && begin == chunk_end_;
        if (chunk_open_) ++chunk_end_gap_;
        if (!chunk_open_ || chunk_end_gap_ > 1)
          end_chunk();
        else
          chunk_end_ = at_;
        continue;
      }
      at_ = begin;
      if (kind == Kind::kLetter && runs_on(c)) {
        end_chunk();
        add_running_text();
      } else {
        add_word();
      }
    }
    end_chunk();
    return std::move(out_);
  }

 private:
  UChar32 take() {
    UChar32 c = 0;
    auto i = static_cast<int32_t>(at_);
    U8_NEXT_OR_FFFD(reinterpret_cast<const uint8_t*>(text_.data()), i, static_cast<int32_t>(text_.size()), c);
    at_ = static_cast<std::size_t>(i);
    return c;
  }

  std::string stem(std::string word) const {
    if (stemmer_ != nullptr) {
      const auto* stemmed =
          sb_stemmer_stem(stemmer_, reinterpret_cast<const sb_symbol*>(word.data()), static_cast<int>(word.size()));
      if (stemmed != nullptr)
        word.assign(reinterpret_cast<const char*>(stemmed), static_cast<std::size_t>(sb_stemmer_length(stemmer_)));
    }
    cut(word);
    return word;
  }

  struct Segment {
    std::size_t begin, end;
    Kind kind;
  };

  /// A word: letters, digits and their marks. Notes where it changes between letters and digits, or from lower to upper
  /// case.
  void add_word() {
    const std::size_t begin = at_;
    std::vector<Segment>& segments = segments_;
    segments.clear();
    bool has_letters = false, has_digits = false;
    UChar32 before = 0;  // the letter before, while in one segment
    std::size_t before_at = 0;
    while (at_ < text_.size()) {
      const std::size_t here = at_;
      const UChar32 c = take();
      const Kind kind = kind_of(c);
      if (kind == Kind::kOther || (kind == Kind::kLetter && runs_on(c))) {
        at_ = here;
        break;
      }
      if (kind == Kind::kMark) {
        if (!segments.empty()) segments.back().end = at_;
        continue;
      }
      (kind == Kind::kLetter ? has_letters : has_digits) = true;
      const bool is_upper = kind == Kind::kLetter && u_isupper(c);
      const bool is_lower = kind == Kind::kLetter && !is_upper;
      if (segments.empty() || segments.back().kind != kind || (is_upper && before != 0 && !u_isupper(before))) {
        segments.push_back({here, at_, kind});
      } else if (is_lower && before != 0 && u_isupper(before) && segments.back().begin < before_at) {
        segments.back().end = before_at;  // HTMLParser: HTML, Parser
        segments.push_back({before_at, at_, kind});
      } else {
        segments.back().end = at_;
      }
      before = kind == Kind::kLetter ? c : 0;
      before_at = here;
    }

    Word word;
    word.begin = static_cast<std::uint32_t>(begin);
    word.end = static_cast<std::uint32_t>(at_);
    word.position = position_++;
    if (!chunk_open_) ++chunk_;
    word.chunk = chunk_;
    word.text = fold(text_.substr(begin, at_ - begin));
    word.is_stop = lexer_.drops(word.text);
    word.term = has_digits || word.is_stop ? word.text : stem(word.text);
    cut(word.term);
    if (segments.size() > 1 && segments.size() <= kMostParts) {
      for (const Segment& segment : segments) {
        if (segment.end - segment.begin < 2) continue;
        std::string part = fold(text_.substr(segment.begin, segment.end - segment.begin));
        if (segment.kind == Kind::kLetter) {
          if (lexer_.drops(part)) continue;
          word.written_parts.push_back(
              {part, static_cast<std::uint32_t>(segment.begin), static_cast<std::uint32_t>(segment.end)});
          part = stem(std::move(part));
        }
        cut(part);
        if (part != word.term && std::find(word.parts.begin(), word.parts.end(), part) == word.parts.end())
          word.parts.push_back(std::move(part));
      }
    }
    out_.words.push_back(std::move(word));
    chunk_open_ = true;
    chunk_end_ = at_;
    chunk_end_gap_ = 0;
  }

  /// Chinese, Japanese, Thai: each character is a word, and a part of it is the pair with the next one.
  void add_running_text() {
    const std::size_t first = out_.words.size();
    ++chunk_;
    while (at_ < text_.size() && out_.words.size() < max_words_) {
      const std::size_t here = at_;
      const UChar32 c = take();
      const Kind kind = kind_of(c);
      if (kind == Kind::kMark && out_.words.size() > first) {
        Word& word = out_.words.back();
        word.end = static_cast<std::uint32_t>(at_);
        word.term = word.text = fold(text_.substr(word.begin, word.end - word.begin));
        continue;
      }
      if (kind != Kind::kLetter || !runs_on(c)) {
        at_ = here;
        break;
      }
      Word word;
      word.begin = static_cast<std::uint32_t>(here);
      word.end = static_cast<std::uint32_t>(at_);
      word.position = position_++;
      word.chunk = ++chunk_;
      word.term = word.text = fold(text_.substr(here, at_ - here));
      out_.words.push_back(std::move(word));
    }
    for (std::size_t i = first; i + 1 < out_.words.size(); ++i)
      out_.words[i].parts.push_back(out_.words[i].text + out_.words[i + 1].text);
    chunk_first_ = out_.words.size();
    chunk_open_ = false;
  }

  void end_chunk() {
    const std::size_t count = out_.words.size() - chunk_first_;
    if (count >= 2 && count <= kMostWordsJoined) {
      const auto is_number = [](const Word& word) {
        return std::all_of(word.text.begin(), word.text.end(), [](char c) { return c >= '0' && c <= '9'; });
      };
      const auto begin = out_.words.begin() + static_cast<std::ptrdiff_t>(chunk_first_);
      // Numbers stay apart: 10.0.0.1 is not 1.0.00.1.
      const bool numbers = std::all_of(begin, out_.words.end(), is_number);
      JoinedTerm joined;
      for (auto word = begin; word != out_.words.end(); ++word) {
        if (numbers && word != begin) joined.term += '.';
        joined.term += word->text;
      }
      joined.chunk = begin->chunk;
      joined.position = begin->position;
      if (joined.term.size() <= kLongestJoined) out_.joined.push_back(std::move(joined));
    }
    chunk_first_ = out_.words.size();
    chunk_open_ = false;
    chunk_end_gap_ = 0;
  }

  const SnowballLexer& lexer_;
  const std::string_view text_;
  const std::size_t max_words_;
  sb_stemmer* const stemmer_;
  LexedText out_;
  std::vector<Segment> segments_;
  std::size_t at_ = 0;
  std::uint32_t position_ = 0, chunk_ = 0;
  std::size_t chunk_first_ = 0;  // index of the chunk's first word
  bool chunk_open_ = false;
  std::size_t chunk_end_ = 0;   // byte behind its last word and the connector after that
  unsigned chunk_end_gap_ = 0;  // connectors since its last word
};

LexedText SnowballLexer::lex(std::string_view text, std::size_t max_words) const {
  constexpr std::size_t kLongestText = 0x7FFFFFFF;  // ICU counts in 32 bits
  return Scanner(*this, text.substr(0, kLongestText), max_words).run();
}

}  // namespace

std::shared_ptr<const Lexer> create_lexer(std::string_view language) {
  const std::vector<std::string> known = lexer_languages();
  if (std::find(known.begin(), known.end(), language) == known.end()) return nullptr;
  return std::make_shared<SnowballLexer>(std::string(language));
}

std::vector<std::string> lexer_languages() {
  std::vector<std::string> names = {"simple"};
  for (const char** name = sb_stemmer_list(); *name != nullptr; ++name) names.emplace_back(*name);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace search
