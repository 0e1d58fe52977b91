#include "protocol/jsonrpc.hpp"

#include <gtest/gtest.h>

namespace toolhost::protocol {
namespace {

Message parse_one(std::string_view text) {
  auto parsed = parse_message(text);
  if (const auto* error = std::get_if<RpcError>(&parsed)) ADD_FAILURE() << error->message;
  return std::holds_alternative<Message>(parsed) ? std::move(std::get<Message>(parsed)) : Message{};
}

RpcError parse_error(std::string_view text) {
  auto parsed = parse_message(text);
  if (!std::holds_alternative<RpcError>(parsed)) {
    ADD_FAILURE() << "was accepted: " << text.substr(0, 100);
    return {};
  }
  return std::get<RpcError>(std::move(parsed));
}

TEST(ParseMessage, ReadsARequest) {
  const auto message = parse_one(R"({"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo"}})");
  EXPECT_EQ(message.kind, Message::Kind::kRequest);
  EXPECT_EQ(message.id, "7");
  EXPECT_EQ(message.method, "tools/call");
  ASSERT_TRUE(message.params);
  EXPECT_EQ(json::to_text(*message.params), R"({"name":"echo"})");
}

TEST(ParseMessage, KeepsTheTypeOfTheId) {
  EXPECT_EQ(parse_one(R"({"jsonrpc":"2.0","id":0,"method":"ping"})").id, "0");
  EXPECT_EQ(parse_one(R"({"jsonrpc":"2.0","id":-5,"method":"ping"})").id, "-5");
  EXPECT_EQ(parse_one(R"({"jsonrpc":"2.0","id":18446744073709551615,"method":"ping"})").id, "18446744073709551615");
  EXPECT_EQ(parse_one(R"({"jsonrpc":"2.0","id":"7","method":"ping"})").id, R"("7")");
  EXPECT_EQ(parse_one(R"({"jsonrpc":"2.0","id":"","method":"ping"})").id, R"("")");
  EXPECT_EQ(parse_one(R"({"jsonrpc":"2.0","id":"a\"\u0000\n","method":"ping"})").id, R"("a\"\u0000\n")");
}

TEST(ParseMessage, TellsNotificationsAndResponses) {
  EXPECT_EQ(parse_one(R"({"jsonrpc":"2.0","method":"notifications/initialized"})").kind, Message::Kind::kNotification);
  EXPECT_EQ(parse_one(R"({"jsonrpc":"2.0","id":1,"result":{}})").kind, Message::Kind::kResponse);
  EXPECT_EQ(parse_one(R"({"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"?"}})").kind,
            Message::Kind::kResponse);
}

TEST(ParseMessage, TakesNullParamsForNone) {
  EXPECT_FALSE(parse_one(R"({"jsonrpc":"2.0","id":1,"method":"ping","params":null})").params);
}

TEST(ParseMessage, ToleratesMembersItDoesNotKnow) {
  EXPECT_EQ(parse_one(R"({"future":[1,{"a":2}],"jsonrpc":"2.0","id":1,"method":"ping"})").method, "ping");
}

