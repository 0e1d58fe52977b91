#include <gmock/gmock.h>

#include "host_fixture.hpp"

namespace toolhost::plugin_runtime {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class CatalogOf : public PluginHostTest {
 protected:
  static test_support::TempPostgres& postgres() { return test_support::TempPostgres::shared(); }
  storage::DatabaseAddress address() override { return postgres().address(); }

  void SetUp() override {
    postgres().fresh_database();
    acme = postgres().add_tenant("acme");
    start({test_plugin("catalog"), test_plugin("content")});
    for (const auto& info : host->plugins()) ASSERT_EQ(info.state, "serving") << info.reason;
    registry = host->registry();
  }

  ToolResult call(const Tool& tool, ToolCall::Kind kind, const std::string& target, const std::string& arguments) {
    return begin(tool, arguments, acme, Deadline::never(), {},
                 [&](ToolCall& call) {
                   call.kind = kind;
                   call.target = target;
                 })
        .result.get();
  }
  ToolResult read(const std::string& uri) {
    const auto found = registry->find_resource(uri);
    if (found.resource == nullptr) return {};
    std::string arguments = R"({"uri":")" + uri + R"(","variables":{)";
    for (const auto& [name, value] : found.variables) arguments += '"' + name + R"(":")" + value + '"';
    return call(found.resource->read, ToolCall::Kind::kRead, uri, arguments + "}}");
  }
  ToolResult get(const std::string& name, const std::string& arguments) {
    return call(registry->find_prompt(name)->get, ToolCall::Kind::kPrompt, name, arguments);
  }

  template <class Offers>
  static std::vector<std::string> names(const Offers& offers) {
    std::vector<std::string> found;
    for (const auto* offer : offers) found.push_back(offer->name);
    return found;
  }

