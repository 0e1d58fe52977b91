#include "ticket_rules.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "refusal.hpp"

namespace helpdesk::tickets {
namespace {

using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr Status kAll[] = {Status::kOpen, Status::kInProgress, Status::kWaiting, Status::kResolved, Status::kClosed};

TEST(StatusMachine, AllowsExactlyTheDocumentedTransitions) {
  // Rows: from; columns: to; the diagonal changes nothing.
  constexpr bool kAllowed[5][5] = {{true, true, true, true, true},
                                   {true, true, true, true, true},
                                   {true, true, true, true, true},
                                   {true, true, false, true, true},
                                   {true, false, false, false, true}};
  for (const Status from : kAll) {
    for (const Status to : kAll) {
      EXPECT_EQ(may_become(from, to), kAllowed[static_cast<int>(from)][static_cast<int>(to)])
          << name(from) << " to " << name(to);
    }
  }
}

TEST(StatusMachine, ListsTransitionsWithoutTheStatusItself) {
  for (const Status from : kAll) {
    for (const Status to : allowed_transitions(from)) {
      EXPECT_NE(from, to);
      EXPECT_TRUE(may_become(from, to));
    }
  }
}

TEST(MessagesCursor, ComesBackAsItWentAndIsNoListCursor) {
  const auto decoded = decode_messages_cursor(encode(MessagesCursor{"7QK4MX", 12}));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->ref, "7QK4MX");
  EXPECT_EQ(decoded->before, 12);
  for (const char* text : {"", "messages\n7QK4MX", "messages\n7QK4MX\nx", "list\n1\na\nb\nc"}) {
    EXPECT_FALSE(decode_messages_cursor(text)) << text;
  }
}

TEST(HistoryCursor, ComesBackAsItWentAndIsNoOtherText) {
  const auto decoded = decode_history_cursor(encode(HistoryCursor{"7QK4MX", 12, "due_at"}));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->ref, "7QK4MX");
  EXPECT_EQ(decoded->version, 12);
  EXPECT_EQ(decoded->field, "due_at");
  for (const char* text : {"", "history\n7QK4MX\n1", "history\n7QK4MX\nx\nstatus", "messages\n7QK4MX\n3"}) {
    EXPECT_FALSE(decode_history_cursor(text)) << text;
  }
}

Ticket ticket_in(Status status) {
  Ticket ticket;
  ticket.id = "7QK4MX";
  ticket.status = status;
  ticket.requester = "ana@example.com";
  if (status == Status::kWaiting) ticket.waiting_on = "requester";
  return ticket;
}

AddReply reply(std::optional<Status> set_status = std::nullopt) {
  return {"7QK4MX", "Hello", set_status, std::nullopt};
}

TEST(Reply, ByTheRequesterIsNoStaffReplyWhateverTheCase) {
  EXPECT_FALSE(change_by_reply(ticket_in(Status::kOpen), reply(), "Ana@Example.com").is_by_staff);
  EXPECT_TRUE(change_by_reply(ticket_in(Status::kOpen), reply(), "bo@example.com").is_by_staff);
}

TEST(Reply, WithoutStatusChangesNone) {
  for (const Status status : kAll) {
    const TicketChange change = change_by_reply(ticket_in(status), reply(), "bo@example.com");
    EXPECT_EQ(change.after.status, status);
    EXPECT_THAT(change.changes, IsEmpty());
  }
}

TEST(Reply, OfTheRequesterReopensAWaitingTicket) {
  const TicketChange change = change_by_reply(ticket_in(Status::kWaiting), reply(), "ana@example.com");
  EXPECT_EQ(change.after.status, Status::kOpen);
  EXPECT_EQ(change.after.waiting_on, std::nullopt);
  EXPECT_THAT(change.changes,
              ElementsAre(Field(&FieldChange::field, "status"), Field(&FieldChange::field, "waiting_on")));
  EXPECT_FALSE(change.counts_as_reopen);
}

