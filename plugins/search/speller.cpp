#include "speller.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "characters.hpp"
#include "postings.hpp"
#include "text.hpp"

namespace search {
namespace {

constexpr std::size_t kFewestToCorrect = 4, kFewestForTwoEdits = 9, kFewestToSuggest = 5;
constexpr std::uint64_t kTimesAsFrequent = 20;

/// Number of characters when all of them are letters (with the marks that belong to them), else 0.
std::size_t count_letters(std::string_view word) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < word.size(); ++count) {
    const auto c = static_cast<UChar32>(take_character(word, at));
    const bool is_letter = c < 0x80 ? (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
                                    : u_isUAlphabetic(c) != 0 || (U_GET_GC_MASK(c) & U_GC_M_MASK) != 0;
    if (!is_letter) return 0;
  }
  return count;
}

/// As count_letters(), but 0 for what has no place in a vocabulary.
std::size_t length_if_kept(std::string_view word) {
  if (word.size() > Vocabulary::kMostBytes) return 0;
  const std::size_t letters = count_letters(word);
  return letters < Vocabulary::kFewestCharacters ? 0 : letters;
}

bool comes_before(const Vocabulary::Entry& a, const Vocabulary::Entry& b) {
  return a.word < b.word;
}

/// Five bits tell the letters of an alphabet apart: Unicode lists Latin, Greek and Cyrillic small letters in a row.
std::uint32_t letter_set(std::string_view word) {
  std::uint32_t set = 0;
  for (std::size_t at = 0; at < word.size();) set |= 1U << (take_character(word, at) & 31U);
  return set;
}

/// What is left of the set after taking out `count` letters.
std::uint32_t without(std::uint32_t set, unsigned count) {
  for (; count > 0; --count) set &= set - 1;
  return set;
}

/// Optimal string alignment distance from one word to many, a bit for each character of the word.
/// Hyyrö, A Bit-Vector Algorithm for Computing Levenshtein and Damerau Edit Distances, 2003.
class Pattern {
 public:
  static constexpr std::size_t kLongest = 64;

  explicit Pattern(std::string_view word) {
    for (std::size_t at = 0; at < word.size() && length_ <= kLongest; ++length_) {
      if (length_ < kLongest) places_of(take_character(word, at)) |= std::uint64_t{1} << length_;
    }
  }
  /// In characters; more than kLongest: not usable.
  [[nodiscard]] std::size_t length() const { return length_; }

  [[nodiscard]] unsigned distance_to(std::string_view word) const {
    const std::uint64_t last = std::uint64_t{1} << (length_ - 1);
    std::uint64_t rises = ~std::uint64_t{0}, falls = 0, diagonal = 0, matches_before = 0;
    auto distance = static_cast<unsigned>(length_);
    for (std::size_t at = 0; at < word.size();) {
      const std::uint64_t matches = places_of(take_character(word, at));
      const std::uint64_t swaps = ((~diagonal & matches) << 1) & matches_before;
      diagonal = (((matches & rises) + rises) ^ rises) | matches | falls | swaps;
      std::uint64_t row_rises = falls | ~(diagonal | rises);
      std::uint64_t row_falls = diagonal & rises;
      distance += (row_rises & last) != 0 ? 1U : 0U;
      distance -= (row_falls & last) != 0 ? 1U : 0U;
      row_rises = row_rises << 1 | 1;
      row_falls <<= 1;
      rises = row_falls | ~(diagonal | row_rises);
      falls = row_rises & diagonal;
      matches_before = matches;
    }
    return distance;
  }

 private:
  std::uint64_t& places_of(char32_t c) {
    if (c < ascii_.size()) return ascii_[c];
    const auto found =
        std::find_if(others_.begin(), others_.end(), [c](const auto& other) { return other.first == c; });
    return found != others_.end() ? found->second : others_.emplace_back(c, 0).second;
  }
  [[nodiscard]] std::uint64_t places_of(char32_t c) const {
    if (c < ascii_.size()) return ascii_[c];
    const auto found =
        std::find_if(others_.begin(), others_.end(), [c](const auto& other) { return other.first == c; });
    return found != others_.end() ? found->second : 0;
  }

