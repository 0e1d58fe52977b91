#pragma once
#include <atomic>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <toolhost/plugin.h>

#include "base/result.hpp"
#include "observability/metrics.hpp"
#include "observability/series_table.hpp"

namespace toolhost::plugin_runtime {

/// What one plugin instance counts. define() on one thread at a time; the rest on any, without a lock but for series
/// that are new.
class PluginMetrics {
 public:
  static constexpr std::size_t kMaxNameBytes = 64, kMaxLabelBytes = 128;

  explicit PluginMetrics(std::string_view plugin_id);

  /// `kind`: TH_METRIC_*. The number of the metric, from 1. kInvalidArgument, kConflict (defined before) or kLimit,
  /// with the reason.
  Result<std::uint32_t> define(std::uint32_t kind, std::string_view name, std::string_view help,
                               const std::vector<std::string>& labels);

  enum class Change { kAdd, kSet };
  enum class Changed { kYes, kYesFirstOther, kInvalid, kUnknown };
  /// kYesFirstOther: for the first time in the metric's life there were too many series, and it went to "(other)".
  Changed change(std::uint32_t metric, Change how, double value, std::span<const std::string_view> label_values);

  /// With their full names.
  [[nodiscard]] std::vector<observability::MetricFamily> read() const;
  /// Of a metric that there is.
  [[nodiscard]] const std::string& name_of(std::uint32_t metric) const noexcept { return metrics_[metric - 1].name; }

 private:
  using Table = observability::SeriesTable<1, std::atomic<double>>;
  struct Metric {
    std::string name, help;
    bool is_counter = false;
    std::vector<std::string> labels;
    std::string other;  // the key of the series for all that is too much
    std::atomic<bool> has_other{false};
    Table series{64};  // by the values of the labels, with NUL between them
  };

  const std::string prefix_;
  std::atomic<std::size_t> defined_{0};
  std::deque<Metric> metrics_;  // never moved; those below defined_ may be read
};

}  // namespace toolhost::plugin_runtime
