#include "protocol/encode_results.hpp"

#include <gtest/gtest.h>

#include "fakes.hpp"

namespace toolhost::protocol {
namespace {

constexpr std::array kLegacy{Revision::k2024_11_05, Revision::k2025_03_26, Revision::k2025_06_18,
                             Revision::k2025_11_25};
const ServerIdentity kServer{"toolhost", "", "1.0", ""};
const ResultStyle kModern{Revision::k2026_07_28, kServer, std::chrono::milliseconds(7)};
constexpr std::string_view kServerMeta =
    R"("_meta":{"io.modelcontextprotocol/serverInfo":{"name":"toolhost","version":"1.0"}}})";

std::string with_modern_end(std::string members, std::string_view hints = {}) {
  return members + R"(,"resultType":"complete",)" + std::string(hints) + std::string(kServerMeta);
}

/// With nothing but what every resource has.
plugin_runtime::Resource bare_resource(std::string uri, std::string name) {
  return {.uri = std::move(uri), .name = std::move(name), .read = fakes::make_tool("read"), .complete = std::nullopt};
}

TEST(EncodeResource, HasTheFieldsOfItsFamily) {
  auto resource = bare_resource("hd://t/17", "t17");
  resource.title = "Ticket 17";
  resource.description = "A ticket";
  resource.mime_type = "text/plain";
  resource.annotations_json = R"({"priority":1})";
  resource.icons_json = R"([{"src":"data:,x"}])";
  resource.meta_json = R"({"com.example/x":1})";
  resource.size = 12;
  const std::string rest = R"("description":"A ticket","mimeType":"text/plain","size":12,"annotations":{"priority":1})";
  for (const auto revision : {Revision::k2024_11_05, Revision::k2025_03_26})
    EXPECT_EQ(encode_resource(resource, listing_family(revision)), R"({"uri":"hd://t/17","name":"t17",)" + rest + "}");
  const auto titled = R"({"uri":"hd://t/17","name":"t17","title":"Ticket 17",)" + rest;
  EXPECT_EQ(encode_resource(resource, listing_family(Revision::k2025_06_18)),
            titled + R"(,"_meta":{"com.example/x":1}})");
  for (const auto revision : {Revision::k2025_11_25, Revision::k2026_07_28})
    EXPECT_EQ(encode_resource(resource, listing_family(revision)),
              titled + R"(,"icons":[{"src":"data:,x"}],"_meta":{"com.example/x":1}})");
}

TEST(EncodeResource, LeavesOutWhatIsNotSaid) {
  auto resource = bare_resource("a:b", "b");
  for (std::size_t family = 0; family < kListingFamilies; ++family)
    EXPECT_EQ(encode_resource(resource, static_cast<ListingFamily>(family)), R"({"uri":"a:b","name":"b"})");
  resource.uri = "a:{id}";
  resource.size = 3;  // a template has none
  resource.uri_template = plugin_runtime::UriTemplate::parse(resource.uri).value();
  EXPECT_EQ(encode_resource(resource, ListingFamily::kIconed), R"({"uriTemplate":"a:{id}","name":"b"})");
}

TEST(EncodePrompt, HasTheFieldsOfItsFamily) {
  plugin_runtime::Prompt prompt{.name = "sum_up", .get = fakes::make_tool("get"), .complete = std::nullopt};
  prompt.title = "Sum up";
  prompt.description = "Sums\nup";
  prompt.icons_json = R"([{"src":"data:,x"}])";
  prompt.meta_json = R"({"com.example/x":1})";
  prompt.arguments = {{"id", "The ticket", "Which", true}, {"tone", "", "", false}};
  for (const auto revision : {Revision::k2024_11_05, Revision::k2025_03_26})
    EXPECT_EQ(encode_prompt(prompt, listing_family(revision)),
              R"({"name":"sum_up","description":"Sums\nup",)"
              R"("arguments":[{"name":"id","description":"Which","required":true},{"name":"tone","required":false}]})");
  const std::string titled = R"({"name":"sum_up","title":"Sum up","description":"Sums\nup",)"
                             R"("arguments":[{"name":"id","title":"The ticket","description":"Which","required":true},)"
                             R"({"name":"tone","required":false}])";
  EXPECT_EQ(encode_prompt(prompt, listing_family(Revision::k2025_06_18)), titled + R"(,"_meta":{"com.example/x":1}})");
  for (const auto revision : {Revision::k2025_11_25, Revision::k2026_07_28})
    EXPECT_EQ(encode_prompt(prompt, listing_family(revision)),
              titled + R"(,"icons":[{"src":"data:,x"}],"_meta":{"com.example/x":1}})");
}

TEST(EncodeReadResult, MayBeKeptByModernClients) {
  constexpr std::string_view kContents =
      R"([{"uri":"a:b","mimeType":"text/plain","text":"t","_meta":{"x":1}},{"uri":"a:c","blob":"AA=="}])";
  for (const auto revision : {Revision::k2025_06_18, Revision::k2025_11_25})
    EXPECT_EQ(encode_read_result(kContents, revision), R"({"contents":)" + std::string(kContents) + "}");
  for (const auto revision : {Revision::k2024_11_05, Revision::k2025_03_26})
    EXPECT_EQ(encode_read_result(kContents, revision),
              R"({"contents":[{"uri":"a:b","mimeType":"text/plain","text":"t"},{"uri":"a:c","blob":"AA=="}]})");
  EXPECT_EQ(encode_read_result(kContents, kModern),
            with_modern_end(R"({"contents":)" + std::string(kContents), R"("ttlMs":7,"cacheScope":"private",)"));
}

TEST(EncodePromptResult, HasOneBlockAMessage) {
  constexpr std::string_view kText = R"({"role":"user","content":{"type":"text","text":"hi"}})";
  constexpr std::string_view kLink =
      R"({"role":"assistant","content":{"type":"resource_link","uri":"a:b","name":"B","icons":[]}})";
  constexpr std::string_view kAudio = R"({"role":"user","content":{"type":"audio","data":"","mimeType":"audio/wav"}})";
  const auto messages = "[" + std::string(kText) + "," + std::string(kLink) + "," + std::string(kAudio) + "]";
  const auto start = R"({"description":"Why","messages":)" + messages;
  EXPECT_EQ(encode_prompt_result("Why", messages, Revision::k2025_11_25), start + "}");
  EXPECT_EQ(encode_prompt_result("Why", messages, kModern), with_modern_end(start));
  EXPECT_EQ(encode_prompt_result("", messages, Revision::k2025_06_18),
            R"({"messages":[)" + std::string(kText) +
                R"(,{"role":"assistant","content":{"type":"resource_link","uri":"a:b","name":"B"}},)" +
                std::string(kAudio) + "]}");
  EXPECT_EQ(encode_prompt_result("", messages, Revision::k2025_03_26),
            R"({"messages":[)" + std::string(kText) +
                R"(,{"role":"assistant","content":{"type":"text","text":"B: a:b"}},)" + std::string(kAudio) + "]}");
  EXPECT_EQ(
      encode_prompt_result("", messages, Revision::k2024_11_05),
      R"json({"messages":[)json" + std::string(kText) +
          R"json(,{"role":"assistant","content":{"type":"text","text":"B: a:b"}},)json"
          R"json({"role":"user","content":{"type":"text","text":"(audio, which this protocol revision cannot carry)"}}]})json");
  EXPECT_EQ(encode_prompt_result("", "[]", Revision::k2025_11_25), R"({"messages":[]})");
}

TEST(EncodeCompletionResult, HasNoCachingHints) {
  for (const auto revision : kLegacy)
    EXPECT_EQ(encode_completion_result(R"({"values":["a"],"hasMore":false})", revision),
              R"({"completion":{"values":["a"],"hasMore":false}})");
  EXPECT_EQ(encode_completion_result(R"({"values":[]})", kModern), with_modern_end(R"({"completion":{"values":[]})"));
}

TEST(EncodeInputRequired, HasWhatIsAskedAndNoCachingHints) {
  const std::array requests{InputRequest{"a", R"("method":"roots/list","params":{})"},
                            InputRequest{"b", R"("method":"x","params":{"y":1})"}};
  EXPECT_EQ(encode_input_required(requests, "state", kModern),
            R"({"inputRequests":{"a":{"method":"roots/list","params":{}},"b":{"method":"x","params":{"y":1}}},)"
            R"("requestState":"state","resultType":"input_required",)" +
                std::string(kServerMeta));
  EXPECT_EQ(encode_input_required({}, "state", Revision::k2026_07_28),
            R"({"requestState":"state","resultType":"input_required"})");
}

TEST(ResourceNotFound, HasTheCodeOfTheRevision) {
  for (const auto revision : kLegacy)
    EXPECT_EQ(encode_error(resource_not_found("1", "a:\"b", revision)),
              R"({"jsonrpc":"2.0","id":1,"error":{"code":-32002,"message":"Resource not found: a:\"b",)"
              R"("data":{"uri":"a:\"b"}}})");
  EXPECT_EQ(
      encode_error(resource_not_found("1", "a:b", Revision::k2026_07_28), Revision::k2026_07_28),
      R"({"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"Resource not found: a:b","data":{"uri":"a:b"}}})");
}

}  // namespace
}  // namespace toolhost::protocol
