#include <gmock/gmock.h>

#include "tickets_test.hpp"

namespace toolhost::test_support {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class TicketHistory : public TicketsTest {
 protected:
  TicketHistory() : id(create(ana, R"({"title":"VPN drops"})")) {}

  Answer history(const std::string& more = "") {
    return call(ana, "ticket_history", R"({"id":")" + id + "\"" + (more.empty() ? "" : "," + more) + "}");
  }
  void update(const std::string& fields) {
    const Answer answer = call(ana, "update_ticket", R"({"id":")" + id + "\"," + fields + "}");
    ASSERT_FALSE(answer.is_error()) << answer.text();
  }

  std::string id;
};

TEST_F(TicketHistory, TellsWhoChangedWhatNewestFirst) {
  update(R"("priority":"high","category":"Network")");
  call(colleague(ana, "bo@example.com"), "add_reply", R"({"id":")" + id + R"(","body":"Hello"})");
  const Answer answer = history();
  ASSERT_FALSE(answer.is_error()) << answer.text();
  EXPECT_THAT(answer.each("/events", "field"), ElementsAre("reply", "priority", "category", "created"));
  EXPECT_THAT(answer.each("/events", "actor"),
              ElementsAre("bo@example.com", "ana@example.com", "ana@example.com", "ana@example.com"));
  EXPECT_EQ(answer.at("/events/0/via_key"), "hdsk_bo@exa");
  EXPECT_EQ(answer.at("/events/0/to"), id + "-3");
  EXPECT_EQ(answer.at("/events/1/from"), "normal");
  EXPECT_EQ(answer.at("/events/1/to"), "high");
  EXPECT_FALSE(answer.has("/events/2/from"));
  EXPECT_FALSE(answer.has("/next_cursor"));
  EXPECT_EQ(answer.at("/truncated"), "false");
  EXPECT_EQ(answer.at("/time_zone"), "Europe/Berlin");
  EXPECT_THAT(answer.text(), HasSubstr(" · ana@example.com via " + ana->key_prefix + " · priority normal -> high\n"));
}

TEST_F(TicketHistory, IsPagedByCursor) {
  for (int i = 0; i < 3; ++i)
    update(R"("title":"t)" + std::to_string(i) + R"(","description":"d)" + std::to_string(i) + "\"");
  std::vector<std::string> seen;
  std::string cursor;
  int pages = 0;
  do {
    const Answer page = history(R"("limit":2)" + (cursor.empty() ? "" : ",\"cursor\":" + json_string(cursor)));
    ASSERT_FALSE(page.is_error()) << page.text();
    for (const std::string& to : page.each("/events", "to")) seen.push_back(to);
    cursor = page.at("/next_cursor");
  } while (!cursor.empty() && ++pages < 10);
  EXPECT_THAT(seen, ElementsAre("t2", "d2", "t1", "d1", "t0", "d0", ""));
}

TEST_F(TicketHistory, RefusesWhatIsNotItsCursorOrNoTicket) {
  EXPECT_THAT(history(R"("cursor":"guess")").text(),
              HasSubstr("cursor is not one that ticket_history gave for ticket " + id));
  const std::string other = create(ana, R"({"title":"other"})");
  update(R"("priority":"high")");
  const std::string cursor = history(R"("limit":1)").at("/next_cursor");
  EXPECT_TRUE(
      call(ana, "ticket_history", R"({"id":")" + other + "\",\"cursor\":" + json_string(cursor) + "}").is_error());
  EXPECT_THAT(call(ana, "ticket_history", R"({"id":"ZZZZZZ"})").text(), HasSubstr("Ticket ZZZZZZ not found."));
  EXPECT_THAT(call(ana, "ticket_history", R"({"id":"?"})").text(), HasSubstr("is not a ticket id"));
}

TEST_F(TicketHistory, LongTextsAreCutAndASmallerLimitShowsMore) {
  update("\"description\":" + json_string(std::string(9000, 'd')));
  const Answer many = history(R"("limit":100)");
  EXPECT_EQ(many.at("/truncated"), "true");
  EXPECT_THAT(many.at("/rest"), HasSubstr("a smaller limit shows more"));
  EXPECT_LT(many.at("/events/0/to").size(), 150u);
  EXPECT_EQ(history(R"("limit":1)").at("/events/0/to").size(), 9000u);
}

}  // namespace
}  // namespace toolhost::test_support
