#include <gmock/gmock.h>
#include <sys/stat.h>

#include "host_fixture.hpp"
#include "plugin_runtime/plugin_library.hpp"

namespace toolhost::plugin_runtime {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

class PluginLoading : public PluginHostTest {};

TEST_F(PluginLoading, RefusesAResourceThatAnotherPluginHas) {
  start({test_plugin("content"), test_plugin("twin")});
  EXPECT_EQ(host->plugins().at(0).state, "serving") << refusal();
  EXPECT_THAT(host->plugins().at(1).reason,
              HasSubstr("its uri content:/self exists already, in the plugin content; load only one of the two"));
}

TEST_F(PluginLoading, ServesPluginsOfTwoLanguagesSideBySide) {
  start({test_plugin("echo"), test_plugin("c99")});
  const auto infos = host->plugins();
  ASSERT_EQ(infos.size(), 2U);
  for (const auto& info : infos) EXPECT_EQ(info.state, "serving") << info.reason;
  EXPECT_EQ(infos[0].id, "echo");
  EXPECT_EQ(infos[0].version, "1.0.0");
  EXPECT_EQ(infos[0].sha256.size(), 64U);
  EXPECT_THAT(infos[1].tools, ElementsAre("greet", "list_labels"));
  const auto registry = host->registry();
  EXPECT_EQ(registry->generation(), 1U);
  std::vector<std::string> names;
  for (const auto* tool : registry->tools()) names.push_back(tool->name);
  EXPECT_THAT(names, ElementsAre("echo", "greet", "list_labels"));
  EXPECT_EQ(registry->find("ech"), nullptr);

  const auto echo = run("echo", R"({"text":"h\u00e9llo \ud83d\ude00"})");
  EXPECT_EQ(echo.outcome, Outcome::kOk) << echo.detail;
  EXPECT_EQ(echo.content_json, "[{\"type\":\"text\",\"text\":\"h\u00e9llo \U0001F600\"}]");
  EXPECT_EQ(echo.structured_json, "{\"text\":\"h\u00e9llo \U0001F600\"}");
  EXPECT_EQ(run("greet", R"({"name":"Ada"})").structured_json, R"({"greeted":"Ada"})");
  EXPECT_EQ(run("list_labels", R"({"labels":{"b":"1","a":"2"}})").structured_json, R"({"labels":["b","a"],"count":2})");
  EXPECT_EQ(run("greet", R"({"name":""})").outcome, Outcome::kToolError);
  EXPECT_EQ(run("greet", R"({})").outcome, Outcome::kInvalidArguments);
}

TEST_F(PluginLoading, LoadsFromAnImmutableCopy) {
  start({test_plugin("echo")});
  const auto stored = directory.path() / "store" / host->plugins()[0].sha256 / "echo.so";
  struct stat status{};
  ASSERT_EQ(stat(stored.c_str(), &status), 0) << stored;
  EXPECT_EQ(status.st_mode & 07777, 0444U);
}

TEST_F(PluginLoading, StartsTheSamePluginAgainInOneProcess) {
  for (int i = 0; i < 3; ++i) {
    start({test_plugin("echo")});
    EXPECT_EQ(run("echo", R"({"text":"again"})").outcome, Outcome::kOk);
    host->stop(std::chrono::milliseconds(100));
    EXPECT_EQ(run("echo", R"({"text":"again"})").outcome, Outcome::kUnavailable) << "stopped";
  }
}

struct Misfit {
  const char* plugin;
  const char* reason;
  const char* cure;
};

class RefusedPlugin : public PluginHostTest, public testing::WithParamInterface<Misfit> {};

TEST_P(RefusedPlugin, IsNamedWithReasonAndCureWhileOthersServe) {
  start({test_plugin(GetParam().plugin), test_plugin("echo")});
  const auto infos = host->plugins();
  EXPECT_EQ(infos[0].state, "refused");
  EXPECT_THAT(infos[0].reason, AllOf(HasSubstr(std::string(GetParam().plugin) + ".so: "), HasSubstr(GetParam().reason),
                                     HasSubstr(GetParam().cure)));
  EXPECT_TRUE(infos[0].tools.empty());
  EXPECT_EQ(infos[1].state, "serving") << infos[1].reason;
  EXPECT_EQ(run("echo", R"({"text":"fine"})").outcome, Outcome::kOk);
}

INSTANTIATE_TEST_SUITE_P(
    Misfits, RefusedPlugin,
    testing::Values(
        Misfit{"newer_abi", "newer_abi 1.0.0 needs plugin ABI 1.99, this host offers 1.1",
               "upgrade the host or use newer_abi < 1.0.0"},
        Misfit{"card_id_differs", "its card says card_id_differs 1.0.0, but its definition says another_id 1.0.0",
               "same macro"},
        Misfit{"bad_schema", "tool bad_schema: input_schema is not usable", "input_schema"},
        Misfit{"entry_fails", "its entry point answered -4", "log lines before this one say why"},
        Misfit{"tiny_def", "its definition has struct_size 4", "sizeof of the struct in toolhost/plugin.h"},
        Misfit{"future_def", "its definition uses fields that this host (plugin ABI 1.1) does not know",
               "upgrade the host"},
        Misfit{"stray_export", "exports the stray symbol 'misfit_stray_symbol'", "link it with toolhost_plugin.map"},
        Misfit{"links_libpq", "needs the library libpq.so.5, which plugins may not load", "link it statically"},
        Misfit{"no_card", "carries no identity card", "TH_PLUGIN"}),
    [](const auto& info) { return std::string(info.param.plugin); });

TEST_F(PluginLoading, ServesPluginsThatNeedIcu) {
  start({test_plugin("links_icu")});
  EXPECT_EQ(refusal(), "");
  EXPECT_EQ(run("links_icu", "{}").outcome, Outcome::kOk);
}

TEST_F(PluginLoading, RefusesTheLaterOfTwoPluginsWithOneTool) {
  start({test_plugin("echo"), test_plugin("duplicate_tool")});
  EXPECT_EQ(host->plugins()[0].state, "serving");
  EXPECT_THAT(host->plugins()[1].reason,
              HasSubstr("its tool echo exists already, in the plugin echo; load only one of the two"));
}

TEST_F(PluginLoading, RefusesAPluginThatIsListedTwice) {
  start({test_plugin("echo"), test_plugin("echo")});
  EXPECT_THAT(host->plugins()[1].reason, HasSubstr("a plugin with the id echo is loaded already; list it once"));
}

TEST_F(PluginLoading, RefusesATruncatedFile) {
  const auto file = directory.path() / "cut.so";
  std::filesystem::copy_file(test_plugin("echo"), file);
  std::filesystem::resize_file(file, std::filesystem::file_size(file) / 2);
  start({file});
  EXPECT_THAT(refusal(),
              AllOf(HasSubstr("cut.so: "), HasSubstr("past its end"), HasSubstr("copy it again or rebuild it")));
}

TEST_F(PluginLoading, RefusesFilesThatOthersCanReplace) {
  const auto inner = directory.path() / "plugins";
  std::filesystem::create_directory(inner);
  const auto file = inner / "echo.so";
  std::filesystem::copy_file(test_plugin("echo"), file);
  chmod(file.c_str(), 0666);
  start({file});
  EXPECT_THAT(refusal(), HasSubstr("can be written by other users, who could replace the plugin; run: chmod go-w '" +
                                   file.string() + "'"));
  chmod(file.c_str(), 0644);
  chmod(inner.c_str(), 0777);
  start({file});
  EXPECT_THAT(refusal(), HasSubstr("chmod go-w '" + inner.string() + "'"));
  chmod(inner.c_str(), 0755);
  start({file});
  EXPECT_EQ(refusal(), "");
}

TEST_F(PluginLoading, SaysThatAFileIsMissing) {
  start({directory.path() / "none.so"});
  EXPECT_THAT(refusal(), AllOf(HasSubstr("none.so: cannot be read"), HasSubstr("check the path")));
}

TEST_F(PluginLoading, RefusesSettingsForAPluginThatTakesNone) {
  start({test_plugin("echo")}, [](PluginHostConfig& config) { config.plugins[0].settings_json = R"({"url":"x"})"; });
  EXPECT_THAT(refusal(), HasSubstr("it takes no settings; remove them"));
}

TEST_F(PluginLoading, ReportsWhatItLoadedAndWhatItRefused) {
  start({test_plugin("echo"), test_plugin("stray_export")});
  EXPECT_THAT(events.wait_for("echo", "loaded"),
              AllOf(HasSubstr("echo 1.0.0"), HasSubstr("echo.so"), HasSubstr("1 tool")));
  EXPECT_THAT(events.wait_for("stray_export", "file"), HasSubstr("stray symbol"));
}

TEST_F(PluginLoading, LeavesTheHostToAPluginWhoseThreadsGoOn) {
  start({test_plugin("restless")});
  EXPECT_NE(events.wait_for("restless", "info"), "");
  host->stop(std::chrono::milliseconds(0));
  EXPECT_THAT(events.wait_for("restless", "quiesce"), HasSubstr("the instance is left alive"));
  host.reset();
  // Its thread logs every millisecond: AddressSanitizer ends the program when there is no host any more.
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
}

TEST_F(PluginLoading, NeedsASealingKey) {
  PluginHostConfig config;
  config.store_directory = directory.path();
  const auto started = PluginHost::start(std::move(config), address(), events);
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, Errc::kMisuse);
}

