#include "request_keys.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "refusal.hpp"

namespace helpdesk {
namespace {

TEST(RequestText, DiffersWhereFieldsDiffer) {
  using Texts = std::vector<std::string>;
  const auto of = [](const Texts& texts) { return RequestText().add(texts).text(); };
  EXPECT_EQ(of({"a", "b"}), of({"a", "b"}));
  EXPECT_NE(of({"a", "b"}), of({"ab"}));
  EXPECT_NE(of({"1:a"}), of({"a"}));
  EXPECT_NE(RequestText().add(std::optional<std::string>()).text(),
            RequestText().add(std::optional<std::string>("")).text());
}

TEST(KeyOf, PrefersTheArgument) {
  EXPECT_EQ(key_of("a", "b"), "a");
  EXPECT_EQ(key_of(std::nullopt, "b"), "b");
  EXPECT_EQ(key_of(std::nullopt, ""), "");
  EXPECT_THROW(key_of(std::string("a\0", 2), ""), Refusal);
}

TEST(KeyOf, RefusesAKeyThatIsTooLong) {
  std::string key;
  for (int i = 0; i < 64; ++i) key += "ü";
  EXPECT_EQ(key_of(std::nullopt, key), key);
  try {
    key_of(std::nullopt, key + "x");
    FAIL() << "not refused";
  } catch (const Refusal& refusal) {
    EXPECT_EQ(refusal.kind(), Refusal::Kind::kInvalid);
    EXPECT_STREQ(refusal.what(), "idempotency_key has 65 characters; at most 64");
  }
}

TEST(RefuseOtherArguments, NamesTheKeyAndTheTool) {
  try {
    refuse_other_arguments("add_note", "k\n1");
  } catch (const Refusal& refusal) {
    EXPECT_EQ(refusal.kind(), Refusal::Kind::kConflict);
    EXPECT_THAT(refusal.what(), testing::HasSubstr("idempotency_key 'k 1' was used for add_note with other arguments"));
  }
}

}  // namespace
}  // namespace helpdesk
