#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "base/json.hpp"
#include "protocol/jsonrpc.hpp"
#include "protocol/reply.hpp"

namespace toolhost::protocol {

/// What methods read from their params, and say about them.

inline constexpr std::size_t kLongestQuote = 128;  ///< of what a client sent, in a message about it

inline constexpr std::size_t kLongestUri = 2048;  ///< of a resource that a client follows, in bytes

/// The same of the params; nothing when they have no such string.
std::optional<std::string_view> text_param(const Message& request, std::string_view name) noexcept;
/// The member of the params when it is there and not null.
std::optional<json::Value> param(const Message& request, std::string_view name) noexcept;

/// The cursor of a list's next page, if any; false when it is no string.
bool read_cursor(const Message& request, std::optional<std::string_view>& cursor) noexcept;

/// Error -32602.
std::string invalid_params(const Message& request, std::string why, const RequestContext& context);
/// Error -32601; to modern clients with its HTTP status.
Reply method_not_found(const Message& request, const RequestContext& context);
/// An error that answers `request`, with the HTTP status of the revision.
Reply error_reply(RpcError error, Revision revision);

/// What a call without arguments has; lives as long as the process.
const json::Value& no_arguments();

}  // namespace toolhost::protocol
