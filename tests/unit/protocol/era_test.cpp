#include "protocol/era.hpp"

#include <gtest/gtest.h>

namespace toolhost::protocol {
namespace {

Message message(std::string_view text) {
  return std::get<Message>(parse_message(text));
}

Message request(std::string method, std::string claim = {}) {
  const std::string meta =
      claim.empty() ? "" : R"("_meta":{"io.modelcontextprotocol/protocolVersion":")" + claim + R"("})";
  return message(R"({"jsonrpc":"2.0","id":1,"method":")" + method + R"(","params":{)" + meta + "}}");
}

TEST(Revision, NamesGoBothWays) {
  for (const auto* const name : {"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"}) {
    EXPECT_EQ(to_string(parse_revision(name).value()), name);
  }
  for (const auto* const name : {"", "2024-10-07", "2026-07-28", "2025-11-25 ", "draft"})
    EXPECT_FALSE(parse_revision(name)) << name;
  EXPECT_LT(Revision::k2024_11_05, Revision::k2025_11_25);
}

TEST(Negotiate, EchoesWhatItKnowsAndOffersTheNewestOtherwise) {
  EXPECT_EQ(negotiate("2024-11-05"), Revision::k2024_11_05);
  EXPECT_EQ(negotiate("2025-06-18"), Revision::k2025_06_18);
  for (const auto* const unknown : {"2026-07-28", "1999-01-01", "", "latest"})
    EXPECT_EQ(negotiate(unknown), Revision::k2025_11_25);
}

TEST(IsModernVersion, ComparesDates) {
  EXPECT_TRUE(is_modern_version("2026-07-28"));
  EXPECT_TRUE(is_modern_version("2031-01-01"));
  for (const auto* const text : {"2025-11-25", "2026-07-27", "", "draft", "9999", "2026-07-28x", "2026/07/28"}) {
    EXPECT_FALSE(is_modern_version(text)) << text;
  }
}

TEST(EraOf, ClaimInTheBodyDecides) {
  EXPECT_EQ(era_of(request("tools/list", "2026-07-28"), "2025-06-18"), Era::kModern);
  EXPECT_EQ(era_of(request("tools/list", "2025-06-18"), "2026-07-28"), Era::kLegacy);
  EXPECT_EQ(era_of(request("tools/list"), "2026-07-28"), Era::kModern);
  EXPECT_EQ(era_of(request("tools/list"), ""), Era::kLegacy);
  EXPECT_EQ(era_of(message(R"({"jsonrpc":"2.0","id":1,"result":{}})"), "2026-07-28"), Era::kLegacy);
}

TEST(RefuseVersion, TellsWhatIsSupported) {
  const auto refusal = refuse_version(request("tools/list"), "2026-07-28");
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->code, RpcCode::kServerError);
  EXPECT_EQ(refusal->id, "1");
  EXPECT_EQ(refusal->message,
            "Bad Request: Unsupported protocol version: 2026-07-28 (supported versions: 2024-11-05, 2025-03-26, "
            "2025-06-18, 2025-11-25)");
}

TEST(RefuseVersion, TakesEveryLegacyRevisionAndNone) {
  for (const auto* const header : {"", "2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"}) {
    EXPECT_FALSE(refuse_version(request("tools/list"), header)) << header;
  }
  EXPECT_TRUE(refuse_version(request("tools/list"), "1999-01-01"));
  EXPECT_TRUE(refuse_version(message(R"({"jsonrpc":"2.0","method":"notifications/x"})"), "2026-07-28"));
}

TEST(RefuseVersion, LetsInitializeSayAnyLegacyVersion) {
  EXPECT_FALSE(refuse_version(request("initialize"), "1999-01-01"));
  EXPECT_TRUE(refuse_version(request("initialize"), "2026-07-28"));
}

TEST(RefuseVersion, LetsAProbeThrough) {
  EXPECT_FALSE(refuse_version(request("server/discover", "2026-07-28"), "2026-07-28"));
  EXPECT_FALSE(refuse_version(request("server/discover"), "2026-07-28"));
}

TEST(RefuseBatch, BelongsToOneRevision) {
  const auto batch = std::get<Batch>(parse_message(R"([{"jsonrpc":"2.0","id":1,"method":"ping"}])"));
  EXPECT_FALSE(refuse_batch(batch, Revision::k2025_03_26));
  EXPECT_TRUE(refuse_batch(batch, Revision::k2024_11_05));
  EXPECT_TRUE(refuse_batch(batch, Revision::k2025_06_18));
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
