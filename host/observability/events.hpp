#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/caller.hpp"
#include "base/error.hpp"
#include "observability/trace_context.hpp"

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
                                ///< "unavailable", "internal", "denied", "limit", "input_required", "not_found",
                                ///< "state_used" (answers that were used before)
  std::chrono::microseconds duration;
  std::string_view detail;          ///< for the log only; why an internal error happened
  std::string_view reason = {};     ///< of a refusal: access::to_string(Reason), "busy" (the plugin's queue is full) or
                                    ///< "audit" (the journal is); else empty
  std::string_view place = {};      ///< the line of configuration that decided, "FILE:LINE"; may be empty
  std::string_view arguments = {};  ///< what the audit may keep of them: a JSON object, sensitive members redacted, or
                                    ///< {"hmac":"..."}; empty: nothing
  const TraceContext* trace = nullptr;  ///< the client's; null: it named none
  /// Parts of `duration`: in the plugin's queue, in its handler, and of that in the database; zero when unknown.
  std::chrono::microseconds queued{0}, in_handler{0}, in_database{0};
};

/// A request was refused before it had a caller.
struct RequestRefused {
  std::string_view reason;         ///< "invalid_key", "missing_key", "origin", "host", "too_large", "malformed", ...
  std::string_view remote;         ///< peer address
  std::string_view detail;         ///< safe text; never a credential
  const Caller* caller = nullptr;  ///< whose key it was, when it is a known one (disabled, expired)
};

/// Somebody signed in to the portal.
struct PersonSignedIn {
  std::string_view email;
  std::string_view remote;  ///< the client's address
};

/// What this host saw change among the keys it lets in; who changed it stands in the audit.
enum class KeyChange { kCreated, kDeleted, kDisabled, kEnabled, kExpired };
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

/// The configuration was read anew, or could not be.
struct ConfigurationReloaded {
  bool applied;
  std::uint64_t generation;  ///< that is in force now
  std::string_view file;
  std::string_view trigger;  ///< "signal", "file", "command", "start"
  std::string_view summary;  ///< what changed, or the first problem with its place; lines
};

enum class Severity { kTrace, kDebug, kInfo, kWarning, kError, kCritical };
/// Stable lower-case word, e.g. "warning".
const char* to_string(Severity severity) noexcept;
/// The severity with that word; nothing when there is none.
std::optional<Severity> severity_named(std::string_view word) noexcept;
/// A step in the life of the host or of one of its parts: started, database lost, draining.
struct HostNotice {
  Severity severity;
  std::string_view component;  ///< "http", "database", "keys", "host"
  std::string_view message;
};

using Event = std::variant<ToolCalled, RequestRefused, PersonSignedIn, KeyChanged, PluginReported,
                           ConfigurationReloaded, HostNotice>;

/// Receives every event. emit() may be called from any thread, must not block and must not throw.
class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void emit(const Event& event) noexcept = 0;
};

}  // namespace toolhost::observability
