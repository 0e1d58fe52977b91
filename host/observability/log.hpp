#pragma once
#include <filesystem>
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

/// Writes events to standard error, one line each, from a background thread. Successful tool calls are logged at debug
/// level (the audit journal has every one of them), failures at info or above. Text from outside is escaped, so that it
/// can neither end a line nor drive a terminal, and cut at 4 KiB for each field. emit() never waits: at most 4096 lines
/// are queued, then the oldest are dropped, and a line says how many were lost. The destructor writes what is queued.
/// The process must ignore SIGPIPE.
std::unique_ptr<EventSink> create_log_sink(const LogConfig& config);

/// Appends one JSON line for every tool call and key change to `directory`/audit-YYYY-MM-DD.jsonl (UTC days), from a
/// background thread that writes whole batches at least every 20 ms. A line handed to the kernel survives a crash of
/// the host; what is still queued at a crash (at most that interval) is lost. At 16 MiB of unwritten lines the emitting
/// thread waits: an event is never dropped. When a write fails (disk full) it is repeated every second and reported on
/// standard error at most once a minute; lines that still cannot be written when the journal ends are counted there.
/// The directory is created with mode 0700 if it is missing, files have mode 0600. kUnavailable, with path and reason,
/// when today's file cannot be opened.
Result<std::unique_ptr<EventSink>> create_audit_journal(const std::filesystem::path& directory);

/// Passes every event to all of `sinks`, in order.
std::unique_ptr<EventSink> create_fan_out(std::vector<std::unique_ptr<EventSink>> sinks);

}  // namespace toolhost::observability
