#include "plugin_runtime/plugin_metrics.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/json.hpp"

namespace toolhost::plugin_runtime {
namespace {

constexpr std::string_view kOther = "(other)";

std::string prefix_of(std::string_view plugin_id) {
  std::string id(plugin_id);
  std::replace(id.begin(), id.end(), '.', '_');
  return "toolhost_plugin_" + id + "_";
}

/// [a-z][a-z0-9_]*, so that "__", which Prometheus keeps for itself, never leads.
bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= PluginMetrics::kMaxNameBytes && name.front() >= 'a' && name.front() <= 'z' &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
}

Error invalid(std::string why) {
  return {Errc::kInvalidArgument, std::move(why), {}};
}

Result<> check_labels(const std::vector<std::string>& labels) {
  if (labels.size() > TH_METRIC_MAX_LABELS)
    return Error{Errc::kLimit, "it has more than " + std::to_string(TH_METRIC_MAX_LABELS) + " labels", {}};
  std::set<std::string_view> names;
  for (const auto& label : labels) {
    if (!is_name(label)) return invalid("its label '" + label + "' is not [a-z][a-z0-9_]* of at most 64 bytes");
    if (!names.insert(label).second) return invalid("its label '" + label + "' stands twice");
  }
  return {};
}

}  // namespace

PluginMetrics::PluginMetrics(std::string_view plugin_id) : prefix_(prefix_of(plugin_id)) {}

Result<std::uint32_t> PluginMetrics::define(std::uint32_t kind, std::string_view name, std::string_view help,
                                            const std::vector<std::string>& labels) {
  if (kind != TH_METRIC_COUNTER && kind != TH_METRIC_GAUGE) return invalid("its kind is neither a counter nor a gauge");
  if (!is_name(name)) return invalid("its name is not [a-z][a-z0-9_]* of at most 64 bytes");
  const bool is_counter = kind == TH_METRIC_COUNTER;
  if (is_counter != name.ends_with("_total"))
    return invalid(is_counter ? "the name of a counter ends with _total"
                              : "only the name of a counter ends with _total");
  if (help.empty()) return invalid("it has no help text");
  if (auto checked = check_labels(labels); !checked) return checked.error();
  auto full_name = prefix_ + std::string(name);
  const auto is_same = [&](const Metric& metric) { return metric.name == full_name; };
  if (std::any_of(metrics_.begin(), metrics_.end(), is_same))
    return Error{Errc::kConflict, "it is defined already", {}};
  if (metrics_.size() >= TH_METRIC_MAX_DEFINED)
    return Error{Errc::kLimit, "there are " + std::to_string(TH_METRIC_MAX_DEFINED) + " already", {}};
  auto& metric = metrics_.emplace_back();
  metric.name = std::move(full_name);
  metric.help = help;
  metric.is_counter = is_counter;
  metric.labels = labels;
  for (std::size_t i = 0; i < labels.size(); ++i) metric.other.append(i == 0 ? 0 : 1, '\0').append(kOther);
  defined_.store(metrics_.size(), std::memory_order_release);
  return static_cast<std::uint32_t>(metrics_.size());
}

PluginMetrics::Changed PluginMetrics::change(std::uint32_t id, Change how, double value,
                                             std::span<const std::string_view> label_values) {
  if (id == 0 || id > defined_.load(std::memory_order_acquire)) return Changed::kUnknown;
  auto& metric = metrics_[id - 1];
  if (label_values.size() != metric.labels.size()) return Changed::kInvalid;
  if (!std::isfinite(value) || (metric.is_counter && (value < 0 || how == Change::kSet))) return Changed::kInvalid;
  thread_local std::string key;
  key.clear();
  for (std::size_t i = 0; i < label_values.size(); ++i) {
    const auto text = label_values[i];
    if (text.size() > kMaxLabelBytes || text.find('\0') != text.npos ||
        !simdjson::validate_utf8(text.data(), text.size()))
      return Changed::kInvalid;
    key.append(i == 0 ? 0 : 1, '\0').append(text);
  }
  bool is_first_other = false;
  auto* series = metric.series.find({key});
  if (series == nullptr) series = metric.series.find_or_add({key}, TH_METRIC_MAX_SERIES, [](auto&) {});
  if (series == nullptr) {
    is_first_other = !metric.has_other.exchange(true, std::memory_order_relaxed);
    series = metric.series.find_or_add({metric.other}, TH_METRIC_MAX_SERIES + 1, [](auto&) {});
  }
  if (how == Change::kAdd)
    series->value.fetch_add(value, std::memory_order_relaxed);
  else
    series->value.store(value, std::memory_order_relaxed);
  return is_first_other ? Changed::kYesFirstOther : Changed::kYes;
}

std::vector<observability::MetricFamily> PluginMetrics::read() const {
  std::vector<observability::MetricFamily> families;
  const auto defined = defined_.load(std::memory_order_acquire);
  for (std::size_t i = 0; i < defined; ++i) {
    const auto& metric = metrics_[i];
    auto& family = families.emplace_back();
    family.name = metric.name;
    family.help = metric.help;
    family.is_counter = metric.is_counter;
    metric.series.for_each([&](const auto& series) {
      auto& sample = family.samples.emplace_back();
      sample.value = series.value.load(std::memory_order_relaxed);
      std::string_view rest = series.labels[0];
      for (const auto& label : metric.labels) {
        const auto end = rest.find('\0');
        sample.labels.emplace_back(label, rest.substr(0, end));
        rest.remove_prefix(end == rest.npos ? rest.size() : end + 1);
      }
    });
  }
  return families;
}

}  // namespace toolhost::plugin_runtime
