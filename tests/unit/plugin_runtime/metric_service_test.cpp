#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <thread>

#include "runner_fixture.hpp"

namespace toolhost::plugin_runtime {
namespace {

using testing::HasSubstr;

const th_metrics_api& metrics() {
  return service<th_metrics_api>(TH_SVC_METRICS);
}

/// A host of a plugin whose create() runs.
struct MetricService : testing::Test {
  std::uint32_t define(std::uint32_t kind, const char* name, std::initializer_list<const char*> labels = {}) {
    std::vector<const char*> list(labels);
    list.push_back(nullptr);
    std::uint32_t metric = 0;
    last = metrics().define(&host, kind, name, "What it counts.", list.data(), &metric);
    return metric;
  }
  th_status add(std::uint32_t metric, double value, std::vector<std::string_view> labels = {}) {
    std::vector<th_str> values;
    for (const auto label : labels) values.push_back(str(label));
    return metrics().add(&host, metric, value, values.data(), values.size());
  }
  [[nodiscard]] observability::MetricFamily only() const {
    const auto families = host.metrics().read();
    return families.size() == 1 ? families[0] : observability::MetricFamily{};
  }

  RecordedReports events;
  th_host host{"acme.desk", Secret(std::string(32, 'k')), observability::Severity::kInfo, events};
  th_status last = TH_OK;
};

TEST_F(MetricService, CountsByLabelsUnderThePluginsName) {
  const auto metric = define(TH_METRIC_COUNTER, "mails_total", {"kind", "outcome"});
  ASSERT_EQ(last, TH_OK);
  EXPECT_EQ(add(metric, 1, {"note", "sent"}), TH_OK);
  EXPECT_EQ(add(metric, 2.5, {"note", "sent"}), TH_OK);
  EXPECT_EQ(add(metric, 1, {"", "lost"}), TH_OK);
  const auto family = only();
  EXPECT_EQ(family.name, "toolhost_plugin_acme_desk_mails_total");
  EXPECT_EQ(family.help, "What it counts.");
  EXPECT_TRUE(family.is_counter);
  ASSERT_EQ(family.samples.size(), 2U);
  using Labels = std::vector<std::pair<std::string, std::string>>;
  EXPECT_EQ(family.samples[0].labels, (Labels{{"kind", "note"}, {"outcome", "sent"}}));
  EXPECT_EQ(family.samples[0].value, 3.5);
  EXPECT_EQ(family.samples[1].labels, (Labels{{"kind", ""}, {"outcome", "lost"}}));
}

TEST_F(MetricService, SetsAGaugeAndLetsItFall) {
  const auto metric = define(TH_METRIC_GAUGE, "waiting");
  EXPECT_EQ(metrics().set(&host, metric, 7, nullptr, 0), TH_OK);
  EXPECT_EQ(add(metric, -2), TH_OK);
  EXPECT_EQ(only().samples.at(0).value, 5);
}

TEST_F(MetricService, RefusesWhatPrometheusWouldNotTake) {
  const auto refused = [&](std::uint32_t kind, const char* name, std::initializer_list<const char*> labels = {}) {
    define(kind, name, labels);
    return last;
  };
  EXPECT_EQ(refused(TH_METRIC_COUNTER, "mails"), TH_E_INVALID);
  EXPECT_EQ(refused(TH_METRIC_GAUGE, "mails_total"), TH_E_INVALID);
  EXPECT_EQ(refused(TH_METRIC_GAUGE, "Mails"), TH_E_INVALID);
  EXPECT_EQ(refused(TH_METRIC_GAUGE, ""), TH_E_INVALID);
  EXPECT_EQ(refused(TH_METRIC_GAUGE, nullptr), TH_E_INVALID);
  EXPECT_EQ(refused(3, "mails"), TH_E_INVALID);
  EXPECT_EQ(refused(TH_METRIC_GAUGE, "mails", {"a", "a"}), TH_E_INVALID);
  EXPECT_EQ(refused(TH_METRIC_GAUGE, "mails", {"__name__"}), TH_E_INVALID);
  EXPECT_EQ(refused(TH_METRIC_GAUGE, "mails", {"a", "b", "c", "d", "e", "f", "g", "h", "i"}), TH_E_LIMIT);
  EXPECT_EQ(refused(TH_METRIC_GAUGE, "mails"), TH_OK);
  EXPECT_EQ(refused(TH_METRIC_GAUGE, "mails"), TH_E_CONFLICT);
  EXPECT_EQ(metrics().define(&host, TH_METRIC_GAUGE, "more", nullptr, nullptr, nullptr), TH_E_MISUSE);
  EXPECT_THAT(events.reports().at(0).detail, HasSubstr("the metric 'mails' is not defined: the name of a counter"));
  for (int i = 1; i < 64; ++i) EXPECT_EQ(refused(TH_METRIC_GAUGE, ("g" + std::to_string(i)).c_str()), TH_OK);
  EXPECT_EQ(refused(TH_METRIC_GAUGE, "one_more"), TH_E_LIMIT);
  host.end_of_create();
  EXPECT_EQ(refused(TH_METRIC_GAUGE, "late"), TH_E_MISUSE);
}

TEST_F(MetricService, RefusesValuesThatAreNone) {
  const auto metric = define(TH_METRIC_COUNTER, "mails_total", {"kind"});
  EXPECT_EQ(add(metric, -1, {"a"}), TH_E_INVALID);
  EXPECT_EQ(add(metric, std::nan(""), {"a"}), TH_E_INVALID);
  EXPECT_EQ(add(metric, std::numeric_limits<double>::infinity(), {"a"}), TH_E_INVALID);
  EXPECT_EQ(add(metric, 1), TH_E_INVALID) << "a label has no value";
  EXPECT_EQ(add(metric, 1, {"\xff"}), TH_E_INVALID);
  EXPECT_EQ(add(metric, 1, {std::string(129, 'x')}), TH_E_INVALID);
  EXPECT_EQ(add(metric, 1, {std::string_view("a\0b", 3)}), TH_E_INVALID);
  const th_str one = str("a");
  EXPECT_EQ(metrics().set(&host, metric, 1, &one, 1), TH_E_INVALID) << "a counter only grows";
  EXPECT_EQ(add(0, 1), TH_E_MISUSE);
  EXPECT_EQ(add(metric + 1, 1), TH_E_MISUSE);
  EXPECT_EQ(metrics().add(nullptr, metric, 1, nullptr, 0), TH_E_MISUSE);
  EXPECT_EQ(metrics().add(&host, metric, 1, nullptr, 1), TH_E_MISUSE);
  EXPECT_TRUE(only().samples.empty());
}

TEST_F(MetricService, CountsTooManySeriesAsOneAndSaysSoOnce) {
  const auto metric = define(TH_METRIC_COUNTER, "mails_total", {"kind"});
  for (int i = 0; i < 1'000; ++i) ASSERT_EQ(add(metric, 1, {"kind-" + std::to_string(i)}), TH_OK);
  EXPECT_EQ(add(metric, 1, {"kind-0"}), TH_OK);
  const auto family = only();
  ASSERT_EQ(family.samples.size(), 201U);
  EXPECT_EQ(family.samples[0].value, 2);
  EXPECT_EQ(family.samples.back().labels.at(0).second, "(other)");
  EXPECT_EQ(family.samples.back().value, 800);
  EXPECT_EQ(events.count("metric-series"), 1U);
}

TEST_F(MetricService, LosesNothingUnderManyThreads) {
  const auto metric = define(TH_METRIC_COUNTER, "mails_total", {"kind"});
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 5'000; ++i) add(metric, 1, {"kind-" + std::to_string(i % 300)});
    });
  for (auto& thread : threads) thread.join();
  double sum = 0;
  for (const auto& sample : only().samples) sum += sample.value;
  EXPECT_EQ(sum, 40'000);
  EXPECT_EQ(events.count("metric-series"), 1U);
}

}  // namespace
}  // namespace toolhost::plugin_runtime
