#include <gmock/gmock.h>

#include <algorithm>

#include "tickets_test.hpp"

namespace toolhost::test_support {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Import : public TicketsTest {
 protected:
  Import() : eve(new_tenant("America/New_York")) {}

  /// Imports rows, given as JSON objects, as "tracker.jsonl".
  Answer import(const CallerPtr& caller, const std::vector<std::string>& rows, const std::string& more = "") {
    std::string list;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      list += std::string(i == 0 ? "" : ",") + R"({"row":)" + std::to_string(i + 1) + ",\"data\":" + rows[i] + "}";
    }
    return job(caller, "import", R"({"source":"tracker.jsonl","rows":[)" + list + "]" + more + "}");
  }
  /// All rows of an export, page by page.
  std::vector<std::string> exported(const CallerPtr& caller, int limit = 2) {
    std::vector<std::string> rows;
    std::string cursor;
    do {
      const Answer page = job(
          caller, "export",
          R"({"limit":)" + std::to_string(limit) + (cursor.empty() ? "" : ",\"cursor\":" + json_string(cursor)) + "}");
      for (std::size_t i = 0; i < page.size("/rows"); ++i) rows.push_back(page.at("/rows/" + std::to_string(i)));
      cursor = page.at("/cursor");
      EXPECT_EQ(page.at("/done"), std::to_string(rows.size()));
      EXPECT_GE(std::stoul(page.at("/total")), rows.size());
    } while (!cursor.empty() && rows.size() < 1000);
    return rows;
  }
  std::string of(const CallerPtr& caller, const std::string& query) {
    return sql(query + " tenant_id = " + std::to_string(value(caller->tenant_id)));
  }

  CallerPtr eve;  ///< in another tenant
};

const std::vector<std::string> kRows = {
    R"({"_id":"1606681","title":"Port bug","text":"All of it","status":"RESOLVED","priority":"--","resolution":"FIXED",
        "created":"2020-01-02 17:14:21+00:00"})",
    R"({"_id":"1606979","title":"","text":"Printer is dead\nsince Monday","status":"NEW","priority":"P1",
        "created":"30/Sep/21 17:20","reporter":"Ana Lima","labels":"a b",
        "comments":[{"body":"Which one?","author":"bo","public":true,"created":"2021-10-01"},{"body":"The old one"}]})",
    R"({"_id":"3","title":"Again","status":"RESOLVED","resolution":"DUPLICATE","duplicate_of":"1606681"})"};

TEST_F(Import, MakesTicketsOfATrackersRows) {
  const Answer answer = import(ana, kRows);
  EXPECT_EQ(answer.at("/accepted"), "3");
  EXPECT_EQ(answer.at("/unchanged"), "0");
  EXPECT_EQ(answer.at("/refused"), "[]");
  const std::string first = of(ana, "select ref from imports where external_id = '1606681' and");
  const Answer ticket = call(ana, "get_ticket", R"({"id":")" + first + R"(","include":["messages","history"]})");
  EXPECT_EQ(ticket.at("/ticket/title"), "Port bug");
  EXPECT_EQ(ticket.at("/ticket/description"), "All of it");
  EXPECT_EQ(ticket.at("/ticket/status"), "resolved");
  EXPECT_EQ(ticket.at("/ticket/resolution"), "fixed");
  EXPECT_EQ(ticket.at("/ticket/created_at"), "2020-01-02T18:14:21+01:00");
  EXPECT_EQ(ticket.at("/ticket/updated_at"), "2020-01-02T18:14:21+01:00");
  EXPECT_EQ(ticket.at("/ticket/requester"), "unknown");
  EXPECT_THAT(ticket.each("/history", "field"), ElementsAre("created"));
  EXPECT_EQ(ticket.at("/history/0/actor"), "toolhost");
  EXPECT_EQ(ticket.at("/history/0/to"), "imported from tracker.jsonl: 1606681");

  const std::string second = of(ana, "select ref from imports where external_id = '1606979' and");
  const Answer printer = call(ana, "get_ticket", R"({"id":")" + second + R"(","include":["messages","history"]})");
  EXPECT_EQ(printer.at("/ticket/title"), "Printer is dead");
  EXPECT_EQ(printer.at("/ticket/priority"), "urgent");
  EXPECT_EQ(printer.at("/ticket/requester"), "Ana Lima");
  EXPECT_EQ(printer.at("/ticket/tags"), R"(["a","b"])");
  EXPECT_EQ(printer.at("/ticket/version"), "3");
  EXPECT_THAT(printer.each("/messages", "body"), ElementsAre("Which one?", "The old one"));
  EXPECT_THAT(printer.each("/messages", "visibility"), ElementsAre("public", "internal"));
  EXPECT_THAT(printer.each("/history", "field"), ElementsAre("created", "reply", "note"));
  EXPECT_EQ(printer.at("/messages/0/created_at"), "2021-10-01T00:00:00+02:00");
  EXPECT_EQ(of(ana, "select duplicate_of from tickets where title = 'Again' and"), first);
  // What was imported goes on as a ticket like any other.
  EXPECT_EQ(call(ana, "add_reply", R"({"id":")" + second + R"(","body":"Hello"})").at("/message/id"), second + "-4");
}

