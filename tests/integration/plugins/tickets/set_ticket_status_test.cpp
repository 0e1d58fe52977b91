#include <gmock/gmock.h>

#include "tickets_test.hpp"

namespace toolhost::test_support {
namespace {

using testing::HasSubstr;

class SetTicketStatus : public TicketsTest {
 protected:
  SetTicketStatus() : bo(colleague(ana, "bo@example.com")), id(create(ana, R"({"title":"VPN drops"})")) {}

  Answer set(const std::string& fields, std::string of = "") {
    return call(bo, "set_ticket_status", R"({"id":")" + (of.empty() ? id : of) + R"(","status":)" + fields + "}");
  }
  std::string refusal(const std::string& fields) {
    const Answer answer = set(fields);
    EXPECT_TRUE(answer.is_error()) << fields;
    return answer.text();
  }
  std::string column(const std::string& name) {
    return sql("select " + name + " from tickets where ref = '" + id + "'");
  }

  CallerPtr bo;
  std::string id;
};

TEST_F(SetTicketStatus, GoesTheWholeWay) {
  const Answer progress = set(R"("in_progress")");
  ASSERT_FALSE(progress.is_error()) << progress.text();
  EXPECT_EQ(progress.at("/previous_status"), "open");
  EXPECT_EQ(progress.at("/changed"), "true");
  EXPECT_EQ(progress.at("/allowed_transitions"), R"(["open","waiting","resolved","closed"])");
  EXPECT_EQ(set(R"("waiting","waiting_on":"third_party")").at("/ticket/waiting_on"), "third_party");
  const Answer resolved = set(R"("resolved","resolution":"workaround")");
  EXPECT_EQ(resolved.at("/ticket/resolution"), "workaround");
  EXPECT_FALSE(resolved.has("/ticket/waiting_on"));
  EXPECT_EQ(column("resolved_at is not null"), "t");
  EXPECT_EQ(set(R"("closed")").at("/ticket/resolution"), "workaround");
  const Answer reopened = set(R"("open")");
  EXPECT_EQ(reopened.at("/previous_status"), "closed");
  EXPECT_EQ(column("reopen_count || coalesce(resolution, '-') || coalesce(resolved_at::text, '-')"), "1--");
  EXPECT_EQ(sql("select string_agg(new_value, ' ' order by version) from ticket_history where field = 'status' and "
                "ticket = '" +
                id + "'"),
            "in_progress waiting resolved closed open");
}

TEST_F(SetTicketStatus, TheSameAgainChangesNothing) {
  set(R"("resolved","resolution":"fixed")");
  const Answer again = set(R"("resolved","resolution":"fixed","comment":"Done")");
  ASSERT_FALSE(again.is_error()) << again.text();
  EXPECT_EQ(again.at("/changed"), "false");
  EXPECT_EQ(again.at("/previous_status"), "resolved");
  EXPECT_THAT(again.at("/hint"), HasSubstr("the comment was not added either"));
  EXPECT_EQ(column("version"), "2");
}

TEST_F(SetTicketStatus, RefusesWhatTheMachineForbids) {
  set(R"("resolved")");
  EXPECT_EQ(
      refusal(R"("waiting")"),
      "Ticket " + id + " is resolved and cannot become waiting; from here it can become: open, in_progress, closed.");
  set(R"("closed")");
  EXPECT_THAT(refusal(R"("resolved")"), HasSubstr("from here it can become: open."));
}

TEST_F(SetTicketStatus, RefusesWhatDoesNotGoTogether) {
  EXPECT_THAT(refusal(R"("closed")"), HasSubstr("needs a reason: give a resolution or a comment"));
  EXPECT_THAT(refusal(R"("in_progress","resolution":"fixed")"), HasSubstr("go with status resolved or closed"));
  EXPECT_THAT(refusal(R"("resolved","waiting_on":"requester")"), HasSubstr("waiting_on goes with status waiting"));
  EXPECT_THAT(refusal(R"("resolved","resolution":"duplicate")"), HasSubstr("needs duplicate_of"));
  EXPECT_THAT(refusal(R"("resolved","resolution":"fixed","duplicate_of":"ABC123")"),
              HasSubstr("duplicate_of goes with resolution duplicate"));
  EXPECT_THAT(refusal(R"("resolved","comment":" ")"), HasSubstr("comment is empty"));
  EXPECT_THAT(refusal(R"("resolved","comment":"a\u0000")"), HasSubstr("NUL"));
  EXPECT_THAT(refusal(R"("resolved","duplicate_of":"ZZZZZZ")"), HasSubstr("Ticket ZZZZZZ not found."));
  EXPECT_THAT(refusal(R"("resolved","duplicate_of":"that one")"), HasSubstr("'that one' is not a ticket id"));
  EXPECT_THAT(set(R"("open")", "ZZZZZZ").text(), HasSubstr("Ticket ZZZZZZ not found."));
  EXPECT_EQ(column("version || status::text"), "1open");
}

TEST_F(SetTicketStatus, ADuplicateIsNoCircle) {
  const std::string b = create(ana, R"({"title":"b"})"), c = create(ana, R"({"title":"c"})");
  const auto duplicate = [&](const std::string& of, const std::string& original) {
    return set(R"("closed","duplicate_of":")" + original + "\"", of);
  };
  EXPECT_THAT(duplicate(id, id).text(), HasSubstr("names ticket " + id + " itself"));
  const Answer first = duplicate(b, id);
  EXPECT_EQ(first.at("/ticket/duplicate_of"), id) << first.text();
  EXPECT_EQ(first.at("/ticket/resolution"), "duplicate");
  const Answer chain = duplicate(c, b);
  EXPECT_EQ(chain.at("/hint"), "Ticket " + b + " is itself a duplicate; in the end of " + id + ".");
  const Answer circle = duplicate(id, c);
  EXPECT_TRUE(circle.is_error());
  EXPECT_THAT(circle.text(), HasSubstr("Ticket " + b + " is a duplicate of " + id + " already"));
  EXPECT_EQ(column("status"), "open");
}

TEST_F(SetTicketStatus, TheCommentIsAMessage) {
  const Answer internal = set(R"("waiting","comment":"Vendor has it","waiting_on":"third_party")");
  EXPECT_EQ(internal.at("/comment/visibility"), "internal");
  EXPECT_EQ(internal.at("/comment/id"), id + "-2");
  EXPECT_EQ(column("first_reply_at is null"), "t");
  const Answer open = set(R"("closed","comment":"Not ours","visibility":"public")");
  EXPECT_EQ(open.at("/comment/visibility"), "public");
  EXPECT_EQ(column("first_reply_at is not null"), "t");
  EXPECT_EQ(
      sql("select string_agg(field, ' ' order by version, field) from ticket_history where ticket = '" + id + "'"),
      "created note status waiting_on reply status waiting_on");
}

TEST_F(SetTicketStatus, AnotherVersionIsRefused) {
  call(ana, "add_note", R"({"id":")" + id + R"(","body":"x"})");
  EXPECT_THAT(refusal(R"("resolved","expected_version":1)"), HasSubstr("was changed by ana@example.com"));
  EXPECT_THAT(refusal(R"("resolved","expected_version":1)"), HasSubstr("note added"));
  EXPECT_EQ(set(R"("resolved","expected_version":2)").at("/changed"), "true");
}

}  // namespace
}  // namespace toolhost::test_support
