#include "search_service.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <unordered_set>

#include "arguments.hpp"
#include "facts.hpp"
#include "names.hpp"
#include "people.hpp"
#include "refusal.hpp"
#include "request_keys.hpp"
#include "rows.hpp"
#include "snippet.hpp"
#include "text.hpp"

namespace search {
namespace {

using helpdesk::Refusal;
using helpdesk::unless_empty;
using Kind = Refusal::Kind;

constexpr std::string_view kTicket = "ticket";
constexpr std::size_t kSnippetCharacters = 160;
constexpr std::size_t kLongestSnippetText = 30'000;  // bytes; a hit behind them is not shown
constexpr std::int64_t kDefaultCacheMib = 256;
constexpr std::size_t kTermsOfSimilar = 30;
constexpr std::size_t kFacetValues = 20;

constexpr std::string_view kTicketStatuses[] = {"open", "in_progress", "waiting", "resolved", "closed"};

std::optional<std::vector<std::string>> statuses_of(const std::optional<toolhost::OneOrMany<StatusFilter>>& filter) {
  if (!filter || filter->empty()) return std::nullopt;
  std::vector<std::string> names;
  for (const StatusFilter status : *filter) {
    if (status == StatusFilter::kAll) return std::nullopt;
    if (status == StatusFilter::kUnresolved) {
      names.insert(names.end(), std::begin(kTicketStatuses), std::begin(kTicketStatuses) + 3);
    } else {
      names.emplace_back(helpdesk::name(status));
    }
  }
  return names;
}

FieldSet fields_of(const std::vector<Part>& parts) {
  if (parts.empty()) return kAllFields;
  FieldSet fields = 0;
  for (const Part part : parts) {
    switch (part) {
      case Part::kTitle:
        fields |= only(Field::kTitle);
        break;
      case Part::kDescription:
        fields |= only(Field::kBody);
        break;
      case Part::kMessages:
        fields |= only(Field::kMessages) | only(Field::kNotes);
        break;
      case Part::kTags:
        fields |= only(Field::kTags);
        break;
    }
  }
  return fields;
}

std::vector<MatchedIn> matched_in(const Hit& hit) {
  constexpr std::pair<Field, MatchedIn> kNames[] = {{Field::kTitle, MatchedIn::kTitle},
                                                    {Field::kTags, MatchedIn::kTags},
                                                    {Field::kBody, MatchedIn::kDescription},
                                                    {Field::kMessages, MatchedIn::kMessages},
                                                    {Field::kNotes, MatchedIn::kNotes}};
  std::vector<MatchedIn> names;
  if (hit.is_exact_ref) names.push_back(MatchedIn::kId);
  for (const auto& [field, name] : kNames) {
    if ((hit.matched & only(field)) != 0) names.push_back(name);
  }
  return names;
}

/// A cursor before it is sealed: the request it belongs to, and where its page ended.
std::string encode(std::uint64_t request, const HitPosition& position) {
  char key[40];
  std::snprintf(key, sizeof key, "%a", position.key);
  return "search\n" + std::to_string(request) + '\n' + key + '\n' + position.source + '\n' + position.ref;
}

std::optional<HitPosition> decode(std::string_view text, std::uint64_t request) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == '\n') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  if (parts.size() != 5 || parts[0] != "search" || parts[1] != std::to_string(request)) return std::nullopt;
  return HitPosition{std::strtod(parts[2].c_str(), nullptr), parts[3], parts[4]};
}

std::vector<std::string> terms_of(const RankRequest& request, bool with_positions) {
  std::vector<std::string> terms;
  const auto add = [&](const std::string& term) {
    if (!term.empty() && std::find(terms.begin(), terms.end(), term) == terms.end()) terms.push_back(term);
  };
  if (!with_positions) {
    for (const ScoredTerm& scored : request.scored) add(scored.term);
  }
  for (const auto* clauses : {&request.required, &request.excluded}) {
    for (const QueryClause& clause : *clauses) {
      for (const QueryUnit& unit : clause.any_of) {
        if (with_positions && (!unit.is_phrase || unit.words.size() < 2)) continue;
        for (const Word& word : unit.words) add(word.term);
        if (!with_positions) add(unit.joined);
      }
    }
  }
  return terms;
}

