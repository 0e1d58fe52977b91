#include "snippet.hpp"

#include <algorithm>
#include <cstdint>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "characters.hpp"

namespace search {
namespace {

/// What is never cut: a character with the marks on it, or a run of white space, which counts as one.
struct Cell {
  std::size_t begin = 0;  ///< byte of the text
  bool is_space = false;
};

/// A stretch of cells.
struct Stretch {
  std::size_t begin = 0, end = 0;
};

/// A stretch to be marked, with the terms that it was found by.
struct TermHit {
  Stretch where;
  std::vector<const std::string*> terms;
};

/// Whether `c` belongs to the character before it: combining marks, joined emoji, flags (pairs of regional indicators).
bool continues(char32_t c, char32_t before, bool before_is_half_flag) {
  const auto kind = [](char32_t of) {
    return u_getIntPropertyValue(static_cast<UChar32>(of), UCHAR_GRAPHEME_CLUSTER_BREAK);
  };
  if (c < 0x300) return false;
  switch (kind(c)) {
    case U_GCB_EXTEND:
    case U_GCB_SPACING_MARK:
    case U_GCB_ZWJ:
    case U_GCB_V:
    case U_GCB_T:
      return true;
    case U_GCB_REGIONAL_INDICATOR:
      return before_is_half_flag;
    default:
      return before == 0x200D && u_hasBinaryProperty(static_cast<UChar32>(c), UCHAR_EXTENDED_PICTOGRAPHIC) != 0;
  }
}

bool is_regional_indicator(char32_t c) {
  return c >= 0x1F1E6 && c <= 0x1F1FF;
}

/// The cells of a text, with the words of the lexer on them.
class Layout {
 public:
  Layout(std::string_view text, const LexedText& lexed) : text_(text), lexed_(lexed) {
    cells_.reserve(text.size());
    char32_t before = U' ';
    bool half_flag = false;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t begin = at;
      const char32_t c = take_character(text, at);
      const bool space = is_space(c);
      const bool goes_on = !cells_.empty() && (space ? cells_.back().is_space
                                                     : !cells_.back().is_space && continues(c, before, half_flag));
      if (!goes_on) cells_.push_back({begin, space});
      half_flag = is_regional_indicator(c) && !goes_on;
      before = c;
    }
  }

  [[nodiscard]] std::size_t size() const { return cells_.size(); }
  [[nodiscard]] bool is_space_at(std::size_t cell) const { return cells_[cell].is_space; }
  [[nodiscard]] std::string_view text_of(std::size_t cell) const {
    const std::size_t end = cell + 1 < size() ? cells_[cell + 1].begin : text_.size();
    return text_.substr(cells_[cell].begin, end - cells_[cell].begin);
  }
  [[nodiscard]] const std::vector<Word>& words() const { return lexed_.words; }
  [[nodiscard]] Stretch stretch_of(const Word& word) const { return {begin_of(word), end_of(word)}; }
  [[nodiscard]] std::size_t begin_of(const Word& word) const { return cell_at(word.begin); }
  [[nodiscard]] std::size_t end_of(const Word& word) const {
    return word.end > word.begin ? std::min(cell_at(word.end - 1) + 1, size()) : begin_of(word);
  }

  /// The first word that begins at the cell or behind it.
  [[nodiscard]] std::vector<Word>::const_iterator word_from(std::size_t cell) const {
    return std::partition_point(words().begin(), words().end(),
                                [&](const Word& word) { return begin_of(word) < cell; });
  }

 private:
  [[nodiscard]] std::size_t cell_at(std::size_t byte) const {
    const auto behind = std::upper_bound(cells_.begin(), cells_.end(), byte,
                                         [](std::size_t at, const Cell& cell) { return at < cell.begin; });
    return behind == cells_.begin() ? 0 : static_cast<std::size_t>(behind - cells_.begin()) - 1;
  }

