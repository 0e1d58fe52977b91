#include "observability/metrics_text.hpp"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <string_view>

namespace toolhost::observability {

struct FamilyWriter::Families {
  std::vector<prometheus::MetricFamily> list;
};

namespace {

prometheus::ClientMetric& add_metric(prometheus::MetricFamily& family, const LabelList& labels) {
  auto& metric = family.metric.emplace_back();
  for (const auto& [name, value] : labels) {
    if (!value.empty()) metric.label.push_back({name, value});
  }
  return metric;
}

}  // namespace

FamilyWriter::FamilyWriter() : families_(std::make_unique<Families>()) {}
FamilyWriter::~FamilyWriter() = default;

bool FamilyWriter::has(std::string_view name) const noexcept {
  return std::any_of(families_->list.begin(), families_->list.end(),
                     [&](const auto& family) { return family.name == name; });
}

void FamilyWriter::begin(const FamilyHead& head) {
  auto& family = families_->list.emplace_back();
  family.name = head.name;
  family.help = head.help;
  family.type = head.type == MetricType::kCounter ? prometheus::MetricType::Counter : prometheus::MetricType::Gauge;
}

void FamilyWriter::value(const LabelList& labels, double value) {
  auto& family = families_->list.back();
  auto& metric = add_metric(family, labels);
  (family.type == prometheus::MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
}

void FamilyWriter::begin_histogram(const char* name, const char* help) {
  auto& family = families_->list.emplace_back();
  family.name = name;
  family.help = help;
  family.type = prometheus::MetricType::Histogram;
}

void FamilyWriter::histogram(const LabelList& labels, const TimeHistogram& times) {
  auto& histogram = add_metric(families_->list.back(), labels).histogram;
  const auto counts = times.counts();
  histogram.sample_sum = static_cast<double>(times.sum_us()) / 1e6;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    histogram.sample_count += counts[i];
    const double bound =
        i < kTimeBounds.size() ? static_cast<double>(kTimeBounds[i]) / 1e6 : std::numeric_limits<double>::infinity();
    histogram.bucket.push_back({.cumulative_count = histogram.sample_count, .upper_bound = bound});
  }
}

std::string FamilyWriter::take_text() {
  std::vector<prometheus::MetricFamily> full;
  for (auto& family : families_->list) {
    if (!family.metric.empty()) full.push_back(std::move(family));
  }
  return prometheus::TextSerializer().prometheus::Serializer::Serialize(full);
}

void write_calls(FamilyWriter& out, const CallCounts& counts) {
  using Labels = std::array<std::string, 4>;  // tenant, tool, plugin, outcome or reason
  std::map<Labels, std::uint64_t> calls, refusals;
  counts.calls().for_each([&](const auto& series) {
    const auto& labels = series.labels;
    const std::uint64_t number = series.value.cells.total(CallCounts::kCalls);
    const Labels common{labels[CallCounts::kTenant], labels[CallCounts::kTool], labels[CallCounts::kPlugin],
                        labels[CallCounts::kOutcome]};
    calls[common] += number;
    if (series.value.kind != CallKind::kRefusal) return;
    Labels refused = common;
    refused[3] = labels[CallCounts::kReason];
    refusals[refused] += number;
  });
  const auto write = [&](const char* name, const char* help, const char* last, const auto& numbers) {
    out.begin({name, help, MetricType::kCounter});
    for (const auto& [labels, number] : numbers) {
      out.value({{"tenant", labels[0]}, {"tool", labels[1]}, {"plugin", labels[2]}, {last, labels[3]}},
                static_cast<double>(number));
    }
  };
  write("toolhost_tool_calls_total", "Tool calls that have ended, in whatever way.", "outcome", calls);
  write("toolhost_refusals_total", "Tool calls refused by rights or limits, and calls of tools that do not exist.",
        "reason", refusals);

  out.begin_histogram(
      "toolhost_call_duration_seconds",
      "From the arrival of a call to its result, waiting included; calls that came as far as their tool.");
  counts.tool_times().for_each([&](const auto& series) {
    out.histogram({{"tool", series.labels[0]}, {"plugin", series.labels[1]}}, series.value);
  });
  out.begin_histogram("toolhost_tenant_call_duration_seconds", "The same times, by tenant.");
  counts.tenant_times().for_each(
      [&](const auto& series) { out.histogram({{"tenant", series.labels[0]}}, series.value); });
}

}  // namespace toolhost::observability
