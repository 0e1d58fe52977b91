#include "plugin_runtime/uri_template.hpp"

#include <gtest/gtest.h>

namespace toolhost::plugin_runtime {
namespace {

using Variables = UriTemplate::Variables;

std::optional<Variables> match(std::string_view uri_template, std::string_view uri) {
  return UriTemplate::parse(uri_template).value().match(uri);
}

TEST(UriTemplate, FindsItsVariables) {
  EXPECT_EQ(match("test://template/{id}/data", "test://template/17/data"), (Variables{{"id", "17"}}));
  EXPECT_EQ(match("notes:{a}-{b}.txt", "notes:x-y-z.txt"), (Variables{{"a", "x"}, {"b", "y-z"}}));
  EXPECT_EQ(match("notes:/{year}/{month}", "notes:/2026/11"), (Variables{{"year", "2026"}, {"month", "11"}}));
  EXPECT_EQ(match("notes:/{name}", "notes:/a%20b%2Fc%C3%A9"), (Variables{{"name", "a b/cé"}}));
  EXPECT_EQ(match("x:{a}.{b}.end", "x:1.end.2.end"), (Variables{{"a", "1"}, {"b", "end.2"}}));
}

TEST(UriTemplate, RefusesWhatDoesNotFit) {
  for (const auto* uri : {"", "notes:/", "notes://", "notes:/a/b", "notes:/a/", "note:/a", "notes:/%4", "notes:/%zz",
                          "notes:/%ff", "notes:"})
    EXPECT_EQ(match("notes:/{name}", uri), std::nullopt) << uri;
  EXPECT_EQ(match("x:a{v}a", "x:aa"), std::nullopt) << "a variable stands for one character at least";
}

TEST(UriTemplate, TakesNoLongerForAHostileUri) {
  const std::string longest(64 * 1024, '-');
  EXPECT_EQ(match("x:{a}-{b}-{c}-{d}!", "x:" + longest), std::nullopt);
}

TEST(UriTemplate, NamesWhatIsWrongWithATemplate) {
  const auto problem = [](std::string_view text) {
    const auto parsed = UriTemplate::parse(text);
    return parsed ? std::string() : parsed.error().message;
  };
  EXPECT_NE(problem("notes:/all").find("no {variable}"), std::string::npos);
  EXPECT_NE(problem("notes:/{a}{b}").find("side by side"), std::string::npos);
  EXPECT_NE(problem("notes:/{a}/{a}").find("twice"), std::string::npos);
  EXPECT_NE(problem("notes:/{a").find("not closed"), std::string::npos);
  EXPECT_NE(problem("notes:/{+a}").find("{+a}"), std::string::npos);
  EXPECT_NE(problem("notes:/{}").find("{}"), std::string::npos);
  EXPECT_NE(problem("{scheme}/x").find("absolute"), std::string::npos);
  EXPECT_NE(problem("/{a}").find("absolute"), std::string::npos);
}

TEST(AbsoluteUri, HasASchemeAndNoSpaces) {
  for (const auto* uri : {"test://static-text", "urn:x", "file:///a%20b", "x-1.2+3:é"})
    EXPECT_TRUE(is_absolute_uri(uri)) << uri;
  for (const auto* uri : {"", "a", ":a", "a:", "1a:b", "a b:c", "a:b c", "a:{b}", "a:\nb", "a:<b>", "a:\xff", "/a:b"})
    EXPECT_FALSE(is_absolute_uri(uri)) << uri;
}

}  // namespace
}  // namespace toolhost::plugin_runtime