std::vector<FacetValue> facet_values(const std::vector<FacetCount>& counts) {
  std::vector<FacetValue> values;
  for (const FacetCount& count : counts) {
    if (values.size() == kFacetValues) break;
    values.push_back(
        {count.name.empty() ? "none" : helpdesk::clean_line(count.name), static_cast<std::int64_t>(count.count)});
  }
  return values;
}

double rounded(float score) {
  return std::round(static_cast<double>(score) * 100) / 100;
}

}  // namespace

SearchContext::SearchContext(toolhost::Host& host)
    : sources_([&] {
        std::vector<Source> sources;
        for (toolhost::ReadableView& view : host.readable_views())
          sources.push_back({std::move(view.plugin), std::move(view.sql_name)});
        return sources;
      }()),
      cache_(static_cast<std::size_t>(host.config_i64("/cache_mib", kDefaultCacheMib)) << 20) {}

std::shared_ptr<const Lexer> SearchContext::lexer(std::string_view language) {
  const std::lock_guard lock(mutex_);
  const auto found = lexers_.find(language);
  if (found != lexers_.end()) return found->second;
  auto lexer = create_lexer(language);
  if (lexer) lexers_.emplace(std::string(language), lexer);
  return lexer;
}

std::string SearchContext::language_of(toolhost::Call& call) {
  return call.config("/language", "english");
}

/// A search on its way: what was asked for, and how far it is understood.
struct SearchService::Asked {
  std::string query;
  QueryMode mode = QueryMode::kAuto;
  FieldSet fields = kAllFields;
  RankRequest rank;
  ResponseFormat format = ResponseFormat::kConcise;
  bool with_types = false;
  std::uint64_t hash = 0;
  FoundPage page;
};

SearchService::SearchService(SearchContext& context, toolhost::Call& call)
    : context_(context), call_(call), reads_notes_(call.role() != "viewer") {}

IndexReader SearchService::open_index() {
  IndexState state = read_state(call_).value_or(IndexState{"none", 0, 0, SearchContext::language_of(call_)});
  lexer_ = context_.lexer(state.language);
  if (!lexer_) throw std::runtime_error("the index has the unknown language " + state.language);
  auto index = IndexReader::open(call_, context_.sources(), context_.cache(), state, *lexer_);
  if (index) return *std::move(index);
  throw toolhost::Error(TH_E_UNAVAILABLE,
                        "The search index is still taking in many new documents. Try again in half a minute, or use "
                        "list_tickets, which needs no index.");
}

// ---- search_tickets

FoundPage SearchService::search_tickets(const SearchTickets& request) {
  Asked asked;
  asked.query = request.query;
  asked.mode = request.mode;
  asked.fields = fields_of(request.in);
  asked.format = request.response_format;
  std::vector<std::string> warnings;
  asked.rank.filter = read_filter(request, warnings);
  asked.rank.by = request.sort;
  asked.rank.limit = static_cast<std::size_t>(request.limit);
  for (const FacetName facet : request.facets) asked.rank.facets.push_back(static_cast<Facet>(facet));

  helpdesk::RequestText text;
  text.add(std::string_view(request.query)).add(helpdesk::name(request.mode)).add(helpdesk::name(request.sort));
  text.add(std::string_view(std::to_string(asked.fields)));
  const Filter& filter = asked.rank.filter;
  text.add(filter.statuses.value_or(std::vector<std::string>{}))
      .add(filter.priorities.value_or(std::vector<std::string>{}));
  text.add(filter.category).add(filter.assignee).add(filter.requester).add(filter.tags);
  text.add(request.created_after).add(request.created_before).add(request.updated_after).add(request.due_before);
  asked.hash = helpdesk::hash64(text.text());
  if (request.cursor) {
    const auto opened = call_.open(*request.cursor);
    asked.rank.after = opened ? decode(*opened, asked.hash) : std::nullopt;
    if (!asked.rank.after) {
      throw Refusal(Kind::kInvalid,
                    "cursor is not one that search_tickets gave for this query and these filters; pass next_cursor "
                    "exactly as it came with all other arguments unchanged, or leave it out for the first page");
    }
  }
  FoundPage page = answer(asked);
  if (!request.facets.empty()) page.facets.emplace(asked.page.facets.value_or(Facets{}));
  if (page.warnings) warnings.insert(warnings.end(), page.warnings->begin(), page.warnings->end());
  page.warnings = unless_empty(std::move(warnings));
  return page;
}

