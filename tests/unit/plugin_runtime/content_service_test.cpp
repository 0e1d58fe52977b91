#include <gtest/gtest.h>

#include <limits>

#include "runner_fixture.hpp"

namespace toolhost::plugin_runtime {
namespace {

th_content block_of(std::uint32_t kind) {
  th_content block{};
  block.struct_size = sizeof(block);
  block.kind = kind;
  return block;
}
th_content text_block(std::string_view text) {
  auto block = block_of(TH_C_TEXT);
  block.text = str(text);
  return block;
}

TEST(Content, EveryKindBecomesItsBlock) {
  RunnerFixture fixture;
  const auto result = fixture.run([](th_call* call) {
    auto block = text_block("say \"hi\"");
    block.annotations_json = TH_STR("{ \"priority\" : 1 }");
    block.meta_json = TH_STR("{\"m\":null}");
    EXPECT_EQ(calls().content(call, &block), TH_OK);
    block = block_of(TH_C_IMAGE);
    block.bytes = {"\x00\xff\x10\x20", 4};
    block.mime_type = TH_STR("image/png");
    EXPECT_EQ(calls().content(call, &block), TH_OK);
    block.kind = TH_C_AUDIO;
    block.mime_type = TH_STR("audio/wav");
    EXPECT_EQ(calls().content(call, &block), TH_OK);
    block = block_of(TH_C_LINK);
    block.uri = TH_STR("file:///a");
    block.name = TH_STR("a");
    block.title = TH_STR("A");
    block.description = TH_STR("the a");
    block.mime_type = TH_STR("text/plain");
    block.size = 3;
    block.icons_json = TH_STR("[{\"src\":\"x\"}]");
    EXPECT_EQ(calls().content(call, &block), TH_OK);
    block = block_of(TH_C_RESOURCE);
    block.uri = TH_STR("x:1");
    block.text = TH_STR("inside");
    EXPECT_EQ(calls().content(call, &block), TH_OK);
    block = block_of(TH_C_RESOURCE);
    block.flags = TH_C_IS_BYTES;
    block.uri = TH_STR("x:2");
    block.mime_type = TH_STR("a/b");
    return calls().content(call, &block);
  });
  EXPECT_EQ(result.content_json,
            R"([{"type":"text","text":"say \"hi\"","annotations":{"priority":1},"_meta":{"m":null}},)"
            R"({"type":"image","data":"AP8QIA==","mimeType":"image/png"},)"
            R"({"type":"audio","data":"AP8QIA==","mimeType":"audio/wav"},)"
            R"({"type":"resource_link","uri":"file:///a","name":"a","title":"A","description":"the a",)"
            R"("mimeType":"text/plain","size":3,"icons":[{"src":"x"}]},)"
            R"({"type":"resource","resource":{"uri":"x:1","text":"inside"}},)"
            R"({"type":"resource","resource":{"uri":"x:2","mimeType":"a/b","blob":""}}])");
}

TEST(Content, RefusesABlockThatIsWrongAndKeepsTheOthers) {
  RunnerFixture fixture;
  const auto result = fixture.run([](th_call* call) {
    const auto refused = [call](auto change, std::uint32_t kind = TH_C_TEXT) {
      auto block = block_of(kind);
      change(block);
      return calls().content(call, &block) == TH_E_INVALID;
    };
    EXPECT_TRUE(refused([](auto& block) { block.kind = 5; }));
    EXPECT_TRUE(refused([](auto& block) { block.flags = 2; }));
    EXPECT_TRUE(refused([](auto& block) { block.flags = TH_C_IS_BYTES; }));
    EXPECT_TRUE(refused([](auto& block) { block.reserved = 1; }));
    EXPECT_TRUE(refused([](auto& block) { block.struct_size = 8; }));
    EXPECT_TRUE(refused([](auto& block) { block.text = TH_STR("\xff"); }));
    EXPECT_TRUE(refused([](auto& block) { block.uri = TH_STR("x:1"); }));
    EXPECT_TRUE(refused([](auto& block) { block.annotations_json = TH_STR("[]"); }));
    EXPECT_TRUE(refused([](auto& block) { block.meta_json = TH_STR("{"); }));
    EXPECT_TRUE(refused([](auto& block) { block.bytes = TH_STR("x"); }, TH_C_IMAGE)) << "no mime_type";
    EXPECT_TRUE(refused([](auto& block) { block.uri = TH_STR("x:1"); }, TH_C_LINK)) << "no name";
    EXPECT_TRUE(refused([](auto& block) { block.text = TH_STR("x"); }, TH_C_RESOURCE)) << "no uri";
    EXPECT_TRUE(refused(
        [](auto& block) {
          block.uri = TH_STR("x:1");
          block.bytes = TH_STR("x");
        },
        TH_C_RESOURCE))
        << "bytes without the flag";
    EXPECT_TRUE(refused(
        [](auto& block) {
          block.uri = TH_STR("relative");
          block.name = TH_STR("x");
        },
        TH_C_LINK));
    EXPECT_EQ(calls().content(call, nullptr), TH_E_INVALID);
    // What a newer plugin asked for is never dropped silently.
    struct Newer {
      th_content known;
      std::uint64_t later;
    } newer{text_block("new"), 0};
    newer.known.struct_size = sizeof(newer);
    EXPECT_EQ(calls().content(call, &newer.known), TH_OK);
    newer.later = 1;
    EXPECT_EQ(calls().content(call, &newer.known), TH_E_INVALID);
    return TH_OK;
  });
  EXPECT_EQ(result.content_json, R"([{"type":"text","text":"new"}])");
}

