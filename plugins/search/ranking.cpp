#include "ranking.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <queue>

#include "text.hpp"

namespace search {
namespace {

constexpr float kSaturation = 1.2F;     // k1
constexpr float kLengthWeight = 0.75F;  // b
constexpr float kPartWeight = 0.6F;     // of "59" where "endmark59" was asked for
constexpr double kFirst = 1e9;          // no score comes near it

const NameColumn& column_of(const Columns& columns, Facet facet) {
  switch (facet) {
    case Facet::kStatus:
      return columns.status;
    case Facet::kPriority:
      return columns.priority;
    case Facet::kCategory:
      return columns.category;
    case Facet::kAssignee:
      return columns.assignee;
    case Facet::kTag:
      return columns.tag;
    case Facet::kKind:
      return columns.kind;
  }
  return columns.kind;
}

/// The filter for the documents of one segment, with names looked up once.
class SegmentFilter {
 public:
  SegmentFilter(const Filter& filter, const Columns& columns) : filter_(filter), columns_(columns) {
    allow(columns.source, filter.sources);
    allow(columns.kind, filter.kinds);
    allow(columns.status, filter.statuses);
    allow(columns.priority, filter.priorities);
    const auto one = [](const std::optional<std::string>& name) {
      return name ? std::optional<std::vector<std::string>>({*name}) : std::nullopt;
    };
    allow(columns.category, one(filter.category));
    allow(columns.assignee, one(filter.assignee));
    allow(columns.requester, one(filter.requester));
    for (const std::string& tag : filter.tags) tags_.push_back(allowed_codes(columns.tag, {tag}));
  }

  [[nodiscard]] bool accepts(std::uint32_t doc) const {
    for (const auto& [codes, allowed] : allowed_) {
      if (!allowed[(*codes)[doc]]) return false;
    }
    for (const std::vector<bool>& allowed : tags_) {
      const auto begin = columns_.tag.codes.begin();
      if (std::none_of(begin + columns_.tag_begin[doc], begin + columns_.tag_begin[doc + 1],
                       [&](std::uint32_t code) { return allowed[code]; }))
        return false;
    }
    const auto before = [](const std::optional<std::int64_t>& limit, std::int64_t us) { return !limit || us < *limit; };
    const auto from = [](const std::optional<std::int64_t>& limit, std::int64_t us) { return !limit || us >= *limit; };
    return from(filter_.created_after_us, columns_.created_us[doc]) &&
           before(filter_.created_before_us, columns_.created_us[doc]) &&
           from(filter_.updated_after_us, columns_.updated_us[doc]) &&
           before(filter_.due_before_us, columns_.due_us[doc]);
  }

 private:
  static std::vector<bool> allowed_codes(const NameColumn& column, const std::vector<std::string>& names) {
    std::vector<bool> allowed(column.names.size());
    for (std::size_t i = 0; i < column.names.size(); ++i) {
      allowed[i] = std::any_of(names.begin(), names.end(), [&](const std::string& name) {
        return helpdesk::fold_case(name) == helpdesk::fold_case(column.names[i]);
      });
    }
    return allowed;
  }
  void allow(const NameColumn& column, const std::optional<std::vector<std::string>>& names) {
    if (names) allowed_.emplace_back(&column.codes, allowed_codes(column, *names));
  }

  const Filter& filter_;
  const Columns& columns_;
  std::vector<std::pair<const std::vector<std::uint32_t>*, std::vector<bool>>> allowed_;
  std::vector<std::vector<bool>> tags_;
};

/// Counts of one facet over all segments.
class FacetCounter {
 public:
  explicit FacetCounter(Facet facet) : facet_(facet) {}

  void begin(const Columns& columns) {
    columns_ = &columns;
    counts_.assign(column_of(columns, facet_).names.size(), 0);
  }
  void add(std::uint32_t doc) {
    const NameColumn& column = column_of(*columns_, facet_);
    if (facet_ != Facet::kTag) {
      ++counts_[column.codes[doc]];
      return;
    }
    for (std::uint32_t i = columns_->tag_begin[doc]; i < columns_->tag_begin[doc + 1]; ++i) ++counts_[column.codes[i]];
  }
  void end() {
    const NameColumn& column = column_of(*columns_, facet_);
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      if (counts_[i] > 0) totals_[column.names[i]] += counts_[i];
    }
  }
  [[nodiscard]] std::vector<FacetCount> result() const {
    std::vector<FacetCount> counts;
    for (const auto& [name, count] : totals_) counts.push_back({name, count});
    std::sort(counts.begin(), counts.end(),
              [](const auto& a, const auto& b) { return a.count != b.count ? a.count > b.count : a.name < b.name; });
    return counts;
  }

