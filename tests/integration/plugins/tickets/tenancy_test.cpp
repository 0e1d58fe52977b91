#include <gmock/gmock.h>

#include "tickets_test.hpp"

namespace toolhost::test_support {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class Tenancy : public TicketsTest {
 protected:
  Tenancy() : eve(new_tenant()) {}
  CallerPtr eve;  ///< in another tenant; her e-mail address is the same
};

TEST_F(Tenancy, AnotherTenantsTicketIsUnknownInTheSameWords) {
  const std::string id = create(ana, R"({"title":"secret of ana"})");
  std::string near = id;
  near[5] = near[5] == 'X' ? 'Y' : 'X';
  for (const std::string& wanted : {id, near}) {
    const Answer read = call(eve, "get_ticket", R"({"id":")" + wanted + R"("})");
    EXPECT_TRUE(read.is_error());
    EXPECT_EQ(read.text(), "Ticket " + wanted + " not found. Use search_tickets or list_tickets to find it.");
    const Answer written = call(eve, "add_reply", R"({"id":")" + wanted + R"(","body":"x"})");
    EXPECT_EQ(written.text(), read.text());
    const std::string argument = R"({"id":")" + wanted + "\"";
    EXPECT_EQ(call(eve, "add_note", argument + R"(,"body":"x"})").text(), read.text());
    EXPECT_EQ(call(eve, "update_ticket", argument + R"(,"title":"x"})").text(), read.text());
    EXPECT_EQ(call(eve, "update_ticket", argument + R"(,"title":"x","expected_version":7})").text(), read.text());
    EXPECT_EQ(call(eve, "set_ticket_status", argument + R"(,"status":"resolved"})").text(), read.text());
    EXPECT_EQ(call(eve, "ticket_history", argument + "}").text(), read.text());
    const std::string own = create(eve, R"({"title":"own"})");
    EXPECT_EQ(
        call(eve, "set_ticket_status", R"({"id":")" + own + R"(","status":"closed","duplicate_of":")" + wanted + "\"}")
            .text(),
        read.text());
  }
  EXPECT_EQ(sql("select version from tickets where ref = '" + id + "'"), "1");
}

TEST_F(Tenancy, ListsAndDuplicatesShowOnlyOnesOwn) {
  create(ana, R"({"title":"VPN drops","idempotency_key":"k"})");
  const Answer created = call(eve, "create_ticket", R"({"title":"VPN drops","idempotency_key":"k"})");
  EXPECT_EQ(created.at("/created"), "true");
  EXPECT_EQ(created.at("/possible_duplicates"), "[]");
  const Answer list = call(eve, "list_tickets", R"({"status":"all","requester":"me"})");
  EXPECT_THAT(list.each("/tickets", "id"), ElementsAre(created.at("/ticket/id")));
  EXPECT_EQ(list.at("/total"), "1");
}

TEST_F(Tenancy, CursorsAreBoundToTheirTenant) {
  for (int i = 0; i < 3; ++i) create(ana, R"({"title":"x"})");
  for (int i = 0; i < 3; ++i) create(eve, R"({"title":"x"})");
  const std::string cursor = call(ana, "list_tickets", R"({"limit":1})").at("/next_cursor");
  const Answer answer = call(eve, "list_tickets", "{\"limit\":1,\"cursor\":" + json_string(cursor) + "}");
  EXPECT_TRUE(answer.is_error());
  EXPECT_THAT(answer.text(), HasSubstr("cursor is not one that list_tickets gave"));
}

