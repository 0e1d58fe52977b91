#include "access/grant.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "access/policy.hpp"

namespace toolhost::access {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

constexpr Grant::Clock::time_point kStart{1000s};
constexpr ToolFacts kCreate{.name = "create_ticket", .plugin = "tickets"};
constexpr ToolFacts kFind{.name = "find_tickets", .plugin = "tickets", .read_only = true};

SourcePlace at(int line) {
  return {"acme.yaml", line};
}

CallLimits rate(double per_second, std::uint32_t burst, int line = 1) {
  return {.rate = RateLimit{per_second, burst, at(line)}, .concurrent_off = true};
}
CallLimits concurrent(std::uint32_t calls, int line = 1) {
  return {.concurrent = ConcurrencyLimit{calls, at(line)}, .rate_off = true};
}
constexpr CallLimits kOff{.rate_off = true, .concurrent_off = true};

/// Grants of one host through its reloads.
class GrantTest : public testing::Test {
 protected:
  /// The grant of a key under these limits.
  std::shared_ptr<const Grant> grant(const LimitsConfig& limits, std::int64_t key = 17, std::string tenant = "acme",
                                     Grant::Clock::time_point now = kStart) {
    PolicyConfig config{built_in_defaults(), {}};
    config.tenants[tenant].limits = limits;
    const auto policy = Policy::compile(std::move(config));
    return make_grant(policy->rights(tenant, Role::kAgent, {}), policy->limits(tenant), {tenant, KeyId{key}}, meters_,
                      now);
  }

  /// How many of `calls` that end at once are let through.
  static int admitted(const Grant& grant, const ToolFacts& tool, int calls, Grant::Clock::time_point now = kStart) {
    int count = 0;
    for (int i = 0; i < calls; ++i) {
      Admission admission;
      count += !grant.admit(tool, now, admission);
    }
    return count;
  }

  std::shared_ptr<MeterTable> meters_ = std::make_shared<MeterTable>();
};

TEST_F(GrantTest, LetsABurstThroughAndThenTheRate) {
  const auto key = grant({.tenant = kOff, .key = rate(2, 5)});
  EXPECT_EQ(admitted(*key, kCreate, 8), 5);
  EXPECT_EQ(admitted(*key, kCreate, 8, kStart + 499ms), 0);
  EXPECT_EQ(admitted(*key, kCreate, 8, kStart + 500ms), 1);
  EXPECT_EQ(admitted(*key, kCreate, 8, kStart + 2s), 3);
  EXPECT_EQ(admitted(*key, kCreate, 100, kStart + 1h), 5) << "no more than the burst is saved up";
}

TEST_F(GrantTest, SaysWhatToWaitForAndWhichLineSaysSo) {
  const auto key = grant({.tenant = kOff, .key = rate(0.5, 5, 12)});
  admitted(*key, kCreate, 5);
  Admission admission;
  const auto refused = key->admit(kCreate, kStart + 100ms, admission);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->decision.reason, Reason::kKeyRate);
  EXPECT_EQ(refused->decision.place, at(12));
  EXPECT_EQ(refused->decision.message,
            "Too many calls: this key may make 30 a minute (burst 5). Wait 2 s, then try again.");
  EXPECT_EQ(refused->retry_after, 1900ms);
}

TEST_F(GrantTest, SaysRatesInTheUnitThatFits) {
  const auto message = [&](double per_second, std::uint32_t burst) {
    meters_ = std::make_shared<MeterTable>();
    const auto key = grant({.tenant = kOff, .key = rate(per_second, burst)});
    admitted(*key, kCreate, static_cast<int>(burst));
    Admission admission;
    return key->admit(kCreate, kStart, admission)->decision.message;
  };
  EXPECT_THAT(message(50, 100), HasSubstr("50 a second (burst 100). Wait 1 s"));
  EXPECT_THAT(message(90.0 / 60, 1), HasSubstr("90 a minute. Wait 1 s"));
  EXPECT_THAT(message(10.0 / 3600, 1), HasSubstr("10 an hour. Wait 6 min"));
  EXPECT_THAT(message(0.1 / 3600, 1), HasSubstr("0.10 an hour. Wait 10 h"));
}

TEST_F(GrantTest, LetsSoManyRunAtATime) {
  const auto key = grant({.tenant = kOff, .key = concurrent(2, 7)});
  Admission first, second, third;
  EXPECT_FALSE(key->admit(kCreate, kStart, first));
  EXPECT_FALSE(key->admit(kFind, kStart, second));
  const auto refused = key->admit(kCreate, kStart, third);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->decision.reason, Reason::kKeyConcurrency);
  EXPECT_EQ(refused->decision.place, at(7));
  EXPECT_EQ(refused->decision.message,
            "Too many calls at once: this key may run 2 at a time. Wait until one of them has ended, then try again.");
  EXPECT_EQ(refused->retry_after, 1s);
  Admission moved = std::move(first);
  EXPECT_TRUE(key->admit(kCreate, kStart, third)) << "a place that moved is still taken";
  moved.release();
  EXPECT_FALSE(key->admit(kCreate, kStart, third));
}

