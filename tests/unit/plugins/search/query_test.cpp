#include "query.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "random_text.hpp"

namespace search {
namespace {

const Lexer& lexer() {
  static const auto english = create_lexer("english");
  return *english;
}

std::string describe(const QueryUnit& unit) {
  std::string words;
  for (const Word& word : unit.words) words.append(words.empty() ? "" : " ").append(word.text);
  if (!unit.joined.empty()) words += "=" + unit.joined;
  return unit.is_phrase ? "'" + words + "'" : words;
}

/// Clauses between |, alternatives between "or", phrases between ', a chunk with its joined term: "vpn 1234=vpn1234".
std::string describe(const ParsedQuery& query) {
  std::string out;
  for (const QueryClause& clause : query.clauses) {
    if (!out.empty()) out += " | ";
    if (clause.is_excluded) out += '-';
    for (std::size_t i = 0; i < clause.any_of.size(); ++i) out += (i == 0 ? "" : " or ") + describe(clause.any_of[i]);
  }
  return out;
}

std::string read(std::string_view text, QueryMode mode = QueryMode::kAuto) {
  return describe(parse_query(text, mode, lexer()));
}

TEST(Query, IsAClauseForEachWord) {
  EXPECT_EQ(read("printer jams"), "printer | jams");
  EXPECT_EQ(read("  Printer,\n jams!  ", QueryMode::kAllWords), "printer | jams");
  EXPECT_EQ(parse_query("printers", QueryMode::kAuto, lexer()).clauses[0].any_of[0].words[0].term, "printer");
}

TEST(Query, KeepsWhatIsWrittenWithoutSpaceTogether) {
  EXPECT_EQ(read("VPN-1234 down"), "vpn 1234=vpn1234 | down");
  EXPECT_EQ(read("打印机 卡纸"), "打 印 机 | 卡 纸");
  EXPECT_EQ(read("printer,scanner"), "printer | scanner");
}

TEST(Query, ReadsPhrasesInAnyQuotes) {
  EXPECT_EQ(read(R"(the "paper jam" again)"), "the | 'paper jam' | again");
  for (const char* text :
       {"“paper jam”", "„paper jam“", "«paper jam»", "»paper jam«", "「paper jam」", "＂paper jam＂"}) {
    EXPECT_EQ(read(text), "'paper jam'") << text;
  }
  EXPECT_EQ(read(R"("jam")"), "'jam'");
  EXPECT_EQ(read(R"("VPN-1234")"), "'vpn 1234=vpn1234'");
  EXPECT_EQ(read(R"("error VPN-1234")"), "'error vpn 1234'");
  EXPECT_EQ(read(R"("paper jam"tray)"), "'paper jam' | tray");
}

TEST(Query, EndsAnOpenQuoteWithTheText) {
  EXPECT_EQ(read(R"(error "paper jam)"), "error | 'paper jam'");
  EXPECT_EQ(read(R"("paper jam” tray)"), "'paper jam' | tray");
}

TEST(Query, ReadsQuotesInsideQuotesAsText) {
  EXPECT_EQ(read(R"("the “Save” button" is gone)"), "'the save button' | is | gone");
}

TEST(Query, ReadsInchesAsText) {
  EXPECT_EQ(read(R"(monitor 27" black)"), "monitor | 27 | black");
  EXPECT_EQ(read(R"("27" monitor)"), "'27' | monitor");
}

TEST(Query, LeavesOutWhatHasNoWords) {
  for (const char* text : {"", "   ", "\"\"", "?!", "-", "- - -", "\"?\"", "-\"\"", "--", "-\"", "\"-"}) {
    EXPECT_EQ(read(text), "") << text;
    EXPECT_FALSE(parse_query(text, QueryMode::kAuto, lexer()).asks_for_something()) << text;
  }
}

TEST(Query, ExcludesWithAMinusAtTheStartOfAWord) {
  EXPECT_EQ(read("printer -scanner"), "printer | -scanner");
  EXPECT_EQ(read("-\"paper jam\" printer"), "-'paper jam' | printer");
  EXPECT_EQ(read("printer −scanner –copier"), "printer | -scanner | -copier");
  EXPECT_EQ(read("-.net"), "-net");
  EXPECT_EQ(read("-VPN-1234"), "-'vpn 1234=vpn1234'");
  EXPECT_EQ(read("-printer,scanner"), "-'printer scanner'");
}

TEST(Query, ReadsEveryOtherMinusAsText) {
  EXPECT_EQ(read("wi-fi"), "wi fi=wifi");
  EXPECT_EQ(read("printer - scanner"), "printer | scanner");
  EXPECT_EQ(read("--verbose ->next"), "verbose | next");
  EXPECT_EQ(read("\"paper\"-jam"), "'paper' | jam");
  EXPECT_EQ(read("\"paper -jam\""), "'paper jam'");
}

TEST(Query, ReadsOrBetweenTwo) {
  EXPECT_EQ(read("printer or scanner"), "printer or scanner");
  EXPECT_EQ(read("a4 printer OR scanner Or copier jam"), "a4 | printer or scanner or copier | jam");
  EXPECT_EQ(read("\"paper jam\" or VPN-1234"), "'paper jam' or vpn 1234=vpn1234");
  EXPECT_EQ(read("打印机 or 扫描仪"), "打 印 机 or 扫 描 仪");
  EXPECT_EQ(read("printer or or scanner"), "printer or scanner");
  EXPECT_EQ(read("-printer or -scanner"), "-printer or scanner");
}

TEST(Query, ReadsOrElsewhereAsAWord) {
  EXPECT_EQ(read("or printer"), "or | printer");
  EXPECT_EQ(read("printer or"), "printer | or");
  EXPECT_EQ(read("printer or ?"), "printer | or");
  EXPECT_EQ(read("OR"), "or");
  EXPECT_EQ(read("printer \"or\" scanner"), "printer | 'or' | scanner");
  EXPECT_EQ(read("printer -or scanner"), "printer | -or | scanner");
}

TEST(Query, DropsOrBetweenAWordAndAnExclusion) {
  EXPECT_EQ(read("printer or -scanner jam"), "printer | -scanner | jam");
}

TEST(Query, DropsAndInCapitalsBetweenTwo) {
  EXPECT_EQ(read("printer AND scanner"), "printer | scanner");
  EXPECT_EQ(read("printer and scanner"), "printer | and | scanner");
  EXPECT_EQ(read("AND printer AND"), "and | printer | and");
}

TEST(Query, IsOnePhraseInThatMode) {
  EXPECT_EQ(read(R"(paper "jam" or -tray)", QueryMode::kPhrase), "'paper jam or tray'");
  EXPECT_EQ(read("jam", QueryMode::kPhrase), "'jam'");
  EXPECT_EQ(read("?", QueryMode::kPhrase), "");
}

TEST(Query, AsksForNothingWithExclusionsOnly) {
  EXPECT_FALSE(parse_query("-printer -\"paper jam\"", QueryMode::kAuto, lexer()).asks_for_something());
  EXPECT_TRUE(parse_query("-printer jam", QueryMode::kAuto, lexer()).asks_for_something());
  EXPECT_TRUE(parse_query("the", QueryMode::kAuto, lexer()).asks_for_something());
}

TEST(Query, CountsPositionsFromTheUnitAndBytesFromTheQuery) {
  const std::string text = "prüfe \"the paper jam\"";
  const ParsedQuery query = parse_query(text, QueryMode::kAuto, lexer());
  ASSERT_EQ(query.clauses.size(), 2u);
  const std::vector<Word>& words = query.clauses[1].any_of[0].words;
  ASSERT_EQ(words.size(), 3u);
  EXPECT_EQ(words[0].position, 0u);
  EXPECT_EQ(words[2].position, 2u);
  EXPECT_EQ(text.substr(words[1].begin, words[1].end - words[1].begin), "paper");
}

TEST(Query, ReadsAnyBytes) {
  constexpr std::array<std::string_view, 20> kPieces = {
      "printer", "jam",  " ",    " ",        "\"", "“",  "”",        "«",    "-",        "−",
      "or",      " OR ", " AND", "VPN-1234", "27", "打", "\xCC\x81", "\xFF", "\xE2\x80", ","};
  RandomText random;
  for (int i = 0; i < 100'000; ++i) {
    const std::string text = i % 2 == 0 ? random.of_bytes(40) : random.of_pieces(kPieces, 12);
    const ParsedQuery query = parse_query(text, i % 3 == 0 ? QueryMode::kAllWords : QueryMode::kAuto, lexer());
    for (const QueryClause& clause : query.clauses) {
      ASSERT_FALSE(clause.any_of.empty());
      for (const QueryUnit& unit : clause.any_of) {
        ASSERT_FALSE(unit.words.empty());
        ASSERT_EQ(unit.words.front().position, 0u);
        for (const Word& word : unit.words) {
          ASSERT_LT(word.begin, word.end);
          ASSERT_LE(word.end, text.size());
        }
      }
    }
  }
}

}  // namespace
}  // namespace search
