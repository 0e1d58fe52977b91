#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <variant>

#include "access/gatekeeper.hpp"
#include "base/caller.hpp"
#include "observability/events.hpp"
#include "plugin_runtime/plugin_host.hpp"
#include "protocol/catalog_views.hpp"
#include "protocol/jsonrpc.hpp"
#include "protocol/listeners.hpp"
#include "protocol/mcp_config.hpp"
#include "protocol/mcp_messages.hpp"
#include "protocol/method_params.hpp"
#include "protocol/pending_call.hpp"
#include "protocol/reply.hpp"
#include "protocol/session.hpp"
#include "protocol/tool_listing.hpp"

namespace toolhost::protocol {

/// Hears what concerns a session beyond the host that its client has told it. Any thread; must not block.
class SessionObserver {
 public:
  virtual ~SessionObserver() = default;
  virtual void wished(const Session& session, const Wish& wish) = 0;
  /// The client has cancelled a request that does not run here. `request_id`: JSON text.
  virtual void cancelled_elsewhere(const Session& session, std::string_view request_id) noexcept = 0;
};

/// The one dispatcher of all transports and both eras: which methods a revision has, and who answers them. Any thread;
/// never blocks longer than a tool that never blocks runs.
class Dispatcher {
 public:
  Dispatcher(const McpConfig& config, access::Gatekeeper& gatekeeper, plugin_runtime::PluginHost& plugins,
             observability::EventSink& events);
  ~Dispatcher();
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  struct Initialized {
    Revision revision;
    ClientCapabilities capabilities;
    std::string reply;
  };
  /// Answers `initialize`; what the session must remember is returned with it.
  [[nodiscard]] std::variant<Initialized, RpcError> initialize(const Message& request, const Caller& caller);
  /// Answers every other request. Errors of a request are replies like any other.
  void answer(Message&& request, const RequestContext& context, ReplySink sink);
  /// Takes note of a notification; those that nobody knows are ignored.
  void note(const Message& notification, Session& session) const noexcept;
  /// Hands a client's response to the call that has asked. False when nobody here has asked this client.
  bool take_response(const Message& response, KeyId key);
  /// Which host of the installation this is; part of the ids of its requests to clients.
  void set_host(std::uint32_t number) noexcept { running_->questions.set_host(number); }
  /// Null: none. Before requests come.
  void set_observer(SessionObserver* observer) noexcept { observer_ = observer; }

  /// Tells listeners of these keys that lists of theirs (of change_notices) have changed.
  void lists_changed(std::span<const KeyId> keys, std::uint32_t lists);
  /// Tells listeners what plugins say has changed, as far as it concerns them.
  void catalog_changed(const plugin_runtime::CatalogChange& change);
  /// Whether the caller may read this resource, so that it may hear of it.
  [[nodiscard]] bool may_read(const Caller& caller, std::string_view uri);
  /// The same of a key, with the rights that it has now.
  [[nodiscard]] bool may_read(KeyId key, std::string_view uri);
  /// Whether this list (of change_notices) has anything for the key as its rights are now; that of the tools is there
  /// for everybody.
  [[nodiscard]] bool has_list(KeyId key, std::uint32_t list);

  /// From now on new tool calls are answered with kShutdown, and subscriptions have ended; waits until no call runs,
  /// for at most `limit`.
  void drain(std::chrono::milliseconds limit);

  [[nodiscard]] std::size_t running_calls() const noexcept { return running_->count(); }
  [[nodiscard]] std::size_t listeners() const noexcept { return listeners_.count(); }

 private:
  struct Method {
    std::string_view name;
    Revision first, last;
    void (Dispatcher::*answer)(Message&& request, const RequestContext& context, ReplySink&& sink);
  };
  static const Method* find_method(std::string_view name, Revision revision) noexcept;

