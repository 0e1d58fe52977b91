#include "access/argument_condition.hpp"

#include <gtest/gtest.h>

namespace toolhost::access {
namespace {

using Kind = ArgumentTest::Kind;

bool holds(const ArgumentTest& test, std::string_view arguments) {
  json::Document document;
  return ArgumentCondition(test).holds(document.parse(arguments).value());
}

TEST(ArgumentCondition, ComparesScalarsInTextForm) {
  const ArgumentTest urgent{.argument = "p", .kind = Kind::kIs, .values = {"high", "urgent"}};
  EXPECT_TRUE(holds(urgent, R"({"p":"Urgent"})"));
  EXPECT_TRUE(holds(urgent, R"({"p":"\u0055rgent"})"));
  EXPECT_FALSE(holds(urgent, R"({"p":"urgent "})"));
  EXPECT_FALSE(holds(urgent, R"({"P":"urgent"})"));
  EXPECT_FALSE(holds(urgent, R"({"p":{"urgent":1}})"));
  EXPECT_FALSE(holds(urgent, R"({})"));

  const ArgumentTest eight{.argument = "p", .kind = Kind::kIs, .values = {"8"}};
  for (const char* text : {R"({"p":8})", R"({"p":8.0})", R"({"p":8e0})", R"({"p":"8"})"})
    EXPECT_TRUE(holds(eight, text));
  EXPECT_FALSE(holds(eight, R"({"p":8.5})"));
  EXPECT_TRUE(holds({.argument = "p", .values = {"18446744073709551615"}}, R"({"p":18446744073709551615})"));
  EXPECT_FALSE(holds({.argument = "p", .values = {"9223372036854775806"}}, R"({"p":9223372036854775807})"));
  EXPECT_TRUE(holds({.argument = "p", .values = {"0.5"}}, R"({"p":5e-1})"));
  EXPECT_TRUE(holds({.argument = "p", .values = {"true"}}, R"({"p":true})"));
  EXPECT_FALSE(holds({.argument = "p", .values = {"true"}}, R"({"p":1})"));
  EXPECT_TRUE(holds({.argument = "p", .values = {"null"}}, R"({"p":null})"));
}

TEST(ArgumentCondition, IsNotHoldsOfWhatIsThere) {
  const ArgumentTest test{.argument = "p", .kind = Kind::kIsNot, .values = {"low", "normal"}};
  EXPECT_TRUE(holds(test, R"({"p":"urgent"})"));
  EXPECT_FALSE(holds(test, R"({"p":"LOW"})"));
  EXPECT_FALSE(holds(test, R"({})"));
  EXPECT_TRUE(holds(test, R"({"p":["low","urgent"]})")) << "one element is enough";
  EXPECT_FALSE(holds(test, R"({"p":["low"]})"));
}

TEST(ArgumentCondition, FindsAPatternAnywhereInAString) {
  const ArgumentTest test{.argument = "p", .kind = Kind::kMatches, .pattern = "(?i)se.ret"};
  EXPECT_TRUE(holds(test, R"({"p":"The SECRET plan"})"));
  EXPECT_TRUE(holds(test, R"({"p":["a","secret"]})"));
  EXPECT_FALSE(holds(test, R"({"p":"open"})"));
  EXPECT_FALSE(holds(test, R"({"p":1})"));
  EXPECT_TRUE(holds({.argument = "p", .kind = Kind::kMatches, .pattern = "("}, R"({"p":"x"})"))
      << "a pattern that nobody checked lets nothing through";
}

TEST(ArgumentCondition, CountsATextThatIsTooLongToBeLookedAtAsMatching) {
  const ArgumentTest test{.argument = "p", .kind = Kind::kMatches, .pattern = "secret"};
  const auto a = [](std::size_t length) { return '"' + std::string(length, 'a') + '"'; };
  constexpr auto kMax = ArgumentCondition::kMaxMatchedBytes;
  EXPECT_FALSE(holds(test, R"({"p":)" + a(kMax) + "}"));
  EXPECT_TRUE(holds(test, R"({"p":)" + a(kMax + 1) + "}"));
  EXPECT_FALSE(holds(test, R"({"q":)" + a(kMax + 1) + "}"));
  EXPECT_TRUE(holds(test, R"({"p":[)" + a(kMax / 2) + "," + a(kMax / 2 + 1) + "]}")) << "all elements together";
  EXPECT_TRUE(holds(test, R"({"p":)" + a(kMax / 2) + R"(,"p":)" + a(kMax / 2 + 1) + "}")) << "all of one name";
  std::string many = R"({"p":["")";
  for (std::size_t i = 0; i < kMax; ++i) many += R"(,"")";
  EXPECT_TRUE(holds(test, many + "]}")) << "empty texts are work too";
  EXPECT_FALSE(holds({.argument = "p", .values = {"secret"}}, R"({"p":)" + a(kMax + 1) + "}")) << "only patterns";
}

TEST(ArgumentCondition, ComparesNumbersExclusively) {
  const ArgumentTest above{.argument = "p", .kind = Kind::kAbove, .number = 8};
  EXPECT_TRUE(holds(above, R"({"p":8.01})"));
  EXPECT_FALSE(holds(above, R"({"p":8})"));
  EXPECT_TRUE(holds(above, R"({"p":[1,9]})"));
  EXPECT_FALSE(holds(above, R"({"p":"9"})"));
  const ArgumentTest below{.argument = "p", .kind = Kind::kBelow, .number = -1.5};
  EXPECT_TRUE(holds(below, R"({"p":-2})"));
  EXPECT_FALSE(holds(below, R"({"p":-1.5})"));
}

TEST(ArgumentCondition, KnowsWhatIsThereAndWhatIsMissing) {
  const ArgumentTest present{.argument = "p", .kind = Kind::kPresent}, absent{.argument = "p", .kind = Kind::kAbsent};
  for (const char* there : {R"({"p":[]})", R"({"p":{}})", R"({"p":0})", R"({"p":" "})"}) {
    EXPECT_TRUE(holds(present, there)) << there;
    EXPECT_FALSE(holds(absent, there)) << there;
  }
  for (const char* blank : {R"({"p":null})", R"({"p":""})", R"({"p":"x","p":null})"}) {
    EXPECT_TRUE(holds(present, blank)) << blank;
    EXPECT_TRUE(holds(absent, blank)) << blank << ": what no plugin takes as given must not get round a rule";
  }
  EXPECT_FALSE(holds(present, R"({"q":1})"));
  EXPECT_TRUE(holds(absent, R"({"q":1})"));
}

TEST(ArgumentCondition, FollowsAPointer) {
  const auto is = [](std::string pointer) { return ArgumentTest{.argument = std::move(pointer), .values = {"x"}}; };
  EXPECT_TRUE(holds(is("/a/b"), R"({"a":{"b":"x"}})"));
  EXPECT_TRUE(holds(is("/a/1/b"), R"({"a":[0,{"b":"x"}]})"));
  EXPECT_TRUE(holds(is("/a~1b/c~0d"), R"({"a/b":{"c~d":"x"}})"));
  EXPECT_TRUE(holds(is("/a/"), R"({"a":{"":"x"}})"));
  EXPECT_FALSE(holds(is("/a/2"), R"({"a":["x","x"]})"));
  EXPECT_FALSE(holds(is("/a/b/c"), R"({"a":{"b":"x"}})"));
  EXPECT_TRUE(holds(is("a~1b"), R"({"a~1b":"x"})")) << "a name without a slash in front is no pointer";
}

TEST(ArgumentCondition, LooksAtEveryMemberOfOneName) {
  const ArgumentTest urgent{.argument = "p", .values = {"urgent"}};
  EXPECT_TRUE(holds(urgent, R"({"p":"low","p":"urgent"})"));
  EXPECT_TRUE(holds(urgent, R"({"p":"urgent","p":"low"})"));
  EXPECT_TRUE(holds({.argument = "/a/p", .values = {"urgent"}}, R"({"a":1,"a":{"p":"urgent"}})"));
}

TEST(ArgumentCondition, SaysItselfInWords) {
  const auto text = [](const ArgumentTest& test) { return ArgumentCondition(test).text(); };
  EXPECT_EQ(text({.argument = "p", .values = {"urgent"}}), "p is urgent");
  EXPECT_EQ(text({.argument = "p", .kind = Kind::kIsNot, .values = {"a", "b"}}), "p is not one of a, b");
  EXPECT_EQ(text({.argument = "p", .kind = Kind::kAbove, .number = 8.5}), "p is above 8.5");
  EXPECT_EQ(text({.argument = "p", .kind = Kind::kAbsent}), "p is missing");
}

}  // namespace
}  // namespace toolhost::access
