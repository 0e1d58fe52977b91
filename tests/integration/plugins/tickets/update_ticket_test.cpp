#include <gmock/gmock.h>

#include "tickets_test.hpp"

namespace toolhost::test_support {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::MatchesRegex;

class UpdateTicket : public TicketsTest {
 protected:
  UpdateTicket()
      : bo(colleague(ana, "bo@example.com")),
        id(create(ana, R"({"title":"VPN drops","description":"weekly","category":"Network","tags":["vpn"],
                          "assignee":"me","due_at":"2026-11-30"})")) {}

  Answer update(const std::string& fields) {
    return call(bo, "update_ticket", R"({"id":")" + id + "\"," + fields + "}");
  }
  std::string column(const std::string& name) {
    return sql("select " + name + " from tickets where ref = '" + id + "'");
  }
  std::string steps() {
    return sql(
        "select string_agg(field || ':' || coalesce(old_value, '') || '>' || coalesce(new_value, ''), ' ' "
        "order by version, field) from ticket_history where ticket = '" +
        id + "' and version > 1");
  }

  CallerPtr bo;
  std::string id;
};

TEST_F(UpdateTicket, ChangesFieldsAndTellsWhatIsDifferent) {
  const Answer answer = update(R"("title":"VPN drops daily","priority":"high","assignee":"cy@example.com",
                                   "tags_add":["Wifi"],"tags_remove":["vpn"],"due_at":"2026-12-01T10:00")");
  ASSERT_FALSE(answer.is_error()) << answer.text();
  EXPECT_EQ(answer.at("/changed"), "true");
  EXPECT_THAT(answer.each("/changed_fields", "field"), ElementsAre("title", "priority", "assignee", "due_at", "tags"));
  EXPECT_THAT(answer.each("/changed_fields", "from"),
              ElementsAre("VPN drops", "normal", "ana@example.com", "2026-11-30T23:59:59+01:00", "vpn"));
  EXPECT_THAT(answer.each("/changed_fields", "to"),
              ElementsAre("VPN drops daily", "high", "cy@example.com", "2026-12-01T10:00:00+01:00", "wifi"));
  EXPECT_EQ(answer.at("/ticket/version"), "2");
  EXPECT_EQ(column("title || priority::text || assignee || tags::text"), "VPN drops dailyhighcy@example.com{wifi}");
  EXPECT_EQ(column("description || category || requester"), "weeklyNetworkana@example.com");
  EXPECT_EQ(column("updated_at > created_at"), "t");
  EXPECT_EQ(sql("select count(*) from ticket_history where ticket = '" + id +
                "' and version = 2 and actor = 'bo@example.com' and via_key = 'hdsk_bo@exa'"),
            "5");
}

TEST_F(UpdateTicket, NullClearsAndNoneToo) {
  const Answer answer = update(R"("assignee":null,"category":"none","due_at":null)");
  EXPECT_EQ(answer.at("/changed"), "true") << answer.text();
  EXPECT_EQ(column("assignee is null and category is null and due_at is null"), "t");
  EXPECT_EQ(steps(), "assignee:ana@example.com> category:Network> due_at:2026-11-30T23:59:59+01:00>");
  EXPECT_FALSE(answer.has("/changed_fields/0/to"));
}

TEST_F(UpdateTicket, TheSameAgainChangesNothing) {
  const Answer answer = update(
      R"("title":" VPN  drops ","description":"weekly","priority":"medium","category":"Network","assignee":"ana@example.com",
         "due_at":"2026-11-30","tags_add":["VPN"],"tags_remove":["other"],"expected_version":1)");
  ASSERT_FALSE(answer.is_error()) << answer.text();
  EXPECT_THAT(answer.at("/changed_fields"), HasSubstr("VPN  drops"));  // two spaces are a difference
  EXPECT_EQ(update(R"("title":"VPN  drops","priority":"normal","due_at":"2026-11-30T23:59:59")").at("/changed"),
            "false");
  EXPECT_EQ(column("version"), "2");
  EXPECT_THAT(answer.at("/warnings/0"), HasSubstr("'medium' was taken as 'normal'"));
}

TEST_F(UpdateTicket, NothingGivenIsAnError) {
  for (const char* nothing :
       {R"({"id":"ID"})", R"({"id":"ID","expected_version":1})", R"({"id":"ID","tags_add":[]})"}) {
    std::string arguments = nothing;
    arguments.replace(arguments.find("ID"), 2, id);
    const Answer answer = call(bo, "update_ticket", arguments);
    EXPECT_TRUE(answer.is_error());
    EXPECT_THAT(answer.text(), HasSubstr("nothing to change: give at least one of title"));
  }
}

