#include <gmock/gmock.h>

#include "tasks_test.hpp"

namespace toolhost::test_support {
namespace {

class Roles : public TasksTest {
 protected:
  Roles() : id(create(ana, R"({"title":"Order toner"})")) {}

  /// Tools that write, with arguments that somebody who may write succeeds with, in this order.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> writes() const {
    const std::string with_id = R"({"id":")" + id + '"';
    return {{"create_task", R"({"title":"x"})"},
            {"update_task", with_id + R"(,"title":"y"})"},
            {"complete_task", with_id + "}"},
            {"reopen_task", with_id + "}"},
            {"delete_task", with_id + "}"}};
  }
  std::string all_rows() {
    return sql("select string_agg(t::text, '|') from tasks t where tenant_id = " +
               std::to_string(value(ana->tenant_id)));
  }

  std::string id;
};

TEST_F(Roles, AViewerReadsAndChangesNothing) {
  const CallerPtr viewer = colleague(ana, "vi@example.com", Role::kViewer);
  const std::string before = all_rows();
  for (const auto& [tool, arguments] : writes()) {
    EXPECT_EQ(refused(viewer, tool, arguments),
              "A viewer may not change tasks; ask an admin of the tenant for the role agent.")
        << tool;
  }
  EXPECT_EQ(all_rows(), before);
  EXPECT_EQ(call(viewer, "list_tasks", "{}").at("/tasks/0/id"), id);
  EXPECT_FALSE(call(viewer, "get_task", R"({"id":")" + id + "\"}").is_error());
}

TEST_F(Roles, AnAdminChangesEverything) {
  const CallerPtr admin = colleague(ana, "root@example.com", Role::kAdmin);
  for (const auto& [tool, arguments] : writes()) {
    const Answer answer = call(admin, tool, arguments);
    EXPECT_FALSE(answer.is_error()) << tool << answer.text();
  }
}

TEST_F(Roles, EveryToolThatWritesIsTested) {
  std::size_t writing = 0;
  for (const plugin_runtime::Tool* tool : registry()->tools()) writing += tool->plugin == "tasks" && !tool->read_only;
  EXPECT_EQ(writing, writes().size());
}

}  // namespace
}  // namespace toolhost::test_support
