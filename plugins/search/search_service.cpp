#include "search_service.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <unordered_set>

#include "arguments.hpp"
#include "facts.hpp"
#include "ids.hpp"
#include "indexer.hpp"
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
constexpr std::string_view kBehind =
    "the search index is taking in many changes; the latest are not found yet, search again in half a minute";
constexpr std::size_t kSnippetCharacters = 160;
constexpr std::int64_t kLongestShownText = 20'000;  // characters that are looked through for a snippet
constexpr std::size_t kFewestSnippetCharacters = 30;
constexpr std::size_t kCharactersBesides = 90, kCharactersBesidesDetailed = 250;  // of a hit, but for title and snippet
constexpr std::int64_t kDefaultCacheMib = 256;
constexpr std::size_t kTermsOfSimilar = 30, kWordsOfSimilar = 500;
constexpr helpdesk::Findable kTickets{"ticket", "search_tickets or list_tickets"};
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

Facets facets_of(const std::vector<Facet>& asked, const RankResult& result) {
  Facets facets;
  for (std::size_t i = 0; i < asked.size(); ++i) {
    auto values = facet_values(result.facets[i]);
    switch (asked[i]) {
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
  return facets;
}

double rounded(float score) {
  return std::round(static_cast<double>(score) * 100) / 100;
}

/// The correction with the capitals of what was written, as far as the two are alike: they tell where the parts of
/// "FleUtils" begin.
std::string in_the_case_of(std::string_view written, std::string_view correction) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  const auto alike = [&](char a, char b) { return lower(a) == b; };
  const auto front = std::mismatch(written.begin(), written.end(), correction.begin(), correction.end(), alike);
  const auto before = static_cast<std::size_t>(front.first - written.begin());
  const std::string_view rest_written = written.substr(before), rest = correction.substr(before);
  const auto back = std::mismatch(rest_written.rbegin(), rest_written.rend(), rest.rbegin(), rest.rend(), alike);
  const auto behind = static_cast<std::size_t>(back.first - rest_written.rbegin());
  std::string middle(rest.substr(0, rest.size() - behind));
  const std::string_view replaced = rest_written.substr(0, rest_written.size() - behind);
  const bool was_upper =
      !replaced.empty() && std::all_of(replaced.begin(), replaced.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
  if (was_upper)
    for (char& c : middle)
      if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return std::string(written.substr(0, before)) + middle + std::string(rest_written.substr(replaced.size()));
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
  const IndexState state =
      read_state(call_).value_or(IndexState{"", 0, index_language(SearchContext::language_of(call_))});
  lexer_ = context_.lexer(language_of_index(state.language));
  if (!lexer_) throw std::runtime_error("the index has the unknown language " + state.language);
  return IndexReader::open(call_, context_.sources(), context_.cache(), state, *lexer_);
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
    filter.assignee = helpdesk::is_word(*assignee, "none") ? "" : people.read_filter("assignee", *assignee, warnings);
  if (const auto requester = helpdesk::given_filter("requester", request.requester))
    filter.requester = people.read_filter("requester", *requester, warnings);
  filter.category = helpdesk::given_filter("category", request.category);
  filter.tags = helpdesk::read_tag_filter(request.tags).value_or(std::vector<std::string>{});
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
    if (!read) helpdesk::refuse_moment(moment.parameter, *given, helpdesk::today(call_));
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
  if (request.ticket_id) {
    const Document like = ticket(*request.ticket_id);
    asked.rank.leave_out = like.ref;
    asked.rank.scored = telling_terms(like.title, like.body + "\n" + like.messages, index);
  } else {
    helpdesk::refuse_nul("text", *request.text);
    asked.rank.scored = telling_terms(*request.text, "", index);
  }
  asked.rank.filter.kinds = std::vector<std::string>{std::string(kTicket)};
  asked.rank.filter.statuses = statuses_of(request.status);
  asked.rank.filter.sources = context_.sources().plugins();
  asked.rank.limit = static_cast<std::size_t>(request.limit);
  load_terms(index, asked.rank);
  const RankResult result =
      Ranker(index.segments(), reads_notes_ ? kAllFields : kPublicFields, reads_notes_).rank(asked.rank);
  FoundPage page;
  if (index.is_behind()) page.warnings = {{std::string(kBehind)}};
  page.total = static_cast<std::int64_t>(result.total);
  show(page, result, asked);
  note_time(page);
  return page;
}

Document SearchService::ticket(std::string_view id) {
  const std::string ref = helpdesk::read_id(kTickets, id);
  std::optional<Document> found;
  std::vector<helpdesk::IdAndTitle> nearest;
  for (const Source& source : context_.sources().list()) {
    context_.sources().documents(call_, source.plugin, {ref}, kLongestShownText, [&](Document&& document) {
      if (document.kind == kTicket) found = std::move(document);
    });
    if (found) return *std::move(found);
    const auto near = helpdesk::nearest_ids(
        call_, "(select ref, title from " + source.sql_name + " where kind = 'ticket' and not deleted)", ref);
    nearest.insert(nearest.end(), near.begin(), near.end());
  }
  helpdesk::refuse_unknown(kTickets, ref, nearest);
}

/// The words that tell most, by how rare they are: the whole text would weigh its fillers.
std::vector<ScoredTerm> SearchService::telling_terms(const std::string& title, const std::string& rest,
                                                     IndexReader& index) {
  std::unordered_map<std::string, float> weights;
  std::vector<std::string> terms;
  const auto add = [&](std::string_view text, float weight) {
    for (const Word& word : lexer_->lex(text, 2'000).words) {
      if (word.is_stop) continue;
      const auto [place, is_new] = weights.try_emplace(word.term, 0.0F);
      if (is_new) terms.push_back(word.term);
      place->second = std::min(place->second + weight, 3.0F);
    }
  };
  add(title, 1);
  add(rest, 0.5F);
  if (terms.empty()) throw Refusal(Kind::kInvalid, "text has no word that tells anything; describe the problem");
  if (terms.size() > kWordsOfSimilar) terms.resize(kWordsOfSimilar);
  const auto documents = index.documents_with(terms);
  const auto worth = [&](const std::string& term) {
    const auto found = documents.find(term);
    const double with = found == documents.end() ? 1 : static_cast<double>(found->second);
    return static_cast<double>(weights[term]) * std::log(1 + 1e6 / with);
  };
  std::sort(terms.begin(), terms.end(), [&](const std::string& a, const std::string& b) {
    const double of_a = worth(a), of_b = worth(b);
    return of_a != of_b ? of_a > of_b : a < b;
  });
  if (terms.size() > kTermsOfSimilar) terms.resize(kTermsOfSimilar);
  std::vector<ScoredTerm> scored;
  for (const std::string& term : terms) scored.push_back({term, weights[term]});
  return scored;
}

// ---- What the tools share

FoundPage SearchService::answer(Asked& asked) {
  if (helpdesk::is_blank(asked.query)) throw Refusal(Kind::kInvalid, "query is empty; say what to look for");
  helpdesk::refuse_nul("query", asked.query);
  IndexReader index = open_index();
  if (asked.with_types && asked.rank.filter.kinds) check_kinds(*asked.rank.filter.kinds, index);
  const ParsedQuery parsed = parse_query(asked.query, asked.mode, *lexer_);
  if (!parsed.asks_for_something()) {
    throw Refusal(Kind::kInvalid,
                  parsed.clauses.empty()
                      ? "query has no word to look for; give at least one word or number"
                      : "query only says what to leave out; add a word to look for, or put it in quotes to look for it "
                        "with its minus: \"-Xmx512m\"");
  }
  const FieldSet readable = reads_notes_ ? kAllFields : kPublicFields;
  Ranker of_all(index.segments(), readable, reads_notes_);
  correct_query(asked, parsed, index, of_all);

  const ParsedQuery meant =
      asked.page.corrected_query ? parse_query(*asked.page.corrected_query, asked.mode, *lexer_) : parsed;
  RankRequest planned = plan(meant, asked.mode);
  asked.rank.scored = std::move(planned.scored);
  asked.rank.required = std::move(planned.required);
  asked.rank.excluded = std::move(planned.excluded);
  if (const auto ref = helpdesk::read_ref(asked.query); ref && ref->size() == helpdesk::kRefLength)
    asked.rank.exact_ref = *ref;
  asked.rank.filter.sources = context_.sources().plugins();
  load_terms(index, asked.rank);
  std::optional<Ranker> of_some;
  if ((asked.fields & readable) != readable)
    of_some.emplace(index.segments(), static_cast<FieldSet>(asked.fields & readable), reads_notes_);
  Ranker& ranker = of_some ? *of_some : of_all;
  RankResult result = ranker.rank(asked.rank);

  FoundPage page = std::move(asked.page);
  if (index.is_behind()) page.warnings = {{std::string(kBehind)}};
  if (result.total == 0 && asked.mode == QueryMode::kAuto && !asked.rank.required.empty()) {
    asked.rank.required.clear();
    result = ranker.rank(asked.rank);
    if (result.total > 0) {
      if (!page.warnings) page.warnings.emplace();
      page.warnings->emplace_back("nothing that fits the filters has the exact phrase; these have words of it");
    }
  }
  for (auto* query : {&page.corrected_query, &page.did_you_mean}) {
    if (*query) *query = helpdesk::clean_line(**query);
  }
  page.total = static_cast<std::int64_t>(result.total);
  show(page, result, asked);
  asked.page.facets = facets_of(asked.rank.facets, result);
  note_time(page);
  return page;
}

/// A type that nothing has is a slip, and the answer would be empty without a word.
void SearchService::check_kinds(const std::vector<std::string>& kinds, const IndexReader& index) const {
  std::set<std::string> known;
  for (const SegmentReader* segment : index.segments())
    known.insert(segment->columns().kind.names.begin(), segment->columns().kind.names.end());
  for (const std::string& kind : kinds) {
    if (known.empty() || known.contains(kind)) continue;
    std::string names;
    for (const std::string& name : known) names.append(names.empty() ? "" : ", ").append(helpdesk::clean_line(name));
    throw Refusal(Kind::kInvalid, "nothing here has the type '" + kind + "'; the types are: " + names);
  }
}

void SearchService::load_terms(IndexReader& index, const RankRequest& request) {
  index.load(terms_of(request, false), false);
  if (const auto of_phrases = terms_of(request, true); !of_phrases.empty()) index.load(of_phrases, true);
}

/// Words that nobody has written are replaced by what was meant, and the answer says so.
void SearchService::correct_query(Asked& asked, const ParsedQuery& parsed, IndexReader& index, Ranker& ranker) {
  struct Asking {
    const Word* word;
    const QueryUnit* unit;
  };
  std::vector<Asking> words;
  std::vector<std::string> terms;
  for (const QueryClause& clause : parsed.clauses) {
    for (const QueryUnit& unit : clause.any_of) {
      if (!unit.joined.empty()) terms.push_back(unit.joined);
      for (const Word& word : unit.words) {
        terms.push_back(word.term);
        terms.insert(terms.end(), word.parts.begin(), word.parts.end());
        if (!clause.is_excluded && !word.is_stop) words.push_back({&word, &unit});
      }
    }
  }
  index.load(terms, false);
  const auto has_documents = [&](const std::string& term) { return ranker.documents_with(term) > 0; };
  const auto is_known = [&](const Asking& one) {
    return has_documents(one.word->term) ||
           std::any_of(one.word->parts.begin(), one.word->parts.end(), has_documents) ||
           (!one.unit->joined.empty() && has_documents(one.unit->joined));
  };
  // A word's documents as they are now: vocabularies lag behind what was changed and deleted.
  const auto documents_now = [&](std::string_view word) -> std::uint32_t {
    const LexedText lexed = lexer_->lex(word);
    if (lexed.words.empty()) return 0;
    index.load({lexed.words.front().term}, false);
    return ranker.documents_with(lexed.words.front().term);
  };
  std::vector<std::shared_ptr<const Vocabulary>> owned;
  std::vector<const Vocabulary*> vocabularies;
  struct Replacement {
    std::size_t begin, end;
    std::string word;
  };
  std::vector<Replacement> corrections, suggestions;
  const auto load_vocabularies = [&] {
    if (!owned.empty()) return;
    owned = index.vocabularies();
    for (const auto& vocabulary : owned) vocabularies.push_back(vocabulary.get());
  };
  const auto meant_by = [&](std::string_view word) {
    return correct(vocabularies, word, reads_notes_, [&](std::string_view other) { return documents_now(other) > 0; });
  };
  const auto written = [&](std::uint32_t begin, std::uint32_t end) {
    return std::string_view(asked.query).substr(begin, end - begin);
  };
  // Of "S3Gurad" the part in it that nobody has written is wrong, and the rest of it stays.
  const auto correct_parts = [&](const Word& word) {
    const auto is_missing = [&](const WrittenPart& part) { return documents_now(part.text) == 0; };
    if (has_documents(word.term) || std::none_of(word.written_parts.begin(), word.written_parts.end(), is_missing))
      return false;
    load_vocabularies();
    if (const auto whole = meant_by(word.text)) {
      corrections.push_back({word.begin, word.end, in_the_case_of(written(word.begin, word.end), whole->word)});
      return true;
    }
    bool found = false;
    for (const WrittenPart& part : word.written_parts) {
      const auto meant = is_missing(part) ? meant_by(part.text) : std::nullopt;
      if (!meant) continue;
      corrections.push_back({part.begin, part.end, in_the_case_of(written(part.begin, part.end), meant->word)});
      found = true;
    }
    return found;
  };
  constexpr std::uint32_t kRare = 5, kTimesAsFrequent = 20;
  for (const Asking& one : words) {
    if (one.word->written_parts.size() > 0 && (one.unit->joined.empty() || !has_documents(one.unit->joined)) &&
        correct_parts(*one.word))
      continue;
    const bool is_missing = !is_known(one);
    const std::uint32_t documents = ranker.documents_with(one.word->term);
    if (!is_missing && (documents == 0 || documents > kRare)) continue;
    load_vocabularies();
    const auto found = is_missing
                           ? meant_by(one.word->text)
                           : suggest(vocabularies, one.word->text, reads_notes_, *lexer_, [&](std::string_view word) {
                               return documents_now(word) / kTimesAsFrequent >= documents;
                             });
    if (found) (is_missing ? corrections : suggestions).push_back({one.word->begin, one.word->end, found->word});
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

/// The hits as their documents are now, as many as one answer may hold, each with the stretch of text that shows why it
/// was found. Many hits have short ones.
void SearchService::show(FoundPage& page, const RankResult& result, const Asked& asked) {
  std::map<std::string, std::vector<std::string>> refs;
  for (const HitPosition& position : result.positions) refs[position.source].push_back(position.ref);
  std::map<std::pair<std::string, std::string>, Document> documents;
  for (const auto& [plugin, of_plugin] : refs) {
    context_.sources().documents(call_, plugin, of_plugin, kLongestShownText, [&](Document&& document) {
      documents.emplace(std::pair(document.source, document.ref), std::move(document));
    });
  }
  const std::size_t besides =
      asked.format == ResponseFormat::kDetailed ? kCharactersBesidesDetailed : kCharactersBesides;
  helpdesk::TextBudget budget;
  std::vector<std::pair<const Document*, const Hit*>> kept;
  std::size_t used = 0, last = 0;
  for (std::size_t i = 0; i < result.hits.size(); ++i) {
    const auto place = documents.find({result.positions[i].source, result.positions[i].ref});
    if (place == documents.end()) continue;
    const std::size_t characters = besides + helpdesk::count_characters(place->second.title);
    if (!budget.take(characters)) {
      page.truncated = true;
      break;
    }
    used += characters;
    last = i;
    kept.emplace_back(&place->second, &result.hits[i]);
  }
  if (!kept.empty() && (result.more || page.truncated))
    page.next_cursor = call_.seal(encode(asked.hash, result.positions[last]));
  if (kept.empty()) return;

  const std::size_t left = helpdesk::kTextBudget - std::min(helpdesk::kTextBudget, used);
  const std::size_t for_each = std::min(kSnippetCharacters, left / kept.size());
  std::vector<std::int64_t> moments;
  for (const auto& [document, hit] : kept) {
    page.hits.push_back(shown(*document, *hit, asked));
    if (for_each >= kFewestSnippetCharacters) page.hits.back().snippet = snippet(*document, *hit, asked, for_each);
    const bool is_detailed = asked.format == ResponseFormat::kDetailed;
    moments.push_back(document->updated_us);
    moments.push_back(is_detailed ? document->created_us : Columns::kNever);
    moments.push_back(is_detailed ? document->due_us.value_or(Columns::kNever) : Columns::kNever);
  }
  note_moments(page.hits, moments);
}

FoundDocument SearchService::shown(const Document& document, const Hit& hit, const Asked& asked) const {
  const auto line = [](const std::string& text) {
    return text.empty() ? std::nullopt : std::optional<std::string>(helpdesk::clean_line(text));
  };
  FoundDocument shown;
  shown.id = document.ref;
  if (asked.with_types) shown.type = helpdesk::clean_line(document.kind);
  shown.title = helpdesk::clean_line(document.title);
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
  return shown;
}

std::string SearchService::snippet(const Document& document, const Hit& hit, const Asked& asked,
                                   std::size_t characters) const {
  std::unordered_set<std::string> terms;
  for (const ScoredTerm& scored : asked.rank.scored) terms.insert(scored.term);
  const auto is_in = [&](Field field) { return (hit.matched & only(field)) != 0; };
  const std::string& text = is_in(Field::kBody)       ? document.body
                            : is_in(Field::kMessages) ? document.messages
                            : is_in(Field::kNotes)    ? document.notes
                                                      : document.body;
  const std::string cleaned = helpdesk::clean(text);
  return make_snippet(cleaned, lexer_->lex(cleaned), terms, characters);
}

/// Three for each document: updated, created, due.
void SearchService::note_moments(std::vector<FoundDocument>& found, const std::vector<std::int64_t>& moments) {
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
}

void SearchService::note_time(FoundPage& page) {
  toolhost::Rows rows = call_.query(toolhost::last, "select local_time(now(), $1::text)", call_.time_zone());
  page.server_time = rows.next().text(0);
  page.time_zone = call_.time_zone();
}

}  // namespace search
