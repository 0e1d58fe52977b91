#include "protocol/mcp_messages.hpp"

#include <gtest/gtest.h>

#include "base/base64url.hpp"

namespace toolhost::protocol {
namespace {

constexpr std::array kRevisions{Revision::k2024_11_05, Revision::k2025_03_26, Revision::k2025_06_18,
                                Revision::k2025_11_25};

TEST(EncodeInitializeResult, HasWhatTheRevisionKnows) {
  const ServerIdentity server{"toolhost", "Toolhost", "1.0", "Be kind."};
  EXPECT_EQ(encode_initialize_result(server, Revision::k2025_03_26),
            R"({"protocolVersion":"2025-03-26","capabilities":{"tools":{"listChanged":true}},)"
            R"("serverInfo":{"name":"toolhost","version":"1.0"},"instructions":"Be kind."})");
  EXPECT_EQ(encode_initialize_result({"toolhost", "Toolhost", "1.0", ""}, Revision::k2025_06_18),
            R"({"protocolVersion":"2025-06-18","capabilities":{"tools":{"listChanged":true}},)"
            R"("serverInfo":{"name":"toolhost","title":"Toolhost","version":"1.0"}})");
}

TEST(EncodeTool, HasTheFieldsOfItsFamily) {
  const ToolDescription tool{.name = "get",
                             .title = "Get it",
                             .description = "Gets",
                             .input_schema_json = "{\"type\":\r\n\"object\"}",
                             .output_schema_json = R"({"type":"object"})",
                             .meta_json = R"({"com.example/x":1})",
                             .read_only = true};
  EXPECT_EQ(encode_tool(tool, listing_family(Revision::k2024_11_05)),
            R"({"name":"get","description":"Gets","inputSchema":{"type":  "object"}})");
  EXPECT_EQ(encode_tool(tool, listing_family(Revision::k2025_03_26)),
            R"({"name":"get","description":"Gets","inputSchema":{"type":  "object"},"annotations":{"title":"Get it",)"
            R"("readOnlyHint":true,"destructiveHint":false,"idempotentHint":false,"openWorldHint":false}})");
  for (const auto revision : {Revision::k2025_06_18, Revision::k2025_11_25}) {
    EXPECT_EQ(
        encode_tool(tool, listing_family(revision)),
        R"({"name":"get","title":"Get it","description":"Gets","inputSchema":{"type":  "object"},"outputSchema":{"type":"object"},)"
        R"("annotations":{"readOnlyHint":true,"destructiveHint":false,"idempotentHint":false,"openWorldHint":false},)"
        R"("_meta":{"com.example/x":1}})");
  }
}

TEST(EncodeToolsPage, EndsWithoutCursor) {
  const std::string a = R"({"name":"a"})", b = R"({"name":"b"})";
  const std::array tools{&a, &b};
  EXPECT_EQ(encode_tools_page(tools, std::nullopt), R"({"tools":[{"name":"a"},{"name":"b"}]})");
  EXPECT_EQ(encode_tools_page(tools, "next"), R"({"tools":[{"name":"a"},{"name":"b"}],"nextCursor":"next"})");
  EXPECT_EQ(encode_tools_page({}, std::nullopt), R"({"tools":[]})");
}

TEST(EncodeCallResult, CarriesStructureWhereItIsKnown) {
  constexpr std::string_view kContent = R"([{"type":"text","text":"hi"}])";
  for (const auto revision : {Revision::k2025_06_18, Revision::k2025_11_25}) {
    EXPECT_EQ(encode_call_result(kContent, R"({"a":1})", false, revision),
              R"({"content":[{"type":"text","text":"hi"}],"structuredContent":{"a":1}})");
  }
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
  for (const auto revision : kRevisions) {
    EXPECT_EQ(encode_call_result("[]", "", true, revision), R"({"content":[],"isError":true})");
  }
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

TEST(EncodeCallResult, IsOneLineWhateverThePluginWrote) {
  for (const auto revision : kRevisions) {
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