 private:
  const Facet facet_;
  const Columns* columns_ = nullptr;
  std::vector<std::uint64_t> counts_;
  std::map<std::string, std::uint64_t> totals_;
};

void add_terms(std::vector<ScoredTerm>& scored, const QueryUnit& unit, bool with_stop_words) {
  const auto add = [&](const std::string& term, float weight) {
    if (std::none_of(scored.begin(), scored.end(), [&](const auto& known) { return known.term == term; }))
      scored.push_back({term, weight});
  };
  for (const Word& word : unit.words) {
    if (word.is_stop && !with_stop_words) continue;
    add(word.term, 1);
    for (const std::string& part : word.parts) add(part, kPartWeight);
  }
  if (!unit.joined.empty()) add(unit.joined, 1);
}

}  // namespace

RankRequest plan(const ParsedQuery& query, QueryMode mode) {
  RankRequest request;
  // A query of nothing but words like "the" means them.
  for (const bool with_stop_words : {false, true}) {
    for (const QueryClause& clause : query.clauses) {
      if (clause.is_excluded) continue;
      for (const QueryUnit& unit : clause.any_of) add_terms(request.scored, unit, with_stop_words);
    }
    if (!request.scored.empty()) break;
  }
  for (const QueryClause& clause : query.clauses) {
    const auto is_phrase = [](const QueryUnit& unit) { return unit.is_phrase; };
    const auto tells_nothing = [](const QueryUnit& unit) {
      return std::all_of(unit.words.begin(), unit.words.end(), [](const Word& word) { return word.is_stop; });
    };
    if (clause.is_excluded) {
      request.excluded.push_back(clause);
    } else if (std::any_of(clause.any_of.begin(), clause.any_of.end(), is_phrase) ||
               (mode != QueryMode::kAuto && std::none_of(clause.any_of.begin(), clause.any_of.end(), tells_nothing))) {
      request.required.push_back(clause);
    }
  }
  return request;
}

Ranker::Ranker(std::span<const SegmentReader* const> segments, FieldSet fields, bool reads_notes)
    : segments_(segments), fields_(fields), reads_notes_(reads_notes) {
  std::uint64_t words = 0, all = 0;
  for (const SegmentReader* segment : segments_) {
    const Columns& columns = segment->columns();
    all += columns.docs();
    documents_ += columns.docs() - std::min(columns.docs(), segment->dead().count());
    words += columns.public_length_sum + (reads_notes_ ? columns.notes_length_sum : 0);
  }
  if (words > 0) average_length_ = static_cast<double>(words) / static_cast<double>(all);
}

const Ranker::Found& Ranker::find(const std::string& term) {
  const auto [place, is_new] = found_.try_emplace(term);
  Found& found = place->second;
  if (!is_new) return found;
  for (const SegmentReader* segment : segments_) {
    std::vector<Entry>& entries = found.entries.emplace_back();
    const std::uint32_t docs = segment->columns().docs();
    const DeadDocs& dead = segment->dead();
    PostingsReader reader(segment->postings(term));
    Posting posting;
    while (reader.next(posting) && posting.doc < docs) {
      const auto fields = static_cast<FieldSet>(posting.fields & fields_);
      if (fields == 0 || dead.contains(posting.doc)) continue;
      std::uint32_t weight = 0;
      for (std::size_t field = 0; field < kFieldCount; ++field) {
        if ((fields >> field & 1) != 0) weight += kFieldWeights[field] * posting.counts[field];
      }
      entries.push_back({posting.doc, static_cast<float>(weight), fields});
    }
    found.documents += static_cast<std::uint32_t>(entries.size());
  }
  return found;
}

std::uint32_t Ranker::documents_with(const std::string& term) {
  return find(term).documents;
}

Ranker::Bits Ranker::docs_with(const std::string& term, std::size_t segment) {
  Bits bits(segments_[segment]->columns().docs());
  for (const Entry& entry : find(term).entries[segment]) bits[entry.doc] = true;
  return bits;
}

