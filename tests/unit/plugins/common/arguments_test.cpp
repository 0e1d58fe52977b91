#include "arguments.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "refusal.hpp"

namespace helpdesk {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(Given, IsOneLineOrNothing) {
  EXPECT_EQ(given(std::nullopt), std::nullopt);
  EXPECT_EQ(given(" a\nb "), "a b");
  for (const char* nothing : {"", "  ", "\u200B\u200D", "\u2800", "\u202E", "\u00A0\u3000", "\uFE0F", "\u00AD"}) {
    EXPECT_EQ(given(nothing), std::nullopt) << nothing;
  }
}

TEST(GivenFilter, ThatHoldsNothingIsRefused) {
  EXPECT_EQ(given_filter("category", std::nullopt), std::nullopt);
  EXPECT_EQ(given_filter("category", "VPN"), "VPN");
  try {
    given_filter("category", " \u200B");
    FAIL() << "not refused";
  } catch (const Refusal& refusal) {
    EXPECT_EQ(refusal.kind(), Refusal::Kind::kInvalid);
    EXPECT_THAT(refusal.what(), HasSubstr("category is empty"));
  }
}

TEST(IsWord, TakesAnyCase) {
  EXPECT_TRUE(is_word("None", "none"));
  EXPECT_FALSE(is_word("none ", "none"));
}

TEST(ReadTags, FoldsCleansAndDropsRepetitions) {
  EXPECT_THAT(read_tags({"VPN", " vpn ", "", "\u200B", "Büro"}), ElementsAre("vpn", "büro"));
}

TEST(ReadTagFilter, RefusesOnlyEmptyTags) {
  EXPECT_EQ(read_tag_filter({}), std::nullopt);
  EXPECT_THAT(*read_tag_filter({"VPN", "\u200B"}), ElementsAre("vpn"));
  EXPECT_THROW(read_tag_filter({"\u200B", " "}), Refusal);
}

TEST(RefuseMoment, SaysTheDayAndHowToWriteOne) {
  const auto refused = [](bool takes_time) -> std::string {
    try {
      refuse_moment("due_before", "soon", "2026-11-23 (Mon, Europe/Berlin)", takes_time);
    } catch (const Refusal& refusal) {
      return refusal.what();
    }
  };
  EXPECT_EQ(refused(true),
            "due_before 'soon' is not a date; today is 2026-11-23 (Mon, Europe/Berlin); use YYYY-MM-DD or a timestamp "
            "such as 2026-11-30T17:00 (years 2000 to 2199)");
  EXPECT_THAT(refused(false), HasSubstr("; use YYYY-MM-DD (years 2000 to 2199)"));
}

TEST(RefuseNul, RefusesOnlyNul) {
  EXPECT_NO_THROW(refuse_nul("body", "a\nb"));
  EXPECT_THROW(refuse_nul("body", std::string_view("a\0b", 3)), Refusal);
}

TEST(WithRefusals, HandsThemToTheHostWithTheirStatus) {
  using Kind = Refusal::Kind;
  constexpr std::pair<Kind, th_status> kPairs[] = {{Kind::kInvalid, TH_E_INVALID},
                                                   {Kind::kNotFound, TH_E_NOT_FOUND},
                                                   {Kind::kDenied, TH_E_DENIED},
                                                   {Kind::kConflict, TH_E_CONFLICT}};
  for (const auto& pair : kPairs) {
    try {
      with_refusals([&pair]() -> int { throw Refusal(pair.first, "because"); });
      FAIL() << "not thrown";
    } catch (const toolhost::Error& error) {
      EXPECT_EQ(error.status(), pair.second);
      EXPECT_EQ(error.message(), "because");
    }
  }
  EXPECT_EQ(with_refusals([] { return 7; }), 7);
}

}  // namespace
}  // namespace helpdesk
