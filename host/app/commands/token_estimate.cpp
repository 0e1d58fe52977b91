#include "app/commands/token_estimate.hpp"

#include <cmath>

#include "base/utf8.hpp"

namespace toolhost::app {
namespace {

// Fitted to what o200k_base counts in lists of tools and in prose of several languages.
constexpr double kWord = 0.97;           // of Latin letters without accents, with the space before it
constexpr std::size_t kUsualWord = 7;    // letters; longer words have
constexpr double kFurtherLetter = 0.21;  // more tokens
constexpr double kThreeDigits = 1.12;    // a number goes by three digits
constexpr double kPunctuation = 1.0;     // a run of it
constexpr double kOtherLetter = 0.32;    // of Greek, Cyrillic, Arabic; Latin letters with accents
constexpr double kIdeograph = 0.72;      // of Chinese, Japanese, Korean, and whatever stands behind them
constexpr char32_t kFirstIdeograph = 0x2e80;

enum class Sort { kSmall, kCapital, kDigit, kSpace, kPunctuation, kOther, kIdeograph };

Sort sort_of(char32_t character) noexcept {
  if (character >= 'a' && character <= 'z') return Sort::kSmall;
  if (character >= 'A' && character <= 'Z') return Sort::kCapital;
  if (character >= '0' && character <= '9') return Sort::kDigit;
  if (character == ' ') return Sort::kSpace;
  if (character < 0x80) return Sort::kPunctuation;
  return character < kFirstIdeograph ? Sort::kOther : Sort::kIdeograph;
}

/// Whether a character goes on with the run of the one before it: "inputSchema" are two words.
bool goes_on(Sort before, Sort sort) noexcept {
  return sort == before || (before == Sort::kCapital && sort == Sort::kSmall);
}

double tokens_of_run(Sort sort, std::size_t length) noexcept {
  switch (sort) {
    case Sort::kSmall:
    case Sort::kCapital:
      return kWord + (length > kUsualWord ? kFurtherLetter * static_cast<double>(length - kUsualWord) : 0.0);
    case Sort::kDigit:
      return kThreeDigits * static_cast<double>((length + 2) / 3);
    case Sort::kPunctuation:
      return kPunctuation;
    case Sort::kOther:
      return kOtherLetter * static_cast<double>(length);
    case Sort::kIdeograph:
      return kIdeograph * static_cast<double>(length);
    case Sort::kSpace:
      break;
  }
  return 0.0;
}

}  // namespace

std::size_t estimated_tokens(std::string_view text) {
  double tokens = 0;
  Sort run = Sort::kSpace;
  std::size_t length = 0;
  while (!text.empty()) {
    const auto character = first_character(text);
    const Sort sort = character.bytes == 0 ? Sort::kPunctuation : sort_of(character.character);
    text.remove_prefix(character.bytes == 0 ? 1 : character.bytes);
    if (!goes_on(run, sort)) {
      tokens += tokens_of_run(run, length);
      length = 0;
    }
    run = sort;
    ++length;
  }
  return static_cast<std::size_t>(std::lround(tokens + tokens_of_run(run, length)));
}

}  // namespace toolhost::app