  RegistryPtr registry;
  TenantId acme{};
};

TEST_F(CatalogOf, ListsWhatPluginsOffer) {
  EXPECT_THAT(names(registry->resources()), ElementsAre("page", "picture", "self", "written"));
  EXPECT_THAT(names(registry->templates()), ElementsAre("note"));
  EXPECT_THAT(names(registry->prompts()), ElementsAre("greet", "hello", "write_prompt"));
  for (const auto* const plugin : {"catalog", "content"}) EXPECT_TRUE(registry->logs_to_clients(plugin)) << plugin;
  EXPECT_FALSE(registry->logs_to_clients("echo"));
  const auto& page = *registry->find_resource("catalog:/page").resource;
  EXPECT_EQ(page.title, "Page");
  EXPECT_EQ(page.mime_type, "text/plain");
  EXPECT_EQ(page.annotations_json, R"({"audience":["user"]})");
  EXPECT_EQ(page.icons_json, R"([{"src":"https://example.com/page.png"}])");
  EXPECT_EQ(page.meta_json, R"({"a":1})");
  EXPECT_EQ(page.size, 17);
  EXPECT_EQ(page.read.name, "resource:page");
  EXPECT_EQ(page.read.plugin, "catalog");
  EXPECT_TRUE(page.read.read_only);
  const auto& greet = *registry->find_prompt("greet");
  ASSERT_EQ(greet.arguments.size(), 2U);
  EXPECT_TRUE(greet.arguments[0].required);
  EXPECT_FALSE(greet.arguments[1].required);
  EXPECT_EQ(greet.arguments[0].description, "Whom to greet");
  EXPECT_EQ(greet.get.name, "prompt:greet");
  EXPECT_EQ(registry->find_prompt("gree"), nullptr);
  EXPECT_EQ(registry->find_resource("catalog:/nothing").resource, nullptr);
  EXPECT_NE(registry->find_template("catalog:/notes/{id}/text"), nullptr);
}

TEST_F(CatalogOf, NamesWhatEachPluginOffers) {
  const auto plugins = host->plugins();
  ASSERT_EQ(plugins.size(), 2U);
  EXPECT_THAT(plugins[0].tools, ElementsAre("announce_change"));
  EXPECT_THAT(plugins[0].resources, ElementsAre("page", "picture", "written"));
  EXPECT_THAT(plugins[0].templates, ElementsAre("note"));
  EXPECT_THAT(plugins[0].prompts, ElementsAre("greet", "write_prompt"));
  EXPECT_THAT(plugins[1].resources, ElementsAre("self"));
  EXPECT_THAT(plugins[1].prompts, ElementsAre("hello"));
}

TEST_F(CatalogOf, ReadsResources) {
  EXPECT_EQ(read("catalog:/page").content_json,
            R"([{"uri":"catalog:/page","mimeType":"text/plain","text":"page catalog:/page"}])");
  EXPECT_EQ(read("catalog:/picture").content_json,
            R"([{"uri":"catalog:/picture","mimeType":"image/png","blob":"iVBORwA="}])");
  EXPECT_THAT(read("catalog:/notes/17/text").content_json, HasSubstr("note 17"));
  EXPECT_EQ(read("catalog:/notes/none/text").outcome, Outcome::kNotFound);
  EXPECT_EQ(read("content:/self").content_json, R"([{"uri":"content:/self","text":"itself"}])");
}

TEST_F(CatalogOf, LetsNoHandlerOfThemWrite) {
  EXPECT_EQ(read("catalog:/written").outcome, Outcome::kToolError);
  EXPECT_EQ(get("write_prompt", "{}").outcome, Outcome::kToolError);
  EXPECT_EQ(postgres().run_sql("select count(*) from catalog.reads"), "0");
}

TEST_F(CatalogOf, MakesPrompts) {
  const auto made = get("greet", R"({"name":"Ada"})");
  EXPECT_EQ(made.description, "Greets Ada");
  EXPECT_EQ(made.content_json,
            R"([{"role":"user","content":{"type":"text","text":"Greet Ada in a friendly tone."}},)"
            R"({"role":"assistant","content":{"type":"text","text":"Hello Ada"}},)"
            R"({"role":"user","content":{"type":"resource","resource":{"uri":"catalog:/page","mimeType":"text/plain",)"
            R"("text":"embedded"}}}])");
  EXPECT_THAT(get("hello", R"({"name":"C"})").content_json, HasSubstr(R"("text":"C")"));
  for (const auto* arguments : {"{}", R"({"name":1})", R"({"name":"a","other":"b"})"})
    EXPECT_EQ(get("greet", arguments).outcome, Outcome::kInvalidArguments) << arguments;
}

TEST_F(CatalogOf, CompletesArgumentsAndVariables) {
  const auto& note = *registry->find_template("catalog:/notes/{id}/text");
  const auto values =
      call(*note.complete, ToolCall::Kind::kComplete, note.uri, R"({"argument":{"name":"id","value":"1"}})");
  EXPECT_THAT(values.content_json, testing::StartsWith(R"({"values":["id:10","id:11")"));
  EXPECT_THAT(values.content_json, testing::EndsWith(R"("total":150,"hasMore":true})"));
  const auto& greet = *registry->find_prompt("greet");
  EXPECT_EQ(call(*greet.complete, ToolCall::Kind::kComplete, "greet",
                 R"({"argument":{"name":"tone","value":"f"},"context":{"arguments":{"name":"Ada"}}})")
                .content_json,
            R"({"values":["Ada-f"],"hasMore":false})");
  EXPECT_FALSE(registry->find_prompt("hello")->complete);
}

TEST_F(CatalogOf, TellsWhatPluginsAnnounce) {
  std::mutex mutex;
  std::condition_variable told;
  std::uint32_t lists = 0;
  std::vector<std::string> updates;
  host->on_catalog([&](const CatalogChange& change) {
    const std::lock_guard lock(mutex);
    lists |= change.lists;
    if (!change.updated_uri.empty())
      updates.push_back(std::string(change.updated_uri) + (change.tenant == acme ? " acme" : " all"));
    told.notify_all();
  });
  ASSERT_EQ(run("announce_change", R"({"uri":"catalog:/page"})", acme).outcome, Outcome::kOk);
  std::unique_lock lock(mutex);
  EXPECT_TRUE(told.wait_for(lock, std::chrono::seconds(10), [&] { return lists != 0 && updates.size() == 2; }));
  EXPECT_EQ(lists, 5U);
  EXPECT_THAT(updates, testing::UnorderedElementsAre("catalog:/page acme", "catalog:/picture all"));
  lock.unlock();
  host->on_catalog(nullptr);
}

}  // namespace
}  // namespace toolhost::plugin_runtime
