#include <gmock/gmock.h>

#include <map>

#include "tasks_test.hpp"

namespace toolhost::test_support {
namespace {

using testing::HasSubstr;

struct Hints {
  bool read_only, destructive, idempotent;
};
const std::map<std::string, Hints> kTools = {
    {"create_task", {false, false, false}},  {"list_tasks", {true, false, true}},
    {"get_task", {true, false, true}},       {"update_task", {false, true, true}},
    {"complete_task", {false, false, true}}, {"reopen_task", {false, false, true}},
    {"delete_task", {false, true, true}}};

class ToolList : public TasksTest {};

TEST_F(ToolList, HasTheSevenToolsWithTheirHints) {
  for (const auto& [name, hints] : kTools) {
    const plugin_runtime::Tool* tool = registry()->find(name);
    ASSERT_NE(tool, nullptr) << name;
    EXPECT_EQ(tool->read_only, hints.read_only) << name;
    EXPECT_EQ(tool->destructive, hints.destructive) << name;
    EXPECT_EQ(tool->idempotent, hints.idempotent) << name;
    EXPECT_FALSE(tool->open_world) << name;
    EXPECT_TRUE(tool->output_schema) << name;
    EXPECT_FALSE(tool->title.empty()) << name;
    EXPECT_THAT(tool->input_schema_json, HasSubstr("\"additionalProperties\":false")) << name;
  }
}

TEST_F(ToolList, StaysWithinItsTokenBudget) {
  std::size_t bytes = 0;
  for (const auto& [name, hints] : kTools) {
    const plugin_runtime::Tool* tool = registry()->find(name);
    ASSERT_NE(tool, nullptr) << name;
    bytes += tool->description.size() + tool->input_schema_json.size() + tool->output_schema_json.size();
  }
  EXPECT_LT(bytes, 16'000u);  // about four bytes a token
  RecordProperty("bytes", static_cast<int>(bytes));
}

}  // namespace
}  // namespace toolhost::test_support