Filter SearchService::read_filter(const SearchTickets& request, std::vector<std::string>& warnings) {
  Filter filter;
  filter.kinds = std::vector<std::string>{std::string(kTicket)};
  filter.statuses = statuses_of(request.status);
  if (!request.priority.empty()) {
    filter.priorities.emplace();
    for (const auto input : request.priority)
      filter.priorities->emplace_back(helpdesk::name(helpdesk::read_priority(input, warnings)));
  }
  const helpdesk::People people = helpdesk::people_of(call_);
  if (const auto assignee = helpdesk::given_filter("assignee", request.assignee))
    filter.assignee = helpdesk::is_word(*assignee, "none") ? "" : people.read("assignee", *assignee);
  if (const auto requester = helpdesk::given_filter("requester", request.requester))
    filter.requester = people.read("requester", *requester);
  filter.category = helpdesk::given_filter("category", request.category);
  filter.tags = helpdesk::read_tags(request.tags);
  read_moments(request, filter);
  return filter;
}

/// Moments in the tenant's time zone, which PostgreSQL knows.
void SearchService::read_moments(const SearchTickets& request, Filter& filter) {
  struct Moment {
    std::string_view parameter;
    const std::optional<std::string>& text;
    std::optional<std::int64_t>& us;
  };
  for (const Moment& moment : {Moment{"created_after", request.created_after, filter.created_after_us},
                               Moment{"created_before", request.created_before, filter.created_before_us},
                               Moment{"updated_after", request.updated_after, filter.updated_after_us},
                               Moment{"due_before", request.due_before, filter.due_before_us}}) {
    const auto given = helpdesk::given_filter(moment.parameter, moment.text);
    if (!given) continue;
    const auto read = helpdesk::read_moment(*given, call_.time_zone(), helpdesk::DayEdge::kStart);
    if (!read) {
      toolhost::Rows rows =
          call_.query("select to_char(now() at time zone $1::text, 'YYYY-MM-DD (Dy')", call_.time_zone());
      throw Refusal(Kind::kInvalid, std::string(moment.parameter) + " '" + *given + "' is not a date; today is " +
                                        std::string(rows.next().text(0)) + ", " + std::string(call_.time_zone()) +
                                        "); use YYYY-MM-DD or a timestamp such as 2026-11-30T17:00");
    }
    toolhost::Rows rows = call_.query("select $1::text::timestamptz", *read);
    moment.us = rows.next().time_us(0);
  }
}

// ---- search_all

FoundPage SearchService::search_all(const SearchAll& request) {
  Asked asked;
  asked.query = request.query;
  asked.with_types = true;
  asked.rank.limit = static_cast<std::size_t>(request.limit);
  if (!request.types.empty()) {
    asked.rank.filter.kinds.emplace();
    for (const std::string& type : request.types) asked.rank.filter.kinds->push_back(helpdesk::clean_line(type));
  }
  FoundPage page = answer(asked);
  page.next_cursor.reset();
  return page;
}

// ---- find_similar_tickets

