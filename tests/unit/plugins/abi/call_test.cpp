#include <gtest/gtest.h>
#include <toolhost/plugin.hpp>

#include <new>
#include <stdexcept>

#include "fake_host.hpp"

namespace sample {

struct In {
  std::string what;
};
TH_FIELDS(In, field("what", &In::what))
struct Out {
  std::string result;
};
TH_FIELDS(Out, field("result", &Out::result))

int instances = 0;

/// One tool for each way in which a handler can use the wrapper, or end.
class Tools {
 public:
  explicit Tools(toolhost::Host& host) {
    if (host.config("/refuse") == "yes") throw std::runtime_error("refused by the constructor");
    for (const auto& view : host.readable_views()) views_ += view.plugin + " " + view.sql_name + " ";
    ++instances;
  }
  ~Tools() { --instances; }

  Out act(toolhost::Call& call, const In& in) {
    if (in.what == "describe") {
      return {std::string(call.tenant()) + " " + std::string(call.principal()) + " " +
              std::string(call.idempotency_key()) + " " + std::string(call.time_zone()) + " " +
              std::to_string(call.deadline_us()) + " " + call.config("/a", "fallback") + " " +
              std::to_string(call.config_i64("/n", 7))};
    }
    if (in.what == "people") {
      const auto people = call.people("ann");
      return {std::string(call.role()) + " " + people.back().email + " " + people.back().name + " " +
              people.back().role + " " + std::to_string(people.size()) + " " +
              std::to_string(call.people("ann", 3).size())};
    }
    if (in.what == "views") return {views_};
    if (in.what == "write") {
      call.exec("update a set b = $1", std::optional<int>());
      return {std::to_string(call.exec(toolhost::last, "insert into a values ($1)", in.what))};
    }
    if (in.what == "read") {
      std::string sum;
      auto rows = call.query("select a");
      while (const toolhost::Row row = rows.next()) sum += row.text(0);
      return {sum};
    }
    if (in.what == "savepoint kept") {
      auto savepoint = call.savepoint();
      savepoint.release();
    }
    if (in.what == "savepoint dropped") {
      const auto savepoint = call.savepoint();
    }
    if (in.what == "conflict") {
      try {
        call.exec("insert");
      } catch (const toolhost::SqlError& error) {
        return {std::string(error.sqlstate()) + " " + std::to_string(error.status())};
      }
    }
    if (in.what == "statement fails") call.exec("insert");
    if (in.what == "token")
      return {call.open(call.seal("data")).value_or("none") + " " + call.open("forged").value_or("none")};
    if (in.what == "too much text") call.text("x");
    if (in.what == "error") throw toolhost::Error(TH_E_NOT_FOUND, "There is no such thing.");
    if (in.what == "success thrown") throw toolhost::Error(TH_OK, "no error at all");
    if (in.what == "retry") throw toolhost::Error(TH_E_RETRY, "again");
    if (in.what == "exception") throw std::runtime_error("internal reason");
    if (in.what == "no memory") throw std::bad_alloc();
    if (in.what == "int") throw 42;
    return {"done"};
  }
  void silent(toolhost::Call& call) const { call.text(call.cancelled() ? "cancelled" : "running"); }

 private:
  std::string views_;
};

}  // namespace sample

