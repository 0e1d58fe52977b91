#include "observability/metrics.hpp"

#include <pthread.h>

#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

#include "observability/call_counts.hpp"
#include "observability/metrics_text.hpp"
#include "observability/process_metrics.hpp"

namespace toolhost::observability {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kLookPeriod{5};
constexpr std::size_t kLooks = 12;  // so that the oldest is about a minute old
constexpr std::size_t kMostKeys = 1'000;
constexpr std::size_t kMostSmallSeries = 500;  // of a family whose labels are few by nature

/// A family of plain counters; the values of the label `open` are names, those of the others are words of the host's.
template <std::size_t kLabels>
class Counters {
 public:
  using Table = SeriesTable<kLabels, StripedCounters<1>>;

  explicit Counters(std::size_t open) : open_(open) {}

  void count(const typename Table::Labels& labels) {
    auto* series = table_.find(labels);
    if (series == nullptr) series = &find_or_add_within(table_, labels, open_, kMostSmallSeries, [](auto&, auto&) {});
    series->value.add(0, 1);
  }
  void write(FamilyWriter& out, const FamilyHead& head, const std::array<const char*, kLabels>& names) const {
    out.begin(head);
    table_.for_each([&](const auto& series) {
      LabelList labels;
      for (std::size_t i = 0; i < kLabels; ++i) labels.emplace_back(names[i], series.labels[i]);
      out.value(labels, static_cast<double>(series.value.total(0)));
    });
  }

 private:
  const std::size_t open_;
  Table table_{64};
};

/// How often something has been seen up to one moment.
struct Totals {
  std::uint64_t calls = 0, errors = 0, refusals = 0, us = 0;
  TimeHistogram::Counts times{};
};
struct Look {
  Clock::time_point at;
  std::map<std::string, Totals, std::less<>> tenants;
  std::map<std::pair<std::string, std::string>, Totals> tools;  // name, plugin
};

void add_call(Totals& totals, const CallCounts::Call& call) {
  const std::uint64_t calls = call.cells.total(CallCounts::kCalls);
  totals.calls += calls;
  if (call.kind == CallKind::kError) totals.errors += calls;
  if (call.kind == CallKind::kRefusal) totals.refusals += calls;
  totals.us += call.cells.total(CallCounts::kMicroseconds);
}

Look look_at(const CallCounts& counts) {
  Look look{.at = Clock::now(), .tenants = {}, .tools = {}};
  counts.calls().for_each([&](const auto& series) {
    add_call(look.tenants[series.labels[CallCounts::kTenant]], series.value);
    add_call(look.tools[{series.labels[CallCounts::kTool], series.labels[CallCounts::kPlugin]}], series.value);
  });
  counts.tenant_times().for_each(
      [&](const auto& series) { look.tenants[series.labels[0]].times = series.value.counts(); });
  counts.tool_times().for_each(
      [&](const auto& series) { look.tools[{series.labels[0], series.labels[1]}].times = series.value.counts(); });
  return look;
}

/// A counter that is read after another may have grown meanwhile; what was counted is never negative.
std::uint64_t difference(std::uint64_t now, std::uint64_t before) {
  return now > before ? now - before : 0;
}

RecentCalls between(const Totals& before, const Totals& now) {
  TimeHistogram::Counts times{};
  for (std::size_t i = 0; i < times.size(); ++i) times[i] = difference(now.times[i], before.times[i]);
  return {.name = {},
          .detail = {},
          .calls = difference(now.calls, before.calls),
          .errors = difference(now.errors, before.errors),
          .refusals = difference(now.refusals, before.refusals),
          .time = std::chrono::microseconds(difference(now.us, before.us)),
          .p95 = quantile(times, 0.95)};
}

template <class Map, class Name>
std::vector<RecentCalls> changes(const Map& before, const Map& now, Name name) {
  std::vector<RecentCalls> all;
  for (const auto& [key, totals] : now) {
    const auto old = before.find(key);
    RecentCalls calls = between(old == before.end() ? Totals{} : old->second, totals);
    if (calls.calls == 0) continue;
    name(calls, key);
    all.push_back(std::move(calls));
  }
  sort_busiest_first(all);
  return all;
}

const char* word_of(KeyChange change) noexcept {
  switch (change) {
    case KeyChange::kCreated:
      return "created";
    case KeyChange::kDeleted:
      return "deleted";
    case KeyChange::kDisabled:
      return "disabled";
    case KeyChange::kEnabled:
      return "enabled";
    case KeyChange::kExpired:
      return "expired";
  }
  return "deleted";
}

const char* word_of(PluginIncident incident) noexcept {
  switch (incident) {
    case PluginIncident::kLoaded:
      return "loaded";
    case PluginIncident::kRefused:
      return "refused";
    case PluginIncident::kMisbehaved:
      return "misbehaved";
    case PluginIncident::kLostWorker:
      return "lost_worker";
    case PluginIncident::kLog:
      return "log";
  }
  return "log";
}

class MetricsImpl final : public Metrics {
 public:
  explicit MetricsImpl(std::string version) : version_(std::move(version)) {
    sources_ = process_metrics();
    looks_.push_back(look_at(calls_));
    thread_ = std::thread([this] { run(); });
  }
  ~MetricsImpl() override {
    {
      const std::lock_guard lock(mutex_);
      is_ending_ = true;
    }
    wake_.notify_all();
    thread_.join();
  }
  MetricsImpl(const MetricsImpl&) = delete;
  MetricsImpl& operator=(const MetricsImpl&) = delete;

