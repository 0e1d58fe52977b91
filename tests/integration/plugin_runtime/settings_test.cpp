#include <gmock/gmock.h>
#include <malloc.h>

#include <atomic>
#include <thread>

#include "host_fixture.hpp"

namespace toolhost::plugin_runtime {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

/// jobs.so has a setting, "source", and a job that tells it.
class Settings : public PluginHostTest {
 protected:
  storage::DatabaseAddress address() override { return test_support::TempPostgres::shared().address(); }
  void SetUp() override {
    auto& postgres = test_support::TempPostgres::shared();
    postgres.fresh_database();
    acme = postgres.add_tenant("acme");
    globex = postgres.add_tenant("globex");
    start({test_plugin("jobs"), test_plugin("echo")},
          [](PluginHostConfig& config) { config.plugins[0].settings_json = R"({"source":"everybody's"})"; });
    for (const auto& info : host->plugins()) ASSERT_EQ(info.state, "serving") << info.reason;
  }
  void set(const std::string& of_acme) {
    host->set_tenant_settings({{"jobs", {{caller_of(acme)->tenant, R"({"source":")" + of_acme + "\"}"}}}});
  }
  std::string told(TenantId tenant) {
    const auto answer = host->run_job("jobs", "import", caller_of(tenant), R"({"rows":[]})");
    return answer ? *answer : answer.error().message;
  }
  static std::string telling(const std::string& source) { return R"({"accepted":0,"setting":")" + source + "\"}"; }

  TenantId acme{}, globex{};
};

TEST_F(Settings, AreCheckedWithoutChangingAnything) {
  EXPECT_THAT(host->check_settings("jobs", R"({"source":"x"})"), IsEmpty());
  EXPECT_THAT(host->check_settings("jobs", ""), IsEmpty());
  const auto wrong = host->check_settings("jobs", R"({"source":7,"sorce":"x"})");
  ASSERT_EQ(wrong.size(), 2U);
  const auto places = wrong[0].pointer + " " + wrong[1].pointer;
  EXPECT_THAT(places, HasSubstr("/source"));
  EXPECT_EQ(host->check_settings("jobs", "{").size(), 1U);
  EXPECT_EQ(host->check_settings("jobs", "[]").size(), 1U);
  EXPECT_THAT(host->check_settings("echo", "{}"), IsEmpty());
  EXPECT_THAT(host->check_settings("echo", R"({"a":1})").at(0).message, HasSubstr("takes no settings"));
  EXPECT_THAT(host->check_settings("nobody", R"({"a":1})"), IsEmpty());
  EXPECT_EQ(told(acme), telling("everybody's"));
}

TEST_F(Settings, OfATenantChangeForLaterCalls) {
  set("one");
  EXPECT_EQ(told(acme), telling("one"));
  EXPECT_EQ(told(globex), telling("everybody's"));
  set("two");
  EXPECT_EQ(told(acme), telling("two"));
  host->set_tenant_settings({});
  EXPECT_EQ(told(acme), telling("everybody's"));
}

TEST_F(Settings, AreOneOrTheOtherWhileTheyChangeUnderLoad) {
  set("one");
  std::atomic<bool> done{false};
  std::atomic<int> wrong{0}, calls{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 3; ++i) {
    clients.emplace_back([&] {
      while (!done) {
        const auto seen = told(acme);
        wrong += seen != telling("one") && seen != telling("two");
        wrong += told(globex) != telling("everybody's");
        ++calls;
      }
    });
  }
  const auto swap = [&](int times) {
    for (int i = 0; i < times; ++i) set(i % 2 == 0 ? "two" : "one");
    return mallinfo2().uordblks;
  };
  const auto before = swap(1'000);
  const auto after = swap(10'000);
  while (calls < 50) std::this_thread::yield();
  done = true;
  for (auto& client : clients) client.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_LT(after, before + (4U << 20)) << "memory is flat";
}

}  // namespace
}  // namespace toolhost::plugin_runtime
