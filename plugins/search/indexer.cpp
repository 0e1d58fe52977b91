#include "indexer.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "segment.hpp"

namespace search {
namespace {

constexpr std::int64_t kTakenInAtOnce = 20'000;  // documents
constexpr std::size_t kTermsAtOnce = 4'000;      // rows of one insert
constexpr std::int64_t kMergedTermsAtOnce = 20'000;
constexpr double kSegmentsOfOneSize = 6;           // so many of about one size become one
constexpr std::int64_t kLargestSegment = 300'000;  // documents; larger ones are not made
constexpr std::int64_t kWatermarkStep = 10'000;    // transactions; an idle tenant's watermark follows in such steps

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

}  // namespace

struct Indexer::State {
  std::int64_t generation = 1, watermark = 0;
  std::string language;
  std::optional<std::int64_t> building;
  std::int64_t building_watermark = 0;
  std::string building_language;
  std::int64_t building_total = 0, next_generation = 2, next_segment = 1;
  std::int64_t oldest_running = 0;  ///< what changed in earlier transactions is visible to every later statement
};

/// nullopt when somebody else is at it.
std::optional<Indexer::State> Indexer::lock_state() {
  call_.exec("insert into index_state (language) values ($1::text) on conflict (tenant_id) do nothing", language_);
  toolhost::Rows rows = call_.query(
      "select generation, watermark, language, building, building_watermark, coalesce(building_language, language), "
      "building_total, next_generation, next_segment, pg_snapshot_xmin(pg_current_snapshot())::text::bigint "
      "from index_state for update skip locked");
  const toolhost::Row row = rows.next();
  if (!row) return std::nullopt;
  State state;
  state.generation = row.i64(0);
  state.watermark = row.i64(1);
  state.language = row.text(2);
  state.building = row.get<std::optional<std::int64_t>>(3);
  state.building_watermark = row.i64(4);
  state.building_language = row.text(5);
  state.building_total = row.i64(6);
  state.next_generation = row.i64(7);
  state.next_segment = row.i64(8);
  state.oldest_running = row.i64(9);
  return state;
}

IndexProgress Indexer::fold() {
  std::optional<State> state = lock_state();
  if (!state) return {};
  // In a database that was restored elsewhere, transactions count from the beginning again.
  if (state->watermark > state->oldest_running) state->watermark = 0;
  if (!state->building && state->language != language_) begin_building(*state);
  std::int64_t watermark = state->watermark;
  bool more = take_in(*state, state->generation, state->watermark, state->language, watermark);
  if (!more) more = merge(*state, state->generation);
  if (watermark != state->watermark) call_.exec("update index_state set watermark = $1::bigint", watermark);
  if (!more && state->building) more = build(*state).more;
  return {more, 0, 0};
}

IndexProgress Indexer::rebuild(bool restart) {
  std::optional<State> state = lock_state();
  if (!state) return {true, 0, 0};
  if (restart) begin_building(*state);
  if (!state->building) return {};
  return build(*state);
}

void Indexer::begin_building(State& state) {
  if (state.building) drop_generation(*state.building);
  state.building = state.next_generation++;
  state.building_watermark = 0;
  state.building_language = language_;
  state.building_total = sources_.count(call_);
  call_.exec(
      "update index_state set building = $1::bigint, building_watermark = 0, building_language = $2::text, "
      "building_total = $3::bigint, next_generation = $4::bigint",
      *state.building, language_, state.building_total, state.next_generation);
}

IndexProgress Indexer::build(State& state) {
  std::int64_t watermark = state.building_watermark;
  const bool more =
      take_in(state, *state.building, watermark, state.building_language, watermark) || merge(state, *state.building);
  std::int64_t done = 0;
  {
    toolhost::Rows rows =
        call_.query("select coalesce(sum(docs - dead_docs), 0)::bigint from segments where generation = $1::bigint",
                    *state.building);
    done = rows.next().i64(0);
  }
  if (more) {
    call_.exec("update index_state set building_watermark = $1::bigint", watermark);
    return {true, done, std::max(done, state.building_total)};
  }
  call_.exec(
      "update index_state set generation = building, watermark = $1::bigint, language = building_language, "
      "building = null",
      watermark);
  drop_generation(state.generation);
  return {false, done, done};
}

bool Indexer::take_in(State& state, std::int64_t generation, std::int64_t watermark, const std::string& language,
                      std::int64_t& new_watermark) {
  const auto pending = sources_.pending(call_, watermark, generation, kTakenInAtOnce);
  const bool more = static_cast<std::int64_t>(pending.size()) == kTakenInAtOnce;
  const std::int64_t reached = more ? std::min(pending.back().changed, state.oldest_running) : state.oldest_running;
  if (!pending.empty() || reached - watermark > kWatermarkStep) new_watermark = reached;
  if (pending.empty()) return false;

  std::map<std::string, std::vector<std::string>> refs;
  std::map<std::string, std::vector<std::string>> gone;
  std::map<std::pair<std::string, std::string>, const PendingDocument*> by_ref;
  std::map<std::int64_t, std::vector<std::uint32_t>> dead;
  for (const PendingDocument& document : pending) {
    (document.is_deleted ? gone : refs)[document.source].push_back(document.ref);
    by_ref[{document.source, document.ref}] = &document;
    if (document.is_deleted) dead[document.old_segment].push_back(document.old_doc);
  }
  const auto lexer = lexer_of_(language);
  SegmentBuilder builder(*lexer);
  std::vector<std::int64_t> changed;
  for (const auto& [plugin, of_plugin] : refs) {
    for (const Document& document : sources_.documents(call_, plugin, of_plugin)) {
      const PendingDocument& before = *by_ref.at({document.source, document.ref});
      if (before.old_segment >= 0) dead[before.old_segment].push_back(before.old_doc);
      changed.push_back(document.changed);
      builder.add(document);
    }
  }
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
  return more;
}

/// Makes one segment of several, when there are many of about one size or one is mostly dead.
bool Indexer::merge(State& state, std::int64_t generation) {
  struct Listed {
    std::int64_t number, docs, living;
  };
  std::map<int, std::vector<Listed>> by_size;
  {
    toolhost::Rows rows = call_.query(
        "select segment, docs, docs - dead_docs from segments where generation = $1::bigint order by segment",
        generation);
    while (const toolhost::Row row = rows.next()) {
      const Listed listed{row.i64(0), row.i64(1), row.i64(2)};
      const auto size = static_cast<double>(std::max<std::int64_t>(listed.living, 1));
      by_size[static_cast<int>(std::log(size) / std::log(kSegmentsOfOneSize))].push_back(listed);
    }
  }
  std::vector<std::int64_t> chosen;
  for (const auto& [size, listed] : by_size) {
    std::int64_t living = 0;
    chosen.clear();
    bool is_wasteful = false;
    for (const Listed& segment : listed) {
      if (living + segment.living > kLargestSegment) continue;
      living += segment.living;
      chosen.push_back(segment.number);
      is_wasteful = is_wasteful || segment.living * 2 < segment.docs;
    }
    if (chosen.size() >= kSegmentsOfOneSize || is_wasteful) break;
    chosen.clear();
  }
  if (chosen.empty()) return false;

  std::vector<Columns> columns;
  std::vector<DeadDocs> dead;
  std::vector<Vocabulary> vocabularies;
  for (const std::int64_t segment : chosen) {
    toolhost::Rows rows =
        call_.query("select columns, dead, vocabulary from segments where segment = $1::bigint", segment);
    const toolhost::Row row = rows.next();
    auto decoded = Columns::decode(row.bytes(0));
    auto words = Vocabulary::deserialize(row.bytes(2));
    if (!decoded || !words) throw toolhost::Error(TH_E_INTERNAL, "a segment of the search index is damaged");
    columns.push_back(*std::move(decoded));
    dead.emplace_back(row.bytes(1));
    vocabularies.push_back(*std::move(words));
  }
  std::vector<const Columns*> columns_of;
  std::vector<const DeadDocs*> dead_of;
  std::vector<const Vocabulary*> words_of;
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    columns_of.push_back(&columns[i]);
    dead_of.push_back(&dead[i]);
    words_of.push_back(&vocabularies[i]);
  }
  const Renumbering renumbering = renumber(columns_of, dead_of);
  const std::int64_t segment = state.next_segment++;
  if (renumbering.columns.docs() > 0) {
    insert_segment(call_, segment, generation, renumbering.columns, Vocabulary::merge(words_of));
    locate(call_, generation, segment, renumbering.columns, nullptr);
  }
  PostingsInsert insert(call_, segment);
  std::string past;  // the last term that is done
  while (true) {
    std::string up_to;
    {
      toolhost::Rows rows = call_.query(
          "select max(term) from (select term from postings where term > $1::text order by term limit $2::bigint) next",
          past, kMergedTermsAtOnce);
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
      if (merged.docs() > 0) insert.add(term, merged);
    }
    insert.flush();
    past = up_to;
  }
  call_.exec("delete from segments where segment = any($1::text::integer[])", array_of(chosen));
  call_.exec("update index_state set next_segment = $1::bigint", state.next_segment);
  return true;
}

void Indexer::drop_generation(std::int64_t generation) {
  call_.exec("delete from postings where segment in (select segment from segments where generation = $1::bigint)",
             generation);
  call_.exec("delete from documents where generation = $1::bigint", generation);
  call_.exec("delete from segments where generation = $1::bigint", generation);
}

}  // namespace search