TEST_F(Import, TwiceChangesNothing) {
  import(ana, kRows);
  const std::string before = of(ana, "select string_agg(tickets::text, '|' order by ref) from tickets where");
  const Answer again = import(ana, kRows);
  EXPECT_EQ(again.at("/accepted"), "0");
  EXPECT_EQ(again.at("/unchanged"), "3");
  EXPECT_THAT(again.each("/rows", "known"), ElementsAre("imported", "imported", "imported"));
  EXPECT_EQ(of(ana, "select string_agg(tickets::text, '|' order by ref) from tickets where"), before);
  EXPECT_EQ(import(eve, kRows).at("/accepted"), "3");
}

TEST_F(Import, AnotherSourceIsOtherTickets) {
  import(ana, kRows);
  const Answer other = job(ana, "import", R"({"source":"other","rows":[{"row":1,"data":)" + kRows[0] + "}]}");
  EXPECT_EQ(other.at("/accepted"), "1");
}

TEST_F(Import, RefusesBadRowsAndTakesTheOthers) {
  const Answer answer =
      import(ana, {R"({"_id":"1","title":"good"})", R"({"_id":"2","title":" ","text":""})",
                   R"({"_id":"3","title":"x","status":"Frobnicated"})",
                   R"({"_id":"4","title":"x","created":"09/10/2021"})", R"({"_id":"5","title":"x","priority":3})",
                   R"({"_id":"1","title":"the same id"})", R"({"title":"no id"})", R"({"title":"no id"})"});
  EXPECT_EQ(answer.at("/accepted"), "2");
  EXPECT_EQ(answer.at("/unchanged"), "2");
  EXPECT_EQ(answer.at("/rows/0"), R"({"row":6,"id":"1","known":"repeated"})");
  EXPECT_EQ(answer.size("/rows"), 4u);
  EXPECT_THAT(answer.each("/refused", "row"), ElementsAre("2", "3", "4", "5"));
  EXPECT_EQ(answer.at("/refused/0/reason"), "there is neither a title nor a description");
  EXPECT_THAT(answer.at("/refused/1/reason"), HasSubstr("status 'Frobnicated' has no plain meaning here"));
  EXPECT_THAT(answer.at("/refused/2/reason"), HasSubstr("is not a date that can be read in one way only"));
  EXPECT_THAT(answer.at("/refused/3/reason"), HasSubstr("priority '3' has no plain meaning"));
  EXPECT_EQ(of(ana, "select count(*) from tickets where"), "2");
}

TEST_F(Import, ADryRunSaysTheSameAndWritesNothing) {
  const Answer dry = import(ana, kRows, R"(,"dry_run":true)");
  EXPECT_EQ(dry.at("/accepted"), "3");
  EXPECT_EQ(of(ana, "select count(*) from tickets where"), "0");
  EXPECT_EQ(of(ana, "select count(*) from imports where"), "0");
  import(ana, {kRows[0]});
  EXPECT_EQ(import(ana, kRows, R"(,"dry_run":true)").at("/accepted"), "2");
}

TEST_F(Import, FollowsTheMap) {
  const Answer answer = import(ana, {R"({"_id":"1","headline":"mapped","title":"not","urgency":"low"})"},
                               R"(,"map":{"title":["headline"],"priority":["urgency"]})");
  EXPECT_EQ(answer.at("/accepted"), "1");
  EXPECT_EQ(of(ana, "select title || priority::text from tickets where"), "mappedlow");
  EXPECT_THAT(job_refusal(ana, "import", R"({"source":"s","rows":[],"map":{"titel":["x"]}})"),
              HasSubstr("map: there is no field 'titel'; the fields are id, title"));
}

TEST_F(Import, PeopleBecomeMembersWhenItIsClearWhoTheyAre) {
  const CallerPtr known =
      with_members(ana, {{"ana.l@acme.com", "Ana Lima", Role::kAgent}, {"ana.r@acme.com", "Ana Ruiz", Role::kAgent}});
  import(known, {R"({"_id":"1","title":"x","reporter":"ana lima","assignee":"Lima"})"});
  EXPECT_EQ(of(ana, "select requester || ' ' || assignee from tickets where"), "ana.l@acme.com Lima");
}

