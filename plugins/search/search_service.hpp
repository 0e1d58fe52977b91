#pragma once
#include <toolhost/plugin.hpp>

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "index_cache.hpp"
#include "index_reader.hpp"
#include "lexer.hpp"
#include "search_types.hpp"
#include "sources.hpp"

namespace search {

/// What all searches of one plugin instance share. Any thread.
class SearchContext {
 public:
  explicit SearchContext(toolhost::Host& host);

  /// Null for a language that is none.
  std::shared_ptr<const Lexer> lexer(std::string_view language);
  [[nodiscard]] const Sources& sources() const noexcept { return sources_; }
  IndexCache& cache() noexcept { return cache_; }
  /// The tenant's, as the operator has set it.
  static std::string language_of(toolhost::Call& call);

 private:
  const Sources sources_;
  IndexCache cache_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const Lexer>, std::less<>> lexers_;
};

/// The tools. One object serves one call; refusals are thrown as helpdesk::Refusal.
class SearchService {
 public:
  SearchService(SearchContext& context, toolhost::Call& call);

  FoundPage search_tickets(const SearchTickets& request);
  FoundPage find_similar(const FindSimilarTickets& request);
  FoundPage search_all(const SearchAll& request);

 private:
  struct Asked;
  IndexReader open_index();
  FoundPage answer(Asked& asked);
  void correct_query(Asked& asked, const ParsedQuery& parsed, IndexReader& index, Ranker& ranker);
  void check_kinds(const std::vector<std::string>& kinds, const IndexReader& index) const;
  Document ticket(std::string_view id);
  std::vector<ScoredTerm> telling_terms(const std::string& title, const std::string& rest, IndexReader& index);
  void load_terms(IndexReader& index, const RankRequest& request);
  Filter read_filter(const SearchTickets& request, std::vector<std::string>& warnings);
  void read_moments(const SearchTickets& request, Filter& filter);
  void show(FoundPage& page, const RankResult& result, const Asked& asked);
  FoundDocument shown(const Document& document, const Hit& hit, const Asked& asked) const;
  [[nodiscard]] std::string snippet(const Document& document, const Hit& hit, const Asked& asked,
                                    std::size_t characters) const;
  void note_moments(std::vector<FoundDocument>& found, const std::vector<std::int64_t>& moments);
  void note_time(FoundPage& page);

  SearchContext& context_;
  toolhost::Call& call_;
  const bool reads_notes_;
  std::shared_ptr<const Lexer> lexer_;
};

}  // namespace search
