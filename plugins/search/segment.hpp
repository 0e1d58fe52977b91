#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "document.hpp"
#include "lexer.hpp"
#include "postings.hpp"
#include "speller.hpp"

/// A segment: an immutable index of some documents of one tenant, numbered from 0. What changes afterwards is in a
/// newer segment, and the older document is marked dead beside it.
namespace search {

/// A column of few different texts: a number for each document, and what the numbers stand for.
struct NameColumn {
  std::vector<std::string> names;
  std::vector<std::uint32_t> codes;  ///< by document
  /// The code of `name`, which is new when it was not there.
  std::uint32_t code_of(std::string_view name);

 private:
  std::unordered_map<std::string, std::uint32_t> known_;
};

/// What search knows of each document beside its words, by document. Empty names stand for none.
struct Columns {
  NameColumn source, kind, status, priority, category, assignee, requester, tag;
  std::vector<std::uint32_t> tag_begin{0};  ///< into tag.codes; one more than documents
  std::vector<std::string> refs;
  std::vector<std::int64_t> created_us, updated_us, due_us;  ///< due_us: kNever without
  std::vector<std::uint32_t> public_length, notes_length;    ///< words by kFieldWeights
  std::uint64_t public_length_sum = 0, notes_length_sum = 0;

  static constexpr std::int64_t kNever = INT64_MAX;

  [[nodiscard]] std::uint32_t docs() const noexcept { return static_cast<std::uint32_t>(refs.size()); }
  [[nodiscard]] std::size_t memory_bytes() const noexcept;
  void add(const Document& document, std::uint32_t public_words, std::uint32_t notes_words);
  /// The document number `doc` of `other`.
  void add(const Columns& other, std::uint32_t doc);

  [[nodiscard]] std::string encode() const;
  /// nullopt for bytes that encode() did not make.
  static std::optional<Columns> decode(std::string_view bytes);
};

/// Both byte strings of a term and the number of its documents.
struct TermPostings {
  std::uint32_t docs = 0;
  std::string postings, positions;
};

/// Builds a segment in memory.
class SegmentBuilder {
 public:
  explicit SegmentBuilder(const Lexer& lexer) : lexer_(lexer) {}
  /// Returns the number of the document.
  std::uint32_t add(const Document& document);

  [[nodiscard]] const Columns& columns() const noexcept { return columns_; }
  /// Of all documents so far.
  [[nodiscard]] std::size_t text_bytes() const noexcept { return text_bytes_; }
  [[nodiscard]] Vocabulary vocabulary() const;
  /// Calls visit(const std::string& term, const PostingsWriter&) for each term, in ascending order: rows that are
  /// written in the order of their key fill its index well.
  template <class Visit>
  void for_each_term(const Visit& visit) const {
    for (const auto* entry : sorted_terms()) visit(entry->first, postings_[entry->second]);
  }

 private:
  std::uint32_t add_field(std::uint32_t doc, Field field, std::string_view text, std::uint32_t first_position);
  void count_word(const std::string& word, std::uint32_t doc, bool is_note);
  std::uint32_t number_of(const std::string& term);
  [[nodiscard]] std::vector<const std::pair<const std::string, std::uint32_t>*> sorted_terms() const;

  const Lexer& lexer_;
  Columns columns_;
  std::size_t text_bytes_ = 0;
  std::unordered_map<std::string, std::uint32_t> numbers_;  // of terms, into postings_
  std::vector<PostingsWriter> postings_;
  std::vector<std::pair<std::uint32_t, Place>> found_;  // term and place, of the document being added
  struct WordUse {
    std::uint32_t documents = 0, documents_inside = 0;
    std::uint32_t last_public = UINT32_MAX, last_inside = UINT32_MAX;  // the document that was counted last
  };
  std::unordered_map<std::string, WordUse> words_;
};

/// Documents that are no longer what their segment says. Copied on write by whoever changes it.
class DeadDocs {
 public:
  DeadDocs() = default;
  explicit DeadDocs(std::string_view bitmap);
  [[nodiscard]] bool contains(std::uint32_t doc) const noexcept {
    return doc / 8 < bits_.size() && (static_cast<unsigned char>(bits_[doc / 8]) >> doc % 8 & 1) != 0;
  }
  void add(std::uint32_t doc);
  [[nodiscard]] std::uint32_t count() const noexcept { return count_; }
  [[nodiscard]] const std::string& bitmap() const noexcept { return bits_; }

 private:
  std::string bits_;
  std::uint32_t count_ = 0;
};

/// What a search reads of one segment; stored ones and those in memory alike.
class SegmentReader {
 public:
  virtual ~SegmentReader() = default;
  [[nodiscard]] virtual const Columns& columns() const = 0;
  [[nodiscard]] virtual const DeadDocs& dead() const = 0;
  /// Empty when the segment does not have the term. Valid as long as the reader.
  [[nodiscard]] virtual std::string_view postings(const std::string& term) const = 0;
  [[nodiscard]] virtual std::string_view positions(const std::string& term) const = 0;
};

/// Where the documents of several segments go when these become one: by segment and old number the new one.
struct Renumbering {
  static constexpr std::uint32_t kGone = UINT32_MAX;
  std::vector<std::vector<std::uint32_t>> new_number;
  Columns columns;
};
/// The living documents, in the order of the segments.
Renumbering renumber(std::span<const Columns* const> segments, std::span<const DeadDocs* const> dead);

/// One term's postings in each of the segments (null where it has none), as one.
PostingsWriter merge_postings(const Renumbering& renumbering, std::span<const TermPostings* const> of_segments);

}  // namespace search
