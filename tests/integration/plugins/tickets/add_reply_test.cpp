#include <gmock/gmock.h>

#include <condition_variable>
#include <mutex>

#include "tickets_test.hpp"

namespace toolhost::test_support {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

class AddReply : public TicketsTest {
 protected:
  AddReply() : bo(colleague(ana, "bo@example.com")), id(create(ana, R"({"title":"VPN drops"})")) {}

  Answer reply(const CallerPtr& caller, const std::string& body, const std::string& more = "") {
    return call(caller, "add_reply",
                R"({"id":")" + id + R"(","body":)" + json_string(body) + (more.empty() ? "" : "," + more) + "}");
  }
  std::string column(const std::string& name) {
    return sql("select " + name + " from tickets where ref = '" + id + "'");
  }
  std::string count(const std::string& table) {
    return sql("select count(*) from " + table + " where ticket = '" + id + "'");
  }

  CallerPtr bo;
  std::string id;
};

TEST_F(AddReply, AddsAPublicMessageAndAVersion) {
  const Answer answer = reply(bo, "Which client? 👀");
  ASSERT_FALSE(answer.is_error()) << answer.text();
  EXPECT_EQ(answer.at("/message/body"), "Which client? 👀");
  EXPECT_EQ(answer.at("/message/visibility"), "public");
  EXPECT_EQ(answer.at("/message/author"), "bo@example.com");
  EXPECT_EQ(answer.at("/message/author_role"), "staff");
  EXPECT_EQ(answer.at("/message/id"), id + "-2");
  EXPECT_EQ(answer.at("/created"), "true");
  EXPECT_EQ(answer.at("/ticket/version"), "2");
  EXPECT_EQ(answer.at("/ticket/status"), "open");
  EXPECT_EQ(answer.at("/status_changed"), "false");
  EXPECT_EQ(count("ticket_messages"), "1");
  EXPECT_EQ(count("ticket_history"), "2");
  EXPECT_EQ(column("updated_at > created_at"), "t");
}

TEST_F(AddReply, TheFirstStaffReplyIsTimed) {
  reply(ana, "More details");
  EXPECT_EQ(column("first_reply_at"), "");
  reply(bo, "Hello");
  const std::string time = column("first_reply_at");
  EXPECT_THAT(time, MatchesRegex("20.*"));
  reply(bo, "Hello again");
  EXPECT_EQ(column("first_reply_at"), time);
}

TEST_F(AddReply, SetsTheStatusUnderTheStatusMachine) {
  const Answer waiting = reply(bo, "Which client?", R"("set_status":"waiting")");
  EXPECT_EQ(waiting.at("/previous_status"), "open");
  EXPECT_EQ(waiting.at("/status_changed"), "true");
  EXPECT_EQ(waiting.at("/ticket/waiting_on"), "requester");
  EXPECT_EQ(waiting.at("/allowed_transitions"), R"(["open","in_progress","resolved","closed"])");

  const Answer resolved = reply(bo, "Fixed", R"("set_status":"resolved")");
  EXPECT_EQ(resolved.at("/ticket/status"), "resolved");
  EXPECT_NE(column("resolved_at"), "");
  EXPECT_FALSE(resolved.has("/ticket/waiting_on"));

  const Answer refused = reply(bo, "Hm", R"("set_status":"waiting")");
  EXPECT_TRUE(refused.is_error());
  EXPECT_THAT(refused.text(),
              HasSubstr("is resolved and cannot become waiting; from here it can become: open, in_progress, closed"));
  EXPECT_EQ(count("ticket_messages"), "2");
  EXPECT_EQ(column("version"), "3");

  const std::string resolved_at = column("resolved_at");
  reply(bo, "Bye", R"("set_status":"closed")");
  EXPECT_EQ(column("resolved_at"), resolved_at);
  EXPECT_TRUE(reply(bo, "Hm", R"("set_status":"in_progress")").is_error());
  const Answer reopened = reply(ana, "Again", R"("set_status":"open")");
  EXPECT_EQ(reopened.at("/ticket/status"), "open");
  EXPECT_EQ(column("reopen_count"), "1");
  EXPECT_EQ(column("resolved_at"), "");
}

TEST_F(AddReply, TheSameStatusAgainChangesNothing) {
  const Answer answer = reply(bo, "Hello", R"("set_status":"open")");
  EXPECT_FALSE(answer.is_error());
  EXPECT_EQ(answer.at("/status_changed"), "false");
  EXPECT_EQ(count("ticket_history"), "2");
}

TEST_F(AddReply, TheRequestersAnswerReopensAWaitingTicket) {
  reply(bo, "Which client?", R"("set_status":"waiting")");
  const Answer answer = reply(ana, "The new one");
  EXPECT_EQ(answer.at("/message/author_role"), "requester");
  EXPECT_EQ(answer.at("/previous_status"), "waiting");
  EXPECT_EQ(answer.at("/ticket/status"), "open");
  EXPECT_EQ(answer.at("/status_changed"), "true");
}

TEST_F(AddReply, TellsWhenTheTextSoundsResolvedAndTheStatusIsNot) {
  EXPECT_EQ(reply(bo, "The issue has been resolved").at("/hint"),
            "The status is still open. If the ticket is done, call set_ticket_status.");
  EXPECT_FALSE(reply(bo, "The issue has been resolved", R"("set_status":"resolved")").has("/hint"));
}

TEST_F(AddReply, WithAKeyIsAddedOnce) {
  const Answer first = reply(bo, "Hello", R"("idempotency_key":"k")");
  const Answer second = reply(bo, "Hello", R"("idempotency_key":"k")");
  EXPECT_EQ(first.at("/created"), "true");
  EXPECT_EQ(second.at("/created"), "false");
  EXPECT_EQ(second.at("/message/id"), first.at("/message/id"));
  EXPECT_EQ(second.at("/message/body"), "Hello");
  EXPECT_EQ(count("ticket_messages"), "1");
  const Answer other = reply(bo, "Hello!", R"("idempotency_key":"k")");
  EXPECT_TRUE(other.is_error());
  EXPECT_THAT(other.text(), HasSubstr("was used for add_reply with other arguments"));
}

TEST_F(AddReply, ARefusedReplyLeavesItsKeyFree) {
  EXPECT_TRUE(call(bo, "add_reply", R"({"id":"ZZZZZZ","body":"x","idempotency_key":"k"})").is_error());
  EXPECT_EQ(reply(bo, "x", R"("idempotency_key":"k")").at("/created"), "true");
}

TEST_F(AddReply, RefusesUnknownTicketsAndEmptyBodies) {
  const Answer unknown = call(bo, "add_reply", R"({"id":"ZZZZZZ","body":"x"})");
  EXPECT_TRUE(unknown.is_error());
  EXPECT_THAT(unknown.text(), HasSubstr("Ticket ZZZZZZ not found."));
  EXPECT_THAT(reply(bo, " \n ").text(), HasSubstr("body is empty"));
  EXPECT_THAT(call(bo, "add_reply", R"({"id":")" + id + R"(","body":"a\u0000b"})").text(), HasSubstr("NUL"));
  EXPECT_EQ(count("ticket_messages"), "0");
}

TEST_F(AddReply, RepliesAtOnceEachGetAVersion) {
  constexpr int kReplies = 16;
  std::mutex mutex;
  std::condition_variable all_done;
  int done = 0, failed = 0;
  for (int i = 0; i < kReplies; ++i) {
    start(bo, "add_reply", R"({"id":")" + id + R"(","body":"r"})", [&](plugin_runtime::ToolResult result) {
      const std::lock_guard lock(mutex);
      ++done;
      failed += result.is_error;
      all_done.notify_one();
    });
  }
  std::unique_lock lock(mutex);
  ASSERT_TRUE(all_done.wait_for(lock, std::chrono::seconds(60), [&] { return done == kReplies; }));
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(column("version"), "17");
  EXPECT_EQ(sql("select count(distinct version) from ticket_history where ticket = '" + id + "'"), "17");
  EXPECT_EQ(count("ticket_messages"), "16");
}

TEST_F(AddReply, HistoryCannotBeRewritten) {
  for (const char* attempt :
       {"update ticket_history set actor = 'nobody'", "delete from ticket_history", "truncate ticket_history"}) {
    EXPECT_EQ(sql(std::string("do $$ begin ") + attempt +
                  "; raise 'was allowed'; exception when insufficient_privilege then null; end $$; select 'refused'"),
              "refused");
  }
}

}  // namespace
}  // namespace toolhost::test_support
