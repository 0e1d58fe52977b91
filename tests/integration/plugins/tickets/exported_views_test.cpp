#include <gmock/gmock.h>

#include "tickets_test.hpp"

namespace toolhost::test_support {
namespace {

using testing::HasSubstr;
using testing::Not;

class ExportedViews : public TicketsTest {
 protected:
  ExportedViews()
      : eve(new_tenant()), id(create(ana, R"({"title":"VPN drops","description":"weekly","tags":["vpn"]})")) {}

  /// As a plugin that was granted the view, in a tenant.
  static std::string in_tenant(const CallerPtr& caller, const std::string& query) {
    return sql("set role toolhost_plugin_tickets; set app.tenant_id = " + std::to_string(value(caller->tenant_id)) +
               "; " + query);
  }
  void say(const std::string& tool, const std::string& body) {
    const Answer answer = call(ana, tool, R"({"id":")" + id + R"(","body":)" + json_string(body) + "}");
    ASSERT_FALSE(answer.is_error()) << answer.text();
  }

  CallerPtr eve;
  std::string id;
};

TEST_F(ExportedViews, SearchDocumentsHaveTheColumnsOfTheContract) {
  EXPECT_EQ(
      sql("select string_agg(column_name || ' ' || data_type, ', ' order by ordinal_position) from "
          "information_schema.columns where table_schema = 'tickets' and table_name = 'search_documents'"),
      "ref text, kind text, title text, body text, tags ARRAY, messages text, notes text, status text, priority "
      "text, category text, assignee text, requester text, created_at timestamp with time zone, updated_at timestamp "
      "with time zone, due_at timestamp with time zone, deleted boolean, changed bigint");
}

TEST_F(ExportedViews, ADocumentHasItsMessagesAndNotesApart) {
  say("add_reply", "Which client?");
  say("add_note", "Rude user");
  say("add_reply", "Please answer");
  const auto column = [&](const std::string& name) {
    return in_tenant(ana, "select " + name + " from search_documents where ref = '" + id + "'");
  };
  EXPECT_EQ(column("kind || title || body || tags::text || status || priority || requester || deleted"),
            "ticketVPN dropsweekly{vpn}opennormalana@example.comfalse");
  EXPECT_EQ(column("messages"), "Please answer\n\nWhich client?");
  EXPECT_EQ(column("notes"), "Rude user");
  EXPECT_EQ(column("changed = (select changed from tickets where ref = '" + id + "')"), "t");
}

TEST_F(ExportedViews, TheNewestMessagesAreKeptWhenThereAreTooMany) {
  for (const char* tool : {"add_reply", "add_note"}) {
    say(tool, "the oldest");
    for (int i = 0; i < 10; ++i) say(tool, std::string(20000, 'x'));
    say(tool, "the newest");
  }
  for (const char* column : {"messages", "notes"}) {
    EXPECT_EQ(in_tenant(ana, std::string("select char_length(") + column + ") || left(" + column +
                                 ", 10) || position('the oldest' in " + column + ") from search_documents"),
              "200000the newest0")
        << column;
  }
}

TEST_F(ExportedViews, ShowOneTenantAndNothingWithoutOne) {
  create(eve, R"({"title":"of eve"})");
  for (const char* view : {"search_documents", "ticket_titles"}) {
    EXPECT_EQ(in_tenant(ana, std::string("select string_agg(title, ',') from ") + view), "VPN drops") << view;
    EXPECT_EQ(in_tenant(eve, std::string("select string_agg(title, ',') from ") + view), "of eve") << view;
    EXPECT_EQ(sql(std::string("set role toolhost_plugin_tickets; select count(*) from ") + view), "0") << view;
  }
  EXPECT_EQ(in_tenant(ana, "select ref || status from ticket_titles"), id + "open");
}

TEST_F(ExportedViews, AnotherPluginReadsTheViewAndNothingElse) {
  const std::string as_tasks =
      "set role toolhost_plugin_tasks; set app.tenant_id = " + std::to_string(value(ana->tenant_id)) + "; ";
  EXPECT_EQ(sql(as_tasks + "select ref from ticket_titles"), id);
  for (const char* other : {"tickets", "ticket_messages", "ticket_history", "imports", "request_keys"}) {
    EXPECT_EQ(sql(as_tasks + "do $$ begin perform 1 from " + other +
                  "; raise 'was allowed'; exception when insufficient_privilege then null; end $$; select 'refused'"),
              "refused")
        << other;
  }
}

TEST_F(ExportedViews, WhatChangedAndSingleDocumentsAreFoundByIndex) {
  std::string rows;
  for (int i = 0; i < 500; ++i)
    rows += std::string(i == 0 ? "" : ",") + R"({"row":1,"data":{"title":"t)" + std::to_string(i) + "\"}}";
  job(ana, "import", R"({"source":"s","rows":[)" + rows + "]}");
  sql("analyze tickets");
  const auto plan = [&](const std::string& condition) {
    return in_tenant(ana, "explain (format json) select ref, title, messages from search_documents where " + condition);
  };
  const std::string later = plan("changed >= 9000000000000");
  EXPECT_THAT(later, HasSubstr("tickets_by_change")) << later;
  EXPECT_THAT(later, HasSubstr("changed >=")) << later;
  const std::string single = plan("ref = any('{ABC123,XYZ789}')");
  EXPECT_THAT(single, Not(HasSubstr("Seq Scan"))) << single;
}

}  // namespace
}  // namespace toolhost::test_support
