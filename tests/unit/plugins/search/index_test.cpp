#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <deque>
#include <map>
#include <random>
#include <set>

#include "ranking.hpp"
#include "segment.hpp"

namespace search {
namespace {

using testing::ElementsAre;

/// A segment that lies in memory.
class MemorySegment final : public SegmentReader {
 public:
  explicit MemorySegment(const std::vector<Document>& documents) {
    const auto lexer = create_lexer("english");
    SegmentBuilder builder(*lexer);
    for (const Document& document : documents) builder.add(document);
    columns_ = builder.columns();
    builder.for_each_term([&](const std::string& term, const PostingsWriter& writer) {
      terms_[term] = {writer.docs(), writer.postings(), writer.positions()};
    });
  }
  MemorySegment(Columns columns, std::map<std::string, TermPostings> terms)
      : columns_(std::move(columns)), terms_(std::move(terms)) {}

  [[nodiscard]] const Columns& columns() const override { return columns_; }
  [[nodiscard]] const DeadDocs& dead() const override { return dead_; }
  [[nodiscard]] std::string_view postings(const std::string& term) const override {
    const auto found = terms_.find(term);
    return found == terms_.end() ? std::string_view() : found->second.postings;
  }
  [[nodiscard]] std::string_view positions(const std::string& term) const override {
    const auto found = terms_.find(term);
    return found == terms_.end() ? std::string_view() : found->second.positions;
  }
  [[nodiscard]] const std::map<std::string, TermPostings>& terms() const { return terms_; }
  void bury(std::uint32_t doc) { dead_.add(doc); }

 private:
  Columns columns_;
  DeadDocs dead_;
  std::map<std::string, TermPostings> terms_;
};

Document ticket(std::string ref, std::string title, std::string body = "") {
  Document document;
  document.source = "tickets";
  document.kind = "ticket";
  document.ref = std::move(ref);
  document.title = std::move(title);
  document.body = std::move(body);
  document.status = "open";
  return document;
}

class Index {
 public:
  explicit Index(std::vector<std::vector<Document>> segments) {
    for (const auto& documents : segments) segments_.emplace_back(documents);
    for (const MemorySegment& segment : segments_) readers_.push_back(&segment);
  }
  MemorySegment& segment(std::size_t i) { return segments_[i]; }
  [[nodiscard]] std::span<const SegmentReader* const> readers() const { return readers_; }

  RankResult rank(std::string_view query, QueryMode mode = QueryMode::kAuto, FieldSet fields = kAllFields,
                  const Filter& filter = {}) const {
    RankRequest request = plan(parse_query(query, mode, *create_lexer("english")), mode);
    request.filter = filter;
    request.facets = {Facet::kStatus, Facet::kTag};
    request.limit = 100;
    return Ranker(readers_, fields, (fields & only(Field::kNotes)) != 0).rank(request);
  }
  std::vector<std::string> refs(const RankResult& result) const {
    std::vector<std::string> refs;
    for (const Hit& hit : result.hits) refs.push_back(readers_[hit.segment]->columns().refs[hit.doc]);
    return refs;
  }
  std::vector<std::string> find(std::string_view query, QueryMode mode = QueryMode::kAuto,
                                FieldSet fields = kAllFields) const {
    return refs(rank(query, mode, fields));
  }