TEST(Reply, OfTheRequesterLeavesATicketThatWaitsForSomebodyElse) {
  Ticket ticket = ticket_in(Status::kWaiting);
  ticket.waiting_on = "third_party";
  EXPECT_EQ(change_by_reply(ticket, reply(), "ana@example.com").after.status, Status::kWaiting);
}

TEST(Reply, ThatWaitsWaitsForTheRequester) {
  const TicketChange change = change_by_reply(ticket_in(Status::kOpen), reply(Status::kWaiting), "bo@example.com");
  EXPECT_EQ(change.after.waiting_on, "requester");
}

TEST(Reply, ToTheSameStatusIsNoChange) {
  Ticket ticket = ticket_in(Status::kWaiting);
  ticket.waiting_on = "third_party";
  const TicketChange change = change_by_reply(ticket, reply(Status::kWaiting), "bo@example.com");
  EXPECT_THAT(change.changes, IsEmpty());
  EXPECT_EQ(change.after.waiting_on, "third_party");
}

TEST(Reply, ThatReopensClearsTheResolutionAndCountsWhenItWasClosed) {
  Ticket ticket = ticket_in(Status::kClosed);
  ticket.resolution = "duplicate";
  ticket.duplicate_of = "ABC123";
  const TicketChange change = change_by_reply(ticket, reply(Status::kOpen), "bo@example.com");
  EXPECT_TRUE(change.counts_as_reopen);
  EXPECT_EQ(change.after.resolution, std::nullopt);
  EXPECT_EQ(change.after.duplicate_of, std::nullopt);
  EXPECT_THAT(change.changes,
              ElementsAre(Field(&FieldChange::field, "status"), Field(&FieldChange::field, "resolution"),
                          Field(&FieldChange::field, "duplicate_of")));
  EXPECT_FALSE(change_by_reply(ticket_in(Status::kResolved), reply(Status::kOpen), "bo@example.com").counts_as_reopen);
}

TEST(Reply, ToAForbiddenStatusIsRefusedWithWhatIsAllowed) {
  try {
    change_by_reply(ticket_in(Status::kResolved), reply(Status::kWaiting), "bo@example.com");
    FAIL() << "not refused";
  } catch (const Refusal& refusal) {
    EXPECT_EQ(refusal.kind(), Refusal::Kind::kConflict);
    EXPECT_THAT(refusal.what(), HasSubstr("is resolved and cannot become waiting"));
    EXPECT_THAT(refusal.what(), HasSubstr("open, in_progress, closed"));
    EXPECT_THAT(refusal.what(), HasSubstr("Nothing was written"));
  }
}

std::string refusal_of(const auto& work) {
  try {
    work();
  } catch (const Refusal& refusal) {
    return refusal.what();
  }
  return "not refused";
}

TEST(Note, IsInternalAndChangesNothingElse) {
  const TicketChange change = change_by_note(ticket_in(Status::kWaiting), "x", "ana@example.com");
  EXPECT_EQ(change.message->visibility, Visibility::kInternal);
  EXPECT_EQ(change.after.status, Status::kWaiting);
  EXPECT_THAT(change.changes, IsEmpty());
}

TicketChange set(Status from, SetTicketStatus request) {
  request.id = "7QK4MX";
  return change_of_status(ticket_in(from), request, "bo@example.com");
}

TEST(SetStatus, OfTheSameStatusChangesAndSaysNothing) {
  for (const Status status : kAll) {
    const TicketChange change = set(status, {.status = status, .comment = "again"});
    EXPECT_THAT(change.changes, IsEmpty()) << name(status);
    EXPECT_FALSE(change.message) << name(status);
  }
}

