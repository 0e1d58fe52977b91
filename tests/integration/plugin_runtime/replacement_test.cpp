#include <gmock/gmock.h>

#include <atomic>
#include <set>
#include <thread>

#include "host_fixture.hpp"

namespace toolhost::plugin_runtime {
namespace {

using std::chrono::milliseconds;
using testing::AllOf;
using testing::AnyOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

/// versions_N.so are versions of one plugin, which is put in place as an operator does it: by renaming.
class Replacement : public PluginHostTest {
 protected:
  static test_support::TempPostgres& postgres() { return test_support::TempPostgres::shared(); }
  storage::DatabaseAddress address() override { return postgres().address(); }

  void SetUp() override {
    postgres().fresh_database();
    acme = postgres().add_tenant("acme");
  }
  [[nodiscard]] std::filesystem::path file() const { return directory.path() / "versions.so"; }
  void put(const std::filesystem::path& from) const {
    const auto next = directory.path() / "versions.so.next";
    std::filesystem::copy_file(from, next, std::filesystem::copy_options::overwrite_existing);
    std::filesystem::rename(next, file());
  }
  void put(int version) const { put(test_plugin("versions_" + std::to_string(version))); }

  void serve(
      int version, const std::vector<std::string>& others = {},
      const std::function<void(PluginHostConfig&)>& tune = [](auto&) {}) {
    put(version);
    std::vector<std::filesystem::path> files{file()};
    for (const auto& name : others) files.push_back(test_plugin(name));
    start(files, tune);
  }
  Result<PluginReplacement> replace(const PluginPins& wanted = {}) { return host->replace_plugin("versions", wanted); }
  PluginReplacement replace_by(int version) {
    put(version);
    auto replaced = replace();
    EXPECT_TRUE(replaced) << replaced.error().message;
    return replaced ? *replaced : PluginReplacement();
  }
  std::string text_of(const ToolResult& result) {
    return result.outcome == Outcome::kOk ? result.content_json : to_string(result.outcome) + (" " + result.detail);
  }
  std::string which() { return text_of(run("which", "{}", acme)); }
  static std::string said(int version) { return R"([{"type":"text","text":")" + std::to_string(version) + R"("}])"; }
  /// Waits until no instance that was replaced is left.
  void wait_for_retired() {
    for (int i = 0; i < 1'000 && host->load().at(0).retiring > 0; ++i) std::this_thread::sleep_for(milliseconds(10));
    EXPECT_EQ(host->load().at(0).retiring, 0U);
  }

  TenantId acme{};
};

TEST_F(Replacement, TakesTheCallsThatBeginAfterIt) {
  serve(1);
  EXPECT_EQ(which(), said(1));
  auto lingering = begin("linger", R"({"ms":400})", acme);
  const auto replaced = replace_by(2);
  EXPECT_EQ(replaced.version_before, "1.0.0");
  EXPECT_EQ(replaced.version, "2.0.0");
  EXPECT_EQ(replaced.generation, 2U);
  EXPECT_EQ(replaced.running, 1U);
  EXPECT_EQ(replaced.versions, host->load().at(0).versions);
  EXPECT_GT(replaced.mapped_bytes, 10'000U);
  EXPECT_EQ(which(), said(2));
  EXPECT_EQ(host->load().at(0).retiring, 1U);
  EXPECT_EQ(text_of(lingering.result.get()), said(1));
  wait_for_retired();
  EXPECT_EQ(host->plugins().at(0).version, "2.0.0");
}

TEST_F(Replacement, TellsWhatClientsSeeOtherwise) {
  serve(1);
  std::promise<std::uint32_t> told;
  host->on_catalog([&](const CatalogChange& change) { told.set_value(change.lists); });
  const auto changes = replace_by(2).changes;
  EXPECT_THAT(changes, Contains("tool only_old is gone"));
  EXPECT_THAT(changes, Contains(HasSubstr(R"(tool only_new is new: {"name":"only_new",)")));
  EXPECT_THAT(changes, Contains(R"(tool note: description: "Notes." -> "Notes something.")"));
  EXPECT_THAT(changes, Contains("tool note: inputSchema/properties/text/maxLength: 100 -> 200"));
  EXPECT_EQ(changes.size(), 7U) << testing::PrintToString(changes);
  EXPECT_EQ(told.get_future().get(), 1U);  // the tools, once
  host->on_catalog(nullptr);
}

TEST_F(Replacement, OfTheSameFileIsANewInstanceThatNobodyHearsOf) {
  serve(1);
  std::atomic<int> told{0};
  host->on_catalog([&](const CatalogChange&) { ++told; });
  const auto replaced = replace_by(1);
  EXPECT_TRUE(replaced.same_file);
  EXPECT_THAT(replaced.changes, IsEmpty());
  EXPECT_EQ(which(), said(1));
  std::this_thread::sleep_for(milliseconds(200));
  EXPECT_EQ(told, 0);
  host->on_catalog(nullptr);
}

TEST_F(Replacement, ThatIsRefusedLeavesTheOldOneServing) {
  serve(1, {"echo"});
  put(4);
  EXPECT_THAT(replace().error().message, HasSubstr("create() answered -12"));
  put(test_plugin("bad_schema"));
  EXPECT_THAT(replace().error().message, HasSubstr("its id is bad_schema, not versions"));
  put(test_plugin("echo"));
  EXPECT_THAT(replace().error().message, HasSubstr("its id is echo, not versions"));
  {
    std::ofstream(file()) << "no plugin";
  }
  EXPECT_FALSE(replace());
  std::filesystem::remove(file());
  EXPECT_THAT(replace().error().message, HasSubstr("cannot be read"));
  EXPECT_EQ(host->replace_plugin("version", {}).error().message,
            "there is no plugin version; there is: versions, echo");
  EXPECT_EQ(which(), said(1));
  EXPECT_EQ(host->registry()->generation(), 1U);
  EXPECT_EQ(host->load().at(0).retiring, 0U);
  EXPECT_EQ(replace_by(2).version, "2.0.0");
}

TEST_F(Replacement, IsHeldToTheOffersThatTheConfigurationWants) {
  serve(1);
  const auto hash = host->plugins().at(0).offers_sha256;
  EXPECT_EQ(hash.size(), 64U);
  put(2);
  PluginPins wanted{.offers_sha256 = hash};
  const auto refused = replace(wanted);
  EXPECT_THAT(refused.error().message, AllOf(HasSubstr(hash), HasSubstr("--dry-run")));
  EXPECT_EQ(which(), said(1));
  put(1);
  EXPECT_TRUE(replace(wanted));
  put(2);
  const auto store = directory.path() / "store-of-another";
  wanted.offers_sha256 = hash_of(describe_plugin_file(file(), store).value().offers);
  EXPECT_TRUE(replace(wanted));
  EXPECT_EQ(which(), said(2));
}

TEST_F(Replacement, AlsoMendsWhatWasRefusedAtTheStart) {
  serve(4);
  EXPECT_THAT(refusal(), HasSubstr("create() answered"));
  const auto replaced = replace_by(2);
  EXPECT_EQ(replaced.version_before, "");
  EXPECT_EQ(which(), said(2));
  EXPECT_EQ(host->plugins().at(0).state, "serving");
  EXPECT_EQ(refusal(), "");
}

TEST_F(Replacement, RunsCallsThatWereOnTheirWayInTheNewInstance) {
  serve(1);
  const auto registry = host->registry();  // as a call that was looked up before
  replace_by(2);
  wait_for_retired();
  const auto late = [&](const char* tool) { return begin(*registry->find(tool), R"({"text":"x"})", acme); };
  EXPECT_EQ(text_of(late("note").result.get()), said(2));
  auto call = begin(*registry->find("which"), "{}", acme);
  EXPECT_EQ(text_of(call.result.get()), said(2));
  const auto gone = begin(*registry->find("only_old"), "{}", acme).result.get();
  EXPECT_EQ(gone.outcome, Outcome::kUnavailable);
  EXPECT_THAT(gone.content_json, HasSubstr("was replaced meanwhile"));
}

TEST_F(Replacement, GoesOnWithCallsWhoseClientIsBeingAsked) {
  serve(1);
  client = std::make_shared<FakeClient>();
  const auto registry = host->registry();
  const auto asked = run("close", R"({"text":"T-1"})", acme);
  ASSERT_EQ(asked.outcome, Outcome::kInputRequired) << asked.detail;
  replace_by(2);
  wait_for_retired();
  answers.by_key["sure"] = R"({"action":"accept","content":{"ok":true}})";
  ++answers.round;
  const auto done = begin(*registry->find("close"), R"({"text":"T-1"})", acme).result.get();
  EXPECT_EQ(done.structured_json, R"({"closed":true,"version":"2"})") << done.content_json;
}

TEST_F(Replacement, LosesNoCallUnderLoad) {
  serve(1);
  std::atomic<bool> running{true};
  std::atomic<int> noted{0};
  std::mutex mutex;
  std::set<std::string> failures;
  const auto work = [&] {
    while (running) {
      for (const auto* tool : {"which", "note", "linger"}) {
        const bool is_note = std::string_view(tool) == "note";
        const auto result = run(tool, is_note ? R"({"text":"x"})" : tool[0] == 'l' ? R"({"ms":3})" : "{}", acme);
        if (is_note && result.outcome == Outcome::kOk) ++noted;
        if (result.content_json == said(1) || result.content_json == said(2)) continue;
        const std::lock_guard lock(mutex);
        failures.insert(tool + (" " + text_of(result)) + result.content_json);
      }
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 16; ++i) threads.emplace_back(work);
  for (int round = 0; round < 40; ++round) {
    put(round % 2 == 0 ? 2 : 1);
    const auto replaced = replace();
    // Eight that still end their calls are the most.
    if (!replaced) {
      EXPECT_THAT(replaced.error().message, HasSubstr("still end their calls"));
      std::this_thread::sleep_for(milliseconds(20));
    }
  }
  running = false;
  for (auto& thread : threads) thread.join();
  EXPECT_THAT(failures, IsEmpty());
  EXPECT_GT(noted, 0);
  EXPECT_EQ(postgres().run_sql("select count(*) from versions.notes"), std::to_string(noted));
  wait_for_retired();
}

TEST_F(Replacement, NeverRunsAJobTwiceAtATime) {
  serve(1, {}, [this](PluginHostConfig& config) {
    config.job_callers = [this] {
      auto caller = std::make_shared<Caller>(*caller_of(acme));
      caller->role = Role::kAdmin;
      return std::vector<CallerPtr>{caller};
    };
  });
  const auto ran = [](const std::string& version) {
    for (int i = 0; i < 1'000; ++i) {
      if (postgres().run_sql("select count(*) > 2 from versions.runs where version = '" + version + "'") == "t")
        return true;
      std::this_thread::sleep_for(milliseconds(10));
    }
    return false;
  };
  ASSERT_TRUE(ran("1"));
  for (int round = 0; round < 10; ++round) {
    replace_by(round % 2 == 0 ? 2 : 1);
    std::this_thread::sleep_for(milliseconds(15));
  }
  replace_by(2);
  ASSERT_TRUE(ran("2"));
  host->stop(milliseconds(1'000));
  EXPECT_EQ(postgres().run_sql("select count(*) from versions.runs a join versions.runs b on a.id < b.id and "
                               "a.ended > b.began and a.began < b.ended"),
            "0");
}

TEST_F(Replacement, GivesReadersANewInstanceWhenTheyMayReadMore) {
  serve(1, {"library", "reader"});
  const auto views = [&] { return run("list_views", "{}", acme).structured_json; };
  EXPECT_THAT(views(), Not(HasSubstr("versions")));
  const auto replaced = replace_by(3);
  EXPECT_THAT(replaced.with, ElementsAre("com.acme.reader"));
  EXPECT_THAT(views(), HasSubstr(R"(versions \"versions\".\"titles\")"));
  ASSERT_EQ(run("note", R"({"text":"Emma"})", acme).outcome, Outcome::kOk);
  EXPECT_EQ(run("read", R"({"sql":"select title from versions.titles"})", acme).structured_json,
            R"({"texts":["Emma"]})");
}

TEST_F(Replacement, MigratesBeforeItGrantsWhateverTheOrderOfTheConfiguration) {
  put(1);
  start({test_plugin("reader"), test_plugin("library"), file()});
  EXPECT_THAT(replace_by(3).with, ElementsAre("com.acme.reader"));
  EXPECT_THAT(run("list_views", "{}", acme).structured_json, HasSubstr("versions"));
  const auto infos = host->plugins();
  EXPECT_EQ(infos.at(0).tools.size(), 2U) << "each once: " << testing::PrintToString(infos.at(0).tools);
}

TEST_F(Replacement, LeavesOldInstancesWhatTheyRead) {
  serve(1, {"library", "reader"});
  auto lingering = begin("linger", R"({"ms":1500})", acme);
  for (int round = 0; round < 3; ++round) EXPECT_TRUE(host->replace_plugin("com.acme.reader", {}));
  EXPECT_EQ(run("read", R"({"sql":"select count(*)::text from library.titles"})", acme).structured_json,
            R"({"texts":["0"]})");
  EXPECT_EQ(text_of(lingering.result.get()), said(1));
}

TEST_F(Replacement, EndsWithTheHostWhateverStillRuns) {
  serve(1);
  auto lingering = begin("linger", R"({"ms":20000})", acme);
  replace_by(2);
  const auto before = std::chrono::steady_clock::now();
  host->stop(milliseconds(100));
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(5));
  EXPECT_NE(lingering.result.get().outcome, Outcome::kInternal);
  EXPECT_EQ(replace().error().message, "the host is stopping; start it anew");
}

}  // namespace
}  // namespace toolhost::plugin_runtime
