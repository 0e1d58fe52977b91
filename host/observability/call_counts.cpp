#include "observability/call_counts.hpp"

#include <algorithm>

#include "observability/outcomes.hpp"

namespace toolhost::observability {
namespace {

constexpr std::size_t kMostCallSeries = 10'000;
constexpr std::size_t kMostToolSeries = 1'000;
constexpr std::size_t kMostTenantSeries = 2'000;
constexpr std::size_t kLongestWord = 48;

CallKind kind_of(std::string_view outcome) noexcept {
  if (outcome == "ok" || outcome == "cancelled") return CallKind::kOk;
  return is_refusal(outcome) ? CallKind::kRefusal : CallKind::kError;
}

/// Refused calls take no time worth knowing, and arguments are judged before the tool runs. Only a call that did not
/// run says why.
bool reaches_its_tool(std::string_view outcome, std::string_view reason) noexcept {
  return kind_of(outcome) != CallKind::kRefusal && outcome != "invalid_arguments" && reason.empty();
}

CallCounts::Calls::Labels labels_of(const ToolCalled& event) noexcept {
  // What a client asks for is a label only when there is such a tool.
  const std::string_view tool = event.plugin.empty() ? "unknown" : event.tool;
  std::string_view reason = event.reason;
  if (reason.empty() && kind_of(event.outcome) == CallKind::kRefusal)
    reason = event.outcome == "unknown_tool" ? "unknown_tool" : "other";
  return {event.caller.tenant, tool, event.plugin, event.outcome, reason};
}

}  // namespace

std::string_view word_or_other(std::string_view text) noexcept {
  const bool is_word = text.size() <= kLongestWord && std::ranges::all_of(text, [](char c) {
                         return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
                       });
  return is_word ? text : "other";
}

void TimeHistogram::add(std::chrono::microseconds time) noexcept {
  const auto us = static_cast<std::uint64_t>(std::max<std::int64_t>(time.count(), 0));
  std::size_t bucket = 0;
  while (bucket < kTimeBounds.size() && us > kTimeBounds[bucket]) ++bucket;
  cells_.add(bucket, 1);
  cells_.add(kTimeBounds.size() + 1, us);
}

TimeHistogram::Counts TimeHistogram::counts() const noexcept {
  Counts counts{};
  for (std::size_t i = 0; i < counts.size(); ++i) counts[i] = cells_.total(i);
  return counts;
}

std::chrono::microseconds quantile(const TimeHistogram::Counts& counts, double share) noexcept {
  std::uint64_t all = 0;
  for (const auto count : counts) all += count;
  if (all == 0) return std::chrono::microseconds(0);
  const double wanted = share * static_cast<double>(all);
  double below = 0;
  for (std::size_t i = 0; i < kTimeBounds.size(); ++i) {
    const auto count = static_cast<double>(counts[i]);
    if (count > 0 && below + count >= wanted) {
      const auto low = static_cast<double>(i == 0 ? 0 : kTimeBounds[i - 1]);
      const auto high = static_cast<double>(kTimeBounds[i]);
      return std::chrono::microseconds(static_cast<std::int64_t>(low + (high - low) * (wanted - below) / count));
    }
    below += count;
  }
  return std::chrono::microseconds(static_cast<std::int64_t>(kTimeBounds.back()));
}

CallKind CallCounts::add(const ToolCalled& event) {
  const auto labels = labels_of(event);
  Calls::Series* series = calls_.find(labels);
  if (series == nullptr) series = &add_series(labels);
  Call& call = series->value;
  call.cells.add(kCalls, 1);
  call.cells.add(kMicroseconds, static_cast<std::uint64_t>(std::max<std::int64_t>(event.duration.count(), 0)));
  if (call.tool_times != nullptr) {
    call.tool_times->add(event.duration);
    call.tenant_times->add(event.duration);
  }
  return call.kind;
}

CallCounts::Calls::Series& CallCounts::add_series(Calls::Labels labels) {
  labels[kOutcome] = word_or_other(labels[kOutcome]);
  labels[kReason] = word_or_other(labels[kReason]);
  const auto with_times = [&](Call& call, const Calls::Labels& its) { prepare(its, call); };
  if (auto* series = calls_.find_or_add(labels, kMostCallSeries, [&](Call& call) { prepare(labels, call); }))
    return *series;
  labels[kTenant] = kOtherName;
  return find_or_add_within(calls_, labels, kTool, 2 * kMostCallSeries, with_times);
}

void CallCounts::prepare(const Calls::Labels& labels, Call& call) {
  call.kind = kind_of(labels[kOutcome]);
  if (!reaches_its_tool(labels[kOutcome], labels[kReason])) return;
  const auto nothing = [](auto&, const auto&) {};
  call.tool_times =
      &find_or_add_within(tool_times_, {labels[kTool], labels[kPlugin]}, 0, kMostToolSeries, nothing).value;
  call.tenant_times = &find_or_add_within(tenant_times_, {labels[kTenant]}, 0, kMostTenantSeries, nothing).value;
}

}  // namespace toolhost::observability