TEST(SetStatus, FollowsTheStatusMachine) {
  for (const Status from : kAll) {
    for (const Status to : kAll) {
      const std::string refusal = refusal_of([&] { set(from, {.status = to, .comment = "because"}); });
      EXPECT_EQ(refusal == "not refused", may_become(from, to)) << name(from) << " to " << name(to);
    }
  }
  EXPECT_EQ(refusal_of([&] { set(Status::kClosed, {.status = Status::kWaiting}); }),
            "Ticket 7QK4MX is closed and cannot become waiting; from here it can become: open.");
}

TEST(SetStatus, ClosingAnUnresolvedTicketNeedsAReason) {
  for (const Status from : {Status::kOpen, Status::kInProgress, Status::kWaiting}) {
    EXPECT_THAT(refusal_of([&] { set(from, {.status = Status::kClosed}); }), HasSubstr("needs a reason"));
    EXPECT_EQ(set(from, {.status = Status::kClosed, .comment = "x"}).after.resolution, std::nullopt);
    EXPECT_EQ(set(from, {.status = Status::kClosed, .resolution = Resolution::kWontFix}).after.resolution, "wont_fix");
  }
  EXPECT_EQ(set(Status::kResolved, {.status = Status::kClosed}).after.status, Status::kClosed);
}

TEST(SetStatus, ClosingKeepsTheResolution) {
  Ticket ticket = ticket_in(Status::kResolved);
  ticket.resolution = "workaround";
  EXPECT_EQ(change_of_status(ticket, {.id = "7QK4MX", .status = Status::kClosed}, "bo").after.resolution, "workaround");
}

TEST(SetStatus, TakesAResolutionLater) {
  const TicketChange change = set(Status::kResolved, {.status = Status::kResolved, .resolution = Resolution::kFixed});
  EXPECT_THAT(change.changes, ElementsAre(Field(&FieldChange::field, "resolution")));
}

TEST(SetStatus, WaitsForTheRequesterUnlessToldOtherwise) {
  EXPECT_EQ(set(Status::kOpen, {.status = Status::kWaiting}).after.waiting_on, "requester");
  EXPECT_EQ(set(Status::kOpen, {.status = Status::kWaiting, .waiting_on = WaitingOn::kThirdParty}).after.waiting_on,
            "third_party");
  const TicketChange other = set(Status::kWaiting, {.status = Status::kWaiting, .waiting_on = WaitingOn::kThirdParty});
  EXPECT_THAT(other.changes, ElementsAre(Field(&FieldChange::field, "waiting_on")));
}

TEST(SetStatus, RefusesWhatDoesNotGoTogether) {
  const auto refused = [](const SetTicketStatus& request) { return refusal_of([&] { set(Status::kOpen, request); }); };
  EXPECT_THAT(refused({.status = Status::kInProgress, .resolution = Resolution::kFixed}),
              HasSubstr("go with status resolved or closed, not with in_progress"));
  EXPECT_THAT(refused({.status = Status::kInProgress, .duplicate_of = "ABC123"}), HasSubstr("go with status resolved"));
  EXPECT_THAT(refused({.status = Status::kResolved, .waiting_on = WaitingOn::kRequester}),
              HasSubstr("waiting_on goes with status waiting, not with resolved"));
  EXPECT_THAT(refused({.status = Status::kResolved, .resolution = Resolution::kDuplicate}),
              HasSubstr("needs duplicate_of"));
  EXPECT_THAT(refused({.status = Status::kResolved, .resolution = Resolution::kFixed, .duplicate_of = "ABC123"}),
              HasSubstr("duplicate_of goes with resolution duplicate, not with fixed"));
}

TEST(SetStatus, AnOriginalMakesADuplicate) {
  const TicketChange change = set(Status::kOpen, {.status = Status::kClosed, .duplicate_of = "ABC123"});
  EXPECT_EQ(change.after.resolution, "duplicate");
  EXPECT_EQ(change.after.duplicate_of, "ABC123");
}

