#include "app/scratch_host.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <set>

#include "support/temp_postgres.hpp"

namespace toolhost::app {
namespace {

namespace fs = std::filesystem;
using plugin_runtime::Outcome;
using Kind = plugin_runtime::ToolCall::Kind;

constexpr const char* kTickets = TOOLHOST_PLUGIN_DIR "/tickets.so";

test_support::NullEvents no_events;

/// With a temporary directory of their own: other tests run at the same time.
class ScratchHostTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    std::string name = fs::temp_directory_path() / "toolhost-test-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    directory = name;
    ASSERT_EQ(::setenv("TMPDIR", name.c_str(), 1), 0);
  }
  static void TearDownTestSuite() {
    ::unsetenv("TMPDIR");
    std::error_code ignored;
    fs::remove_all(directory, ignored);
  }

  static std::set<std::string> scratch_directories() {
    std::set<std::string> found;
    for (const auto& entry : fs::directory_iterator(directory)) found.insert(entry.path().filename());
    return found;
  }

  static inline fs::path directory;
};

TEST_F(ScratchHostTest, ServesAPluginFromAServerOfItsOwnAndLeavesNothing) {
  auto host = ScratchHost::start({.plugins = {{.file = kTickets}}}, no_events);
  ASSERT_TRUE(host) << host.error().message << host.error().detail;
  ASSERT_TRUE((*host)->add_tenant("acme", "Europe/Berlin", {{.email = "ana@acme.com", .name = "Ana"}}));
  const auto ana = (*host)->caller("acme", "ANA@acme.com").value();
  EXPECT_EQ(ana->principal, "ana@acme.com");
  const auto created = (*host)->call({.name = "create_ticket", .arguments = R"({"title":"Broken"})"}, ana);
  ASSERT_TRUE(created) << created.error().message;
  EXPECT_EQ(created->outcome, Outcome::kOk) << created->content_json;
  EXPECT_NE(created->structured_json.find("Broken"), std::string::npos);

  const auto viewer = (*host)->caller("acme", "vera@acme.com", Role::kViewer).value();
  const auto refused = (*host)->call({.name = "create_ticket", .arguments = R"({"title":"No"})"}, viewer);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kDenied);
  const auto unknown = (*host)->call({.name = "create_tikcet"}, ana);
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().message, "there is no tool create_tikcet; did you mean create_ticket?");
  EXPECT_FALSE((*host)->caller("nobody", "ana@acme.com"));
  EXPECT_EQ((*host)->call({.name = "create_ticket", .arguments = "[]"}, ana).error().code, Errc::kInvalidArgument);
  host->reset();
  EXPECT_TRUE(scratch_directories().empty());
}

TEST_F(ScratchHostTest, RemovesWhatKilledProcessesLeftBehind) {
  const auto make = [](const std::string& name) {
    const auto made = directory / ("toolhost-scratch-" + name);
    fs::create_directories(made / "postgres");
    return made;
  };
  const auto abandoned = make("abandoned");
  const auto young = make("young");
  fs::last_write_time(abandoned, fs::file_time_type::clock::now() - std::chrono::hours(1));
  const auto host = ScratchHost::start({.database = test_support::TempPostgres::shared().fresh_database()}, no_events);
  ASSERT_TRUE(host) << host.error().message;
  EXPECT_FALSE(fs::exists(abandoned));
  EXPECT_TRUE(fs::exists(young)) << "its process may not have locked it yet";
  fs::remove_all(young);
}

TEST_F(ScratchHostTest, UsesADatabaseThatThereIs) {
  auto& postgres = test_support::TempPostgres::shared();
  auto host = ScratchHost::start({.plugins = {{.file = kTickets}}, .database = postgres.fresh_database()}, no_events);
  ASSERT_TRUE(host) << host.error().message << host.error().detail;
  ASSERT_TRUE((*host)->add_tenant("acme"));
  ASSERT_TRUE((*host)->add_tenant("acme"));  // it is there
  const auto ana = (*host)->caller("acme", "ana@acme.com").value();
  EXPECT_TRUE((*host)->call({.name = "create_ticket", .arguments = R"({"title":"Broken"})"}, ana));
  host->reset();
  EXPECT_EQ(postgres.run_sql("select count(*) from tickets.tickets"), "1");
}

TEST_F(ScratchHostTest, APluginThatIsRefusedFailsTheStartWithItsReason) {
  const auto host = ScratchHost::start({.plugins = {{.file = kTickets, .settings_json = R"({"no_such":1})"}},
                                        .database = test_support::TempPostgres::shared().fresh_database()},
                                       no_events);
  ASSERT_FALSE(host);
  EXPECT_EQ(host.error().code, Errc::kInvalidArgument);
  EXPECT_NE(host.error().message.find("no_such"), std::string::npos) << host.error().message;
  EXPECT_TRUE(scratch_directories().empty());
}

TEST_F(ScratchHostTest, TimeAndIdsFollowFromWhatTheyAreSetTo) {
  using Moment = plugin_runtime::SteppedTime::Moment;
  auto host = ScratchHost::start({.plugins = {{.file = kTickets}}, .steps_time = true}, no_events);
  ASSERT_TRUE(host) << host.error().message << host.error().detail;
  const Moment start(std::chrono::sys_days{std::chrono::year(2026) / 3 / 1} + std::chrono::hours(9));
  const auto story = [&](const std::string& tenant) {
    EXPECT_TRUE((*host)->set_time(start, 7));
    EXPECT_TRUE((*host)->add_tenant(tenant));
    const auto ana = (*host)->caller(tenant, "ana@acme.com").value();
    const auto run = [&](const char* tool, const char* arguments) {
      const auto result = (*host)->call({.name = tool, .arguments = arguments}, ana);
      return result ? result->structured_json + result->content_json : result.error().message;
    };
    auto answers = run("create_ticket", R"({"title":"Broken"})") + run("create_ticket", R"({"title":"Torn"})");
    EXPECT_TRUE((*host)->advance(std::chrono::minutes(5)));
    return answers + run("create_ticket", R"({"title":"Lost"})") + run("list_tickets", "{}");
  };
  const auto first = story("first");
  EXPECT_NE(first.find("2026-03-01T09:00:00"), std::string::npos) << first;
  EXPECT_NE(first.find("2026-03-01T09:05:00"), std::string::npos) << first;
  EXPECT_EQ(story("second"), first);
}

TEST_F(ScratchHostTest, AsksTheClientForWhatItHasAnswersTo) {
  auto host = ScratchHost::start({.plugins = {{.file = TOOLHOST_TEST_PLUGINS "/ask.so"}},
                                  .database = test_support::TempPostgres::shared().fresh_database()},
                                 no_events);
  ASSERT_TRUE(host) << host.error().message << host.error().detail;
  ASSERT_TRUE((*host)->add_tenant("acme"));
  const auto ana = (*host)->caller("acme", "ana@acme.com").value();
  const ScratchHost::Request silent{.name = "close_ticket", .arguments = R"({"title":"T-1"})"};
  const auto asked = (*host)->call(silent, ana);
  ASSERT_TRUE(asked) << asked.error().message;
  EXPECT_EQ(asked->outcome, Outcome::kToolError) << asked->content_json;
  auto answered = silent;
  answered.answers["confirm"] = R"({"action":"accept","content":{"ok":true}})";
  const auto closed = (*host)->call(answered, ana);
  ASSERT_TRUE(closed) << closed.error().message;
  EXPECT_EQ(closed->outcome, Outcome::kOk) << closed->content_json;
}

}  // namespace
}  // namespace toolhost::app
