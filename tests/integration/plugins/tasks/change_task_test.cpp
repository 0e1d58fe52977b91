#include <gmock/gmock.h>

#include "tasks_test.hpp"

namespace toolhost::test_support {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ChangeTask : public TasksTest {
 protected:
  ChangeTask() : id(create(ana, R"({"title":"Order","due_date":"2199-11-30","tags":["printer"]})")) {}

  Answer update(const std::string& fields) { return change(ana, "update_task", id, fields); }
  std::string refused_update(const std::string& fields) {
    return refused(ana, "update_task", R"({"id":")" + id + R"(",)" + fields + "}");
  }
  std::string steps() { return sql("select count(*) from task_history where task = '" + id + "'"); }

  std::string id;
};

TEST_F(ChangeTask, UpdateChangesWhatItIsGivenAndSaysWhat) {
  const std::string ticket = create_ticket(ana, "Printer down");
  const Answer answer =
      update(R"("title":"Order toner","description":"Cyan","priority":"urgent","status":"in_progress","assignee":"me",)"
             R"("due_at":"2199-12-01T09:00","tags_add":["TONER"],"tags_remove":["printer"],"ticket_id":")" +
             ticket + '"');
  EXPECT_EQ(answer.at("/changed"), "true");
  EXPECT_EQ(answer.at("/task/version"), "2");
  EXPECT_EQ(answer.at("/task/ticket_title"), "Printer down");
  EXPECT_THAT(
      answer.each("/changed_fields", "field"),
      ElementsAre("title", "description", "status", "priority", "assignee", "ticket_id", "due_date", "due_at", "tags"));
  EXPECT_THAT(answer.each("/changed_fields", "from"),
              ElementsAre("Order", "", "open", "normal", "", "", "2199-11-30", "", "printer"));
  EXPECT_THAT(answer.each("/changed_fields", "to"),
              ElementsAre("Order toner", "Cyan", "in_progress", "urgent", "ana@example.com", ticket, "",
                          "2199-12-01T09:00:00+01:00", "toner"));
  const Answer read = change(ana, "get_task", id);
  EXPECT_EQ(read.at("/task/title"), "Order toner");
  EXPECT_EQ(read.at("/task/description"), "Cyan");
  EXPECT_EQ(read.at("/task/status"), "in_progress");
  EXPECT_EQ(read.at("/task/due_at"), "2199-12-01T09:00:00+01:00");
  EXPECT_EQ(read.at("/task/tags"), R"(["toner"])");
  EXPECT_EQ(column(id, "due_by = due_at and due_date is null and updated_at > created_at"), "t");
  EXPECT_EQ(steps(), "10");
}

TEST_F(ChangeTask, NullClears) {
  update(R"("assignee":"me","description":"x")");
  const Answer answer = update(R"("assignee":null,"description":null,"due_date":null)");
  EXPECT_THAT(answer.each("/changed_fields", "field"), ElementsAre("description", "assignee", "due_date"));
  EXPECT_FALSE(answer.has("/task/assignee"));
  EXPECT_EQ(column(id, "due_by = 'infinity' and due_date is null and description = '' and assignee is null"), "t");
}

TEST_F(ChangeTask, NullClearsOnlyItsOwnKindOfDue) {
  EXPECT_EQ(update(R"("due_at":null)").at("/changed"), "false");
  EXPECT_EQ(column(id, "due_date"), "2199-11-30");
  update(R"("due_date":null,"due_at":"2199-12-01T09:00")");
  EXPECT_EQ(update(R"("due_date":null)").at("/changed"), "false");
  EXPECT_EQ(column(id, "due_by = due_at and due_date is null"), "t");
  EXPECT_EQ(update(R"("due_at":null)").at("/changed_fields/0/field"), "due_at");
  EXPECT_EQ(column(id, "due_by = 'infinity' and due_at is null"), "t");
}

TEST_F(ChangeTask, UpdateOfWhatIsSoAlreadyChangesNothing) {
  update(R"("due_at":"2199-12-01T09:00:00+01:00")");
  const Answer answer = update(
      R"("title":" Order ","status":"open","due_at":"2199-12-01T08:00Z","tags_add":["Printer"],"assignee":null)");
  EXPECT_EQ(answer.at("/changed"), "false");
  EXPECT_THAT(answer.each("/changed_fields", "field"), IsEmpty());
  EXPECT_EQ(answer.at("/task/version"), "2");
  EXPECT_EQ(column(id, "version"), "2");
}

TEST_F(ChangeTask, UpdateRefusesWhatItCannotDo) {
  EXPECT_THAT(refused(ana, "update_task", R"({"id":")" + id + R"("})"), HasSubstr("nothing to change: give at least"));
  EXPECT_THAT(refused_update(R"("title":null)"), HasSubstr("nothing to change: give at least"));
  EXPECT_THAT(refused_update(R"("status":"done")"), HasSubstr("call complete_task with id " + id));
  EXPECT_THAT(refused_update(R"("due_date":"soon")"), HasSubstr("due_date 'soon' is not a date; today is"));
  EXPECT_THAT(refused_update(R"("due_date":"2199-11-30","due_at":"2199-11-30T09:00")"),
              HasSubstr("exclude each other"));
  EXPECT_THAT(refused_update(R"("assignee":"")"), HasSubstr("assignee is empty; pass null"));
  EXPECT_THAT(refused_update(R"("title":" \u200b")"), HasSubstr("title is empty"));
  EXPECT_THAT(refused_update(R"("description":"a\u0000")"), HasSubstr("NUL"));
  EXPECT_THAT(refused_update(R"("ticket_id":"ZZZZZZ")"), HasSubstr("Ticket ZZZZZZ not found."));
  EXPECT_THAT(refused(ana, "update_task", R"({"id":"ZZZZZZ","title":"x"})"), HasSubstr("Task ZZZZZZ not found."));
  change(ana, "complete_task", id);
  EXPECT_THAT(refused_update(R"("status":"in_progress")"), HasSubstr("is done; call reopen_task"));
  EXPECT_EQ(steps(), "2");
  for (const char* arguments : {R"({"id":"7QK4MX","state":"open"})", R"({"id":"7QK4MX","title":7})",
                                R"({"id":"7QK4MX","expected_version":0,"title":"x"})", R"({"title":"x"})"}) {
    EXPECT_EQ(call(ana, "update_task", arguments).outcome(), plugin_runtime::Outcome::kInvalidArguments) << arguments;
  }
}