 private:
  std::deque<MemorySegment> segments_;
  std::vector<const SegmentReader*> readers_;
};

TEST(Postings, ComeBackAsTheyWereWritten) {
  std::mt19937 random(3);
  for (int round = 0; round < 200; ++round) {
    PostingsWriter writer;
    std::vector<Place> all;
    std::uint32_t doc = random() % 5;
    for (int n = 0; n < 30; ++n, doc += 1 + random() % 1000) {
      std::vector<Place> places;
      for (unsigned field = 0; field < kFieldCount; ++field) {
        std::uint32_t position = 0;
        for (unsigned i = random() % 3; i > 0; --i)
          places.push_back(place(doc, static_cast<Field>(field), position += random() % 300));
      }
      places.erase(std::unique(places.begin(), places.end()), places.end());
      if (places.empty()) continue;
      writer.add(doc, places);
      all.insert(all.end(), places.begin(), places.end());
    }
    EXPECT_EQ(read_places(writer.postings(), writer.positions(), kAllFields), all);
    std::erase_if(all, [](Place at) { return field_of(at) == Field::kNotes; });
    EXPECT_EQ(read_places(writer.postings(), writer.positions(), kPublicFields), all);
  }
}

TEST(Postings, DamagedBytesEndTheWalk) {
  std::mt19937 random(4);
  for (int i = 0; i < 20'000; ++i) {
    std::string postings(random() % 20, '\0'), positions(random() % 20, '\0');
    for (std::string* bytes : {&postings, &positions}) {
      for (char& c : *bytes) c = static_cast<char>(random());
    }
    EXPECT_LE(read_places(postings, positions, kAllFields).size(), positions.size());
  }
}

TEST(Columns, ComeBackFromTheirBytes) {
  std::vector<Document> documents;
  for (int i = 0; i < 300; ++i) {
    Document document = ticket("REF" + std::to_string(i), "title");
    document.tags = {"a" + std::to_string(i % 7), "b"};
    document.assignee = i % 2 == 0 ? "" : "ana@acme.com";
    document.created_us = i * 1'000'000'000'000;
    if (i % 3 == 0) document.due_us = -i;
    documents.push_back(document);
  }
  const MemorySegment segment(documents);
  const auto copy = Columns::decode(segment.columns().encode());
  ASSERT_TRUE(copy);
  EXPECT_EQ(copy->encode(), segment.columns().encode());
  EXPECT_EQ(copy->refs, segment.columns().refs);
  EXPECT_EQ(copy->due_us, segment.columns().due_us);
  EXPECT_EQ(copy->public_length_sum, segment.columns().public_length_sum);
}

TEST(Columns, DamagedBytesAreRefusedOrHarmless) {
  const MemorySegment segment({ticket("A", "printer"), ticket("B", "scanner")});
  const std::string bytes = segment.columns().encode();
  for (std::size_t length = 0; length < bytes.size(); ++length)
    EXPECT_FALSE(Columns::decode(std::string_view(bytes).substr(0, length)));
  std::mt19937 random(5);
  for (int i = 0; i < 20'000; ++i) {
    std::string damaged = bytes;
    damaged[random() % damaged.size()] = static_cast<char>(random());
    static_cast<void>(Columns::decode(damaged));
  }
}

TEST(Ranking, IsOkapiBm25) {
  const Index index({{ticket("A", "", "printer printer jam"), ticket("B", "", "printer offline again today")},
                     {ticket("C", "", "scanner")}});
  const RankResult result = index.rank("printer");
  ASSERT_THAT(index.refs(result), ElementsAre("A", "B"));
  const double average = (3 + 3 + 1) / 3.0;  // "again" is a stop word
  const double rarity = std::log(1 + (3 - 2 + 0.5) / (2 + 0.5));
  const auto score = [&](double count, double length) {
    return rarity * count * 2.2 / (count + 1.2 * (0.25 + 0.75 * length / average));
  };
  EXPECT_NEAR(result.hits[0].score, score(2, 3), 1e-5);
  EXPECT_NEAR(result.hits[1].score, score(1, 3), 1e-5);
}

TEST(Ranking, TitlesWeighMoreAndAnyWordIsEnough) {
  const Index index({{ticket("BODY01", "slow computer", "the vpn drops"), ticket("TITLE1", "vpn drops", "slow today"),
                      ticket("OTHER1", "mouse", "keyboard")}});
  EXPECT_THAT(index.find("vpn unheard"), ElementsAre("TITLE1", "BODY01"));
}

TEST(Ranking, PhrasesExclusionsAndAlternatives) {
  const Index index(
      {{ticket("A", "password reset fails"), ticket("B", "reset the password"), ticket("C", "password of the printer")},
       {ticket("D", "scanner reset")}});
  EXPECT_THAT(index.find("\"password reset\""), ElementsAre("A"));
  EXPECT_THAT(index.find("password -printer"), testing::UnorderedElementsAre("A", "B"));
  EXPECT_THAT(index.find("password reset", QueryMode::kAllWords), testing::UnorderedElementsAre("A", "B"));
  EXPECT_THAT(index.find("password scanner", QueryMode::kAllWords), ElementsAre());
  EXPECT_THAT(index.find("\"password reset\" or \"scanner reset\""), testing::UnorderedElementsAre("A", "D"));
  EXPECT_THAT(index.find("reset the password", QueryMode::kPhrase), ElementsAre("B"));
  EXPECT_THAT(index.find("the"), testing::UnorderedElementsAre("B", "C"));
}

TEST(Ranking, AllWordsTakesIdentifiersInOnePiece) {
  const Index index({{ticket("A", "VPN-1234 fails"), ticket("B", "vpn1234 fails"), ticket("C", "vpn fails 99")}});
  EXPECT_THAT(index.find("vpn-1234", QueryMode::kAllWords), testing::UnorderedElementsAre("A", "B"));
}

TEST(Ranking, PhrasesDoNotReachFromOneFieldOrTagIntoTheNext) {
  Document document = ticket("A", "password", "reset");
  document.tags = {"paper", "jam"};
  const Index index({{document}});
  EXPECT_THAT(index.find("\"password reset\""), ElementsAre());
  EXPECT_THAT(index.find("\"paper jam\""), ElementsAre());
}

TEST(Ranking, NotesDoNotExistForWhoMayNotReadThem) {
  Document with = ticket("A", "printer");
  with.notes = "the customer is rude";
  const Index index({{with, ticket("B", "printer")}});
  EXPECT_THAT(index.find("rude"), ElementsAre("A"));
  EXPECT_THAT(index.find("rude", QueryMode::kAuto, kPublicFields), ElementsAre());
  EXPECT_THAT(index.find("\"customer is rude\"", QueryMode::kAuto, kPublicFields), ElementsAre());
  // Not even by their length.
  const RankResult hidden = index.rank("printer", QueryMode::kAuto, kPublicFields);
  ASSERT_EQ(hidden.hits.size(), 2U);
  EXPECT_EQ(hidden.hits[0].score, hidden.hits[1].score);
}

TEST(Ranking, FiltersAndCountsWhatIsFound) {
  Document closed = ticket("C", "printer");
  closed.status = "closed";
  closed.tags = {"Office", "paper"};
  Document tagged = ticket("D", "printer");
  tagged.tags = {"office"};
  const Index index({{ticket("A", "printer"), closed}, {tagged, ticket("E", "scanner")}});
  Filter open;
  open.statuses = {{"open"}};
  EXPECT_THAT(index.refs(index.rank("printer", QueryMode::kAuto, kAllFields, open)), ElementsAre("A", "D"));
  Filter office;
  office.tags = {"office"};
  const RankResult result = index.rank("printer", QueryMode::kAuto, kAllFields, office);
  EXPECT_EQ(result.total, 2U);
  ASSERT_EQ(result.facets[0].size(), 2U);
  EXPECT_EQ(result.facets[0][0].count + result.facets[0][1].count, 2U);
  EXPECT_EQ(result.facets[1][0].name, "Office");
}

TEST(Ranking, PagesMeetEachHitOnce) {
  std::vector<Document> documents;
  for (int i = 0; i < 57; ++i) documents.push_back(ticket("R" + std::to_string(i), "printer", std::string(i % 5, 'x')));
  const Index index({{documents.begin(), documents.begin() + 20}, {documents.begin() + 20, documents.end()}});
  RankRequest request = plan(parse_query("printer", QueryMode::kAuto, *create_lexer("english")), QueryMode::kAuto);
  request.limit = 10;
  std::set<std::string> seen;
  std::size_t pages = 0;
  do {
    const RankResult result = Ranker(index.readers(), kAllFields, true).rank(request);
    EXPECT_EQ(result.total, 57U);
    for (const std::string& ref : index.refs(result)) EXPECT_TRUE(seen.insert(ref).second) << ref;
    request.after = result.more ? std::optional(result.positions.back()) : std::nullopt;
    ++pages;
  } while (request.after);
  EXPECT_EQ(seen.size(), 57U);
  EXPECT_EQ(pages, 6U);
}

TEST(Ranking, PagesGoOnAfterWritesThatChangeAllScores) {
  std::vector<Document> documents;
  for (int i = 0; i < 30; ++i) documents.push_back(ticket("R" + std::to_string(i), "gizmo"));
  RankRequest request = plan(parse_query("gizmo", QueryMode::kAuto, *create_lexer("english")), QueryMode::kAuto);
  request.limit = 5;
  std::set<std::string> seen;
  do {
    const Index index({documents});
    const RankResult result = Ranker(index.readers(), kAllFields, true).rank(request);
    for (const std::string& ref : index.refs(result)) EXPECT_TRUE(seen.insert(ref).second) << ref;
    request.after = result.more ? std::optional(result.positions.back()) : std::nullopt;
    documents.push_back(ticket("X" + std::to_string(documents.size()), "something else altogether"));
  } while (request.after);
  EXPECT_EQ(seen.size(), 30U);
}

TEST(Ranking, AWholeIdentifierComesBeforeItsParts) {
  const Index index({{ticket("PARTS1", "bulk 59", "59 59"), ticket("WHOLE1", "log", "at last: endmark59"),
                      ticket("PARTS2", "m59 endmark")}});
  EXPECT_EQ(index.find("endmark59").front(), "WHOLE1");
}

TEST(Ranking, AnExactIdComesFirst) {
  const Index index({{ticket("7QK4MX", "mouse"), ticket("AAAAAA", "see 7QK4MX 7QK4MX")}});
  RankRequest request = plan(parse_query("7QK4MX", QueryMode::kAuto, *create_lexer("english")), QueryMode::kAuto);
  request.exact_ref = "7QK4MX";
  const RankResult result = Ranker(index.readers(), kAllFields, true).rank(request);
  EXPECT_THAT(index.refs(result), ElementsAre("7QK4MX", "AAAAAA"));
  EXPECT_TRUE(result.hits[0].is_exact_ref);
}

TEST(Segments, MergedOnesAnswerAsBefore) {
  std::mt19937 random(11);
  const char* words[] = {"printer", "vpn", "password", "reset", "slow", "mail", "ERR_42", "office", "paper", "jam"};
  std::vector<std::vector<Document>> parts(4);
  for (int i = 0; i < 80; ++i) {
    Document document = ticket("R" + std::to_string(i), words[random() % 10]);
    for (int n = 0; n < 12; ++n) document.body += std::string(words[random() % 10]) + " ";
    document.tags = {words[random() % 10]};
    if (i % 3 == 0) document.notes = words[random() % 10];
    parts[static_cast<std::size_t>(i) % 4].push_back(document);
  }
  Index index(parts);
  for (std::uint32_t doc = 0; doc < 20; doc += 3) index.segment(doc % 4).bury(doc);

  std::vector<const Columns*> columns;
  std::vector<const DeadDocs*> dead;
  std::set<std::string> terms;
  for (std::size_t i = 0; i < 4; ++i) {
    columns.push_back(&index.segment(i).columns());
    dead.push_back(&index.segment(i).dead());
    for (const auto& [term, postings] : index.segment(i).terms()) terms.insert(term);
  }
  Renumbering renumbering = renumber(columns, dead);
  std::map<std::string, TermPostings> merged;
  for (const std::string& term : terms) {
    std::vector<const TermPostings*> of_segments;
    for (std::size_t i = 0; i < 4; ++i) {
      const auto found = index.segment(i).terms().find(term);
      of_segments.push_back(found == index.segment(i).terms().end() ? nullptr : &found->second);
    }
    const PostingsWriter writer = merge_postings(renumbering, of_segments);
    if (writer.docs() > 0) merged[term] = {writer.docs(), writer.postings(), writer.positions()};
  }
  const MemorySegment whole(std::move(renumbering.columns), std::move(merged));
  const SegmentReader* one[] = {&whole};
  for (const char* query : {"printer", "vpn password", "\"password reset\"", "err_42 -slow", "paper jam office mail"}) {
    const RankResult apart = index.rank(query);
    RankRequest request = plan(parse_query(query, QueryMode::kAuto, *create_lexer("english")), QueryMode::kAuto);
    request.limit = 100;
    const RankResult together = Ranker(one, kAllFields, true).rank(request);
    EXPECT_EQ(apart.total, together.total) << query;
    std::set<std::string> refs_apart, refs_together;
    for (const std::string& ref : index.refs(apart)) refs_apart.insert(ref);
    for (const Hit& hit : together.hits) refs_together.insert(whole.columns().refs[hit.doc]);
    EXPECT_EQ(refs_apart, refs_together) << query;
  }
}

}  // namespace
}  // namespace search
