#include "base/text_pattern.hpp"

#include <gtest/gtest.h>

namespace toolhost {
namespace {

TEST(TextPattern, IsFoundAnywhere) {
  const auto pattern = TextPattern::compile("(?i)gr[üu]n").value();
  EXPECT_TRUE(pattern.is_found_in("all is GRÜN here"));
  EXPECT_FALSE(pattern.is_found_in("blue"));
  EXPECT_FALSE(pattern.is_found_in(""));
}

TEST(TextPattern, SaysWhatIsWrongWithAnExpression) {
  const auto refused = TextPattern::compile("a(?=b)");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kInvalidArgument);
  EXPECT_NE(refused.error().message.find("(?="), std::string::npos) << refused.error().message;
  EXPECT_FALSE(TextPattern::compile("((a{100}){100}){100}")) << "more than a megabyte";
}

TEST(TextPattern, TakesTimeLinearInTheText) {
  const auto pattern = TextPattern::compile("(a*)*b").value();
  EXPECT_FALSE(pattern.is_found_in(std::string(100'000, 'a')));
}

}  // namespace
}  // namespace toolhost
