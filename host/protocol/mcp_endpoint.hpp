#pragma once
#include <chrono>
#include <cstddef>
#include <memory>
#include <span>

#include "access/gatekeeper.hpp"
#include "base/ids.hpp"
#include "observability/events.hpp"
#include "plugin_runtime/plugin_host.hpp"
#include "protocol/change_notices.hpp"
#include "protocol/mcp_config.hpp"
#include "transport/http.hpp"

namespace toolhost::protocol {

/// MCP over HTTP, every endpoint of it: /mcp and POST /sse (Streamable HTTP), GET /sse and /messages (HTTP+SSE), the
/// 404s that OAuth-minded clients probe for. Paths it does not know are answered 404.
class McpEndpoint : public transport::HttpHandler {
 public:
  static std::unique_ptr<McpEndpoint> create(McpConfig config, access::Gatekeeper& gatekeeper,
                                             plugin_runtime::PluginHost& plugins, observability::EventSink& events);
  /// Tells the clients of these keys that lists of theirs (kToolsList and so on) have changed
  /// (notifications/tools/list_changed), on every open stream whose client has sent `initialize`, and those who listen.
  /// Any thread.
  virtual void lists_changed(std::span<const KeyId> keys, std::uint32_t lists) = 0;
  struct Counts {
    std::size_t sessions = 0;  ///< of both transports
    std::size_t streams = 0, running_calls = 0;
  };
  [[nodiscard]] virtual Counts counts() const = 0;
  /// Stops taking calls (new ones are answered 503 with Retry-After), waits for running ones for at most `drain`, ends
  /// the streams.
  virtual void stop(std::chrono::milliseconds drain) = 0;
};

}  // namespace toolhost::protocol
