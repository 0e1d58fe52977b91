#include <gmock/gmock.h>

#include "host_fixture.hpp"

namespace toolhost::plugin_runtime {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

/// workshop.so asks for what minor 1 offers beyond content and questions.
class Workshop : public PluginHostTest {};

TEST_F(Workshop, ReadsTheSecretsThatTheConfigurationGrants) {
  start({test_plugin("workshop")}, [](PluginHostConfig& config) {
    config.plugins[0].secrets["smtp"] = std::make_shared<const Secret>(std::string("hunter2"));
  });
  EXPECT_EQ(run("use_secret", R"({"name":"smtp"})").structured_json, R"({"text":"hunter2"})");
  EXPECT_THAT(events.wait_for("workshop", "warning"),
              AllOf(HasSubstr("used [secret smtp]"), Not(HasSubstr("hunter2"))));
  const auto denied = run("use_secret", R"({"name":"other"})");
  EXPECT_TRUE(denied.is_error);
  EXPECT_THAT(denied.content_json, HasSubstr("no secret of that name"));
}

TEST_F(Workshop, CountsUnderItsOwnName) {
  start({test_plugin("workshop"), test_plugin("echo")}, [](PluginHostConfig& config) {
    config.plugins[0].secrets["smtp"] = std::make_shared<const Secret>(std::string("hunter2"));
  });
  for (int i = 0; i < 3; ++i) run("use_secret", R"({"name":"smtp"})");
  const auto families = host->metrics();
  ASSERT_EQ(families.size(), 2U);
  EXPECT_EQ(families[0].name, "toolhost_plugin_workshop_uses_total");
  ASSERT_EQ(families[0].samples.size(), 1U);
  EXPECT_EQ(families[0].samples[0].value, 3);
  EXPECT_EQ(families[0].samples[0].labels.at(0), std::pair(std::string("name"), std::string("smtp")));
  EXPECT_EQ(families[1].samples.at(0).value, 7);
}

TEST_F(Workshop, RunsASerialToolOneCallAtATime) {
  start({test_plugin("workshop")});
  std::vector<Running> calls;
  for (int i = 0; i < 100; ++i) calls.push_back(begin("step", "{}", TenantId{1 + i % 3}));
  for (auto& call : calls) EXPECT_EQ(call.result.get().structured_json, R"({"overlapping":1})");
}

TEST_F(Workshop, GivesResultsAfterItsHandlersHaveReturned) {
  start({test_plugin("workshop")}, [](PluginHostConfig& config) { config.workers = 1; });
  std::vector<Running> calls;
  for (int i = 0; i < 50; ++i)
    calls.push_back(begin("say_later", R"({"text":"number )" + std::to_string(i) + R"(","ms":20})"));
  for (int i = 0; i < 50; ++i)
    EXPECT_EQ(calls[static_cast<std::size_t>(i)].result.get().structured_json,
              R"({"text":"number )" + std::to_string(i) + "\"}");
  const auto forgotten = run("forget", "{}");
  EXPECT_EQ(forgotten.outcome, Outcome::kInternal) << "a promise that goes away ends its call";
}

TEST_F(Workshop, EndsWhatItHasDeferredWhenTheHostStops) {
  start({test_plugin("workshop")},
        [](PluginHostConfig& config) { config.lost_worker_grace = std::chrono::milliseconds(5'000); });
  auto waits = begin("say_later", R"({"text":"in an hour","ms":3600000})");
  while (host->load().at(0).deferred == 0) std::this_thread::yield();
  waits.call->cancel();
  EXPECT_THAT(events.wait_for("workshop", "warning"), HasSubstr("nobody waits"));
  auto second = begin("say_later", R"({"text":"in an hour","ms":3600000})");
  while (host->load().at(0).deferred < 2) std::this_thread::yield();
  host->stop(std::chrono::milliseconds(0));
  EXPECT_EQ(events.count("workshop", "quiesce"), 0U);
  // The waits of its functions are cut short, so both are completed.
  EXPECT_EQ(second.result.get().outcome, Outcome::kOk);
  EXPECT_EQ(waits.result.get().outcome, Outcome::kOk);
}

}  // namespace
}  // namespace toolhost::plugin_runtime
