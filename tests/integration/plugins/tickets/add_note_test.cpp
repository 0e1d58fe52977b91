#include <gmock/gmock.h>

#include "tickets_test.hpp"

namespace toolhost::test_support {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class AddNote : public TicketsTest {
 protected:
  AddNote()
      : bo(colleague(ana, "bo@example.com")),
        viewer(colleague(ana, "vi@example.com", Role::kViewer)),
        id(create(ana, R"({"title":"VPN drops"})")) {}

  Answer note(const CallerPtr& caller, const std::string& body, const std::string& more = "") {
    return call(caller, "add_note",
                R"({"id":")" + id + R"(","body":)" + json_string(body) + (more.empty() ? "" : "," + more) + "}");
  }

  CallerPtr bo, viewer;
  std::string id;
};

TEST_F(AddNote, IsInternalAndLeavesTheStatus) {
  const Answer answer = note(bo, "The user was rude");
  ASSERT_FALSE(answer.is_error()) << answer.text();
  EXPECT_EQ(answer.at("/message/visibility"), "internal");
  EXPECT_EQ(answer.at("/message/id"), id + "-2");
  EXPECT_EQ(answer.at("/message/author"), "bo@example.com");
  EXPECT_EQ(answer.at("/ticket/status"), "open");
  EXPECT_EQ(answer.at("/ticket/version"), "2");
  EXPECT_FALSE(answer.has("/hint"));
  EXPECT_EQ(sql("select first_reply_at is null from tickets where ref = '" + id + "'"), "t");
}

TEST_F(AddNote, TellsWhenTheTextSoundsResolvedAndTheStatusIsNot) {
  EXPECT_EQ(note(bo, "The issue has been resolved").at("/hint"),
            "The status is still open. If the ticket is done, call set_ticket_status.");
  call(bo, "set_ticket_status", R"({"id":")" + id + R"(","status":"resolved"})");
  EXPECT_FALSE(note(bo, "The issue has been resolved").has("/hint"));
}

TEST_F(AddNote, IsHiddenFromViewersEverywhere) {
  note(bo, "SECRET one");
  call(bo, "add_reply", R"({"id":")" + id + R"(","body":"Which client?"})");
  call(bo, "set_ticket_status", R"({"id":")" + id + R"(","status":"waiting","comment":"SECRET two"})");
  const std::string with_id = R"({"id":")" + id + "\"";

  const Answer read = call(viewer, "get_ticket", with_id + R"(,"include":["messages","history"]})");
  EXPECT_THAT(read.each("/messages", "body"), ElementsAre("Which client?"));
  EXPECT_THAT(read.each("/history", "field"), ElementsAre("created", "reply", "status", "waiting_on"));
  EXPECT_FALSE(read.has("/messages_cursor"));
  const Answer history = call(viewer, "ticket_history", with_id + "}");
  EXPECT_THAT(history.each("/events", "field"), ElementsAre("waiting_on", "status", "reply", "created"));
  for (const Answer* answer : {&read, &history}) {
    EXPECT_THAT(answer->text(), Not(HasSubstr("SECRET")));
    EXPECT_THAT(answer->text(), Not(HasSubstr("note")));
    EXPECT_THAT(answer->structured_json(), Not(HasSubstr("SECRET")));
  }
  // A page of one message says nothing of the notes around it.
  const Answer page = call(viewer, "get_ticket", with_id + R"(,"messages_limit":1})");
  EXPECT_FALSE(page.has("/messages_cursor"));

  const Answer staff = call(bo, "get_ticket", with_id + R"(,"include":["messages","history"]})");
  EXPECT_THAT(staff.each("/messages", "body"), ElementsAre("SECRET one", "Which client?", "SECRET two"));
  EXPECT_EQ(staff.size("/history"), 6u);
}

TEST_F(AddNote, OnlyNotesAreNoMessagesForViewers) {
  note(bo, "SECRET");
  const Answer read = call(viewer, "get_ticket", R"({"id":")" + id + "\"}");
  EXPECT_THAT(read.each("/messages", "body"), IsEmpty());
  EXPECT_THAT(read.text(), HasSubstr("No messages."));
}

TEST_F(AddNote, WithAKeyIsAddedOnce) {
  const Answer first = note(bo, "Hello", R"("idempotency_key":"k")");
  const Answer second = note(bo, "Hello", R"("idempotency_key":"k")");
  EXPECT_EQ(first.at("/created"), "true");
  EXPECT_EQ(second.at("/created"), "false");
  EXPECT_EQ(second.at("/message/id"), first.at("/message/id"));
  EXPECT_EQ(second.at("/message/body"), "Hello");
  EXPECT_EQ(second.at("/message/visibility"), "internal");
  const Answer other = note(bo, "Hello!", R"("idempotency_key":"k")");
  EXPECT_TRUE(other.is_error());
  EXPECT_THAT(other.text(), HasSubstr("was used for add_note with other arguments"));
  EXPECT_EQ(call(bo, "add_reply", R"({"id":")" + id + R"(","body":"Hello","idempotency_key":"k"})").at("/created"),
            "true");
}

TEST_F(AddNote, RefusesUnknownTicketsAndEmptyBodies) {
  EXPECT_THAT(call(bo, "add_note", R"({"id":"ZZZZZZ","body":"x"})").text(), HasSubstr("Ticket ZZZZZZ not found."));
  EXPECT_THAT(call(bo, "add_note", R"({"id":"it","body":"x"})").text(), HasSubstr("'it' is not a ticket id"));
  EXPECT_THAT(note(bo, "\u200b").text(), HasSubstr("body is empty"));
  EXPECT_THAT(call(bo, "add_note", R"({"id":")" + id + R"(","body":"a\u0000b"})").text(), HasSubstr("NUL"));
  EXPECT_THAT(call(bo, "add_note", R"({"id":")" + id + R"(","body":"x","idempotency_key":"a\u0000"})").text(),
              HasSubstr("NUL"));
}

}  // namespace
}  // namespace toolhost::test_support
