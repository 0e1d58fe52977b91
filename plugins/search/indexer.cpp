#include "indexer.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <unordered_map>

#include "segment.hpp"

namespace search {
namespace {

constexpr std::int64_t kTakenInAtOnce = 20'000;        // documents
constexpr std::size_t kTermsAtOnce = 4'000;            // rows of one insert
constexpr std::int64_t kMergedTermsAtOnce = 20'000;    // rows of one read, and
constexpr std::int64_t kMergedBytesAtOnce = 12 << 20;  // about as many bytes at most
constexpr std::size_t kTextAtOnce = 64 << 20;          // bytes of documents of one step
constexpr std::size_t kDocumentsAtOnce = 1'000;        // read between two looks at the bytes
constexpr double kSegmentsOfOneSize = 6;               // so many of about one size become one
constexpr std::int64_t kLargestSegment = 300'000;      // documents; larger ones are not made
constexpr std::int64_t kWatermarkStep = 1'000'000;     // transactions; an idle tenant's watermark follows in such steps

std::string array_of(const std::vector<std::int64_t>& numbers) {
  std::string literal = "{";
  for (const std::int64_t number : numbers)
    literal.append(literal.size() == 1 ? "" : ",").append(std::to_string(number));
  return literal + "}";
}

/// Rows of the table postings, many in one statement: byte strings travel as one, cut apart by the server.
class PostingsInsert {
 public:
  PostingsInsert(toolhost::Call& call, std::int64_t segment) : call_(call), segment_(segment) {}

  void add(const std::string& term, const PostingsWriter& writer) {
    terms_.push_back(term);
    docs_.push_back(writer.docs());
    begins_.push_back(static_cast<std::int64_t>(bytes_.size()) + 1);
    bytes_ += writer.postings();
    middles_.push_back(static_cast<std::int64_t>(bytes_.size()) + 1);
    bytes_ += writer.positions();
    ends_.push_back(static_cast<std::int64_t>(bytes_.size()) + 1);
    if (terms_.size() == kTermsAtOnce || bytes_.size() > kMostBytes) flush();
  }
  void flush() {
    if (terms_.empty()) return;
    call_.exec(
        "insert into postings (term, segment, docs, postings, positions) "
        "select term, $2::bigint, docs, substring($1::bytea from first for middle - first), "
        "substring($1::bytea from middle for past - middle) "
        "from unnest($3::text[], $4::text::integer[], $5::text::integer[], $6::text::integer[], $7::text::integer[]) "
        "as row (term, docs, first, middle, past)",
        toolhost::Bytes{bytes_}, segment_, terms_, array_of(docs_), array_of(begins_), array_of(middles_),
        array_of(ends_));
    terms_.clear();
    docs_.clear();
    begins_.clear();
    middles_.clear();
    ends_.clear();
    bytes_.clear();
  }

