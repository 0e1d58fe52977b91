#include <gmock/gmock.h>

#include "tickets_host.hpp"

namespace toolhost::test_support {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ToolList : public TicketsTest {};

TEST_F(ToolList, HasTheFourToolsWithTheirHints) {
  std::vector<std::string> names;
  for (const plugin_runtime::Tool* tool : registry()->tools()) {
    names.push_back(tool->name);
    const bool reads = tool->name == "get_ticket" || tool->name == "list_tickets";
    EXPECT_EQ(tool->read_only, reads) << tool->name;
    EXPECT_EQ(tool->idempotent, reads) << tool->name;
    EXPECT_FALSE(tool->destructive) << tool->name;
    EXPECT_FALSE(tool->open_world) << tool->name;
    EXPECT_TRUE(tool->output_schema) << tool->name;
    EXPECT_FALSE(tool->title.empty()) << tool->name;
    EXPECT_THAT(tool->input_schema_json, HasSubstr("\"additionalProperties\":false")) << tool->name;
  }
  EXPECT_THAT(names, ElementsAre("add_reply", "create_ticket", "get_ticket", "list_tickets"));
}

TEST_F(ToolList, StaysWithinItsTokenBudget) {
  std::size_t bytes = 0;
  for (const plugin_runtime::Tool* tool : registry()->tools()) {
    bytes += tool->description.size() + tool->input_schema_json.size() + tool->output_schema_json.size();
  }
  EXPECT_LT(bytes, 16'000u);  // about four bytes a token
  RecordProperty("bytes", static_cast<int>(bytes));
}

}  // namespace
}  // namespace toolhost::test_support
