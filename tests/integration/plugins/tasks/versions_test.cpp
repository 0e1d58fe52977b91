#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "tasks_test.hpp"

namespace toolhost::test_support {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

constexpr int kThreads = 32;

class Versions : public TasksTest {
 protected:
  Versions() : id(create(ana, R"({"title":"total 0"})")) {}
  std::string id;
};

TEST_F(Versions, AnOldOneIsToldWhoChangedWhat) {
  change(colleague(ana, "bo@example.com"), "update_task", id, R"("priority":"high")");
  sql("alter table task_history disable trigger append_only; update task_history set at = at - interval '130 seconds' "
      "where task = '" +
      id + "'; alter table task_history enable trigger append_only");
  for (const char* tool : {"update_task", "delete_task"}) {
    const std::string title = tool == std::string("update_task") ? R"(,"title":"x")" : "";
    EXPECT_EQ(refused(ana, tool, R"({"id":")" + id + R"(","expected_version":1)" + title + "}"),
              "Task " + id +
                  " was changed by bo@example.com 2 minutes ago: priority normal -> high; it has version 2 now, not 1; "
                  "read again with get_task and repeat what you still want with expected_version 2");
  }
  EXPECT_THAT(refused(ana, "update_task", R"({"id":")" + id + R"(","title":"x","expected_version":9})"),
              HasSubstr("has version 2 now, not 9"));
  EXPECT_EQ(column(id, "version"), "2");
  EXPECT_EQ(change(ana, "update_task", id, R"("title":"x","expected_version":2)").at("/changed"), "true");
  EXPECT_EQ(change(ana, "delete_task", id, R"("expected_version":3)").at("/deleted"), "true");
}

TEST_F(Versions, MembersAreCalledByTheirNames) {
  const CallerPtr caller = new_tenant("Europe/Berlin", {{"bo@example.com", "Bo Berg", Role::kAgent}});
  const std::string task = create(caller, R"({"title":"x"})");
  change(colleague(caller, "bo@example.com"), "update_task", task, R"("priority":"high")");
  EXPECT_THAT(refused(caller, "update_task", R"({"id":")" + task + R"(","title":"y","expected_version":1})"),
              MatchesRegex(".* was changed by Bo Berg (just now|[0-9]+ seconds? ago): priority normal -> high.*"));
}

TEST_F(Versions, Of32UpdatesAtOnceForOneVersionOneSucceedsAndTheOthersLearnWhatItDid) {
  const auto answers = call_at_once(kThreads, ana, "update_task", [&](int i) {
    return R"({"id":")" + id + R"(","expected_version":1,"title":"by thread )" + std::to_string(i) + R"("})";
  });
  int succeeded = 0;
  const std::string title = column(id, "title");
  for (const Answer& answer : answers) {
    succeeded += !answer.is_error();
    if (!answer.is_error()) EXPECT_EQ(answer.at("/task/title"), title);
    if (answer.is_error()) EXPECT_THAT(answer.text(), HasSubstr("\"total 0\" -> \"" + title + '"'));
  }
  EXPECT_EQ(succeeded, 1);
  EXPECT_EQ(column(id, "version"), "2");
}

TEST_F(Versions, ThreadsThatReadAgainUntilTheirUpdateIsTakenLoseNothing) {
  std::atomic<int> conflicts{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      while (true) {
        const Answer read = call(ana, "get_task", R"({"id":")" + id + R"("})");
        const int total = std::stoi(read.at("/task/title").substr(6));
        const Answer written = call(ana, "update_task",
                                    R"({"id":")" + id + R"(","title":"total )" + std::to_string(total + 1) +
                                        R"(","expected_version":)" + read.at("/task/version") + "}");
        if (!written.is_error()) return;
        ASSERT_THAT(written.text(), HasSubstr("was changed by"));
        ++conflicts;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(column(id, "title"), "total 32");
  EXPECT_EQ(column(id, "version"), "33");
  EXPECT_GT(conflicts, 0);
  // Exactly the successful changes, each from what the one before it wrote.
  EXPECT_EQ(
      sql("select count(*) from task_history where task = '" + id +
          "' and field = 'title' and old_value = 'total ' || version - 2 and new_value = 'total ' || version - 1"),
      "32");
}

TEST_F(Versions, ChangesWithoutAVersionAreAllTaken) {
  const auto answers = call_at_once(kThreads, ana, "update_task", [&](int i) {
    return R"({"id":")" + id + R"(","tags_add":["tag)" + std::to_string(i % 20) + R"("]})";
  });
  int changed = 0;
  for (const Answer& answer : answers) {
    ASSERT_FALSE(answer.is_error()) << answer.text();
    changed += answer.at("/changed") == "true";
  }
  EXPECT_EQ(changed, 20);
  EXPECT_EQ(column(id, "cardinality(tags) || ' ' || version"), "20 21");
}

TEST_F(Versions, CompletedAtOnceIsCompletedOnce) {
  const auto answers =
      call_at_once(kThreads, ana, "complete_task", [&](int) { return R"({"id":")" + id + R"(","note":"n"})"; });
  int changed = 0;
  for (const Answer& answer : answers) changed += answer.at("/changed") == "true";
  EXPECT_EQ(changed, 1);
  EXPECT_EQ(column(id, "version"), "2");
}

TEST_F(Versions, HistoryCannotBeRewritten) {
  for (const char* attempt :
       {"update task_history set actor = 'nobody'", "delete from task_history", "truncate task_history"}) {
    EXPECT_EQ(sql(std::string("do $$ begin ") + attempt +
                  "; raise 'was allowed'; exception when insufficient_privilege then null; end $$; select 'refused'"),
              "refused");
  }
}

}  // namespace
}  // namespace toolhost::test_support