  std::array<std::uint64_t, 128> ascii_{};
  std::vector<std::pair<char32_t, std::uint64_t>> others_;
  std::size_t length_ = 0;
};

std::uint32_t saturated_sum(std::uint32_t a, std::uint32_t b) {
  return a + std::min(b, std::numeric_limits<std::uint32_t>::max() - a);
}

// ---- Stored form: version, number of words, for each word what it shares with the one before, its own bytes and its
// counts, and a hash of all that. Numbers in groups of seven bits, the lowest first.

constexpr char kVersion = 1;
constexpr std::size_t kHashBytes = 8;
constexpr std::size_t kFewestBytesOfWord = 5;

void put_hash(std::string& out) {
  const std::uint64_t hash = helpdesk::hash64(out);
  for (std::size_t i = 0; i < kHashBytes; ++i) out += static_cast<char>(hash >> (8 * i));
}

/// Takes the hash from the end of `bytes`; true when it is theirs.
bool take_hash(std::string_view& bytes) {
  if (bytes.size() < kHashBytes) return false;
  std::uint64_t hash = 0;
  for (std::size_t i = 0; i < kHashBytes; ++i) {
    hash |= std::uint64_t{static_cast<unsigned char>(bytes[bytes.size() - kHashBytes + i])} << (8 * i);
  }
  bytes.remove_suffix(kHashBytes);
  return hash == helpdesk::hash64(bytes);
}

std::optional<std::uint32_t> take_number(std::string_view& rest) {
  std::uint64_t number = 0;
  for (unsigned shift = 0; shift < 35 && !rest.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(rest.front());
    rest.remove_prefix(1);
    number |= std::uint64_t{byte & 0x7FU} << shift;
    if (number > std::numeric_limits<std::uint32_t>::max()) return std::nullopt;
    if (byte < 0x80) return static_cast<std::uint32_t>(number);
  }
  return std::nullopt;
}

/// Takes one word from the front of `rest`; `word` holds the one before.
std::optional<Vocabulary::Entry> take_entry(std::string_view& rest, std::string& word) {
  const auto shared = take_number(rest), own = take_number(rest);
  if (!shared || !own || *shared > word.size() || *own > rest.size() || *own > Vocabulary::kMostBytes) {
    return std::nullopt;
  }
  std::string next = word.substr(0, *shared).append(rest.substr(0, *own));
  rest.remove_prefix(*own);
  const auto documents = take_number(rest), more_inside = take_number(rest);
  if (!documents || !more_inside || next <= word || length_if_kept(next) == 0) return std::nullopt;
  const std::uint32_t inside = saturated_sum(*documents, *more_inside);
  if (inside == 0 || inside - *documents != *more_inside) return std::nullopt;
  word = std::move(next);
  return Vocabulary::Entry{word, *documents, inside};
}

// ---- Corrections

using Counted = std::unordered_map<std::string_view, Correction>;

/// The words near `word` that the reader may see.
Counted count_near(std::span<const Vocabulary* const> vocabularies, std::string_view word, unsigned most,
                   bool may_read_inside) {
  Counted counted;
  for (const Vocabulary* vocabulary : vocabularies) {
    vocabulary->near(word, most, [&](const Vocabulary::Entry& entry, unsigned distance) {
      const std::uint32_t documents = entry.documents_for(may_read_inside);
      if (documents == 0) return;
      Correction& correction = counted[entry.word];
      correction.documents += documents;
      correction.distance = distance;
    });
  }
  return counted;
}

std::uint64_t count_documents(std::span<const Vocabulary* const> vocabularies, std::string_view word,
                              bool may_read_inside) {
  std::uint64_t documents = 0;
  for (const Vocabulary* vocabulary : vocabularies) {
    if (const auto entry = vocabulary->find(word)) documents += entry->documents_for(may_read_inside);
  }
  return documents;
}

/// Candidates are tried in their order, not more than so many: each may cost a look into the index.
constexpr std::size_t kMostTried = 8;

std::optional<Correction> best_of(const Counted& counted, const Accepts& accepts) {
  std::vector<Correction> candidates;
  candidates.reserve(counted.size());
  for (const auto& [word, found] : counted) candidates.push_back({std::string(word), found.documents, found.distance});
  std::sort(candidates.begin(), candidates.end(), [](const Correction& a, const Correction& b) {
    return std::tie(a.distance, b.documents, a.word) < std::tie(b.distance, a.documents, b.word);
  });
  if (candidates.size() > kMostTried) candidates.resize(kMostTried);
  const auto best = std::find_if(candidates.begin(), candidates.end(),
                                 [&](const Correction& candidate) { return !accepts || accepts(candidate.word); });
  if (best == candidates.end()) return std::nullopt;
  return *best;
}

std::string term_of(std::string_view word, const Lexer& lexer) {
  const LexedText lexed = lexer.lex(word);
  return lexed.words.size() == 1 ? lexed.words.front().term : std::string(word);
}

}  // namespace

