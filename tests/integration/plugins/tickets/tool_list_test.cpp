#include <gmock/gmock.h>

#include <map>

#include "tickets_test.hpp"

namespace toolhost::test_support {
namespace {

using testing::HasSubstr;

class ToolList : public TicketsTest {};

TEST_F(ToolList, HasTheToolsWithTheirHints) {
  struct Hints {
    bool read_only, destructive, idempotent;
  };
  const std::map<std::string, Hints> kHints = {
      {"add_note", {false, false, false}},      {"add_reply", {false, false, false}},
      {"create_ticket", {false, false, false}}, {"get_ticket", {true, false, true}},
      {"list_tickets", {true, false, true}},    {"set_ticket_status", {false, false, true}},
      {"ticket_history", {true, false, true}},  {"update_ticket", {false, true, true}}};
  std::vector<std::string> names;
  for (const plugin_runtime::Tool* tool : registry()->tools()) {
    if (tool->plugin != "tickets") continue;
    names.push_back(tool->name);
    ASSERT_TRUE(kHints.contains(tool->name)) << tool->name;
    const Hints& hints = kHints.at(tool->name);
    EXPECT_EQ(tool->read_only, hints.read_only) << tool->name;
    EXPECT_EQ(tool->destructive, hints.destructive) << tool->name;
    EXPECT_EQ(tool->idempotent, hints.idempotent) << tool->name;
    EXPECT_FALSE(tool->open_world) << tool->name;
    EXPECT_TRUE(tool->output_schema) << tool->name;
    EXPECT_FALSE(tool->title.empty()) << tool->name;
    EXPECT_THAT(tool->input_schema_json, HasSubstr("\"additionalProperties\":false")) << tool->name;
  }
  EXPECT_EQ(names.size(), kHints.size());
}

TEST_F(ToolList, JobsAreNoTools) {
  EXPECT_EQ(registry()->find("import"), nullptr);
  EXPECT_EQ(registry()->find("export"), nullptr);
}

TEST_F(ToolList, ANearMissNamesTheRightParameter) {
  EXPECT_THAT(call(ana, "set_ticket_status", R"({"id":"ABC123","state":"open"})").text(), HasSubstr("status"));
  EXPECT_THAT(call(ana, "update_ticket", R"({"id":"ABC123","titel":"x"})").text(), HasSubstr("title"));
  EXPECT_THAT(call(ana, "add_note", R"({"id":"ABC123","text":"x","bdy":"y"})").text(), HasSubstr("body"));
  EXPECT_THAT(call(ana, "ticket_history", R"({"ticket_id":"ABC123"})").text(), HasSubstr("id"));
}

TEST_F(ToolList, StaysWithinItsTokenBudget) {
  std::size_t bytes = 0;
  for (const plugin_runtime::Tool* tool : registry()->tools()) {
    if (tool->plugin != "tickets") continue;
    bytes += tool->description.size() + tool->input_schema_json.size() + tool->output_schema_json.size();
  }
  EXPECT_LT(bytes, 21'000u);  // about four bytes a token
  RecordProperty("bytes", static_cast<int>(bytes));
}

}  // namespace
}  // namespace toolhost::test_support
