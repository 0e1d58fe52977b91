#include "protocol/era.hpp"

#include <gtest/gtest.h>

namespace toolhost::protocol {
namespace {

Message message(std::string_view text) {
  return std::get<Message>(parse_message(text));
}

Message request(const std::string& method, const std::string& claim = {}) {
  const std::string meta =
      claim.empty() ? "" : R"("_meta":{"io.modelcontextprotocol/protocolVersion":")" + claim + R"("})";
  return message(R"({"jsonrpc":"2.0","id":1,"method":")" + method + R"(","params":{)" + meta + "}}");
}

TEST(Revision, NamesGoBothWays) {
  for (const auto* const name : {"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"}) {
    EXPECT_EQ(to_string(parse_revision(name).value()), name);
    EXPECT_FALSE(is_modern(parse_revision(name).value()));
    EXPECT_FALSE(parse_modern_revision(name));
  }
  for (const auto* const name : {"", "2024-10-07", "2026-07-28", "2025-11-25 ", "draft"})
    EXPECT_FALSE(parse_revision(name)) << name;
  EXPECT_EQ(to_string(parse_modern_revision("2026-07-28").value()), "2026-07-28");
  EXPECT_TRUE(is_modern(Revision::k2026_07_28));
  EXPECT_LT(Revision::k2024_11_05, Revision::k2025_11_25);
}

TEST(Negotiate, EchoesWhatItKnowsAndOffersTheNewestLegacyOneOtherwise) {
  EXPECT_EQ(negotiate("2024-11-05"), Revision::k2024_11_05);
  EXPECT_EQ(negotiate("2025-06-18"), Revision::k2025_06_18);
  for (const auto* const unknown : {"2026-07-28", "2031-01-01", "1999-01-01", "", "latest"})
    EXPECT_EQ(negotiate(unknown), Revision::k2025_11_25);
  EXPECT_EQ(supported_revisions(), "2024-11-05, 2025-03-26, 2025-06-18, 2025-11-25");
}

TEST(IsModernVersion, ComparesDates) {
  EXPECT_TRUE(is_modern_version("2026-07-28"));
  EXPECT_TRUE(is_modern_version("2031-01-01"));
  for (const auto* const text : {"2025-11-25", "2026-07-27", "", "draft", "9999", "2026-07-28x", "2026/07/28"}) {
    EXPECT_FALSE(is_modern_version(text)) << text;
  }
}

/// "legacy", "modern" or the code of the refusal.
std::string outcome_of(const Message& message, const HeaderView& headers) {
  const auto routed = route(message, headers);
  if (const auto* const error = std::get_if<RpcError>(&routed)) return std::to_string(static_cast<int>(error->code));
  if (!std::holds_alternative<Envelope>(routed)) return "legacy";
  if (const auto error = check_headers(message, headers)) return std::to_string(static_cast<int>(error->code));
  return "modern";
}

struct Row {
  const char* why;
  std::string version, method, name;  // the fields; empty: absent
  std::string body;
  const char* outcome;
};

constexpr const char* kModern = "2026-07-28";

std::string rpc(const std::string& method, const std::string& params, const std::string& id = R"("id":1,)") {
  return R"({"jsonrpc":"2.0",)" + id + R"("method":")" + method + R"(","params":)" + params + "}";
}
std::string meta(const std::string& inside, const std::string& others = {}) {
  return "{" + others + R"("_meta":{)" + inside + "}}";
}
std::string version(const std::string& json) {
  return R"("io.modelcontextprotocol/protocolVersion":)" + json;
}
std::string capabilities(const std::string& json) {
  return R"("io.modelcontextprotocol/clientCapabilities":)" + json;
}
/// A whole envelope.
std::string claim(const std::string& its_version = kModern) {
  return version('"' + its_version + '"') + "," + capabilities("{}");
}
std::string with(const std::string& member) {
  return claim() + "," + member;
}
std::string list(const std::string& params) {
  return rpc("tools/list", params);
}
std::string call(const std::string& others, const std::string& its_meta = claim()) {
  return rpc("tools/call", meta(its_meta, others));
}
std::string notification(const std::string& params) {
  return rpc("notifications/cancelled", params, "");
}

class Ladder : public testing::TestWithParam<Row> {};

TEST_P(Ladder, EndsWhereItShould) {
  const Row& row = GetParam();
  EXPECT_EQ(outcome_of(message(row.body), {row.version, row.method, row.name}), row.outcome) << row.why;
}

const std::string kList = "tools/list", kCall = "tools/call", kInit = "initialize";
const std::string kHello = R"({"protocolVersion":"2025-11-25","capabilities":{}})";

INSTANTIATE_TEST_SUITE_P(
    Responses, Ladder,
    testing::Values(Row{"an answer", "", "", "", R"({"jsonrpc":"2.0","id":1,"result":{}})", "legacy"},
                    Row{"an error", "", "", "", R"({"jsonrpc":"2.0","id":1,"error":{}})", "legacy"},
                    Row{"whatever the field says", kModern, "", "", R"({"jsonrpc":"2.0","id":1,"result":{}})",
                        "legacy"}));

INSTANTIATE_TEST_SUITE_P(
    Handshake, Ladder,
    testing::Values(Row{"plain", "", "", "", rpc(kInit, kHello), "legacy"},
                    Row{"asks for a modern version in its params", "", "", "",
                        rpc(kInit, R"({"protocolVersion":"2026-07-28"})"), "legacy"},
                    Row{"legacy field", "2025-06-18", "", "", rpc(kInit, kHello), "legacy"},
                    Row{"unknown field", "1999-01-01", "", "", rpc(kInit, kHello), "legacy"},
                    Row{"Mcp-Method of others is not looked at", "", "tools/list", "x", rpc(kInit, kHello), "legacy"},
                    Row{"modern field", kModern, "", "", rpc(kInit, kHello), "-32020"},
                    Row{"field of a version to come", "2031-01-01", "", "", rpc(kInit, kHello), "-32020"},
                    Row{"half an envelope is none", "", "", "", rpc(kInit, meta(version(R"("2026-07-28")"))), "legacy"},
                    Row{"half an envelope and modern field", kModern, "", "",
                        rpc(kInit, meta(version(R"("2026-07-28")"))), "-32020"},
                    Row{"an envelope of a legacy version", "", "", "", rpc(kInit, meta(claim("2025-11-25"))), "legacy"},
                    Row{"a whole envelope: a method that the era does not have", kModern, kInit, "",
                        rpc(kInit, meta(claim())), "modern"}));

INSTANTIATE_TEST_SUITE_P(
    Claims, Ladder,
    testing::Values(
        Row{"all in order", kModern, kList, "", list(meta(claim())), "modern"},
        Row{"id 0", kModern, kList, "", rpc(kList, meta(claim()), R"("id":0,)"), "modern"},
        Row{"id as text", kModern, "server/discover", "", rpc("server/discover", meta(claim()), R"("id":"d",)"),
            "modern"},
        Row{"unknown method", kModern, "no/such", "", rpc("no/such", meta(claim())), "modern"},
        Row{"no capabilities", kModern, kList, "", list(meta(version(R"("2026-07-28")"))), "-32602"},
        Row{"version is no string", kModern, kList, "", list(meta(version("20260728") + "," + capabilities("{}"))),
            "-32602"},
        Row{"version is null", "", "", "", list(meta(version("null") + "," + capabilities("{}"))), "-32602"},
        Row{"capabilities are no object", kModern, kList, "",
            list(meta(version(R"("2026-07-28")") + "," + capabilities("[]"))), "-32602"},
        Row{"capabilities are null", kModern, kList, "",
            list(meta(version(R"("2026-07-28")") + "," + capabilities("null"))), "-32602"},
        Row{"malformed before mismatch", "2025-06-18", "x", "", list(meta(version(R"("2026-07-28")"))), "-32602"},
        Row{"malformed before unsupported", "", "", "", list(meta(version(R"("v999")"))), "-32602"},
        Row{"clientInfo", kModern, kList, "",
            list(meta(with(R"("io.modelcontextprotocol/clientInfo":{"name":"t","version":"1","more":1})"))), "modern"},
        Row{"clientInfo without version", kModern, kList, "",
            list(meta(with(R"("io.modelcontextprotocol/clientInfo":{"name":"t"})"))), "-32602"},
        Row{"clientInfo is no object", kModern, kList, "",
            list(meta(with(R"("io.modelcontextprotocol/clientInfo":"t")"))), "-32602"},
        Row{"log level", kModern, kList, "", list(meta(with(R"("io.modelcontextprotocol/logLevel":"debug")"))),
            "modern"},
        Row{"unknown log level", kModern, kList, "", list(meta(with(R"("io.modelcontextprotocol/logLevel":"loud")"))),
            "-32602"},
        Row{"log level is a number", kModern, kList, "", list(meta(with(R"("io.modelcontextprotocol/logLevel":3)"))),
            "-32602"},
        Row{"members that nobody knows", kModern, kList, "",
            list(meta(with(R"("com.example/x":[],"progressToken":1)"))), "modern"}));

INSTANTIATE_TEST_SUITE_P(
    Versions, Ladder,
    testing::Values(Row{"field is missing", "", kList, "", list(meta(claim())), "-32020"},
                    Row{"fields are missing", "", "", "", list(meta(claim())), "-32020"},
                    Row{"field of a legacy version", "2025-11-25", kList, "", list(meta(claim())), "-32020"},
                    Row{"field of another modern version", "2031-01-01", kList, "", list(meta(claim())), "-32020"},
                    Row{"unknown in the body alone", kModern, kList, "", list(meta(claim("v999"))), "-32020"},
                    Row{"unknown in both", "v999", kList, "", list(meta(claim("v999"))), "-32022"},
                    Row{"unknown, no field", "", "", "", list(meta(claim("v999"))), "-32022"},
                    Row{"legacy in both", "2025-11-25", kList, "", list(meta(claim("2025-11-25"))), "-32022"},
                    Row{"legacy, no field", "", "", "", list(meta(claim("2025-06-18"))), "-32022"},
                    Row{"yet to come", "2031-01-01", kList, "", list(meta(claim("2031-01-01"))), "-32022"},
                    Row{"empty", "", "", "", list(meta(claim(""))), "-32022"},
                    Row{"mismatch of the method before unsupported", "v999", "x", "", list(meta(claim("v999"))),
                        "-32020"},
                    Row{"unsupported before a missing method", "v999", "", "", list(meta(claim("v999"))), "-32022"}));

INSTANTIATE_TEST_SUITE_P(
    Unclaimed, Ladder,
    testing::Values(Row{"nothing at all", "", "", "", list("{}"), "legacy"},
                    Row{"no params", "", "", "", R"({"jsonrpc":"2.0","id":1,"method":"ping"})", "legacy"},
                    Row{"legacy field", "2025-06-18", "", "", list("{}"), "legacy"},
                    Row{"mcp-remote's Mcp-Method is not looked at", "2025-11-25", "x", "y", list("{}"), "legacy"},
                    Row{"other _meta", "2025-11-25", "", "", list(meta(R"("progressToken":1)")), "legacy"},
                    Row{"unknown legacy field", "1999-01-01", "", "", list("{}"), "-32000"},
                    Row{"a probe with it is told -32601", "1999-01-01", "", "", rpc("server/discover", "{}"), "legacy"},
                    Row{"modern field, no params", kModern, kList, "",
                        R"({"jsonrpc":"2.0","id":1,"method":"tools/list"})", "-32602"},
                    Row{"modern field, no _meta", kModern, kList, "", list("{}"), "-32602"},
                    Row{"modern field, _meta is no object", kModern, kList, "", list(R"({"_meta":1})"), "-32602"},
                    Row{"modern field, no version", kModern, kList, "", list(meta(capabilities("{}"))), "-32602"},
                    Row{"field of a version to come", "2031-01-01", kList, "", list("{}"), "-32602"}));

INSTANTIATE_TEST_SUITE_P(
    StandardFields, Ladder,
    testing::Values(
        Row{"Mcp-Method is missing", kModern, "", "", list(meta(claim())), "-32020"},
        Row{"Mcp-Method of another method", kModern, kCall, "", list(meta(claim())), "-32020"},
        Row{"Mcp-Method in other letters", kModern, "TOOLS/LIST", "", list(meta(claim())), "-32020"},
        Row{"Mcp-Name where none belongs", kModern, kList, "x", list(meta(claim())), "modern"},
        Row{"Mcp-Name", kModern, kCall, "get", call(R"("name":"get",)"), "modern"},
        Row{"Mcp-Name is missing", kModern, kCall, "", call(R"("name":"get",)"), "-32020"},
        Row{"Mcp-Name of another tool", kModern, kCall, "put", call(R"("name":"get",)"), "-32020"},
        Row{"Mcp-Name in other letters", kModern, kCall, "GET", call(R"("name":"get",)"), "-32020"},
        Row{"Mcp-Name encoded", kModern, kCall, "=?base64?Z2V0?=", call(R"("name":"get",)"), "modern"},
        Row{"Mcp-Name encoded as another", kModern, kCall, "=?base64?cHV0?=", call(R"("name":"get",)"), "-32020"},
        Row{"Mcp-Name badly encoded", kModern, kCall, "=?base64?Z2V0!?=", call(R"("name":"get",)"), "-32020"},
        Row{"Mcp-Name without anything to compare", kModern, kCall, "get", call(""), "modern"},
        Row{"no name at all: for who reads the params", kModern, kCall, "", call(""), "modern"},
        Row{"prompts/get", kModern, "prompts/get", "", rpc("prompts/get", meta(claim(), R"("name":"p",)")), "-32020"},
        Row{"resources/read", kModern, "resources/read", "hd://t/1",
            rpc("resources/read", meta(claim(), R"("uri":"hd://t/1",)")), "modern"},
        Row{"resources/read of another", kModern, "resources/read", "hd://t/2",
            rpc("resources/read", meta(claim(), R"("uri":"hd://t/1",)")), "-32020"}));

INSTANTIATE_TEST_SUITE_P(
    Notifications, Ladder,
    testing::Values(Row{"no field", "", "", "", notification("{}"), "legacy"},
                    Row{"legacy field", "2025-11-25", "", "", notification("{}"), "legacy"},
                    Row{"unknown field", "1999-01-01", "", "", notification("{}"), "-32000"},
                    Row{"modern field", kModern, "", "", notification("{}"), "modern"},
                    Row{"modern field and another Mcp-Method", kModern, "x", "", notification("{}"), "-32020"},
                    Row{"whole claim", kModern, "", "", notification(meta(claim())), "modern"},
                    Row{"claim of a version alone", "", "", "", notification(meta(version(R"("2026-07-28")"))),
                        "modern"},
                    Row{"claim is no string", kModern, "", "", notification(meta(version("1"))), "-32602"},
                    Row{"field disagrees", "2025-11-25", "", "", notification(meta(claim())), "-32020"},
                    Row{"Mcp-Method disagrees", kModern, "x", "", notification(meta(claim())), "-32020"},
                    Row{"unknown claim", "v999", "", "", notification(meta(claim("v999"))), "-32022"}));

TEST(Route, ReadsTheEnvelope) {
  const auto text = list(meta(
      version(R"("2026-07-28")") + "," + capabilities(R"({"sampling":{"tools":{}},"elicitation":{},"x":1})") +
      R"(,"io.modelcontextprotocol/clientInfo":{"name":"cli","version":"2"},"io.modelcontextprotocol/logLevel":"notice")"));
  const auto request = message(text);
  const auto routed = route(request, {});
  ASSERT_TRUE(std::holds_alternative<Envelope>(routed));
  const auto& envelope = std::get<Envelope>(routed);
  EXPECT_EQ(envelope.version, "2026-07-28");
  EXPECT_EQ(envelope.capabilities, (ClientCapabilities{.sampling = true, .sampling_tools = true, .form = true}));
  EXPECT_EQ(envelope.log_level, plugin_runtime::LogLevel::kNotice);
  EXPECT_EQ(envelope.client_name, "cli");
  EXPECT_EQ(envelope.client_version, "2");
}

TEST(Route, SaysWhatIsWrong) {
  const auto error_of = [](const std::string& text, const HeaderView& headers) {
    return encode_error(std::get<RpcError>(route(message(text), headers)), Revision::k2026_07_28);
  };
  EXPECT_EQ(error_of(list(meta(claim("v999"))), {.version = "v999"}),
            R"({"jsonrpc":"2.0","id":1,"error":{"code":-32022,"message":"Unsupported protocol version: v999",)"
            R"("data":{"supported":["2026-07-28"],"requested":"v999"}}})");
  EXPECT_EQ(error_of(list(meta(claim())), {.version = "2025-11-25"}),
            R"({"jsonrpc":"2.0","id":1,"error":{"code":-32020,"message":"Header mismatch: MCP-Protocol-Version is )"
            R"(2025-11-25, params._meta says 2026-07-28"}})");
  EXPECT_EQ(error_of(list(meta(version(R"("2026-07-28")"))), {}),
            R"({"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"Invalid params: params._meta of protocol )"
            R"(revision 2026-07-28: io.modelcontextprotocol/clientCapabilities: it is missing"}})");
  EXPECT_EQ(error_of(notification(meta(version("1"))), {}),
            R"({"jsonrpc":"2.0","error":{"code":-32602,"message":"Invalid params: the protocol version in )"
            R"(params._meta must be a string"}})");
  EXPECT_EQ(encode_error(std::get<RpcError>(route(message(list("{}")), {.version = "1999-01-01"}))),
            R"({"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"Bad Request: Unsupported protocol version: )"
            R"~(1999-01-01 (supported versions: 2024-11-05, 2025-03-26, 2025-06-18, 2025-11-25)"}})~");
}

