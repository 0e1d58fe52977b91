#pragma once
#include <chrono>
#include <functional>
#include <string>
#include <variant>

#include "base/caller.hpp"
#include "protocol/mcp_version.hpp"
#include "protocol/session.hpp"

namespace toolhost::protocol {

/// A message that says what to wait for, because a limit was met.
struct Limited {
  std::string message;
  std::chrono::milliseconds retry_after{0};
};

/// What becomes of a request: a JSON-RPC message for the client, or why there is none.
using Reply = std::variant<std::string, Limited, StopReason>;
/// Called once for each request, on the calling thread or on a worker's. Must not block.
using ReplySink = std::function<void(Reply)>;

/// The message of a reply; null when there is none.
inline const std::string* message_of(const Reply& reply) noexcept {
  if (const auto* const limited = std::get_if<Limited>(&reply)) return &limited->message;
  return std::get_if<std::string>(&reply);
}

/// On whose behalf a request runs, and how its answer is to be encoded.
struct RequestContext {
  CallerPtr caller;
  SessionPtr session;
  bool shares_session =
      false;  ///< SessionTable::without_session(): clients that know nothing of each other, so ids may coincide
  Revision revision = kNewestRevision;
};

}  // namespace toolhost::protocol
