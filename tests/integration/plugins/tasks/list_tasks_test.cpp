#include <gmock/gmock.h>

#include <algorithm>
#include <set>

#include "tasks_test.hpp"

namespace toolhost::test_support {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class ListTasks : public TasksTest {
 protected:
  Answer list(const std::string& arguments) {
    Answer answer = call(ana, "list_tasks", arguments);
    EXPECT_FALSE(answer.is_error()) << answer.text();
    return answer;
  }
  std::vector<std::string> titles(const std::string& arguments) { return list(arguments).each("/tasks", "title"); }
  std::string task(const std::string& title, const std::string& more = "") {
    return create(ana, "{\"title\":" + json_string(title) + (more.empty() ? "" : "," + more) + "}");
  }
  /// `count` tasks in the tenant of this test, by SQL: some due on a day, some at a moment, some never; many ties.
  void insert_many(int count) {
    sql("insert into tasks (tenant_id, ref, title, created_by, created_via, priority, due_date, due_at, due_by, "
        "created_at, updated_at) select *, least(created_at, now()) from (select " +
        std::to_string(value(ana->tenant_id)) +
        ", lpad(i::text, 6, '0'), 't' || i, 'x', 'x', (array['low','normal','high','urgent'])[i % 4 + "
        "1]::task_priority, d, m, due_end(d, m, 'Europe/Berlin'), '2026-01-01'::timestamptz + i / 2 * interval '1 "
        "minute' as created_at from generate_series(0, " +
        std::to_string(count - 1) +
        ") i, lateral (select case when i % 3 = 0 then '2026-01-01'::date + i % 7 end as d, case when i % 3 = 1 then "
        "'2026-01-01'::timestamptz + i % 5 * interval '1 day' end as m) due) made");
  }
  /// All pages of a list.
  std::vector<std::string> walk(const std::string& arguments, std::size_t* pages = nullptr) {
    std::vector<std::string> seen;
    std::string cursor;
    for (std::size_t page = 0; page < 1000; ++page) {
      std::string request = arguments;
      if (!cursor.empty()) request.insert(request.size() - 1, ",\"cursor\":" + json_string(cursor));
      const Answer answer = list(request);
      for (std::string& id : answer.each("/tasks", "id")) seen.push_back(std::move(id));
      if (pages != nullptr) *pages = page + 1;
      if (!answer.has("/next_cursor")) return seen;
      cursor = answer.at("/next_cursor");
    }
    ADD_FAILURE() << "the list does not end";
    return seen;
  }
};

TEST_F(ListTasks, ShowsUnfinishedTasksByDefaultSoonestDueFirst) {
  const std::string done = task("done", R"("due_date":"2020-01-01")");
  change(ana, "complete_task", done);
  const std::string cancelled = task("cancelled");
  change(ana, "update_task", cancelled, R"("status":"cancelled")");
  task("never");
  task("late", R"("due_date":"2020-01-02")");
  task("later that day", R"("due_date":"2199-01-01")");
  change(ana, "update_task", task("that day", R"("due_at":"2199-01-01T10:00")"), R"("status":"in_progress")");
  const Answer answer = list("{}");
  EXPECT_THAT(answer.each("/tasks", "title"), ElementsAre("late", "that day", "later that day", "never"));
  EXPECT_THAT(answer.each("/tasks", "is_overdue"), ElementsAre("true", "false", "false", "false"));
  EXPECT_EQ(answer.at("/total"), "4");
  EXPECT_EQ(answer.at("/total_is_exact"), "true");
  EXPECT_EQ(answer.at("/applied_filters/status"), R"(["unfinished"])");
  EXPECT_EQ(answer.at("/applied_filters/sort"), "due");
  EXPECT_EQ(answer.at("/time_zone"), "Europe/Berlin");
  EXPECT_THAT(titles(R"({"sort":"due","order":"desc"})"), ElementsAre("later that day", "that day", "late", "never"));
}

TEST_F(ListTasks, FiltersByStatus) {
  change(ana, "complete_task", task("done"));
  change(ana, "update_task", task("cancelled"), R"("status":"cancelled")");
  change(ana, "update_task", task("started"), R"("status":"in_progress")");
  task("open");
  EXPECT_THAT(titles(R"({"status":"done"})"), ElementsAre("done"));
  EXPECT_THAT(titles(R"({"status":["open","cancelled"]})"), UnorderedElementsAre("open", "cancelled"));
  EXPECT_THAT(titles(R"({"status":"unfinished"})"), UnorderedElementsAre("open", "started"));
  EXPECT_THAT(titles(R"({"status":["unfinished","done"]})"), UnorderedElementsAre("open", "started", "done"));
  EXPECT_EQ(titles(R"({"status":"all"})").size(), 4u);
}

TEST_F(ListTasks, FiltersByPeopleTagsAndTicket) {
  const std::string ticket = create_ticket(ana, "VPN drops"), other = create_ticket(ana, "Printer down");
  task("mine", R"("assignee":"me","tags":["vpn","office"],"ticket_id":")" + ticket + '"');
  task("bo's", R"("assignee":"Bo@Example.com","tags":["vpn"])");
  task("nobody's");
  EXPECT_THAT(titles(R"({"assignee":"me"})"), ElementsAre("mine"));
  EXPECT_THAT(titles(R"({"assignee":"bo@example.com"})"), ElementsAre("bo's"));
  EXPECT_THAT(titles(R"({"assignee":"none"})"), ElementsAre("nobody's"));
  EXPECT_THAT(titles(R"({"tags":["VPN"]})"), UnorderedElementsAre("mine", "bo's"));
  EXPECT_THAT(titles(R"({"tags":["vpn","office"]})"), ElementsAre("mine"));
  EXPECT_THAT(titles(R"({"ticket_id":")" + ticket + R"("})"), ElementsAre("mine"));
  EXPECT_THAT(titles(R"({"ticket_id":")" + other + R"("})"), IsEmpty());
  EXPECT_THAT(refused(ana, "list_tasks", R"({"ticket_id":"ZZZZZZ"})"), HasSubstr("Ticket ZZZZZZ not found."));
}

TEST_F(ListTasks, FiltersBySpansOfDueDates) {
  task("d29", R"("due_date":"2199-11-29")");
  task("d30", R"("due_date":"2199-11-30")");
  task("m30", R"("due_at":"2199-11-30T00:30")");  // in UTC still the 29th
  task("never");
  EXPECT_THAT(titles(R"({"due_after":"2199-11-30"})"), UnorderedElementsAre("d30", "m30"));
  EXPECT_THAT(titles(R"({"due_before":"2199-11-30"})"), ElementsAre("d29"));
  EXPECT_THAT(titles(R"({"due_after":"2199-11-29","due_before":"2199-11-30"})"), ElementsAre("d29"));
  // A day is due until its end.
  EXPECT_THAT(titles(R"({"due_before":"2199-11-30T12:00"})"), ElementsAre("d29", "m30"));
  EXPECT_THAT(titles(R"({"due_after":"2199-11-30T12:00"})"), ElementsAre("d30"));
  EXPECT_THAT(titles(R"({"due":"none"})"), ElementsAre("never"));
}

TEST_F(ListTasks, KnowsTheWindowsOfToday) {
  const auto day = [&](int offset) {
    return sql("select ((now() at time zone 'Europe/Berlin')::date + " + std::to_string(offset) + ")::text");
  };
  const int weekday = std::stoi(sql("select extract(isodow from now() at time zone 'Europe/Berlin')::int"));
  const auto on = [&](int offset) { task(std::to_string(offset), R"("due_date":")" + day(offset) + '"'); };
  for (int offset = -8; offset <= 15; ++offset) on(offset);
  const auto expect_window = [&](const std::string& due, int first, int last) {
    const Answer answer = list(R"({"limit":100,"due":")" + due + R"("})");
    std::vector<std::string> expected;
    for (int offset = first; offset <= last; ++offset) expected.push_back(std::to_string(offset));
    EXPECT_EQ(answer.each("/tasks", "title"), expected) << due;
    if (due == "overdue") return;
    EXPECT_EQ(answer.at("/applied_filters/due_first_day"), day(first)) << due;
    EXPECT_EQ(answer.at("/applied_filters/due_last_day"), day(last)) << due;
  };
  expect_window("overdue", -8, -1);
  expect_window("today", 0, 0);
  expect_window("this_week", 1 - weekday, 7 - weekday);
  expect_window("next_week", 8 - weekday, 14 - weekday);
  const Answer week = list(R"({"due":"next_week"})");
  EXPECT_EQ(week.at("/applied_filters/week_begins"), "Monday");
  EXPECT_THAT(week.text(), HasSubstr("due next_week = " + day(8 - weekday) + " to " + day(14 - weekday) +
                                     ", weeks begin on Monday"));
}

TEST_F(ListTasks, ConciseTasksAreShortAndDetailedOnesWhole) {
  const std::string ticket = create_ticket(ana, "VPN drops");
  task("x",
       R"("description":"long","assignee":"me","tags":["vpn"],"due_date":"2199-01-01","ticket_id":")" + ticket + '"');
  const Answer concise = list("{}");
  EXPECT_EQ(concise.at("/tasks/0/assignee"), "ana@example.com");
  EXPECT_EQ(concise.at("/tasks/0/ticket_id"), ticket);
  for (const char* field : {"tags", "created_at", "updated_at", "version", "description"})
    EXPECT_FALSE(concise.has(std::string("/tasks/0/") + field)) << field;
  EXPECT_FALSE(list(R"({"assignee":"me"})").has("/tasks/0/assignee"));
  EXPECT_TRUE(list(R"({"sort":"updated"})").has("/tasks/0/updated_at"));
  EXPECT_TRUE(list(R"({"sort":"created"})").has("/tasks/0/created_at"));
  const Answer detailed = list(R"({"response_format":"detailed"})");
  for (const char* field : {"tags", "created_at", "created_by", "updated_at", "version", "ticket_id"})
    EXPECT_TRUE(detailed.has(std::string("/tasks/0/") + field)) << field;
  EXPECT_FALSE(detailed.has("/tasks/0/description"));
}

TEST_F(ListTasks, PagesMeetEveryTaskOnceInEveryOrder) {
  insert_many(203);
  for (const char* sort : {"due", "updated", "created", "priority"}) {
    for (const char* order : {"asc", "desc"}) {
      std::size_t pages = 0;
      const auto seen =
          walk(std::string(R"({"limit":10,"sort":")") + sort + R"(","order":")" + order + R"("})", &pages);
      EXPECT_EQ(seen.size(), 203u) << sort << order;
      EXPECT_EQ(std::set<std::string>(seen.begin(), seen.end()).size(), 203u) << sort << order;
      EXPECT_EQ(pages, 21u) << sort << order;
    }
  }
  const auto whole = walk(R"({"limit":100,"sort":"priority"})");
  EXPECT_EQ(walk(R"({"limit":7,"sort":"priority"})"), whole);
}

TEST_F(ListTasks, PagesStayWholeWhileTasksComeAndGo) {
  insert_many(30);
  const Answer first = list(R"({"limit":10,"sort":"created"})");
  change(ana, "delete_task", first.at("/tasks/9/id"));
  task("new");
  const Answer second = list(R"({"limit":10,"sort":"created","cursor":)" + json_string(first.at("/next_cursor")) + "}");
  std::vector<std::string> seen = first.each("/tasks", "id");
  for (const std::string& id : second.each("/tasks", "id"))
    EXPECT_EQ(std::count(seen.begin(), seen.end(), id), 0) << id;
  EXPECT_EQ(second.size("/tasks"), 10u);
}

TEST_F(ListTasks, CursorsAreForTheListThatGaveThem) {
  insert_many(30);
  const std::string cursor = json_string(list(R"({"limit":5,"due":"overdue"})").at("/next_cursor"));
  EXPECT_THAT(refused(ana, "list_tasks", "{\"limit\":5,\"cursor\":" + cursor + "}"),
              HasSubstr("other filters or another order"));
  EXPECT_THAT(refused(ana, "list_tasks", R"({"due":"overdue","sort":"created","cursor":)" + cursor + "}"),
              HasSubstr("other filters or another order"));
  for (const std::string& forged : {std::string("abc"), std::string("'; --")})
    EXPECT_THAT(refused(ana, "list_tasks", "{\"cursor\":" + json_string(forged) + "}"),
                HasSubstr("cursor is not one that list_tasks gave"));
  // Another size and form of the page is the same list.
  EXPECT_EQ(list(R"({"limit":7,"due":"overdue","response_format":"detailed","cursor":)" + cursor + "}").size("/tasks"),
            7u);
}

TEST_F(ListTasks, CountsUpTo1000) {
  insert_many(1000);
  EXPECT_EQ(list(R"({"limit":1})").at("/total"), "1000");
  EXPECT_EQ(list(R"({"limit":1})").at("/total_is_exact"), "true");
  task("one more");
  const Answer answer = list(R"({"limit":1})");
  EXPECT_EQ(answer.at("/total"), "1000");
  EXPECT_EQ(answer.at("/total_is_exact"), "false");
  EXPECT_THAT(answer.text(), HasSubstr("1 of more than 1000 tasks"));
}

TEST_F(ListTasks, RefusesWhatItCannotRead) {
  for (const char* parameter : {"due_after", "due_before"}) {
    EXPECT_THAT(refused(ana, "list_tasks", std::string("{\"") + parameter + R"(":"next week"})"),
                HasSubstr(std::string(parameter) + " 'next week' is not a date; today is 20"));
    EXPECT_THAT(refused(ana, "list_tasks", std::string(R"({"due":"today",")") + parameter + R"(":"2026-01-01"})"),
                HasSubstr("due and due_after or due_before"));
    EXPECT_THAT(refused(ana, "list_tasks", std::string("{\"") + parameter + R"(":" "})"),
                HasSubstr(std::string(parameter) + " is empty"));
  }
  EXPECT_THAT(refused(ana, "list_tasks", R"({"ticket_id":"VPN"})"), HasSubstr("'VPN' is not a ticket id"));
  EXPECT_THAT(refused(ana, "list_tasks", R"({"assignee":" "})"), HasSubstr("assignee is empty"));
  EXPECT_THAT(refused(ana, "list_tasks", R"({"tags":["\u200b"]})"), HasSubstr("tags holds nothing to look for"));
  for (const char* arguments : {R"({"limit":0})", R"({"limit":101})", R"({"status":"closed"})", R"({"sort":"title"})",
                                R"({"due":"tomorrow"})", R"({"state":"open"})", R"({"order":"down"})"}) {
    EXPECT_EQ(call(ana, "list_tasks", arguments).outcome(), plugin_runtime::Outcome::kInvalidArguments) << arguments;
  }
  EXPECT_THAT(call(ana, "list_tasks", R"({"state":"open"})").text(), HasSubstr("status"));
}

TEST_F(ListTasks, APageEndsEarlyWhenItsTextsOutgrowTheBudget) {
  for (int i = 0; i < 25; ++i) {
    const std::string id = task("x");
    change(ana, "complete_task", id, R"("note":")" + std::string(2000, 'n') + '"');
  }
  std::string cursor;
  std::size_t seen = 0, pages = 0;
  do {
    const Answer page = list(R"({"status":"done","limit":100,"response_format":"detailed")" +
                             (cursor.empty() ? "" : ",\"cursor\":" + json_string(cursor)) + "}");
    EXPECT_LE(page.size("/tasks"), 9u);
    seen += page.size("/tasks");
    cursor = page.at("/next_cursor");
    EXPECT_EQ(page.at("/truncated"), cursor.empty() ? "false" : "true");
    ++pages;
  } while (!cursor.empty() && pages < 10);
  EXPECT_EQ(seen, 25u);
  EXPECT_EQ(pages, 3u);
  EXPECT_EQ(list(R"({"status":"done","limit":100})").size("/tasks"), 25u);
  EXPECT_EQ(list(R"({"status":"done","limit":5})").at("/truncated"), "false");
}

TEST_F(ListTasks, TellsThatFinishedTasksAreNeverOverdue) {
  change(ana, "complete_task", task("x", R"("due_date":"2020-01-01")"));
  const Answer answer = list(R"({"status":"all","due":"overdue"})");
  EXPECT_EQ(answer.at("/total"), "0");
  EXPECT_THAT(answer.at("/warnings"), HasSubstr("never overdue"));
}

}  // namespace
}  // namespace toolhost::test_support
