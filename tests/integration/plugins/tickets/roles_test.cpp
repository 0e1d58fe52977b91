#include <gmock/gmock.h>

#include "tickets_test.hpp"

namespace toolhost::test_support {
namespace {

using Calls = std::vector<std::pair<std::string, std::string>>;

class Roles : public TicketsTest {
 protected:
  Roles() : id(create(ana, R"({"title":"VPN drops"})")) {}

  /// Tools that write, with arguments that somebody who may write succeeds with.
  [[nodiscard]] Calls writes() const {
    const std::string with_id = R"({"id":")" + id + '"';
    return {{"create_ticket", R"({"title":"x"})"},
            {"update_ticket", with_id + R"(,"title":"y"})"},
            {"set_ticket_status", with_id + R"(,"status":"in_progress","comment":"x","visibility":"public"})"},
            {"add_note", with_id + R"(,"body":"x"})"},
            {"add_reply", with_id + R"(,"body":"x"})"}};
  }
  std::string all_rows() {
    const std::string of_ana = " where tenant_id = " + std::to_string(value(ana->tenant_id));
    return sql("select (select string_agg(t::text, '|') from tickets t" + of_ana +
               ") || (select count(*) from ticket_messages" + of_ana + ") || (select count(*) from request_keys" +
               of_ana + ")");
  }

  std::string id;
};

TEST_F(Roles, AViewerReadsAndChangesNothing) {
  const CallerPtr viewer = colleague(ana, "vi@example.com", Role::kViewer);
  const std::string before = all_rows();
  for (const auto& [tool, arguments] : writes()) {
    const Answer answer = call(viewer, tool, arguments);
    EXPECT_TRUE(answer.is_error()) << tool;
    EXPECT_EQ(answer.text(), "A viewer may not change tickets; ask an admin of the tenant for the role agent.") << tool;
  }
  EXPECT_EQ(all_rows(), before);
  EXPECT_EQ(call(viewer, "list_tickets", "{}").at("/tickets/0/id"), id);
  EXPECT_FALSE(call(viewer, "get_ticket", R"({"id":")" + id + "\"}").is_error());
  EXPECT_FALSE(call(viewer, "ticket_history", R"({"id":")" + id + "\"}").is_error());
}

TEST_F(Roles, AgentsAndAdminsChangeEverything) {
  for (const Role role : {Role::kAgent, Role::kAdmin}) {
    const CallerPtr caller = colleague(ana, "bo@example.com", role);
    for (const auto& [tool, arguments] : writes()) {
      const Answer answer = call(caller, tool, arguments);
      EXPECT_FALSE(answer.is_error()) << tool << answer.text();
    }
  }
}

TEST_F(Roles, EveryToolThatWritesIsTested) {
  std::size_t writing = 0;
  for (const plugin_runtime::Tool* tool : registry()->tools()) writing += tool->plugin == "tickets" && !tool->read_only;
  EXPECT_EQ(writing, writes().size());
}

}  // namespace
}  // namespace toolhost::test_support
