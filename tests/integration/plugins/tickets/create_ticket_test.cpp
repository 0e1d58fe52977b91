#include <gmock/gmock.h>

#include <condition_variable>
#include <fstream>
#include <iterator>
#include <mutex>
#include <set>

#include "tickets_test.hpp"

namespace toolhost::test_support {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;

class CreateTicket : public TicketsTest {
 protected:
  std::string tickets_of(const CallerPtr& caller) {
    return sql("select count(*) from tickets where tenant_id = " + std::to_string(value(caller->tenant_id)));
  }
};

TEST_F(CreateTicket, MakesAnOpenTicketFromATitleAlone) {
  const Answer answer =
      call(ana, "create_ticket", R"({"title":"Printer on the 3rd floor not working","priority":"high"})");
  ASSERT_FALSE(answer.is_error()) << answer.text();
  EXPECT_THAT(answer.at("/ticket/id"), MatchesRegex("[0-9A-HJKMNP-TV-Z]{6}"));
  EXPECT_EQ(answer.at("/ticket/title"), "Printer on the 3rd floor not working");
  EXPECT_EQ(answer.at("/ticket/status"), "open");
  EXPECT_EQ(answer.at("/ticket/priority"), "high");
  EXPECT_EQ(answer.at("/ticket/requester"), "ana@example.com");
  EXPECT_EQ(answer.at("/ticket/version"), "1");
  EXPECT_EQ(answer.at("/created"), "true");
  EXPECT_EQ(answer.at("/possible_duplicates"), "[]");
  EXPECT_FALSE(answer.has("/warnings"));
  EXPECT_EQ(answer.at("/time_zone"), "Europe/Berlin");
  EXPECT_THAT(answer.at("/server_time"), MatchesRegex("20..-..-..T..:..:..\\+0[12]:00"));
  EXPECT_THAT(answer.text(), HasSubstr("Created ticket **" + answer.at("/ticket/id") + "** [open, high]"));
}

TEST_F(CreateTicket, KeepsEmojiRightToLeftScriptAndLongTexts) {
  const std::string title = "🖨️ الطابعة معطلة 👩‍👩‍👧 — המדפסת";
  std::string description = "שלום\n\n| a | b |\n";
  while (description.size() < 19'000) description += "Zeile mit \\ \" ' $1 %s und Text\n";
  description += "Ende";
  const std::string id =
      create(ana, "{\"title\":" + json_string(title) + ",\"description\":" + json_string(description) + "}");
  const Answer answer = call(ana, "get_ticket", R"({"id":")" + id + R"(","response_format":"detailed"})");
  EXPECT_EQ(answer.at("/ticket/title"), title);
  EXPECT_EQ(answer.at("/ticket/description"), description);
  EXPECT_EQ(answer.at("/truncated"), "false");
}

TEST_F(CreateTicket, TakesADescriptionOf20000CharactersAndNotOneMore) {
  std::string description;
  for (int i = 0; i < 20'000; ++i) description += "ß";
  const std::string id = create(ana, R"({"title":"long","description":)" + json_string(description) + "}");
  const Answer answer = call(ana, "get_ticket", R"({"id":")" + id + R"(","response_format":"detailed"})");
  EXPECT_EQ(answer.at("/ticket/description"), description);
  EXPECT_TRUE(call(ana, "create_ticket", R"({"title":"long","description":)" + json_string(description + "x") + "}")
                  .is_error());
}

TEST_F(CreateTicket, KeepsEveryField) {
  const Answer answer =
      call(ana, "create_ticket",
           R"({"title":"New laptop","description":"For Bo","priority":"urgent","category":"Hardware",)"
           R"("tags":["VPN","{a,b}","quote\"\\"],"assignee":"bo@example.com","requester":"Cy Young",)"
           R"("due_at":"2026-11-30"})");
  ASSERT_FALSE(answer.is_error()) << answer.text();
  const Answer read = call(ana, "get_ticket", R"({"id":")" + answer.at("/ticket/id") + R"("})");
  for (const Answer* seen : {&answer, &read}) {
    EXPECT_EQ(seen->at("/ticket/priority"), "urgent");
    EXPECT_EQ(seen->at("/ticket/category"), "Hardware");
    EXPECT_EQ(seen->at("/ticket/tags"), R"(["vpn","{a,b}","quote\"\\"])");
    EXPECT_EQ(seen->at("/ticket/assignee"), "bo@example.com");
    EXPECT_EQ(seen->at("/ticket/requester"), "Cy Young");
    EXPECT_EQ(seen->at("/ticket/due_at"), "2026-11-30T23:59:59+01:00");
  }
}