TEST(InspectPluginFile, ReadsAFileWithoutRunningIt) {
  const auto info = inspect_plugin_file(test_plugin("entry_fails"));
  ASSERT_TRUE(info) << info.error().message;
  EXPECT_EQ(info->id, "entry_fails");
  EXPECT_EQ(info->state, "not loaded");
  EXPECT_FALSE(inspect_plugin_file(test_plugin("no_card")));
}

class FailingHandlers : public PluginHostTest {};

TEST_F(FailingHandlers, ThatThrowAreContained) {
  start({test_plugin("throwing")});
  for (const char* tool : {"throw_exception", "throw_int"}) {
    const auto result = run(tool, "{}");
    EXPECT_EQ(result.outcome, Outcome::kInternal);
    EXPECT_THAT(result.content_json, AllOf(HasSubstr("request-1"), testing::Not(HasSubstr("secret"))));
  }
  EXPECT_THAT(events.wait_for("throwing", "error"), HasSubstr("that is no std::exception"));
  const auto result = run("throw_error", "{}");
  EXPECT_EQ(result.outcome, Outcome::kToolError);
  EXPECT_THAT(result.content_json, HasSubstr("There is no such thing."));
}

TEST_F(FailingHandlers, ThatBreakTheirOutputSchemaAreReported) {
  start({test_plugin("bad_output")});
  const auto result = run("bad_output", "{}");
  EXPECT_EQ(result.outcome, Outcome::kInternal);
  EXPECT_THAT(events.wait_for("bad_output", "output-schema"), HasSubstr("/count"));
}

