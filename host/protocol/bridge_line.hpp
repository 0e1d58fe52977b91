#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "protocol/jsonrpc.hpp"

namespace toolhost::protocol {

/// A line of a client, as a bridge to a remote server has to know it.
struct BridgeLine {
  enum class Kind { kRequest, kNotification, kResponse, kBatch };
  Kind kind = Kind::kNotification;
  std::string text;                ///< of the line, to be sent on as it is
  std::vector<std::string> ids;    ///< of the requests in it, as JSON text: what has to be answered
  std::string method;              ///< empty for responses and batches
  std::string modern_version;      ///< that its params._meta names; empty: it is of the legacy era
  std::string cancelled_id;        ///< of notifications/cancelled, as JSON text; empty when it names none
  std::optional<Message> message;  ///< nothing for a batch

  [[nodiscard]] bool is_modern() const noexcept { return !modern_version.empty(); }
  [[nodiscard]] bool is_initialize() const noexcept { return method == "initialize" && !is_modern(); }
  /// Whether it can be sent twice without doing anything twice.
  [[nodiscard]] bool can_repeat() const noexcept;
};

/// The line taken apart, or why it is none that a server could take.
std::variant<BridgeLine, RpcError> read_bridge_line(std::string text);

/// The same request under another id.
std::string with_id(const Message& request, std::string_view id);

/// What a server says in an answer that is no answer to the request: in JSON-RPC, OAuth or whatever it writes; one line
/// of at most 300 bytes, or empty.
std::string reason_in(std::string_view body);

/// Whether the body of a 503 is the host's word that it has not begun what it was asked, so that even a tool call can
/// be sent again.
bool is_repeatable(std::string_view body);

}  // namespace toolhost::protocol
