#pragma once
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/secret.hpp"
#include "observability/events.hpp"
#include "observability/span_batch.hpp"

namespace toolhost::app {

struct HostConfig;

/// Sends the spans of a batch to a collector, as OTLP over HTTP (JSON), once a second on a thread of its own. While the
/// collector does not answer, what it was to get is tried again and again; what comes meanwhile waits in the batch, up
/// to its bound. Losing and finding the collector is told once each.
class OtlpExporter {
 public:
  struct Config {
    std::string url;  ///< https, or http on this computer
    std::vector<std::pair<std::string, Secret>> headers;
    std::string ca_file;
  };
  /// `batch` and `events` outlive it. kInvalidArgument when the `ca_file` cannot be used.
  static Result<std::unique_ptr<OtlpExporter>> start(Config config, observability::SpanBatch& batch,
                                                     observability::EventSink& events);
  /// Sends what waits, if the collector takes it within a second.
  virtual ~OtlpExporter() = default;
};

/// What `tracing` says, with its secrets read. kInvalidArgument when one cannot be.
Result<OtlpExporter::Config> otlp_config(const HostConfig& config);

}  // namespace toolhost::app
