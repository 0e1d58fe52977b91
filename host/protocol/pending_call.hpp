#pragma once
#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "access/grant.hpp"
#include "plugin_runtime/plugin_host.hpp"
#include "protocol/call_results.hpp"
#include "protocol/call_stream.hpp"
#include "protocol/questions.hpp"
#include "protocol/reply.hpp"
#include "protocol/request_state.hpp"
#include "protocol/running_calls.hpp"

namespace toolhost::protocol {

/// One tools/call, or one of its kin, between its request and its answer; the ToolCall that the plugin host runs, and
/// the client that its plugin may ask. The answer goes out once: with the result, or earlier with the reason why nobody
/// waits for it. The handler is always waited for, and holds its place among the limits until it has ended; so does a
/// call of the legacy era while its client is asked something, without any thread.
class PendingCall final : public plugin_runtime::ToolCall,
                          public OpenCall,
                          public plugin_runtime::ClientPort,
                          public Asker,
                          public std::enable_shared_from_this<PendingCall> {
 public:
  struct Start {
    std::string id;       ///< of the request, as JSON text
    std::string open_id;  ///< names the call in its session
    std::string_view method;
    std::string progress_token;  ///< JSON text; empty: no progress is wanted
    std::optional<observability::TraceContext> trace;
    access::Admission admission;
    std::shared_ptr<RunningCalls> running;  ///< has begun; it ends with the handler
  };
  PendingCall(Start start, const RequestContext& context, ReplySink sink);

  /// Makes the call visible to whoever ends calls early, until it is answered. Again: nothing.
  Session::Opening open();
  [[nodiscard]] bool is_answered() const noexcept { return is_answered_; }
  /// Begins with what the client has answered in this request, and in those before it (2026-07-28).
  void go_on_from(StateContents state);

  // OpenCall
  void stop(StopReason reason) noexcept override;
  [[nodiscard]] std::string_view rpc_id() const noexcept override { return id_; }
  [[nodiscard]] bool may_have_saved() const noexcept override;
  /// Ends a call whose tool never runs.
  void refuse(Reply answer) noexcept;

  // ClientPort
  [[nodiscard]] bool can(plugin_runtime::AskKind kind) const noexcept override;
  [[nodiscard]] bool wants_progress() const noexcept override;
  [[nodiscard]] bool wants(plugin_runtime::LogLevel level) const noexcept override;
  [[nodiscard]] bool is_streamed() const noexcept override;
  void progress(double done, std::optional<double> total, std::string_view message) override;
  void log(plugin_runtime::LogLevel level, std::string_view logger, std::string_view data_json) override;
  void let_go() override;
  std::optional<plugin_runtime::KeptStream> settle() noexcept override;
  [[nodiscard]] std::string encode(const plugin_runtime::ToolResult& result) const override;

  // Asker
  void answered(const std::string& id, std::optional<Response> response) noexcept override;
  void host_stops() noexcept override { stop(StopReason::kShutdown); }

 private:
  /// The keys of the questions that a client of the legacy era was sent, by their ids.
  using KeyById = std::map<std::string, std::string>;

  void reply(Reply reply) noexcept;
  void finish(plugin_runtime::ToolResult&& result) noexcept;
  void end(plugin_runtime::ToolResult&& result) noexcept;
  /// False when the call has been answered meanwhile, or the client cannot be asked any more.
  bool ask(const std::vector<plugin_runtime::Question>& questions);
  void note(const std::string& key, const Response& response);
  void run_again();
  void forget_questions(const KeyById& asked, bool tells_client);
  [[nodiscard]] ResultTarget target_of_result() const noexcept;
  [[nodiscard]] Reply reply_of(plugin_runtime::ToolResult&& result) const;
  [[nodiscard]] Reply input_required(const std::vector<plugin_runtime::Question>& questions) const;

  const std::string id_;
  const std::string open_id_;
  const std::string_view method_;
  const std::string progress_token_;
  const SessionPtr session_;
  const std::shared_ptr<CallStream> stream_;
  const Revision revision_;
  const ClientCapabilities capabilities_;
  const std::optional<plugin_runtime::LogLevel> log_level_;
  const std::optional<observability::TraceContext> trace_;
  const ReplySink sink_;
  access::Admission admission_;
  const std::shared_ptr<RunningCalls> running_;
  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  std::string chain_;
  double last_progress_ = -1;  // of the thread that runs the handler
  std::atomic<bool> is_opening_{false};
  std::atomic<bool> is_open_{false};
  std::atomic<bool> is_answered_{false};
  std::mutex ask_mutex_;            // guards what follows
  std::unique_ptr<KeyById> asked_;  // set: the client is being asked, and no handler runs
};

}  // namespace toolhost::protocol
