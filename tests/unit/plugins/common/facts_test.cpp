#include "facts.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ids.hpp"
#include "priority.hpp"
#include "refusal.hpp"

namespace helpdesk {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(ClockLine, SaysTheDayOfTheWeek) {
  EXPECT_EQ(clock_line("2026-11-23T14:05:09+01:00", "Europe/Berlin"),
            "Server time 2026-11-23T14:05:09+01:00 (Mon, Europe/Berlin)\n");
  EXPECT_THAT(clock_line("2027-01-01T00:00:00+14:00", "Pacific/Kiritimati"), HasSubstr("(Fri, Pacific/Kiritimati)"));
  EXPECT_THAT(clock_line("2028-02-29T00:00:00Z", "UTC"), HasSubstr("(Tue, UTC)"));
}

TEST(Facts, AreLeftOutWhenUnknownAndQuotedWhenPeopleWroteThem) {
  std::string out;
  add_fact(out, "due", std::nullopt);
  add_fact(out, "due", "2026-11-30");
  add_quoted(out, "assignee", "Ana\" · due \"never");
  EXPECT_EQ(out, " · due 2026-11-30 · assignee \"Ana' · due 'never\"");
}

TEST(AddEvent, TellsWhoChangedWhat) {
  std::string out;
  add_event(out, {"2026-11-23T15:00:00+01:00", "bo@example.com", "hdsk_abc123", "status", "open", "done"});
  EXPECT_EQ(out, "- 2026-11-23T15:00:00+01:00 · bo@example.com via hdsk_abc123 · status open -> done\n");
}

TEST(ReadPriority, TakesMediumAsNormalAndSaysSoOnce) {
  std::vector<std::string> warnings;
  EXPECT_EQ(read_priority(PriorityInput::kUrgent, warnings), Priority::kUrgent);
  EXPECT_EQ(warnings.size(), 0u);
  EXPECT_EQ(read_priority(PriorityInput::kMedium, warnings), Priority::kNormal);
  EXPECT_EQ(read_priority(PriorityInput::kMedium, warnings), Priority::kNormal);
  EXPECT_THAT(warnings, ElementsAre(HasSubstr("'medium' was taken as 'normal'")));
}

TEST(ReadId, IsForgivingAndSaysWhatAnIdIs) {
  constexpr Findable kTask{"task", "list_tasks"};
  EXPECT_EQ(read_id(kTask, " #7qk4mx"), "7QK4MX");
  try {
    read_id(kTask, "the printer\u202E");
    FAIL() << "not refused";
  } catch (const Refusal& refusal) {
    EXPECT_STREQ(
        refusal.what(),
        "'the printer' is not a task id: ids are six letters and digits such as 7QK4MX. Use list_tasks to find "
        "the task.");
  }
}

TEST(RefuseUnknown, NamesTheNearest) {
  constexpr Findable kTicket{"ticket", "search_tickets or list_tickets"};
  const auto refused = [&](const std::vector<IdAndTitle>& nearest) -> std::string {
    try {
      refuse_unknown(kTicket, "XYZ788", nearest);
    } catch (const Refusal& refusal) {
      EXPECT_EQ(refusal.kind(), Refusal::Kind::kNotFound);
      return refusal.what();
    }
  };
  EXPECT_EQ(refused({}), "Ticket XYZ788 not found. Use search_tickets or list_tickets to find it.");
  EXPECT_EQ(refused({{"XYZ789", "VPN \"drops\""}, {"XYZ78A", "Fan"}}),
            "Ticket XYZ788 not found. Nearest: XYZ789 \"VPN 'drops'\", XYZ78A \"Fan\". Use search_tickets or "
            "list_tickets to find it.");
}

}  // namespace
}  // namespace helpdesk
