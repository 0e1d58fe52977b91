#include "base/secret.hpp"

#include <gtest/gtest.h>

#include <concepts>
#include <ostream>
#include <type_traits>
#include <utility>

namespace toolhost {
namespace {

template <class T>
concept Printable = requires(std::ostream& out, const T& value) { out << value; };

static_assert(!std::is_copy_constructible_v<Secret> && !std::is_copy_assignable_v<Secret>);
static_assert(!std::equality_comparable<Secret>);
static_assert(!Printable<Secret>);

TEST(Secret, RevealsItsText) {
  EXPECT_EQ(Secret("hdsk_abc").reveal(), "hdsk_abc");
}

TEST(Secret, MovingLeavesNothingBehind) {
  for (const std::string text : {"short", "long enough to need an allocation of its own"}) {
    Secret from{std::string(text)};
    Secret to(std::move(from));
    EXPECT_EQ(to.reveal(), text);
    EXPECT_TRUE(from.empty());  // NOLINT(bugprone-use-after-move): that is what is tested
    Secret assigned("another text that is long enough to be allocated");
    assigned = std::move(to);
    EXPECT_EQ(assigned.reveal(), text);
    EXPECT_TRUE(to.empty());  // NOLINT(bugprone-use-after-move)
  }
}

TEST(Secret, WipesTheBytesOfAnOverwrittenText) {
  Secret secret("short");  // lives in the object, so its bytes can be looked at after it is gone
  const auto* const bytes = reinterpret_cast<const unsigned char*>(&secret);
  const auto holds = [&](std::string_view text) {
    return std::string_view(reinterpret_cast<const char*>(bytes), sizeof secret).find(text) != std::string_view::npos;
  };
  EXPECT_TRUE(holds("short"));
  secret = Secret("");
  EXPECT_FALSE(holds("short"));
}

TEST(Secret, SurvivesAssignmentToItself) {
  Secret secret("hdsk_abc");
  Secret& same = secret;
  secret = std::move(same);
  EXPECT_EQ(secret.reveal(), "hdsk_abc");
}

}  // namespace
}  // namespace toolhost