Vocabulary::Vocabulary(std::span<const Entry> sorted) {
  const auto length_of = [](const Entry& entry) {
    return entry.documents == 0 && entry.documents_inside == 0 ? 0 : length_if_kept(entry.word);
  };
  std::size_t bytes = 0;
  for (const Entry& entry : sorted) {
    const std::size_t length = length_of(entry);
    if (length == 0) continue;
    ++groups_[length + 1];
    bytes += entry.word.size();
  }
  std::partial_sum(groups_.begin(), groups_.end(), groups_.begin());
  std::vector<const Entry*> by_length(groups_.back());
  auto places = groups_;
  for (const Entry& entry : sorted) {
    if (const std::size_t length = length_of(entry); length > 0) by_length[places[length]++] = &entry;
  }

  bytes_.reserve(bytes);
  begins_.reserve(by_length.size() + 1);
  letters_.reserve(by_length.size());
  counts_.reserve(by_length.size());
  for (const Entry* entry : by_length) {
    bytes_ += entry->word;
    begins_.push_back(static_cast<std::uint32_t>(bytes_.size()));
    letters_.push_back(letter_set(entry->word));
    counts_.push_back({entry->documents, std::max(entry->documents, entry->documents_inside)});
  }
}

Vocabulary Vocabulary::merge(std::span<const Vocabulary* const> vocabularies) {
  std::vector<Entry> entries;
  for (const Vocabulary* vocabulary : vocabularies) {
    for (std::size_t i = 0; i < vocabulary->size(); ++i) entries.push_back(vocabulary->entry_at(i));
  }
  std::sort(entries.begin(), entries.end(), comes_before);
  std::size_t last = 0;
  for (std::size_t i = 1; i < entries.size(); ++i) {
    if (entries[last].word != entries[i].word) {
      entries[++last] = entries[i];
      continue;
    }
    entries[last].documents = saturated_sum(entries[last].documents, entries[i].documents);
    entries[last].documents_inside = saturated_sum(entries[last].documents_inside, entries[i].documents_inside);
  }
  if (!entries.empty()) entries.resize(last + 1);
  return Vocabulary(entries);
}

Vocabulary Vocabulary::limited(const Limit& limit) const {
  std::vector<Entry> entries = sorted_entries();
  for (Entry& entry : entries) {
    const std::uint32_t most = limit(entry.word);
    entry.documents = std::min(entry.documents, most);
    entry.documents_inside = std::min(entry.documents_inside, most);
  }
  return Vocabulary(entries);
}

std::size_t Vocabulary::memory_bytes() const noexcept {
  return sizeof(*this) + bytes_.capacity() + begins_.capacity() * sizeof(begins_[0]) +
         letters_.capacity() * sizeof(letters_[0]) + counts_.capacity() * sizeof(counts_[0]);
}

std::optional<Vocabulary::Entry> Vocabulary::find(std::string_view word) const {
  const std::size_t length = length_if_kept(word);
  if (length == 0) return std::nullopt;
  std::uint32_t first = groups_[length], last = groups_[length + 1];
  const std::uint32_t end = last;
  while (first < last) {
    const std::uint32_t middle = first + (last - first) / 2;
    if (word_at(middle) < word) {
      first = middle + 1;
    } else {
      last = middle;
    }
  }
  if (first == end || word_at(first) != word) return std::nullopt;
  return entry_at(first);
}

