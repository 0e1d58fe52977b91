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

}  // namespace
}  // namespace toolhost::plugin_runtime
