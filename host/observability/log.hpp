#pragma once
#include <memory>
#include <vector>

#include "base/result.hpp"
#include "observability/events.hpp"

namespace toolhost::observability {

enum class LogFormat { kAuto, kText, kJson };  ///< kAuto: text on a terminal, JSON otherwise

struct LogConfig {
  Severity level = Severity::kInfo;
  LogFormat format = LogFormat::kAuto;
  int descriptor = 2;  ///< where to write; borrowed, must outlive the sink
};

/// What create_log_sink() makes.
class LogSink : public EventSink {
 public:
  /// Events below it are left out from now on. Any thread.
  virtual void set_level(Severity level) noexcept = 0;
  [[nodiscard]] virtual Severity level() const noexcept = 0;
};

/// Writes events to standard error, one line each, from a background thread. Successful tool calls are logged at debug
/// level (the audit journal has every one of them), refusals by policy or limit at info, failures at info or above.
/// Text from outside is escaped, so that it can neither end a line nor drive a terminal, and cut at 4 KiB for each
/// field. emit() never waits: at most 4096 lines are queued, then the oldest are dropped, and a line says how many were
/// lost. The destructor writes what is queued. The process must ignore SIGPIPE.
std::unique_ptr<LogSink> create_log_sink(const LogConfig& config);

/// Passes every event to all of `sinks`, in order.
std::unique_ptr<EventSink> create_fan_out(std::vector<std::unique_ptr<EventSink>> sinks);

}  // namespace toolhost::observability
