#include "app/plugin_test/expected_value.hpp"

#include <gtest/gtest.h>

namespace toolhost::app {
namespace {

bool fits(const std::string& expected, const std::string& actual, Extent extent = Extent::kWhole,
          const Captures& captures = {}) {
  json::Document left, right;
  return matches(left.parse(expected).value(), right.parse(actual).value(), captures, extent);
}

std::string rest(const std::string& expected, const std::string& actual, Extent extent = Extent::kWhole) {
  json::Document left, right;
  return unmatched(left.parse(expected).value(), right.parse(actual).value(), {}, extent);
}

std::string kept(const std::string& actual, const std::string& golden) {
  json::Document left, right;
  return literally(left.parse(actual).value(), right.parse(golden).value(), {});
}

TEST(ExpectedValue, ValuesMatchThemselvesAndNothingElse) {
  const char* const values[] = {"null", "true", "1", "1.5", R"("a")", "[]", "{}", "[1,[2]]", R"({"a":{"b":null}})"};
  for (const auto* one : values)
    for (const auto* other : values) EXPECT_EQ(fits(one, other), one == other) << one << " " << other;
  EXPECT_TRUE(fits("1", "1.0"));
  EXPECT_TRUE(fits("18446744073709551615", "18446744073709551615"));
  EXPECT_FALSE(fits("9007199254740993", "9007199254740992")) << "compared as whole numbers";
  EXPECT_TRUE(fits(R"({"a":1,"b":2})", R"({"b":2,"a":1})"));
  EXPECT_FALSE(fits(R"({"a":1})", R"({"a":1,"b":2})"));
  EXPECT_FALSE(fits("[1,2]", "[2,1]"));
}

TEST(ExpectedValue, PatternsMatchWhatVaries) {
  EXPECT_TRUE(fits(R"("$any")", "{}"));
  EXPECT_TRUE(fits(R"("/^T-[0-9]+$/")", R"("T-17")"));
  EXPECT_FALSE(fits(R"("/^T-[0-9]+$/")", R"("T-x")"));
  EXPECT_FALSE(fits(R"("/1/")", "1")) << "expressions are about texts";
  EXPECT_TRUE(fits(R"("$=/1/")", R"("/1/")"));
  EXPECT_FALSE(fits(R"("/1/")", R"("2")"));
  EXPECT_TRUE(fits(R"("$5")", R"("$5")")) << "no name";
}

TEST(ExpectedValue, CapturesStandForTheirValues) {
  const Captures captures{{"id", R"("T-1.")"}, {"number", "7"}};
  EXPECT_TRUE(fits(R"("$id")", R"("T-1.")", Extent::kWhole, captures));
  EXPECT_FALSE(fits(R"("$id")", R"("T-12")", Extent::kWhole, captures));
  EXPECT_TRUE(fits(R"("$number")", "7", Extent::kWhole, captures));
  EXPECT_TRUE(fits(R"("${id} is ${number}")", R"("T-1. is 7")", Extent::kWhole, captures));
  EXPECT_TRUE(fits(R"("/^${id}$/")", R"("T-1.")", Extent::kWhole, captures));
  EXPECT_FALSE(fits(R"("/^${id}$/")", R"("T-12")", Extent::kWhole, captures)) << "the dot is a dot";
  json::Document document;
  EXPECT_EQ(
      filled_in(document.parse(R"({"a":["$id","$number","n ${number}","$=$id","$5"]})").value(), captures).value(),
      R"({"a":["T-1.",7,"n 7","$id","$5"]})");
  EXPECT_EQ(filled_in(document.parse(R"("$nobody")").value(), captures).error().code, Errc::kNotFound);
}

TEST(ExpectedValue, APartNamesWhatCounts) {
  const auto* const list = R"({"items":[{"id":1,"a":2},{"id":3},{"id":4}],"total":3})";
  EXPECT_TRUE(fits(R"({"items":[{"id":1},{"id":4}]})", list, Extent::kPart));
  EXPECT_FALSE(fits(R"({"items":[{"id":4},{"id":1}]})", list, Extent::kPart)) << "in their order";
  EXPECT_FALSE(fits(R"({"items":[{"id":5}]})", list, Extent::kPart));
  EXPECT_FALSE(fits(R"({"more":null})", list, Extent::kPart));
}

TEST(ExpectedValue, WhatMatchesIsNoDifference) {
  EXPECT_EQ(rest(R"({"id":"$any","title":"old"})", R"({"title":"new","id":7})"), R"({"title":"old","id":7})");
  EXPECT_EQ(rest(R"(["$any",2,3])", R"([1,9])"), "[1,2,3]");
  EXPECT_EQ(rest(R"({"items":[{"id":1},{"id":9}]})", R"({"items":[{"id":1,"a":2}],"total":1})", Extent::kPart),
            R"({"items":[{"id":1,"a":2},{"id":9}],"total":1})");
}

TEST(ExpectedValue, WhatIsAcceptedMatchesAgainHoweverItLooks) {
  for (const auto* value : {R"("$any")", R"("/[/")", R"("$=x")", R"("a ${b} c")", R"("$5")", "7",
                            R"({"a":["/tmp/",null,true,1.5,{"$any":"$any"}]})"}) {
    json::Document document;
    const auto accepted = literally(document.parse(value).value());
    EXPECT_TRUE(fits(accepted, value)) << accepted;
  }
}

TEST(ExpectedValue, PatternsThatStillMatchStay) {
  EXPECT_EQ(kept(R"({"id":8,"title":"new","tags":["a","b"]})", R"({"id":"$any","title":"old","tags":["/a/","x"]})"),
            R"({"id":"$any","title":"new","tags":["/a/","b"]})");
  EXPECT_EQ(kept(R"({"id":8})", R"({"id":"/a/"})"), R"({"id":8})");
}

TEST(ExpectedValue, SaysWhatIsWrongWithAPattern) {
  const Captures known{{"ticket", R"("")"}};
  EXPECT_EQ(problem_in("$ticket", known, true), "");
  EXPECT_EQ(problem_in("/a ${ticket}+/", known, true), "");
  EXPECT_EQ(problem_in("$any", known, true), "");
  EXPECT_NE(problem_in("$any", known, false), "");
  EXPECT_NE(problem_in("$tikcet", known, false).find("did you mean 'ticket'?"), std::string::npos);
  EXPECT_NE(problem_in("/(/", known, true).find("no regular expression"), std::string::npos);
  EXPECT_EQ(problem_in("/(/", known, false), "") << "an argument is itself";
  EXPECT_EQ(problem_in("$=$nobody", known, true), "");
}

TEST(ExpectedValue, ADifferenceShowsTheLinesAroundIt) {
  json::Document left, right;
  const auto before = for_reading(left.parse(R"({"a":1,"b":2,"c":3,"d":4,"e":5,"text":"one\ntwo"})").value());
  const auto after = for_reading(right.parse(R"({"a":1,"b":2,"c":3,"d":4,"e":6,"text":"one\nthree"})").value());
  EXPECT_EQ(difference(before, before), "");
  EXPECT_EQ(difference(before, after),
            "  ...\n"
            "    \"c\": 3\n"
            "    \"d\": 4\n"
            "-   \"e\": 5\n"
            "+   \"e\": 6\n"
            "    \"text\": |\n"
            "      one\n"
            "-     two\n"
            "+     three\n"
            "  }\n");
}

TEST(ExpectedValue, AMemberThatFollowsIsNoDifferenceOfTheLineBefore) {
  json::Document left, right;
  const auto before = for_reading(left.parse(R"({"a":1})").value());
  const auto after = for_reading(right.parse(R"({"a":1,"b":"x,"})").value());
  EXPECT_EQ(difference(before, after), "  {\n    \"a\": 1\n+   \"b\": \"x,\"\n  }\n");
  EXPECT_EQ(on_lines(right.root()), "{\n  \"a\": 1,\n  \"b\": \"x,\"\n}");
}

}  // namespace
}  // namespace toolhost::app
