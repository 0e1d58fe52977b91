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
#include "protocol/mcp_config.hpp"
#include "protocol/mcp_messages.hpp"
#include "protocol/pending_call.hpp"
#include "protocol/reply.hpp"
#include "protocol/session.hpp"
#include "protocol/tool_listing.hpp"

namespace toolhost::protocol {

/// The one dispatcher of both transports: methods of the legacy era. Any thread; never blocks longer than a tool that
/// never blocks runs.
class Dispatcher {
 public:
  Dispatcher(const McpConfig& config, access::Gatekeeper& gatekeeper, plugin_runtime::PluginHost& plugins,
             observability::EventSink& events);

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

  [[nodiscard]] std::size_t running_calls() const noexcept { return running_->count(); }

 private:
  void list_tools(const Message& request, const RequestContext& context, const ReplySink& sink);
  void call_tool(Message&& request, const RequestContext& context, ReplySink sink);
  void refuse_unknown(const Message& request, std::string_view name, const plugin_runtime::ToolRegistry& registry,
                      const RequestContext& context, const ReplySink& sink) const;
  /// Whether the audit, the limits and rules about arguments let the call run; when they do not, it has been answered.
  /// A call that a rule refuses has been counted by the limits: they bound what rules cost.
  bool admit(const Message& request, const ToolView::Entry& entry, const json::Value& arguments,
             const RequestContext& context, const ReplySink& sink, access::Admission& admission) const;
  void run(std::shared_ptr<PendingCall> call, const Message& request, const RequestContext& context);
  /// A call that ended before it began, of no tool.
  void report_refused(const RequestContext& context, std::string_view tool, std::string_view outcome,
                      std::string_view reason = {}) const;
  struct Refusal {
    std::string_view outcome;
    std::string_view reason = {};
    std::string_view place = {};
    bool is_hidden = false;  ///< the caller may not know that there is such a tool
  };
  /// The same of a tool. `arguments`: null when the audit is to keep nothing of them, as of calls that no limit
  /// counted.
  void report_refused(const RequestContext& context, const plugin_runtime::Tool& tool, const Refusal& refusal,
                      const json::Value* arguments = nullptr) const;
  [[nodiscard]] std::string next_request_id() const;

  const ServerIdentity server_;
  const std::function<bool()> has_room_;
  plugin_runtime::PluginHost& plugins_;
  ToolListing listing_;
  const std::string request_id_prefix_;  ///< random, so that ids of two hosts do not meet in one log
  mutable std::atomic<std::uint64_t> last_request_{0};
  const std::shared_ptr<RunningCalls> running_;
};

}  // namespace toolhost::protocol
