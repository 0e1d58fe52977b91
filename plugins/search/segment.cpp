#include "segment.hpp"

#include <algorithm>
#include <bit>
#include <utility>

namespace search {
namespace {

/// Between two tags, so that a phrase does not reach from one into the next.
constexpr std::uint32_t kGap = 10;

template <class Number>
void append_fixed(std::string& out, const std::vector<Number>& numbers) {
  for (const Number number : numbers) {
    auto bits = static_cast<std::uint64_t>(number);
    for (std::size_t i = 0; i < sizeof(Number); ++i, bits >>= 8) out += static_cast<char>(bits);
  }
}

template <class Number>
void read_fixed(NumberReader& in, std::size_t count, std::vector<Number>& numbers) {
  const std::string_view bytes = in.bytes(count * sizeof(Number));
  if (in.is_bad()) return;
  numbers.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    std::uint64_t bits = 0;
    for (std::size_t byte = 0; byte < sizeof(Number); ++byte)
      bits |= std::uint64_t{static_cast<unsigned char>(bytes[i * sizeof(Number) + byte])} << 8 * byte;
    numbers[i] = static_cast<Number>(bits);
  }
}

void append_text(std::string& out, std::string_view text) {
  append_number(out, text.size());
  out += text;
}

void append_numbers(std::string& out, const std::vector<std::uint32_t>& numbers) {
  for (const std::uint32_t number : numbers) append_number(out, number);
}

void read_numbers(NumberReader& in, std::size_t count, std::vector<std::uint32_t>& numbers) {
  numbers.clear();
  for (std::size_t i = 0; i < count && !in.is_bad(); ++i) numbers.push_back(static_cast<std::uint32_t>(in.next()));
}

void append_column(std::string& out, const NameColumn& column) {
  append_number(out, column.names.size());
  for (const std::string& name : column.names) append_text(out, name);
  append_number(out, column.codes.size());
  append_numbers(out, column.codes);
}

void read_column(NumberReader& in, NameColumn& column) {
  const std::uint64_t names = in.next();
  for (std::uint64_t i = 0; i < names && !in.is_bad(); ++i) column.names.emplace_back(in.bytes(in.next()));
  read_numbers(in, in.next(), column.codes);
}

bool fits(const NameColumn& column, std::size_t count) {
  return column.codes.size() == count && std::all_of(column.codes.begin(), column.codes.end(),
                                                     [&](std::uint32_t code) { return code < column.names.size(); });
}

std::size_t bytes_of(const NameColumn& column) {
  std::size_t bytes = column.codes.capacity() * sizeof(std::uint32_t);
  for (const std::string& name : column.names) bytes += sizeof(name) + name.size();
  return bytes;
}

constexpr std::array kNameColumns = {&Columns::source,   &Columns::kind,     &Columns::status,   &Columns::priority,
                                     &Columns::category, &Columns::assignee, &Columns::requester};
constexpr char kFormat = 1;

}  // namespace

std::uint32_t NameColumn::code_of(std::string_view name) {
  // What was decoded has names and no look-up.
  if (known_.size() != names.size()) {
    for (std::size_t i = 0; i < names.size(); ++i) known_.emplace(names[i], static_cast<std::uint32_t>(i));
  }
  const auto [entry, is_new] = known_.emplace(std::string(name), static_cast<std::uint32_t>(names.size()));
  if (is_new) names.emplace_back(name);
  return entry->second;
}

std::size_t Columns::memory_bytes() const noexcept {
  std::size_t bytes = bytes_of(tag) + docs() * (sizeof(std::string) + 3 * sizeof(std::int64_t) + 12);
  for (const auto column : kNameColumns) bytes += bytes_of(this->*column);
  return bytes;
}

void Columns::add(const Document& document, std::uint32_t public_words, std::uint32_t notes_words) {
  const std::array texts = {&document.source,   &document.kind,     &document.status,   &document.priority,
                            &document.category, &document.assignee, &document.requester};
  for (std::size_t i = 0; i < texts.size(); ++i) {
    NameColumn& column = this->*kNameColumns[i];
    column.codes.push_back(column.code_of(*texts[i]));
  }
  for (const std::string& name : document.tags) tag.codes.push_back(tag.code_of(name));
  tag_begin.push_back(static_cast<std::uint32_t>(tag.codes.size()));
  refs.push_back(document.ref);
  created_us.push_back(document.created_us);
  updated_us.push_back(document.updated_us);
  due_us.push_back(document.due_us.value_or(kNever));
  public_length.push_back(public_words);
  notes_length.push_back(notes_words);
  public_length_sum += public_words;
  notes_length_sum += notes_words;
}