TEST_F(Import, ADuplicateMayComeBeforeItsOriginal) {
  import(ana, {R"({"_id":"3","title":"Again","status":"closed","resolution":"duplicate","duplicate_of":"4"})",
               R"({"_id":"5","title":"Lost","status":"closed","resolution":"duplicate"})"});
  EXPECT_EQ(of(ana, "select count(*) from tickets where resolution = 'duplicate' and duplicate_of is null and"), "2");
  import(ana, {R"({"_id":"4","title":"First"})"});
  EXPECT_EQ(of(ana,
               "select count(*) from tickets a where duplicate_of = (select ref from tickets b where b.title = 'First' "
               "and b.tenant_id = a.tenant_id) and title = 'Again' and"),
            "1");
  EXPECT_EQ(import(ana, {R"({"_id":"6","title":"Self","status":"closed","resolution":"duplicate","duplicate_of":"6"})"})
                .at("/accepted"),
            "1");
}

/// A row that repeats another.
std::string duplicate(const std::string& id, const std::string& original) {
  return R"({"_id":")" + id + R"(","title":")" + id +
         R"(","status":"closed","resolution":"duplicate","duplicate_of":")" + original + "\"}";
}

TEST_F(Import, DuplicatesOfEachOtherLoseTheLinkThatClosesTheCircle) {
  const std::string links =
      "select string_agg(title || coalesce((select b.title from tickets b where b.tenant_id = a.tenant_id and b.ref = "
      "a.duplicate_of), '-'), ' ' order by title) from tickets a where resolution = 'duplicate' and";
  EXPECT_EQ(import(ana, {duplicate("A", "B"), duplicate("B", "A")}).at("/accepted"), "2");
  EXPECT_EQ(of(ana, links), "AB B-");
  EXPECT_EQ(
      import(ana, {duplicate("C", "D"), duplicate("D", "E"), duplicate("F", "C"), duplicate("E", "C")}).at("/accepted"),
      "4");
  EXPECT_EQ(of(ana, links), "AB B- CD DE E- FC");
  // The same in a file that is longer than one call: links that wait for their originals come first.
  import(eve, {duplicate("A", "C"), duplicate("B", "A"), duplicate("X", "Y")});
  EXPECT_EQ(import(eve, {duplicate("C", "B"), duplicate("Y", "B")}).at("/accepted"), "2");
  EXPECT_EQ(of(eve, links), "AC BA C- XY YB");
}

TEST_F(Import, WhatIsExportedBecomesTheSameTickets) {
  const CallerPtr bo = colleague(ana, "bo@example.com");
  const std::string a = create(ana, R"({"title":"VPN \"drops\"","description":"Line 1\nLine 2 👍","priority":"high",
      "category":"Network","tags":["vpn","büro"],"assignee":"bo@example.com","due_at":"2026-11-30"})");
  const std::string b = create(ana, R"({"title":"Again"})"), c = create(ana, R"({"title":"Waits"})");
  call(bo, "add_reply", R"({"id":")" + a + R"(","body":"Which client?"})");
  call(bo, "add_note", R"({"id":")" + a + R"(","body":"Rude\nuser"})");
  call(ana, "add_reply", R"({"id":")" + a + R"(","body":"The new one","set_status":"resolved"})");
  call(bo, "set_ticket_status", R"({"id":")" + b + R"(","status":"closed","duplicate_of":")" + a + "\"}");
  call(bo, "set_ticket_status", R"({"id":")" + c + R"(","status":"closed","resolution":"wont_fix"})");
  call(bo, "set_ticket_status", R"({"id":")" + c + R"(","status":"open"})");
  call(bo, "set_ticket_status", R"({"id":")" + c + R"(","status":"waiting","waiting_on":"third_party"})");

  const std::vector<std::string> rows = exported(ana);
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(exported(ana, 100), rows);
  const Answer imported = import(eve, rows);
  EXPECT_EQ(imported.at("/accepted"), "3") << imported.structured_json();
  EXPECT_EQ(exported(eve), rows);
  EXPECT_THAT(rows[0], HasSubstr("\"id\":\"" + a + "\""));
  EXPECT_THAT(rows[0], HasSubstr("\"visibility\":\"internal\""));

  const Answer again = import(eve, rows);
  EXPECT_EQ(again.at("/unchanged"), "3");
  // Under another name, and where it came from, it is known as well.
  EXPECT_EQ(job(eve, "import", R"({"source":"x","rows":[{"row":1,"data":)" + rows[0] + "}]}").at("/unchanged"), "1");
  EXPECT_EQ(import(ana, rows).at("/unchanged"), "3");
  EXPECT_EQ(exported(eve), rows);
}

