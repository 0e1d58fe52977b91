#include "plugin_runtime/sensitive_members.hpp"

#include <gtest/gtest.h>

namespace toolhost::plugin_runtime {
namespace {

std::string redacted(std::string_view schema, std::string_view arguments) {
  json::Document schema_document, arguments_document;
  const SensitiveMembers sensitive(schema_document.parse(schema).value());
  std::string out;
  sensitive.append_redacted(out, arguments_document.parse(arguments).value());
  return out;
}

TEST(SensitiveMembers, AreNoneWithoutAMark) {
  json::Document document;
  const auto* const schema =
      R"({"type":"object","properties":{"a":{"x-sensitive":false},"b":{"x-sensitive":"yes"},"x-sensitive":{"type":"string"}},
          "default":{"x-sensitive":true}})";
  EXPECT_TRUE(SensitiveMembers(document.parse(schema).value()).empty());
  EXPECT_EQ(redacted(schema, R"({ "a": 1, "x-sensitive": "s" })"), R"({"a":1,"x-sensitive":"s"})");
}

TEST(SensitiveMembers, AreRedactedWhateverTheyHold) {
  const auto* const schema = R"({"type":"object","properties":{"password":{"type":"string","x-sensitive":true}}})";
  EXPECT_EQ(redacted(schema, R"({"user":"ann","password":"secret"})"), R"({"user":"ann","password":"[redacted]"})");
  EXPECT_EQ(redacted(schema, R"({"password":{"deep":["secret"]}})"), R"({"password":"[redacted]"})");
  EXPECT_EQ(redacted(schema, R"({"password":null,"password":1})"),
            R"({"password":"[redacted]","password":"[redacted]"})");
  EXPECT_EQ(redacted(schema, R"({})"), "{}");
  EXPECT_EQ(redacted(schema, R"({"other":{"password":"is another one"}})"),
            R"({"other":{"password":"is another one"}})");
}

TEST(SensitiveMembers, AreFoundAtAnyDepth) {
  const auto* const schema = R"({"properties":{
    "people":{"items":{"properties":{"name":{},"phone":{"x-sensitive":true}}}},
    "pair":{"prefixItems":[{},{"x-sensitive":true}]}}})";
  EXPECT_EQ(redacted(schema, R"({"people":[{"name":"a","phone":"1"},7,{"phone":[2]}]})"),
            R"({"people":[{"name":"a","phone":"[redacted]"},7,{"phone":"[redacted]"}]})");
  EXPECT_EQ(redacted(schema, R"({"pair":[1,2]})"), R"({"pair":["[redacted]","[redacted]"]})");
}

TEST(SensitiveMembers, AreFoundBehindReferencesAndInBranches) {
  const auto* const schema = R"({
    "$defs":{"card":{"type":"object","properties":{"number":{"$ref":"#secret"}}},
             "secret":{"$anchor":"secret","type":"string","x-sensitive":true},
             "a/b":{"x-sensitive":true}},
    "properties":{"card":{"anyOf":[{"type":"null"},{"$ref":"#/$defs/card"}]},"odd":{"$ref":"#/$defs/a~1b"}},
    "if":{"properties":{"kind":{"const":"k"}}},"then":{"properties":{"token":{"x-sensitive":true}}}})";
  EXPECT_EQ(redacted(schema, R"({"card":{"number":"4111","year":2030},"odd":1,"token":"t","kind":"none"})"),
            R"({"card":{"number":"[redacted]","year":2030},"odd":"[redacted]","token":"[redacted]","kind":"none"})");
}

TEST(SensitiveMembers, AreFoundInRecursiveSchemas) {
  const auto* const schema = R"({"properties":{"pin":{"x-sensitive":true},"child":{"$ref":"#"}},
    "allOf":[{"$ref":"#/$defs/more"}],"$defs":{"more":{"properties":{"children":{"items":{"$ref":"#"}}}}}})";
  EXPECT_EQ(redacted(schema, R"({"pin":1,"child":{"pin":2,"child":{"pin":3,"x":{"pin":4}}},"children":[{"pin":5}]})"),
            R"({"pin":"[redacted]","child":{"pin":"[redacted]","child":{"pin":"[redacted]","x":{"pin":4}}},)"
            R"("children":[{"pin":"[redacted]"}]})");
}

TEST(SensitiveMembers, MayBeAllThatAreNotNamed) {
  const auto* const schema = R"({"properties":{"id":{}},"additionalProperties":{"x-sensitive":true}})";
  EXPECT_EQ(redacted(schema, R"({"id":1,"anything":2})"), R"({"id":1,"anything":"[redacted]"})");
  EXPECT_EQ(redacted(R"({"patternProperties":{"^secret":{"x-sensitive":true}}})", R"({"secret_1":1,"plain":2})"),
            R"({"secret_1":"[redacted]","plain":"[redacted]"})")
      << "rather too much than too little";
}

TEST(SensitiveMembers, MayBeAllOfThem) {
  EXPECT_EQ(redacted(R"({"type":"object","x-sensitive":true})", R"({"a":1,"b":{"c":2}})"),
            R"({"a":"[redacted]","b":"[redacted]"})");
  EXPECT_EQ(redacted(R"({"$ref":"#/$defs/x","$defs":{"x":{"x-sensitive":true}}})", R"({"a":1})"),
            R"({"a":"[redacted]"})");
}

}  // namespace
}  // namespace toolhost::plugin_runtime
