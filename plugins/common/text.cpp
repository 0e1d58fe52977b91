#include "text.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <iterator>
#include <numeric>
#include <utility>

namespace helpdesk {
namespace {

constexpr std::string_view kRefAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr char32_t kNoCharacter = 0xFFFFFFFF;

/// Takes the next code point from the front of `rest`; kNoCharacter for a byte that begins none. `rest` must not be
/// empty.
char32_t take(std::string_view& rest) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(rest[i]); };
  const unsigned char lead = byte(0);
  const std::size_t length = lead < 0x80 ? 1 : lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead >= 0x80 && (lead < 0xC2 || lead > 0xF4 || rest.size() < length)) {
    rest.remove_prefix(1);
    return kNoCharacter;
  }
  char32_t character = length == 1 ? lead : lead & (0x7F >> length);
  for (std::size_t i = 1; i < length; ++i) character = character << 6 | (byte(i) & 0x3F);
  rest.remove_prefix(length);
  return character;
}

void append(std::string& out, char32_t character) {
  const auto tail = [&](int shift) { out += static_cast<char>(0x80 | (character >> shift & 0x3F)); };
  if (character < 0x80) {
    out += static_cast<char>(character);
  } else if (character < 0x800) {
    out += static_cast<char>(0xC0 | character >> 6);
    tail(0);
  } else if (character < 0x10000) {
    out += static_cast<char>(0xE0 | character >> 12);
    tail(6);
    tail(0);
  } else {
    out += static_cast<char>(0xF0 | character >> 18);
    tail(12);
    tail(6);
    tail(0);
  }
}

/// How many bytes at the front are ASCII characters that people type.
std::size_t count_plain(std::string_view text) {
  std::size_t count = 0;
  while (count < text.size() && ((text[count] >= ' ' && text[count] <= '~') || text[count] == '\n')) ++count;
  return count;
}