void Columns::add(const Columns& other, std::uint32_t doc) {
  for (const auto of : kNameColumns) {
    const NameColumn& from = other.*of;
    NameColumn& to = this->*of;
    to.codes.push_back(to.code_of(from.names[from.codes[doc]]));
  }
  for (std::uint32_t i = other.tag_begin[doc]; i < other.tag_begin[doc + 1]; ++i)
    tag.codes.push_back(tag.code_of(other.tag.names[other.tag.codes[i]]));
  tag_begin.push_back(static_cast<std::uint32_t>(tag.codes.size()));
  refs.push_back(other.refs[doc]);
  created_us.push_back(other.created_us[doc]);
  updated_us.push_back(other.updated_us[doc]);
  due_us.push_back(other.due_us[doc]);
  public_length.push_back(other.public_length[doc]);
  notes_length.push_back(other.notes_length[doc]);
  public_length_sum += other.public_length[doc];
  notes_length_sum += other.notes_length[doc];
}

std::string Columns::encode() const {
  std::string out(1, kFormat);
  append_number(out, docs());
  for (const auto column : kNameColumns) append_column(out, this->*column);
  append_column(out, tag);
  append_numbers(out, tag_begin);
  for (const std::string& ref : refs) append_text(out, ref);
  append_fixed(out, created_us);
  append_fixed(out, updated_us);
  append_fixed(out, due_us);
  append_numbers(out, public_length);
  append_numbers(out, notes_length);
  return out;
}

std::optional<Columns> Columns::decode(std::string_view bytes) {
  NumberReader in(bytes);
  Columns columns;
  if (in.next() != static_cast<std::uint64_t>(kFormat)) return std::nullopt;
  const std::uint64_t docs = in.next();
  if (docs > bytes.size()) return std::nullopt;
  for (const auto column : kNameColumns) {
    read_column(in, columns.*column);
    if (!fits(columns.*column, docs)) return std::nullopt;
  }
  read_column(in, columns.tag);
  read_numbers(in, docs + 1, columns.tag_begin);
  for (std::uint64_t i = 0; i < docs && !in.is_bad(); ++i) columns.refs.emplace_back(in.bytes(in.next()));
  read_fixed(in, docs, columns.created_us);
  read_fixed(in, docs, columns.updated_us);
  read_fixed(in, docs, columns.due_us);
  read_numbers(in, docs, columns.public_length);
  read_numbers(in, docs, columns.notes_length);
  const bool tags_fit = fits(columns.tag, columns.tag.codes.size()) && columns.tag_begin.size() == docs + 1 &&
                        std::is_sorted(columns.tag_begin.begin(), columns.tag_begin.end()) &&
                        columns.tag_begin.back() == columns.tag.codes.size();
  if (in.is_bad() || !in.at_end() || !tags_fit || columns.notes_length.size() != docs) return std::nullopt;
  for (const std::uint32_t length : columns.public_length) columns.public_length_sum += length;
  for (const std::uint32_t length : columns.notes_length) columns.notes_length_sum += length;
  return columns;
}

// ---- Building

std::uint32_t SegmentBuilder::add(const Document& document) {
  const std::uint32_t doc = columns_.docs();
  found_.clear();
  const auto weight = [](Field field) { return kFieldWeights[static_cast<std::size_t>(field)]; };
  std::uint32_t length = weight(Field::kTitle) * add_field(doc, Field::kTitle, document.title, 0);
  std::uint32_t at = 0;
  for (const std::string& tag : document.tags) {
    length += weight(Field::kTags) * add_field(doc, Field::kTags, tag, at);
    at += kGap + static_cast<std::uint32_t>(tag.size());
  }
  length += weight(Field::kBody) * add_field(doc, Field::kBody, document.body, 0);
  length += weight(Field::kMessages) * add_field(doc, Field::kMessages, document.messages, 0);
  const std::uint32_t inside = weight(Field::kNotes) * add_field(doc, Field::kNotes, document.notes, 0);

  std::sort(found_.begin(), found_.end());
  found_.erase(std::unique(found_.begin(), found_.end()), found_.end());
  std::vector<Place> places;
  for (std::size_t i = 0; i < found_.size();) {
    places.clear();
    const std::uint32_t term = found_[i].first;
    for (; i < found_.size() && found_[i].first == term; ++i) places.push_back(found_[i].second);
    postings_[term].add(doc, places);
  }
  columns_.add(document, length, inside);
  return doc;
}