TEST(SetStatus, ReopeningClearsTheResolutionAndCountsFromClosed) {
  Ticket ticket = ticket_in(Status::kResolved);
  ticket.resolution = "fixed";
  const TicketChange change = change_of_status(ticket, {.id = "7QK4MX", .status = Status::kInProgress}, "bo");
  EXPECT_EQ(change.after.resolution, std::nullopt);
  EXPECT_FALSE(change.counts_as_reopen);
  EXPECT_TRUE(set(Status::kClosed, {.status = Status::kOpen}).counts_as_reopen);
}

TEST(SetStatus, TheCommentIsInternalUnlessToldOtherwise) {
  EXPECT_EQ(set(Status::kOpen, {.status = Status::kResolved, .comment = "x"}).message->visibility,
            Visibility::kInternal);
  EXPECT_EQ(set(Status::kOpen, {.status = Status::kResolved, .comment = "x", .visibility = Visibility::kPublic})
                .message->visibility,
            Visibility::kPublic);
}

TEST(ChangeOfFields, IsWhatDiffers) {
  Ticket ticket = ticket_in(Status::kOpen);
  ticket.title = "VPN drops";
  ticket.category = "Network";
  ticket.tags = {"vpn"};
  WantedFields wanted;
  wanted.title = "VPN drops";
  wanted.priority = Priority::kHigh;
  wanted.category = nullptr;
  wanted.assignee = std::string("bo@example.com");
  wanted.tags_add = {"vpn", "wifi"};
  const TicketChange change = change_of_fields(ticket, wanted);
  const auto is = [](const char* field, const char* from, const char* to) {
    return testing::AllOf(Field(&FieldChange::field, field), Field(&FieldChange::from, from),
                          Field(&FieldChange::to, to));
  };
  EXPECT_THAT(change.changes, ElementsAre(is("priority", "normal", "high"), is("category", "Network", ""),
                                          is("assignee", "", "bo@example.com"), is("tags", "vpn", "vpn, wifi")));
  EXPECT_THAT(change_of_fields(change.after, wanted).changes, IsEmpty());
}

TEST(ChangeOfFields, TagsAreAddedAndRemoved) {
  Ticket ticket = ticket_in(Status::kOpen);
  ticket.tags = {"a", "b"};
  WantedFields wanted;
  wanted.tags_add = {"c"};
  wanted.tags_remove = {"a", "z"};
  EXPECT_THAT(*change_of_fields(ticket, wanted).after.tags, ElementsAre("b", "c"));
  wanted.tags_remove = {"c"};
  EXPECT_THAT(refusal_of([&] { change_of_fields(ticket, wanted); }), HasSubstr("tags_add and in tags_remove"));
  wanted.tags_remove.clear();
  for (int i = 0; i < 20; ++i) wanted.tags_add.push_back("t" + std::to_string(i));
  EXPECT_THAT(refusal_of([&] { change_of_fields(ticket, wanted); }), HasSubstr("at most 20 tags"));
}

TEST(AppliedFiltersHash, CoversEveryFilterAndTheOrder) {
  AppliedFilters base;
  base.status = {StatusFilter::kUnresolved};
  std::vector<AppliedFilters> others(13, base);
  others[0].status = {StatusFilter::kAll};
  others[1].priority = {Priority::kHigh};
  others[2].assignee = "bo";
  others[3].requester = "bo";
  others[4].tags = {"vpn"};
  others[5].category = "vpn";
  others[6].created_after = "2026-01-01";
  others[7].created_before = "2026-01-01";
  others[8].updated_after = "2026-01-01";
  others[9].due_before = "2026-01-01";
  others[10].sort = SortKey::kCreated;
  others[11].order = SortOrder::kAscending;
  EXPECT_EQ(hash_of(base), hash_of(others[12]));
  for (std::size_t i = 0; i < 12; ++i) {
    EXPECT_NE(hash_of(base), hash_of(others[i])) << i;
    for (std::size_t j = 0; j < i; ++j) EXPECT_NE(hash_of(others[j]), hash_of(others[i])) << i << " " << j;
  }
}

}  // namespace
}  // namespace helpdesk::tickets