TEST_F(Import, WhatAnExportWritesIsReadHoweverLongAThreadHasGrown) {
  const std::string id = create(ana, R"({"title":"Thread"})");
  create(ana, R"({"title":"none"})");
  sql("insert into ticket_messages (tenant_id, ticket, number, visibility, body, author, author_role, created_via) "
      "select " +
      std::to_string(value(ana->tenant_id)) + ", '" + id +
      "', 1 + i, 'public', i || repeat(' words', 200), 'ana', 'staff', 'test' from generate_series(1, 1500) i");
  const auto rows = exported(ana);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_GT(rows[0].size(), std::size_t{1} << 20);
  const Answer imported = import(eve, rows);
  EXPECT_EQ(imported.at("/accepted"), "2") << imported.at("/refused");
  EXPECT_EQ(exported(eve), rows);
}

TEST_F(Import, ATakenIdIsReplaced) {
  const std::string id = create(ana, R"({"title":"mine"})");
  const Answer answer = import(ana, {R"({"id":")" + id + R"(","title":"other"})"});
  EXPECT_EQ(answer.at("/accepted"), "1");
  EXPECT_EQ(sql("select title from tickets where ref = '" + id + "'"), "mine");
  EXPECT_EQ(of(ana, "select count(*) from tickets where title = 'other' and"), "1");
}

TEST_F(Import, AnExportOfNothingIsNothingAndForeignCursorsAreRefused) {
  EXPECT_THAT(exported(ana), IsEmpty());
  EXPECT_THAT(job_refusal(ana, "export", R"({"cursor":"x"})"), HasSubstr("cursor is not one that this export gave"));
  import(ana, kRows);
  const std::string cursor = job(ana, "export", R"({"limit":1})").at("/cursor");
  EXPECT_THAT(job_refusal(eve, "export", "{\"cursor\":" + json_string(cursor) + "}"), HasSubstr("is not one that"));
}

TEST_F(Import, LongTextsArePagedByWeight) {
  const std::string text(20000, 'x');
  std::vector<std::string> rows;
  for (int i = 0; i < 250; ++i)
    rows.push_back(R"({"_id":")" + std::to_string(i) + R"(","title":"x","text":")" + text + "\"}");
  EXPECT_EQ(import(ana, rows).at("/accepted"), "250");
  const Answer page = job(ana, "export", R"({"limit":1000})");
  EXPECT_LT(page.size("/rows"), 250u);
  EXPECT_TRUE(page.has("/cursor"));
  EXPECT_EQ(exported(ana, 1000).size(), 250u);
}

TEST_F(Import, RowsFromTheFutureAreRefused) {
  const Answer answer =
      import(ana, {R"({"_id":"1","title":"a","created":"2150-01-01"})", R"({"_id":"2","title":"b"})",
                   R"({"_id":"3","title":"c","created":"2020-01-01","updated":"31/Dec/2150 10:00"})",
                   R"({"_id":"4","title":"d","comments":[{"body":"x"},{"body":"y","created":"2150-02-01T00:00:00Z"}]})",
                   R"({"_id":"5","title":"e","due":"2150-01-01"})"});
  EXPECT_EQ(answer.at("/accepted"), "2");
  EXPECT_EQ(answer.each("/refused", "row"), (std::vector<std::string>{"1", "3", "4"}));
  EXPECT_THAT(answer.at("/refused/0/reason"), HasSubstr("created_at '2150-01-01 00:00:00 Europe/Berlin' lies in the"));
  EXPECT_THAT(answer.at("/refused/1/reason"), HasSubstr("updated_at '2150-12-31T10:00"));
  EXPECT_THAT(answer.at("/refused/2/reason"), HasSubstr("the date of a message '2150-02-01T00:00:00Z'"));
}

TEST_F(Import, StrangeRowsNeverFailTheBatch) {
  const Answer answer =
      import(ana, {R"({"_id":{"a":1},"title":["x","y"],"text":{"value":"v"}})",
                   R"({"_id":"\u0000","title":"a\u0000b","text":"c\u0000d"})",
                   R"({"_id":"q","title":"'; drop table tickets; --","labels":"{a},\"b\",\\","reporter":"\\\"{}"})",
                   R"({"title":true,"status":null,"tags":[null,1,["x"]],"comments":[null,1,{"body":null}]})", R"({})",
                   R"({"title":"x","reopen_count":"many","comments":"none"})", R"({"title":"y","due":"2250-01-01"})",
                   R"({"title":"z","due":"1975-01-01"})"});
  EXPECT_EQ(std::stoi(answer.at("/accepted")) + static_cast<int>(answer.size("/refused")), 8)
      << answer.structured_json();
  EXPECT_EQ(answer.size("/refused"), 3u) << answer.structured_json();
  EXPECT_EQ(of(ana, "select count(*) from tickets where"), answer.at("/accepted"));
}

}  // namespace
}  // namespace toolhost::test_support
