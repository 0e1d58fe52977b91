#pragma once
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "access/gatekeeper.hpp"
#include "base/secret.hpp"
#include "observability/events.hpp"
#include "plugin_runtime/plugin_host.hpp"
#include "transport/http.hpp"

namespace toolhost::protocol {

struct McpConfig {
  std::string server_name = "toolhost";
  std::string server_title = "Toolhost";
  std::string server_version;
  std::string instructions;  ///< sent with initialize; empty for none
  std::size_t tools_page_size = 100;
  std::chrono::minutes session_idle_limit{60};
  std::size_t max_sessions_per_key = 1'000;  ///< the longest idle one gives way
  std::size_t max_streams_per_key = 10'000;
  Secret sealing_key;  ///< seals session ids, so that they outlive a restart; 32 bytes
};

/// MCP over HTTP, every endpoint of it: /mcp and POST /sse (Streamable HTTP), GET /sse and /messages (HTTP+SSE), the
/// 404s that OAuth-minded clients probe for. Paths it does not know are answered 404.
class McpEndpoint : public transport::HttpHandler {
 public:
  static std::unique_ptr<McpEndpoint> create(McpConfig config, access::Gatekeeper& gatekeeper,
                                             plugin_runtime::PluginHost& plugins, observability::EventSink& events);
  /// Stops taking calls (new ones are answered 503 with Retry-After), waits for running ones for at most `drain`, ends
  /// the streams.
  virtual void stop(std::chrono::milliseconds drain) = 0;
};

}  // namespace toolhost::protocol