bool is_bidirectional_control(char32_t c) {
  return c == 0x061C || c == 0x200E || c == 0x200F || (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}
bool is_variation_selector(char32_t c) {
  return (c >= 0xFE00 && c <= 0xFE0F) || (c >= 0xE0100 && c <= 0xE01EF);
}
bool is_tag(char32_t c) {
  return c >= 0xE0000 && c <= 0xE007F;
}

bool is_joiner(char32_t c) {
  return c == 0x200C || c == 0x200D;
}

/// Line breaks of any writing; a carriage return before a line feed is none.
bool is_line_break(char32_t c, std::string_view rest) {
  return c == '\v' || c == '\f' || c == 0x85 || c == 0x2028 || c == 0x2029 || (c == '\r' && !rest.starts_with('\n'));
}

/// What carries nothing that a reader could see, and could hide something from them.
bool is_hidden(char32_t c) {
  const bool is_control = c < 0x20 ? c != '\n' && c != '\t' : c >= 0x7F && c < 0xA0;
  const bool is_private = (c >= 0xE000 && c <= 0xF8FF) || (c >= 0xF0000 && c <= 0x10FFFF);
  const bool is_filler = c == 0x115F || c == 0x1160 || c == 0x3164 || c == 0xFFA0;
  const bool is_zero_width = c == 0xAD || c == 0x180E || c == 0x200B || (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF ||
                             (c >= 0xFFF9 && c <= 0xFFFB) || (c >= 0xE0100 && c <= 0xE01EF);
  return c == kNoCharacter || is_control || is_private || is_filler || is_zero_width || is_bidirectional_control(c);
}

/// White space and what is drawn as nothing.
bool is_invisible(char32_t c) {
  return c <= 0x20 || (c >= 0x7F && c <= 0xA0) || c == 0xAD || c == 0x034F || c == 0x115F || c == 0x1160 ||
         c == 0x1680 || c == 0x17B4 || c == 0x17B5 || (c >= 0x180B && c <= 0x180F) || (c >= 0x2000 && c <= 0x200F) ||
         (c >= 0x2028 && c <= 0x202F) || (c >= 0x205F && c <= 0x206F) || c == 0x2800 || c == 0x3000 || c == 0x3164 ||
         c == 0xFEFF || c == 0xFFA0 || (c >= 0xFFF0 && c <= 0xFFFB) || is_variation_selector(c) || is_tag(c) ||
         c == kNoCharacter;
}

char32_t fold(char32_t c) {
  if (c >= 'A' && c <= 'Z') return c + 32;
  if (c < 0xC0) return c;
  if (c <= 0xDE) return c == 0xD7 ? c : c + 32;
  // Latin Extended-A pairs an even capital with the odd letter after it, except in two runs where it is the other way
  // round.
  const bool odd_capitals = (c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17E);
  if (c >= 0x100 && c <= 0x17E && c != 0x130 && c != 0x138 && c != 0x149 && c != 0x178) {
    return (c % 2 == 1) == odd_capitals ? c + 1 : c;
  }
  if (c == 0x178) return 0xFF;
  if (c >= 0x391 && c <= 0x3A9 && c != 0x3A2) return c + 32;
  if (c >= 0x410 && c <= 0x42F) return c + 32;
  if (c >= 0x400 && c <= 0x40F) return c + 80;
  return c;
}

/// Letters, digits and everything beyond Latin-1's punctuation: enough to tell words apart in any script.
bool is_word_character(char32_t c) {
  if (c < 0x80) return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  if (c == kNoCharacter || c < 0xC0) return c == 0xAA || c == 0xB5 || c == 0xBA;
  return c != 0xD7 && c != 0xF7 && !(c >= 0x2000 && c <= 0x206F) && !(c >= 0x3000 && c <= 0x303F) &&
         !is_variation_selector(c);
}

/// Letters and emoji beyond Latin-1, which a joiner or non-joiner may stand between.
bool is_joinable(char32_t c) {
  return c > 0xFF && is_word_character(c) && !is_hidden(c) && !is_tag(c);
}

/// True when the character at the front is joinable.
bool begins_joinable(std::string_view rest) {
  return !rest.empty() && is_joinable(take(rest));
}

/// Folded words in the order of the text.
std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  while (!text.empty()) {
    const char32_t c = take(text);
    if (is_word_character(c)) {
      append(word, fold(c));
    } else if (!word.empty()) {
      words.push_back(std::move(word));
      word.clear();
    }
  }
  if (!word.empty()) words.push_back(std::move(word));
  return words;
}

bool is_stop_word(std::string_view word) {
  static constexpr std::array<std::string_view, 30> kStopWords = {
      "a",  "an", "and", "are", "at",  "be", "by", "does", "for", "from", "has", "have", "i",    "in",   "is",
      "it", "my", "of",  "on",  "our", "s",  "t",  "that", "the", "this", "to",  "was",  "when", "with", "your"};
  return std::binary_search(kStopWords.begin(), kStopWords.end(), word);
}

/// FNV-1a, 64 bits: stable for ever, because its values are stored.
std::uint64_t hash(std::string_view bytes, std::uint64_t state = 14695981039346656037ULL) {
  for (const char byte : bytes) state = (state ^ static_cast<unsigned char>(byte)) * 1099511628211ULL;
  return state;
}

/// Exactly `digits` digits from the front of `rest`.
std::optional<unsigned> take_number(std::string_view& rest, std::size_t digits) {
  unsigned number = 0;
  if (rest.size() < digits) return std::nullopt;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + digits, number);
  if (error != std::errc{} || end != rest.data() + digits) return std::nullopt;
  rest.remove_prefix(digits);
  return number;
}

bool take_character(std::string_view& rest, std::string_view any_of) {
  if (rest.empty() || any_of.find(rest.front()) == std::string_view::npos) return false;
  rest.remove_prefix(1);
  return true;
}

/// "T14:05", "T14:05:09", "T14:05:09.123"; true when it is a time of day, with `rest` behind it and `fraction` the
/// digits of its fraction of a second.
bool take_time_of_day(std::string_view& rest, std::string_view& fraction) {
  if (!take_character(rest, "Tt ")) return false;
  const auto hour = take_number(rest, 2);
  if (!hour || *hour > 23 || !take_character(rest, ":")) return false;
  const auto minute = take_number(rest, 2);
  if (!minute || *minute > 59) return false;
  if (!take_character(rest, ":")) return true;
  const auto second = take_number(rest, 2);
  if (!second || *second > 59) return false;
  if (!take_character(rest, ".")) return true;
  const std::size_t digits = std::min(rest.find_first_not_of("0123456789"), rest.size());
  fraction = rest.substr(0, digits);
  rest.remove_prefix(digits);
  return digits >= 1 && digits <= 9;
}

