#pragma once
#include <toolhost/plugin.hpp>

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "index_cache.hpp"
#include "segment.hpp"
#include "sources.hpp"

namespace search {

/// What searches of a tenant read.
struct IndexState {
  std::string index_id;
  std::int64_t generation = 0;  ///< 0: there is none yet
  std::string language;
};
std::optional<IndexState> read_state(toolhost::Call& call);

/// A segment of the database, read piece by piece and kept in the cache.
class StoredSegment;

/// The documents of a tenant as one search sees them: the stored segments, and what they do not know yet in a segment
/// of its own. Lives as long as the call; reads in its snapshot.
class IndexReader {
 public:
  /// More documents than this outside of the index, or more bytes of text, are not read in a search: is_behind().
  static constexpr std::int64_t kMostPending = 4000;
  static constexpr std::size_t kMostPendingBytes = 32 << 20;

  /// `lexer` is the one of the state's language.
  static IndexReader open(toolhost::Call& call, const Sources& sources, IndexCache& cache, const IndexState& state,
                          const Lexer& lexer);
  IndexReader(IndexReader&&) noexcept;
  ~IndexReader();

  [[nodiscard]] const std::vector<const SegmentReader*>& segments() const noexcept { return readers_; }

  /// The latest changes are missing: there are more than one search can read.
  [[nodiscard]] bool is_behind() const noexcept { return is_behind_; }

  /// Reads the postings of these terms, and where they stand if `with_positions`, in one statement. A term that was not
  /// read is found nowhere.
  void load(const std::vector<std::string>& terms, bool with_positions);

  /// In how many documents of the stored segments each term is, dead ones and notes included: to choose terms by, not
  /// to show. Terms that are nowhere are left out.
  std::unordered_map<std::string, std::int64_t> documents_with(const std::vector<std::string>& terms);

  /// Of all segments.
  std::vector<std::shared_ptr<const Vocabulary>> vocabularies();

 private:
  IndexReader(toolhost::Call& call, IndexCache& cache);
  void open_segments(const IndexState& state);
  void add_pending(const Sources& sources, const IndexState& state, const Lexer& lexer,
                   const std::vector<PendingDocument>& pending);

  toolhost::Call* call_;
  IndexCache* cache_;
  std::vector<std::unique_ptr<StoredSegment>> stored_;
  std::unique_ptr<SegmentReader> pending_;
  std::shared_ptr<const Vocabulary> pending_words_;
  std::vector<const SegmentReader*> readers_;
  bool is_behind_ = false;
};

}  // namespace search
