#include "index_reader.hpp"

#include <algorithm>
#include <map>

namespace search {
namespace {

/// Documents that a search still reads when there are more than kMostPending.
constexpr std::size_t kReadWhenBehind = 500;

/// What is cached of a term: absent terms too.
struct CachedTerm {
  std::string postings, positions;
};

/// What was built of documents that the index does not know yet.
struct PendingSegment {
  Columns columns;
  std::unordered_map<std::string, CachedTerm> terms;
  std::shared_ptr<const Vocabulary> words;
  bool is_cut = false;  ///< there was more text than may be read
};

class PendingReader final : public SegmentReader {
 public:
  explicit PendingReader(std::shared_ptr<const PendingSegment> segment) : segment_(std::move(segment)) {}
  [[nodiscard]] const Columns& columns() const override { return segment_->columns; }
  [[nodiscard]] const DeadDocs& dead() const override { return dead_; }
  [[nodiscard]] std::string_view postings(const std::string& term) const override {
    const auto found = segment_->terms.find(term);
    return found == segment_->terms.end() ? std::string_view() : found->second.postings;
  }
  [[nodiscard]] std::string_view positions(const std::string& term) const override {
    const auto found = segment_->terms.find(term);
    return found == segment_->terms.end() ? std::string_view() : found->second.positions;
  }

 private:
  const std::shared_ptr<const PendingSegment> segment_;
  const DeadDocs dead_;
};

std::string number_array(const std::vector<std::int64_t>& numbers) {
  std::string literal = "{";
  for (const std::int64_t number : numbers)
    literal.append(literal.size() == 1 ? "" : ",").append(std::to_string(number));
  return literal + "}";
}

}  // namespace

class StoredSegment final : public SegmentReader {
 public:
  StoredSegment(std::int64_t number, std::string key) : number(number), key(std::move(key)) {}

  [[nodiscard]] const Columns& columns() const override { return *columns_; }
  [[nodiscard]] const DeadDocs& dead() const override { return own_dead_ ? *own_dead_ : *shared_dead_; }
  [[nodiscard]] std::string_view postings(const std::string& term) const override {
    const auto found = terms_.find(term);
    return found == terms_.end() ? std::string_view() : found->second->postings;
  }
  [[nodiscard]] std::string_view positions(const std::string& term) const override {
    const auto found = places_.find(term);
    return found == places_.end() ? std::string_view() : found->second->positions;
  }

  void set_columns(std::shared_ptr<const Columns> columns) { columns_ = std::move(columns); }
  void set_dead(std::shared_ptr<const DeadDocs> dead) { shared_dead_ = std::move(dead); }
  /// Dead for this search only: its present state is not in the index yet.
  void hide(std::uint32_t doc) {
    if (!own_dead_) own_dead_ = *shared_dead_;
    own_dead_->add(doc);
  }
  [[nodiscard]] bool has(const std::string& term, bool with_positions) const {
    return (with_positions ? places_ : terms_).contains(term);
  }
  void set_term(const std::string& term, const std::shared_ptr<const CachedTerm>& cached, bool with_positions) {
    terms_[term] = cached;
    if (with_positions) places_[term] = cached;
  }
  [[nodiscard]] std::string key_of(const std::string& term, bool with_positions) const {
    return key + (with_positions ? "/places/" : "/docs/") + term;
  }

  const std::int64_t number;
  const std::string key;  ///< of all that the cache has of it

