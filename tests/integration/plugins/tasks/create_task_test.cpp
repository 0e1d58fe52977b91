#include <gmock/gmock.h>

#include <set>

#include "tasks_test.hpp"

namespace toolhost::test_support {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::MatchesRegex;

class CreateTask : public TasksTest {
 protected:
  std::string tasks_of(const CallerPtr& caller) {
    return sql("select count(*) from tasks where tenant_id = " + std::to_string(value(caller->tenant_id)));
  }
};

TEST_F(CreateTask, MakesAnOpenTaskFromATitleAlone) {
  const Answer answer = call(ana, "create_task", R"({"title":"Order new printer cartridges"})");
  ASSERT_FALSE(answer.is_error()) << answer.text();
  EXPECT_THAT(answer.at("/task/id"), MatchesRegex("[0-9A-HJKMNP-TV-Z]{6}"));
  EXPECT_EQ(answer.at("/task/title"), "Order new printer cartridges");
  EXPECT_EQ(answer.at("/task/status"), "open");
  EXPECT_EQ(answer.at("/task/priority"), "normal");
  EXPECT_EQ(answer.at("/task/is_overdue"), "false");
  EXPECT_EQ(answer.at("/task/version"), "1");
  EXPECT_EQ(answer.at("/created"), "true");
  EXPECT_FALSE(answer.has("/task/due_date"));
  EXPECT_FALSE(answer.has("/warnings"));
  EXPECT_EQ(answer.at("/time_zone"), "Europe/Berlin");
  EXPECT_THAT(answer.at("/server_time"), MatchesRegex("20..-..-..T..:..:..\\+0[12]:00"));
  EXPECT_THAT(answer.text(), HasSubstr("Created task **" + answer.at("/task/id") + "** [open, normal]"));
  EXPECT_EQ(column(answer.at("/task/id"), "created_by || ' ' || created_via"), "ana@example.com " + ana->key_prefix);
}

TEST_F(CreateTask, KeepsEveryField) {
  const std::string ticket = create_ticket(ana, "Printer \"3rd floor\" down");
  const Answer answer = call(
      ana, "create_task",
      R"({"title":"🖨️ Order طابعة","description":"20 of them\nplease","priority":"urgent","assignee":"bo@example.com",)"
      R"("due_date":"2199-12-31","tags":["VPN","{a,b}","quote\"\\"],"ticket_id":"#)" +
          ticket + R"("})");
  ASSERT_FALSE(answer.is_error()) << answer.text();
  const Answer read = call(ana, "get_task", R"({"id":")" + answer.at("/task/id") + R"("})");
  for (const Answer* seen : {&answer, &read}) {
    EXPECT_EQ(seen->at("/task/title"), "🖨️ Order طابعة");
    EXPECT_EQ(seen->at("/task/priority"), "urgent");
    EXPECT_EQ(seen->at("/task/assignee"), "bo@example.com");
    EXPECT_EQ(seen->at("/task/due_date"), "2199-12-31");
    EXPECT_EQ(seen->at("/task/tags"), R"(["vpn","{a,b}","quote\"\\"])");
    EXPECT_EQ(seen->at("/task/ticket_id"), ticket);
    EXPECT_EQ(seen->at("/task/ticket_title"), "Printer \"3rd floor\" down");
    EXPECT_EQ(seen->at("/task/ticket_status"), "open");
    EXPECT_THAT(seen->text(), HasSubstr("ticket " + ticket + " \"Printer '3rd floor' down\" [open]"));
  }
  EXPECT_EQ(read.at("/task/description"), "20 of them\nplease");
}

