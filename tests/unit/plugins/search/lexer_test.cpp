#include "lexer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "random_text.hpp"

namespace search {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsSupersetOf;

std::set<std::string> terms(std::string_view text, std::string_view language = "english") {
  const LexedText lexed = create_lexer(language)->lex(text);
  std::set<std::string> all;
  for (const Word& word : lexed.words) {
    all.insert(word.term);
    all.insert(word.parts.begin(), word.parts.end());
  }
  for (const JoinedTerm& joined : lexed.joined) all.insert(joined.term);
  return all;
}

std::vector<std::string> word_terms(std::string_view text) {
  std::vector<std::string> all;
  for (const Word& word : create_lexer("english")->lex(text).words) all.push_back(word.term);
  return all;
}

TEST(Lexer, StemsAndFolds) {
  EXPECT_THAT(word_terms("Printers PRINTING printed"), ElementsAre("printer", "print", "print"));
  EXPECT_THAT(word_terms("naïve café ÅNGSTRÖM Straße Łódź"), ElementsAre("naiv", "cafe", "angstrom", "strass", "lodz"));
  // Decomposed and full-width forms are the same word.
  EXPECT_EQ(word_terms("cafe\u0301"), word_terms("café"));
  EXPECT_EQ(word_terms("ＶＰＮ"), word_terms("vpn"));
}

TEST(Lexer, OverlooksWhatCannotBeSeen) {
  EXPECT_THAT(word_terms("pass\u00adword v\u200bpn"), ElementsAre("password", "vpn"));
}

TEST(Lexer, MarksStopWordsAndKeepsTheirPlaces) {
  const LexedText lexed = create_lexer("english")->lex("out of memory");
  ASSERT_EQ(lexed.words.size(), 3U);
  EXPECT_TRUE(lexed.words[0].is_stop);
  EXPECT_TRUE(lexed.words[1].is_stop);
  EXPECT_FALSE(lexed.words[2].is_stop);
  EXPECT_EQ(lexed.words[2].position, 2U);
}

/// What is written in one form is found by every other form.
struct Forms {
  const char* written;
  std::vector<const char*> typed;
};
class LexerForms : public testing::TestWithParam<Forms> {};
TEST_P(LexerForms, ShareATermThatTellsThemApart) {
  const auto written = terms(GetParam().written);
  for (const char* typed : GetParam().typed) {
    const auto asked = terms(typed);
    std::vector<std::string> common;
    std::set_intersection(written.begin(), written.end(), asked.begin(), asked.end(), std::back_inserter(common));
    EXPECT_FALSE(common.empty()) << GetParam().written << " / " << typed;
  }
}
INSTANTIATE_TEST_SUITE_P(Identifiers, LexerForms,
                         testing::Values(Forms{"VPN-1234", {"vpn1234", "VPN 1234", "1234", "vpn-1234", "vpn_1234"}},
                                         Forms{"MX3070", {"mx-3070", "3070", "MX 3070"}},
                                         Forms{"ERR_CONN_RESET", {"err conn reset", "errconnreset", "ERR-CONN-RESET"}},
                                         Forms{"0x80070005", {"80070005", "0X80070005"}},
                                         Forms{"ana.lopez@acme.com", {"ana.lopez@acme.com", "lopez", "acme.com"}},
                                         Forms{"10.0.0.17", {"10.0.0.17"}},
                                         Forms{"NullPointerException", {"null pointer", "nullpointerexception"}},
                                         Forms{"don't", {"dont", "don't", "don’t"}},
                                         Forms{R"(C:\Windows\system32)", {"system32", "windows/system32"}}));

TEST(Lexer, KeepsNumbersOfAddressesApart) {
  EXPECT_THAT(terms("10.0.0.17"), Contains("10.0.0.17"));
  EXPECT_THAT(terms("1.00.01.7"), testing::Not(Contains("10.0.0.17")));
}

TEST(Lexer, SplitsWhatMixesLettersAndDigitsOrCases) {
  EXPECT_THAT(terms("win10"), IsSupersetOf({"win10", "win", "10"}));
  EXPECT_THAT(terms("HTMLParser"), IsSupersetOf({"htmlparser", "html", "parser"}));
}

TEST(Lexer, FindsWordsInTextWithoutSpaces) {
  const auto sentence = terms("印刷機が動かない");
  for (const std::string& term : terms("印刷機")) EXPECT_THAT(sentence, Contains(term));
}

TEST(Lexer, ReadsCharactersOfSuchScriptsThatAreNoLetters) {
  EXPECT_THAT(word_terms("二〇二六"), ElementsAre("二", "〇", "二", "六"));
}

TEST(Lexer, OffsetsAreThoseOfTheText) {
  const std::string text = "Der Drücker – «klemmt»!";
  for (const Word& word : create_lexer("german")->lex(text).words) {
    ASSERT_LE(word.end, text.size());
    EXPECT_EQ(create_lexer("german")->lex(text.substr(word.begin, word.end - word.begin)).words.front().text,
              word.text);
  }
}

TEST(Lexer, KnowsTheLanguagesItNames) {
  for (const std::string& language : lexer_languages()) EXPECT_TRUE(create_lexer(language)) << language;
  EXPECT_FALSE(create_lexer("klingon"));
  EXPECT_FALSE(create_lexer(""));
  EXPECT_THAT(terms("Drucker drucken", "german"), ElementsAre("druck"));
  EXPECT_THAT(terms("printers", "simple"), ElementsAre("printers"));
}

TEST(Lexer, SurvivesAnyBytes) {
  const auto lexer = create_lexer("english");
  std::mt19937 random(7);
  for (int i = 0; i < 20'000; ++i) {
    std::string text(random() % 60, '\0');
    for (char& c : text) c = static_cast<char>(random() % 4 == 0 ? random() : "aB1-_. é\xF0\x9F"[random() % 12]);
    const LexedText lexed = lexer->lex(text);
    std::uint32_t before = 0;
    for (const Word& word : lexed.words) {
      ASSERT_LT(word.begin, word.end);
      ASSERT_LE(word.end, text.size());
      ASSERT_LE(before, word.begin);
      ASSERT_LE(word.term.size(), 64U);
      before = word.end;
    }
  }
}

TEST(Lexer, ReadsNoMoreWordsThanAsked) {
  EXPECT_EQ(create_lexer("english")->lex("one two three four", 2).words.size(), 2U);
}

}  // namespace
}  // namespace search
