#include "plugin_runtime/host_services.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstring>
#include <set>
#include <thread>

#include "runner_fixture.hpp"

namespace toolhost::plugin_runtime {
namespace {

using testing::HasSubstr;

/// Runs `body` as a handler of a tool that takes any arguments.
ToolResult with_call(std::string_view arguments, RunnerFixture::Handler body, ToolRunner::Config config = {}) {
  RunnerFixture fixture(std::move(config));
  fixture.tool.input_schema = *JsonSchema::compile(R"({"type":"object"})");
  return fixture.run(std::move(body), arguments);
}

TEST(HostServices, OffersTheServicesOfThisMinor) {
  for (const char* id :
       {TH_SVC_CALL, TH_SVC_ARGS, TH_SVC_JSON, TH_SVC_DB, TH_SVC_CONFIG, TH_SVC_TOKEN, TH_SVC_PEOPLE, TH_SVC_READS})
    EXPECT_NE(find_service(id), nullptr) << id;
  EXPECT_EQ(find_service("toolhost.db/2"), nullptr);
  EXPECT_EQ(host_api().get_service(nullptr, nullptr), nullptr);
  EXPECT_EQ(host_api().get_service(nullptr, TH_SVC_DB), find_service(TH_SVC_DB));
}

TEST(HostServices, OffersAPluginNoMoreThanAHostOfAnOlderMinorHas) {
  for (const char* id : {TH_SVC_CLIENT, TH_SVC_CATALOG, TH_SVC_PROMPT, TH_SVC_COMPLETE}) {
    EXPECT_NE(find_service(id), nullptr) << id;
    EXPECT_EQ(find_service(id, 0), nullptr) << id;
  }
  EXPECT_EQ(host_api(0).abi_minor, 0U);
  const auto& first = *static_cast<const th_call_api*>(find_service(TH_SVC_CALL, 0));
  EXPECT_EQ(first.struct_size, offsetof(th_call_api, content));
  EXPECT_EQ(first.cancelled, calls().cancelled);
  EXPECT_EQ(first.content, nullptr) << "who does not ask TH_HAS() meets NULL";
  EXPECT_FALSE(TH_HAS(&first, progress));
}

TEST(HostServices, WithholdsWhatItIsToldTo) {
  RunnerFixture fixture;
  fixture.host.set_offer({.withheld = {TH_SVC_PEOPLE}});
  EXPECT_EQ(host_api().get_service(&fixture.host, TH_SVC_PEOPLE), nullptr);
  EXPECT_EQ(host_api().get_service(&fixture.host, TH_SVC_DB), find_service(TH_SVC_DB));
  fixture.host.set_offer({.abi_minor = 0});
  EXPECT_EQ(host_api().get_service(&fixture.host, TH_SVC_CLIENT), nullptr);
}

TEST(HostServices, MakesSortedVersion7Uuids) {
  std::string before;
  for (int i = 0; i < 10'000; ++i) {
    const auto id = host_api().new_uuid(nullptr);
    ASSERT_EQ(id.b[6] >> 4, 7);
    ASSERT_EQ(id.b[8] >> 6, 2);
    std::string text(reinterpret_cast<const char*>(id.b), 16);
    ASSERT_LT(before, text);
    before = std::move(text);
  }
  const auto id = host_api().new_uuid(nullptr);
  std::uint64_t ms = 0;
  for (int i = 0; i < 6; ++i) ms = ms << 8 | id.b[i];
  EXPECT_NEAR(static_cast<double>(ms), static_cast<double>(host_api().now_us(nullptr)) / 1000, 1000);
}

TEST(HostServices, TimeAndIdsMayComeFromATest) {
  const SteppedTime::Moment start{std::chrono::sys_days{std::chrono::year(2026) / 3 / 1}};
  const auto start_us = start.time_since_epoch().count();
  RunnerFixture fixture({});
  const auto time = std::make_shared<SteppedTime>(start, 1);
  fixture.host.set_time(time);
  EXPECT_EQ(host_api().now_us(&fixture.host), start_us);
  const auto id = host_api().new_uuid(&fixture.host);
  time->set(start, 1);
  EXPECT_EQ(std::memcmp(host_api().new_uuid(&fixture.host).b, id.b, sizeof(id.b)), 0);
  fixture.tool.input_schema = *JsonSchema::compile(R"({"type":"object"})");
  fixture.run(
      [&](th_call* call) {
        th_call_info info{};
        info.struct_size = sizeof(info);
        EXPECT_EQ(calls().info(call, &info), TH_OK);
        EXPECT_GT(info.deadline_us, start_us);
        EXPECT_LE(info.deadline_us, start_us + std::chrono::microseconds(fixture.tool.timeout).count());
        return TH_OK;
      },
      "{}");
}

TEST(CallService, TellsWhoCalls) {
  with_call("{}", [](th_call* call) {
    th_call_info info{};
    info.struct_size = sizeof(info);
    EXPECT_EQ(calls().info(call, &info), TH_OK);
    EXPECT_EQ(text_of(info.tenant), "demo");
    EXPECT_EQ(text_of(info.principal), "ada@example.com");
    EXPECT_EQ(text_of(info.key_prefix), "hdsk_abcdef");
    EXPECT_EQ(text_of(info.request_id), "request-1");
    EXPECT_EQ(text_of(info.tool), "work");
    EXPECT_EQ(text_of(info.time_zone), "Europe/Berlin");
    EXPECT_EQ(text_of(info.role), "agent") << "unless somebody said otherwise";
    EXPECT_EQ(info.attempt, 0U);
    EXPECT_GT(info.deadline_us, host_api().now_us(nullptr));
    return TH_OK;
  });
}

TEST(CallService, FillsOnlyWhatAnOlderPluginKnows) {
  with_call("{}", [](th_call* call) {
    th_call_info info;
    std::memset(&info, 0x55, sizeof(info));
    info.struct_size = offsetof(th_call_info, principal);
    EXPECT_EQ(calls().info(call, &info), TH_OK);
    EXPECT_EQ(text_of(info.tenant), "demo");
    EXPECT_EQ(info.principal.len, 0x5555555555555555U) << "bytes behind struct_size belong to the plugin";
    info.struct_size = 0;
    EXPECT_EQ(calls().info(call, &info), TH_E_MISUSE);
    return TH_OK;
  });
}

TEST(CallService, BuildsContentFromTextBlocks) {
  const auto result = with_call("{}", [](th_call* call) {
    EXPECT_EQ(calls().text(call, str("one \"quoted\"")), TH_OK);
    EXPECT_EQ(calls().text(call, str("\xff")), TH_E_INVALID);
    EXPECT_EQ(calls().text(call, str("two")), TH_OK);
    return TH_OK;
  });
  EXPECT_EQ(result.outcome, Outcome::kOk);
  EXPECT_FALSE(result.is_error);
  EXPECT_EQ(result.content_json, R"([{"type":"text","text":"one \"quoted\""},{"type":"text","text":"two"}])");
  EXPECT_EQ(result.structured_json, "");
}

