#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>

#include "base/caller.hpp"
#include "observability/trace_context.hpp"
#include "plugin_runtime/client_port.hpp"
#include "protocol/envelope.hpp"
#include "protocol/mcp_version.hpp"
#include "protocol/session.hpp"
#include "transport/http.hpp"

namespace toolhost::protocol {

class CallStream;

/// A message that says what to wait for, because a limit was met.
struct Limited {
  std::string message;
  std::chrono::milliseconds retry_after{0};
  std::string challenge = {};  ///< for WWW-Authenticate: the caller's token lacks the scope; empty: a limit
};

/// A JSON-RPC error that HTTP tells by a status of its own, unless a stream has begun (2026-07-28).
struct Rejected {
  std::string message;
  unsigned status = 400;
};

/// What becomes of a request: a JSON-RPC message for the client, or why there is none.
using Reply = std::variant<std::string, Limited, Rejected, StopReason>;
/// Called once for each request, on the calling thread or on a worker's. Must not block.
using ReplySink = std::function<void(Reply)>;

/// The message of a reply; null when there is none.
inline const std::string* message_of(const Reply& reply) noexcept {
  if (const auto* const limited = std::get_if<Limited>(&reply)) return &limited->message;
  if (const auto* const rejected = std::get_if<Rejected>(&reply)) return &rejected->message;
  return std::get_if<std::string>(&reply);
}

/// On whose behalf a request runs, what its client can do, and how its answer is to be encoded.
struct RequestContext {
  CallerPtr caller;
  SessionPtr session;
  bool shares_session =
      false;  ///< SessionTable::without_session(): clients that know nothing of each other, so ids may coincide
  Revision revision = kNewestLegacy;
  ClientCapabilities capabilities;
  std::optional<plugin_runtime::LogLevel> log_level;  ///< the lowest that it wants; nothing: no log messages at all
  std::shared_ptr<CallStream> stream;                 ///< where messages before the answer go; null: nowhere
  /// HTTP fields that repeat arguments of tools (2026-07-28), borrowed while the request is taken; nothing: no HTTP.
  std::optional<std::span<const transport::NamedText>> argument_fields;
  std::optional<observability::TraceContext> trace;  ///< the client's, when it named one
};

}  // namespace toolhost::protocol
