#pragma once
#include <toolhost/plugin.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lexer.hpp"
#include "sources.hpp"

namespace search {

/// How far a job has come.
struct IndexProgress {
  bool more = false;  ///< there is more to do: run the job again
  std::int64_t done = 0, total = 0;
};

/// The language of an index, and the version of its form: what is stored of either differs when the index must be built
/// anew. "english/1" of "english".
std::string index_language(std::string_view language);
/// "english" of "english/1".
std::string_view language_of_index(std::string_view index_language);

/// Writes the index of one tenant, in the transaction of one call. Two of them never write at once, on however many
/// hosts: the second one does nothing.
class Indexer {
 public:
  using LexerOf = std::function<std::shared_ptr<const Lexer>(std::string_view language)>;

  /// `language`: what the operator has set for the tenant; a change of it builds the index anew.
  Indexer(toolhost::Call& call, const Sources& sources, LexerOf lexer_of, std::string_view language)
      : call_(call), sources_(sources), lexer_of_(std::move(lexer_of)), language_(index_language(language)) {}

  /// One step: takes in what changed, or merges segments when there are many, or goes on building a generation. Writes
  /// nothing when there is nothing to do.
  IndexProgress fold();
  /// Builds a new generation beside the present one, a part with each call; the last one puts it in its place. Throws
  /// toolhost::Error (TH_E_UNAVAILABLE) while somebody else writes the index.
  IndexProgress rebuild(bool restart);

 private:
  struct State;
  struct Merge;
  std::optional<State> read_state(bool lock);
  bool has_work();
  void begin_building(State& state);
  IndexProgress build(State& state);
  bool take_in(State& state, std::int64_t generation, std::string_view language);
  std::vector<std::int64_t> segments_to_merge(std::int64_t generation);
  void merge(State& state, std::int64_t generation, const std::vector<std::int64_t>& chosen, const Lexer& lexer);
  void drop_generation(std::int64_t generation);
  std::shared_ptr<const Lexer> lexer(std::string_view index_language) const;

  toolhost::Call& call_;
  const Sources& sources_;
  const LexerOf lexer_of_;
  const std::string language_;
};

}  // namespace search