TEST_F(Tenancy, InjectionStringsAreText) {
  const std::string secret =
      create(ana, R"({"title":"secret of ana","category":"secret","assignee":"secret","tags":["secret"]})");
  const std::string own = create(eve, R"({"title":"own"})");
  for (const char* attack : {"' or 1=1 --", "'; drop table tickets; --", "') or true --", "$1", "\\'; select 1; --",
                             "x' union select * from tickets --", "'||(select title from tickets limit 1)||'",
                             "{secret}", "\");", "%", "_", "'; set app.tenant_id = 1; --", "secret"}) {
    const std::string text = json_string(attack);
    const auto expect_harmless = [&](std::string_view tool, const std::string& arguments) {
      Answer answer = call(eve, tool, arguments);
      EXPECT_THAT(answer.text(), Not(HasSubstr(secret))) << tool << arguments;
      EXPECT_THAT(answer.text(), Not(HasSubstr("secret of ana"))) << tool << arguments;
      EXPECT_NE(answer.outcome(), plugin_runtime::Outcome::kInternal) << tool << arguments;
      return answer;
    };
    for (const char* filter : {"assignee", "requester", "category", "created_after", "created_before", "updated_after",
                               "due_before", "cursor"}) {
      const Answer answer =
          expect_harmless("list_tickets", "{\"status\":\"all\",\"" + std::string(filter) + "\":" + text + "}");
      EXPECT_THAT(answer.each("/tickets", "id"), IsEmpty()) << filter << attack;
    }
    expect_harmless("list_tickets", "{\"status\":\"all\",\"tags\":[" + text + "]}");
    for (const char* field : {"description", "category", "assignee", "requester", "due_at", "idempotency_key"}) {
      expect_harmless("create_ticket", "{\"title\":\"t\",\"" + std::string(field) + "\":" + text + "}");
    }
    expect_harmless("create_ticket", "{\"title\":\"t\",\"tags\":[" + text + "]}");
    const Answer created = expect_harmless("create_ticket", "{\"title\":" + text + ",\"description\":" + text + "}");
    const Answer read = expect_harmless("get_ticket", "{\"id\":" + json_string(created.at("/ticket/id")) + "}");
    EXPECT_EQ(read.at("/ticket/title"), attack);
    EXPECT_EQ(read.at("/ticket/description"), attack);
    expect_harmless("get_ticket", "{\"id\":" + text + "}");
    expect_harmless("get_ticket", "{\"id\":\"" + own + "\",\"messages_cursor\":" + text + "}");
    expect_harmless("add_reply", "{\"id\":" + text + ",\"body\":\"x\"}");
    const Answer reply =
        expect_harmless("add_reply", "{\"id\":\"" + own + "\",\"body\":" + text + ",\"idempotency_key\":" + text + "}");
    EXPECT_EQ(reply.at("/message/body"), attack);
    for (const char* field : {"title", "description", "category", "assignee", "requester", "due_at"}) {
      expect_harmless("update_ticket", "{\"id\":\"" + own + "\",\"" + field + "\":" + text + "}");
    }
    expect_harmless("update_ticket", "{\"id\":\"" + own + "\",\"tags_add\":[" + text + "],\"tags_remove\":[\"x\"]}");
    expect_harmless("set_ticket_status",
                    "{\"id\":\"" + own + "\",\"status\":\"closed\",\"duplicate_of\":" + text + "}");
    expect_harmless("set_ticket_status", "{\"id\":\"" + own + "\",\"status\":\"waiting\",\"comment\":" + text + "}");
    expect_harmless("set_ticket_status", "{\"id\":\"" + own + "\",\"status\":\"open\"}");
    expect_harmless("add_note", "{\"id\":\"" + own + "\",\"body\":" + text + ",\"idempotency_key\":" + text + "}");
    expect_harmless("ticket_history", "{\"id\":\"" + own + "\",\"cursor\":" + text + "}");
  }
  EXPECT_EQ(sql("select count(*) from tickets where tenant_id = " + std::to_string(value(ana->tenant_id))), "1");
}

TEST_F(Tenancy, ThePluginsRoleSeesNothingWithoutATenantAndOneTenantWithOne) {
  const std::string id = create(ana, R"({"title":"x"})");
  call(ana, "add_reply", R"({"id":")" + id + R"(","body":"x","idempotency_key":"k"})");
  job(ana, "import", R"({"source":"s","rows":[{"row":1,"data":{"title":"x"}}]})");
  for (const char* table : {"tickets", "ticket_messages", "ticket_history", "request_keys", "imports",
                            "search_documents", "ticket_titles"}) {
    const std::string count = std::string("; select count(*) > 0 from ") + table;
    EXPECT_EQ(sql("set role toolhost_plugin_tickets" + count), "f") << table;
    EXPECT_EQ(
        sql("set role toolhost_plugin_tickets; set app.tenant_id = " + std::to_string(value(eve->tenant_id)) + count),
        "f")
        << table;
    EXPECT_EQ(
        sql("set role toolhost_plugin_tickets; set app.tenant_id = " + std::to_string(value(ana->tenant_id)) + count),
        "t")
        << table;
  }
}

}  // namespace
}  // namespace toolhost::test_support
