#pragma once
#include <chrono>
#include <memory>

#include "access/gatekeeper.hpp"
#include "base/secret.hpp"
#include "observability/events.hpp"
#include "plugin_runtime/plugin_host.hpp"
#include "protocol/mcp_config.hpp"
#include "transport/stdio_pipe.hpp"

namespace toolhost::protocol {

/// MCP on standard input and output: one client, one key, both eras side by side. Whoever probes with
/// `server/discover` may go on with `initialize`.
class StdioEndpoint {
 public:
  /// `key` is verified again for each message; `caller` is whose it is now.
  static std::unique_ptr<StdioEndpoint> create(const McpConfig& config, access::Gatekeeper& gatekeeper,
                                               plugin_runtime::PluginHost& plugins, observability::EventSink& events,
                                               std::shared_ptr<transport::StdioPipe> pipe, Secret key,
                                               const CallerPtr& caller);
  virtual ~StdioEndpoint() = default;
  /// Takes messages until the client closes its end, or the pipe is interrupted. Workers write the answers.
  virtual void run() = 0;
  /// Takes no new calls, waits for running ones for at most `drain`, then cancels them and waits as long again. Any
  /// thread.
  virtual void stop(std::chrono::milliseconds drain) = 0;
};

}  // namespace toolhost::protocol
