#pragma once
#include <optional>
#include <string_view>

#include "protocol/jsonrpc.hpp"
#include "protocol/mcp_version.hpp"

namespace toolhost::protocol {

/// The two ways to begin: legacy clients with `initialize`, modern ones (2026-07-28 and later) by naming the version in
/// every request.
enum class Era { kLegacy, kModern };

/// Which era a message belongs to: the version claimed in params._meta decides, without one the MCP-Protocol-Version
/// field
/// (`version_header`, empty where the transport has none). Responses are always legacy.
Era era_of(const Message& message, std::string_view version_header) noexcept;

/// Why this host does not take the message: it is of the modern era, or its version field names a revision nobody
/// knows. Nothing for `server/discover` whatever it claims, so that clients that probe are told -32601 and fall back to
/// `initialize`; and an `initialize` is never refused for an unknown legacy version.
std::optional<RpcError> refuse_version(const Message& message, std::string_view version_header);

/// Why a batch is not taken as a whole: the peer's revision (nothing when it never said) is not 2025-03-26, the only
/// one that has batches, or a message of it must not be in one. A single bad message is refused only for itself.
std::optional<RpcError> refuse_batch(const Batch& batch, std::optional<Revision> revision);

}  // namespace toolhost::protocol
