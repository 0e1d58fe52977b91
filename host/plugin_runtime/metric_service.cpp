#include <array>

#include "plugin_runtime/definition_fields.hpp"
#include "plugin_runtime/service_tables.hpp"

namespace toolhost::plugin_runtime::services {
namespace {

// ---- toolhost.metrics/1

using observability::PluginIncident;

constexpr std::size_t kMaxHelpBytes = 1024;

/// Its texts, then the metric itself.
Result<std::uint32_t> define(th_host& host, uint32_t kind, const char* name, const char* help,
                             const char* const* labels) {
  const auto name_text = text_of(name, PluginMetrics::kMaxNameBytes, "its name");
  if (!name_text) return name_text.error();
  const auto help_text = text_of(help, kMaxHelpBytes, "its help text");
  if (!help_text) return help_text.error();
  const auto label_texts = texts_of(labels, "labels");
  if (!label_texts) return label_texts.error();
  return host.metrics().define(kind, *name_text, *help_text, *label_texts);
}

th_status metrics_define(th_host* host, uint32_t kind, const char* name, const char* help, const char* const* labels,
                         uint32_t* metric) noexcept {
  if (host == nullptr || metric == nullptr) return TH_E_MISUSE;
  const bool is_early = host->takes_metrics();
  const auto defined = is_early ? define(*host, kind, name, help, labels)
                                : Result<std::uint32_t>(Error{Errc::kMisuse, "create() has returned", {}});
  if (defined) {
    *metric = *defined;
    return TH_OK;
  }
  const auto shown = text_of(name, PluginMetrics::kMaxNameBytes, "");
  host->report(PluginIncident::kMisbehaved, "metric",
               "the metric '" + (shown ? *shown : std::string()) + "' is not defined: " + defined.error().message);
  return to_status(defined.error().code);
}

th_status change(th_host* host, uint32_t metric, PluginMetrics::Change how, double value, const th_str* label_values,
                 size_t n) noexcept {
  if (host == nullptr || (label_values == nullptr && n > 0)) return TH_E_MISUSE;
  if (n > TH_METRIC_MAX_LABELS) return TH_E_INVALID;
  std::array<std::string_view, TH_METRIC_MAX_LABELS> labels;
  for (std::size_t i = 0; i < n; ++i) labels[i] = view(label_values[i]);
  auto& metrics = host->metrics();
  switch (metrics.change(metric, how, value, {labels.data(), n})) {
    case PluginMetrics::Changed::kYesFirstOther:
      host->report(
          PluginIncident::kMisbehaved, "metric-series",
          "the metric " + metrics.name_of(metric) + " has more than " + std::to_string(TH_METRIC_MAX_SERIES) +
              " combinations of label values; what is beyond is counted as (other). Use labels with few values");
      return TH_OK;
    case PluginMetrics::Changed::kYes:
      return TH_OK;
    case PluginMetrics::Changed::kInvalid:
      return TH_E_INVALID;
    case PluginMetrics::Changed::kUnknown:
      return TH_E_MISUSE;
  }
  return TH_E_INTERNAL;
}

th_status metrics_add(th_host* host, uint32_t metric, double value, const th_str* label_values, size_t n) noexcept {
  return change(host, metric, PluginMetrics::Change::kAdd, value, label_values, n);
}
th_status metrics_set(th_host* host, uint32_t metric, double value, const th_str* label_values, size_t n) noexcept {
  return change(host, metric, PluginMetrics::Change::kSet, value, label_values, n);
}

}  // namespace

constexpr th_metrics_api metrics_table{sizeof(th_metrics_api), 0, metrics_define, metrics_add, metrics_set};

}  // namespace toolhost::plugin_runtime::services