 private:
  std::shared_ptr<const Columns> columns_;
  std::shared_ptr<const DeadDocs> shared_dead_;
  std::optional<DeadDocs> own_dead_;
  std::unordered_map<std::string, std::shared_ptr<const CachedTerm>> terms_, places_;
};

std::optional<IndexState> read_state(toolhost::Call& call) {
  toolhost::Rows rows = call.query("select index_id, generation, language from index_state");
  const toolhost::Row row = rows.next();
  if (!row) return std::nullopt;
  return IndexState{std::string(row.text(0)), row.i64(1), std::string(row.text(2))};
}

IndexReader::IndexReader(toolhost::Call& call, IndexCache& cache) : call_(&call), cache_(&cache) {}
IndexReader::IndexReader(IndexReader&&) noexcept = default;
IndexReader::~IndexReader() = default;

IndexReader IndexReader::open(toolhost::Call& call, const Sources& sources, IndexCache& cache, const IndexState& state,
                              const Lexer& lexer) {
  IndexReader reader(call, cache);
  auto pending = sources.pending(call, state.generation, kMostPending + 1);
  reader.is_behind_ = pending.size() > static_cast<std::size_t>(kMostPending);
  // Far behind, only the oldest changes are read: the rest of the time is better spent on what is indexed.
  if (reader.is_behind_) pending.resize(kReadWhenBehind);
  reader.open_segments(state);
  reader.add_pending(sources, state, lexer, pending);
  for (const auto& segment : reader.stored_) reader.readers_.push_back(segment.get());
  if (reader.pending_) reader.readers_.push_back(reader.pending_.get());
  return reader;
}

void IndexReader::open_segments(const IndexState& state) {
  struct Listed {
    std::int64_t number, dead_version;
    std::string identity;
  };
  std::vector<Listed> listed;
  {
    toolhost::Rows rows = call_->query(
        "select segment, dead_version, identity from segments where generation = $1::bigint order by segment",
        state.generation);
    while (const toolhost::Row row = rows.next()) listed.push_back({row.i64(0), row.i64(1), std::string(row.text(2))});
  }
  for (const Listed& entry : listed) {
    auto segment = std::make_unique<StoredSegment>(entry.number, entry.identity);
    const std::string columns_key = segment->key + "/columns";
    const std::string dead_key = segment->key + "/dead/" + std::to_string(entry.dead_version);
    auto columns = cache_->get<Columns>(columns_key);
    if (!columns) {
      toolhost::Rows rows = call_->query("select columns from segments where segment = $1::bigint", entry.number);
      const toolhost::Row row = rows.next();
      auto decoded = Columns::decode(row.bytes(0));
      if (!decoded)
        throw toolhost::Error(TH_E_UNAVAILABLE,
                              "The search index is damaged; the operator can mend it: toolhost reindex");
      const std::size_t bytes = decoded->memory_bytes();
      columns = cache_->put(columns_key, *std::move(decoded), bytes);
    }
    auto dead = cache_->get<DeadDocs>(dead_key);
    if (!dead) {
      toolhost::Rows rows = call_->query("select dead from segments where segment = $1::bigint", entry.number);
      DeadDocs read(rows.next().bytes(0));
      const std::size_t bytes = read.bitmap().size();
      dead = cache_->put(dead_key, std::move(read), bytes);
    }
    segment->set_columns(std::move(columns));
    segment->set_dead(std::move(dead));
    stored_.push_back(std::move(segment));
  }
}

void IndexReader::add_pending(const Sources& sources, const IndexState& state, const Lexer& lexer,
                              const std::vector<PendingDocument>& pending) {
  if (pending.empty()) return;
  // Refs are unique in one tenant only.
  std::string key = state.index_id + '/' + std::string(call_->tenant()) + "/pending/" + state.language;
  std::map<std::string, std::vector<std::string>> refs;
  for (const PendingDocument& document : pending) {
    for (const auto& segment : stored_) {
      if (segment->number == document.old_segment) segment->hide(document.old_doc);
    }
    if (document.is_deleted) continue;
    key.append("/").append(document.source).append(" ").append(document.ref).append(" ");
    key.append(std::to_string(document.changed));
    refs[document.source].push_back(document.ref);
  }
  if (refs.empty()) return;
  auto built = cache_->get<PendingSegment>(key);
  if (!built) {
    SegmentBuilder builder(lexer);
    PendingSegment segment;
    for (const auto& [plugin, of_plugin] : refs) {
      sources.documents(*call_, plugin, of_plugin, Sources::kLongestText, [&](Document&& document) {
        segment.is_cut = builder.text_bytes() > kMostPendingBytes;
        if (!segment.is_cut) builder.add(document);
      });
    }
    std::size_t bytes = builder.columns().memory_bytes();
    builder.for_each_term([&](const std::string& term, const PostingsWriter& writer) {
      segment.terms.emplace(term, CachedTerm{writer.postings(), writer.positions()});
      bytes += 150 + term.size() + writer.postings().size() + writer.positions().size();
    });
    segment.words = std::make_shared<const Vocabulary>(builder.vocabulary());
    bytes += segment.words->memory_bytes();
    segment.columns = builder.columns();
    built = cache_->put(key, std::move(segment), bytes);
  }
  is_behind_ = is_behind_ || built->is_cut;
  pending_words_ = built->words;
  pending_ = std::make_unique<PendingReader>(std::move(built));
}

void IndexReader::load(const std::vector<std::string>& terms, bool with_positions) {
  std::vector<std::string> missing;
  std::vector<std::int64_t> numbers;
  for (const auto& segment : stored_) {
    bool lacks = false;
    for (const std::string& term : terms) {
      if (segment->has(term, with_positions)) continue;
      auto cached = cache_->get<CachedTerm>(segment->key_of(term, with_positions));
      if (cached) {
        segment->set_term(term, cached, with_positions);
        continue;
      }
      lacks = true;
      if (std::find(missing.begin(), missing.end(), term) == missing.end()) missing.push_back(term);
    }
    if (lacks) numbers.push_back(segment->number);
  }
  if (missing.empty()) return;
  std::map<std::pair<std::int64_t, std::string>, CachedTerm> found;
  {
    toolhost::Rows rows =
        call_->query(std::string("select segment, term, postings, ") + (with_positions ? "positions" : "''::bytea") +
                         " from postings where term = any($1::text[]) and segment = "
                         "any($2::text::integer[])",
                     missing, number_array(numbers));
    while (const toolhost::Row row = rows.next()) {
      found[{row.i64(0), std::string(row.text(1))}] = {std::string(row.bytes(2)), std::string(row.bytes(3))};
    }
  }
  for (const auto& segment : stored_) {
    for (const std::string& term : missing) {
      if (segment->has(term, with_positions)) continue;
      CachedTerm& term_found = found[{segment->number, term}];
      const std::size_t bytes = term_found.postings.size() + term_found.positions.size();
      segment->set_term(term, cache_->put(segment->key_of(term, with_positions), std::move(term_found), bytes),
                        with_positions);
    }
  }
}

std::unordered_map<std::string, std::int64_t> IndexReader::documents_with(const std::vector<std::string>& terms) {
  std::unordered_map<std::string, std::int64_t> documents;
  std::vector<std::int64_t> numbers;
  for (const auto& segment : stored_) numbers.push_back(segment->number);
  toolhost::Rows rows = call_->query(
      "select term, sum(docs)::bigint from postings where term = any($1::text[]) and segment = "
      "any($2::text::integer[]) group by term",
      terms, number_array(numbers));
  while (const toolhost::Row row = rows.next()) documents[std::string(row.text(0))] = row.i64(1);
  return documents;
}

std::vector<std::shared_ptr<const Vocabulary>> IndexReader::vocabularies() {
  std::vector<std::shared_ptr<const Vocabulary>> all;
  for (const auto& segment : stored_) {
    const std::string key = segment->key + "/words";
    auto words = cache_->get<Vocabulary>(key);
    if (!words) {
      toolhost::Rows rows = call_->query("select vocabulary from segments where segment = $1::bigint", segment->number);
      auto read = Vocabulary::deserialize(rows.next().bytes(0));
      if (!read) continue;  // without its words fewer slips are found
      const std::size_t bytes = read->memory_bytes();
      words = cache_->put(key, *std::move(read), bytes);
    }
    all.push_back(std::move(words));
  }
  if (pending_words_) all.push_back(pending_words_);
  return all;
}

}  // namespace search
