#include <gmock/gmock.h>

#include "search_test.hpp"

namespace toolhost::test_support {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class SearchRights : public SearchTest, public testing::WithParamInterface<bool> {
 protected:
  void settle() {
    if (GetParam()) run_job(ana, "search", "index");
  }
};
INSTANTIATE_TEST_SUITE_P(Index, SearchRights, testing::Bool(),
                         [](const auto& info) { return info.param ? "UpToDate" : "Behind"; });

TEST_P(SearchRights, AViewerMeetsNothingOfInternalNotes) {
  const std::string id = create_ticket(ana, "Printer broken");
  create_ticket(ana, "Printer slow");
  call(ana, "add_note", R"({"id":")" + id + R"(","body":"Customer threatens with lawyer Quisenberry"})");
  settle();
  EXPECT_THAT(find(ana, "quisenberry"), ElementsAre(id));

  const CallerPtr viewer = as(ana, Role::kViewer);
  for (const char* query : {"quisenberry", "\"lawyer quisenberry\"", "quisenbery", "lawyer"}) {
    const Answer answer = search(viewer, query, R"(,"facets":["status"])");
    EXPECT_THAT(answer.each("/hits", "id"), IsEmpty()) << query;
    EXPECT_EQ(answer.at("/total"), "0") << query;
    EXPECT_EQ(answer.at("/facets/status"), "[]") << query;
    EXPECT_FALSE(answer.has("/corrected_query")) << query;
    EXPECT_THAT(answer.text(), Not(HasSubstr("awyer Quis"))) << query;
  }
  // Nor by the order or the score of what they find.
  const Answer printers = search(viewer, "printer");
  EXPECT_EQ(printers.at("/hits/0/score"), printers.at("/hits/1/score"));
  EXPECT_THAT(printers.text(), Not(HasSubstr("lawyer")));
  // A word that only leaves out counts neither.
  EXPECT_EQ(search(viewer, "printer -quisenberry").at("/total"), "2");
}

TEST_P(SearchRights, NobodyMeetsAnythingOfAnotherTenant) {
  const std::string id = create_ticket(ana, "Confidential merger with Umbrella");
  create_task(ana, "Prepare umbrella contract");
  settle();
  const CallerPtr stranger = new_tenant();
  create_ticket(stranger, "Mouse");
  if (GetParam()) run_job(stranger, "search", "index");
  for (const std::string& query : {std::string("umbrella"), std::string("umbrela"), id}) {
    for (const char* tool : {"search_tickets", "search_all"}) {
      const Answer answer = call(stranger, tool, R"({"query":")" + query + R"("})");
      EXPECT_EQ(answer.at("/total"), "0") << tool << " " << query;
      EXPECT_FALSE(answer.has("/corrected_query")) << tool << " " << query;
    }
  }
  const Answer similar = call(stranger, "find_similar_tickets", R"({"ticket_id":")" + id + R"("})");
  EXPECT_TRUE(similar.is_error());
  EXPECT_THAT(similar.text(), HasSubstr("not found"));
  EXPECT_EQ(call(stranger, "find_similar_tickets", R"({"text":"umbrella merger"})").at("/total"), "0");
}

}  // namespace
}  // namespace toolhost::test_support
