#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "document.hpp"

/// Postings: which documents of a segment hold a term, how often in which field, and where. Two byte strings for each
/// term, because only phrases need the second.
namespace search {

/// A little-endian base-128 number.
void append_number(std::string& out, std::uint64_t number);

/// Reads numbers from bytes that may be damaged: past the end, and for numbers too long, it reads 0 and is_bad().
class NumberReader {
 public:
  explicit NumberReader(std::string_view bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}
  std::uint64_t next() noexcept {
    if (at_ != end_ && static_cast<unsigned char>(*at_) < 0x80) return static_cast<unsigned char>(*at_++);
    return next_long();
  }
  std::string_view bytes(std::uint64_t count) noexcept;
  [[nodiscard]] bool at_end() const noexcept { return at_ == end_; }
  [[nodiscard]] bool is_bad() const noexcept { return is_bad_; }

 private:
  std::uint64_t next_long() noexcept;
  const char* at_;
  const char* end_;
  bool is_bad_ = false;
};

/// One document of a term.
struct Posting {
  std::uint32_t doc = 0;
  FieldSet fields = 0;
  std::array<std::uint32_t, kFieldCount> counts{};  ///< of the fields that are set; 0 elsewhere
};

/// A place in a segment, so that neighbours in a text are neighbours as numbers: document, field, word.
using Place = std::uint64_t;
constexpr Place place(std::uint32_t doc, Field field, std::uint32_t position) {
  return std::uint64_t{doc} << 32 | std::uint64_t{static_cast<std::uint8_t>(field)} << 28 | position;
}
inline constexpr std::uint32_t kLastPosition = (1U << 28) - 1;
constexpr std::uint32_t doc_of(Place place) {
  return static_cast<std::uint32_t>(place >> 32);
}
constexpr Field field_of(Place place) {
  return static_cast<Field>(place >> 28 & 0xF);
}

/// Both byte strings of one term while they grow.
class PostingsWriter {
 public:
  /// `places` of one document, ascending, not empty; documents in ascending order.
  void add(std::uint32_t doc, std::span<const Place> places);
  /// The same, for places that are encoded already (when segments are merged).
  void add(const Posting& posting, std::string_view encoded_positions);

  [[nodiscard]] std::uint32_t docs() const noexcept { return docs_; }
  [[nodiscard]] const std::string& postings() const noexcept { return postings_; }
  [[nodiscard]] const std::string& positions() const noexcept { return positions_; }

 private:
  void add_posting(const Posting& posting);
  std::string postings_, positions_;
  std::uint32_t docs_ = 0, last_doc_ = 0;
};

/// Walks the documents of one term. Damaged bytes end the walk early.
class PostingsReader {
 public:
  explicit PostingsReader(std::string_view postings) : numbers_(postings) {}
  /// False at the end.
  bool next(Posting& posting) noexcept;

 private:
  NumberReader numbers_;
  std::uint32_t last_doc_ = 0;
  bool is_first_ = true;
};

/// All places of a term in the fields of `fields`, ascending.
std::vector<Place> read_places(std::string_view postings, std::string_view positions, FieldSet fields);

/// The encoded positions of the posting, cut from the front of `rest`.
std::string_view take_positions(const Posting& posting, std::string_view& rest);

}  // namespace search