 private:
  static constexpr std::size_t kMostBytes = 8 << 20;
  toolhost::Call& call_;
  const std::int64_t segment_;
  std::vector<std::string> terms_;
  std::vector<std::int64_t> docs_, begins_, middles_, ends_;
  std::string bytes_;
};

void insert_segment(toolhost::Call& call, std::int64_t segment, std::int64_t generation, const Columns& columns,
                    const Vocabulary& vocabulary) {
  const std::string encoded = columns.encode(), words = vocabulary.serialize();
  call.exec(
      "insert into segments (segment, generation, docs, columns, vocabulary) "
      "values ($1::bigint, $2::bigint, $3::bigint, $4::bytea, $5::bytea)",
      segment, generation, columns.docs(), toolhost::Bytes{encoded}, toolhost::Bytes{words});
}

/// Marks documents of older segments as dead.
void bury(toolhost::Call& call, const std::map<std::int64_t, std::vector<std::uint32_t>>& dead) {
  for (const auto& [segment, docs] : dead) {
    DeadDocs bitmap;
    {
      toolhost::Rows rows = call.query("select dead from segments where segment = $1::bigint", segment);
      const toolhost::Row row = rows.next();
      if (!row) continue;
      bitmap = DeadDocs(row.bytes(0));
    }
    for (const std::uint32_t doc : docs) bitmap.add(doc);
    call.exec(
        "update segments set dead = $2::bytea, dead_docs = $3::bigint, dead_version = dead_version + 1 "
        "where segment = $1::bigint",
        segment, toolhost::Bytes{bitmap.bitmap()}, bitmap.count());
  }
}

/// Notes where documents are now.
void locate(toolhost::Call& call, std::int64_t generation, std::int64_t segment, const Columns& columns,
            const std::vector<std::int64_t>* changed) {
  std::vector<std::string> sources;
  for (const std::uint32_t code : columns.source.codes) sources.push_back(columns.source.names[code]);
  if (changed != nullptr) {
    call.exec(
        "insert into documents (generation, source, ref, segment, doc, changed) "
        "select $1::bigint, source, ref, $2::bigint, number - 1, changed "
        "from unnest($3::text[], $4::text[], $5::text::bigint[]) with ordinality as row (source, ref, changed, number) "
        "on conflict (tenant_id, generation, source, ref) do update "
        "set segment = excluded.segment, doc = excluded.doc, changed = excluded.changed",
        generation, segment, sources, columns.refs, array_of(*changed));
    return;
  }
  call.exec(
      "update documents set segment = $2::bigint, doc = row.number - 1 "
      "from unnest($3::text[], $4::text[]) with ordinality as row (source, ref, number) "
      "where documents.generation = $1::bigint and documents.source = row.source and documents.ref = row.ref",
      generation, segment, sources, columns.refs);
}

/// Grows when terms or their bytes change: then every index is built anew.
constexpr std::string_view kIndexVersion = "/1";

}  // namespace

std::string index_language(std::string_view language) {
  return std::string(language).append(kIndexVersion);
}

std::string_view language_of_index(std::string_view index_language) {
  return index_language.substr(0, index_language.find('/'));
}

struct Indexer::State {
  std::int64_t generation = 1;
  std::string language;
  std::optional<std::int64_t> building;
  std::string building_language;
  std::int64_t building_total = 0, next_generation = 2, next_segment = 1;
  std::int64_t oldest_running = 0;  ///< what changed in earlier transactions is visible to every later statement
  bool was_begun_lately = false;    ///< hosts of different settings must not build in turns
};

/// nullopt when there is none, or, with `lock`, when somebody else is at it.
std::optional<Indexer::State> Indexer::read_state(bool lock) {
  toolhost::Rows rows = call_.query(
      std::string("select generation, language, building, coalesce(building_language, language), building_total, "
                  "next_generation, next_segment, pg_snapshot_xmin(pg_current_snapshot())::text::bigint, "
                  "begun_at > now() - interval '10 minutes' from index_state") +
      (lock ? " for update skip locked" : ""));
  const toolhost::Row row = rows.next();
  if (!row) return std::nullopt;
  State state;
  state.generation = row.i64(0);
  state.language = row.text(1);
  state.building = row.get<std::optional<std::int64_t>>(2);
  state.building_language = row.text(3);
  state.building_total = row.i64(4);
  state.next_generation = row.i64(5);
  state.next_segment = row.i64(6);
  state.oldest_running = row.i64(7);
  state.was_begun_lately = row.boolean(8);
  return state;
}

std::shared_ptr<const Lexer> Indexer::lexer(std::string_view index_language) const {
  auto found = lexer_of_(language_of_index(index_language));
  if (!found) {
    throw toolhost::Error(TH_E_UNAVAILABLE, "The search index has the language '" + std::string(index_language) +
                                                "', which this host does not know; use one of the same version");
  }
  return found;
}

/// Whether fold() would write anything. Most runs of an idle tenant end here, without a lock or a commit.
bool Indexer::has_work() {
  const std::optional<State> state = read_state(false);
  if (!state) return true;
  if (state->building || (state->language != language_ && !state->was_begun_lately)) return true;
  if (!sources_.pending(call_, state->generation, 1).empty()) return true;
  if (!segments_to_merge(state->generation).empty()) return true;
  toolhost::Rows rows = call_.query(
      "select count(*) from index_sources where generation = $1::bigint and source = any($2::text[]) "
      "and watermark between $3::bigint and $4::bigint",
      state->generation, sources_.plugins(), state->oldest_running - kWatermarkStep, state->oldest_running);
  return rows.next().i64(0) < static_cast<std::int64_t>(sources_.list().size());
}

IndexProgress Indexer::fold() {
  if (!has_work()) return {};
  call_.exec("insert into index_state (language) values ($1::text) on conflict (tenant_id) do nothing", language_);
  std::optional<State> state = read_state(true);
  if (!state) return {};
  if (!state->building && state->language != language_ && !state->was_begun_lately) begin_building(*state);
  const bool more = take_in(*state, state->generation, state->language);
  if (more) return {true, 0, 0};
  if (const auto chosen = segments_to_merge(state->generation); !chosen.empty()) {
    merge(*state, state->generation, chosen, *lexer(state->language));
    return {true, 0, 0};
  }
  if (state->building) return {build(*state).more, 0, 0};
  return {};
}

IndexProgress Indexer::rebuild(bool restart) {
  call_.exec("insert into index_state (language) values ($1::text) on conflict (tenant_id) do nothing", language_);
  std::optional<State> state = read_state(true);
  if (!state) throw toolhost::Error(TH_E_UNAVAILABLE, "The search index is being written; try again in a second.");
  if (restart) begin_building(*state);
  if (!state->building) return {};
  return build(*state);
}

void Indexer::begin_building(State& state) {
  if (state.building) drop_generation(*state.building);
  state.building = state.next_generation++;
  state.building_language = language_;
  state.building_total = sources_.count(call_);
  call_.exec(
      "update index_state set building = $1::bigint, building_language = $2::text, building_total = $3::bigint, "
      "next_generation = $4::bigint, begun_at = now()",
      *state.building, language_, state.building_total, state.next_generation);
}

IndexProgress Indexer::build(State& state) {
  bool more = take_in(state, *state.building, state.building_language);
  if (!more) {
    if (const auto chosen = segments_to_merge(*state.building); !chosen.empty()) {
      merge(state, *state.building, chosen, *lexer(state.building_language));
      more = true;
    }
  }
  std::int64_t done = 0;
  {
    toolhost::Rows rows =
        call_.query("select coalesce(sum(docs - dead_docs), 0)::bigint from segments where generation = $1::bigint",
                    *state.building);
    done = rows.next().i64(0);
  }
  if (more) return {true, done, std::max(done, state.building_total)};
  call_.exec("update index_state set generation = building, language = building_language, building = null");
  drop_generation(state.generation);
  return {false, done, done};
}

/// Makes a segment of what is pending, as much as one step should; returns whether some is left.
bool Indexer::take_in(State& state, std::int64_t generation, std::string_view language) {
  const auto pending = sources_.pending(call_, generation, kTakenInAtOnce);
  const auto of_language = lexer(language);
  SegmentBuilder builder(*of_language);
  std::vector<std::int64_t> changed;
  std::map<std::int64_t, std::vector<std::uint32_t>> dead;
  std::map<std::string, std::vector<std::string>> gone;
  std::size_t taken = 0;
  while (taken < pending.size() && builder.text_bytes() < kTextAtOnce) {
    const std::size_t end = std::min(taken + kDocumentsAtOnce, pending.size());
    std::map<std::string, std::vector<std::string>> refs;
    std::map<std::pair<std::string_view, std::string_view>, const PendingDocument*> before;
    for (; taken < end; ++taken) {
      const PendingDocument& document = pending[taken];
      (document.is_deleted ? gone : refs)[document.source].push_back(document.ref);
      before[{document.source, document.ref}] = &document;
      if (document.is_deleted) dead[document.old_segment].push_back(document.old_doc);
    }
    for (const auto& [plugin, of_plugin] : refs) {
      sources_.documents(call_, plugin, of_plugin, Sources::kLongestText, [&](Document&& document) {
        const PendingDocument& old = *before.at({document.source, document.ref});
        if (old.old_segment >= 0) dead[old.old_segment].push_back(old.old_doc);
        changed.push_back(document.changed);
        builder.add(document);
      });
    }
  }
  const bool more = taken < pending.size() || static_cast<std::int64_t>(pending.size()) == kTakenInAtOnce;
  const std::int64_t reached = more ? std::min(pending[taken - 1].changed, state.oldest_running) : state.oldest_running;

  if (builder.columns().docs() > 0) {
    const std::int64_t segment = state.next_segment++;
    insert_segment(call_, segment, generation, builder.columns(), builder.vocabulary());
    PostingsInsert insert(call_, segment);
    builder.for_each_term([&](const std::string& term, const PostingsWriter& writer) { insert.add(term, writer); });
    insert.flush();
    locate(call_, generation, segment, builder.columns(), &changed);
    call_.exec("update index_state set next_segment = $1::bigint", state.next_segment);
  }
  for (const auto& [plugin, of_plugin] : gone) {
    call_.exec("delete from documents where generation = $1::bigint and source = $2::text and ref = any($3::text[])",
               generation, plugin, of_plugin);
  }
  bury(call_, dead);
  // Never back, but where transactions began anew.
  call_.exec(
      "insert into index_sources (generation, source, watermark) select $1::bigint, source, $3::bigint "
      "from unnest($2::text[]) as row (source) on conflict (tenant_id, generation, source) do update "
      "set watermark = case when index_sources.watermark > $4::bigint then excluded.watermark "
      "else greatest(index_sources.watermark, excluded.watermark) end",
      generation, sources_.plugins(), reached, state.oldest_running);
  return more;
}

/// Several of about one size, or one that is mostly dead; empty when there is nothing to gain.
std::vector<std::int64_t> Indexer::segments_to_merge(std::int64_t generation) {
  std::map<int, std::vector<std::pair<std::int64_t, std::int64_t>>> by_size;  // number and living documents
  toolhost::Rows rows =
      call_.query("select segment, docs, docs - dead_docs from segments where generation = $1::bigint order by segment",
                  generation);
  while (const toolhost::Row row = rows.next()) {
    const std::int64_t docs = row.i64(1), living = row.i64(2);
    if (living * 2 < docs) return {row.i64(0)};
    const auto size = static_cast<double>(std::max<std::int64_t>(living, 1));
    by_size[static_cast<int>(std::log(size) / std::log(kSegmentsOfOneSize))].emplace_back(row.i64(0), living);
  }
  for (const auto& [size, segments] : by_size) {
    std::vector<std::int64_t> chosen;
    std::int64_t living = 0;
    for (const auto& [number, documents] : segments) {
      if (living + documents > kLargestSegment) continue;
      living += documents;
      chosen.push_back(number);
    }
    if (static_cast<double>(chosen.size()) >= kSegmentsOfOneSize) return chosen;
  }
  return {};
}

/// The segments that become one, as far as they are read at once.
struct Indexer::Merge {
  std::vector<Columns> columns;
  std::vector<DeadDocs> dead;
  std::vector<Vocabulary> vocabularies;

