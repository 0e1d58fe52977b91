#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "plugin_runtime/kept_stream.hpp"

namespace toolhost::plugin_runtime {

struct ToolResult;

/// What a client can be asked for; the values of TH_ASK_* (plugin.h).
enum class AskKind : std::uint8_t { kForm = 1, kUrl = 2, kSampling = 3, kRoots = 4 };

/// Of log messages to clients, lowest first; the values of th_client_api.message and the order of MCP's levels.
enum class LogLevel : std::uint8_t { kDebug, kInfo, kNotice, kWarning, kError, kCritical, kAlert, kEmergency };

/// Something that a handler wants to know of the client before it can go on.
struct Question {
  std::string key;  ///< the plugin's name for it: 1 to 64 of a-z 0-9 _; unique in the call
  AskKind kind = AskKind::kForm;
  std::string params_json;  ///< "params" of the MCP request: a compact JSON object, checked for what its kind needs
};

/// What the client has answered so far, for the next run of the handler.
struct Answers {
  std::map<std::string, std::string, std::less<>> by_key;   ///< its results, compact JSON objects
  std::map<std::string, std::string, std::less<>> refused;  ///< messages of the errors that it answered instead
  bool timed_out = false;                                   ///< nobody answers what is in neither
  unsigned round = 0;                                       ///< how often the client has answered
};

/// The client of one running call, as its plugin reaches it. Any thread; lives as long as the call.
class ClientPort {
 public:
  virtual ~ClientPort() = default;
  /// The client has said that it can be asked this.
  [[nodiscard]] virtual bool can(AskKind kind) const noexcept = 0;
  /// The request carried a progress token.
  [[nodiscard]] virtual bool wants_progress() const noexcept = 0;
  /// Log messages of this level are to be sent.
  [[nodiscard]] virtual bool wants(LogLevel level) const noexcept = 0;
  /// The answer has begun as a stream of events.
  [[nodiscard]] virtual bool is_streamed() const noexcept = 0;

  /// Sends progress, when it is wanted. `done` grows within one run of a handler; what does not grow over the runs of a
  /// call is dropped here. At most 20 a second.
  virtual void progress(double done, std::optional<double> total, std::string_view message) = 0;
  /// Sends a log message, when it is wanted. `data_json` is compact.
  virtual void log(LogLevel level, std::string_view logger, std::string_view data_json) = 0;
  /// Ends the stream of the call if the client can come back for it.
  virtual void let_go() = 0;
  /// Before the commit of a call that writes: whether the client may come back for the answer on a stream, which then
  /// is stored in the same transaction. From here on the answer cannot become a stream any more.
  virtual std::optional<KeptStream> settle() noexcept = 0;
  /// What is stored: the whole JSON-RPC response, in the client's revision.
  [[nodiscard]] virtual std::string encode(const ToolResult& result) const = 0;
};

}  // namespace toolhost::plugin_runtime
