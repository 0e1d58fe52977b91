#include "protocol/envelope.hpp"

#include <gtest/gtest.h>

namespace toolhost::protocol {
namespace {

using plugin_runtime::AskKind;
using plugin_runtime::LogLevel;

ClientCapabilities read(std::string_view text, Revision revision = Revision::k2025_11_25) {
  json::Document document;
  return read_capabilities(document.parse(text).value(), revision);
}

constexpr std::string_view kAll =
    R"({"roots":{"listChanged":true},"sampling":{"context":{},"tools":{}},"elicitation":{"form":{},"url":{}}})";

TEST(ClientCapabilities, AreWhatTheClientDeclares) {
  EXPECT_EQ(read("{}"), ClientCapabilities{});
  EXPECT_EQ(read(kAll), (ClientCapabilities{true, true, true, true, true, true, true}));
  EXPECT_EQ(read(R"({"roots":{},"sampling":{}})"), (ClientCapabilities{.roots = true, .sampling = true}));
  for (const auto* const nothing : {"[]", "1", R"({"roots":true,"sampling":null,"elicitation":"form"})"})
    EXPECT_EQ(read(nothing), ClientCapabilities{}) << nothing;
}

TEST(ClientCapabilities, AreThoseOfTheRevision) {
  const ClientCapabilities oldest{.roots = true, .roots_changes = true, .sampling = true};
  EXPECT_EQ(read(kAll, Revision::k2024_11_05), oldest);
  EXPECT_EQ(read(kAll, Revision::k2025_03_26), oldest);
  EXPECT_EQ(read(kAll, Revision::k2025_06_18),
            (ClientCapabilities{.roots = true, .roots_changes = true, .sampling = true, .form = true}));
  EXPECT_EQ(read(kAll, Revision::k2026_07_28), (ClientCapabilities{true, false, true, true, true, true, true}));
}

TEST(ClientCapabilities, MeanFormByAnEmptyElicitation) {
  EXPECT_EQ(read(R"({"elicitation":{}})"), (ClientCapabilities{.form = true}));
  EXPECT_EQ(read(R"({"elicitation":{"form":{}}})"), (ClientCapabilities{.form = true}));
  EXPECT_EQ(read(R"({"elicitation":{"url":{}}})"), (ClientCapabilities{.url = true}));
}

TEST(ClientCapabilities, SayWhatCanBeAsked) {
  const ClientCapabilities capabilities{.sampling = true, .url = true};
  EXPECT_FALSE(capabilities.can(AskKind::kForm));
  EXPECT_TRUE(capabilities.can(AskKind::kUrl));
  EXPECT_TRUE(capabilities.can(AskKind::kSampling));
  EXPECT_FALSE(capabilities.can(AskKind::kRoots));
}

TEST(ClientCapabilities, KeepTheMeaningOfTheirBits) {
  // In session ids that clients hold.
  EXPECT_EQ((ClientCapabilities{.roots = true}.bits()), 1);
  EXPECT_EQ((ClientCapabilities{.roots_changes = true}.bits()), 2);
  EXPECT_EQ((ClientCapabilities{.sampling = true}.bits()), 4);
  EXPECT_EQ((ClientCapabilities{.sampling_tools = true}.bits()), 8);
  EXPECT_EQ((ClientCapabilities{.sampling_context = true}.bits()), 16);
  EXPECT_EQ((ClientCapabilities{.form = true}.bits()), 32);
  EXPECT_EQ((ClientCapabilities{.url = true}.bits()), 64);
  for (std::uint16_t bits = 0; bits < 128; ++bits) EXPECT_EQ(ClientCapabilities::from_bits(bits).bits(), bits);
}

TEST(RequiredCapabilities, HaveTheShapeOfClientCapabilities) {
  for (const auto kind : {AskKind::kForm, AskKind::kUrl, AskKind::kSampling, AskKind::kRoots}) {
    json::Document document;
    const auto root = document.parse(required_capabilities(kind)).value();
    const auto required = read_capabilities(json::find(root, "requiredCapabilities").value(), Revision::k2026_07_28);
    EXPECT_TRUE(required.can(kind));
  }
}

TEST(LogLevel, NamesGoBothWays) {
  for (int level = 0; level < 8; ++level)
    EXPECT_EQ(parse_log_level(to_string(static_cast<LogLevel>(level))), static_cast<LogLevel>(level));
  EXPECT_EQ(to_string(LogLevel::kDebug), "debug");
  EXPECT_EQ(to_string(LogLevel::kEmergency), "emergency");
  for (const auto* const name : {"", "Debug", "warn", "trace"}) EXPECT_FALSE(parse_log_level(name)) << name;
}

}  // namespace
}  // namespace toolhost::protocol
