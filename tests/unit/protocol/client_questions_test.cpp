#include "protocol/client_questions.hpp"

#include <gtest/gtest.h>

namespace toolhost::protocol {
namespace {

using plugin_runtime::AskKind;
using plugin_runtime::Question;

constexpr ClientCapabilities kPlain{.roots = true, .sampling = true, .form = true, .url = true};

TEST(EncodeQuestion, SaysTheModeOfAFormWhereThereAreModes) {
  const Question form{"k", AskKind::kForm, R"({"mode":"url","message":"?","requestedSchema":{"type":"object"}})"};
  const std::string rest = R"("message":"?","requestedSchema":{"type":"object"}})";
  EXPECT_EQ(encode_question(form, Revision::k2025_06_18, kPlain), R"("method":"elicitation/create","params":{)" + rest);
  for (const auto revision : {Revision::k2025_11_25, Revision::k2026_07_28})
    EXPECT_EQ(encode_question(form, revision, kPlain),
              R"("method":"elicitation/create","params":{"mode":"form",)" + rest);
}

TEST(EncodeQuestion, NamesAnElicitationByUrlInOneRevision) {
  const Question url{"k", AskKind::kUrl, R"({"message":"?","url":"https://a.example/"})"};
  EXPECT_EQ(encode_question(url, Revision::k2025_11_25, kPlain, "e1"),
            R"("method":"elicitation/create","params":{"mode":"url","message":"?","url":"https://a.example/",)"
            R"("elicitationId":"e1"})");
  EXPECT_EQ(encode_question(url, Revision::k2026_07_28, kPlain, "e1"),
            R"("method":"elicitation/create","params":{"mode":"url","message":"?","url":"https://a.example/"})");
}

TEST(EncodeQuestion, SamplesWithToolsOnlyWhereTheClientSaysSo) {
  const Question sampling{"k", AskKind::kSampling,
                          R"({"messages":[],"maxTokens":9,"tools":[],"toolChoice":{},"includeContext":"thisServer"})"};
  const std::string plain = R"("method":"sampling/createMessage","params":{"messages":[],"maxTokens":9)";
  EXPECT_EQ(encode_question(sampling, Revision::k2025_06_18, kPlain), plain + R"(,"includeContext":"thisServer"})");
  auto capabilities = kPlain;
  for (const auto revision : {Revision::k2025_11_25, Revision::k2026_07_28})
    EXPECT_EQ(encode_question(sampling, revision, capabilities), plain + "}");
  capabilities.sampling_tools = true;
  EXPECT_EQ(encode_question(sampling, Revision::k2025_11_25, capabilities), plain + R"(,"tools":[],"toolChoice":{}})");
  capabilities.sampling_context = true;
  EXPECT_EQ(encode_question(sampling, Revision::k2026_07_28, capabilities),
            plain + R"(,"tools":[],"toolChoice":{},"includeContext":"thisServer"})");
}

TEST(EncodeQuestion, AsksForRootsWithoutParams) {
  for (const auto* const params : {"", "{}"})
    EXPECT_EQ(encode_question({"k", AskKind::kRoots, params}, Revision::k2024_11_05, kPlain),
              R"("method":"roots/list","params":{})");
}

}  // namespace
}  // namespace toolhost::protocol
