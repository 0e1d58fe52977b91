#include "app/plugin_check/random_arguments.hpp"

#include <gtest/gtest.h>

#include <set>

namespace toolhost::app {
namespace {

constexpr std::string_view kSchema = R"({
  "type": "object",
  "properties": {
    "title": {"type": "string", "minLength": 1, "maxLength": 20},
    "due": {"type": "string", "format": "date"},
    "priority": {"enum": ["low", "high"]},
    "count": {"type": "integer", "minimum": 1, "maximum": 5},
    "share": {"type": ["number", "null"], "exclusiveMinimum": 0, "maximum": 1},
    "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}, "maxItems": 3},
    "code": {"type": "string", "pattern": "^[A-Z]{3}-[0-9]+$", "examples": ["ABC-1"]}
  },
  "required": ["title"],
  "additionalProperties": false,
  "$defs": {"tag": {"type": "string", "minLength": 2, "maxLength": 8}}
})";

class RandomArgumentsTest : public testing::Test {
 protected:
  const JsonSchema schema_ = *JsonSchema::compile(kSchema);
};

TEST_F(RandomArgumentsTest, ConformToTheirSchema) {
  RandomArguments arguments(kSchema, schema_, 1);
  std::set<std::string> seen;
  for (int i = 0; i < 500; ++i) {
    const auto text = arguments.valid();
    json::Document document;
    const auto value = document.parse(text);
    ASSERT_TRUE(value) << text;
    EXPECT_TRUE(schema_.accepts(*value)) << text;
    seen.insert(text);
  }
  EXPECT_GT(seen.size(), 300U) << "they differ";
  for (const char* member : {"title", "due", "priority", "count", "share", "tags", "ABC-1"})
    EXPECT_TRUE(std::any_of(seen.begin(), seen.end(), [&](const auto& text) {
      return text.find(member) != std::string::npos;
    })) << member;
}

TEST_F(RandomArgumentsTest, SmallestHaveWhatIsRequiredAndNoMore) {
  RandomArguments arguments(kSchema, schema_, 1);
  json::Document document;
  const auto value = document.parse(arguments.smallest());
  ASSERT_TRUE(value);
  EXPECT_EQ(value->get_object().value().size(), 1U);
  EXPECT_TRUE(json::text_in(*value, "title"));
}

TEST_F(RandomArgumentsTest, NearMissesAreObjectsOfWhichMostDoNotConform) {
  RandomArguments arguments(kSchema, schema_, 1);
  int refused = 0;
  for (int i = 0; i < 500; ++i) {
    const auto text = arguments.near_miss();
    json::Document document;
    const auto value = document.parse(text);
    ASSERT_TRUE(value) << text;
    ASSERT_TRUE(value->is_object()) << text;
    if (!schema_.accepts(*value)) ++refused;
  }
  EXPECT_GT(refused, 250);
}

TEST_F(RandomArgumentsTest, AreTheSameForTheSameSeed) {
  RandomArguments one(kSchema, schema_, 7), same(kSchema, schema_, 7), other(kSchema, schema_, 8);
  std::string from_one, from_same, from_other;
  for (int i = 0; i < 20; ++i) {
    from_one += one.valid() + one.near_miss();
    from_same += same.valid() + same.near_miss();
    from_other += other.valid() + other.near_miss();
  }
  EXPECT_EQ(from_one, from_same);
  EXPECT_NE(from_one, from_other);
}

TEST_F(RandomArgumentsTest, AreNoneWhenTheSchemaTakesAPerson) {
  constexpr std::string_view kHard =
      R"({"type":"object","properties":{"code":{"type":"string","pattern":"^[A-Z]{9}$"}},"required":["code"]})";
  const auto schema = *JsonSchema::compile(kHard);
  EXPECT_EQ(RandomArguments(kHard, schema, 1).valid(), "");
}

}  // namespace
}  // namespace toolhost::app