/// "Z", "+01:00", "-0330", "+01"
bool take_offset(std::string_view& rest) {
  if (take_character(rest, "Zz")) return true;
  if (!take_character(rest, "+-")) return false;
  const auto hours = take_number(rest, 2);
  if (!hours || *hours > 15) return false;
  if (rest.empty()) return true;
  take_character(rest, ":");
  const auto minutes = take_number(rest, 2);
  return minutes && *minutes <= 59;
}

}  // namespace

std::string make_ref(std::uint32_t random_bits) {
  std::string ref(kRefLength, '0');
  for (char& character : ref) {
    character = kRefAlphabet[random_bits % 32];
    random_bits /= 32;
  }
  return ref;
}

std::optional<std::string> read_ref(std::string_view input) {
  input = trim(input);
  if (input.starts_with('#')) input.remove_prefix(1);
  if (input.starts_with("T-") || input.starts_with("t-")) input.remove_prefix(2);
  if (input.size() + 1 < kRefLength || input.size() > kRefLength + 1) return std::nullopt;
  std::string ref;
  for (char c : input) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
    if (c == 'O') c = '0';
    if (c == 'I' || c == 'L') c = '1';
    if (kRefAlphabet.find(c) == std::string_view::npos) return std::nullopt;
    ref += c;
  }
  return ref;
}

std::vector<std::string> refs_one_mistake_away(std::string_view mistyped) {
  std::vector<std::string> refs;
  const std::string given(mistyped);
  for (std::size_t i = 0; i <= given.size(); ++i) {
    if (given.size() == kRefLength + 1 && i < given.size()) refs.push_back(std::string(given).erase(i, 1));
    if (given.size() == kRefLength && i + 1 < given.size() && given[i] != given[i + 1]) {
      refs.push_back(given);
      std::swap(refs.back()[i], refs.back()[i + 1]);
    }
    for (const char c : kRefAlphabet) {
      if (given.size() + 1 == kRefLength) refs.push_back(std::string(given).insert(i, 1, c));
      if (given.size() == kRefLength && i < given.size() && given[i] != c) {
        refs.push_back(given);
        refs.back()[i] = c;
      }
    }
  }
  std::sort(refs.begin(), refs.end());
  refs.erase(std::unique(refs.begin(), refs.end()), refs.end());
  return refs;
}

std::size_t count_characters(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }));
}

std::string clean(std::string_view text) {
  constexpr char32_t kBlackFlag = 0x1F3F4;
  std::string out;
  out.reserve(text.size());
  char32_t previous = 0;
  bool in_flag = false;  // an emoji flag such as Wales is a black flag followed by tag characters
  while (!text.empty()) {
    if (const std::size_t plain = count_plain(text); plain > 0) {
      out.append(text.substr(0, plain));
      previous = static_cast<unsigned char>(text[plain - 1]);
      in_flag = false;
      text.remove_prefix(plain);
      continue;
    }
    const char32_t c = take(text);
    in_flag = c == kBlackFlag || (in_flag && is_tag(c));
    if (is_line_break(c, text)) {
      out += '\n';
      previous = '\n';
      continue;
    }
    const bool is_loose_selector = is_variation_selector(c) && is_invisible(previous);
    const bool is_loose_joiner =
        is_joiner(c) && !((is_joinable(previous) || is_variation_selector(previous)) && begins_joinable(text));
    if (is_hidden(c) || (is_tag(c) && !in_flag) || is_loose_selector || is_loose_joiner) continue;
    append(out, c);
    previous = c;
  }
  return out;
}

std::string clean_line(std::string_view text) {
  std::string line = clean(text);
  std::replace_if(line.begin(), line.end(), [](char c) { return c == '\n' || c == '\t'; }, ' ');
  return is_blank(line) ? std::string() : std::string(trim(line));
}

bool is_blank(std::string_view text) {
  while (!text.empty()) {
    if (!is_invisible(take(text))) return false;
  }
  return true;
}

std::string shorten(std::string_view text, std::size_t limit, bool& was_cut) {
  std::string_view rest = text;
  for (std::size_t characters = 0; !rest.empty(); ++characters) {
    if (characters == limit) {
      was_cut = true;
      return std::string(text.substr(0, text.size() - rest.size())) + "…";
    }
    take(rest);
  }
  return std::string(text);
}