TEST(CallService, SendsStructuredContentAsTextToo) {
  const auto result = with_call("{}", [](th_call* call) { return calls().structured(call, str("{ \"a\" :\n 1.5 }")); });
  EXPECT_EQ(result.structured_json, R"({"a":1.5})") << "without line breaks, which would end a line of an event stream";
  EXPECT_EQ(result.content_json, R"([{"type":"text","text":"{\"a\":1.5}"}])");
}

TEST(CallService, TakesOneStructuredContentThatIsAnObject) {
  with_call("{}", [](th_call* call) {
    EXPECT_EQ(calls().structured(call, str("[1]")), TH_E_INVALID);
    EXPECT_EQ(calls().structured(call, str("{\"a\":")), TH_E_INVALID);
    EXPECT_EQ(calls().structured(call, str("{}")), TH_OK);
    EXPECT_EQ(calls().structured(call, str("{}")), TH_E_MISUSE);
    EXPECT_EQ(json_out().begin_object(call), TH_E_MISUSE);
    th_error error{};
    error.struct_size = sizeof(error);
    EXPECT_EQ(calls().last_error(call, &error), TH_OK);
    EXPECT_EQ(error.status, TH_E_MISUSE);
    EXPECT_THAT(text_of(error.message), HasSubstr("given whole already"));
    return TH_OK;
  });
}

