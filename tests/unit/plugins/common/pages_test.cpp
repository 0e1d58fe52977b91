#include "pages.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "refusal.hpp"

namespace helpdesk {
namespace {

using testing::HasSubstr;

const ListCursor kCursor{0xFEDCBA9876543210ULL, {"2026-11-23 03:16:09.123456+00", "", "7QK4MX"}};

TEST(TextBudget, EndsAPageThatOutgrowsIt) {
  TextBudget budget;
  EXPECT_TRUE(budget.take(kTextBudget - 1));
  EXPECT_TRUE(budget.take(1));
  EXPECT_FALSE(budget.take(1));
}

TEST(TextBudget, AlwaysHasRoomForTheFirst) {
  TextBudget budget;
  EXPECT_TRUE(budget.take(kTextBudget + 1));
  EXPECT_FALSE(budget.take(0));
}

TEST(ListCursor, ComesBackAsItWent) {
  const auto decoded = decode_list_cursor(encode(kCursor));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->filters, kCursor.filters);
  EXPECT_EQ(decoded->position.first_key, kCursor.position.first_key);
  EXPECT_EQ(decoded->position.second_key, "");
  EXPECT_EQ(decoded->position.ref, "7QK4MX");
}

TEST(ListCursor, IsNoOtherText) {
  for (const char* text : {"", "list", "list\n1\na\nb", "list\nx\na\nb\nc", "list\n1x\na\nb\nc", "list\n\na\nb\nc",
                           "list\n1\na\nb\nc\nd", "messages\n7QK4MX\n3"}) {
    EXPECT_FALSE(decode_list_cursor(text)) << text;
  }
}

TEST(ReadCursor, TakesOnlyTheCursorOfTheSameList) {
  const OpenToken open = [](std::string_view token) -> std::optional<std::string> {
    if (token == "sealed") return encode(kCursor);
    if (token == "foreign") return "messages\n7QK4MX\n3";
    return std::nullopt;
  };
  EXPECT_EQ(read_cursor("sealed", kCursor.filters, "list_tasks", open).ref, "7QK4MX");
  const auto refused = [&](std::string_view cursor, std::uint64_t filters) -> std::string {
    try {
      read_cursor(cursor, filters, "list_tasks", open);
    } catch (const Refusal& refusal) {
      return refusal.what();
    }
    return "not refused";
  };
  EXPECT_THAT(refused("sealed", 1), HasSubstr("a list with other filters or another order"));
  EXPECT_THAT(refused("foreign", 1), HasSubstr("not one that list_tasks gave"));
  EXPECT_THAT(refused("guess", 1), HasSubstr("not one that list_tasks gave"));
}

}  // namespace
}  // namespace helpdesk