  void emit(const Event& event) noexcept override {
    std::visit([this](const auto& what) { count(what); }, event);
  }
  void add(MetricSource source) override {
    const std::lock_guard lock(sources_mutex_);
    sources_.push_back(std::move(source));
  }
  void add_families(std::function<std::vector<MetricFamily>()> read) override {
    const std::lock_guard lock(sources_mutex_);
    families_.push_back(std::move(read));
  }
  [[nodiscard]] std::string text() const override;
  [[nodiscard]] RecentActivity recent() const override;

 private:
  void count(const ToolCalled& event) {
    const CallKind kind = calls_.add(event);
    if (!event.caller.key_prefix.empty()) keys_.add(event.caller, kind, event.duration);
  }
  void count(const RequestRefused& event) {
    requests_refused_.count({word_or_other(event.reason), event.caller != nullptr ? event.caller->tenant : ""});
  }
  void count(const PersonSignedIn&) { sign_ins_.fetch_add(1, std::memory_order_relaxed); }
  void count(const KeyChanged& event) { key_changes_.count({word_of(event.change), event.tenant}); }
  void count(const PluginReported& event) {
    if (event.incident == PluginIncident::kLog) {
      notices_.count({word_or_other(event.rule), "plugins"});
    } else {
      incidents_.count({event.plugin, word_of(event.incident), word_or_other(event.rule)});
    }
  }
  void count(const ConfigurationReloaded& event) {
    reloads_.count({event.applied ? "applied" : "refused", word_or_other(event.trigger)});
    generation_ = event.generation;
    last_reload_applied_ = event.applied;
    if (event.applied) last_applied_ = std::chrono::system_clock::now();
  }
  void count(const HostNotice& event) { notices_.count({to_string(event.severity), word_or_other(event.component)}); }

  void run() {
    pthread_setname_np(pthread_self(), "toolhost-counts");
    std::unique_lock lock(mutex_);
    while (!wake_.wait_for(lock, kLookPeriod, [this] { return is_ending_; })) {
      looks_.push_back(look_at(calls_));
      if (looks_.size() > kLooks) looks_.pop_front();
      keys_.roll(looks_.size() - 1);
    }
  }
  void write_configuration(FamilyWriter& out) const;

  const std::string version_;
  mutable std::mutex sources_mutex_;
  std::vector<MetricSource> sources_;
  std::vector<std::function<std::vector<MetricFamily>()>> families_;  // the same
  CallCounts calls_;
  RecentKeys keys_;
  Counters<2> requests_refused_{1}, key_changes_{1};  // the tenant
  Counters<2> reloads_{1}, notices_{1};               // trigger, component
  Counters<3> incidents_{0};                          // the plugin
  std::atomic<std::uint64_t> sign_ins_{0};
  std::atomic<std::uint64_t> generation_{0};
  std::atomic<bool> last_reload_applied_{true};
  std::atomic<std::chrono::system_clock::time_point> last_applied_{};

