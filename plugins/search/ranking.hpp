#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "document.hpp"
#include "query.hpp"
#include "segment.hpp"

/// Okapi BM25 over the segments of one tenant (Robertson and Zaragoza, The Probabilistic Relevance Framework, 2009):
/// exact, over every document that holds a word of the query.
namespace search {

/// What documents must be to count as found. Names are compared without case.
struct Filter {
  std::optional<std::vector<std::string>> sources, kinds, statuses, priorities;
  std::optional<std::string> category, assignee, requester;  ///< an empty text: none
  std::vector<std::string> tags;                             ///< all of them
  std::optional<std::int64_t> created_after_us, created_before_us, updated_after_us, due_before_us;
};

enum class RankBy { kRelevance, kUpdated, kCreated };

enum class Facet { kStatus, kPriority, kCategory, kAssignee, kTag, kKind };

/// Where a page of hits ended; hits are in descending order of `key`, then by source and ref. Every write changes all
/// scores a little, so a page goes on at the present score of its document.
struct HitPosition {
  double key = 0;
  std::string source, ref;
};

struct ScoredTerm {
  std::string term;
  float weight = 1;
};

struct RankRequest {
  std::vector<ScoredTerm> scored;
  std::vector<QueryClause> required, excluded;
  Filter filter;
  RankBy by = RankBy::kRelevance;
  std::size_t limit = 10;
  std::optional<HitPosition> after;
  std::vector<Facet> facets;
  std::string exact_ref;  ///< a document with this ref is a hit, the first one by relevance; empty: none
  std::string leave_out;  ///< a document with this ref is no hit
};

/// How the query is to be answered: which words score, what must be there and what must not.
RankRequest plan(const ParsedQuery& query, QueryMode mode);

struct Hit {
  std::size_t segment = 0;
  std::uint32_t doc = 0;
  float score = 0;
  FieldSet matched = 0;
  bool is_exact_ref = false;
};

struct FacetCount {
  std::string name;  ///< empty: none
  std::uint64_t count = 0;
};

struct RankResult {
  std::vector<Hit> hits;
  std::vector<HitPosition> positions;           ///< of each hit
  bool more = false;                            ///< more follow
  std::uint64_t total = 0;                      ///< all that were found, counted
  std::vector<std::vector<FacetCount>> facets;  ///< as requested; most frequent first
};

/// Serves one search. The segments outlive it.
class Ranker {
 public:
  /// `fields`: those that are looked into; internal notes among them when the caller may read them and asks for them.
  /// `reads_notes`: whether notes count for the length of a document.
  Ranker(std::span<const SegmentReader* const> segments, FieldSet fields, bool reads_notes);

  /// Living documents that hold the term in one of the fields.
  std::uint32_t documents_with(const std::string& term);
  [[nodiscard]] std::uint64_t documents() const noexcept { return documents_; }

  RankResult rank(const RankRequest& request);

 private:
  struct Entry {
    std::uint32_t doc;
    float weight;
    FieldSet fields;
  };
  using Bits = std::vector<bool>;
  struct Found {
    std::vector<std::vector<Entry>> entries;  // by segment
    std::uint32_t documents = 0;
  };
  const Found& find(const std::string& term);
  Bits docs_with(const std::string& term, std::size_t segment);
  Bits docs_with(const QueryUnit& unit, std::size_t segment);
  Bits docs_with(const QueryClause& clause, std::size_t segment);
  Bits phrase_docs(const std::vector<Word>& words, std::size_t segment);
  float factor(const Found& found, float weight) const;
  float score_of(const Entry& entry, const Columns& columns, float factor) const;
  HitPosition present(const HitPosition& position, const RankRequest& request);

  std::span<const SegmentReader* const> segments_;
  const FieldSet fields_;
  const bool reads_notes_;
  std::uint64_t documents_ = 0;
  double average_length_ = 1;
  std::unordered_map<std::string, Found> found_;
};

}  // namespace search
