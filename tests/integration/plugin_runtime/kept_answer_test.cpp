#include <gmock/gmock.h>

#include "base/json_writer.hpp"
#include "host_fixture.hpp"

namespace toolhost::plugin_runtime {
namespace {

using testing::HasSubstr;

constexpr const char* kStream = "0190a0b0-0000-7000-8000-000000000001";

/// What is saved with a call's effect or not at all: its answer, and that its confirmation was used.
class KeptAnswer : public PluginHostTest {
 protected:
  static test_support::TempPostgres& postgres() { return test_support::TempPostgres::shared(); }
  storage::DatabaseAddress address() override { return postgres().address(); }

  void SetUp() override {
    postgres().fresh_database();
    acme = postgres().add_tenant("acme");
    start({test_plugin("hostile_sql"), test_plugin("ask")});
    for (const auto& info : host->plugins()) ASSERT_EQ(info.state, "serving") << info.reason;
    client = std::make_shared<FakeClient>();
  }

  Running begin_insert(int id, bool last = false, std::string used_state = {}) {
    std::string arguments;
    JsonWriter(arguments)
        .begin_object()
        .member("statement", "insert into notes (id, body) values (" + std::to_string(id) + ", 'x')")
        .key("last")
        .boolean(last)
        .end_object();
    return begin(*host->registry()->find("sql"), arguments, acme, Deadline::never(), {}, [&](ToolCall& call) {
      call.used_state = std::move(used_state);
      call.used_state_expires = std::chrono::system_clock::now() + std::chrono::minutes(10);
    });
  }
  ToolResult insert(int id, bool last = false, std::string used_state = {}) {
    return begin_insert(id, last, std::move(used_state)).result.get();
  }
  void keep() {
    client->kept = KeptStream{.stream = kStream, .key = 42, .expires = std::time(nullptr) + 300};
    client->streamed = true;
  }
  static std::string notes() { return postgres().run_sql("select count(*) from hostile.notes"); }
  static std::string kept() {
    return postgres().run_sql(
        "select coalesce(string_agg(state || ' ' || key_id || ' ' || message, ';'), '') "
        "from toolhost.kept_answers");
  }
  static void lose() {
    postgres().run_sql("insert into toolhost.kept_answers (stream, key_id, state, expires_at) values ('" +
                       std::string(kStream) + "', 42, 'lost', now() + interval '1 minute')");
  }

  TenantId acme{};
};

TEST_F(KeptAnswer, IsSavedWithTheEffect) {
  keep();
  const auto result = insert(1);
  EXPECT_EQ(result.outcome, Outcome::kOk) << result.detail;
  EXPECT_TRUE(result.is_kept);
  EXPECT_EQ(notes(), "1");
  EXPECT_EQ(kept(), "answered 42 " + result.content_json);
  EXPECT_EQ(postgres().run_sql("select tenant_id from toolhost.kept_answers"), std::to_string(value(acme)));
}

TEST_F(KeptAnswer, IsNotThereWithoutAStreamOrAnEffect) {
  EXPECT_FALSE(insert(1).is_kept);
  keep();
  EXPECT_FALSE(run("sql", R"({"statement":"select 1/0"})", acme).is_kept);
  EXPECT_FALSE(run("ask_everything", "{}", acme).is_kept);
  EXPECT_EQ(kept(), "");
}

TEST_F(KeptAnswer, UndoesTheEffectOfACallThatWasGivenUp) {
  keep();
  lose();
  for (const bool last : {false, true}) {
    const auto result = insert(1, last);
    EXPECT_EQ(result.outcome, Outcome::kUnavailable) << result.detail;
    EXPECT_THAT(result.content_json, HasSubstr("Nothing was saved"));
    EXPECT_FALSE(result.is_kept);
    EXPECT_EQ(notes(), "0") << "a last statement of a streamed call commits with its answer";
  }
  EXPECT_EQ(kept(), "lost 42 ");
}

TEST_F(KeptAnswer, FollowsAStatementThatHadCommittedBefore) {
  auto running = begin_insert(1, true);
  EXPECT_EQ(running.result.get().outcome, Outcome::kOk);
  EXPECT_TRUE(running.call->last_sent);
  keep();
  client->streamed = false;  // the stream began behind the statement
  EXPECT_TRUE(insert(2, true).is_kept);
  EXPECT_EQ(notes(), "2");
  EXPECT_THAT(kept(), testing::StartsWith("answered 42 "));
}

TEST_F(KeptAnswer, CannotUndoAStatementThatHadCommittedBefore) {
  keep();
  client->streamed = false;
  lose();
  const auto result = insert(1, true);
  EXPECT_EQ(result.outcome, Outcome::kOk) << result.detail;
  EXPECT_FALSE(result.is_kept);
  EXPECT_EQ(notes(), "1");
}

TEST_F(KeptAnswer, AConfirmationServesOneCallThatWrites) {
  const std::string state(32, '\x7f');
  EXPECT_EQ(insert(1, false, state).outcome, Outcome::kOk);
  for (const bool last : {false, true}) {
    const auto again = insert(2, last, state);
    EXPECT_EQ(again.outcome, Outcome::kStateUsed) << again.detail;
    EXPECT_THAT(again.content_json, HasSubstr("used before"));
  }
  EXPECT_EQ(notes(), "1");
  EXPECT_EQ(postgres().run_sql("select encode(state_hash, 'hex') from toolhost.used_states"),
            std::string("7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f"));
  // A call that saves nothing uses nothing up.
  const std::string other(32, '\x01');
  EXPECT_EQ(insert(1, false, other).outcome, Outcome::kToolError) << "there is a note 1";
  EXPECT_EQ(insert(3, true, other).outcome, Outcome::kOk);
}

}  // namespace
}  // namespace toolhost::plugin_runtime