FoundPage SearchService::find_similar(const FindSimilarTickets& request) {
  if (request.ticket_id.has_value() == request.text.has_value())
    throw Refusal(Kind::kInvalid, "give either ticket_id or text: what the tickets shall be similar to");
  Asked asked;
  IndexReader index = open_index();
  std::string title, rest;
  if (request.ticket_id) {
    const auto ref = helpdesk::read_ref(*request.ticket_id);
    std::vector<Document> found;
    for (const Source& source : context_.sources().list()) {
      if (!ref) break;
      for (Document& document : context_.sources().documents(call_, source.plugin, {*ref})) {
        if (document.kind == kTicket) found.push_back(std::move(document));
      }
    }
    if (found.empty()) {
      throw Refusal(Kind::kNotFound, "Ticket " + helpdesk::clean_line(*request.ticket_id) +
                                         " not found. Use search_tickets or list_tickets to find its id.");
    }
    asked.rank.leave_out = found.front().ref;
    title = found.front().title;
    rest = found.front().body + "\n" + found.front().messages;
  } else {
    title = *request.text;
  }

  std::unordered_map<std::string, float> weights;
  const auto add = [&](std::string_view text, float weight) {
    for (const Word& word : lexer_->lex(text, 2'000).words) {
      if (word.is_stop) continue;
      weights[word.term] = std::min(weights[word.term] + weight, 3.0F);
    }
  };
  add(title, 1);
  add(rest, 0.5F);
  if (weights.empty()) throw Refusal(Kind::kInvalid, "text has no word that tells anything; describe the problem");
  std::vector<std::string> terms;
  for (const auto& [term, weight] : weights) terms.push_back(term);
  index.load(terms, false);
  const FieldSet fields = reads_notes_ ? kAllFields : kPublicFields;
  Ranker ranker(index.segments(), fields, reads_notes_);
  for (const std::string& term : terms) {
    const std::uint32_t with = ranker.documents_with(term);
    if (with == 0) continue;
    const auto all = static_cast<float>(ranker.documents());
    // Weighed by rarity here only to choose them; the ranking does it by itself.
    asked.rank.scored.push_back({term, weights[term] * std::log(1 + all / static_cast<float>(with))});
  }
  std::sort(asked.rank.scored.begin(), asked.rank.scored.end(), [](const ScoredTerm& a, const ScoredTerm& b) {
    return a.weight != b.weight ? a.weight > b.weight : a.term < b.term;
  });
  if (asked.rank.scored.size() > kTermsOfSimilar) asked.rank.scored.resize(kTermsOfSimilar);
  for (ScoredTerm& scored : asked.rank.scored) scored.weight = weights[scored.term];
  asked.rank.filter.kinds = std::vector<std::string>{std::string(kTicket)};
  asked.rank.filter.statuses = statuses_of(request.status);
  asked.rank.filter.sources.emplace();
  for (const Source& source : context_.sources().list()) asked.rank.filter.sources->push_back(source.plugin);
  asked.rank.limit = static_cast<std::size_t>(request.limit);
  const RankResult result = ranker.rank(asked.rank);
  FoundPage page;
  page.total = static_cast<std::int64_t>(result.total);
  page.hits = show(result.hits, index, asked);
  note_time(page);
  return page;
}

// ---- What the tools share

FoundPage SearchService::answer(Asked& asked) {
  if (helpdesk::is_blank(asked.query)) throw Refusal(Kind::kInvalid, "query is empty; say what to look for");
  helpdesk::refuse_nul("query", asked.query);
  IndexReader index = open_index();
  const ParsedQuery parsed = read_query(asked.query, asked.mode);
  if (parsed.clauses.empty())
    throw Refusal(Kind::kInvalid, "query has no word to look for; give at least one word or number");
  correct_query(asked, parsed, index);

  const ParsedQuery meant = asked.page.corrected_query ? read_query(*asked.page.corrected_query, asked.mode) : parsed;
  RankRequest planned = plan(meant, asked.mode);
  asked.rank.scored = std::move(planned.scored);
  asked.rank.required = std::move(planned.required);
  asked.rank.excluded = std::move(planned.excluded);
  if (const auto ref = helpdesk::read_ref(asked.query); ref && ref->size() == helpdesk::kRefLength)
    asked.rank.exact_ref = *ref;
  asked.rank.filter.sources.emplace();
  for (const Source& source : context_.sources().list()) asked.rank.filter.sources->push_back(source.plugin);
  load_terms(index, asked.rank);
  const auto fields = static_cast<FieldSet>(asked.fields & (reads_notes_ ? kAllFields : kPublicFields));
  Ranker ranker(index.segments(), fields, reads_notes_);
  RankResult result = ranker.rank(asked.rank);
  std::vector<std::string> warnings;
  if (result.total == 0 && asked.mode == QueryMode::kAuto && !asked.rank.required.empty()) {
    asked.rank.required.clear();
    result = ranker.rank(asked.rank);
    if (result.total > 0) warnings.emplace_back("nothing has the exact phrase; these have words of it");
  }

  FoundPage page = std::move(asked.page);
  page.warnings = unless_empty(std::move(warnings));
  page.total = static_cast<std::int64_t>(result.total);
  page.hits = show(result.hits, index, asked);
  if (result.last) page.next_cursor = call_.seal(encode(asked.hash, *result.last));
  Facets facets;
  for (std::size_t i = 0; i < result.facets.size(); ++i) {
    auto values = facet_values(result.facets[i]);
    switch (asked.rank.facets[i]) {
      case Facet::kStatus:
        facets.status = std::move(values);
        break;
      case Facet::kPriority:
        facets.priority = std::move(values);
        break;
      case Facet::kCategory:
        facets.category = std::move(values);
        break;
      case Facet::kAssignee:
        facets.assignee = std::move(values);
        break;
      case Facet::kTag:
        facets.tag = std::move(values);
        break;
      case Facet::kKind:
        break;
    }
  }
  asked.page.facets = std::move(facets);
  note_time(page);
  return page;
}

void SearchService::load_terms(IndexReader& index, const RankRequest& request) {
  index.load(terms_of(request, false), false);
  if (const auto of_phrases = terms_of(request, true); !of_phrases.empty()) index.load(of_phrases, true);
}

/// A query that only leaves out, like "-Xmx512m", means the words themselves.
ParsedQuery SearchService::read_query(std::string_view query, QueryMode mode) const {
  ParsedQuery parsed = parse_query(query, mode, *lexer_);
  if (!parsed.asks_for_something()) {
    for (QueryClause& clause : parsed.clauses) {
      clause.is_excluded = false;
      for (QueryUnit& unit : clause.any_of) unit.is_phrase = false;
    }
  }
  return parsed;
}

/// Words that nobody has written are replaced by what was meant, and the answer says so.
void SearchService::correct_query(Asked& asked, const ParsedQuery& parsed, IndexReader& index) {
  std::vector<const Word*> words;
  std::vector<std::string> terms;
  for (const QueryClause& clause : parsed.clauses) {
    for (const QueryUnit& unit : clause.any_of) {
      if (!unit.joined.empty()) terms.push_back(unit.joined);
      for (const Word& word : unit.words) {
        terms.push_back(word.term);
        terms.insert(terms.end(), word.parts.begin(), word.parts.end());
        if (!clause.is_excluded && !word.is_stop) words.push_back(&word);
      }
    }
  }
  index.load(terms, false);
  const FieldSet readable = reads_notes_ ? kAllFields : kPublicFields;
  Ranker ranker(index.segments(), readable, reads_notes_);
  const auto is_known = [&](const Word& word) {
    return ranker.documents_with(word.term) > 0 ||
           std::any_of(word.parts.begin(), word.parts.end(),
                       [&](const auto& part) { return ranker.documents_with(part) > 0; });
  };
  std::vector<const Vocabulary*> vocabularies;
  std::vector<std::shared_ptr<const Vocabulary>> owned;
  const auto open_vocabularies = [&] {
    if (!owned.empty()) return;
    owned = index.vocabularies();
    for (const auto& vocabulary : owned) vocabularies.push_back(vocabulary.get());
  };
  struct Replacement {
    std::size_t begin, end;
    std::string word;
  };
  std::vector<Replacement> corrections, suggestions;
  constexpr std::uint32_t kRare = 5;
  for (const Word* word : words) {
    const bool is_missing = !is_known(*word);
    if (!is_missing && ranker.documents_with(word->term) > kRare) continue;
    open_vocabularies();
    const auto found = is_missing ? correct(vocabularies, word->text, reads_notes_)
                                  : suggest(vocabularies, word->text, reads_notes_, *lexer_);
    if (!found) continue;
    // The vocabulary may lag behind: documents that are gone still count in it.
    const LexedText lexed = lexer_->lex(found->word);
    if (lexed.words.empty()) continue;
    index.load({lexed.words.front().term}, false);
    if (Ranker(index.segments(), readable, reads_notes_).documents_with(lexed.words.front().term) == 0) continue;
    (is_missing ? corrections : suggestions).push_back({word->begin, word->end, found->word});
  }
  const auto replaced = [&](std::vector<Replacement> replacements) {
    std::sort(replacements.begin(), replacements.end(), [](const auto& a, const auto& b) { return a.begin > b.begin; });
    std::string query = asked.query;
    for (const Replacement& replacement : replacements)
      query.replace(replacement.begin, replacement.end - replacement.begin, replacement.word);
    return query;
  };
  if (!corrections.empty()) asked.page.corrected_query = replaced(corrections);
  if (!suggestions.empty()) {
    suggestions.insert(suggestions.end(), corrections.begin(), corrections.end());
    asked.page.did_you_mean = replaced(suggestions);
  }
}

/// The page's documents as they are now, with the stretch of text that shows why each was found.
std::vector<FoundDocument> SearchService::show(const std::vector<Hit>& hits, const IndexReader& index,
                                               const Asked& asked) {
  std::map<std::string, std::vector<std::string>> refs;
  const auto source_of = [&](const Hit& hit) -> const std::string& {
    const Columns& columns = index.segments()[hit.segment]->columns();
    return columns.source.names[columns.source.codes[hit.doc]];
  };
  const auto ref_of = [&](const Hit& hit) -> const std::string& {
    return index.segments()[hit.segment]->columns().refs[hit.doc];
  };
  for (const Hit& hit : hits) refs[source_of(hit)].push_back(ref_of(hit));
  std::map<std::pair<std::string, std::string>, Document> documents;
  for (const auto& [plugin, of_plugin] : refs) {
    for (Document& document : context_.sources().documents(call_, plugin, of_plugin))
      documents.emplace(std::pair(plugin, document.ref), std::move(document));
  }
  std::vector<std::int64_t> moments;
  std::unordered_set<std::string> terms;
  for (const ScoredTerm& scored : asked.rank.scored) terms.insert(scored.term);

  std::vector<FoundDocument> found;
  for (const Hit& hit : hits) {
    const auto place = documents.find({source_of(hit), ref_of(hit)});
    if (place == documents.end()) continue;
    const Document& document = place->second;
    FoundDocument shown;
    shown.id = document.ref;
    if (asked.with_types) shown.type = helpdesk::clean_line(document.kind);
    shown.title = helpdesk::clean_line(document.title);
    const auto line = [](const std::string& text) {
      return text.empty() ? std::nullopt : std::optional<std::string>(helpdesk::clean_line(text));
    };
    shown.status = line(document.status);
    shown.priority = line(document.priority);
    shown.score = rounded(hit.score);
    shown.matched_in = matched_in(hit);
    if (asked.format == ResponseFormat::kDetailed) {
      shown.category = line(document.category);
      shown.assignee = line(document.assignee);
      shown.requester = line(document.requester);
      std::vector<std::string> tags;
      for (const std::string& tag : document.tags) tags.push_back(helpdesk::clean_line(tag));
      shown.tags = unless_empty(std::move(tags));
    }
    const bool in_body = (hit.matched & only(Field::kBody)) != 0;
    const bool in_messages = (hit.matched & only(Field::kMessages)) != 0;
    const bool in_notes = (hit.matched & only(Field::kNotes)) != 0;
    const std::string& text = in_body       ? document.body
                              : in_messages ? document.messages
                              : in_notes    ? document.notes
                                            : document.body;
    std::string cleaned = helpdesk::clean(std::string_view(text).substr(0, kLongestSnippetText));
    shown.snippet = make_snippet(cleaned, lexer_->lex(cleaned), terms, kSnippetCharacters);
    moments.push_back(document.updated_us);
    moments.push_back(asked.format == ResponseFormat::kDetailed ? document.created_us : Columns::kNever);
    moments.push_back(asked.format == ResponseFormat::kDetailed ? document.due_us.value_or(Columns::kNever)
                                                                : Columns::kNever);
    found.push_back(std::move(shown));
  }
  if (found.empty()) return found;

  std::string literal = "{";
  for (const std::int64_t moment : moments)
    literal.append(literal.size() == 1 ? "" : ",").append(moment == Columns::kNever ? "NULL" : std::to_string(moment));
  toolhost::Rows rows = call_.query(
      "select local_time(to_timestamp(0) + us * interval '1 microsecond', $2::text) "
      "from unnest($1::text::bigint[]) with ordinality as moment (us, number) order by number",
      literal + "}", call_.time_zone());
  for (FoundDocument& shown : found) {
    shown.updated_at = rows.next().text(0);
    shown.created_at = helpdesk::optional_text(rows.next(), 0);
    shown.due_at = helpdesk::optional_text(rows.next(), 0);
  }
  return found;
}

void SearchService::note_time(FoundPage& page) {
  toolhost::Rows rows = call_.query(toolhost::last, "select local_time(now(), $1::text)", call_.time_zone());
  page.server_time = rows.next().text(0);
  page.time_zone = call_.time_zone();
}

}  // namespace search
