#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "observability/call_counts.hpp"

namespace toolhost::observability {

enum class MetricType { kCounter, kGauge };
struct FamilyHead {
  const char* name;
  const char* help;
  MetricType type;
};
using LabelList = std::vector<std::pair<std::string, std::string>>;

/// Collects families and writes them as text, with prometheus-cpp. Labels without a value are left out.
class FamilyWriter {
 public:
  FamilyWriter();
  ~FamilyWriter();
  FamilyWriter(const FamilyWriter&) = delete;
  FamilyWriter& operator=(const FamilyWriter&) = delete;

  /// Whether a family of this name was begun.
  [[nodiscard]] bool has(std::string_view name) const noexcept;
  void begin(const FamilyHead& head);
  void value(const LabelList& labels, double value);
  void begin_histogram(const char* name, const char* help);
  void histogram(const LabelList& labels, const TimeHistogram& times);
  /// Once, at the end. Families without a value are left out.
  [[nodiscard]] std::string take_text();

 private:
  struct Families;
  std::unique_ptr<Families> families_;
};

/// The families of tool calls: counts, refusals, times by tool and by tenant.
void write_calls(FamilyWriter& out, const CallCounts& counts);

}  // namespace toolhost::observability
