#include "ticket_rules.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tickets {
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

TEST(ListCursor, ComesBackAsItWent) {
  const ListCursor cursor{0xFEDCBA9876543210ULL, {"2026-11-23 03:16:09.123456+00", "", "7QK4MX"}};
  const auto decoded = decode_list_cursor(encode(cursor));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->filters, cursor.filters);
  EXPECT_EQ(decoded->position.first_key, cursor.position.first_key);
  EXPECT_EQ(decoded->position.second_key, "");
  EXPECT_EQ(decoded->position.ref, "7QK4MX");
}

TEST(ListCursor, IsNoOtherText) {
  for (const char* text :
       {"", "list", "list\n1\na\nb", "list\nx\na\nb\nc", "list\n1\na\nb\nc\nd", "messages\n7QK4MX\n3"}) {
    EXPECT_FALSE(decode_list_cursor(text)) << text;
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
  EXPECT_FALSE(change_by_reply(ticket_in(Status::kOpen), reply(), "Ana@Example.com").is_staff_reply);
  EXPECT_TRUE(change_by_reply(ticket_in(Status::kOpen), reply(), "bo@example.com").is_staff_reply);
}

TEST(Reply, WithoutStatusChangesNone) {
  for (const Status status : kAll) {
    const ReplyChange change = change_by_reply(ticket_in(status), reply(), "bo@example.com");
    EXPECT_EQ(change.after.status, status);
    EXPECT_THAT(change.changes, IsEmpty());
  }
}

TEST(Reply, OfTheRequesterReopensAWaitingTicket) {
  const ReplyChange change = change_by_reply(ticket_in(Status::kWaiting), reply(), "ana@example.com");
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
  const ReplyChange change = change_by_reply(ticket_in(Status::kOpen), reply(Status::kWaiting), "bo@example.com");
  EXPECT_EQ(change.after.waiting_on, "requester");
}

TEST(Reply, ToTheSameStatusIsNoChange) {
  Ticket ticket = ticket_in(Status::kWaiting);
  ticket.waiting_on = "third_party";
  const ReplyChange change = change_by_reply(ticket, reply(Status::kWaiting), "bo@example.com");
  EXPECT_THAT(change.changes, IsEmpty());
  EXPECT_EQ(change.after.waiting_on, "third_party");
}

TEST(Reply, ThatReopensClearsTheResolutionAndCountsWhenItWasClosed) {
  Ticket ticket = ticket_in(Status::kClosed);
  ticket.resolution = "duplicate";
  ticket.duplicate_of = "ABC123";
  const ReplyChange change = change_by_reply(ticket, reply(Status::kOpen), "bo@example.com");
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

TEST(RequestText, DiffersWhereFieldsDiffer) {
  using Texts = std::vector<std::string>;
  const auto of = [](const Texts& texts) { return RequestText().add(texts).text(); };
  EXPECT_EQ(of({"a", "b"}), of({"a", "b"}));
  EXPECT_NE(of({"a", "b"}), of({"ab"}));
  EXPECT_NE(of({"1:a"}), of({"a"}));
  EXPECT_NE(RequestText().add(std::optional<std::string>()).text(),
            RequestText().add(std::optional<std::string>("")).text());
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
}  // namespace tickets
