#include <gmock/gmock.h>

#include "tasks_test.hpp"

namespace toolhost::test_support {
namespace {

using testing::HasSubstr;

class Exports : public TasksTest {
 protected:
  static std::string columns_of(const std::string& view) {
    return sql(
        "select string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' order by attnum) from "
        "pg_attribute where attrelid = 'tasks." +
        view + "'::regclass and attnum > 0");
  }
  std::string document(const std::string& id, const std::string& column) {
    return sql_in(ana, "select " + column + " from search_documents where ref = '" + id + "'");
  }
  std::int64_t changed(const std::string& id) { return std::stoll(document(id, "changed")); }
};

TEST_F(Exports, SearchDocumentsHasTheColumnsThatSearchReads) {
  EXPECT_EQ(columns_of("search_documents"),
            "ref text, kind text, title text, body text, tags text[], messages text, notes text, status text, "
            "priority text, category text, assignee text, requester text, created_at timestamp with time zone, "
            "updated_at timestamp with time zone, due_at timestamp with time zone, deleted boolean, changed bigint");
}

TEST_F(Exports, TicketTasksHasTheColumnsThatTicketsReads) {
  EXPECT_EQ(columns_of("ticket_tasks"),
            "ref text, ticket text, title text, status text, priority text, assignee text, due_at timestamp with time "
            "zone, due_date date, updated_at timestamp with time zone");
}

TEST_F(Exports, EveryWriteIsSeenAsAChange) {
  const std::string id = create(ana, R"({"title":"Water the monstera","description":"Tuesdays","tags":["office"],)"
                                     R"("assignee":"me","due_date":"2026-11-30"})");
  EXPECT_EQ(document(id,
                     "concat_ws('|', kind, title, body, tags, messages, notes, status, priority, category, "
                     "assignee, requester, due_at at time zone 'Europe/Berlin', deleted)"),
            "task|Water the monstera|Tuesdays|{office}|open|normal|ana@example.com|ana@example.com|2026-11-30 "
            "23:59:59|f");
  std::int64_t before = changed(id);
  for (const auto& [tool, more] :
       std::vector<std::pair<std::string, std::string>>{{"update_task", R"("description":"Thursdays")"},
                                                        {"complete_task", R"("note":"Soaked")"},
                                                        {"reopen_task", ""},
                                                        {"delete_task", ""}}) {
    change(ana, tool, id, more);
    EXPECT_GT(changed(id), before) << tool;
    before = changed(id);
    if (tool == "complete_task") EXPECT_EQ(document(id, "messages"), "Soaked");
  }
  EXPECT_EQ(document(id, "deleted"), "t");
  EXPECT_EQ(document(id, "num_nulls(ref, kind, title, deleted, changed, created_at, updated_at)"), "0");
  // Whoever writes, the column follows.
  sql("update tasks set title = title where ref = '" + id + "'");
  EXPECT_GT(changed(id), before);
}

TEST_F(Exports, WhatChangedSinceIsFoundByAnIndex) {
  create(ana, R"({"title":"x"})");
  for (const char* condition : {"changed >= 7", "ref = any('{AAAAAA,BBBBBB}')"}) {
    EXPECT_THAT(
        sql_in(ana, std::string("set enable_seqscan = off; explain (format json) select ref, title from "
                                "search_documents where ") +
                        condition),
        HasSubstr(std::string("\"Index Name\": \"") + (condition[0] == 'c' ? "tasks_by_change" : "tasks_pkey") + "\""))
        << condition;
  }
}

TEST_F(Exports, TicketTasksAreThoseOfTicketsThatAreNotDeleted) {
  const std::string ticket = create_ticket(ana, "VPN drops");
  const std::string of_ticket = R"("ticket_id":")" + ticket + '"';
  const std::string kept = create(ana, R"({"title":"kept",)" + of_ticket + "}");
  const std::string gone = create(ana, R"({"title":"gone",)" + of_ticket + "}");
  const std::string freed = create(ana, R"({"title":"freed",)" + of_ticket + "}");
  create(ana, R"({"title":"of none"})");
  change(ana, "delete_task", gone);
  change(ana, "update_task", freed, R"("ticket_id":null)");
  EXPECT_EQ(sql_in(ana, "select string_agg(title, ',') from ticket_tasks where ticket = '" + ticket + "'"), "kept");
  EXPECT_EQ(sql_in(ana, "select count(*) from ticket_tasks"), "1");
}

TEST_F(Exports, ViewsShowOneTenant) {
  const CallerPtr eve = new_tenant();
  const std::string ticket = create_ticket(ana, "VPN drops");
  create(ana, R"({"title":"x","ticket_id":")" + ticket + R"("})");
  for (const char* view : {"search_documents", "ticket_tasks"}) {
    const std::string count = std::string("select count(*) from ") + view;
    EXPECT_EQ(sql_in(ana, count), "1") << view;
    EXPECT_EQ(sql_in(eve, count), "0") << view;
    EXPECT_EQ(sql("set role toolhost_plugin_tasks; " + count), "0") << view;
  }
}

}  // namespace
}  // namespace toolhost::test_support
