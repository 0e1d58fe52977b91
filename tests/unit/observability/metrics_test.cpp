#include "observability/metrics.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <charconv>
#include <map>
#include <set>
#include <thread>

namespace toolhost::observability {
namespace {

/// A scrape, read strictly: `name{label="value",...} number` under the HELP and TYPE of its family.
class Scrape {
 public:
  explicit Scrape(const std::string& text) {
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = text.find('\n', at);
      EXPECT_NE(end, text.npos) << "the last line has no end";
      if (end == text.npos) return;
      read(text.substr(at, end - at));
      at = end + 1;
    }
  }
  [[nodiscard]] double value(const std::string& series) const {
    const auto found = values_.find(series);
    return found == values_.end() ? -1 : found->second;
  }
  /// Of all series that begin so.
  [[nodiscard]] double sum(const std::string& beginning) const {
    double sum = 0;
    for (const auto& [series, number] : values_) sum += series.starts_with(beginning) ? number : 0;
    return sum;
  }
  [[nodiscard]] std::size_t count(const std::string& beginning) const {
    std::size_t count = 0;
    for (const auto& [series, number] : values_) count += series.starts_with(beginning) ? 1 : 0;
    return count;
  }

 private:
  void read(const std::string& line) {
    if (line.starts_with("# TYPE ")) {
      const auto space = line.find(' ', 7);
      EXPECT_TRUE(types_.emplace(line.substr(7, space - 7), line.substr(space + 1)).second) << line;
      return;
    }
    if (line.starts_with("#")) {
      EXPECT_TRUE(line.starts_with("# HELP ")) << line;
      return;
    }
    const auto space = line.rfind(' ');
    const std::string series = line.substr(0, space);
    const std::string number = line.substr(space + 1);
    double value = 0;
    if (number != "+Inf") {
      const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
      EXPECT_TRUE(error == std::errc() && end == number.data() + number.size()) << line;
    }
    EXPECT_TRUE(values_.emplace(series, value).second) << "twice: " << series;
    std::string family = series.substr(0, series.find('{'));
    for (const char* end : {"_bucket", "_sum", "_count"}) {
      const std::string_view suffix(end);
      if (!types_.contains(family) && family.ends_with(suffix)) family.resize(family.size() - suffix.size());
    }
    EXPECT_TRUE(types_.contains(family)) << "of no family: " << line;
  }

