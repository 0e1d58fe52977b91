#include "protocol/mcp_messages.hpp"

#include <gtest/gtest.h>

#include "base/base64url.hpp"

namespace toolhost::protocol {
namespace {

constexpr std::array kLegacy{Revision::k2024_11_05, Revision::k2025_03_26, Revision::k2025_06_18,
                             Revision::k2025_11_25};
const ServerIdentity kServer{"toolhost", "Toolhost", "1.0", "Be kind."};
const ResultStyle kModern{Revision::k2026_07_28, kServer, std::chrono::seconds(5)};
constexpr std::string_view kServerMeta =
    R"("_meta":{"io.modelcontextprotocol/serverInfo":{"name":"toolhost","title":"Toolhost","version":"1.0"}}})";

/// Behind the last member of a modern result.
std::string modern_end(std::string_view type = "complete") {
  return R"("resultType":")" + std::string(type) + "\"," + std::string(kServerMeta);
}
std::string cacheable_end() {
  return R"("resultType":"complete","ttlMs":5000,"cacheScope":"private",)" + std::string(kServerMeta);
}

TEST(EncodeInitializeResult, HasWhatTheRevisionKnows) {
  for (const auto revision : {Revision::k2024_11_05, Revision::k2025_03_26}) {
    EXPECT_EQ(encode_initialize_result(kServer, revision),
              R"({"protocolVersion":")" + std::string(to_string(revision)) +
                  R"(","capabilities":{"tools":{"listChanged":true}},)"
                  R"("serverInfo":{"name":"toolhost","version":"1.0"},"instructions":"Be kind."})");
  }
  for (const auto revision : {Revision::k2025_06_18, Revision::k2025_11_25}) {
    EXPECT_EQ(encode_initialize_result({"toolhost", "Toolhost", "1.0", ""}, revision),
              R"({"protocolVersion":")" + std::string(to_string(revision)) +
                  R"(","capabilities":{"tools":{"listChanged":true}},)"
                  R"("serverInfo":{"name":"toolhost","title":"Toolhost","version":"1.0"}})");
  }
}

TEST(EncodeInitializeResult, DeclaresWhatTheCallerMayUse) {
  const ServerCapabilities all{.resources = true, .prompts = true, .completions = true, .logging = true};
  const std::string resources = R"("resources":{"subscribe":true,"listChanged":true},)";
  const std::string prompts = R"("prompts":{"listChanged":true},)";
  EXPECT_NE(encode_initialize_result(kServer, Revision::k2024_11_05, all)
                .find(R"("capabilities":{"tools":{"listChanged":true},)" + resources + prompts + R"("logging":{}},)"),
            std::string::npos);
  for (const auto revision : {Revision::k2025_03_26, Revision::k2025_06_18, Revision::k2025_11_25}) {
    EXPECT_NE(encode_initialize_result(kServer, revision, all)
                  .find(R"("capabilities":{"tools":{"listChanged":true},)" + resources + prompts +
                        R"("completions":{},"logging":{}},)"),
              std::string::npos);
  }
}

TEST(EncodeDiscoverResult, NamesTheModernRevisionAlone) {
  EXPECT_EQ(encode_discover_result(kModern, {.prompts = true}),
            R"({"supportedVersions":["2026-07-28"],"capabilities":{"tools":{"listChanged":true},)"
            R"("prompts":{"listChanged":true}},"instructions":"Be kind.",)" +
                cacheable_end());
}

