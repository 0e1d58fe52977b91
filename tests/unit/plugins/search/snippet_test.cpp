#include "snippet.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "characters.hpp"
#include "random_text.hpp"
#include "text.hpp"

namespace search {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

std::string snippet(std::string_view text, const std::unordered_set<std::string>& terms, std::size_t limit = 160) {
  static const auto lexer = create_lexer("english");
  return make_snippet(text, lexer->lex(text), terms, limit);
}

std::string filler(std::size_t words) {
  std::string text;
  for (std::size_t i = 0; i < words; ++i) text += i % 3 == 0 ? "lorem " : "ipsum ";
  return text;
}

TEST(Snippet, MarksHits) {
  EXPECT_EQ(snippet("The printers on floor 3 jam.", {"printer", "jam"}), "The «printers» on floor 3 «jam».");
  EXPECT_EQ(snippet("Windows win10 update", {"win"}), "Windows «win10» update");
  EXPECT_EQ(snippet("jam", {"jam"}), "«jam»");
}

TEST(Snippet, MarksAChunkWhole) {
  EXPECT_EQ(snippet("Ask VPN-1234 today", {"vpn1234"}), "Ask «VPN-1234» today");
  EXPECT_EQ(snippet("Ask VPN-1234 today", {"vpn", "vpn1234"}), "Ask «VPN-1234» today");
  EXPECT_EQ(snippet("Ask VPN-1234 today", {"1234"}), "Ask VPN-«1234» today");
}

TEST(Snippet, JoinsMarksThatTouch) {
  EXPECT_EQ(snippet("打印机卡纸", {"打", "印", "机"}), "«打印机»卡纸");
}

TEST(Snippet, IsTheBeginningWithoutAHit) {
  EXPECT_EQ(snippet("Nothing to see", {"printer"}), "Nothing to see");
  EXPECT_EQ(snippet("Nothing to see", {}), "Nothing to see");
  EXPECT_EQ(snippet("Nothing to see here", {}, 12), "Nothing to…");
  EXPECT_EQ(snippet("", {"printer"}), "");
  EXPECT_EQ(snippet("text", {}, 0), "");
}

TEST(Snippet, IsOnOneLine) {
  EXPECT_EQ(snippet("  paper\r\n\r\n\tjam \u00A0 tray\n", {"jam"}), "paper «jam» tray");
}

TEST(Snippet, LeavesTheMarksToItself) {
  EXPECT_EQ(snippet("«jam» in »tray«", {"jam"}), "‹«jam»› in ›tray‹");
}

TEST(Snippet, ShowsTheHitWithWordsAroundIt) {
  const std::string shown = snippet(filler(100) + "printer " + filler(100), {"printer"}, 60);
  EXPECT_THAT(shown, StartsWith("…"));
  EXPECT_THAT(shown, HasSubstr("lorem «printer» lorem"));
  EXPECT_TRUE(shown.ends_with("lorem…") || shown.ends_with("ipsum…")) << shown;
  EXPECT_LE(helpdesk::count_characters(shown), 60u + 4u);
  EXPECT_GE(helpdesk::count_characters(shown), 48u);
}

TEST(Snippet, FillsItsLengthAtTheEndsOfTheText) {
  const std::string at_end = snippet(filler(100) + "printer", {"printer"}, 60);
  EXPECT_TRUE(at_end.ends_with("ipsum lorem «printer»")) << at_end;
  EXPECT_GE(helpdesk::count_characters(at_end), 48u);
  const std::string at_begin = snippet("a printer " + filler(100), {"printer"}, 60);
  EXPECT_THAT(at_begin, StartsWith("a «printer» lorem"));
  EXPECT_GE(helpdesk::count_characters(at_begin), 48u);
}

TEST(Snippet, PrefersDifferentTermsThenMoreHitsThenTheFirst) {
  const std::string space = filler(40);
  EXPECT_THAT(snippet("jam jam jam " + space + "printer jam " + space, {"printer", "jam"}, 60),
              HasSubstr("«printer» «jam»"));
  EXPECT_THAT(snippet("one jam " + space + "two jam jam " + space, {"jam"}, 60), HasSubstr("«jam» «jam»"));
  EXPECT_THAT(snippet("one jam " + space + "two jam " + space, {"jam"}, 60), HasSubstr("one «jam»"));
}

TEST(Snippet, CutsBetweenCharactersWhereThereIsNoSpace) {
  std::string running;
  for (int i = 0; i < 50; ++i) running += "文書";
  const std::string shown = snippet(running + "卡纸" + running, {"卡", "纸"}, 20);
  EXPECT_THAT(shown, HasSubstr("書«卡纸»文"));
  EXPECT_EQ(helpdesk::count_characters(shown), 20u + 4u);
  EXPECT_EQ(snippet(std::string(300, '-') + "x", {}, 10), std::string(10, '-') + "…");
}

TEST(Snippet, CutsALongHit) {
  EXPECT_EQ(snippet("see " + std::string(300, 'x'), {std::string(64, 'x')}, 10), "…«" + std::string(10, 'x') + "»…");
  const std::string address = "https://example.com/" + std::string(100, 'y');
  EXPECT_THAT(snippet("see " + address, {"httpsexamplecom" + std::string(100, 'y'), "exampl"}, 20),
              HasSubstr("«example»"));
}

TEST(Snippet, NeverCutsAMarkFromItsLetter) {
  const std::string decomposed = "e\u0301";  // é as letter and accent
  std::string word;
  for (int i = 0; i < 30; ++i) word += decomposed;
  const std::string shown = snippet(word, {}, 10);
  EXPECT_EQ(shown, word.substr(0, 10 * decomposed.size()) + "…");
  EXPECT_EQ(snippet("👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦", {}, 2),
            "👩‍👩‍👧‍👦👩‍👩‍👧‍👦…");
  EXPECT_EQ(snippet("🇩🇪🇫🇷🇮🇹", {}, 2), "🇩🇪🇫🇷…");
}

TEST(Snippet, ReplacesWhatIsNotUtf8) {
  EXPECT_EQ(snippet("paper \xFFjam", {"jam"}), "paper \uFFFD«jam»");
}

TEST(Snippet, ReadsAnyText) {
  constexpr std::array<std::string_view, 20> kPieces = {
      "printer", "jam", " ",  " ",           "\n",     "VPN-1234", "«",    "»",        "-",    "e\u0301",
      "win10",   "打",  "卡", "👩‍👧", "\u0301", "\xE2\x80", "\xFF", "printers", "日本", "https://a.b/jam"};
  const std::unordered_set<std::string> terms = {"printer", "jam", "vpn1234", "1234", "win", "打", "打卡"};
  RandomText random;
  for (int i = 0; i < 100'000; ++i) {
    const std::string text = i % 4 == 0 ? random.of_bytes(60) : random.of_pieces(kPieces, 30);
    const std::size_t limit = random.below(40);
    const std::string shown = snippet(text, terms, limit);
    // It is valid UTF-8, its marks match, and it is as long as it may be: two marks around a character at most, and
    // characters of several code points.
    int open = 0;
    std::size_t cells = 0;
    for (std::size_t at = 0; at < shown.size(); ++cells) {
      const std::size_t begin = at;
      const char32_t c = take_character(shown, at);
      ASSERT_TRUE(c != 0xFFFD || shown.substr(begin, at - begin) == "\uFFFD") << shown;
      ASSERT_TRUE(c != U'\n');
      open += c == U'«' ? 1 : c == U'»' ? -1 : 0;
      ASSERT_TRUE(open == 0 || open == 1) << shown;
      const bool counts = c != U'«' && c != U'»' && c != U'…' && c != 0x301 && c != 0x200D && c != U'👧';
      if (!counts) --cells;
    }
    ASSERT_EQ(open, 0) << shown;
    if (i % 4 != 0) {
      ASSERT_LE(cells, limit) << text;
    }
    ASSERT_THAT(shown, Not(HasSubstr("«»")));
  }
}

}  // namespace
}  // namespace search