void Vocabulary::near(std::string_view word, unsigned most, const Visitor& visit) const {
  const Pattern pattern(word);
  const std::size_t length = pattern.length();
  if (length == 0 || length > Pattern::kLongest) return;
  const std::uint32_t letters = letter_set(word);
  const std::size_t longest = std::min(length + most, kMostBytes);
  for (std::size_t other = length > most ? length - most : 0; other <= longest; ++other) {
    // Each of the edits that even out the lengths brings letters into one of the words only, any other at most one into
    // each.
    const unsigned surplus = other > length ? most - static_cast<unsigned>(other - length) : most;
    const unsigned missing = other < length ? most - static_cast<unsigned>(length - other) : most;
    for (std::uint32_t i = groups_[other]; i < groups_[other + 1]; ++i) {
      if (without(letters & ~letters_[i], surplus) != 0 || without(letters_[i] & ~letters, missing) != 0) continue;
      const unsigned distance = pattern.distance_to(word_at(i));
      if (distance > 0 && distance <= most) visit(entry_at(i), distance);
    }
  }
}

std::vector<Vocabulary::Entry> Vocabulary::sorted_entries() const {
  std::vector<Entry> entries;
  entries.reserve(size());
  for (std::size_t i = 0; i < size(); ++i) entries.push_back(entry_at(i));
  std::sort(entries.begin(), entries.end(), comes_before);
  return entries;
}

std::string Vocabulary::serialize() const {
  std::string out(1, kVersion);
  append_number(out, size());
  std::string_view before;
  for (const Entry& entry : sorted_entries()) {
    const auto differs = std::mismatch(entry.word.begin(), entry.word.end(), before.begin(), before.end()).first;
    const auto shared = static_cast<std::size_t>(differs - entry.word.begin());
    append_number(out, shared);
    append_number(out, entry.word.size() - shared);
    out += entry.word.substr(shared);
    append_number(out, entry.documents);
    append_number(out, entry.documents_inside - entry.documents);
    before = entry.word;
  }
  put_hash(out);
  return out;
}

std::optional<Vocabulary> Vocabulary::deserialize(std::string_view bytes) {
  if (!take_hash(bytes) || !bytes.starts_with(kVersion)) return std::nullopt;
  bytes.remove_prefix(1);
  const auto count = take_number(bytes);
  if (!count || *count > bytes.size() / kFewestBytesOfWord) return std::nullopt;
  std::vector<Entry> entries;
  std::vector<std::size_t> ends;
  entries.reserve(*count);
  ends.reserve(*count);
  std::string word, words;
  for (std::uint32_t i = 0; i < *count; ++i) {
    const auto entry = take_entry(bytes, word);
    if (!entry) return std::nullopt;
    words += word;
    entries.push_back(*entry);
    ends.push_back(words.size());
  }
  if (!bytes.empty()) return std::nullopt;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const std::size_t begin = i == 0 ? 0 : ends[i - 1];
    entries[i].word = std::string_view(words).substr(begin, ends[i] - begin);
  }
  return Vocabulary(entries);
}

std::optional<Correction> correct(std::span<const Vocabulary* const> vocabularies, std::string_view word,
                                  bool may_read_inside, const Accepts& accepts) {
  const std::size_t length = count_letters(word);
  if (length < kFewestToCorrect) return std::nullopt;
  auto correction = best_of(count_near(vocabularies, word, 1, may_read_inside), accepts);
  if (!correction && length >= kFewestForTwoEdits) {
    correction = best_of(count_near(vocabularies, word, 2, may_read_inside), accepts);
  }
  return correction;
}

std::optional<Correction> suggest(std::span<const Vocabulary* const> vocabularies, std::string_view word,
                                  bool may_read_inside, const Lexer& lexer, const Accepts& accepts) {
  if (count_letters(word) < kFewestToSuggest) return std::nullopt;
  const std::uint64_t documents = count_documents(vocabularies, word, may_read_inside);
  if (documents == 0) return std::nullopt;
  Counted counted = count_near(vocabularies, word, 1, may_read_inside);
  std::erase_if(counted, [&](const auto& other) { return other.second.documents / kTimesAsFrequent < documents; });
  if (counted.empty()) return std::nullopt;
  const std::string term = term_of(word, lexer);
  std::erase_if(counted, [&](const auto& other) { return term_of(other.first, lexer) == term; });
  return best_of(counted, accepts);
}

}  // namespace search