TEST(EncodeTool, HasTheFieldsOfItsFamily) {
  const ToolDescription tool{.name = "get",
                             .title = "Get it",
                             .description = "Gets",
                             .input_schema_json = "{\"type\":\r\n\"object\"}",
                             .output_schema_json = R"({"type":"object"})",
                             .meta_json = R"({"com.example/x":1})",
                             .icons_json = R"([{"src":"data:,x"}])",
                             .read_only = true};
  EXPECT_EQ(encode_tool(tool, listing_family(Revision::k2024_11_05)),
            R"({"name":"get","description":"Gets","inputSchema":{"type":  "object"}})");
  EXPECT_EQ(encode_tool(tool, listing_family(Revision::k2025_03_26)),
            R"({"name":"get","description":"Gets","inputSchema":{"type":  "object"},"annotations":{"title":"Get it",)"
            R"("readOnlyHint":true,"destructiveHint":false,"idempotentHint":false,"openWorldHint":false}})");
  const std::string titled =
      R"({"name":"get","title":"Get it","description":"Gets","inputSchema":{"type":  "object"},"outputSchema":{"type":"object"},)"
      R"("annotations":{"readOnlyHint":true,"destructiveHint":false,"idempotentHint":false,"openWorldHint":false},)"
      R"("_meta":{"com.example/x":1})";
  EXPECT_EQ(encode_tool(tool, listing_family(Revision::k2025_06_18)), titled + "}");
  for (const auto revision : {Revision::k2025_11_25, Revision::k2026_07_28})
    EXPECT_EQ(encode_tool(tool, listing_family(revision)), titled + R"(,"icons":[{"src":"data:,x"}]})");
}

TEST(EncodePage, EndsWithoutCursor) {
  const std::string a = R"({"name":"a"})", b = R"({"name":"b"})";
  const std::array tools{&a, &b};
  for (const auto revision : kLegacy) {
    EXPECT_EQ(encode_page("tools", tools, std::nullopt, revision), R"({"tools":[{"name":"a"},{"name":"b"}]})");
    EXPECT_EQ(encode_page("prompts", tools, "next", revision),
              R"({"prompts":[{"name":"a"},{"name":"b"}],"nextCursor":"next"})");
    EXPECT_EQ(encode_page("tools", {}, std::nullopt, revision), R"({"tools":[]})");
  }
}

TEST(EncodePage, MayBeKeptByModernClients) {
  const std::string a = R"({"name":"a"})";
  EXPECT_EQ(encode_page("tools", std::array{&a}, "next", kModern),
            R"({"tools":[{"name":"a"}],"nextCursor":"next",)" + cacheable_end());
  EXPECT_EQ(encode_page("resources", {}, std::nullopt, {Revision::k2026_07_28, kServer}),
            R"({"resources":[],"resultType":"complete","ttlMs":0,"cacheScope":"private",)" + std::string(kServerMeta));
}

TEST(EncodeEmptyResult, HasATypeForModernClients) {
  for (const auto revision : kLegacy) EXPECT_EQ(encode_empty_result(revision), "{}");
  EXPECT_EQ(encode_empty_result(kModern), "{" + modern_end());
  EXPECT_EQ(encode_empty_result(Revision::k2026_07_28), R"({"resultType":"complete"})");
}

TEST(EncodeCallResult, CarriesStructureWhereItIsKnown) {
  constexpr std::string_view kContent = R"([{"type":"text","text":"hi"}])";
  for (const auto revision : {Revision::k2025_06_18, Revision::k2025_11_25}) {
    EXPECT_EQ(encode_call_result(kContent, R"({"a":1})", false, revision),
              R"({"content":[{"type":"text","text":"hi"}],"structuredContent":{"a":1}})");
  }
  EXPECT_EQ(encode_call_result(kContent, R"({"a":1})", false, kModern),
            R"({"content":[{"type":"text","text":"hi"}],"structuredContent":{"a":1},)" + modern_end());
  for (const auto revision : {Revision::k2024_11_05, Revision::k2025_03_26}) {
    EXPECT_EQ(encode_call_result(kContent, R"({"a":1})", false, revision),
              R"({"content":[{"type":"text","text":"hi"},{"type":"text","text":"{\"a\":1}"}]})");
  }
}

TEST(EncodeCallResult, NeverShowsAModelNothingWhenThereIsStructure) {
  for (const auto* const none : {"[]", "[ ]", ""}) {
    EXPECT_EQ(encode_call_result(none, R"({"a":1})", false, Revision::k2025_11_25),
              R"({"content":[{"type":"text","text":"{\"a\":1}"}],"structuredContent":{"a":1}})");
  }
}

TEST(EncodeCallResult, MarksErrorsInEveryRevision) {
  for (const auto revision : kLegacy)
    EXPECT_EQ(encode_call_result("[]", "", true, revision), R"({"content":[],"isError":true})");
  EXPECT_EQ(encode_call_result("[]", "", true, kModern), R"({"content":[],"isError":true,)" + modern_end());
}

