#include <gmock/gmock.h>

#include "search_test.hpp"

namespace toolhost::test_support {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

/// Whether the index has taken the earlier state in makes no difference.
class FoundAtOnce : public SearchTest, public testing::WithParamInterface<bool> {
 protected:
  void settle() {
    if (GetParam()) run_job(ana, "search", "index");
  }
};
INSTANTIATE_TEST_SUITE_P(Index, FoundAtOnce, testing::Bool(),
                         [](const auto& info) { return info.param ? "UpToDate" : "Behind"; });

TEST_P(FoundAtOnce, ANewTicket) {
  const std::string id = create_ticket(ana, "Printer on the 3rd floor jams");
  settle();
  EXPECT_THAT(find(ana, "printers jammed"), ElementsAre(id));
  EXPECT_THAT(find(ana, id), ElementsAre(id));
  EXPECT_THAT(find(ana, "#" + id), ElementsAre(id));
}

TEST_P(FoundAtOnce, WhatAnUpdateWroteAndNoLongerWhatItTookAway) {
  const std::string id = create_ticket(ana, "Scanner is slow");
  settle();
  call(ana, "update_ticket", R"({"id":")" + id + R"(","title":"Plotter is slow","tags_add":["basement"]})");
  EXPECT_THAT(find(ana, "plotter"), ElementsAre(id));
  EXPECT_THAT(find(ana, "basement"), ElementsAre(id));
  EXPECT_THAT(find(ana, "\"scanner is slow\" or scanner", R"(,"mode":"all_words")"), IsEmpty());
}

TEST_P(FoundAtOnce, RepliesAndNotes) {
  const std::string id = create_ticket(ana, "Cannot print");
  settle();
  call(ana, "add_reply", R"({"id":")" + id + R"(","body":"Please restart the spooler"})");
  EXPECT_THAT(find(ana, "spooler"), ElementsAre(id));
  settle();
  call(ana, "add_note", R"({"id":")" + id + R"(","body":"Fuser is worn out"})");
  EXPECT_THAT(find(ana, "fuser"), ElementsAre(id));
  EXPECT_THAT(search(ana, "fuser").at("/hits/0/matched_in"), R"(["notes"])");
}

TEST_P(FoundAtOnce, ItsStatus) {
  const std::string id = create_ticket(ana, "Monitor flickers");
  settle();
  call(ana, "set_ticket_status", R"({"id":")" + id + R"(","status":"resolved","resolution":"fixed"})");
  EXPECT_THAT(find(ana, "monitor", R"(,"status":"unresolved")"), IsEmpty());
  const Answer found = search(ana, "monitor", R"(,"status":"resolved","facets":["status"])");
  EXPECT_THAT(found.each("/hits", "id"), ElementsAre(id));
  EXPECT_EQ(found.at("/facets/status"), R"([{"value":"resolved","count":1}])");
}

TEST_P(FoundAtOnce, TasksUntilTheyAreDeleted) {
  const std::string id = create_task(ana, "Order toner cartridges");
  settle();
  const auto find_all = [&] { return call(ana, "search_all", R"({"query":"toner"})").each("/hits", "id"); };
  EXPECT_THAT(find_all(), ElementsAre(id));
  call(ana, "delete_task", R"({"id":")" + id + R"("})");
  EXPECT_THAT(find_all(), IsEmpty());
  settle();
  EXPECT_THAT(find_all(), IsEmpty());
}

}  // namespace
}  // namespace toolhost::test_support
