#include "observability/span_batch.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.hpp"

namespace toolhost::observability {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const Caller& caller() {
  static const Caller one = [] {
    Caller made;
    made.tenant = "acme";
    made.key_prefix = "hdsk_abcdef";
    return made;
  }();
  return one;
}

ToolCalled call(std::string_view outcome = "ok") {
  return {.caller = caller(),
          .tool = "create_ticket",
          .plugin = "tickets",
          .request_id = "r-1",
          .outcome = outcome,
          .duration = std::chrono::microseconds(900),
          .detail = "never told"};
}

std::size_t count_of(std::string_view text, std::string_view part) {
  std::size_t count = 0;
  for (auto at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST(SpanBatch, TellsACallWithItsPartsBeneathItsClientsSpan) {
  SpanBatch batch({.version = "1"});
  const auto trace = read_trace_context("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "v=1");
  auto event = call();
  event.trace = &*trace;
  event.queued = std::chrono::microseconds(100);
  event.in_handler = std::chrono::microseconds(700);
  event.in_database = std::chrono::microseconds(500);
  batch.emit(event);

  const auto body = batch.take();
  json::Document document;
  ASSERT_TRUE(document.parse(body)) << body;
  EXPECT_EQ(count_of(body, R"("traceId":"0af7651916cd43dd8448eb211c80319c")"), 4u) << body;
  EXPECT_EQ(count_of(body, R"("parentSpanId":"b7ad6b7169203331")"), 1u) << body;
  for (const char* part :
       {R"("name":"tools/call create_ticket")", R"("traceState":"v=1")", R"("name":"queue")", R"("name":"handler")",
        R"("name":"database")", R"({"key":"gen_ai.tool.name","value":{"stringValue":"create_ticket"}})",
        R"({"key":"toolhost.tenant","value":{"stringValue":"acme"}})",
        R"({"key":"service.name","value":{"stringValue":"toolhost"}})"})
    EXPECT_THAT(body, HasSubstr(part));
  EXPECT_THAT(body, Not(HasSubstr("never told")));
  EXPECT_THAT(body, Not(HasSubstr("error.type")));
  EXPECT_EQ(batch.taken(), 1u);
  EXPECT_TRUE(batch.take().empty());
}

TEST(SpanBatch, FollowsTheClientsDecisionAndItsOwnWithoutOne) {
  SpanBatch none({.version = "1", .sample = 0});
  none.emit(call());
  EXPECT_TRUE(none.take().empty());
  const auto sampled = read_trace_context("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  auto event = call("timeout");
  event.trace = &*sampled;
  none.emit(event);
  EXPECT_THAT(none.take(), HasSubstr(R"("status":{"code":2})"));

  SpanBatch all({.version = "1", .sample = 1});
  const auto unsampled = read_trace_context("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00");
  event.trace = &*unsampled;
  all.emit(event);
  EXPECT_TRUE(all.take().empty());
  all.emit(call());
  EXPECT_THAT(all.take(), Not(HasSubstr("parentSpanId")));
}

TEST(SpanBatch, IsBoundedAndCountsWhatItDrops) {
  SpanBatch batch({.version = "1", .most_bytes = 4'000});
  for (int i = 0; i < 100; ++i) batch.emit(call());
  EXPECT_LT(batch.take().size(), 5'000u);
  EXPECT_GT(batch.dropped(), 80u);
  EXPECT_EQ(batch.dropped() + batch.taken(), 100u);
}

}  // namespace
}  // namespace toolhost::observability
