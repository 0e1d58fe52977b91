#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lexer.hpp"

/// Which word was meant: the words of the documents, and those of them that are a mistake or two away.
namespace search {

/// Words of documents, folded and not stemmed, as far as they are worth a suggestion: letters only, at least
/// kFewestCharacters, at most kMostBytes. Immutable; any thread.
class Vocabulary {
 public:
  static constexpr std::size_t kFewestCharacters = 3;
  static constexpr std::size_t kMostBytes = 40;

  struct Entry {
    std::string_view word;               ///< valid as long as the vocabulary
    std::uint32_t documents = 0;         ///< that have it in a field that everybody may read
    std::uint32_t documents_inside = 0;  ///< that have it in any field, internal notes included

    [[nodiscard]] std::uint32_t documents_for(bool may_read_inside) const {
      return may_read_inside ? documents_inside : documents;
    }
  };
  using Visitor = std::function<void(const Entry& entry, unsigned distance)>;

  Vocabulary() = default;
  /// In ascending order of bytes, each word once. Others than described above are left out.
  explicit Vocabulary(std::span<const Entry> sorted);
  /// All words, with the sums of their counts.
  static Vocabulary merge(std::span<const Vocabulary* const> vocabularies);

  /// How many documents can have a word at most; 0: nobody has it any more.
  using Limit = std::function<std::uint32_t(std::string_view word)>;
  /// With no word counted more often than that, and without those that nobody has.
  [[nodiscard]] Vocabulary limited(const Limit& limit) const;

  [[nodiscard]] std::size_t size() const noexcept { return counts_.size(); }
  [[nodiscard]] std::size_t memory_bytes() const noexcept;
  [[nodiscard]] std::optional<Entry> find(std::string_view word) const;
  [[nodiscard]] bool contains(std::string_view word) const { return find(word).has_value(); }

  /// The words that `most` edits (1 or 2) turn `word` into, without itself, in no order that means anything. An edit
  /// adds, drops or replaces a character or swaps two neighbours (optimal string alignment). Reads some 10 ns per word.
  void near(std::string_view word, unsigned most, const Visitor& visit) const;

  /// Compact; may be stored.
  [[nodiscard]] std::string serialize() const;
  /// nullopt for bytes that serialize() did not make.
  static std::optional<Vocabulary> deserialize(std::string_view bytes);

 private:
  struct Counts {
    std::uint32_t documents, documents_inside;
  };
  [[nodiscard]] std::string_view word_at(std::size_t index) const {
    return std::string_view(bytes_).substr(begins_[index], begins_[index + 1] - begins_[index]);
  }
  [[nodiscard]] Entry entry_at(std::size_t index) const {
    return {word_at(index), counts_[index].documents, counts_[index].documents_inside};
  }
  [[nodiscard]] std::vector<Entry> sorted_entries() const;

  // Words of one length (in characters) stand together, each group in ascending order.
  std::string bytes_;
  std::vector<std::uint32_t> begins_{0};  // in bytes_; one more than words
  std::vector<std::uint32_t> letters_;    // sets of letters: 32 kinds, each letter is of one
  std::vector<Counts> counts_;
  std::array<std::uint32_t, kMostBytes + 2> groups_{};  // by length: index of the first word
};

struct Correction {
  std::string word;
  std::uint64_t documents = 0;
  unsigned distance = 0;
};

/// Whether a candidate will do: counts may lag behind what documents say by now.
using Accepts = std::function<bool(std::string_view word)>;

/// What was meant by a word that no document has (the caller knows: a vocabulary may still hold words of documents that
/// are gone): of the words one edit away, in words of 9 characters and more also two, the nearest, then the most
/// frequent, then the first by alphabet. nullopt when there is none and for words of fewer than 4 characters or of
/// other than letters. Words of internal notes do not exist for who may not read those.
/// Candidates that `accepts` (if any) does not are passed over.
std::optional<Correction> correct(std::span<const Vocabulary* const> vocabularies, std::string_view word,
                                  bool may_read_inside, const Accepts& accepts = {});

/// What may have been meant by a rare word of at least 5 characters that is there: a word one edit away that 20 times
/// as many documents have, unless it has the same term, which finds both anyway.
std::optional<Correction> suggest(std::span<const Vocabulary* const> vocabularies, std::string_view word,
                                  bool may_read_inside, const Lexer& lexer, const Accepts& accepts = {});

}  // namespace search