TEST(ParseMessage, RefusesWhatIsNoJson) {
  std::string deep(100'000, '[');
  std::string deep_object = R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":)";
  for (int i = 0; i < 100'000; ++i) deep_object += R"({"a":)";
  for (const std::string& text :
       {std::string(), std::string(" "), std::string("{"), std::string("nonsense"), std::move(deep),
        std::move(deep_object), std::string(R"({"jsonrpc":"2.0","id":1,"method":"ping"} x)"),
        std::string(R"({"jsonrpc":"2.0","id":1,"method":"ping"}{"jsonrpc":"2.0","id":2,"method":"ping"})"),
        std::string(R"({"jsonrpc":"2.0","id":1,"method":"\ud800"})"),
        std::string(R"({"jsonrpc":"2.0","id":1,"method":"\udc00\ud800"})"),
        std::string("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}"),
        std::string(R"({"jsonrpc":"2.0","id":99999999999999999999999,"method":"ping"})"),
        std::string("\xef\xbb\xbf")}) {
    const auto error = parse_error(text);
    EXPECT_EQ(error.code, RpcCode::kParseError) << text.substr(0, 100);
    EXPECT_TRUE(error.id.empty());
    EXPECT_EQ(error.message.substr(0, 12), "Parse error:");
  }
}

TEST(ParseMessage, RefusesWhatIsNoJsonRpc) {
  for (const auto* const text :
       {"1", "null", "\"ping\"", "{}", R"({"id":1,"method":"ping"})", R"({"jsonrpc":"1.0","id":1,"method":"ping"})",
        R"({"jsonrpc":2.0,"id":1,"method":"ping"})", R"({"jsonrpc":"2.0","id":1})",
        R"({"jsonrpc":"2.0","id":1,"method":7})", R"({"jsonrpc":"2.0","id":null,"method":"ping"})",
        R"({"jsonrpc":"2.0","id":1.5,"method":"ping"})", R"({"jsonrpc":"2.0","id":true,"method":"ping"})",
        R"({"jsonrpc":"2.0","id":[1],"method":"ping"})", R"({"jsonrpc":"2.0","result":{}})", "[]"}) {
    EXPECT_EQ(parse_error(text).code, RpcCode::kInvalidRequest) << text;
  }
}

TEST(ParseMessage, AnswersABadRequestUnderItsIdWhenThatCouldBeRead) {
  EXPECT_EQ(parse_error(R"({"jsonrpc":"1.0","id":"x","method":"ping"})").id, R"("x")");
  EXPECT_EQ(parse_error(R"({"jsonrpc":"2.0","id":null,"method":"ping"})").id, "");
}

TEST(ParseMessage, KeepsTheGoodMessagesOfABatch) {
  auto parsed = parse_message(R"([{"jsonrpc":"2.0","id":1,"method":"ping"},3,{"jsonrpc":"2.0","method":"x"}])");
  auto& batch = std::get<Batch>(parsed);
  ASSERT_EQ(batch.size(), 3U);
  EXPECT_EQ(std::get<Message>(batch[0]).method, "ping");
  EXPECT_EQ(std::get<RpcError>(batch[1]).code, RpcCode::kInvalidRequest);
  EXPECT_EQ(std::get<Message>(batch[2]).kind, Message::Kind::kNotification);
}

TEST(ParseMessage, BoundsABatch) {
  const auto batch_of = [](std::size_t count) {
    std::string text = "[";
    for (std::size_t i = 0; i < count; ++i)
      text += (i == 0 ? "" : ",") + std::string(R"({"jsonrpc":"2.0","method":"x"})");
    return text + "]";
  };
  EXPECT_EQ(std::get<Batch>(parse_message(batch_of(kMaxBatch))).size(), kMaxBatch);
  EXPECT_EQ(parse_error(batch_of(kMaxBatch + 1)).code, RpcCode::kInvalidRequest);
}

TEST(Encode, WritesResultsAndErrors) {
  EXPECT_EQ(encode_result("\"a\"", "{}"), R"({"jsonrpc":"2.0","id":"a","result":{}})");
  EXPECT_EQ(encode_error({RpcCode::kMethodNotFound, "no \"x\"", "7"}),
            R"({"jsonrpc":"2.0","id":7,"error":{"code":-32601,"message":"no \"x\""}})");
  EXPECT_EQ(encode_error({RpcCode::kParseError, "?", {}}),
            R"({"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"?"}})");
  EXPECT_EQ(encode_error({RpcCode::kParseError, "?", {}, R"({"a":1})"}, Revision::k2026_07_28),
            R"({"jsonrpc":"2.0","error":{"code":-32700,"message":"?","data":{"a":1}}})");
}

TEST(HttpStatusOf, IsNot200WhereTheRevisionSaysSo) {
  struct Row {
    RpcCode code;
    unsigned legacy, modern;
  };
  for (const auto& [code, legacy, modern] :
       {Row{RpcCode::kParseError, 400, 400}, Row{RpcCode::kInvalidRequest, 400, 400},
        Row{RpcCode::kMethodNotFound, 200, 404}, Row{RpcCode::kInvalidParams, 200, 200},
        Row{RpcCode::kInternalError, 200, 200}, Row{RpcCode::kServerError, 400, 400},
        Row{RpcCode::kSessionNotFound, 404, 404}, Row{RpcCode::kResourceNotFound, 200, 200},
        Row{RpcCode::kHeaderMismatch, 400, 400}, Row{RpcCode::kMissingCapability, 400, 400},
        Row{RpcCode::kUnsupportedVersion, 400, 400}}) {
    EXPECT_EQ(http_status_of(code, Revision::k2025_11_25), legacy) << static_cast<int>(code);
    EXPECT_EQ(http_status_of(code, Revision::k2026_07_28), modern) << static_cast<int>(code);
  }
}

}  // namespace
}  // namespace toolhost::protocol
