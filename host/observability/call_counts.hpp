#pragma once
#include <array>
#include <chrono>
#include <cstdint>
#include <string>

#include "observability/recent_keys.hpp"
#include "observability/series_table.hpp"

namespace toolhost::observability {

/// Upper bounds of the histograms of calls, in microseconds; above the last there is one more bucket.
inline constexpr std::array<std::uint64_t, 17> kTimeBounds{
    100,     250,     500,     1'000,     2'500,     5'000,     10'000,     25'000,    50'000,
    100'000, 250'000, 500'000, 1'000'000, 2'500'000, 5'000'000, 10'000'000, 30'000'000};

/// How long calls took.
class TimeHistogram {
 public:
  using Counts = std::array<std::uint64_t, kTimeBounds.size() + 1>;

  void add(std::chrono::microseconds time) noexcept;
  [[nodiscard]] Counts counts() const noexcept;
  [[nodiscard]] std::uint64_t sum_us() const noexcept { return cells_.total(kTimeBounds.size() + 1); }

 private:
  StripedCounters<kTimeBounds.size() + 2> cells_;  // the last is the sum
};

/// The time that `share` of the calls stayed under, taken in its bucket as if calls were spread evenly.
std::chrono::microseconds quantile(const TimeHistogram::Counts& counts, double share) noexcept;

/// What stands in a label where a bound was reached; no name can look like this.
inline constexpr std::string_view kOtherName = "(other)";

/// The series with these labels. When there are `limit` series already it is one for all values of the label `open`
/// together; should the others have more than some hundred values too, one for everything. `prepare(value, labels)` is
/// called for a new one.
template <class Table, class Prepare>
typename Table::Series& find_or_add_within(Table& table, typename Table::Labels labels, std::size_t open,
                                           std::size_t limit, Prepare prepare) {
  constexpr std::size_t kMostOthers = 500;
  const auto with_labels = [&](auto& value) { prepare(value, labels); };
  if (auto* series = table.find_or_add(labels, limit, with_labels)) return *series;
  labels[open] = kOtherName;
  if (auto* series = table.find_or_add(labels, limit + kMostOthers, with_labels)) return *series;
  labels.fill(kOtherName);
  return *table.find_or_add(labels, limit + kMostOthers + 1, with_labels);
}

/// Counts ToolCalled: by tenant, tool, plugin, outcome and reason; times by tool and by tenant.
class CallCounts {
 public:
  struct Call {
    StripedCounters<2> cells;  // calls, microseconds
    CallKind kind = CallKind::kOk;
    TimeHistogram* tool_times = nullptr;  // null: the call did not come as far as its tool
    TimeHistogram* tenant_times = nullptr;
  };
  static constexpr std::size_t kCalls = 0, kMicroseconds = 1;
  enum CallLabel { kTenant, kTool, kPlugin, kOutcome, kReason };
  using Calls = SeriesTable<5, Call>;
  using ToolTimes = SeriesTable<2, TimeHistogram>;    // tool, plugin
  using TenantTimes = SeriesTable<1, TimeHistogram>;  // tenant

  /// What kind of call it was, for those who count further.
  CallKind add(const ToolCalled& event);

  [[nodiscard]] const Calls& calls() const noexcept { return calls_; }
  [[nodiscard]] const ToolTimes& tool_times() const noexcept { return tool_times_; }
  [[nodiscard]] const TenantTimes& tenant_times() const noexcept { return tenant_times_; }

 private:
  Calls::Series& add_series(Calls::Labels labels);
  void prepare(const Calls::Labels& labels, Call& call);

  Calls calls_{8192};
  ToolTimes tool_times_{512};
  TenantTimes tenant_times_{1024};
};

/// `text` when it is a word of the host's own, as outcomes, reasons and rules are; else "other".
std::string_view word_or_other(std::string_view text) noexcept;

}  // namespace toolhost::observability