  void read(toolhost::Call& call, std::int64_t segment) {
    toolhost::Rows rows =
        call.query("select columns, dead, vocabulary from segments where segment = $1::bigint", segment);
    const toolhost::Row row = rows.next();
    auto decoded = Columns::decode(row.bytes(0));
    auto words = Vocabulary::deserialize(row.bytes(2));
    if (!decoded || !words) {
      throw toolhost::Error(TH_E_UNAVAILABLE,
                            "A segment of the search index is damaged; the operator can mend it: toolhost reindex");
    }
    columns.push_back(*std::move(decoded));
    dead.emplace_back(row.bytes(1));
    vocabularies.push_back(*std::move(words));
  }
  [[nodiscard]] Renumbering renumbering() const {
    std::vector<const Columns*> columns_of;
    std::vector<const DeadDocs*> dead_of;
    for (const Columns& one : columns) columns_of.push_back(&one);
    for (const DeadDocs& one : dead) dead_of.push_back(&one);
    return renumber(columns_of, dead_of);
  }
  [[nodiscard]] Vocabulary vocabulary() const {
    std::vector<const Vocabulary*> words_of;
    for (const Vocabulary& one : vocabularies) words_of.push_back(&one);
    return Vocabulary::merge(words_of);
  }
};

void Indexer::merge(State& state, std::int64_t generation, const std::vector<std::int64_t>& chosen,
                    const Lexer& lexer) {
  Merge merge;
  for (const std::int64_t segment : chosen) merge.read(call_, segment);
  const Renumbering renumbering = merge.renumbering();
  const std::int64_t segment = state.next_segment++;
  PostingsInsert insert(call_, segment);
  std::unordered_map<std::string, std::uint32_t> documents;  // by term, what is left
  std::string past;                                          // the last term that is done
  while (true) {
    std::string up_to;
    {
      // As many terms as their bytes allow; at least one.
      toolhost::Rows rows = call_.query(
          "select max(term) filter (where before < $4::bigint) from (select term, sum(length(postings) + "
          "length(positions)) over (order by term, segment) - length(postings) - length(positions) as before from "
          "(select term, segment, postings, positions from postings where term > $1::text and segment = "
          "any($2::text::integer[]) order by term limit $3::bigint) next) sized",
          past, array_of(chosen), kMergedTermsAtOnce, kMergedBytesAtOnce);
      const toolhost::Row row = rows.next();
      if (row.is_null(0)) break;
      up_to = row.text(0);
    }
    std::map<std::string, std::vector<TermPostings>> terms;
    {
      toolhost::Rows rows = call_.query(
          "delete from postings where term > $1::text and term <= $2::text and segment = any($3::text::integer[]) "
          "returning term, segment, docs, postings, positions",
          past, up_to, array_of(chosen));
      while (const toolhost::Row row = rows.next()) {
        auto& of_segments = terms[std::string(row.text(0))];
        of_segments.resize(chosen.size());
        const auto at = std::find(chosen.begin(), chosen.end(), row.i64(1)) - chosen.begin();
        of_segments[static_cast<std::size_t>(at)] = {static_cast<std::uint32_t>(row.i64(2)), std::string(row.bytes(3)),
                                                     std::string(row.bytes(4))};
      }
    }
    for (const auto& [term, of_segments] : terms) {
      std::vector<const TermPostings*> pointers;
      for (const TermPostings& postings : of_segments) pointers.push_back(postings.docs > 0 ? &postings : nullptr);
      const PostingsWriter merged = merge_postings(renumbering, pointers);
      if (merged.docs() == 0) continue;
      documents[term] = merged.docs();
      insert.add(term, merged);
    }
    insert.flush();
    past = up_to;
  }
  if (renumbering.columns.docs() > 0) {
    // Dead documents count in the vocabularies; no word is in more documents than its term.
    const Vocabulary words = merge.vocabulary().limited([&](std::string_view word) -> std::uint32_t {
      const LexedText lexed = lexer.lex(word);
      const auto found = lexed.words.empty() ? documents.end() : documents.find(lexed.words.front().term);
      return found == documents.end() ? 0 : found->second;
    });
    insert_segment(call_, segment, generation, renumbering.columns, words);
    locate(call_, generation, segment, renumbering.columns, nullptr);
  }
  call_.exec("delete from segments where segment = any($1::text::integer[])", array_of(chosen));
  call_.exec("update index_state set next_segment = $1::bigint", state.next_segment);
}

void Indexer::drop_generation(std::int64_t generation) {
  call_.exec("delete from postings where segment in (select segment from segments where generation = $1::bigint)",
             generation);
  for (const char* table : {"documents", "segments", "index_sources"})
    call_.exec(std::string("delete from ") + table + " where generation = $1::bigint", generation);
}

}  // namespace search