TEST(EncodeCallResult, TurnsBlocksThatTheRevisionDoesNotKnowIntoText) {
  constexpr std::string_view kContent =
      R"([{"type":"resource_link","uri":"file:///a","name":"A"},{"type":"audio","data":"","mimeType":"audio/wav"},{"type":"text","text":"t"}])";
  EXPECT_EQ(encode_call_result(kContent, "", false, Revision::k2025_06_18),
            R"({"content":)" + std::string(kContent) + "}");
  EXPECT_EQ(
      encode_call_result(kContent, "", false, Revision::k2025_03_26),
      R"({"content":[{"type":"text","text":"A: file:///a"},{"type":"audio","data":"","mimeType":"audio/wav"},{"type":"text","text":"t"}]})");
  EXPECT_EQ(encode_call_result(kContent, "", false, Revision::k2024_11_05),
            R"json({"content":[{"type":"text","text":"A: file:///a"},)json"
            R"json({"type":"text","text":"(audio, which this protocol revision cannot carry)"},)json"
            R"json({"type":"text","text":"t"}]})json");
}

TEST(EncodeCallResult, LeavesOutMembersThatTheRevisionDoesNotKnow) {
  constexpr std::string_view kContent =
      R"([{"type":"resource_link","uri":"a:b","name":"A","icons":[1],"_meta":{"x":1}},)"
      R"({"type":"text","text":"\"icons\"","annotations":{"priority":1,"lastModified":"2025-01-01"},"_meta":{"x":1}},)"
      R"({"type":"resource","resource":{"uri":"a:b","text":"t","_meta":{"x":1}}}])";
  const auto whole = R"({"content":)" + std::string(kContent);
  EXPECT_EQ(encode_call_result(kContent, "", false, kModern), whole + "," + modern_end());
  EXPECT_EQ(encode_call_result(kContent, "", false, Revision::k2025_11_25), whole + "}");
  EXPECT_EQ(
      encode_call_result(kContent, "", false, Revision::k2025_06_18),
      R"({"content":[{"type":"resource_link","uri":"a:b","name":"A","_meta":{"x":1}},)"
      R"({"type":"text","text":"\"icons\"","annotations":{"priority":1,"lastModified":"2025-01-01"},"_meta":{"x":1}},)"
      R"({"type":"resource","resource":{"uri":"a:b","text":"t","_meta":{"x":1}}}]})");
  for (const auto revision : {Revision::k2024_11_05, Revision::k2025_03_26}) {
    EXPECT_EQ(encode_call_result(kContent, "", false, revision),
              R"({"content":[{"type":"text","text":"A: a:b"},)"
              R"({"type":"text","text":"\"icons\"","annotations":{"priority":1}},)"
              R"({"type":"resource","resource":{"uri":"a:b","text":"t"}}]})");
  }
}

TEST(EncodeCallResult, IsOneLineWhateverThePluginWrote) {
  for (const auto revision : kLegacy) {
    const auto text =
        encode_call_result("[\n {\"type\": \"text\",\r\n \"text\": \"a\\nb\"}\n]\n", "{\n}", false, revision);
    EXPECT_EQ(text.find_first_of("\r\n"), std::string::npos) << text;
    EXPECT_NE(text.find("a\\nb"), std::string::npos);
  }
}

TEST(Base64Url, AgreesWithRfc4648) {
  const std::pair<std::string, std::string> vectors[] = {
      {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
      {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff\xfe", "-__-"}};
  for (const auto& [bytes, text] : vectors) {
    EXPECT_EQ(to_base64url(bytes), text);
    EXPECT_EQ(from_base64url(text), bytes);
  }
}

TEST(Base64Url, RefusesOtherSpellings) {
  for (const auto* const text : {"Z", "Zg==", "Zh", "Zm9=", "Zm 8", "Zm8\n", "+__+", "Zm9vY"})
    EXPECT_FALSE(from_base64url(text)) << text;
}

}  // namespace
}  // namespace toolhost::protocol