TEST_F(GrantTest, GivesAPlaceBackWhenTheGrantIsGone) {
  auto key = grant({.tenant = kOff, .key = concurrent(1)});
  auto admission = std::make_unique<Admission>();
  EXPECT_FALSE(key->admit(kCreate, kStart, *admission));
  key = grant({.tenant = kOff, .key = concurrent(1)});
  Admission other;
  EXPECT_TRUE(key->admit(kCreate, kStart, other));
  admission.reset();
  EXPECT_FALSE(key->admit(kCreate, kStart, other));
}

TEST_F(GrantTest, SharesTheLimitOfATenantAmongItsKeys) {
  const LimitsConfig limits{.tenant = rate(1, 3, 4), .key = kOff};
  const auto one = grant(limits, 1), two = grant(limits, 2), elsewhere = grant(limits, 3, "other");
  EXPECT_EQ(admitted(*one, kCreate, 2), 2);
  EXPECT_EQ(admitted(*two, kCreate, 2), 1);
  Admission admission;
  const auto refused = one->admit(kCreate, kStart, admission);
  EXPECT_EQ(refused->decision.reason, Reason::kTenantRate);
  EXPECT_THAT(refused->decision.message,
              HasSubstr("all keys of the tenant acme together may make 1 a second (burst 3)"));
  EXPECT_EQ(admitted(*elsewhere, kCreate, 5), 3);
}

TEST_F(GrantTest, LimitsEachToolByItself) {
  LimitsConfig limits{.tenant = kOff, .key = kOff};
  limits.tools = {{.tools = {{"*_ticket*", {}}}, .per_key = true, .limits = rate(1, 2, 21)},
                  {.tools = {{"create_*", {}}}, .per_key = false, .limits = concurrent(1, 22)}};
  const auto one = grant(limits, 1), two = grant(limits, 2);
  EXPECT_EQ(admitted(*one, kCreate, 5), 2);
  EXPECT_EQ(admitted(*one, kFind, 5), 2);
  EXPECT_EQ(admitted(*two, kFind, 5), 2);
  EXPECT_EQ(admitted(*one, {.name = "search", .plugin = "search"}, 5), 5);
  Admission running, refused_call;
  EXPECT_FALSE(two->admit(kCreate, kStart, running));
  const auto over_rate = one->admit(kCreate, kStart, refused_call);
  EXPECT_EQ(over_rate->decision.reason, Reason::kToolRate);
  EXPECT_EQ(over_rate->decision.place, at(21));
  EXPECT_THAT(over_rate->decision.message, HasSubstr("Too many calls of create_ticket: this key may make 1 a second"));
  const auto over_concurrency = two->admit(kCreate, kStart, refused_call);
  EXPECT_EQ(over_concurrency->decision.reason, Reason::kToolConcurrency);
  EXPECT_EQ(over_concurrency->decision.place, at(22));
}

TEST_F(GrantTest, TakesFromEveryLimitOrFromNone) {
  LimitsConfig limits{.tenant = rate(0.001, 10), .key = rate(0.001, 10)};
  limits.tools = {{.tools = {{"create_*", {}}}, .per_key = false, .limits = concurrent(1)}};
  const auto key = grant(limits), other = grant(limits, 18);
  Admission running;
  EXPECT_FALSE(key->admit(kCreate, kStart, running));
  EXPECT_EQ(admitted(*key, kCreate, 100), 0);
  running.release();
  EXPECT_EQ(admitted(*key, kFind, 100), 9) << "refused calls took nothing from the key";
  EXPECT_EQ(admitted(*other, kFind, 100), 0) << "nine and one of ten went to the first key";
}

