#include "json_value.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace helpdesk {
namespace {

using Kind = JsonValue::Kind;

TEST(JsonValue, KeepsKindsTextsAndOrder) {
  const JsonValue value = parse_json(R"({"b":"x\n\u00e9","a":[1,-2.5e3,true,null],"b":{"c":"d"}})");
  ASSERT_TRUE(value.is(Kind::kObject));
  ASSERT_EQ(value.members.size(), 3u);
  EXPECT_EQ(value.find("b")->text, "x\né");
  const JsonValue& list = *value.find("a");
  ASSERT_EQ(list.items.size(), 4u);
  EXPECT_EQ(list.items[0].text, "1");
  EXPECT_EQ(list.items[1].text, "-2.5e3");
  EXPECT_TRUE(list.items[2].is(Kind::kBoolean));
  EXPECT_TRUE(list.items[3].is(Kind::kNull));
  EXPECT_EQ(value.members[2].value.find("c")->text, "d");
  EXPECT_EQ(value.find("z"), nullptr);
}

TEST(JsonValue, StaysTextBelowSixteenLevels) {
  std::string deep = "7";
  for (int i = 0; i < 40; ++i) deep = "[" + deep + "]";
  const JsonValue value = parse_json(deep);
  const JsonValue* at = &value;
  int levels = 0;
  for (; at->is(Kind::kArray); at = &at->items.at(0)) ++levels;
  EXPECT_EQ(levels, 16);
  EXPECT_TRUE(at->is(Kind::kText));
}

}  // namespace
}  // namespace helpdesk