TEST_F(UpdateTicket, RefusesWhatCannotBe) {
  const auto refusal = [&](const std::string& fields) {
    const Answer answer = update(fields);
    EXPECT_TRUE(answer.is_error()) << fields;
    return answer.text();
  };
  EXPECT_THAT(refusal(R"("title":"\u200b")"), HasSubstr("title is empty"));
  EXPECT_THAT(refusal(R"("description":"a\u0000b")"), HasSubstr("NUL"));
  EXPECT_THAT(refusal(R"("assignee":" ")"), HasSubstr("assignee is empty; pass null"));
  EXPECT_THAT(refusal(R"("due_at":"next week")"), HasSubstr("due_at 'next week' is not a date; today is "));
  EXPECT_THAT(refusal(R"("tags_add":["a"],"tags_remove":["A"])"), HasSubstr("tags_add and in tags_remove"));
  EXPECT_THAT(refusal(R"("priority":"huge")"), HasSubstr("priority"));
  EXPECT_THAT(call(bo, "update_ticket", R"({"id":"ZZZZZZ","title":"x"})").text(),
              HasSubstr("Ticket ZZZZZZ not found."));
  EXPECT_THAT(call(bo, "update_ticket", R"({"id":"my ticket","title":"x"})").text(), HasSubstr("is not a ticket id"));
  std::string tags;
  for (int i = 0; i < 20; ++i) tags += (i == 0 ? "\"t" : ",\"t") + std::to_string(i) + "\"";
  EXPECT_THAT(refusal("\"tags_add\":[" + tags + "]"), HasSubstr("at most 20 tags"));
  EXPECT_EQ(column("version"), "1");
}

TEST_F(UpdateTicket, AnotherVersionIsRefusedWithWhoChangedWhat) {
  const CallerPtr known = with_members(bo, {{"bo@example.com", "Bo Chen", Role::kAgent}});
  EXPECT_EQ(update(R"("priority":"high","expected_version":1)").at("/ticket/version"), "2");
  sql("alter table ticket_history disable trigger append_only; update ticket_history set at = at - interval '2 "
      "minutes' "
      "where ticket = '" +
      id + "'; alter table ticket_history enable trigger append_only");
  const Answer stale = call(known, "update_ticket", R"({"id":")" + id + R"(","title":"x","expected_version":1})");
  EXPECT_TRUE(stale.is_error());
  EXPECT_THAT(stale.text(),
              HasSubstr("Ticket " + id + " was changed by Bo Chen 2 minutes ago: priority normal -> high"));
  EXPECT_THAT(stale.text(), HasSubstr("read again"));
  EXPECT_THAT(update(R"("title":"x","expected_version":9)").text(), HasSubstr("has version 2 now, not 9; read again"));
  EXPECT_EQ(column("version || title"), "2VPN drops");
}

TEST_F(UpdateTicket, TheDescriptionIsReplacedAndShownInShort) {
  const std::string text(5000, 'd');
  const Answer answer = update("\"description\":" + json_string(text));
  EXPECT_LT(answer.at("/changed_fields/0/to").size(), 300u);
  EXPECT_EQ(column("description"), text);
  EXPECT_EQ(steps(), "description:weekly>" + text);
  EXPECT_EQ(update(R"("description":"")").at("/changed"), "true");
  EXPECT_EQ(column("description"), "");
}

TEST_F(UpdateTicket, ANewTitleIsFoundAsADuplicate) {
  update(R"("title":"Printer on fire")");
  const Answer twin = call(ana, "create_ticket", R"({"title":"printer ON fire!"})");
  EXPECT_EQ(twin.at("/possible_duplicates/0/id"), id);
}

TEST_F(UpdateTicket, EveryWriteMarksTheTicketAsChanged) {
  const auto is_marked_by = [&](const std::string& tool, const std::string& more) {
    const std::string before = column("changed");
    EXPECT_FALSE(call(bo, tool, R"({"id":")" + id + "\"," + more + "}").is_error()) << tool;
    EXPECT_EQ(column("changed > " + before), "t") << tool;
  };
  EXPECT_THAT(column("changed"), MatchesRegex("[1-9][0-9]*"));
  is_marked_by("update_ticket", R"("priority":"low")");
  is_marked_by("add_note", R"("body":"x")");
  is_marked_by("add_reply", R"("body":"x")");
  is_marked_by("set_ticket_status", R"("status":"resolved")");
}

}  // namespace
}  // namespace toolhost::test_support
