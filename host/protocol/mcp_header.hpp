#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "plugin_runtime/header_members.hpp"
#include "protocol/jsonrpc.hpp"
#include "transport/http.hpp"
#include "transport/http_channel.hpp"

namespace toolhost::protocol {

/// The fields of an HTTP request that repeat what its body says (2026-07-28, "Standard Request Headers"); empty when
/// absent, and all empty where there is no HTTP. Borrowed.
struct HeaderView {
  std::string_view version, method, name;
  std::span<const transport::NamedText> params = {};  ///< Mcp-Param-NAME, in their order

  static HeaderView of(const transport::HttpRequest& request) noexcept;
};

/// Whether a modern request has the fields it must have, and they agree with its body: kHeaderMismatch otherwise. Call
/// it behind route(), over HTTP only. What the body lacks itself is left to who reads the params.
std::optional<RpcError> check_headers(const Message& message, const HeaderView& headers);

/// The same of Mcp-Param fields and the arguments of a tool. Fields for what is not there, null or not marked are
/// ignored.
std::optional<RpcError> check_argument_headers(const Message& message, const json::Value& arguments,
                                               std::span<const transport::NamedText> fields,
                                               const plugin_runtime::HeaderMembers& members);

/// The value of Mcp-Name and Mcp-Param fields, which may be sent as "=?base64?...?="; nothing when that is no padded
/// standard base64 (RFC 4648 section 4) of UTF-8.
std::optional<std::string> decode_header(std::string_view value);
/// Its counterpart: as it is where HTTP can carry it so, else encoded.
std::string encode_header(std::string_view value);

/// The fields that a client sends with a modern message: what check_headers() and, for the marked arguments of a tool,
/// check_argument_headers() want. Mcp-Param fields of `arguments` only.
transport::HttpFields header_fields(const Message& message, std::string_view version);
transport::HttpFields argument_header_fields(const json::Value& arguments,
                                             const plugin_runtime::HeaderMembers& members);

}  // namespace toolhost::protocol
