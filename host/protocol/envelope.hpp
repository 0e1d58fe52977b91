#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "plugin_runtime/client_port.hpp"
#include "protocol/jsonrpc.hpp"
#include "protocol/mcp_version.hpp"

namespace toolhost::protocol {

// Members of _meta (2026-07-28, "General Fields").
inline constexpr std::string_view kVersionClaim = "io.modelcontextprotocol/protocolVersion";
inline constexpr std::string_view kSubscription = "io.modelcontextprotocol/subscriptionId";

/// What a client says it can be asked: in `initialize`, or with every request of 2026-07-28.
struct ClientCapabilities {
  bool roots = false, roots_changes = false;
  bool sampling = false, sampling_tools = false, sampling_context = false;
  bool form = false, url = false;  ///< of elicitation

  [[nodiscard]] bool can(plugin_runtime::AskKind kind) const noexcept;
  /// For ids that have to carry them; the bits never change their meaning.
  [[nodiscard]] std::uint16_t bits() const noexcept;
  static ClientCapabilities from_bits(std::uint16_t bits) noexcept;
  bool operator==(const ClientCapabilities&) const = default;
};

/// The capabilities in `object` ("capabilities" of initialize); what is missing, no object or unknown counts as not
/// declared, and so does what the revision does not have. `elicitation: {}` is form, and nothing else.
ClientCapabilities read_capabilities(const json::Value& object, Revision revision) noexcept;
/// -32021's data: {"requiredCapabilities": ...}, an object shaped like ClientCapabilities.
std::string required_capabilities(plugin_runtime::AskKind kind);

/// What a request of 2026-07-28 says about itself in params._meta. Borrows from its message.
struct Envelope {
  std::string_view version;  ///< as claimed; route() lets only versions through that this host speaks
  ClientCapabilities capabilities;
  std::optional<plugin_runtime::LogLevel> log_level;  ///< nothing: no log messages at all
  std::string_view client_name, client_version;       ///< empty when it does not say
};

/// The envelope of a request, or what is wrong with it: kInvalidParams, which is HTTP 400 here. Which version it is
/// plays no part.
std::variant<Envelope, RpcError> read_envelope(const Message& message);

/// params._meta[name]; nothing when there is none.
std::optional<json::Value> meta_member(const Message& message, std::string_view name) noexcept;
/// "debug" ... "emergency".
std::string_view to_string(plugin_runtime::LogLevel level) noexcept;
std::optional<plugin_runtime::LogLevel> parse_log_level(std::string_view text) noexcept;

}  // namespace toolhost::protocol
