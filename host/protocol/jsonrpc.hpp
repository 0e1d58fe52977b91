#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/json.hpp"
#include "protocol/mcp_version.hpp"

namespace toolhost::protocol {

/// JSON-RPC 2.0 and the codes that MCP uses beside it.
enum class RpcCode : int {
  kParseError = -32700,
  kInvalidRequest = -32600,
  kMethodNotFound = -32601,
  kInvalidParams = -32602,
  kInternalError = -32603,
  kServerError = -32000,  ///< the reference servers' code for what HTTP refuses
  kSessionNotFound = -32001,
  kResourceNotFound = -32002,  ///< up to 2025-11-25; modern clients are told kInvalidParams
  // Of 2026-07-28.
  kHeaderMismatch = -32020,      ///< HTTP fields and body disagree
  kMissingCapability = -32021,   ///< the client did not declare on this request what it takes to answer it
  kUnsupportedVersion = -32022,  ///< data: the supported ones and the requested one
};

/// An error on its way to the peer.
struct RpcError {
  RpcCode code = RpcCode::kInternalError;
  std::string message;
  std::string id;              ///< JSON text of the request's id; empty when it could not be read, see encode_error()
  std::string data_json = {};  ///< the member "data"; empty for none
};

/// One JSON-RPC message. Owns the parsed text that `method` and `params` are views into.
struct Message {
  enum class Kind { kRequest, kNotification, kResponse };

  Kind kind = Kind::kNotification;
  std::string id;                     ///< JSON text, so that 7 and "7" stay apart: `7`, `"7"`; empty for a notification
  std::string_view method;            ///< empty for a response
  std::optional<json::Value> params;  ///< absent when the message has none (or null); checked by whoever reads them
  json::DocumentPtr document;
};

inline bool is_request(const Message& message) noexcept {
  return message.kind == Message::Kind::kRequest;
}

/// A JSON array as the message: what of it was no message is in its place as an error.
using Batch = std::vector<std::variant<Message, RpcError>>;

/// More elements than this are refused.
inline constexpr std::size_t kMaxBatch = 100;

/// Longer ids and progress tokens that are strings, in bytes, are refused: they come back in every message about them.
inline constexpr std::size_t kLongestId = 1024;

/// Parses one JSON-RPC text: a message, a batch, or why it is neither (kParseError when it is no JSON, kInvalidRequest
/// otherwise).
std::variant<Message, Batch, RpcError> parse_message(std::string_view text);

/// Whether it is a string longer than kLongestId.
bool is_too_long(const json::Value& id) noexcept;

/// `id` as JSON text when it is a string or an integer, as MCP demands; nothing otherwise.
std::optional<std::string> id_text(const json::Value& id);

std::string encode_result(std::string_view id, std::string_view result_json);
/// Without an id legacy revisions are sent null; the modern one knows no such id, so there the member is left out.
std::string encode_error(const RpcError& error, Revision revision = kNewestLegacy);

/// The HTTP status that goes with an error that answers a request: 200 with few exceptions, because clients of the
/// legacy era do not look into the body of any other. An envelope at fault (kInvalidParams of read_envelope() or
/// route()) is 400 all the same; only who refuses it knows.
unsigned http_status_of(RpcCode code, Revision revision) noexcept;

}  // namespace toolhost::protocol