TEST_F(CreateTicket, ADueDateEndsWithTheDayInTheTenantsTimeZone) {
  const auto due = [&](const CallerPtr& caller, const std::string& input) {
    return call(caller, "create_ticket", R"({"title":"x","due_at":")" + input + R"("})").at("/ticket/due_at");
  };
  EXPECT_EQ(due(ana, "2026-03-28"), "2026-03-28T23:59:59+01:00");
  EXPECT_EQ(due(ana, "2026-03-29"), "2026-03-29T23:59:59+02:00");  // the clocks went forward that night
  EXPECT_EQ(due(ana, "2026-11-30T17:00"), "2026-11-30T17:00:00+01:00");
  EXPECT_EQ(due(ana, "2026-11-30T17:00:00Z"), "2026-11-30T18:00:00+01:00");
  EXPECT_EQ(due(ana, "2026-11-23T23:59:59.999"), "2026-11-23T23:59:59+01:00");
  EXPECT_EQ(due(ana, "2026-12-31T23:59:59.9999999"), "2026-12-31T23:59:59+01:00");
  EXPECT_EQ(due(new_tenant("America/St_Johns"), "2026-12-31"), "2026-12-31T23:59:59-03:30");
  EXPECT_EQ(due(new_tenant("Asia/Kathmandu"), "2026-12-31T00:00Z"), "2026-12-31T05:45:00+05:45");
}

TEST_F(CreateTicket, WordsInPlaceOfADateAreRefusedWithTodaysDate) {
  const Answer answer = call(ana, "create_ticket", R"({"title":"x","due_at":"next week"})");
  EXPECT_TRUE(answer.is_error());
  EXPECT_THAT(answer.text(), HasSubstr("due_at 'next week' is not a date; today is 20"));
  EXPECT_THAT(answer.text(), HasSubstr(", Europe/Berlin); use YYYY-MM-DD"));
  EXPECT_EQ(tickets_of(ana), "0");
}

TEST_F(CreateTicket, RefusesBlankTitlesAndNulCharacters) {
  const Answer blank = call(ana, "create_ticket", R"({"title":" \u202e\n "})");
  EXPECT_TRUE(blank.is_error());
  EXPECT_THAT(blank.text(), HasSubstr("title is empty"));
  const Answer nul = call(ana, "create_ticket", R"({"title":"x","description":"a\u0000b"})");
  EXPECT_TRUE(nul.is_error());
  EXPECT_THAT(nul.text(), HasSubstr("NUL"));
  EXPECT_EQ(tickets_of(ana), "0");
}

TEST_F(CreateTicket, NamesTheParameterThatWasMeant) {
  const Answer answer = call(ana, "create_ticket", R"({"title":"x","priorty":"high"})");
  EXPECT_EQ(answer.outcome(), plugin_runtime::Outcome::kInvalidArguments);
  EXPECT_THAT(answer.text(), HasSubstr("priority"));
}

TEST_F(CreateTicket, TakesMediumAsNormalWithARemark) {
  const Answer answer = call(ana, "create_ticket", R"({"title":"x","priority":"medium"})");
  EXPECT_EQ(answer.at("/ticket/priority"), "normal");
  EXPECT_THAT(answer.at("/warnings/0"), HasSubstr("'medium' was taken as 'normal'"));
}

TEST_F(CreateTicket, ListsUnresolvedTicketsAboutTheSame) {
  const std::string first = create(ana, R"({"title":"Printer not working"})");
  const std::string second = create(ana, R"({"title":"The printer is not working!","requester":"cy"})");
  create(ana, R"({"title":"Printer working"})");
  const std::string resolved = create(ana, R"({"title":"printer NOT working","requester":"di"})");
  call(ana, "add_reply", R"({"id":")" + resolved + R"(","body":"Done","set_status":"resolved"})");
  const Answer answer = call(ana, "create_ticket", R"({"title":"PRINTER NOT WORKING","requester":"ed"})");
  EXPECT_THAT(answer.each("/possible_duplicates", "id"), ElementsAre(second, first));
  EXPECT_THAT(answer.each("/possible_duplicates", "score"), ElementsAre(HasSubstr("0.9"), HasSubstr("1")));
  EXPECT_FALSE(answer.has("/warnings"));
}

TEST_F(CreateTicket, ListsAtMostThreeDuplicates) {
  for (int i = 0; i < 5; ++i) create(ana, R"({"title":"VPN drops","requester":"r)" + std::to_string(i) + R"("})");
  EXPECT_EQ(call(ana, "create_ticket", R"({"title":"vpn drops"})").size("/possible_duplicates"), 3u);
}

