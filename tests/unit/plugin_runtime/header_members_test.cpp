#include "plugin_runtime/header_members.hpp"

#include <gtest/gtest.h>

namespace toolhost::plugin_runtime {
namespace {

Result<HeaderMembers> members(std::string_view schema) {
  json::Document document;
  return header_members(document.parse(schema).value());
}

TEST(HeaderMembers, AreFoundWhereverPropertiesLead) {
  const auto found = members(R"({"type":"object","properties":{
    "region":{"type":"string","x-mcp-header":"Region"},
    "plain":{"type":"string"},
    "inner":{"type":"object","properties":{"count":{"type":"integer","x-mcp-header":"Count"}}},
    "x-mcp-header":{"type":"boolean","x-mcp-header":"Flag"}},
    "default":{"x-mcp-header":"no schema"}})");
  ASSERT_TRUE(found) << found.error().message;
  ASSERT_EQ(found->size(), 3U);
  EXPECT_EQ(found->at(0).name, "Region");
  EXPECT_EQ(found->at(0).path, std::vector<std::string>{"region"});
  EXPECT_EQ(found->at(0).type, HeaderMember::Type::kString);
  EXPECT_EQ(found->at(1).path, (std::vector<std::string>{"inner", "count"}));
  EXPECT_EQ(found->at(1).type, HeaderMember::Type::kInteger);
  EXPECT_EQ(found->at(2).type, HeaderMember::Type::kBoolean);
}

TEST(HeaderMembers, RefuseWhatClientsWouldDropTheToolFor) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"properties":{"a":{"type":"string","x-mcp-header":""}}})", "token"},
      {R"({"properties":{"a":{"type":"string","x-mcp-header":"a b"}}})", "token"},
      {R"({"properties":{"a":{"type":"string","x-mcp-header":1}}})", "token"},
      {R"({"properties":{"a":{"type":"number","x-mcp-header":"A"}}})", "string, integer or boolean"},
      {R"({"properties":{"a":{"x-mcp-header":"A"}}})", "string, integer or boolean"},
      {R"({"properties":{"a":{"type":"string","x-mcp-header":"A"},"b":{"type":"string","x-mcp-header":"a"}}})",
       "second time"},
      {R"({"type":"string","x-mcp-header":"A"})", "properties"},
      {R"({"properties":{"a":{"type":"array","items":{"type":"string","x-mcp-header":"A"}}}})", "/a"},
      {R"({"anyOf":[{"properties":{"a":{"type":"string","x-mcp-header":"A"}}}]})", "properties"},
      {R"({"$defs":{"t":{"type":"string","x-mcp-header":"A"}}})", "properties"},
      {R"({"properties":{"a":{"anyOf":[{"type":"string","x-mcp-header":"A"}]}}})", "properties"},
  };
  for (const auto& [schema, wanted] : cases) {
    const auto found = members(schema);
    ASSERT_FALSE(found) << schema;
    EXPECT_NE(found.error().message.find(wanted), std::string::npos) << schema << ": " << found.error().message;
  }
}

}  // namespace
}  // namespace toolhost::plugin_runtime
