#pragma once
#include <vector>

#include "observability/metrics.hpp"

namespace toolhost::observability {

/// Memory, processor time, descriptors and start of this process, under the names that Prometheus' own clients use.
std::vector<MetricSource> process_metrics();

}  // namespace toolhost::observability