/// Returns how many words count for the length.
std::uint32_t SegmentBuilder::add_field(std::uint32_t doc, Field field, std::string_view text,
                                        std::uint32_t first_position) {
  if (text.empty()) return 0;
  text_bytes_ += text.size();
  const LexedText lexed = lexer_.lex(text);
  std::uint32_t counted = 0;
  const auto note = [&](const std::string& term, std::uint32_t position) {
    found_.emplace_back(number_of(term), place(doc, field, std::min(first_position + position, kLastPosition)));
  };
  for (const Word& word : lexed.words) {
    if (!word.is_stop) ++counted;
    count_word(word.text, doc, field == Field::kNotes);
    note(word.term, word.position);
    for (const std::string& part : word.parts) note(part, word.position);
    for (const WrittenPart& part : word.written_parts) count_word(part.text, doc, field == Field::kNotes);
  }
  for (const JoinedTerm& joined : lexed.joined) note(joined.term, joined.position);
  return counted;
}

void SegmentBuilder::count_word(const std::string& word, std::uint32_t doc, bool is_note) {
  WordUse& use = words_[word];
  if (!is_note && std::exchange(use.last_public, doc) != doc) ++use.documents;
  if (std::exchange(use.last_inside, doc) != doc) ++use.documents_inside;
}

std::uint32_t SegmentBuilder::number_of(const std::string& term) {
  const auto [place, is_new] = numbers_.try_emplace(term, static_cast<std::uint32_t>(postings_.size()));
  if (is_new) postings_.emplace_back();
  return place->second;
}

std::vector<const std::pair<const std::string, std::uint32_t>*> SegmentBuilder::sorted_terms() const {
  std::vector<const std::pair<const std::string, std::uint32_t>*> sorted;
  sorted.reserve(numbers_.size());
  for (const auto& entry : numbers_) sorted.push_back(&entry);
  std::sort(sorted.begin(), sorted.end(), [](const auto* a, const auto* b) { return a->first < b->first; });
  return sorted;
}

Vocabulary SegmentBuilder::vocabulary() const {
  std::vector<Vocabulary::Entry> entries;
  entries.reserve(words_.size());
  for (const auto& [word, use] : words_) entries.push_back({word, use.documents, use.documents_inside});
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.word < b.word; });
  return Vocabulary(entries);
}

// ---- Dead documents

DeadDocs::DeadDocs(std::string_view bitmap) : bits_(bitmap) {
  for (const char byte : bits_) count_ += static_cast<std::uint32_t>(std::popcount(static_cast<unsigned char>(byte)));
}

void DeadDocs::add(std::uint32_t doc) {
  if (contains(doc)) return;
  if (doc / 8 >= bits_.size()) bits_.resize(doc / 8 + 1);
  bits_[doc / 8] = static_cast<char>(static_cast<unsigned char>(bits_[doc / 8]) | 1U << doc % 8);
  ++count_;
}

// ---- Merging

Renumbering renumber(std::span<const Columns* const> segments, std::span<const DeadDocs* const> dead) {
  Renumbering renumbering;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    auto& numbers = renumbering.new_number.emplace_back(segments[i]->docs(), Renumbering::kGone);
    for (std::uint32_t doc = 0; doc < segments[i]->docs(); ++doc) {
      if (dead[i]->contains(doc)) continue;
      numbers[doc] = renumbering.columns.docs();
      renumbering.columns.add(*segments[i], doc);
    }
  }
  return renumbering;
}

PostingsWriter merge_postings(const Renumbering& renumbering, std::span<const TermPostings* const> of_segments) {
  PostingsWriter merged;
  for (std::size_t i = 0; i < of_segments.size(); ++i) {
    if (of_segments[i] == nullptr) continue;
    PostingsReader reader(of_segments[i]->postings);
    std::string_view positions = of_segments[i]->positions;
    Posting posting;
    while (reader.next(posting)) {
      const std::string_view encoded = take_positions(posting, positions);
      if (posting.doc >= renumbering.new_number[i].size()) break;
      const std::uint32_t number = renumbering.new_number[i][posting.doc];
      if (number == Renumbering::kGone) continue;
      posting.doc = number;
      merged.add(posting, encoded);
    }
  }
  return merged;
}

}  // namespace search