/// Documents in which the words stand next to each other, in one field.
Ranker::Bits Ranker::phrase_docs(const std::vector<Word>& words, std::size_t segment) {
  const SegmentReader& reader = *segments_[segment];
  const std::uint32_t docs = reader.columns().docs();
  Bits bits(docs);
  std::vector<Place> starts;
  for (std::size_t i = 0; i < words.size(); ++i) {
    std::vector<Place> places = read_places(reader.postings(words[i].term), reader.positions(words[i].term), fields_);
    const std::uint64_t offset = words[i].position - words.front().position;
    for (Place& at : places) at -= std::min(offset, at);
    if (i == 0) {
      starts = std::move(places);
    } else {
      std::vector<Place> both;
      std::set_intersection(starts.begin(), starts.end(), places.begin(), places.end(), std::back_inserter(both));
      starts = std::move(both);
    }
    if (starts.empty()) return bits;
  }
  for (const Place start : starts) {
    if (doc_of(start) < docs && !reader.dead().contains(doc_of(start))) bits[doc_of(start)] = true;
  }
  return bits;
}

Ranker::Bits Ranker::docs_with(const QueryUnit& unit, std::size_t segment) {
  Bits bits;
  if (unit.is_phrase && unit.words.size() > 1) {
    bits = phrase_docs(unit.words, segment);
  } else {
    for (std::size_t i = 0; i < unit.words.size(); ++i) {
      const Bits with_word = docs_with(unit.words[i].term, segment);
      if (i == 0) {
        bits = with_word;
      } else {
        std::transform(bits.begin(), bits.end(), with_word.begin(), bits.begin(), std::logical_and<>());
      }
    }
  }
  if (!unit.joined.empty()) {
    const Bits joined = docs_with(unit.joined, segment);
    if (bits.empty()) return joined;
    std::transform(bits.begin(), bits.end(), joined.begin(), bits.begin(), std::logical_or<>());
  }
  return bits;
}

Ranker::Bits Ranker::docs_with(const QueryClause& clause, std::size_t segment) {
  Bits bits(segments_[segment]->columns().docs());
  for (const QueryUnit& unit : clause.any_of) {
    const Bits with_unit = docs_with(unit, segment);
    if (!with_unit.empty())
      std::transform(bits.begin(), bits.end(), with_unit.begin(), bits.begin(), std::logical_or<>());
  }
  return bits;
}

/// What a term adds to a score, but for the document's part in it.
float Ranker::factor(const Found& found, float weight) const {
  const auto with = static_cast<double>(found.documents);
  const double rarity = std::log(1 + (static_cast<double>(documents_) - with + 0.5) / (with + 0.5));
  return static_cast<float>(rarity) * weight * (kSaturation + 1);
}

float Ranker::score_of(const Entry& entry, const Columns& columns, float factor) const {
  const std::uint32_t length = columns.public_length[entry.doc] + (reads_notes_ ? columns.notes_length[entry.doc] : 0);
  const float norm = kSaturation * (1 - kLengthWeight) +
                     kSaturation * kLengthWeight / static_cast<float>(average_length_) * static_cast<float>(length);
  return factor * entry.weight / (entry.weight + norm);
}

/// The position with the score that its document has now. Dates stay: what has a newer one was not passed by.
HitPosition Ranker::present(const HitPosition& position, const RankRequest& request) {
  HitPosition now = position;
  if (request.by != RankBy::kRelevance || position.key >= kFirst) return now;
  for (std::size_t s = 0; s < segments_.size(); ++s) {
    const Columns& columns = segments_[s]->columns();
    for (std::uint32_t doc = 0; doc < columns.docs(); ++doc) {
      if (columns.refs[doc] != position.ref || segments_[s]->dead().contains(doc) ||
          columns.source.names[columns.source.codes[doc]] != position.source)
        continue;
      float score = 0;
      for (const ScoredTerm& scored : request.scored) {
        const Found& found = find(scored.term);
        const auto& entries = found.entries[s];
        const auto entry = std::lower_bound(entries.begin(), entries.end(), doc,
                                            [](const Entry& one, std::uint32_t wanted) { return one.doc < wanted; });
        if (entry != entries.end() && entry->doc == doc)
          score += score_of(*entry, columns, factor(found, scored.weight));
      }
      if (score > 0) now.key = score;
      return now;
    }
  }
  return now;
}

