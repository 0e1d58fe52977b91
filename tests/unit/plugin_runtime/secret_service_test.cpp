#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "runner_fixture.hpp"

namespace toolhost::plugin_runtime {
namespace {

using testing::HasSubstr;
using testing::Not;

const th_secrets_api& secrets() {
  return service<th_secrets_api>(TH_SVC_SECRETS);
}

PluginSecrets granted() {
  PluginSecrets::Map map;
  map["smtp"] = std::make_shared<const Secret>(std::string("hunter2"));
  map["smtp_long"] = std::make_shared<const Secret>(std::string("hunter2-and-more"));
  return PluginSecrets(std::move(map));
}

TEST(PluginSecrets, AreReplacedWhereverTheyStand) {
  const auto secrets = granted();
  EXPECT_EQ(secrets.redacted("a hunter2, hunter2-and-more, hunter"), "a [secret smtp], [secret smtp_long], hunter");
  EXPECT_EQ(secrets.redacted(""), "");
  EXPECT_EQ(PluginSecrets().redacted("hunter2"), "hunter2");
}

TEST(PluginSecrets, AreNotCutInHalfByALimit) {
  const auto secrets = granted();
  const std::string text = std::string(8, 'x') + "hunter2" + std::string(8, 'y');
  for (std::size_t limit = 0; limit < text.size(); ++limit)
    EXPECT_THAT(secrets.redacted(text, limit), Not(HasSubstr("h"))) << limit;
}

TEST(SecretService, GivesWhatIsGrantedUntilTheHandlerReturns) {
  RunnerFixture fixture;
  fixture.host.set_secrets(granted());
  th_call* left = nullptr;
  const auto result = fixture.run([&](th_call* call) {
    th_str secret{};
    EXPECT_EQ(secrets().get(call, str("smtp"), &secret), TH_OK);
    EXPECT_EQ(text_of(secret), "hunter2");
    EXPECT_EQ(secrets().get(call, str("smt"), &secret), TH_E_DENIED);
    EXPECT_EQ(secrets().get(call, {nullptr, 0}, &secret), TH_E_DENIED);
    EXPECT_EQ(secrets().get(call, str("smtp"), nullptr), TH_E_MISUSE);
    EXPECT_FALSE(call->secrets.empty());
    left = call;
    return TH_OK;
  });
  EXPECT_FALSE(result.is_error);
  EXPECT_TRUE(left->secrets.empty()) << "wiped with its handler";
  th_str secret{};
  EXPECT_EQ(secrets().get(left, str("smtp"), &secret), TH_E_MISUSE);
  EXPECT_EQ(secrets().get(nullptr, str("smtp"), &secret), TH_E_MISUSE);
}

TEST(SecretService, KeepsThemOutOfTheLogAndOfFailures) {
  RunnerFixture fixture;
  fixture.host.set_secrets(granted());
  const auto denied = fixture.run([&](th_call* call) {
    const th_str pair[] = {str("password"), str("hunter2")};
    host_api().log(&fixture.host, call, TH_LOG_WARN, str("login with hunter2"), pair, 1);
    return calls().fail(call, TH_E_DENIED, str("hunter2 was refused"));
  });
  EXPECT_THAT(denied.content_json, HasSubstr("[secret smtp] was refused"));
  const auto internal =
      fixture.run([](th_call* call) { return calls().fail(call, TH_E_INTERNAL, str("hunter2 was refused")); });
  EXPECT_THAT(internal.detail, HasSubstr("[secret smtp] was refused"));
  const auto thrown = fixture.run([](th_call*) -> th_status { throw std::runtime_error("bad hunter2"); });
  EXPECT_THAT(thrown.detail, HasSubstr("bad [secret smtp]"));
  ASSERT_TRUE(fixture.events.wait_for("exception-escaped"));
  EXPECT_EQ(fixture.events.count("warning"), 1U);
  for (const auto& report : fixture.events.reports()) EXPECT_THAT(report.detail, Not(HasSubstr("hunter2")));
}

}  // namespace
}  // namespace toolhost::plugin_runtime