  // dispatcher.cpp
  void ping(Message&& request, const RequestContext& context, ReplySink&& sink);
  void discover(Message&& request, const RequestContext& context, ReplySink&& sink);
  void listen(Message&& request, const RequestContext& context, ReplySink&& sink);
  /// Of these lists, those whom `concerns` names.
  void tell_listeners(std::uint32_t lists, const std::function<bool(const Caller&, std::uint32_t list)>& concerns);
  // session_methods.cpp
  void set_level(Message&& request, const RequestContext& context, ReplySink&& sink);
  void subscribe(Message&& request, const RequestContext& context, ReplySink&& sink);
  void unsubscribe(Message&& request, const RequestContext& context, ReplySink&& sink);
  void tell_observer(const RequestContext& context, const Wish& wish) const;
  // tool_methods.cpp
  void list_tools(Message&& request, const RequestContext& context, ReplySink&& sink);
  void call_tool(Message&& request, const RequestContext& context, ReplySink&& sink);
  // resource_methods.cpp
  void list_resources(Message&& request, const RequestContext& context, ReplySink&& sink);
  void list_templates(Message&& request, const RequestContext& context, ReplySink&& sink);
  void read_resource(Message&& request, const RequestContext& context, ReplySink&& sink);
  using CatalogPage = Result<std::string> (CatalogViews::*)(const Caller&, const plugin_runtime::ToolRegistry&,
                                                            const ResultStyle&, std::optional<std::string_view>);
  /// A page of one of the lists beside the tools, where the caller has any.
  void list_catalog(const Message& request, const RequestContext& context, const ReplySink& sink,
                    bool ServerCapabilities::* capability, CatalogPage page_of);
  // prompt_methods.cpp
  void list_prompts(Message&& request, const RequestContext& context, ReplySink&& sink);
  void get_prompt(Message&& request, const RequestContext& context, ReplySink&& sink);
  // completion_methods.cpp
  void complete(Message&& request, const RequestContext& context, ReplySink&& sink);

  /// What is called, and with what.
  struct Callable {
    const plugin_runtime::Tool& tool;
    bool looks_at_arguments = false;
    plugin_runtime::ToolCall::Kind kind = plugin_runtime::ToolCall::Kind::kTool;
    std::string_view method;           ///< static text
    std::string target;                ///< as ToolCall::target
    const json::Value& arguments;      ///< in `document`, or no_arguments()
    json::DocumentPtr document;        ///< null: the request's
    std::string_view idempotency_key;  ///< empty for none

    [[nodiscard]] StateBinding binding(const Caller& caller) const;
  };
  /// Answers find_tools: admitted and recorded as every call.
  void find_tools(const Message& request, const ToolIndex& index, const json::Value& wanted,
                  const RequestContext& context, const ReplySink& sink);
  /// Admits and runs a call; everything that plugins bring comes through here.
  void start(Message&& request, Callable&& what, plugin_runtime::RegistryPtr registry, const RequestContext& context,
             ReplySink&& sink);
  /// What a modern client has answered so far; kInvalidArgument when its state is none.
  Result<StateContents> read_answers(const Message& request, const Callable& what, const RequestContext& context) const;
  /// The answer to a call that may not run, which says why.
  [[nodiscard]] std::string encode_refusal(const Message& request, const Callable& what, std::string_view text,
                                           const RequestContext& context) const;
  void refuse_unknown(const Message& request, std::string_view name, const plugin_runtime::ToolRegistry& registry,
                      const RequestContext& context, const ReplySink& sink) const;
  /// Whether the audit, the limits and rules about arguments let the call run; when they do not, it has been answered.
  /// A call that a rule refuses has been counted by the limits: they bound what rules cost.
  bool admit(const Message& request, const Callable& what, const RequestContext& context, const ReplySink& sink,
             access::Admission& admission) const;
  void run(const std::shared_ptr<PendingCall>& call, const Message& request, const RequestContext& context);
  /// A call of something that the caller may not know of.
  void report_hidden(const RequestContext& context, const plugin_runtime::Tool& tool) const;
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
  [[nodiscard]] ServerCapabilities capabilities_for(const Caller& caller);
  [[nodiscard]] ResultStyle style_of(const RequestContext& context) const noexcept {
    return {context.revision, server_, running_->list_ttl};
  }

  const ServerIdentity server_;
  const std::function<bool()> has_room_;
  access::Gatekeeper& gatekeeper_;
  plugin_runtime::PluginHost& plugins_;
  ToolListing listing_;
  CatalogViews catalog_;
  const std::string request_id_prefix_;  ///< random, so that ids of two hosts do not meet in one log
  mutable std::atomic<std::uint64_t> last_request_{0};
  const std::shared_ptr<RunningCalls> running_;
  Listeners listeners_;
  SessionObserver* observer_ = nullptr;
};

}  // namespace toolhost::protocol
