#include "text.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace helpdesk {
namespace {

using testing::Contains;
using testing::Not;

TEST(TicketRef, IsMadeOfTheLow30Bits) {
  EXPECT_EQ(make_ref(0), "000000");
  EXPECT_EQ(make_ref(0x3FFFFFFF), "ZZZZZZ");
  EXPECT_EQ(make_ref(0xFFFFFFFF), "ZZZZZZ");
  EXPECT_NE(make_ref(1), make_ref(32));
}

TEST(TicketRef, IsReadForgivingly) {
  for (const char* input : {"7QK4MX", "7qk4mx", " #7QK4MX ", "T-7qk4mx", "t-7QK4MX", "#T-7QK4MX"}) {
    EXPECT_EQ(read_ref(input), "7QK4MX") << input;
  }
  EXPECT_EQ(read_ref("olil0o"), "011100");
  EXPECT_EQ(read_ref("ABC123"), "ABC123");
  EXPECT_EQ(read_ref("XYZ789"), "XYZ789");
}

TEST(TicketRef, LetsOneCharacterTooFewOrTooManyThrough) {
  EXPECT_EQ(read_ref("7QK4M"), "7QK4M");
  EXPECT_EQ(read_ref("7QK4MXX"), "7QK4MXX");
}

TEST(TicketRef, IsNothingElse) {
  for (const char* input : {"", "#", "7QK4", "7QK4MXXX", "7QK4MU", "7QK 4M", "7QK4M'", "ПРИНТЕР", "ticket 7QK4MX"}) {
    EXPECT_EQ(read_ref(input), std::nullopt) << input;
  }
}

TEST(TicketRef, OneMistakeIsASubstitutionASwapOrOneCharacterMoreOrLess) {
  const auto same_length = refs_one_mistake_away("ABC123");
  EXPECT_THAT(same_length, Contains("ABC124"));
  EXPECT_THAT(same_length, Contains("BAC123"));
  EXPECT_THAT(same_length, Not(Contains("ABC123")));
  EXPECT_EQ(same_length.size(), 6u * 31u + 5u);
  EXPECT_THAT(refs_one_mistake_away("ABC12"), Contains("ABC123"));
  EXPECT_THAT(refs_one_mistake_away("ABC1239"), Contains("ABC123"));
  for (const std::string& ref : refs_one_mistake_away("ABC12")) EXPECT_EQ(ref.size(), kRefLength);
  for (const std::string& ref : refs_one_mistake_away("ABC1239")) EXPECT_EQ(ref.size(), kRefLength);
}

TEST(Clean, KeepsEmojiAndRightToLeftScript) {
  // A family joined by zero-width joiners, a skin tone, a heart with variation selector, Arabic, Hebrew, Persian with
  // non-joiner.
  const std::string text =
      "👩‍👩‍👧‍👦 👍🏽 ❤️ الطابعة معطلة המדפסת می‌خواهم";
  EXPECT_EQ(clean(text), text);
}

TEST(Clean, KeepsEmojiFlagsMadeOfTagCharacters) {
  const std::string wales = "\U0001F3F4\U000E0067\U000E0062\U000E0077\U000E006C\U000E0073\U000E007F";
  EXPECT_EQ(clean(wales), wales);
}

TEST(Clean, StripsControlCharacters) {
  EXPECT_EQ(clean("a\x01"
                  "b\x1b[31mc\x7f"
                  "d\r\ne\tf"),
            "ab[31mcd\ne\tf");
  EXPECT_EQ(clean(std::string("a\0b", 3)), "ab");
  EXPECT_EQ(clean("a\u0086b\uFEFFc"), "abc");
}

TEST(Clean, StripsBidirectionalControls) {
  EXPECT_EQ(clean("\u202Eexe.\u202Cgpj \u2066x\u2069 \u200Fy\u200E \u061Cz"), "exe.gpj x y z");
}

TEST(Clean, StripsTextHiddenInTagCharactersAndVariationSelectors) {
  EXPECT_EQ(clean("hi\U000E0049\U000E0067\U000E006E"), "hi");
  EXPECT_EQ(clean("a\uFE0F\uFE01\U000E0110"
                  "b"),
            "a\uFE0F"
            "b");
}

TEST(Clean, MakesEveryLineBreakALineFeed) {
  EXPECT_EQ(clean("a\rb\r\nc\vd\fe\u0085f\u2028g\u2029h\r"), "a\nb\nc\nd\ne\nf\ng\nh\n");
  EXPECT_EQ(clean("a\r\rb\n\rc"), "a\n\nb\n\nc");
}

TEST(Clean, DropsInvisibleCharactersAndPrivateUse) {
  for (const char* hidden :
       {"\u200B", "\u2060", "\u2061", "\u2064", "\u206A", "\u206F", "\uFFF9", "\uFFFB", "\u00AD", "\u3164", "\u115F",
        "\u1160", "\u180E", "\U000E0100", "\U000E01EF", "\uE000", "\uF8FF", "\U000F0000", "\U0010FFFD"}) {
    EXPECT_EQ(clean(std::string("a") + hidden + "b"), "ab") << hidden;
    EXPECT_EQ(clean(std::string("я") + hidden + "ж"), "яж") << hidden;
  }
}

TEST(Clean, KeepsVariationSelectorsOnlyRightAfterACharacter) {
  EXPECT_EQ(clean("1\uFE0F\u20E3 \u2764\uFE0F"), "1\uFE0F\u20E3 \u2764\uFE0F");
  EXPECT_EQ(clean("\uFE0Fa \uFE0Fb\n\uFE00"), "a b\n");
}

TEST(Clean, KeepsJoinersOnlyBetweenLettersOrEmojiBeyondAscii) {
  const std::string burning_heart = "\u2764\uFE0F\u200D\U0001F525";
  EXPECT_EQ(clean(burning_heart), burning_heart);
  EXPECT_EQ(clean("\u0645\u06CC\u200C\u200C\u062E"), "\u0645\u06CC\u200C\u062E");
  EXPECT_EQ(clean("pass\u200Dword \u200Cx\u200D"), "password x");
  EXPECT_EQ(clean("\u0645\u200C \u0645\u200D"), "\u0645 \u0645");
  EXPECT_EQ(clean("\u0645\u200C"
                  "a\u200C\u0645"),
            "\u0645"
            "a\u0645");
}

TEST(Clean, DropsWhatIsNotUtf8) {
  EXPECT_EQ(clean("a\xFF"
                  "b\xC3"),
            "ab");
}

TEST(CleanLine, IsOneTrimmedLine) {
  EXPECT_EQ(clean_line("  a\nb\tc\u2028"
                       "d \n"),
            "a b c d");
  EXPECT_EQ(clean_line("a\rb\r\nc\vd\fe\u0085f\u2029g\r"), "a b c d e f g");
  EXPECT_EQ(clean_line(" \u202E\x01 "), "");
  EXPECT_EQ(clean_line("\u200B\u3000"), "");
}

TEST(Shorten, CutsBetweenCharacters) {
  bool was_cut = false;
  EXPECT_EQ(shorten("äöü", 3, was_cut), "äöü");
  EXPECT_FALSE(was_cut);
  EXPECT_EQ(shorten("äöü", 2, was_cut), "äö…");
  EXPECT_TRUE(was_cut);
}

TEST(ShortenAtWord, CutsBetweenWordsAndCountsTheEllipsis) {
  EXPECT_EQ(shorten_at_word("one two three", 13), "one two three");
  EXPECT_EQ(shorten_at_word("one two three", 12), "one two…");
  EXPECT_EQ(shorten_at_word("one two three", 8), "one two…");
  EXPECT_EQ(shorten_at_word("Donaudampfschifffahrt", 6), "Donau…");
  EXPECT_EQ(count_characters(shorten_at_word(std::string(300, 'x'), 80)), 80u);
}

TEST(QuoteUnlessToken, QuotesWhatPeopleWrote) {
  EXPECT_EQ(quote_unless_token("in_progress"), "in_progress");
  EXPECT_EQ(quote_unless_token("2026-11-23T14:05:09+01:00"), "2026-11-23T14:05:09+01:00");
  EXPECT_EQ(quote_unless_token("ana@example.com"), "ana@example.com");
  EXPECT_EQ(quote_unless_token("a \"b\""), "\"a 'b'\"");
  EXPECT_EQ(quote_unless_token(""), "\"\"");
  EXPECT_EQ(quote_unless_token("é"), "\"é\"");
}

TEST(QuoteLine, HasNoQuotesInside) {
  EXPECT_EQ(quote_line("a \"b\" c"), "\"a 'b' c\"");
}

TEST(QuoteLines, BeginsEveryLine) {
  EXPECT_EQ(quote_lines("a\n\nb"), "> a\n> \n> b\n");
}

TEST(IsBlank, CountsWhatIsDrawnAsNothing) {
  for (const char* blank : {"", " \n\t", "\u200B\u200C\u200D\u2060\uFEFF", "\u2800\u3164\u115F", "\u180E\u00AD"}) {
    EXPECT_TRUE(is_blank(blank)) << blank;
  }
  for (const char* visible : {"a", "0", "\u200Bя", "👍🏽", "."}) EXPECT_FALSE(is_blank(visible)) << visible;
}

TEST(EditDistance, CountsSwapsOnce) {
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("chen", "chne"), 1u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
  EXPECT_EQ(edit_distance("same", "same"), 0u);
}

TEST(CountCharacters, CountsCodePoints) {
  EXPECT_EQ(count_characters(""), 0u);
  EXPECT_EQ(count_characters("aä€😀"), 4u);
}

TEST(FoldCase, CoversLatinGreekAndCyrillic) {
  EXPECT_EQ(fold_case("AZ ÄÖÜß ŁŚŻ Ÿ ΑΩ ПРИНТЕР Ё 3"), "az äöüß łśż ÿ αω принтер ё 3");
  EXPECT_EQ(fold_case("×"), "×");
}

TEST(TitleKey, IgnoresCasePunctuationOrderStopWordsAndRepetition) {
  const std::int64_t key = title_key("Printer on the 3rd floor not working");
  EXPECT_EQ(key, title_key("printer 3RD floor: not working!"));
  EXPECT_EQ(key, title_key("Not working - the printer, 3rd floor (printer)"));
}

TEST(TitleKey, TellsDifferentProblemsApart) {
  EXPECT_NE(title_key("Printer on the 3rd floor not working"), title_key("Printer on the 3rd floor working"));
  EXPECT_NE(title_key("printer 3"), title_key("printer 4"));
  EXPECT_NE(title_key("ab c"), title_key("a bc"));
  EXPECT_NE(title_key("الطابعة معطلة"), title_key("الشبكة معطلة"));
}

TEST(TitleKey, TakesATitleWithoutSignificantWordsAsItStands) {
  EXPECT_EQ(title_key("It is"), title_key("it is"));
  EXPECT_NE(title_key("It is"), title_key("is it"));
  EXPECT_NE(title_key("!!!"), title_key("???"));
}

TEST(TitleKey, IsStored) {
  EXPECT_EQ(title_key("printer"), title_key("Printer"));
  EXPECT_EQ(hash64(""), 14695981039346656037ULL);
  EXPECT_EQ(hash64("a"), 12638187200555641996ULL);  // published FNV-1a test vector
}

TEST(SoundsResolved, NoticesThatSomethingIsDone) {
  EXPECT_TRUE(sounds_resolved("The issue has been resolved."));
  EXPECT_TRUE(sounds_resolved("Fixed!"));
  EXPECT_FALSE(sounds_resolved("This is not fixed"));
  EXPECT_FALSE(sounds_resolved("It isn't solved"));
  EXPECT_FALSE(sounds_resolved("Unresolved since Monday"));
}

TEST(ReadMoment, ADateIsADayInTheTenantsTimeZone) {
  EXPECT_EQ(read_moment("2026-11-30", "Europe/Berlin", DayEdge::kStart), "2026-11-30 00:00:00 Europe/Berlin");
  EXPECT_EQ(read_moment(" 2026-11-30 ", "Europe/Berlin", DayEdge::kEnd), "2026-11-30 23:59:59 Europe/Berlin");
}

TEST(ReadMoment, ATimestampKeepsItsOffset) {
  for (const char* input :
       {"2026-11-30T17:00Z", "2026-11-30T17:00:05+01:00", "2026-11-30t17:00:05-0330", "2026-11-30 17:00+01"}) {
    EXPECT_EQ(read_moment(input, "Europe/Berlin", DayEdge::kEnd), input);
  }
  EXPECT_EQ(read_moment("2026-11-30T17:00", "Asia/Tokyo", DayEdge::kEnd), "2026-11-30T17:00 Asia/Tokyo");
}

TEST(ReadMoment, CutsFractionsOfASecond) {
  EXPECT_EQ(read_moment("2026-12-31T23:59:59.999", "UTC", DayEdge::kEnd), "2026-12-31T23:59:59 UTC");
  EXPECT_EQ(read_moment("2026-12-31T23:59:59.9999999+01:00", "UTC", DayEdge::kEnd), "2026-12-31T23:59:59+01:00");
  EXPECT_EQ(read_moment("2026-12-31T23:59:59.9999999Z", "UTC", DayEdge::kEnd, 2000, 6), "2026-12-31T23:59:59.999999Z");
  EXPECT_EQ(read_moment("2026-12-31T23:59:59.12", "UTC", DayEdge::kEnd, 2000, 6), "2026-12-31T23:59:59.12 UTC");
}

TEST(ReadMoment, NothingElseIsADate) {
  for (const char* input : {"",
                            "next week",
                            "tomorrow",
                            "30.11.2026",
                            "2026-11",
                            "2026-13-01",
                            "2026-02-29",
                            "2026-11-31",
                            "2026-11-30T24:00",
                            "2026-11-30T12:60",
                            "2026-11-30T12:00:61",
                            "2026-11-30T12:00:00.",
                            "2026-11-30T12:00+1",
                            "2026-11-30T12:00+25:00",
                            "2026-11-30x",
                            "1999-12-31",
                            "2200-01-01",
                            "infinity",
                            "now",
                            "2026-11-30T12:00:00Z'; drop table tickets; --",
                            "+026-11-30",
                            "2026--1-30",
                            "2026-11-30T"}) {
    EXPECT_EQ(read_moment(input, "UTC", DayEdge::kStart), std::nullopt) << input;
  }
  EXPECT_TRUE(read_moment("2028-02-29", "UTC", DayEdge::kStart));
}

}  // namespace
}  // namespace helpdesk
