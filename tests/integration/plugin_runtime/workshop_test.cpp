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

}  // namespace
}  // namespace toolhost::plugin_runtime