TEST_F(CreateTicket, WarnsWhenTheSameKeySentTheSameWithinAMinute) {
  const std::string same = R"({"title":"VPN drops","description":"daily"})";
  const std::string first = create(ana, same);
  const Answer repeated = call(ana, "create_ticket", same);
  EXPECT_EQ(repeated.at("/created"), "true");
  EXPECT_THAT(repeated.at("/warnings/0"), HasSubstr(first));
  EXPECT_FALSE(call(ana, "create_ticket", R"({"title":"VPN drops","description":"weekly"})").has("/warnings"));
  EXPECT_FALSE(call(colleague(ana, "bo@example.com"), "create_ticket", same).has("/warnings"));
  sql("update tickets set created_at = created_at - interval '61 seconds' where tenant_id = " +
      std::to_string(value(ana->tenant_id)));
  EXPECT_FALSE(call(ana, "create_ticket", same).has("/warnings"));
}

TEST_F(CreateTicket, WithAKeyIsMadeOnce) {
  const std::string request = R"({"title":"VPN drops","tags":["a"],"idempotency_key":"k-1"})";
  const Answer first = call(ana, "create_ticket", request);
  const Answer second = call(ana, "create_ticket", request);
  EXPECT_EQ(first.at("/created"), "true");
  EXPECT_EQ(second.at("/created"), "false");
  EXPECT_EQ(first.at("/ticket/id"), second.at("/ticket/id"));
  EXPECT_EQ(second.at("/ticket/title"), "VPN drops");
  EXPECT_EQ(tickets_of(ana), "1");
}

TEST_F(CreateTicket, WithAKeyOfAnotherRequestIsRefused) {
  create(ana, R"({"title":"VPN drops","idempotency_key":"k-1"})");
  const Answer other = call(ana, "create_ticket", R"({"title":"VPN is slow","idempotency_key":"k-1"})");
  EXPECT_TRUE(other.is_error());
  EXPECT_THAT(other.text(), HasSubstr("idempotency_key 'k-1' was used for create_ticket with other arguments"));
  EXPECT_EQ(tickets_of(ana), "1");
}

TEST_F(CreateTicket, KeysBelongToOnePrincipalAndLast24Hours) {
  const std::string request = R"({"title":"VPN drops","idempotency_key":"k-1"})";
  const std::string first = create(ana, request);
  EXPECT_NE(create(colleague(ana, "bo@example.com"), request), first);
  sql("update request_keys set created_at = created_at - interval '25 hours' where tenant_id = " +
      std::to_string(value(ana->tenant_id)));
  EXPECT_NE(create(ana, request), first);
  // Bo's key has expired too, and was forgotten on the way.
  EXPECT_EQ(sql("select count(*) from request_keys where tenant_id = " + std::to_string(value(ana->tenant_id))), "1");
}

TEST_F(CreateTicket, ARefusedRequestLeavesItsKeyFree) {
  EXPECT_TRUE(call(ana, "create_ticket", R"({"title":"x","due_at":"soon","idempotency_key":"k-1"})").is_error());
  EXPECT_FALSE(call(ana, "create_ticket", R"({"title":"x","due_at":"2026-11-30","idempotency_key":"k-1"})").is_error());
}

TEST_F(CreateTicket, ATakenIdWritesNothing) {
  // What the retry with another id relies on: the statement gives no row and leaves no trace.
  const std::string id = create(ana, R"({"title":"first"})");
  std::ifstream file(TICKETS_CREATE_SQL);
  const std::string statement(std::istreambuf_iterator<char>(file), {});
  const auto run_with = [&](const std::string& ref) {
    return sql("set app.tenant_id = " + std::to_string(value(ana->tenant_id)) + "; prepare create_ticket as " +
               statement + "; execute create_ticket('" + ref +
               "', 'second', '', 'normal', null, '{}', null, 'ana', null, 'ana', 'hdsk_abc123', 1, 'UTC')");
  };
  EXPECT_EQ(run_with(id), "");
  EXPECT_EQ(sql("select count(*) from ticket_history where ticket = '" + id + "'"), "1");
  EXPECT_EQ(sql("select title from tickets where ref = '" + id + "'"), "first");
  EXPECT_THAT(run_with(id == "000000" ? "000001" : "000000"), MatchesRegex("20.*\\+00:00"));
}

}  // namespace
}  // namespace toolhost::test_support
