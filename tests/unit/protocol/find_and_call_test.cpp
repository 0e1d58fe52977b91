#include "protocol/find_and_call.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fakes.hpp"

namespace toolhost::protocol {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class FindAndCall : public ::testing::Test {
 protected:
  std::vector<std::string> found(std::string_view query, std::size_t limit = 5) const {
    std::vector<std::string> names;
    for (const auto* json : index_.find(query, limit)) names.push_back(json->substr(9, json->find('"', 9) - 9));
    return names;
  }
  std::string result(std::string_view arguments) {
    return encode_found_tools(index_, *document_.parse(std::string(arguments)), Revision::k2025_11_25);
  }

  std::vector<ToolView::Entry> entries() {
    const auto add = [this](const char* name, const char* title, const char* description) -> auto& {
      auto& tool = registry_.add(name);
      tool.title = title;
      tool.description = description;
      return tool;
    };
    add("create_ticket", "Create a ticket", "Opens a ticket about something that is broken.");
    add("list_tasks", "List tasks", "Shows what is to be done, by whom and when.").input_schema_json =
        R"({"type":"object","properties":{"assignee":{"type":"string"}}})";
    add("search_tickets", "Search tickets", "Finds tickets by words.");
    add("setOffice365Quota", "", "Sets how large a mailbox may grow.");
    std::vector<ToolView::Entry> entries;
    for (const auto* tool : registry_.tools()) entries.push_back({.tool = tool});
    return entries;
  }

  fakes::FakeRegistry registry_{1};
  const ToolIndex index_{entries(), nullptr};
  json::Document document_;
};

TEST_F(FindAndCall, FindsByNamesTextsAndArgumentsTheBestFirst) {
  EXPECT_THAT(found("create a new ticket"), ElementsAre("create_ticket", "search_tickets"));
  EXPECT_THAT(found("searching tickets", 1), ElementsAre("search_tickets"));
  EXPECT_THAT(found("assignee"), ElementsAre("list_tasks"));
  EXPECT_THAT(found("MAILBOX quota"), ElementsAre("setOffice365Quota"));
  EXPECT_THAT(found("office365"), ElementsAre("setOffice365Quota"));
  EXPECT_THAT(found("weather"), IsEmpty());
  EXPECT_THAT(found("\xff\xfe ,;"), IsEmpty());
}

TEST(ToolIndexRanking, PutsTheToolOfThatNameFirstAmongManyLikeIt) {
  fakes::FakeRegistry registry{1};
  const auto add = [&](const char* name, const char* title, const char* description, const char* schema) {
    auto& tool = registry.add(name);
    tool.title = title;
    tool.description = description;
    tool.input_schema_json = schema;
  };
  add("add_note", "Add an internal note", "Adds a note to a ticket.", R"({"properties":{"ticket_id":{},"note":{}}})");
  add("create_task", "Create task", "Creates a task, of a ticket or alone.",
      R"({"properties":{"title":{},"ticket_id":{},"assignee":{},"due":{}}})");
  add("create_ticket", "Create ticket",
      "Opens a new ticket for a problem or a request. Looks for open tickets that are much the same, and says which. "
      "Never for a change of a ticket that exists: that is update_ticket's.",
      R"({"properties":{"title":{},"description":{},"priority":{},"category":{},"assignee":{},"requester":{}}})");
  add("get_ticket", "Get ticket", "Shows one ticket.", R"({"properties":{"ticket_id":{}}})");
  add("list_tickets", "List tickets", "Lists tickets, created lately first.", R"({"properties":{"created_after":{}}})");
  add("search_knowledge", "Search knowledge", "Searches tickets and tasks.", R"({"properties":{"query":{}}})");
  add("search_tickets", "Search tickets", "Finds tickets by words of their texts, the most fitting first.",
      R"({"properties":{"query":{},"status":{},"created_after":{},"limit":{}}})");
  add("update_ticket", "Update ticket", "Changes fields of a ticket; what is left out stays.",
      R"({"properties":{"ticket_id":{},"title":{},"description":{},"priority":{},"status":{}}})");
  std::vector<ToolView::Entry> entries;
  for (const auto* tool : registry.tools()) entries.push_back({.tool = tool});
  const ToolIndex index(entries, nullptr);
  for (const auto& [query, name] : {std::pair{"create ticket", "create_ticket"},
                                    {"update ticket", "update_ticket"},
                                    {"search tickets", "search_tickets"},
                                    {"searching tickets", "search_tickets"}})
    EXPECT_THAT(*index.find(query, 1).at(0), StartsWith(R"({"name":")" + std::string(name))) << query;
}

TEST_F(FindAndCall, TellsWhatAModelNeedsToCallThem) {
  EXPECT_THAT(result(R"({"query":"open a ticket","limit":1})"),
              HasSubstr(R"(\"name\":\"create_ticket\",\"description\":\"Opens a ticket about)"));
  EXPECT_THAT(result(R"({"query":"weather"})"), HasSubstr(R"(\"names\":[\"create_ticket\",\"list_tasks\")"));
  EXPECT_THAT(result(R"({"limit":3})"), HasSubstr(R"("isError":true)"));
  EXPECT_THAT(result(R"({"query":"ticket","limit":-5})"), HasSubstr(R"(\"of\":4)"));
}

TEST_F(FindAndCall, ReadsWhatIsToBeCalled) {
  const auto read = [this](const char* text) { return read_call_tool(*document_.parse(text)); };
  const auto call = read(R"({"name":"create_ticket","arguments":{"title":"x"}})");
  ASSERT_TRUE(std::holds_alternative<FoundCall>(call));
  EXPECT_EQ(std::get<FoundCall>(call).name, "create_ticket");
  EXPECT_TRUE(std::get<FoundCall>(call).arguments);
  EXPECT_FALSE(std::get<FoundCall>(read(R"({"name":"a","arguments":null})")).arguments);
  EXPECT_THAT(std::get<std::string>(read("{}")), StartsWith("Invalid arguments of call_tool"));
  EXPECT_THAT(std::get<std::string>(read(R"({"name":"a","arguments":[]})")), HasSubstr("must be an object"));
}

TEST_F(FindAndCall, IsTwoToolsInAList) {
  const auto tools = find_and_call_tools(ListingFamily::kTitled);
  ASSERT_EQ(tools.size(), 2u);
  EXPECT_THAT(*tools[0], HasSubstr(R"("name":"call_tool")"));
  EXPECT_THAT(*tools[1], HasSubstr(R"("readOnlyHint":true)"));
}

}  // namespace
}  // namespace toolhost::protocol
