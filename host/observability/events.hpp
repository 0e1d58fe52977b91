#pragma once
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "base/caller.hpp"
#include "base/error.hpp"

namespace toolhost::observability {

/// What happened, one type per thing. Code emits events and never calls a logger; sinks choose what to log, count or
/// audit. Views are borrowed for the time of emit().

/// A tool call ended, in whatever way.
struct ToolCalled {
  const Caller& caller;
  std::string_view tool;        ///< as asked for; may name no tool
  std::string_view plugin;      ///< empty when the tool is unknown
  std::string_view request_id;  ///< the host's id of this call
  std::string_view outcome;     ///< "ok", "tool_error", "invalid_arguments", "unknown_tool", "timeout", "cancelled",
                                ///< "unavailable", "internal"
  std::chrono::microseconds duration;
  std::string_view detail;  ///< for the log only; why an internal error happened
};

/// A request was refused before it had a caller.
struct RequestRefused {
  std::string_view reason;  ///< "invalid_key", "missing_key", "origin", "host", "too_large", "malformed", ...
  std::string_view remote;  ///< peer address
  std::string_view detail;  ///< safe text; never a credential
};

enum class KeyChange { kCreated, kDeleted };
struct KeyChanged {
  KeyChange change;
  std::string_view tenant;
  std::string_view key_prefix;
  std::string_view name;
};

/// A plugin did something its contract forbids, was refused, or was loaded.
enum class PluginIncident { kLoaded, kRefused, kMisbehaved, kLostWorker, kLog };
struct PluginReported {
  PluginIncident incident;
  std::string_view plugin;
  std::string_view rule;  ///< stable kebab-case name, e.g. "output-schema", "stray-export"
  std::string_view detail;
};

enum class Severity { kTrace, kDebug, kInfo, kWarning, kError, kCritical };
/// Stable lower-case word, e.g. "warning".
const char* to_string(Severity severity) noexcept;
/// A step in the life of the host or of one of its parts: started, database lost, draining.
struct HostNotice {
  Severity severity;
  std::string_view component;  ///< "http", "database", "keys", "host"
  std::string_view message;
};

using Event = std::variant<ToolCalled, RequestRefused, KeyChanged, PluginReported, HostNotice>;

/// Receives every event. emit() may be called from any thread, must not block and must not throw.
class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void emit(const Event& event) noexcept = 0;
};

}  // namespace toolhost::observability