TEST_F(FailingHandlers, ThatPushTooMuchKeepTheLimit) {
  start({test_plugin("huge_result")}, [](PluginHostConfig& config) { config.max_result_bytes = 200'000; });
  const auto result = run("huge_result", R"({"bytes":1073741824})");
  EXPECT_EQ(result.outcome, Outcome::kOk);
  EXPECT_LE(result.content_json.size(), 200'001U);
}

TEST_F(FailingHandlers, ThatBlockWhereTheyMustNotAreMovedToTheWorkers) {
  start({test_plugin("slow")});
  run("stall", R"({"ms":20})");
  run("stall", R"({"ms":20})");
  EXPECT_THAT(events.wait_for("slow", "nonblocking-overstay"), HasSubstr("tool stall declares that it never blocks"));
  const auto began = std::chrono::steady_clock::now();
  auto running = begin("stall", R"({"ms":300})");
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::milliseconds(200)) << "the caller was held up";
  EXPECT_EQ(running.result.get().outcome, Outcome::kOk);
}

TEST_F(FailingHandlers, ThatSleepAreCancelled) {
  start({test_plugin("slow")});
  auto running = begin("sleep", R"({"ms":60000})");
  running.call->cancel();
  EXPECT_EQ(running.result.get().outcome, Outcome::kCancelled);
  EXPECT_EQ(begin("sleep", R"({"ms":60000})", TenantId{1}, Deadline::after(std::chrono::milliseconds(20)))
                .result.get()
                .outcome,
            Outcome::kCancelled)
      << "its own word for a deadline";
}

TEST_F(FailingHandlers, ThatIgnoreTheirDeadlineLoseTheirThreadAndThenTheirPlugin) {
  start({test_plugin("slow")}, [](PluginHostConfig& config) {
    config.workers = 1;
    config.lost_worker_grace = std::chrono::milliseconds(20);
    config.max_lost_workers = 2;
  });
  const auto soon = [] { return Deadline::after(std::chrono::milliseconds(10)); };
  EXPECT_EQ(begin("spin", R"({"ms":2000})", TenantId{1}, soon()).result.get().outcome, Outcome::kTimeout);
  EXPECT_NE(events.wait_for("slow", "overstay"), "");
  EXPECT_EQ(run("sleep", R"({"ms":1})").outcome, Outcome::kOk) << "on the thread that replaced it";
  EXPECT_EQ(begin("spin", R"({"ms":2000})", TenantId{1}, soon()).result.get().outcome, Outcome::kTimeout);
  EXPECT_NE(events.wait_for("slow", "quarantined"), "");
  EXPECT_EQ(run("sleep", R"({"ms":1})").outcome, Outcome::kUnavailable);
  EXPECT_EQ(host->plugins()[0].state, "quarantined");
}

TEST_F(FailingHandlers, HoldUpNoOtherTenant) {
  start({test_plugin("slow")}, [](PluginHostConfig& config) { config.workers = 4; });
  std::vector<Running> flood;
  for (int i = 0; i < 200; ++i) flood.push_back(begin("sleep", R"({"ms":60000})", TenantId{1}));
  for (int i = 0; i < 50; ++i) {
    auto call = begin("sleep", R"({"ms":1})", TenantId{2});
    ASSERT_EQ(call.result.wait_for(std::chrono::seconds(5)), std::future_status::ready) << "it waits behind the flood";
    EXPECT_EQ(call.result.get().outcome, Outcome::kOk);
  }
  const auto loads = host->load();
  ASSERT_EQ(loads.size(), 1U);
  EXPECT_EQ(loads[0].id, "slow");
  EXPECT_EQ(loads[0].queued, 197U);
  EXPECT_EQ(loads[0].max_workers, 4U);
  for (auto& call : flood) call.call->cancel();
  for (auto& call : flood) EXPECT_EQ(call.result.get().outcome, Outcome::kCancelled);
}

TEST_F(FailingHandlers, AreRefusedWhenTheQueueIsFull) {
  start({test_plugin("slow")}, [](PluginHostConfig& config) {
    config.workers = 1;
    config.max_queued_calls = 1;
  });
  // One runs and one waits; whether the second is the one that waits depends on how soon the worker takes the first.
  std::vector<Running> running;
  while (running.size() < 4) {
    running.push_back(begin("sleep", R"({"ms":60000})"));
    if (running.back().result.wait_for(std::chrono::milliseconds(100)) == std::future_status::ready) break;
  }
  ASSERT_LT(running.size(), 4U);
  const auto result = running.back().result.get();
  EXPECT_EQ(result.outcome, Outcome::kLimit);
  EXPECT_THAT(result.content_json, HasSubstr("Try again in a few seconds"));
  for (auto& call : running) call.call->cancel();
}

}  // namespace
}  // namespace toolhost::plugin_runtime
