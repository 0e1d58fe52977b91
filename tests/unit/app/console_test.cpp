#include "app/commands/console.hpp"

#include <gtest/gtest.h>

#include "app/commands/progress_bar.hpp"

namespace toolhost::app {
namespace {

TEST(Console, ShowsWhatWouldDriveATerminal) {
  EXPECT_EQ(printable("laptop\x1b[2J\n\x7f"), "laptop\\x1b[2J\\x0a\\x7f");
  EXPECT_EQ(printable("\u202egnp.exe"), "\\u{202e}gnp.exe");
  EXPECT_EQ(printable("a\u0085b"), "a\\u{85}b");
  EXPECT_EQ(printable("Büro \u20ac \U0001F600"), "Büro \u20ac \U0001F600");
}

TEST(Console, ShowsBytesThatAreNoText) {
  EXPECT_EQ(printable("caf\xe9"), "caf\\xe9");
  EXPECT_EQ(printable("\xc0\xaf"), "\\xc0\\xaf");
  EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");
  EXPECT_EQ(printable("\xf0\x9f"), "\\xf0\\x9f");
}

TEST(Console, GroupsDigitsAndCounts) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1'000), "1,000");
  EXPECT_EQ(grouped(1'234'567), "1,234,567");
  EXPECT_EQ(counted(1, "row"), "1 row");
  EXPECT_EQ(counted(1'000, "row"), "1,000 rows");
}

TEST(Console, AlignsColumnsByCharacters) {
  EXPECT_EQ(columns({{"NAME", "N"}, {"Büro", "1"}, {"a\nb", "2"}}), "NAME    N\nBüro    1\na\\x0ab  2\n");
}

TEST(ProgressLine, ShowsHowFarTheWorkIs) {
  EXPECT_EQ(progress_line("importing a.csv", 0.375, "12 rows/s", 80),
            "importing a.csv [#######.............]  37%  12 rows/s");
  EXPECT_EQ(progress_line("x", 1.5, "d", 80), "x [####################] 100%  d");
  EXPECT_EQ(progress_line("x", std::nullopt, "d", 80), "x  d");
}

TEST(ProgressLine, IsCutBetweenCharacters) {
  EXPECT_EQ(progress_line("Büros", std::nullopt, "", 2), "Bü");
  EXPECT_EQ(progress_line("Büros", std::nullopt, "", 0), "");
}

}  // namespace
}  // namespace toolhost::app