TEST(Content, CountsBytesAsTheyAreSent) {
  RunnerFixture fixture(ToolRunner::Config{.max_result_bytes = 1'000});
  fixture.run([](th_call* call) {
    const std::string bytes(800, 'x');
    auto block = block_of(TH_C_IMAGE);
    block.bytes = str(bytes);
    block.mime_type = TH_STR("image/png");
    EXPECT_EQ(calls().content(call, &block), TH_E_LIMIT) << "800 bytes are 1,068 as base64";
    block.bytes.len = 600;
    EXPECT_EQ(calls().content(call, &block), TH_OK);
    return TH_OK;
  });
}

TEST(Content, OfAResourceTakesItsUriFromTheRequest) {
  RunnerFixture fixture;
  fixture.kind = ToolCall::Kind::kRead;
  fixture.target = "notes:/1";
  const auto read = fixture.run([](th_call* call) {
    auto block = block_of(TH_C_RESOURCE);
    block.text = TH_STR("one");
    EXPECT_EQ(calls().content(call, &block), TH_OK);
    block.uri = TH_STR("notes:/1/more");
    block.mime_type = TH_STR("text/plain");
    EXPECT_EQ(calls().content(call, &block), TH_OK);
    const auto text = text_block("no resource");
    EXPECT_EQ(calls().content(call, &text), TH_E_INVALID);
    EXPECT_EQ(calls().text(call, TH_STR("x")), TH_E_MISUSE);
    EXPECT_EQ(calls().structured(call, TH_STR("{}")), TH_E_MISUSE);
    EXPECT_EQ(json_out().begin_object(call), TH_E_MISUSE);
    return TH_OK;
  });
  EXPECT_EQ(read.outcome, Outcome::kOk);
  EXPECT_EQ(read.content_json,
            R"([{"uri":"notes:/1","text":"one"},{"uri":"notes:/1/more","mimeType":"text/plain","text":"one"}])");
}

TEST(Content, AResourceWithoutAnyIsNotThere) {
  RunnerFixture fixture;
  fixture.kind = ToolCall::Kind::kRead;
  EXPECT_EQ(fixture.run([](th_call*) { return TH_OK; }).outcome, Outcome::kNotFound);
  EXPECT_EQ(fixture.run([](th_call*) { return TH_E_NOT_FOUND; }).outcome, Outcome::kNotFound);
  fixture.kind = ToolCall::Kind::kTool;
  EXPECT_EQ(fixture.run([](th_call*) { return TH_E_NOT_FOUND; }).outcome, Outcome::kToolError);
}

TEST(Prompt, IsMadeOfMessages) {
  RunnerFixture fixture;
  fixture.kind = ToolCall::Kind::kPrompt;
  const auto result = fixture.run([](th_call* call) {
    auto block = text_block("Hello");
    EXPECT_EQ(prompts().message(call, TH_ROLE_USER, &block), TH_OK);
    block = block_of(TH_C_RESOURCE);
    block.uri = TH_STR("x:1");
    EXPECT_EQ(prompts().message(call, TH_ROLE_ASSISTANT, &block), TH_OK);
    EXPECT_EQ(prompts().message(call, 2, &block), TH_E_INVALID);
    block.text = TH_STR("\xff");
    EXPECT_EQ(prompts().message(call, TH_ROLE_USER, &block), TH_E_INVALID);
    EXPECT_EQ(calls().content(call, &block), TH_E_MISUSE);
    EXPECT_EQ(completions().value(call, TH_STR("x")), TH_E_MISUSE);
    return prompts().description(call, TH_STR("Greets"));
  });
  EXPECT_EQ(result.description, "Greets");
  EXPECT_EQ(result.content_json,
            R"([{"role":"user","content":{"type":"text","text":"Hello"}},)"
            R"({"role":"assistant","content":{"type":"resource","resource":{"uri":"x:1","text":""}}}])");
}

TEST(Completion, KeepsAHundredValuesAndSaysThatThereAreMore) {
  RunnerFixture fixture;
  fixture.kind = ToolCall::Kind::kComplete;
  const auto few = fixture.run([](th_call* call) {
    completions().value(call, TH_STR("a"));
    return completions().value(call, TH_STR("\"b\""));
  });
  EXPECT_EQ(few.content_json, R"({"values":["a","\"b\""],"hasMore":false})");
  const auto many = fixture.run([](th_call* call) {
    for (int i = 0; i < 101; ++i) EXPECT_EQ(completions().value(call, TH_STR("z")), TH_OK);
    EXPECT_EQ(completions().total(call, -1), TH_E_INVALID);
    EXPECT_EQ(completions().value(call, TH_STR("\xff")), TH_E_INVALID);
    return completions().total(call, 500);
  });
  EXPECT_TRUE(many.content_json.ends_with(R"(],"total":500,"hasMore":true})")) << many.content_json;
  EXPECT_EQ(std::count(many.content_json.begin(), many.content_json.end(), 'z'), 100);
  EXPECT_EQ(fixture.run([](th_call*) { return TH_OK; }).content_json, R"({"values":[],"hasMore":false})");
}

}  // namespace
}  // namespace toolhost::plugin_runtime
