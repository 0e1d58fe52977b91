#include "protocol/mcp_header.hpp"

#include <gtest/gtest.h>

namespace toolhost::protocol {
namespace {

using plugin_runtime::HeaderMembers;
using transport::NamedText;
using Type = plugin_runtime::HeaderMember::Type;

TEST(DecodeHeader, TakesPlainValuesAsTheyAre) {
  for (const auto* const value :
       {"", "get", "a b", "=?base64?", "?=", "=?base64?=", "=?BASE64?Z2V0?=", "=?base64?Z2V0"})
    EXPECT_EQ(decode_header(value), value);
  EXPECT_EQ(decode_header(" \tget\t "), "get");
}

TEST(DecodeHeader, DecodesPaddedBase64OfUtf8) {
  const std::pair<std::string_view, std::string_view> values[] = {{"=?base64?\?=", ""},
                                                                  {"=?base64?Z2V0?=", "get"},
                                                                  {" =?base64?Z2V0?= ", "get"},
                                                                  {"=?base64?Zw==?=", "g"},
                                                                  {"=?base64?4pyTIMO8?=", "✓ ü"},
                                                                  {"=?base64?Pz8/Pj4+?=", "\?\?\?>>>"},
                                                                  {"=?base64?PT9iYXNlNjQ/eD89?=", "=?base64?x?="}};
  for (const auto& [value, text] : values) EXPECT_EQ(decode_header(value), text) << value;
}

TEST(DecodeHeader, RefusesWhatIsNeither) {
  for (const auto* const value :
       {"=?base64?Zw?=", "=?base64?Zw=?=", "=?base64?Zw===?=", "=?base64?Zh==?=", "=?base64?Z2V0!?=", "=?base64?=?=",
        "=?base64?Z2 0?=", "=?base64?Pz8_Pj4-?=", "=?base64?/w==?=", "=?base64?7aCA?=", "=?base64?====?="})
    EXPECT_FALSE(decode_header(value)) << value;
}

TEST(HeaderView, TrimsSpacesAndTabs) {
  transport::HttpRequest request;
  request.mcp_protocol_version = " 2026-07-28\t";
  request.mcp_method = "\ttools/list ";
  request.mcp_name = " a b ";
  const auto view = HeaderView::of(request);
  EXPECT_EQ(view.version, "2026-07-28");
  EXPECT_EQ(view.method, "tools/list");
  EXPECT_EQ(view.name, "a b");
}

class ArgumentHeaders : public testing::Test {
 protected:
  /// The message of the refusal, or empty.
  std::string check(std::string_view arguments, std::vector<NamedText> fields) {
    const auto message = std::get<Message>(parse_message(R"({"jsonrpc":"2.0","id":1,"method":"tools/call"})"));
    json::Document document;
    const auto error = check_argument_headers(message, document.parse(arguments).value(), fields, members_);
    if (!error) return {};
    EXPECT_EQ(error->code, RpcCode::kHeaderMismatch);
    EXPECT_EQ(error->id, "1");
    return error->message;
  }

  HeaderMembers members_{{"Region", {"region"}, Type::kString},
                         {"Count", {"count"}, Type::kInteger},
                         {"Deep-Flag", {"deep", "flag"}, Type::kBoolean}};
};

TEST_F(ArgumentHeaders, AgreeWithTheArguments) {
  EXPECT_EQ(check(R"({"region":"eu","count":42,"deep":{"flag":true}})",
                  {{"region", "eu"}, {"COUNT", "42"}, {"deep-flag", "true"}}),
            "");
  EXPECT_EQ(check(R"({"region":"✓"})", {{"Region", "=?base64?4pyT?="}}), "");
  EXPECT_EQ(check(R"({"region":""})", {{"Region", ""}}), "");
  EXPECT_EQ(check(R"({"region":"=?base64?x?="})", {{"Region", "=?base64?PT9iYXNlNjQ/eD89?="}}), "");
}

TEST_F(ArgumentHeaders, AreNotExpectedOfWhatIsNotThere) {
  EXPECT_EQ(check("{}", {}), "");
  EXPECT_EQ(check(R"({"region":null,"deep":{}})", {}), "");
  EXPECT_EQ(check(R"({"region":null})", {{"Region", "eu"}, {"Other", "!"}, {"Deep-Flag", "=?base64?!?="}}), "");
}

TEST_F(ArgumentHeaders, MayNotBeMissingOrDiffer) {
  EXPECT_EQ(check(R"({"region":"eu"})", {{"Regio", "eu"}}), "Header mismatch: Mcp-Param-Region is missing");
  EXPECT_EQ(check(R"({"region":"eu"})", {{"Region", "EU"}}),
            "Header mismatch: Mcp-Param-Region differs from the argument that it repeats");
  EXPECT_EQ(check(R"({"region":"eu"})", {{"Region", "=?base64?eu?="}}),
            "Header mismatch: Mcp-Param-Region is no valid base64 of UTF-8");
  EXPECT_EQ(check(R"({"region":"eu"})", {{"Region", "eu"}, {"REGION", "eu"}}),
            "Header mismatch: Mcp-Param-Region is sent more than once");
  EXPECT_NE(check(R"({"deep":{"flag":true}})", {{"Deep-Flag", "True"}}), "");
  EXPECT_NE(check(R"({"deep":{"flag":false}})", {{"Deep-Flag", "true"}}), "");
}

TEST_F(ArgumentHeaders, CompareNumbersAsNumbers) {
  for (const auto* const same : {"42", "42.0", "42.00"})
    EXPECT_EQ(check(R"({"count":42})", {{"Count", same}}), "") << same;
  for (const auto* const other : {"43", "42.5", "", "4 2", "0x2a", "42a", "inf", "nan", "+42", "4.2e1"})
    EXPECT_NE(check(R"({"count":42})", {{"Count", other}}), "") << other;
  EXPECT_EQ(check(R"({"count":-7})", {{"Count", "-7"}}), "");
  EXPECT_EQ(check(R"({"count":9007199254740993})", {{"Count", "9007199254740993"}}), "");
  EXPECT_NE(check(R"({"count":9007199254740993})", {{"Count", "9007199254740992"}}), "");
}

}  // namespace
}  // namespace toolhost::protocol
