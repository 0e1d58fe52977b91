#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <variant>

#include "access/gatekeeper.hpp"
#include "base/caller.hpp"
#include "observability/events.hpp"
#include "plugin_runtime/plugin_host.hpp"
#include "protocol/jsonrpc.hpp"
#include "protocol/session.hpp"
#include "protocol/tool_listing.hpp"

namespace toolhost::protocol {

/// What becomes of a request: a JSON-RPC message for the client, or why there is none.
using Reply = std::variant<std::string, StopReason>;
/// Called once for each request, on the calling thread or on a worker's. Must not block.
using ReplySink = std::function<void(Reply)>;

/// On whose behalf a request runs, and how its answer is to be encoded.
struct RequestContext {
  CallerPtr caller;
  SessionPtr session;
  bool shares_session =
      false;  ///< SessionTable::without_session(): clients that know nothing of each other, so ids may coincide
  Revision revision = kNewestRevision;
};

/// The one dispatcher of both transports: methods of the legacy era. Any thread; never blocks longer than a tool that
/// never blocks runs.
class Dispatcher {
 public:
  Dispatcher(ServerIdentity server, std::size_t tools_page_size, access::Gatekeeper& gatekeeper,
             plugin_runtime::PluginHost& plugins, observability::EventSink& events);

  struct Initialized {
    Revision revision;
    std::string reply;
  };
  /// Answers `initialize`; what the session must remember is returned with it.
  [[nodiscard]] std::variant<Initialized, RpcError> initialize(const Message& request) const;
  /// Answers every other request. Errors of a request are replies like any other.
  void answer(Message&& request, const RequestContext& context, ReplySink sink);
  /// Takes note of a notification; those that nobody knows are ignored.
  void note(const Message& notification, Session& session) const noexcept;

  /// From now on new tool calls are answered with kShutdown; waits until no call runs, for at most `limit`.
  void drain(std::chrono::milliseconds limit);

 private:
  class CallCount;
  class PendingCall;

  void list_tools(const Message& request, const RequestContext& context, const ReplySink& sink);
  void call_tool(Message&& request, const RequestContext& context, ReplySink sink);
  /// A call that ended before it began.
  void report_refused(const RequestContext& context, std::string_view tool, std::string_view outcome) const;
  [[nodiscard]] std::string next_request_id() const;

  const ServerIdentity server_;
  access::Gatekeeper& gatekeeper_;
  plugin_runtime::PluginHost& plugins_;
  observability::EventSink& events_;
  ToolListing listing_;
  const std::string request_id_prefix_;  ///< random, so that ids of two hosts do not meet in one log
  mutable std::atomic<std::uint64_t> last_request_{0};
  const std::shared_ptr<CallCount> running_;
};

}  // namespace toolhost::protocol
