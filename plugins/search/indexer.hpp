#pragma once
#include <toolhost/plugin.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "lexer.hpp"
#include "sources.hpp"

namespace search {

/// How far a job has come.
struct IndexProgress {
  bool more = false;  ///< there is more to do: run the job again
  std::int64_t done = 0, total = 0;
};

/// Writes the index of one tenant, in the transaction of one call. Two of them never write at once, on however many
/// hosts: the second one does nothing.
class Indexer {
 public:
  using LexerOf = std::function<std::shared_ptr<const Lexer>(std::string_view language)>;

  /// `language`: what the operator has set for the tenant; a change of it builds the index anew.
  Indexer(toolhost::Call& call, const Sources& sources, LexerOf lexer_of, std::string language)
      : call_(call), sources_(sources), lexer_of_(std::move(lexer_of)), language_(std::move(language)) {}

  /// Takes in what changed since the last time, and merges segments when there are many.
  IndexProgress fold();
  /// Builds a new generation beside the present one, a part with each call; the last one puts it in its place.
  IndexProgress rebuild(bool restart);

 private:
  struct State;
  std::optional<State> lock_state();
  void begin_building(State& state);
  IndexProgress build(State& state);
  /// Returns whether something was left over.
  bool take_in(State& state, std::int64_t generation, std::int64_t watermark, const std::string& language,
               std::int64_t& new_watermark);
  bool merge(State& state, std::int64_t generation);
  void drop_generation(std::int64_t generation);

  toolhost::Call& call_;
  const Sources& sources_;
  const LexerOf lexer_of_;
  const std::string language_;
};

}  // namespace search