std::string quote_lines(std::string_view text) {
  std::string out;
  while (true) {
    const std::size_t end = text.find('\n');
    out.append("> ").append(text.substr(0, end)).append("\n");
    if (end == std::string_view::npos) return out;
    text.remove_prefix(end + 1);
  }
}

std::string shorten_at_word(std::string_view text, std::size_t limit) {
  if (count_characters(text) <= limit) return std::string(text);
  bool was_cut = false;
  std::string cut = shorten(text, limit - 1, was_cut);
  cut.resize(cut.size() - std::string_view("…").size());
  const std::size_t space = cut.find_last_of(' ');
  const bool is_between_words = text[cut.size()] == ' ' || space == std::string::npos || space < cut.size() / 2;
  return std::string(trim(std::string_view(cut).substr(0, is_between_words ? cut.size() : space))) + "…";
}

std::string quote_unless_token(std::string_view line) {
  const bool is_token = !line.empty() && std::all_of(line.begin(), line.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("_-+.:@").find(c) != std::string_view::npos;
  });
  return is_token ? std::string(line) : quote_line(line);
}

std::string quote_line(std::string_view line) {
  std::string out = "\"";
  std::replace_copy(line.begin(), line.end(), std::back_inserter(out), '"', '\'');
  return out + '"';
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n\f\v";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

std::string fold_case(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    if (const char32_t c = take(text); c != kNoCharacter) append(out, fold(c));
  }
  return out;
}

std::uint64_t hash64(std::string_view bytes) {
  return hash(bytes);
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  // Three rows of the table: the distance of each prefix of b from the prefixes of a.
  std::vector<std::size_t> before_last(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  std::iota(last.begin(), last.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      const bool is_swap = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (is_swap) row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
    before_last = std::exchange(last, row);
  }
  return last.back();
}

std::int64_t title_key(std::string_view title) {
  std::vector<std::string> words = words_of(title);
  std::erase_if(words, is_stop_word);
  if (words.empty()) words.push_back(fold_case(trim(title)));
  std::sort(words.begin(), words.end());
  words.erase(std::unique(words.begin(), words.end()), words.end());
  std::uint64_t key = hash({});
  for (const std::string& word : words) key = hash(" ", hash(word, key));
  return static_cast<std::int64_t>(key);
}

bool sounds_resolved(std::string_view text) {
  static constexpr std::array<std::string_view, 3> kResolved = {"fixed", "resolved", "solved"};
  static constexpr std::array<std::string_view, 4> kDenials = {"isn", "not", "t", "wasn"};
  const std::vector<std::string> words = words_of(text);
  bool denied = false;
  for (const std::string& word : words) {
    if (!denied && std::binary_search(kResolved.begin(), kResolved.end(), word)) return true;
    denied = std::binary_search(kDenials.begin(), kDenials.end(), word);
  }
  return false;
}

std::optional<std::string> read_moment(std::string_view input, std::string_view time_zone, DayEdge edge,
                                       unsigned first_year, std::size_t fraction_digits) {
  input = trim(input);
  std::string_view rest = input;
  const auto year = take_number(rest, 4);
  if (!year || !take_character(rest, "-")) return std::nullopt;
  const auto month = take_number(rest, 2);
  if (!month || !take_character(rest, "-")) return std::nullopt;
  const auto day = take_number(rest, 2);
  if (!day || *year < first_year || *year > 2199) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year{static_cast<int>(*year)}, std::chrono::month{*month},
                                         std::chrono::day{*day}};
  if (!date.ok()) return std::nullopt;
  const std::string zone = ' ' + std::string(time_zone);
  if (rest.empty()) return std::string(input) + (edge == DayEdge::kStart ? " 00:00:00" : " 23:59:59") + zone;
  std::string_view fraction;
  if (!take_time_of_day(rest, fraction)) return std::nullopt;
  const std::string_view offset = rest;
  if (!rest.empty() && (!take_offset(rest) || !rest.empty())) return std::nullopt;
  // Cut, because PostgreSQL would round: perhaps into the next day.
  const std::size_t kept = std::min(fraction.size(), fraction_digits);
  const std::size_t cut = kept > 0 ? fraction.size() - kept : fraction.size() + (fraction.empty() ? 0 : 1);
  std::string moment(input.substr(0, input.size() - offset.size() - cut));
  return moment.append(offset.empty() ? std::string_view(zone) : offset);
}

}  // namespace helpdesk