TEST(CallService, KeepsTheResultWithinItsLimit) {
  const std::string block(400, 'x');
  const auto result = with_call("{}",
                                [&](th_call* call) {
                                  EXPECT_EQ(calls().text(call, str(block)), TH_OK);
                                  EXPECT_EQ(calls().text(call, str(block)), TH_OK);
                                  EXPECT_EQ(calls().text(call, str(block)), TH_E_LIMIT);
                                  EXPECT_EQ(calls().structured(call, str("{\"a\":\"" + block + "\"}")), TH_E_LIMIT);
                                  EXPECT_EQ(json_out().begin_object(call), TH_OK);
                                  EXPECT_EQ(json_out().key(call, str("k")), TH_OK);
                                  EXPECT_EQ(json_out().str(call, str(block)), TH_E_LIMIT);
                                  EXPECT_EQ(json_out().null(call), TH_OK);
                                  return json_out().end(call);
                                },
                                {.max_result_bytes = 1000});
  EXPECT_EQ(result.outcome, Outcome::kOk);
  EXPECT_LE(result.content_json.size() + result.structured_json.size(), 1001U);
}

TEST(ArgsService, ReadsByPointerWithoutConverting) {
  with_call(
      R"({"s":"text","i":-3,"whole":3.0,"big":18446744073709551615,"d":0.5,"b":true,"n":null,"a":[1,{"x":2}],"o":{"a/b":1,"m~n":2}})",
      [](th_call* call) {
        const auto kind = [&](std::string_view pointer) { return args().kind(call, str(pointer)); };
        EXPECT_EQ(kind(""), TH_J_OBJECT);
        EXPECT_EQ(kind("/s"), TH_J_STRING);
        EXPECT_EQ(kind("/i"), TH_J_INT);
        EXPECT_EQ(kind("/whole"), TH_J_INT) << "JSON Schema counts it as an integer";
        EXPECT_EQ(kind("/big"), TH_J_NUMBER);
        EXPECT_EQ(kind("/d"), TH_J_NUMBER);
        EXPECT_EQ(kind("/b"), TH_J_BOOL);
        EXPECT_EQ(kind("/n"), TH_J_NULL);
        EXPECT_EQ(kind("/a/1/x"), TH_J_INT);
        EXPECT_EQ(kind("/o/a~1b"), TH_J_INT);
        EXPECT_EQ(kind("/o/m~0n"), TH_J_INT);
        for (const auto* pointer : {"/none", "/a/7", "/a/x", "s", "/s/x", "/o/m~2n"})
          EXPECT_EQ(kind(pointer), TH_J_ABSENT) << pointer;

        th_str text{};
        EXPECT_EQ(args().str(call, str("/s"), &text), TH_OK);
        EXPECT_EQ(text_of(text), "text");
        EXPECT_EQ(args().str(call, str("/i"), &text), TH_E_INVALID);
        EXPECT_EQ(args().str(call, str("/none"), &text), TH_E_NOT_FOUND);
        EXPECT_EQ(text_of(text), "text") << "left alone on failure";
        int64_t integer = 0;
        EXPECT_EQ(args().i64(call, str("/i"), &integer), TH_OK);
        EXPECT_EQ(integer, -3);
        EXPECT_EQ(args().i64(call, str("/whole"), &integer), TH_OK);
        EXPECT_EQ(integer, 3);
        EXPECT_EQ(args().i64(call, str("/big"), &integer), TH_E_INVALID);
        EXPECT_EQ(args().i64(call, str("/d"), &integer), TH_E_INVALID);
        double number = 0;
        EXPECT_EQ(args().f64(call, str("/i"), &number), TH_OK);
        EXPECT_EQ(number, -3);
        EXPECT_EQ(args().f64(call, str("/s"), &number), TH_E_INVALID);
        int32_t flag = 0;
        EXPECT_EQ(args().boolean(call, str("/b"), &flag), TH_OK);
        EXPECT_EQ(flag, 1);
        size_t size = 0;
        EXPECT_EQ(args().size(call, str("/a"), &size), TH_OK);
        EXPECT_EQ(size, 2U);
        EXPECT_EQ(args().size(call, str("/s"), &size), TH_E_INVALID);
        EXPECT_EQ(args().key(call, str("/o"), 1, &text), TH_OK);
        EXPECT_EQ(text_of(text), "m~n");
        EXPECT_EQ(args().key(call, str("/o"), 2, &text), TH_E_NOT_FOUND);
        return TH_OK;
      });
}

