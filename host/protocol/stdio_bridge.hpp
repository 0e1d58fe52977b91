#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "transport/http_channel.hpp"
#include "transport/stdio_pipe.hpp"
#include "transport/url.hpp"

namespace toolhost::protocol {

struct StdioBridgeConfig {
  transport::Url url;
  transport::HttpFields fields;                ///< with every request, the API key among them
  std::string key_hint;                        ///< what to do about a refused key, told behind the server's own reason
  std::function<void(std::string_view)> tell;  ///< what somebody who looks for a fault has to know; on run()'s threads
};

/// Carries MCP between a client that starts programs and a server elsewhere, which speaks Streamable HTTP of either era
/// or, when it answers 404 or 405 to that, HTTP with SSE. Outlives restarts of the server: what did not reach it, or
/// can be repeated, is sent again; streams are resumed; a session that it has forgotten is begun anew with what the
/// client said in `initialize`. No request is answered twice, and a tool call that may have run is not repeated.
class StdioBridge {
 public:
  /// kInvalidArgument: fields that are none.
  static Result<std::unique_ptr<StdioBridge>> create(StdioBridgeConfig config, transport::StdioPipe& pipe);
  virtual ~StdioBridge() = default;
  /// Until the client closes its end, and at most 1.1 s longer, for answers that are under way. Ends the process, with
  /// exit code 0, when the client reads nothing any more.
  virtual void run() = 0;
};

}  // namespace toolhost::protocol