TEST(RefuseModern, TellsWhatIsSupported) {
  const auto refusal = refuse_modern(request("tools/list", "2026-07-28"));
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->code, RpcCode::kServerError);
  EXPECT_EQ(refusal->id, "1");
  EXPECT_EQ(refusal->message,
            "Bad Request: Unsupported protocol version: 2026-07-28 (supported versions: 2024-11-05, 2025-03-26, "
            "2025-06-18, 2025-11-25)");
  EXPECT_FALSE(refuse_modern(request("tools/list")));
  EXPECT_FALSE(refuse_modern(request("tools/list", "2025-11-25")));
  EXPECT_FALSE(refuse_modern(message(R"({"jsonrpc":"2.0","id":1,"result":{}})")));
}

TEST(RefuseModern, LetsAProbeThrough) {
  EXPECT_FALSE(refuse_modern(request("server/discover", "2026-07-28")));
}

TEST(RefuseBatch, BelongsToOneRevision) {
  const auto batch = std::get<Batch>(parse_message(R"([{"jsonrpc":"2.0","id":1,"method":"ping"}])"));
  EXPECT_FALSE(refuse_batch(batch, Revision::k2025_03_26));
  EXPECT_TRUE(refuse_batch(batch, Revision::k2024_11_05));
  EXPECT_TRUE(refuse_batch(batch, Revision::k2025_06_18));
  EXPECT_TRUE(refuse_batch(batch, Revision::k2026_07_28));
  EXPECT_TRUE(refuse_batch(batch, std::nullopt));
}

TEST(RefuseBatch, HoldsNoInitializeAndNothingModern) {
  for (
      const auto* const text :
      {R"([{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-03-26"}}])",
       R"([{"jsonrpc":"2.0","id":1,"method":"ping","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}])"}) {
    const auto refusal = refuse_batch(std::get<Batch>(parse_message(text)), Revision::k2025_03_26);
    ASSERT_TRUE(refusal) << text;
    EXPECT_EQ(refusal->code, RpcCode::kInvalidRequest);
  }
}

}  // namespace
}  // namespace toolhost::protocol