TEST_F(CreateTask, TakesADescriptionOf20000CharactersAndNotOneMore) {
  std::string description;
  for (int i = 0; i < 20'000; ++i) description += "ß";
  const std::string id = create(ana, R"({"title":"long","description":)" + json_string(description) + "}");
  const Answer answer = call(ana, "get_task", R"({"id":")" + id + R"(","response_format":"detailed"})");
  EXPECT_EQ(answer.at("/task/description"), description);
  EXPECT_TRUE(
      call(ana, "create_task", R"({"title":"long","description":)" + json_string(description + "x") + "}").is_error());
}

TEST_F(CreateTask, AMomentIsReadInTheTenantsTimeZone) {
  const auto due = [&](const CallerPtr& caller, const std::string& input) {
    return call(caller, "create_task", R"({"title":"x","due_at":")" + input + R"("})").at("/task/due_at");
  };
  EXPECT_EQ(due(ana, "2026-11-30T17:00"), "2026-11-30T17:00:00+01:00");
  EXPECT_EQ(due(ana, "2026-07-30T17:00:00Z"), "2026-07-30T19:00:00+02:00");
  EXPECT_EQ(due(ana, "2026-11-30T17:00:00.6Z"), "2026-11-30T18:00:00+01:00");
  EXPECT_EQ(due(ana, "2026-03-29T02:30"), "2026-03-29T03:30:00+02:00");  // does not exist
  EXPECT_EQ(due(ana, "2026-10-25T02:30"), "2026-10-25T02:30:00+01:00");  // exists twice
  EXPECT_EQ(due(new_tenant("America/St_Johns"), "2026-12-31T09:00"), "2026-12-31T09:00:00-03:30");
  EXPECT_EQ(due(new_tenant("Pacific/Chatham"), "2026-12-31T09:00"), "2026-12-31T09:00:00+13:45");
  EXPECT_EQ(due(new_tenant("Pacific/Kiritimati"), "2026-12-31T12:00Z"), "2027-01-01T02:00:00+14:00");
}

TEST_F(CreateTask, ADayIsADayInEveryTimeZone) {
  for (const char* zone : {"Europe/Berlin", "America/New_York", "Pacific/Kiritimati", "Pacific/Chatham"}) {
    const CallerPtr caller = new_tenant(zone);
    const std::string id = create(caller, R"({"title":"x","due_date":"2026-03-29"})");
    const Answer read = call(caller, "get_task", R"({"id":")" + id + R"("})");
    EXPECT_EQ(read.at("/task/due_date"), "2026-03-29") << zone;
    EXPECT_FALSE(read.has("/task/due_at")) << zone;
    EXPECT_EQ(column(id, std::string("due_by at time zone '") + zone + "'"), "2026-03-29 23:59:59") << zone;
  }
}

TEST_F(CreateTask, IsOverdueWhenItsDayOrMomentIsOver) {
  const auto is_overdue = [&](const std::string& due) {
    return call(ana, "create_task", R"({"title":"x",)" + due + "}").at("/task/is_overdue");
  };
  EXPECT_EQ(is_overdue(R"("due_date":"2020-01-01")"), "true");
  EXPECT_EQ(is_overdue(R"("due_at":"2020-01-01T00:00Z")"), "true");
  EXPECT_EQ(is_overdue(R"("due_date":"2199-01-01")"), "false");
  EXPECT_EQ(is_overdue(R"("due_at":"2199-01-01T00:00Z")"), "false");
  const std::string today = sql("select (now() at time zone 'Europe/Berlin')::date");
  EXPECT_EQ(is_overdue(R"("due_date":")" + today + '"'), "false");
}

TEST_F(CreateTask, RefusesDatesThatAreNone) {
  const auto refusal = [&](const std::string& due) {
    return refused(ana, "create_task", R"({"title":"x",)" + due + "}");
  };
  EXPECT_THAT(refusal(R"("due_date":"next week")"),
              MatchesRegex("due_date 'next week' is not a date; today is 20..-..-.. "
                           "\\((Mon|Tue|Wed|Thu|Fri|Sat|Sun), Europe/Berlin\\); use YYYY-MM-DD.*"));
  EXPECT_THAT(refusal(R"("due_date":"2026-02-30")"), HasSubstr("'2026-02-30' is not a date"));
  EXPECT_THAT(refusal(R"("due_date":"2200-01-01")"), HasSubstr("years 2000 to 2199"));
  EXPECT_THAT(refusal(R"("due_at":"17:00")"), HasSubstr("due_at '17:00' is not a date"));
  EXPECT_THAT(refusal(R"("due_date":"2026-11-30T17:00")"), HasSubstr("has a time"));
  EXPECT_THAT(refusal(R"("due_date":"2026-11-30","due_at":"2026-11-30T17:00")"), HasSubstr("exclude each other"));
  EXPECT_EQ(tasks_of(ana), "0");
}

TEST_F(CreateTask, RefusesUnknownTicketsBlankTitlesAndNulCharacters) {
  const std::string ticket = create_ticket(ana, "VPN drops");
  std::string near = ticket;
  near[5] = near[5] == 'X' ? 'Y' : 'X';
  EXPECT_EQ(refused(ana, "create_task", R"({"title":"x","ticket_id":")" + near + R"("})"),
            "Ticket " + near + " not found. Nearest: " + ticket +
                " \"VPN drops\". Use search_tickets or list_tickets to find it.");
  EXPECT_THAT(refused(ana, "create_task", R"({"title":"x","ticket_id":"the VPN one"})"), HasSubstr("not a ticket id"));
  EXPECT_THAT(refused(ana, "create_task", R"({"title":" \u202e\n "})"), HasSubstr("title is empty"));
  EXPECT_THAT(refused(ana, "create_task", R"({"title":"x","description":"a\u0000b"})"), HasSubstr("NUL"));
  EXPECT_EQ(tasks_of(ana), "0");
}

TEST_F(CreateTask, RefusesWhatTheSchemaForbids) {
  for (const char* arguments :
       {R"({})", R"({"title":""})", R"({"title":"x","priority":"p1"})", R"({"title":"x","due":"x"})",
        R"({"title":"x","tags":["a","b","c","d","e","f","g","h","i","j","k"]})",
        R"({"title":"x","idempotency_key":""})"}) {
    EXPECT_EQ(call(ana, "create_task", arguments).outcome(), plugin_runtime::Outcome::kInvalidArguments) << arguments;
  }
  EXPECT_THAT(call(ana, "create_task", R"({"title":"x","ticket":"7QK4MX"})").text(), HasSubstr("ticket_id"));
}

TEST_F(CreateTask, PeopleAreMembersWhenThereAreAny) {
  const CallerPtr caller = new_tenant("Europe/Berlin", {{"ana.lopez@acme.com", "Ana Lopez", Role::kAgent},
                                                        {"ana.ruiz@acme.com", "Ana Ruiz", Role::kAgent},
                                                        {"bo@acme.com", "Bo Berg", Role::kAdmin}});
  const auto assigned = [&](const std::string& person) {
    return call(caller, "create_task", R"({"title":"x","assignee":")" + person + R"("})");
  };
  EXPECT_EQ(assigned("bo berg").at("/task/assignee"), "bo@acme.com");
  EXPECT_EQ(assigned("Lopez").at("/task/assignee"), "ana.lopez@acme.com");
  EXPECT_EQ(assigned("eve@elsewhere.com").at("/task/assignee"), "eve@elsewhere.com");
  EXPECT_EQ(assigned("me").at("/task/assignee"), "ana@example.com");
  EXPECT_THAT(assigned("Ana").text(), HasSubstr("2 people match 'Ana': Ana Lopez <ana.lopez@acme.com>, Ana Ruiz"));
  EXPECT_THAT(assigned("Zoe").text(), HasSubstr("nobody here is called 'Zoe'"));
  EXPECT_THAT(call(caller, "list_tasks", R"({"assignee":"Ana"})").text(), HasSubstr("2 people match"));
  EXPECT_EQ(call(caller, "list_tasks", R"({"assignee":"Berg"})").at("/total"), "1");
  EXPECT_THAT(call(caller, "list_tasks", R"({"assignee":"Zoe"})").at("/warnings/0"),
              HasSubstr("nobody here is called 'Zoe'; nearest: "));
}

TEST_F(CreateTask, FractionsOfASecondAreCut) {
  for (const char* fraction : {"999", "9999999"}) {
    const Answer answer =
        call(ana, "create_task", R"({"title":"x","due_at":"2027-12-31T23:59:59.)" + std::string(fraction) + "\"}");
    EXPECT_THAT(answer.at("/task/due_at"), HasSubstr("2027-12-31T23:59:59+01:00"));
  }
}

TEST_F(CreateTask, WarnsWhenTheSameTitleComesTwiceAtOnce) {
  const std::string first = create(ana, R"({"title":"Order"})");
  EXPECT_THAT(call(ana, "create_task", R"({"title":"Order"})").at("/warnings"), HasSubstr("made task " + first));
  EXPECT_FALSE(call(colleague(ana, "bo@example.com"), "create_task", R"({"title":"Order"})").has("/warnings"));
  EXPECT_FALSE(call(ana, "create_task", R"({"title":"Order","idempotency_key":"k"})").has("/warnings"));
}

TEST_F(CreateTask, WithAKeyIsCreatedOnce) {
  const std::string arguments = R"({"title":"Order","due_date":"2026-11-30","idempotency_key":"k"})";
  const Answer first = call(ana, "create_task", arguments);
  const Answer second = call(ana, "create_task", arguments);
  EXPECT_EQ(first.at("/created"), "true");
  EXPECT_EQ(second.at("/created"), "false");
  EXPECT_EQ(second.at("/task/id"), first.at("/task/id"));
  EXPECT_THAT(second.text(), HasSubstr("had created the task already"));
  EXPECT_THAT(refused(ana, "create_task", R"({"title":"Order","due_date":"2026-12-01","idempotency_key":"k"})"),
              HasSubstr("idempotency_key 'k' was used for create_task with other arguments"));
  EXPECT_EQ(call(colleague(ana, "bo@example.com"), "create_task", arguments).at("/created"), "true");
  EXPECT_EQ(tasks_of(ana), "2");
  change(ana, "delete_task", first.at("/task/id"));
  EXPECT_THAT(refused(ana, "create_task", arguments), HasSubstr("which has been deleted since"));
}

TEST_F(CreateTask, ARefusedTaskLeavesItsKeyFree) {
  refused(ana, "create_task", R"({"title":"x","ticket_id":"ZZZZZZ","idempotency_key":"k"})");
  EXPECT_EQ(call(ana, "create_task", R"({"title":"x","idempotency_key":"k"})").at("/created"), "true");
}

TEST_F(CreateTask, OneKeyFrom32ThreadsMakesOneTask) {
  const auto answers = call_at_once(32, ana, "create_task", [](int) {
    return std::string(R"({"title":"Fetch the beamer","due_date":"2026-11-30","idempotency_key":"beamer"})");
  });
  std::set<std::string> ids;
  int created = 0;
  for (const Answer& answer : answers) {
    ASSERT_FALSE(answer.is_error()) << answer.text();
    ids.insert(answer.at("/task/id"));
    created += answer.at("/created") == "true";
  }
  EXPECT_EQ(created, 1);
  EXPECT_EQ(ids.size(), 1u);
  EXPECT_EQ(tasks_of(ana), "1");
}

TEST_F(CreateTask, OneKeyWithOtherArgumentsFrom32ThreadsMakesOneTaskAndTellsTheOthers) {
  const auto answers = call_at_once(32, ana, "create_task", [](int i) {
    return R"({"title":"contested )" + std::to_string(i % 2) + R"(","idempotency_key":"contested"})";
  });
  int done = 0;
  for (const Answer& answer : answers) {
    done += !answer.is_error();
    if (answer.is_error()) EXPECT_THAT(answer.text(), HasSubstr("other arguments"));
  }
  EXPECT_EQ(done, 16);
  EXPECT_EQ(tasks_of(ana), "1");
}

}  // namespace
}  // namespace toolhost::test_support
