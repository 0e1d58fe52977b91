#pragma once
#include <optional>
#include <string_view>
#include <variant>

#include "protocol/envelope.hpp"
#include "protocol/jsonrpc.hpp"
#include "protocol/mcp_header.hpp"
#include "protocol/mcp_version.hpp"

namespace toolhost::protocol {

/// The two ways to begin: legacy clients with `initialize`, modern ones (2026-07-28 and later) by naming the version in
/// every request.
enum class Era { kLegacy, kModern };

/// A message of a client that begins with `initialize`.
struct LegacyMessage {};

/// Which era a message belongs to, by the claim in params._meta first and HTTP fields second (all empty where there are
/// none, as on stdio). A modern one comes with its envelope; that of a notification may say nothing. An error is HTTP
/// 400: -32602 for a malformed envelope, -32020 when fields and body disagree, -32022 for a version that this host does
/// not speak, and -32000 for one that legacy requests name in their version field.
std::variant<LegacyMessage, Envelope, RpcError> route(const Message& message, const HeaderView& headers);

/// Why a transport that serves the legacy era alone does not take the message: it is modern. Nothing for
/// `server/discover` whatever it claims, so that clients that probe are told -32601 and fall back to `initialize`.
std::optional<RpcError> refuse_modern(const Message& message);

/// Why a batch is not taken as a whole: the peer's revision (nothing when it never said) is not 2025-03-26, the only
/// one that has batches, or a message of it must not be in one. A single bad message is refused only for itself.
std::optional<RpcError> refuse_batch(const Batch& batch, std::optional<Revision> revision);

}  // namespace toolhost::protocol