RankResult Ranker::rank(const RankRequest& request) {
  RankResult result;
  const auto after = request.after ? std::optional<HitPosition>(present(*request.after, request)) : std::nullopt;
  std::vector<FacetCounter> facets(request.facets.begin(), request.facets.end());

  struct Candidate {
    double key;
    Hit hit;
    const Columns* columns;
    [[nodiscard]] const std::string& source() const { return columns->source.names[columns->source.codes[hit.doc]]; }
    [[nodiscard]] const std::string& ref() const { return columns->refs[hit.doc]; }
  };
  const auto comes_first = [](const Candidate& a, const Candidate& b) {
    if (a.key != b.key) return a.key > b.key;
    if (const int order = a.source().compare(b.source()); order != 0) return order < 0;
    return a.ref() < b.ref();
  };
  const auto is_past = [&](const Candidate& candidate) {
    if (!after) return true;
    if (candidate.key != after->key) return candidate.key < after->key;
    if (const int order = candidate.source().compare(after->source); order != 0) return order > 0;
    return candidate.ref() > after->ref;
  };
  // The best so far, the worst of them on top; one more than asked for tells whether more follow.
  std::priority_queue<Candidate, std::vector<Candidate>, decltype(comes_first)> best(comes_first);

  std::vector<float> scores;
  std::vector<FieldSet> matched;
  for (std::size_t s = 0; s < segments_.size(); ++s) {
    const Columns& columns = segments_[s]->columns();
    scores.assign(columns.docs(), 0);
    matched.assign(columns.docs(), 0);
    for (const ScoredTerm& scored : request.scored) {
      const Found& found = find(scored.term);
      if (found.entries[s].empty()) continue;
      const float of_term = factor(found, scored.weight);
      for (const Entry& entry : found.entries[s]) {
        scores[entry.doc] += score_of(entry, columns, of_term);
        matched[entry.doc] |= entry.fields;
      }
    }

    Bits allowed(columns.docs(), true);
    for (const QueryClause& clause : request.required) {
      const Bits with = docs_with(clause, s);
      std::transform(allowed.begin(), allowed.end(), with.begin(), allowed.begin(), std::logical_and<>());
    }
    for (const QueryClause& clause : request.excluded) {
      const Bits with = docs_with(clause, s);
      std::transform(allowed.begin(), allowed.end(), with.begin(), allowed.begin(),
                     [](bool is_allowed, bool has) { return is_allowed && !has; });
    }
    const SegmentFilter filter(request.filter, columns);
    for (FacetCounter& facet : facets) facet.begin(columns);
    const DeadDocs& dead = segments_[s]->dead();
    for (std::uint32_t doc = 0; doc < columns.docs(); ++doc) {
      const bool is_exact_ref =
          !request.exact_ref.empty() && columns.refs[doc] == request.exact_ref && !dead.contains(doc);
      if (!is_exact_ref && (scores[doc] <= 0 || !allowed[doc])) continue;
      if (!filter.accepts(doc)) continue;
      if (!request.leave_out.empty() && columns.refs[doc] == request.leave_out) continue;
      Candidate candidate{scores[doc], {s, doc, scores[doc], matched[doc], is_exact_ref}, &columns};
      if (is_exact_ref) candidate.key = kFirst;
      ++result.total;
      for (FacetCounter& facet : facets) facet.add(doc);
      if (request.by == RankBy::kUpdated) candidate.key = static_cast<double>(columns.updated_us[doc]);
      if (request.by == RankBy::kCreated) candidate.key = static_cast<double>(columns.created_us[doc]);
      if (!is_past(candidate)) continue;
      if (best.size() > request.limit && !comes_first(candidate, best.top())) continue;
      best.push(candidate);
      if (best.size() > request.limit + 1) best.pop();
    }
    for (FacetCounter& facet : facets) facet.end();
  }

  std::vector<Candidate> ordered;
  for (; !best.empty(); best.pop()) ordered.push_back(best.top());
  std::reverse(ordered.begin(), ordered.end());
  result.more = ordered.size() > request.limit;
  if (result.more) ordered.resize(request.limit);
  for (const Candidate& candidate : ordered) {
    result.hits.push_back(candidate.hit);
    result.positions.push_back({candidate.key, candidate.source(), candidate.ref()});
  }
  for (const FacetCounter& facet : facets) result.facets.push_back(facet.result());
  return result;
}

}  // namespace search
