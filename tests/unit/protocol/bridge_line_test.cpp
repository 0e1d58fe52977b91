#include "protocol/bridge_line.hpp"

#include <gtest/gtest.h>

#include "protocol/mcp_header.hpp"

namespace toolhost::protocol {
namespace {

BridgeLine line(std::string text) {
  return std::get<BridgeLine>(read_bridge_line(std::move(text)));
}

TEST(BridgeLine, KnowsWhatHasToBeAnswered) {
  const auto request = line(R"({"jsonrpc":"2.0","id":"7","method":"tools/call","params":{"name":"x"}})");
  EXPECT_EQ(request.ids, std::vector<std::string>{"\"7\""});
  EXPECT_FALSE(request.can_repeat());
  EXPECT_TRUE(line(R"({"jsonrpc":"2.0","id":7,"method":"tools/list"})").can_repeat());
  EXPECT_TRUE(line(R"({"jsonrpc":"2.0","method":"notifications/initialized"})").ids.empty());
  EXPECT_EQ(line(R"({"jsonrpc":"2.0","id":7,"result":{}})").kind, BridgeLine::Kind::kResponse);
  const auto batch = line(R"([{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","method":"x"},7])");
  EXPECT_EQ(batch.ids, std::vector<std::string>{"1"});
  EXPECT_FALSE(batch.can_repeat());
  EXPECT_TRUE(std::holds_alternative<RpcError>(read_bridge_line("no JSON")));
}

TEST(BridgeLine, TellsTheErasApart) {
  const auto modern = line(
      R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}})");
  EXPECT_TRUE(modern.is_modern());
  EXPECT_FALSE(modern.is_initialize());
  const auto legacy = line(
      R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2025-11-25"}}})");
  EXPECT_FALSE(legacy.is_modern());
  EXPECT_TRUE(legacy.is_initialize());
}

TEST(BridgeLine, NamesWhatIsCancelled) {
  EXPECT_EQ(line(R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"a"}})").cancelled_id,
            "\"a\"");
  EXPECT_EQ(line(R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{}})").cancelled_id, "");
}

TEST(BridgeLine, SaysWhatAServerSays) {
  EXPECT_EQ(reason_in(R"({"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"Not here"}})"), "Not here");
  EXPECT_EQ(reason_in(R"({"error":"invalid_request","error_description":"Use a key"})"), "Use a key");
  EXPECT_EQ(reason_in(R"({"error":"invalid_api_key","message":"Invalid API key."})"), "Invalid API key.");
  EXPECT_EQ(reason_in("Bad\r\nGateway\n"), "Bad  Gateway");
  EXPECT_EQ(reason_in(""), "");
  EXPECT_EQ(reason_in(std::string(1000, 'x')).size(), 300U);
}

TEST(BridgeLine, KnowsWhatWasNotBegun) {
  EXPECT_TRUE(is_repeatable(R"({"error":"unavailable","message":"Later","repeatable":true})"));
  EXPECT_TRUE(is_repeatable(R"({"error":"too_many_connections","message":"No room"})"));
  EXPECT_FALSE(is_repeatable(R"({"error":"unavailable","message":"Later"})"));
  EXPECT_FALSE(is_repeatable(R"({"repeatable":"true"})"));
  EXPECT_FALSE(is_repeatable("<h1>503</h1>"));
  EXPECT_FALSE(is_repeatable(""));
}

TEST(HeaderFields, AreWhatTheChecksWant) {
  const auto message =
      std::get<Message>(parse_message(R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"süß",
        "arguments":{"region":" a ","count":42,"flag":true,"none":null,"odd":"=?base64?x?="}}})"));
  const auto fields = header_fields(message, "2026-07-28");
  ASSERT_EQ(fields.size(), 3U);
  const auto value = [&](std::size_t at) { return std::string_view(fields[at].second); };
  EXPECT_FALSE(check_headers(message, {.version = value(0), .method = value(1), .name = value(2)}));

  const json::Value arguments = json::find(*message.params, "arguments").value();
  using plugin_runtime::HeaderMember;
  plugin_runtime::HeaderMembers members;
  for (const auto* name : {"region", "count", "flag", "none", "odd", "absent"})
    members.push_back({.name = name, .path = {name}});
  const auto sent = argument_header_fields(arguments, members);
  EXPECT_EQ(sent.size(), 4U);
  std::vector<transport::NamedText> arrived;
  for (const auto& [name, text] : sent) arrived.push_back({std::string_view(name).substr(10), text});
  EXPECT_FALSE(check_argument_headers(message, arguments, arrived, members));
}

}  // namespace
}  // namespace toolhost::protocol