  const std::string_view text_;
  const LexedText& lexed_;
  std::vector<Cell> cells_;
};

using Terms = std::unordered_set<std::string>;

void add_if_known(std::vector<const std::string*>& found, const Terms& terms, const std::string& term) {
  if (const auto known = terms.find(term); known != terms.end()) found.push_back(&*known);
}

std::vector<const std::string*> terms_of(const Word& word, const Terms& terms) {
  std::vector<const std::string*> found;
  add_if_known(found, terms, word.term);
  for (const std::string& part : word.parts) add_if_known(found, terms, part);
  return found;
}

/// In the order of the text. A chunk that was found by its joined term is one hit, unless that would not fit.
std::vector<TermHit> find_hits(const Layout& layout, const LexedText& lexed, const Terms& terms, std::size_t limit) {
  std::unordered_map<std::uint32_t, const std::string*> found_chunks;
  for (const JoinedTerm& joined : lexed.joined) {
    if (const auto known = terms.find(joined.term); known != terms.end()) found_chunks[joined.chunk] = &*known;
  }
  std::vector<TermHit> hits;
  const std::vector<Word>& words = layout.words();
  for (auto first = words.begin(); first != words.end();) {
    const auto last = std::find_if(first, words.end(), [&](const Word& word) { return word.chunk != first->chunk; });
    const auto found_chunk = found_chunks.find(first->chunk);
    const Stretch chunk{layout.begin_of(*first), layout.end_of(*(last - 1))};
    const bool is_whole = found_chunk != found_chunks.end() && chunk.end - chunk.begin <= limit;
    if (is_whole) hits.push_back({chunk, {found_chunk->second}});
    for (auto word = first; word != last; ++word) {
      std::vector<const std::string*> of_word = terms_of(*word, terms);
      if (is_whole) {
        hits.back().terms.insert(hits.back().terms.end(), of_word.begin(), of_word.end());
        continue;
      }
      if (word == first && found_chunk != found_chunks.end()) of_word.push_back(found_chunk->second);
      if (!of_word.empty()) hits.push_back({layout.stretch_of(*word), std::move(of_word)});
    }
    first = last;
  }
  return hits;
}

/// From the first to the last hit of the best window.
Stretch best_hits(const std::vector<TermHit>& hits, std::size_t limit) {
  Stretch best{hits.front().where.begin, hits.front().where.end};
  std::tuple<std::size_t, std::size_t> best_score;
  std::unordered_map<const std::string*, std::size_t> counts;
  std::size_t behind = 0;
  for (std::size_t first = 0; first < hits.size(); ++first) {
    while (behind < hits.size() && (behind <= first || hits[behind].where.end <= hits[first].where.begin + limit)) {
      for (const std::string* term : hits[behind].terms) ++counts[term];
      ++behind;
    }
    const std::tuple score(counts.size(), behind - first);
    if (score > best_score) {
      best_score = score;
      best = {hits[first].where.begin, hits[behind - 1].where.end};
    }
    for (const std::string* term : hits[first].terms) {
      if (const auto count = counts.find(term); --count->second == 0) counts.erase(count);
    }
  }
  return best;
}

/// The first cell from `ideal` on that begins a word between spaces, else that begins one at all; at most `latest`.
std::size_t snap_begin(const Layout& layout, std::size_t ideal, std::size_t latest) {
  if (ideal == 0) return 0;
  for (std::size_t cell = ideal; cell <= latest && cell < layout.size(); ++cell) {
    if (layout.is_space_at(cell - 1)) return cell;
  }
  const auto word = layout.word_from(ideal);
  return word == layout.words().end() ? latest : std::min(layout.begin_of(*word), latest);
}

/// The last end of a word between spaces up to `ideal`, else of any word; at least `earliest`. `ideal` when there is
/// none.
std::size_t snap_end(const Layout& layout, std::size_t ideal, std::size_t earliest) {
  if (ideal >= layout.size()) return layout.size();
  for (std::size_t cell = ideal; cell >= earliest && cell > 0; --cell) {
    if (layout.is_space_at(cell)) return cell;
  }
  for (auto word = layout.word_from(ideal); word != layout.words().begin();) {
    --word;
    const std::size_t end = layout.end_of(*word);
    if (end < earliest || end == 0) break;
    if (end <= ideal) return end;
  }
  return ideal;
}

/// What is shown: the hits with a third of what is left before them.
Stretch choose_window(const Layout& layout, const std::vector<TermHit>& hits, std::size_t limit) {
  if (hits.empty()) return {0, snap_end(layout, limit, 1)};
  const Stretch best = best_hits(hits, limit);
  const std::size_t left = limit - std::min(limit, best.end - best.begin);
  std::size_t begin = best.begin <= left / 2 ? 0 : best.begin - left / 3;
  begin = std::min(begin, layout.size() - std::min(limit, layout.size()));  // no window reaches behind the text
  begin = snap_begin(layout, begin, best.begin);
  return {begin, snap_end(layout, begin + limit, std::min(best.end, begin + limit))};
}

void append_cell(std::string& out, const Layout& layout, std::size_t cell) {
  if (layout.is_space_at(cell)) {
    out += ' ';
    return;
  }
  const std::string_view text = layout.text_of(cell);
  for (std::size_t at = 0; at < text.size();) {
    const char32_t c = take_character(text, at);
    append_character(out, c == U'«' ? U'‹' : c == U'»' ? U'›' : c);
  }
}

}  // namespace

std::string make_snippet(std::string_view text, const LexedText& lexed, const Terms& terms, std::size_t limit) {
  const Layout layout(text, lexed);
  if (layout.size() == 0 || limit == 0) return {};
  const std::vector<TermHit> hits = find_hits(layout, lexed, terms, limit);
  auto [begin, end] = choose_window(layout, hits, limit);
  while (begin < end && layout.is_space_at(begin)) ++begin;
  while (begin < end && layout.is_space_at(end - 1)) --end;

  const bool cuts_begin = begin > 1 || (begin == 1 && !layout.is_space_at(0));
  const bool cuts_end = end + 1 < layout.size() || (end + 1 == layout.size() && !layout.is_space_at(end));
  std::string out = cuts_begin ? "…" : "";
  auto hit = std::find_if(hits.begin(), hits.end(), [&](const TermHit& of) { return of.where.end > begin; });
  for (std::size_t cell = begin; cell < end;) {
    const bool is_marked = hit != hits.end() && hit->where.begin <= cell;
    std::size_t until = hit == hits.end() || is_marked ? end : std::min(hit->where.begin, end);
    if (is_marked) {  // up to the end of this hit and of those that touch it
      std::size_t reach = hit->where.end;
      for (; hit != hits.end() && hit->where.begin <= reach; ++hit) reach = std::max(reach, hit->where.end);
      until = std::min(reach, end);
      out += "«";
    }
    for (; cell < until; ++cell) append_cell(out, layout, cell);
    if (is_marked) out += "»";
  }
  return cuts_end ? out + "…" : out;
}

}  // namespace search
