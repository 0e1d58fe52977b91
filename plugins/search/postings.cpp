#include "postings.hpp"

namespace search {

void append_number(std::string& out, std::uint64_t number) {
  for (; number >= 0x80; number >>= 7) out += static_cast<char>(number | 0x80);
  out += static_cast<char>(number);
}

std::uint64_t NumberReader::next_long() noexcept {
  std::uint64_t number = 0;
  for (unsigned shift = 0; at_ != end_ && shift < 64; shift += 7) {
    const auto byte = static_cast<unsigned char>(*at_++);
    number |= std::uint64_t{byte & 0x7FU} << shift;
    if (byte < 0x80) return number;
  }
  is_bad_ = true;
  at_ = end_;
  return 0;
}

std::string_view NumberReader::bytes(std::uint64_t count) noexcept {
  if (count > static_cast<std::uint64_t>(end_ - at_)) {
    is_bad_ = true;
    count = static_cast<std::uint64_t>(end_ - at_);
  }
  const std::string_view taken(at_, count);
  at_ += count;
  return taken;
}

// A posting is the distance to the document before, doubled; odd when the term stands once in the body and nowhere
// else, which most do. Otherwise the set of fields follows, and a count for each.

void PostingsWriter::add_posting(const Posting& posting) {
  const std::uint64_t distance = docs_ == 0 ? posting.doc : posting.doc - last_doc_;
  const bool is_plain = posting.fields == only(Field::kBody) && posting.counts[static_cast<int>(Field::kBody)] == 1;
  append_number(postings_, distance << 1 | (is_plain ? 1 : 0));
  if (!is_plain) {
    postings_ += static_cast<char>(posting.fields);
    for (const std::uint32_t count : posting.counts) {
      if (count > 0) append_number(postings_, count);
    }
  }
  last_doc_ = posting.doc;
  ++docs_;
}

void PostingsWriter::add(std::uint32_t doc, std::span<const Place> places) {
  Posting posting{.doc = doc};
  Place before = 0;
  Field field{};
  for (const Place here : places) {
    if (before == 0 || field_of(here) != field) {
      field = field_of(here);
      before = place(doc, field, 0);
    }
    append_number(positions_, here - before);
    before = here;
    posting.fields |= only(field);
    ++posting.counts[static_cast<std::size_t>(field)];
  }
  add_posting(posting);
}

void PostingsWriter::add(const Posting& posting, std::string_view encoded_positions) {
  positions_ += encoded_positions;
  add_posting(posting);
}

bool PostingsReader::next(Posting& posting) noexcept {
  if (numbers_.at_end()) return false;
  const std::uint64_t head = numbers_.next();
  last_doc_ = static_cast<std::uint32_t>(head >> 1) + (is_first_ ? 0 : last_doc_);
  is_first_ = false;
  posting.doc = last_doc_;
  posting.counts = {};
  if ((head & 1) != 0) {
    posting.fields = only(Field::kBody);
    posting.counts[static_cast<std::size_t>(Field::kBody)] = 1;
    return !numbers_.is_bad();
  }
  posting.fields = static_cast<FieldSet>(numbers_.next()) & kAllFields;
  for (std::size_t field = 0; field < kFieldCount; ++field) {
    if ((posting.fields >> field & 1) != 0) posting.counts[field] = static_cast<std::uint32_t>(numbers_.next());
  }
  return !numbers_.is_bad();
}

std::vector<Place> read_places(std::string_view postings, std::string_view positions, FieldSet fields) {
  std::vector<Place> places;
  places.reserve(positions.size());
  PostingsReader reader(postings);
  NumberReader numbers(positions);
  Posting posting;
  while (reader.next(posting)) {
    for (std::size_t i = 0; i < kFieldCount; ++i) {
      const Field field = static_cast<Field>(i);
      Place here = place(posting.doc, field, 0);
      for (std::uint32_t n = 0; n < posting.counts[i] && !numbers.at_end(); ++n) {
        here += numbers.next();
        if ((fields & only(field)) != 0) places.push_back(here);
      }
    }
  }
  return places;
}

std::string_view take_positions(const Posting& posting, std::string_view& rest) {
  std::uint64_t numbers = 0;
  for (const std::uint32_t count : posting.counts) numbers += count;
  std::size_t end = 0;
  for (; numbers > 0 && end < rest.size(); ++end) {
    if (static_cast<unsigned char>(rest[end]) < 0x80) --numbers;
  }
  const std::string_view taken = rest.substr(0, end);
  rest.remove_prefix(end);
  return taken;
}

}  // namespace search