TH_PLUGIN(
    sample::Tools, "sample", "Sample", "1.0.0", vendor("Toolhost"),
    migrations({{1, "one", "create"}, {2, "two", "alter"}}), shared_tables("units"), config_schema("{}"),
    tool<&sample::Tools::act>("act").title("Act").description("Acts.").destructive().idempotent().timeout(1500),
    exports("titles"), reads("?tickets.titles", "*.documents"),
    job<&sample::Tools::act>("index").every(60'000).after_writes(),
    tool<&sample::Tools::silent>("silent").description("Says nothing.").read_only().non_blocking().meta(R"({"a":1})"))

namespace {

class Plugin : public testing::Test {
 protected:
  Plugin() {
    EXPECT_EQ(toolhost_plugin_v1(&fake::host_api, &host_, &definition_), TH_OK);
    EXPECT_EQ(definition_->create(&host_, &instance_), TH_OK);
  }
  ~Plugin() override { definition_->destroy(instance_); }

  th_status act(const std::string& what) {
    call_.arguments = R"({"what":")" + what + "\"}";
    return definition_->tools[0]->handle(instance_, definition_->tools[0]->user, &call_);
  }

  th_host host_;
  th_call call_;
  const th_plugin_def* definition_ = nullptr;
  void* instance_ = nullptr;
};

TEST_F(Plugin, DefinitionSaysWhatWasDeclared) {
  EXPECT_EQ(definition_->struct_size, sizeof(th_plugin_def));
  EXPECT_STREQ(definition_->id, "sample");
  EXPECT_STREQ(definition_->vendor, "Toolhost");
  EXPECT_STREQ(definition_->config_schema, "{}");
  EXPECT_STREQ(definition_->migrations[1]->name, "two");
  EXPECT_EQ(definition_->migrations[1]->version, 2u);
  EXPECT_EQ(definition_->migrations[2], nullptr);
  EXPECT_STREQ(definition_->shared_tables[0], "units");
  EXPECT_EQ(definition_->shared_tables[1], nullptr);
  const std::vector<std::string> services = {TH_SVC_CALL,      TH_SVC_DB,         "?" TH_SVC_CONFIG,
                                             "?" TH_SVC_TOKEN, "?" TH_SVC_PEOPLE, "?" TH_SVC_READS};
  for (std::size_t i = 0; i < services.size(); ++i) EXPECT_EQ(definition_->services[i], services[i]);
  EXPECT_EQ(definition_->services[services.size()], nullptr);
  EXPECT_STREQ(definition_->exports[0], "titles");
  EXPECT_EQ(definition_->exports[1], nullptr);
  EXPECT_STREQ(definition_->reads[0], "?tickets.titles");
  EXPECT_STREQ(definition_->reads[1], "*.documents");
  EXPECT_EQ(definition_->reads[2], nullptr);
}

TEST_F(Plugin, ToolsSayWhatWasDeclared) {
  const th_tool_def& act = *definition_->tools[0];
  EXPECT_STREQ(act.name, "act");
  EXPECT_STREQ(act.title, "Act");
  EXPECT_EQ(act.flags, TH_TOOL_DESTRUCTIVE | TH_TOOL_IDEMPOTENT);
  EXPECT_EQ(act.timeout_ms, 1500u);
  EXPECT_STREQ(
      act.input_schema,
      R"({"type":"object","properties":{"what":{"type":"string"}},"required":["what"],"additionalProperties":false})");
  EXPECT_NE(act.output_schema, nullptr);
  EXPECT_EQ(act.interval_ms, 0u);
  const th_tool_def& job = *definition_->tools[1];
  EXPECT_STREQ(job.name, "index");
  EXPECT_EQ(job.flags, TH_TOOL_JOB | TH_TOOL_AFTER_WRITES);
  EXPECT_EQ(job.interval_ms, 60'000u);
  const th_tool_def& silent = *definition_->tools[2];
  EXPECT_EQ(silent.flags, TH_TOOL_READ_ONLY | TH_TOOL_NONBLOCKING);
  EXPECT_STREQ(silent.meta_json, R"({"a":1})");
  EXPECT_EQ(silent.output_schema, nullptr);
  EXPECT_EQ(definition_->tools[3], nullptr);
}

TEST_F(Plugin, CardAgreesWithTheDefinition) {
  EXPECT_STREQ(toolhost_card_v1.magic, "THCARD1");
  EXPECT_EQ(toolhost_card_v1.card_size, 128u);
  EXPECT_EQ(toolhost_card_v1.abi_major, TH_ABI_MAJOR);
  EXPECT_STREQ(toolhost_card_v1.id, definition_->id);
  EXPECT_STREQ(toolhost_card_v1.version, definition_->version);
}

TEST_F(Plugin, InstanceLivesFromCreateToDestroy) {
  EXPECT_EQ(sample::instances, 1);
  void* second = nullptr;
  ASSERT_EQ(definition_->create(&host_, &second), TH_OK);
  EXPECT_EQ(sample::instances, 2);
  definition_->destroy(second);
  EXPECT_EQ(sample::instances, 1);
}

TEST_F(Plugin, ThrowingConstructorRefusesThePlugin) {
  host_.settings["/refuse"] = "yes";
  void* second = nullptr;
  EXPECT_EQ(definition_->create(&host_, &second), TH_E_INTERNAL);
  EXPECT_EQ(host_.log.back(), "refused by the constructor");
}

TEST_F(Plugin, CallTellsAboutItself) {
  host_.settings["/a"] = "set";
  EXPECT_EQ(act("describe"), TH_OK);
  EXPECT_EQ(call_.structured, R"({"result":"demo ann@example.org once Europe/Berlin 99 set 7"})");
}

TEST_F(Plugin, SeesWhoIsThereAndWhatItMayRead) {
  EXPECT_EQ(act("people"), TH_OK);
  EXPECT_EQ(call_.structured, R"({"result":"agent ann@example.org ann admin 20 3"})");
  EXPECT_EQ(act("views"), TH_OK);
  EXPECT_EQ(call_.structured, R"({"result":"tickets \"tickets\".\"titles\" tasks \"tasks\".\"titles\" "})");
}

TEST_F(Plugin, StatementsCarryTypesAndFlags) {
  EXPECT_EQ(act("write"), TH_OK);
  EXPECT_EQ(call_.structured, R"({"result":"2"})");
  ASSERT_EQ(call_.statements.size(), 2u);
  EXPECT_EQ(call_.statements[0].types, std::vector<std::uint32_t>{TH_V_NULL});
  EXPECT_EQ(call_.statements[0].flags, 0u);
  EXPECT_EQ(call_.statements[1].types, std::vector<std::uint32_t>{TH_V_TEXT});
  EXPECT_EQ(call_.statements[1].flags, TH_DB_LAST);
}

TEST_F(Plugin, RowsAreReadAndClosed) {
  call_.rows.values = {toolhost::detail::text_value(TH_V_TEXT, "a"), toolhost::detail::text_value(TH_V_TEXT, "b")};
  EXPECT_EQ(act("read"), TH_OK);
  EXPECT_EQ(call_.structured, R"({"result":"ab"})");
  EXPECT_TRUE(call_.rows.closed);
}

TEST_F(Plugin, SavepointRollsBackUnlessReleased) {
  EXPECT_EQ(act("savepoint kept"), TH_OK);
  EXPECT_EQ(call_.savepoints, (std::vector<std::int32_t>{TH_SAVEPOINT_SET, TH_SAVEPOINT_RELEASE}));
  call_.savepoints.clear();
  EXPECT_EQ(act("savepoint dropped"), TH_OK);
  EXPECT_EQ(call_.savepoints, (std::vector<std::int32_t>{TH_SAVEPOINT_SET, TH_SAVEPOINT_ROLLBACK}));
}

TEST_F(Plugin, SqlErrorCanBeCaught) {
  call_.database_status = TH_E_CONFLICT;
  EXPECT_EQ(act("conflict"), TH_OK);
  EXPECT_EQ(call_.structured, R"({"result":"23505 -3"})");
}

TEST_F(Plugin, UncaughtSqlErrorKeepsItsTextFromTheClient) {
  call_.database_status = TH_E_CONFLICT;
  EXPECT_EQ(act("statement fails"), TH_E_CONFLICT);
  EXPECT_EQ(call_.failure, TH_OK);
  EXPECT_EQ(host_.log, std::vector<std::string>{"23505 it did not work secret detail"});
}

TEST_F(Plugin, TokenOpensOnlyWhatWasSealed) {
  EXPECT_EQ(act("token"), TH_OK);
  EXPECT_EQ(call_.structured, R"({"result":"data none"})");
}

TEST_F(Plugin, ToolWithoutStructsWorks) {
  call_.cancelled = true;
  EXPECT_EQ(definition_->tools[2]->handle(instance_, nullptr, &call_), TH_OK);
  EXPECT_EQ(call_.texts, std::vector<std::string>{"cancelled"});
  EXPECT_EQ(call_.structured, "");
}

TEST_F(Plugin, FailingServiceEndsTheCall) {
  call_.text_status = TH_E_LIMIT;
  EXPECT_EQ(act("too much text"), TH_E_LIMIT);
  EXPECT_EQ(call_.failure, TH_E_LIMIT);
  EXPECT_EQ(call_.failure_message, "it did not work");
}

TEST_F(Plugin, ThrownErrorReachesTheClient) {
  EXPECT_EQ(act("error"), TH_E_NOT_FOUND);
  EXPECT_EQ(call_.failure_message, "There is no such thing.");
  EXPECT_EQ(call_.structured, "");
}

TEST_F(Plugin, RetryIsNotMadeFinalByFail) {
  EXPECT_EQ(act("retry"), TH_E_RETRY);
  EXPECT_EQ(call_.failure, TH_OK);
}

TEST_F(Plugin, ThrownSuccessIsAnInternalError) {
  EXPECT_EQ(act("success thrown"), TH_E_INTERNAL);
}

TEST_F(Plugin, NoExceptionLeavesAHandler) {
  EXPECT_EQ(act("exception"), TH_E_INTERNAL);
  EXPECT_EQ(host_.log.back(), "internal reason");
  EXPECT_EQ(act("no memory"), TH_E_INTERNAL);
  EXPECT_EQ(act("int"), TH_E_INTERNAL);
  EXPECT_EQ(host_.log.back(), "the plugin threw something that is no std::exception");
  EXPECT_EQ(call_.failure, TH_OK);
}

TEST_F(Plugin, BrokenArgumentsAreAnInternalError) {
  call_.arguments = R"({"what":)";
  EXPECT_EQ(definition_->tools[0]->handle(instance_, nullptr, &call_), TH_E_INTERNAL);
}

TEST_F(Plugin, MissingServiceIsSaid) {
  static const th_host_api bare = [] {
    th_host_api api = fake::host_api;
    api.get_service = [](th_host*, const char* id) -> const void* {
      return std::string_view(id) == TH_SVC_CALL ? &fake::call_api : nullptr;
    };
    return api;
  }();
  const th_plugin_def* definition = nullptr;
  ASSERT_EQ(toolhost_plugin_v1(&bare, &host_, &definition), TH_OK);
  EXPECT_EQ(act("write"), TH_E_UNSUPPORTED);
  EXPECT_EQ(call_.failure_message, "this host has no toolhost.db/1");
  ASSERT_EQ(toolhost_plugin_v1(&fake::host_api, &host_, &definition), TH_OK);
}

TEST(PluginId, IsCheckedWhenCompiled) {
  using toolhost::detail::is_plugin_id;
  for (const char* id : {"a", "acme_tickets", "com.acme.tickets2", "a.2"}) EXPECT_TRUE(is_plugin_id(id)) << id;
  for (const char* id : {"", "A", "1a", "_a", "a.", ".a", "a..b", "a-b", "a b", "a/b"})
    EXPECT_FALSE(is_plugin_id(id)) << id;
  EXPECT_TRUE(is_plugin_id(std::string(47, 'a')));
  EXPECT_FALSE(is_plugin_id(std::string(48, 'a')));
}

}  // namespace