  mutable std::mutex mutex_;  // for looks_ and the end of the thread; no event takes it
  std::condition_variable wake_;
  std::deque<Look> looks_;  // oldest first
  bool is_ending_ = false;
  std::thread thread_;
};

void MetricsImpl::write_configuration(FamilyWriter& out) const {
  out.begin({"toolhost_build_info", "Always 1; the label is the version.", MetricType::kGauge});
  out.value({{"version", version_}}, 1);
  reloads_.write(
      out,
      {"toolhost_reloads_total", "Attempts to read the configuration, the start among them.", MetricType::kCounter},
      {"result", "trigger"});
  out.begin(
      {"toolhost_configuration_generation", "Generation of the configuration that is in force.", MetricType::kGauge});
  out.value({}, static_cast<double>(generation_.load()));
  out.begin({"toolhost_configuration_last_reload_successful",
             "1 when the last attempt to read the configuration was applied.", MetricType::kGauge});
  out.value({}, last_reload_applied_ ? 1 : 0);
  out.begin({"toolhost_configuration_last_success_timestamp_seconds",
             "When a configuration was last applied, as Unix time; 0 before the first.", MetricType::kGauge});
  out.value({}, std::chrono::duration<double>(last_applied_.load().time_since_epoch()).count());
}

std::string MetricsImpl::text() const {
  FamilyWriter out;
  write_calls(out, calls_);
  requests_refused_.write(
      out,
      {"toolhost_requests_refused_total",
       "Requests refused before they had a caller; the tenant when the key is a known one.", MetricType::kCounter},
      {"reason", "tenant"});
  out.begin({"toolhost_sign_ins_total", "People who signed in to the portal.", MetricType::kCounter});
  out.value({}, static_cast<double>(sign_ins_.load()));
  key_changes_.write(out,
                     {"toolhost_key_changes_total", "Changes of keys that this host has seen.", MetricType::kCounter},
                     {"change", "tenant"});
  incidents_.write(out,
                   {"toolhost_plugin_incidents_total",
                    "Plugins loaded, refused, broken rules of the contract, lost workers.", MetricType::kCounter},
                   {"plugin", "incident", "rule"});
  notices_.write(out,
                 {"toolhost_notices_total", "Lines that the host and its plugins told the log.", MetricType::kCounter},
                 {"severity", "component"});
  write_configuration(out);
  const std::lock_guard lock(sources_mutex_);
  for (const auto& source : sources_) {
    out.begin(
        {source.name.c_str(), source.help.c_str(), source.is_counter ? MetricType::kCounter : MetricType::kGauge});
    for (const auto& sample : source.read()) out.value(sample.labels, sample.value);
  }
  for (const auto& read : families_) {
    for (const auto& family : read()) {
      if (out.has(family.name)) continue;
      out.begin(
          {family.name.c_str(), family.help.c_str(), family.is_counter ? MetricType::kCounter : MetricType::kGauge});
      for (const auto& sample : family.samples) out.value(sample.labels, sample.value);
    }
  }
  return out.take_text();
}

RecentActivity MetricsImpl::recent() const {
  RecentActivity recent;
  const std::lock_guard lock(mutex_);  // so that keys and the others begin at the same look
  const Look now = look_at(calls_);
  const Look& before = looks_.front();
  recent.span = std::chrono::duration_cast<std::chrono::milliseconds>(now.at - before.at);
  recent.tenants =
      changes(before.tenants, now.tenants, [](RecentCalls& calls, const auto& name) { calls.name = name; });
  recent.tools = changes(before.tools, now.tools, [](RecentCalls& calls, const auto& name) {
    calls.name = name.first;
    calls.detail = name.second;
  });
  recent.keys = keys_.recent(kMostKeys);
  return recent;
}

}  // namespace

std::unique_ptr<Metrics> Metrics::create(std::string version) {
  return std::make_unique<MetricsImpl>(std::move(version));
}

}  // namespace toolhost::observability