TEST_F(GrantTest, NeverLetsMoreThroughThanTheLimitWhenManyAskAtOnce) {
  LimitsConfig limits{.tenant = rate(1e-6, 500), .key = rate(1e-6, 400)};
  limits.tools = {{.tools = {{"*", {}}}, .per_key = true, .limits = concurrent(2)}};
  const auto key = grant(limits);
  std::atomic<int> count{0}, running{0}, most{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int calls = 0; calls < 2000; ++calls) {
        Admission admission;
        if (key->admit(kCreate, kStart, admission)) continue;
        ++count;
        most = std::max(most.load(), ++running);
        --running;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_LE(most, 2);
  EXPECT_EQ(count, 400);
  EXPECT_EQ(admitted(*grant(limits, 18), kFind, 200), 100) << "what the key was refused, the tenant still has";
}

TEST_F(GrantTest, ForgivesNothingWhenTheLimitsAreRead) {
  LimitsConfig limits{.tenant = kOff, .key = rate(1, 10)};
  limits.tools = {{.tools = {{"create_*", {}}}, .per_key = true, .limits = rate(1, 2)}};
  auto key = grant(limits);
  EXPECT_EQ(admitted(*key, kCreate, 5), 2);
  key.reset();
  limits.tools.insert(limits.tools.begin(), {.tools = {{"search", {}}}, .per_key = true, .limits = rate(1, 1)});
  key = grant(limits);
  EXPECT_EQ(admitted(*key, kCreate, 5), 0);
  EXPECT_EQ(admitted(*key, kFind, 20), 8);
  limits.key = rate(1, 3);
  EXPECT_EQ(admitted(*grant(limits), kFind, 20, kStart + 1s), 1)
      << "a smaller burst keeps nobody waiting for the larger";
}

TEST_F(GrantTest, KeepsCallsThatWereUsedWhenTheRateChanges) {
  const auto used_at = [&](double per_second, std::uint32_t burst, int calls) {
    meters_ = std::make_shared<MeterTable>();
    auto key = grant({.tenant = kOff, .key = rate(per_second, burst)});
    EXPECT_EQ(admitted(*key, kCreate, calls), calls);
    return key;
  };
  const auto left_at = [&](double per_second, std::uint32_t burst, Grant::Clock::duration later = 0s) {
    return admitted(*grant({.tenant = kOff, .key = rate(per_second, burst)}), kCreate, 6000, kStart + later);
  };
  constexpr double kHour = 1.0 / 3600;
  used_at(kHour, 10, 5);
  EXPECT_EQ(left_at(10, 1000), 995);
  used_at(50, 5000, 2500);
  EXPECT_EQ(left_at(1000 * kHour, 5000), 2500);
  used_at(50, 5000, 2500);
  EXPECT_EQ(left_at(1000 * kHour, 1000, 1h), 1000)
      << "no more is used than the smaller burst, and that fills in an hour";
  used_at(kHour, 10, 5);
  EXPECT_EQ(left_at(10, 1000, 500ms), 1000) << "it fills at the new rate though nobody has called";
}

TEST_F(GrantTest, CountsCallsUnderTheOldAndTheNewRateTogether) {
  const auto before = grant({.tenant = kOff, .key = rate(1.0 / 3600, 10)});
  const auto after = grant({.tenant = kOff, .key = rate(10, 100)});
  EXPECT_EQ(admitted(*before, kCreate, 3), 3);
  EXPECT_EQ(admitted(*after, kCreate, 50), 50);
  EXPECT_EQ(admitted(*before, kCreate, 3), 0) << "53 are used";
  EXPECT_EQ(admitted(*after, kCreate, 100), 47);
}

TEST_F(GrantTest, NeverLetsMoreThroughThanTheLimitWhileRatesChange) {
  std::atomic<int> count{0};
  std::atomic<bool> done{false};
  LimitsConfig slow{.tenant = kOff, .key = rate(1e-6, 500)}, faster{.tenant = kOff, .key = rate(2e-6, 500)};
  std::thread reloads([&] {
    while (!done) {
      grant(slow);
      grant(faster);
    }
  });
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i) {
    callers.emplace_back([&, key = grant(i % 2 == 0 ? slow : faster)] { count += admitted(*key, kCreate, 2000); });
  }
  for (auto& caller : callers) caller.join();
  done = true;
  reloads.join();
  EXPECT_EQ(count, 500);
}

TEST_F(GrantTest, LooksWithoutTaking) {
  LimitsConfig limits{.tenant = concurrent(4, 3), .key = rate(1, 2, 5)};
  limits.tools = {{.tools = {{"create_*", {}}}, .per_key = true, .limits = rate(1, 1, 9)}};
  const auto key = grant(limits);
  Trace trace;
  EXPECT_TRUE(key->look(kCreate, kStart, trace).allowed());
  ASSERT_EQ(trace.size(), 3U);
  EXPECT_EQ(trace[0].what, "limits of the tenant");
  EXPECT_EQ(trace[0].text, "all keys of the tenant acme together may run 4 at a time: 0 run");
  EXPECT_EQ(trace[1].text, "this key may make 1 a second (burst 2): 2 left");
  EXPECT_EQ(trace[2].place, at(9));
  admitted(*key, kCreate, 1);
  trace.clear();
  const auto decision = key->look(kCreate, kStart, trace);
  EXPECT_EQ(decision.reason, Reason::kToolRate);
  EXPECT_EQ(decision.place, at(9));
  EXPECT_FALSE(trace[2].passed);
  trace.clear();
  EXPECT_TRUE(grant({.tenant = kOff, .key = kOff})->look(kFind, kStart, trace).allowed());
  EXPECT_EQ(trace.at(0).text, "none applies to find_tickets");
}

TEST(MeterTable, ForgetsMetersThatAreAtRest) {
  MeterTable table;
  const Meter::Rate slow(RateLimit{0.01, 1, {}});
  const auto held = table.meter("held", kStart);
  table.meter("used", kStart)->take(slow, kStart);
  for (int i = 0; i < 5000; ++i) table.meter("key/" + std::to_string(i), kStart);
  EXPECT_LT(table.size(), 1100U);
  EXPECT_EQ(table.meter("held", kStart), held);
  EXPECT_GT(table.meter("used", kStart)->wait_for(slow, kStart), 0s);
}

}  // namespace
}  // namespace toolhost::access
