#include <gmock/gmock.h>

#include "host_fixture.hpp"

namespace toolhost::plugin_runtime {
namespace {

using testing::AllOf;
using testing::HasSubstr;
namespace fs = std::filesystem;

struct KeptPlugin {
  fs::path file;
  std::string id;
};

/// tests/fixtures/abi-1.MINOR/LANGUAGE.x86_64.so is the plugin abi_1_MINOR_LANGUAGE.
std::vector<KeptPlugin> kept_plugins() {
  std::vector<KeptPlugin> plugins;
  for (const auto& minor : fs::directory_iterator(TOOLHOST_FIXTURES)) {
    if (!minor.is_directory()) continue;
    for (const auto& file : fs::directory_iterator(minor)) {
      if (file.path().extension() != ".so") continue;
      auto id = minor.path().filename().string() + "_" + file.path().stem().stem().string();
      std::replace_if(id.begin(), id.end(), [](char c) { return c == '-' || c == '.'; }, '_');
      plugins.push_back({file.path(), std::move(id)});
    }
  }
  std::sort(plugins.begin(), plugins.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  return plugins;
}

/// Every plugin that was built once and kept, in one host of today. They have the tools of probe.c.
class KeptPlugins : public PluginHostTest, public testing::WithParamInterface<KeptPlugin> {
 protected:
  static test_support::TempPostgres& postgres() { return test_support::TempPostgres::shared(); }
  storage::DatabaseAddress address() override { return postgres().address(); }

  void SetUp() override {
    postgres().fresh_database();
    acme = postgres().add_tenant("acme");
    globex = postgres().add_tenant("globex");
    std::vector<fs::path> files;
    for (const auto& plugin : kept_plugins()) files.push_back(plugin.file);
    start(files, [](PluginHostConfig& config) {
      for (auto& plugin : config.plugins) {
        plugin.settings_json = R"({"greeting":"hello","retries":3})";
        plugin.tenant_settings["tenant-2"] = R"({"greeting":"salut","retries":3})";
      }
    });
    for (const auto& info : host->plugins()) ASSERT_EQ(info.state, "serving") << info.reason;
  }

  ToolResult ask(const std::string& tool, std::string_view arguments, TenantId tenant) {
    const auto registry = host->registry();
    const auto* const found = registry->find(GetParam().id + tool);
    if (found == nullptr) throw std::runtime_error("no tool " + GetParam().id + tool);
    auto call = begin(*found, arguments, tenant, Deadline::never(), {}, [&](ToolCall& made) {
      auto caller = std::make_shared<Caller>(*made.caller);
      caller->members = std::make_shared<const Members>(
          Members{{"ada@acme.com", "Ada Lovelace", Role::kAdmin}, {"bob@acme.com", "Bob", Role::kViewer}});
      made.caller = std::move(caller);
    });
    return call.result.get();
  }
  std::string answer(const std::string& tool, std::string_view arguments = "{}") {
    const auto result = ask(tool, arguments, acme);
    EXPECT_EQ(result.outcome, Outcome::kOk) << tool << " " << result.content_json << " " << result.detail;
    return result.structured_json;
  }

  TenantId acme{}, globex{};
};

TEST_P(KeptPlugins, GetArgumentsOfEveryKindAndGiveThemBack) {
  const std::string all = R"("count":-9007199254740993,"ratio":0.5,"flag":true,"list":["a","\u00e9"])";
  const auto result = ask("_args", R"({"text":"h\u00e9llo \"\ud83d\ude00\"",)" + all + "}", acme);
  EXPECT_EQ(result.structured_json,
            "{\"text\":\"h\u00e9llo \\\"\U0001F600\\\"\",\"count\":-9007199254740993,\"ratio\":0.5,\"flag\":true,"
            "\"list\":[\"a\",\"\u00e9\"],\"more\":false}");
  EXPECT_EQ(result.content_json, "[{\"type\":\"text\",\"text\":\"h\u00e9llo \\\"\U0001F600\\\"\"}]");
  EXPECT_THAT(answer("_args", R"({"text":"","more":"x",)" + all + "}"), HasSubstr(R"("more":true)"));
  EXPECT_EQ(ask("_args", R"({"text":1,)" + all + "}", acme).outcome, Outcome::kInvalidArguments);
}

TEST_P(KeptPlugins, WriteAndReadEveryKindOfValue) {
  EXPECT_EQ(answer("_write", R"({"title":"one"})"), R"({"affected":1})");
  const auto twice = ask("_write", R"({"title":"one"})", acme);
  EXPECT_EQ(twice.outcome, Outcome::kToolError);
  EXPECT_THAT(twice.content_json, HasSubstr("There is a note of that title."));
  EXPECT_EQ(ask("_write", R"({"title":"one"})", globex).outcome, Outcome::kOk) << "of another tenant";
  EXPECT_EQ(answer("_write", R"({"title":"two"})"), R"({"affected":1})");
  const std::string rest =
      R"(,"flag":true,"count":1099511627776,"ratio":0.25,"raw":"raw \u0001","doc":"{\"a\": 1}","at":1700000000123456,"empty":true})";
  EXPECT_EQ(answer("_read"), R"({"notes":[{"title":"one")" + rest + R"(,{"title":"two")" + rest + "]}");
}

TEST_P(KeptPlugins, KnowTheirSettings) {
  EXPECT_EQ(answer("_settings"), R"({"greeting":"hello","retries":3})");
  // caller_of() names tenants by their number.
  ASSERT_EQ(value(globex), 2);
  EXPECT_EQ(ask("_settings", "{}", globex).structured_json, R"({"greeting":"salut","retries":3})");
}

TEST_P(KeptPlugins, SealWhatClientsCarry) {
  const std::string refused = "{\"data\":\"(refused)\"}";
  const auto sealed = answer("_token");
  EXPECT_EQ(answer("_token", sealed), R"({"data":"page 7"})");
  auto bent = sealed;
  auto& letter = bent[bent.size() / 2];
  letter = letter == 'a' ? 'b' : 'a';
  EXPECT_EQ(answer("_token", bent), refused);
  EXPECT_EQ(ask("_token", sealed, globex).structured_json, refused);
}

TEST_P(KeptPlugins, FindPeople) {
  EXPECT_EQ(answer("_people", R"({"text":"lovelace"})"),
            R"({"people":[{"email":"ada@acme.com","name":"Ada Lovelace","role":"admin"}]})");
  EXPECT_THAT(answer("_people", R"({"text":""})"), AllOf(HasSubstr("ada@acme.com"), HasSubstr("bob@acme.com")));
}

TEST_P(KeptPlugins, ReadWhatOthersExport) {
  answer("_write", R"({"title":"seen by all"})");
  const auto views = answer("_views");
  for (const auto& plugin : kept_plugins()) {
    const auto count = plugin.id == GetParam().id ? "1" : "0";
    EXPECT_THAT(views, HasSubstr(R"({"plugin":")" + plugin.id + R"(","titles":)" + count + "}"));
  }
}

TEST_P(KeptPlugins, KnowWhoCalls) {
  EXPECT_EQ(
      answer("_who"),
      R"({"tenant":"tenant-1","principal":"ada@example.com","role":"agent","has_request_id":true,"is_cancelled":false,"attempt":0})");
}

TEST_P(KeptPlugins, RefuseInWords) {
  const auto result = ask("_refuse", "{}", acme);
  EXPECT_EQ(result.outcome, Outcome::kToolError);
  EXPECT_THAT(result.content_json, HasSubstr("There is nothing here."));
  EXPECT_THAT(events.wait_for(GetParam().id, "warning"), HasSubstr("refused on purpose"));
}

INSTANTIATE_TEST_SUITE_P(OfEveryMinor, KeptPlugins, testing::ValuesIn(kept_plugins()),
                         [](const auto& info) { return info.param.id; });

TEST(KeptPluginFiles, AreThereForTwoLanguages) {
  EXPECT_GE(kept_plugins().size(), 2U);
}

}  // namespace
}  // namespace toolhost::plugin_runtime
