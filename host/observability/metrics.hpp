#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "observability/events.hpp"

namespace toolhost::observability {

/// One value of a metric that is read when somebody asks.
struct MetricSample {
  std::vector<std::pair<std::string, std::string>> labels;  ///< names of things; never ids or free text
  double value = 0;
};

/// A metric and its values at one moment.
struct MetricFamily {
  std::string name, help;
  bool is_counter = false;
  std::vector<MetricSample> samples;
};

/// A metric whose values stand elsewhere: queue depths, open connections.
struct MetricSource {
  std::string name;  ///< "toolhost_..." with the unit at its end
  std::string help;
  bool is_counter = false;  ///< only grows; its name ends in "_total"
  /// Called by text() on its thread; must not block and not throw.
  std::function<std::vector<MetricSample>()> read;
};

/// What somebody or something did lately.
struct RecentCalls {
  std::string name;    ///< a tenant, a tool or the prefix of a key
  std::string detail;  ///< of a tool its plugin, of a key its tenant
  std::uint64_t calls = 0;
  std::uint64_t errors = 0;           ///< every outcome but "ok", "cancelled" and the refusals
  std::uint64_t refusals = 0;         ///< by rights or limits, and of unknown tools
  std::chrono::microseconds time{0};  ///< in all calls together
  std::chrono::microseconds p95{0};   ///< of tenants and tools, to within a bucket of the histogram; of keys 0
};
struct RecentActivity {
  std::chrono::milliseconds span{0};              ///< what the counts cover: about a minute, less after the start
  std::vector<RecentCalls> tenants, tools, keys;  ///< busiest first; at most 1,000 keys
};

/// Counts events. emit() takes no lock that other threads hold for long and allocates only for what it has not seen
/// before. Labels are the names of tenants, tools and plugins that exist and words of the host's own; every family has
/// a bound, beyond which a new tenant (and at twice the bound a new tool) is counted as "(other)". Nothing is forgotten
/// while the host runs.
class Metrics : public EventSink {
 public:
  /// Has a thread of its own that looks at the recent past every five seconds. `version` is the host's.
  static std::unique_ptr<Metrics> create(std::string version);

  /// Read by every later text(), one at a time; what `read` refers to must outlive the last one. Any thread.
  virtual void add(MetricSource source) = 0;
  /// The same for metrics that are not known beforehand. One whose name another has is left out.
  virtual void add_families(std::function<std::vector<MetricFamily>()> read) = 0;
  /// Everything in Prometheus' text format 0.0.4. Takes about a microsecond for each line; any thread.
  [[nodiscard]] virtual std::string text() const = 0;
  /// The last minute or so. Any thread.
  [[nodiscard]] virtual RecentActivity recent() const = 0;
};

/// The content type of Metrics::text().
inline constexpr const char* kMetricsContentType = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace toolhost::observability