TEST(ArgsService, GivesTheArgumentsAsText) {
  with_call(R"({ "a" : [1, 2] })", [](th_call* call) {
    EXPECT_EQ(text_of(calls().args_json(call)), R"({"a":[1,2]})");
    return TH_OK;
  });
}

TEST(ConfigService, ReadsSettings) {
  RunnerFixture fixture;
  ASSERT_TRUE(fixture.host.set_settings(R"({"url":"https://example.com","limits":{"pages":7}})"));
  auto* host = &fixture.host;
  th_str text{};
  int64_t number = 0;
  EXPECT_EQ(config().str(host, nullptr, str("/url"), &text), TH_OK);
  EXPECT_EQ(text_of(text), "https://example.com");
  EXPECT_EQ(config().i64(host, nullptr, str("/limits/pages"), &number), TH_OK);
  EXPECT_EQ(number, 7);
  EXPECT_EQ(config().json(host, nullptr, str("/limits"), &text), TH_OK);
  EXPECT_EQ(text_of(text), R"({"pages":7})");
  EXPECT_EQ(config().str(host, nullptr, str("/limits"), &text), TH_E_INVALID);
  EXPECT_EQ(config().str(host, nullptr, str("/none"), &text), TH_E_NOT_FOUND);
  EXPECT_FALSE(fixture.host.set_settings("[]"));
}

TEST(ConfigService, GivesACallTheSettingsOfItsTenant) {
  RunnerFixture fixture;
  ASSERT_TRUE(fixture.host.set_settings(R"({"url":"https://example.com","limits":{"pages":7}})"));
  ASSERT_TRUE(fixture.host.set_tenant_settings({{"demo", R"({"limits":{"pages":9}})"}}));
  auto* host = &fixture.host;
  fixture.run([host](th_call* call) {
    th_str text{};
    EXPECT_EQ(config().json(host, call, str("/limits"), &text), TH_OK);
    EXPECT_EQ(text_of(text), R"({"pages":9})");
    EXPECT_EQ(config().str(host, call, str("/url"), &text), TH_E_NOT_FOUND) << "they are given whole";
    EXPECT_EQ(config().json(host, nullptr, str("/limits"), &text), TH_OK);
    EXPECT_EQ(text_of(text), R"({"pages":7})");
    return TH_OK;
  });
}

/// What a call of the tenant "demo" reads as /n.
int64_t setting_of(RunnerFixture& fixture) {
  int64_t number = 0;
  fixture.run([&](th_call* call) {
    EXPECT_EQ(config().i64(&fixture.host, call, str("/n"), &number), TH_OK);
    return TH_OK;
  });
  return number;
}

TEST(ConfigService, ChangesWhatLaterCallsSeeOfATenantsSettings) {
  RunnerFixture fixture;
  ASSERT_TRUE(fixture.host.set_settings(R"({"n":1})"));
  EXPECT_EQ(setting_of(fixture), 1);
  ASSERT_TRUE(fixture.host.set_tenant_settings({{"demo", R"({"n":2})"}, {"other", R"({"n":3})"}}));
  EXPECT_EQ(setting_of(fixture), 2);
  fixture.binding.runs_inline = true;
  EXPECT_EQ(setting_of(fixture), 2);
  EXPECT_FALSE(fixture.host.set_tenant_settings({{"demo", "[]"}}));
  EXPECT_EQ(setting_of(fixture), 2) << "what is wrong changes nothing";
  ASSERT_TRUE(fixture.host.set_tenant_settings({{"other", R"({"n":3})"}}));
  EXPECT_EQ(setting_of(fixture), 1) << "the plugin's own again";
  ASSERT_TRUE(fixture.host.set_tenant_settings({}));
  EXPECT_EQ(setting_of(fixture), 1);
}

TEST(ConfigService, KeepsForARunningCallWhatItBeganWith) {
  RunnerFixture fixture;
  ASSERT_TRUE(fixture.host.set_tenant_settings({{"demo", R"({"text":"before","n":1})"}}));
  int attempts = 0;
  fixture.run([&](th_call* call) {
    th_str text{};
    int64_t number = 0;
    EXPECT_EQ(config().str(&fixture.host, call, str("/text"), &text), TH_OK);
    EXPECT_TRUE(fixture.host.set_tenant_settings({{"demo", R"({"text":"after","n":2})"}}));
    EXPECT_TRUE(fixture.host.set_tenant_settings({}));
    EXPECT_EQ(text_of(text), "before");
    EXPECT_EQ(config().i64(&fixture.host, call, str("/n"), &number), TH_OK);
    EXPECT_EQ(number, 1);
    return ++attempts == 1 ? TH_E_RETRY : TH_OK;
  });
  EXPECT_EQ(attempts, 2);
}

TEST(ReadsService, ListsTheViews) {
  RunnerFixture fixture;
  const auto& reads = service<th_reads_api>(TH_SVC_READS);
  th_str plugin{}, name{};
  EXPECT_EQ(reads.view(&fixture.host, 0, &plugin, &name), TH_E_NOT_FOUND);
  fixture.host.set_readable_views({{"tickets", "\"tickets\".\"titles\""}});
  EXPECT_EQ(reads.view(&fixture.host, 0, &plugin, &name), TH_OK);
  EXPECT_EQ(text_of(plugin) + " " + text_of(name), "tickets \"tickets\".\"titles\"");
  EXPECT_EQ(reads.view(&fixture.host, 1, &plugin, &name), TH_E_NOT_FOUND);
  EXPECT_EQ(reads.view(&fixture.host, 0, nullptr, &name), TH_E_MISUSE);
}

TEST(TokenService, OpensItsOwnTokensOnly) {
  with_call("{}", [](th_call* call) {
    th_str token{}, data{};
    EXPECT_EQ(tokens().seal(call, str("page=2"), &token), TH_OK);
    EXPECT_EQ(tokens().open(call, token, &data), TH_OK);
    EXPECT_EQ(text_of(data), "page=2");
    EXPECT_EQ(tokens().open(call, str("forged"), &data), TH_E_INVALID);
    EXPECT_EQ(tokens().seal(call, str(std::string(TH_TOKEN_MAX_DATA + 1, 'x')), &token), TH_E_LIMIT);
    return TH_OK;
  });
}

TEST(CallObject, AnswersMisuseOnAnotherThread) {
  with_call("{}", [](th_call* call) {
    std::thread([call] {
      th_call_info info{};
      info.struct_size = sizeof(info);
      EXPECT_EQ(calls().info(call, &info), TH_E_MISUSE);
      EXPECT_EQ(calls().text(call, str("x")), TH_E_MISUSE);
      EXPECT_EQ(calls().fail(call, TH_E_INVALID, str("x")), TH_E_MISUSE);
      EXPECT_EQ(args().kind(call, str("")), TH_J_ABSENT);
      EXPECT_EQ(calls().args_json(call).ptr, nullptr);
      EXPECT_EQ(db().exec(call, str("select 1"), nullptr, 0, 0, nullptr), TH_E_MISUSE);
      EXPECT_EQ(calls().cancelled(call), 0) << "any thread may ask";
    }).join();
    return TH_OK;
  });
}

TEST(CallObject, AnswersMisuseAfterItsHandlerReturned) {
  RunnerFixture fixture;
  th_call* kept = nullptr;
  fixture.run([&](th_call* call) {
    kept = call;
    return TH_OK;
  });
  EXPECT_EQ(calls().text(kept, str("x")), TH_E_MISUSE);
  EXPECT_EQ(calls().cancelled(kept), 0);
  EXPECT_EQ(calls().text(nullptr, str("x")), TH_E_MISUSE);
}

TEST(LogService, ReportsRecordsWithTheirCallAndDropsAFlood) {
  RunnerFixture fixture;
  fixture.run([&](th_call* call) {
    const th_str pairs[] = {str("ticket"), str("T-1")};
    host_api().log(&fixture.host, call, TH_LOG_WARN, str("slow \xff"), pairs, 1);
    host_api().log(&fixture.host, call, TH_LOG_DEBUG, str("hidden"), nullptr, 0);
    return TH_OK;
  });
  const auto reports = fixture.events.reports();
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_EQ(reports[0].incident, observability::PluginIncident::kLog);
  EXPECT_EQ(reports[0].rule, "warning");
  EXPECT_EQ(reports[0].detail, "slow ? ticket=T-1 tool=work request=request-1 tenant=demo");
  EXPECT_EQ(host_api().log_enabled(&fixture.host, TH_LOG_DEBUG), 0);
  EXPECT_EQ(host_api().log_enabled(&fixture.host, TH_LOG_INFO), 1);

  for (int i = 0; i < 10'000; ++i) host_api().log(&fixture.host, nullptr, TH_LOG_INFO, str("again"), nullptr, 0);
  EXPECT_LT(fixture.events.count("info"), 3'000U);
}

TEST(DatabaseService, IsClosedToAToolThatNeverBlocks) {
  RunnerFixture fixture;
  fixture.tool.non_blocking = true;
  fixture.run([](th_call* call) {
    EXPECT_EQ(db().exec(call, str("select 1"), nullptr, 0, 0, nullptr), TH_E_MISUSE);
    th_rows* rows = nullptr;
    EXPECT_EQ(db().query(call, str("select 1"), nullptr, 0, 0, &rows), TH_E_MISUSE);
    EXPECT_EQ(db().savepoint(call, TH_SAVEPOINT_SET), TH_E_MISUSE);
    EXPECT_EQ(db().columns(nullptr), 0U);
    return TH_OK;
  });
}

TEST(CommitOutcome, IsUnknownOnlyWhenItsAnswerMayBeLost) {
  EXPECT_TRUE(leaves_outcome_unknown(Errc::kUnavailable, ""));
  EXPECT_TRUE(leaves_outcome_unknown(Errc::kUnavailable, "57P01"));
  EXPECT_TRUE(leaves_outcome_unknown(Errc::kUnavailable, "08006"));
  EXPECT_FALSE(leaves_outcome_unknown(Errc::kUnavailable, "08001")) << "no connection could be made";
  EXPECT_FALSE(leaves_outcome_unknown(Errc::kUnavailable, "53300"));
  EXPECT_FALSE(leaves_outcome_unknown(Errc::kTimeout, "57014"));
  EXPECT_FALSE(leaves_outcome_unknown(Errc::kConflict, "23505"));
}

}  // namespace
}  // namespace toolhost::plugin_runtime
