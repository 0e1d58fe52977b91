#include "base/json_schema_text.hpp"

#include <gtest/gtest.h>

namespace toolhost::schema_text {
namespace {

TEST(ResolveUri, FollowsTheExamplesOfRfc3986) {
  constexpr std::string_view kBase = "http://a/b/c/d;p?q";
  const std::pair<std::string_view, std::string_view> cases[] = {{"g:h", "g:h"},
                                                                 {"g", "http://a/b/c/g"},
                                                                 {"./g", "http://a/b/c/g"},
                                                                 {"g/", "http://a/b/c/g/"},
                                                                 {"/g", "http://a/g"},
                                                                 {"//g", "http://g"},
                                                                 {"?y", "http://a/b/c/d;p?y"},
                                                                 {"g?y", "http://a/b/c/g?y"},
                                                                 {"#s", "http://a/b/c/d;p?q#s"},
                                                                 {"g#s", "http://a/b/c/g#s"},
                                                                 {";x", "http://a/b/c/;x"},
                                                                 {"", "http://a/b/c/d;p?q"},
                                                                 {".", "http://a/b/c/"},
                                                                 {"./", "http://a/b/c/"},
                                                                 {"..", "http://a/b/"},
                                                                 {"../g", "http://a/b/g"},
                                                                 {"../..", "http://a/"},
                                                                 {"../../g", "http://a/g"},
                                                                 {"../../../g", "http://a/g"},
                                                                 {"/./g", "http://a/g"},
                                                                 {"g/./h", "http://a/b/c/g/h"},
                                                                 {"g/../h", "http://a/b/c/h"}};
  for (const auto& [reference, expected] : cases) EXPECT_EQ(resolve_uri(kBase, reference), expected) << reference;
  EXPECT_EQ(resolve_uri("", "#/$defs/a"), "#/$defs/a");
  EXPECT_EQ(resolve_uri("urn:uuid:deadbeef", "#x"), "urn:uuid:deadbeef#x");
}

bool multiple(std::string_view number, std::string_view divisor) {
  json::Document first;
  json::Document second;
  return is_multiple(decimal_of(first.parse(number).value()), decimal_of(second.parse(divisor).value()));
}

TEST(IsMultiple, DecidesOnDecimals) {
  EXPECT_TRUE(multiple("0.07", "0.01"));
  EXPECT_TRUE(multiple("19.99", "0.01"));
  EXPECT_TRUE(multiple("4.35", "0.05"));
  EXPECT_TRUE(multiple("1.1", "0.1"));
  EXPECT_FALSE(multiple("19.995", "0.01"));
  EXPECT_TRUE(multiple("-3", "1.5"));
  EXPECT_TRUE(multiple("0", "7"));
  EXPECT_FALSE(multiple("1", "1e300"));
  EXPECT_TRUE(multiple("1e300", "1e-300"));
  EXPECT_TRUE(multiple("18446744073709551615", "5"));
  EXPECT_FALSE(multiple("18446744073709551614", "5"));
  EXPECT_FALSE(multiple("1e308", "0.123456789"));
  EXPECT_TRUE(multiple("-9223372036854775808", "2"));
}

std::string canonical(std::string_view text) {
  json::Document document;
  std::string out;
  append_canonical(out, document.parse(text).value());
  return out;
}

TEST(Canonical, IsEqualForEqualValuesOnly) {
  EXPECT_EQ(canonical("1"), canonical("1.0"));
  EXPECT_EQ(canonical("0"), canonical("-0.0"));
  EXPECT_EQ(canonical("9007199254740992"), canonical("9007199254740992.0"));
  EXPECT_NE(canonical("9007199254740993"), canonical("9007199254740992.0"));
  EXPECT_EQ(canonical("18446744073709549568"), canonical("18446744073709549568.0"));
  EXPECT_EQ(canonical(R"({"a":1,"b":[2]})"), canonical(R"({"b":[2.0],"a":1e0})"));
  EXPECT_NE(canonical(R"(["1"])"), canonical("[1]"));
  EXPECT_NE(canonical(R"(["a,b"])"), canonical(R"(["a","b"])"));
  EXPECT_NE(canonical("[[],[]]"), canonical("[[[]]]"));
  EXPECT_NE(canonical("false"), canonical("0"));
}

TEST(HasFormat, KnowsTheCalendar) {
  EXPECT_TRUE(has_format("2024-02-29", Format::kDate));
  EXPECT_FALSE(has_format("2023-02-29", Format::kDate));
  EXPECT_FALSE(has_format("2023-2-1", Format::kDate));
  EXPECT_TRUE(has_format("2016-12-31T23:59:60Z", Format::kDateTime));
  EXPECT_TRUE(has_format("2016-12-31T15:59:60.5-08:00", Format::kDateTime));
  EXPECT_FALSE(has_format("2016-12-31T22:59:60Z", Format::kDateTime));
  EXPECT_FALSE(has_format("2016-12-31T23:59:00", Format::kDateTime));
}

TEST(HasFormat, KnowsAddresses) {
  for (const std::string_view good :
       {"a@b.example", "\"a b\"@example.com", "x@[127.0.0.1]", "x@[IPv6:::1]", "a.b+c@d-e.org"}) {
    EXPECT_TRUE(has_format(good, Format::kEmail)) << good;
  }
  for (const std::string_view bad :
       {"", "a", "@b", "a@", ".a@b", "a.@b", "a..b@c", "a@-b", "a b@c", "x@[127.0.0.300]", "\"@b", "a@b\n"}) {
    EXPECT_FALSE(has_format(bad, Format::kEmail)) << bad;
  }
  for (const std::string_view good :
       {"https://example.com/a?b#c", "urn:isbn:1", "mailto:a@b", "http://[::1]:80/", "a:"}) {
    EXPECT_TRUE(has_format(good, Format::kUri)) << good;
  }
  for (const std::string_view bad :
       {"", "//example.com", "/a", "http://a b", "1http://a", "http://a/%zz", "http://[::1", "http://a:b/", "\\\\x"}) {
    EXPECT_FALSE(has_format(bad, Format::kUri)) << bad;
  }
  EXPECT_TRUE(has_format("2eb8aa08-aa98-11ea-b4aa-73b441d16380", Format::kUuid));
  EXPECT_FALSE(has_format("2eb8aa08aa9811eab4aa73b441d16380----", Format::kUuid));
}

}  // namespace
}  // namespace toolhost::schema_text