  std::map<std::string, std::string> types_;
  std::map<std::string, double> values_;
};

Caller caller(std::string tenant, int key = 1) {
  return {.tenant = std::move(tenant),
          .time_zone = "UTC",
          .key_id = KeyId{key},
          .key_prefix = "hdsk_" + std::to_string(100'000 + key),
          .principal = "ann@example.com"};
}

ToolCalled call(const Caller& who, std::string_view tool, std::string_view outcome, std::string_view reason = {}) {
  return {.caller = who,
          .tool = tool,
          .plugin = "tickets",
          .request_id = "c-1",
          .outcome = outcome,
          .duration = std::chrono::microseconds(1500),
          .reason = reason};
}

TEST(Metrics, CountsCallsByTenantToolPluginAndOutcome) {
  const auto metrics = Metrics::create("1.2.3");
  const Caller acme = caller("acme"), beta = caller("beta");
  for (int i = 0; i < 3; ++i) metrics->emit(call(acme, "create_ticket", "ok"));
  metrics->emit(call(acme, "create_ticket", "timeout"));
  metrics->emit(call(beta, "get_ticket", "ok"));
  const Scrape scrape(metrics->text());
  const std::string calls = "toolhost_tool_calls_total";
  EXPECT_EQ(scrape.value(calls + R"({tenant="acme",tool="create_ticket",plugin="tickets",outcome="ok"})"), 3);
  EXPECT_EQ(scrape.value(calls + R"({tenant="acme",tool="create_ticket",plugin="tickets",outcome="timeout"})"), 1);
  EXPECT_EQ(scrape.value(calls + R"({tenant="beta",tool="get_ticket",plugin="tickets",outcome="ok"})"), 1);
  EXPECT_EQ(scrape.sum(calls), 5);
  EXPECT_EQ(scrape.value(R"(toolhost_build_info{version="1.2.3"})"), 1);
}

TEST(Metrics, TellsHowLongCallsTookThatReachedTheirTool) {
  const auto metrics = Metrics::create("1");
  const Caller acme = caller("acme");
  for (int i = 0; i < 10; ++i) metrics->emit(call(acme, "create_ticket", "ok"));
  auto slow = call(acme, "create_ticket", "timeout");
  slow.duration = std::chrono::seconds(40);
  metrics->emit(slow);
  metrics->emit(call(acme, "create_ticket", "limit", "key_rate"));
  metrics->emit(call(acme, "create_ticket", "denied", "role"));
  const Scrape scrape(metrics->text());
  const std::string bucket = R"(toolhost_call_duration_seconds_bucket{tool="create_ticket",plugin="tickets",le=")";
  EXPECT_EQ(scrape.value(bucket + "0.001\"}"), 0);
  EXPECT_EQ(scrape.value(bucket + "0.0025\"}"), 10);
  EXPECT_EQ(scrape.value(bucket + "30\"}"), 10);
  EXPECT_EQ(scrape.value(bucket + "+Inf\"}"), 11);
  EXPECT_EQ(scrape.value(R"(toolhost_call_duration_seconds_count{tool="create_ticket",plugin="tickets"})"), 11);
  EXPECT_NEAR(scrape.value(R"(toolhost_call_duration_seconds_sum{tool="create_ticket",plugin="tickets"})"), 40.015,
              1e-6);
  EXPECT_EQ(scrape.value(R"(toolhost_tenant_call_duration_seconds_count{tenant="acme"})"), 11);
}

TEST(Metrics, TellsWhyCallsWereRefused) {
  const auto metrics = Metrics::create("1");
  const Caller acme = caller("acme");
  metrics->emit(call(acme, "delete_task", "denied", "tool"));
  metrics->emit(call(acme, "create_ticket", "limit", "key_rate"));
  metrics->emit(call(acme, "create_ticket", "limit", "key_rate"));
  metrics->emit(call(acme, "create_ticket", "ok"));
  const Scrape scrape(metrics->text());
  const std::string refusals = "toolhost_refusals_total";
  EXPECT_EQ(scrape.value(refusals + R"({tenant="acme",tool="delete_task",plugin="tickets",reason="tool"})"), 1);
  EXPECT_EQ(scrape.value(refusals + R"({tenant="acme",tool="create_ticket",plugin="tickets",reason="key_rate"})"), 2);
  EXPECT_EQ(scrape.count(refusals), 2U);
}

TEST(Metrics, NeverMakesLabelsOfWhatClientsSend) {
  const auto metrics = Metrics::create("1");
  const Caller acme = caller("acme");
  for (int i = 0; i < 5000; ++i) {
    const std::string made_up = "tool\"}\n" + std::to_string(i);
    auto event = call(acme, made_up, "unknown_tool");
    event.plugin = {};
    metrics->emit(event);
    metrics->emit(RequestRefused{.reason = "Because " + std::to_string(i), .remote = "192.0.2.1", .detail = made_up});
    metrics->emit(
        PluginReported{.incident = PluginIncident::kMisbehaved, .plugin = "tickets", .rule = made_up, .detail = "d"});
  }
  const Scrape scrape(metrics->text());
  EXPECT_EQ(scrape.value(R"(toolhost_refusals_total{tenant="acme",tool="unknown",reason="unknown_tool"})"), 5000);
  EXPECT_EQ(scrape.value(R"(toolhost_requests_refused_total{reason="other"})"), 5000);
  EXPECT_EQ(scrape.value(R"(toolhost_plugin_incidents_total{plugin="tickets",incident="misbehaved",rule="other"})"),
            5000);
}

TEST(Metrics, HasABoundForEveryFamily) {
  const auto metrics = Metrics::create("1");
  constexpr int kTenants = 15'000;
  for (int i = 0; i < kTenants; ++i) {
    const Caller who = caller("t" + std::to_string(i));
    metrics->emit(call(who, "create_ticket", "ok"));
    const std::string word = "reason-" + std::to_string(i);
    metrics->emit(RequestRefused{.reason = word, .remote = "192.0.2.1", .detail = {}});
  }
  const Scrape scrape(metrics->text());
  EXPECT_LE(scrape.count("toolhost_tool_calls_total"), 10'001U);
  EXPECT_EQ(scrape.sum("toolhost_tool_calls_total"), kTenants);
  const std::string other = R"x({tenant="(other)",tool="create_ticket",plugin="tickets",outcome="ok"})x";
  EXPECT_EQ(scrape.value("toolhost_tool_calls_total" + other), kTenants - 10'000);
  EXPECT_LE(scrape.count("toolhost_tenant_call_duration_seconds_count"), 2'001U);
  EXPECT_EQ(scrape.sum("toolhost_tenant_call_duration_seconds_count"), kTenants);
  EXPECT_LE(scrape.count("toolhost_requests_refused_total"), 1'001U);
  EXPECT_EQ(scrape.sum("toolhost_requests_refused_total"), kTenants);
}

TEST(Metrics, BeyondABoundOnlyTheTenantIsAnother) {
  const auto metrics = Metrics::create("1");
  for (int i = 0; i < 1'000; ++i) {
    const Caller who = caller("t" + std::to_string(i));
    metrics->emit(RequestRefused{.reason = "key_expired", .remote = "::1", .detail = {}, .caller = &who});
    metrics->emit(
        KeyChanged{.change = KeyChange::kDeleted, .tenant = who.tenant, .key_prefix = who.key_prefix, .name = "x"});
    const std::string plugin = "p" + std::to_string(i);
    metrics->emit(PluginReported{
        .incident = PluginIncident::kMisbehaved, .plugin = plugin, .rule = "output-schema", .detail = "d"});
  }
  const Scrape scrape(metrics->text());
  EXPECT_EQ(scrape.value(R"x(toolhost_requests_refused_total{reason="key_expired",tenant="(other)"})x"), 500);
  EXPECT_EQ(scrape.value(R"x(toolhost_key_changes_total{change="deleted",tenant="(other)"})x"), 500);
  EXPECT_EQ(
      scrape.value(R"x(toolhost_plugin_incidents_total{plugin="(other)",incident="misbehaved",rule="output-schema"})x"),
      500);
}

TEST(Metrics, BeyondTwiceTheBoundOfCallsTheToolIsAnotherToo) {
  const auto metrics = Metrics::create("1");
  const Caller acme = caller("acme");
  constexpr int kTools = 21'000;
  for (int i = 0; i < kTools; ++i) metrics->emit(call(acme, "tool-" + std::to_string(i), "denied", "role"));
  const Scrape scrape(metrics->text());
  const std::string other =
      R"x(toolhost_tool_calls_total{tenant="(other)",tool="(other)",plugin="tickets",outcome="denied"})x";
  EXPECT_EQ(scrape.value(other), kTools - 20'000);
  const std::string refusals =
      R"x(toolhost_refusals_total{tenant="(other)",tool="(other)",plugin="tickets",reason="role"})x";
  EXPECT_EQ(scrape.value(refusals), kTools - 20'000);
}

TEST(Metrics, LosesNoCallOfManyThreads) {
  const auto metrics = Metrics::create("1");
  constexpr int kThreads = 8, kCalls = 20'000;
  std::atomic<bool> is_done{false};
  std::thread reader([&] {
    while (!is_done) {
      EXPECT_FALSE(metrics->text().empty());
      EXPECT_LE(metrics->recent().tenants.size(), 4U);
    }
  });
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      const Caller who = caller("t" + std::to_string(thread % 4), thread);
      for (int i = 0; i < kCalls; ++i)
        metrics->emit(call(who, i % 2 == 0 ? "create_ticket" : "get_ticket", i % 10 == 0 ? "tool_error" : "ok"));
    });
  }
  for (auto& thread : threads) thread.join();
  is_done = true;
  reader.join();
  const Scrape scrape(metrics->text());
  EXPECT_EQ(scrape.sum("toolhost_tool_calls_total"), kThreads * kCalls);
  EXPECT_EQ(scrape.sum("toolhost_call_duration_seconds_count"), kThreads * kCalls);
  const auto recent = metrics->recent();
  std::uint64_t calls = 0, errors = 0;
  for (const auto& key : recent.keys) calls += key.calls, errors += key.errors;
  EXPECT_EQ(calls, kThreads * kCalls);
  EXPECT_EQ(errors, kThreads * kCalls / 10);
}

TEST(Metrics, KnowsWhoIsBusyLately) {
  const auto metrics = Metrics::create("1");
  const Caller acme = caller("acme", 1), beta = caller("beta", 2);
  for (int i = 0; i < 10; ++i) metrics->emit(call(acme, "create_ticket", "ok"));
  for (int i = 0; i < 30; ++i) metrics->emit(call(beta, "get_ticket", "ok"));
  metrics->emit(call(acme, "create_ticket", "internal"));
  metrics->emit(call(acme, "create_ticket", "limit", "key_rate"));
  const auto recent = metrics->recent();
  EXPECT_LT(recent.span, std::chrono::seconds(60));
  ASSERT_EQ(recent.tenants.size(), 2U);
  EXPECT_EQ(recent.tenants[0].name, "beta");
  EXPECT_EQ(recent.tenants[1].calls, 12U);
  EXPECT_EQ(recent.tenants[1].errors, 1U);
  EXPECT_EQ(recent.tenants[1].refusals, 1U);
  EXPECT_GT(recent.tenants[1].p95, std::chrono::microseconds(1000));
  EXPECT_LE(recent.tenants[1].p95, std::chrono::microseconds(2500));
  ASSERT_EQ(recent.tools.size(), 2U);
  EXPECT_EQ(recent.tools[0].name, "get_ticket");
  EXPECT_EQ(recent.tools[0].detail, "tickets");
  ASSERT_EQ(recent.keys.size(), 2U);
  EXPECT_EQ(recent.keys[0].name, "hdsk_100002");
  EXPECT_EQ(recent.keys[0].detail, "beta");
  EXPECT_EQ(recent.keys[0].time, std::chrono::microseconds(30 * 1500));
}

TEST(Metrics, KnowsTheBusiestKeysOfMany) {
  const auto metrics = Metrics::create("1");
  const Caller busy = caller("acme", 7);
  for (int i = 0; i < 5000; ++i) {
    metrics->emit(call(caller("acme", 1000 + i), "create_ticket", "ok"));
    metrics->emit(call(busy, "create_ticket", "ok"));
  }
  const auto keys = metrics->recent().keys;
  EXPECT_EQ(keys.size(), 1000U);
  EXPECT_EQ(keys.front().name, busy.key_prefix);
  EXPECT_EQ(keys.front().calls, 5000U);
}

TEST(Metrics, TellsWhetherReloadsSucceed) {
  const auto metrics = Metrics::create("1");
  const auto reload = [&](bool applied, std::uint64_t generation, std::string_view trigger) {
    metrics->emit(ConfigurationReloaded{
        .applied = applied, .generation = generation, .file = "t.yaml", .trigger = trigger, .summary = "..."});
  };
  reload(true, 1, "start");
  reload(true, 2, "file");
  const double first = Scrape(metrics->text()).value("toolhost_configuration_last_success_timestamp_seconds");
  EXPECT_GT(first, 1.7e9);
  EXPECT_EQ(Scrape(metrics->text()).value("toolhost_configuration_last_reload_successful"), 1);
  reload(false, 2, "file");
  const Scrape scrape(metrics->text());
  EXPECT_EQ(scrape.value(R"(toolhost_reloads_total{result="refused",trigger="file"})"), 1);
  EXPECT_EQ(scrape.value(R"(toolhost_reloads_total{result="applied",trigger="file"})"), 1);
  EXPECT_EQ(scrape.value("toolhost_configuration_generation"), 2);
  EXPECT_EQ(scrape.value("toolhost_configuration_last_reload_successful"), 0);
  EXPECT_EQ(scrape.value("toolhost_configuration_last_success_timestamp_seconds"), first);
}

TEST(Metrics, CountsKeysIncidentsAndNotices) {
  const auto metrics = Metrics::create("1");
  const Caller acme = caller("acme");
  metrics->emit(
      RequestRefused{.reason = "key_expired", .remote = "192.0.2.1", .detail = "the key expired", .caller = &acme});
  metrics->emit(
      KeyChanged{.change = KeyChange::kExpired, .tenant = "acme", .key_prefix = "hdsk_abcdef", .name = "laptop"});
  metrics->emit(
      PluginReported{.incident = PluginIncident::kLostWorker, .plugin = "slow", .rule = "overstay", .detail = "d"});
  metrics->emit(PluginReported{.incident = PluginIncident::kLog, .plugin = "slow", .rule = "error", .detail = "d"});
  metrics->emit(HostNotice{.severity = Severity::kError, .component = "database", .message = "lost"});
  metrics->emit(PersonSignedIn{.email = "ana@acme.example", .remote = "192.0.2.1"});
  const std::string text = metrics->text();
  const Scrape scrape(text);
  EXPECT_EQ(scrape.value(R"(toolhost_requests_refused_total{reason="key_expired",tenant="acme"})"), 1);
  EXPECT_EQ(scrape.value(R"(toolhost_key_changes_total{change="expired",tenant="acme"})"), 1);
  EXPECT_EQ(scrape.value(R"(toolhost_plugin_incidents_total{plugin="slow",incident="lost_worker",rule="overstay"})"),
            1);
  EXPECT_EQ(scrape.value(R"(toolhost_notices_total{severity="error",component="plugins"})"), 1);
  EXPECT_EQ(scrape.value(R"(toolhost_notices_total{severity="error",component="database"})"), 1);
  EXPECT_EQ(scrape.value("toolhost_sign_ins_total"), 1);
  EXPECT_EQ(text.find("hdsk_"), text.npos);
  EXPECT_EQ(text.find("ana@"), text.npos);
}

TEST(Metrics, ReadsFamiliesThatComeAndGoButNoneTwice) {
  const auto metrics = Metrics::create("1");
  metrics->add({"toolhost_plugin_queued_calls", "Calls that wait.", false,
                [] { return std::vector<MetricSample>{{.labels = {}, .value = 3}}; }});
  std::vector<MetricFamily> families;
  metrics->add_families([&] { return families; });
  EXPECT_EQ(metrics->text().find("toolhost_plugin_desk"), std::string::npos);
  families = {
      {"toolhost_plugin_desk_mails_total", "Mails.", true, {{.labels = {{"kind", "note"}}, .value = 2}}},
      {"toolhost_plugin_queued_calls", "A plugin with the id queued.", false, {{.labels = {}, .value = 9}}},
  };
  const std::string text = metrics->text();
  const Scrape scrape(text);
  EXPECT_EQ(scrape.value(R"(toolhost_plugin_desk_mails_total{kind="note"})"), 2);
  EXPECT_NE(text.find("# TYPE toolhost_plugin_desk_mails_total counter"), text.npos);
  EXPECT_EQ(scrape.value("toolhost_plugin_queued_calls"), 3);
}

TEST(Metrics, ReadsValuesThatStandElsewhere) {
  const auto metrics = Metrics::create("1");
  metrics->add({"toolhost_plugin_queued_calls", "Calls that wait.", false, [] {
                  return std::vector<MetricSample>{{.labels = {{"plugin", "a\"b"}}, .value = 3},
                                                   {.labels = {{"plugin", "c"}}, .value = 0.5}};
                }});
  const Scrape scrape(metrics->text());
  EXPECT_EQ(scrape.value(R"(toolhost_plugin_queued_calls{plugin="a\"b"})"), 3);
  EXPECT_EQ(scrape.value(R"(toolhost_plugin_queued_calls{plugin="c"})"), 0.5);
  EXPECT_GT(scrape.value("process_resident_memory_bytes"), 1e6);
  EXPECT_GE(scrape.value("process_open_fds"), 3);
  EXPECT_GT(scrape.value("process_start_time_seconds"), 1.7e9);
}

}  // namespace
}  // namespace toolhost::observability