TEST_F(ChangeTask, KeepsTagsUnderTheirLimit) {
  std::string ten, other_ten;
  for (int i = 0; i < 10; ++i) {
    ten += (i == 0 ? "\"a" : ",\"a") + std::to_string(i) + '"';
    other_ten += (i == 0 ? "\"b" : ",\"b") + std::to_string(i) + '"';
  }
  update("\"tags_add\":[" + ten + "]");
  EXPECT_THAT(refused_update("\"tags_add\":[" + other_ten + "]"), HasSubstr("at most 20 tags"));
  update("\"tags_remove\":[\"printer\"],\"tags_add\":[" + other_ten + "]");
  EXPECT_EQ(column(id, "cardinality(tags)"), "20");
}

TEST_F(ChangeTask, CompletesOnceAndReopens) {
  const Answer first = change(colleague(ana, "bo@example.com"), "complete_task", id, R"("note":"In the cupboard")");
  EXPECT_EQ(first.at("/changed"), "true");
  EXPECT_EQ(first.at("/task/status"), "done");
  EXPECT_EQ(first.at("/completed_at"), first.at("/task/completed_at"));
  const std::string completed_at = column(id, "completed_at");

  const Answer second = change(ana, "complete_task", id, R"("note":"In the cupboard")");
  EXPECT_EQ(second.at("/changed"), "false");
  EXPECT_EQ(second.at("/completed_at"), first.at("/completed_at"));
  EXPECT_FALSE(second.has("/hint"));
  EXPECT_THAT(change(ana, "complete_task", id, R"("note":"Elsewhere")").at("/hint"), HasSubstr("was not stored"));
  EXPECT_EQ(column(id, "completed_at"), completed_at);
  EXPECT_EQ(column(id, "completion_note"), "In the cupboard");
  EXPECT_EQ(column(id, "version"), "2");

  const Answer reopened = change(ana, "reopen_task", id);
  EXPECT_EQ(reopened.at("/changed"), "true");
  EXPECT_EQ(reopened.at("/task/status"), "open");
  EXPECT_FALSE(reopened.has("/task/completed_at"));
  EXPECT_EQ(column(id, "completed_at is null and completion_note is null"), "t");
  EXPECT_EQ(change(ana, "reopen_task", id).at("/changed"), "false");
  EXPECT_THAT(change(ana, "get_task", id).each("/history", "to"),
              ElementsAre("", "In the cupboard", "done", "open"));  // the note stays in the history
  EXPECT_THAT(refused(ana, "complete_task", R"({"id":"ZZZZZZ"})"), HasSubstr("Task ZZZZZZ not found."));
  EXPECT_THAT(refused(ana, "complete_task", R"({"id":")" + id + R"(","note":"a\u0000"})"), HasSubstr("NUL"));
  EXPECT_THAT(refused(ana, "reopen_task", R"({"id":"boxes!"})"), HasSubstr("not a task id"));
}

TEST_F(ChangeTask, ACancelledTaskCanBeCompletedAndReopened) {
  update(R"("status":"cancelled")");
  EXPECT_EQ(change(ana, "reopen_task", id).at("/changed"), "true");
  update(R"("status":"cancelled")");
  EXPECT_EQ(change(ana, "complete_task", id).at("/task/status"), "done");
}

TEST_F(ChangeTask, FinishedTasksAreNeverOverdue) {
  update(R"("due_date":"2020-01-01")");
  EXPECT_EQ(change(ana, "get_task", id).at("/task/is_overdue"), "true");
  EXPECT_EQ(change(ana, "complete_task", id).at("/task/is_overdue"), "false");
  EXPECT_EQ(change(ana, "reopen_task", id).at("/task/is_overdue"), "true");
}

TEST_F(ChangeTask, DeletedTasksAreGoneForEveryTool) {
  const Answer first = change(ana, "delete_task", id);
  EXPECT_EQ(first.at("/deleted"), "true");
  EXPECT_EQ(first.at("/id"), id);
  EXPECT_EQ(first.at("/title"), "Order");
  const Answer second = change(ana, "delete_task", id);
  EXPECT_EQ(second.at("/deleted"), "false");
  EXPECT_FALSE(second.has("/title"));
  for (const char* tool : {"get_task", "complete_task", "reopen_task"})
    EXPECT_THAT(refused(ana, tool, R"({"id":")" + id + R"("})"), HasSubstr("Task " + id + " not found.")) << tool;
  EXPECT_THAT(refused_update(R"("title":"x")"), HasSubstr("not found."));
  EXPECT_EQ(call(ana, "list_tasks", R"({"status":"all"})").at("/total"), "0");
  EXPECT_EQ(sql("select string_agg(field, ',' order by version) from task_history where task = '" + id + "'"),
            "created,deleted");
  EXPECT_THAT(refused(ana, "delete_task", R"({"id":"ZZZZZZ"})"), HasSubstr("Task ZZZZZZ not found."));
}

}  // namespace
}  // namespace toolhost::test_support
