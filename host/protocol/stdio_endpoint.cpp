#include "protocol/stdio_endpoint.hpp"

#include <mutex>
#include <utility>

#include "access/grant.hpp"
#include "protocol/call_stream.hpp"
#include "protocol/change_notices.hpp"
#include "protocol/dispatcher.hpp"
#include "protocol/era.hpp"

namespace toolhost::protocol {
namespace {

using transport::StdioPipe;

constexpr std::string_view kPlace = "stdio";  // where others have an address
constexpr std::string_view kKeyEnded = "The API key has ended.";

/// A question comes once, what has no id (progress, log messages) does not matter to a client that does not read.
bool is_question(std::string_view message) {
  return message.starts_with(R"({"jsonrpc":"2.0","id":)");
}

/// The messages of one call, on the pipe that all calls share. No thread waits for the client to read.
class StdioCallStream final : public CallStream {
 public:
  StdioCallStream(std::shared_ptr<StdioPipe> pipe, std::string id, Revision revision)
      : pipe_(std::move(pipe)), id_(std::move(id)), revision_(revision) {}

  void bind(std::weak_ptr<OpenCall> /*call*/) noexcept override {}
  void notify(std::string_view message) override {
    const std::lock_guard lock(mutex_);
    if (!is_finished_) pipe_->post(message, is_question(message) ? StdioPipe::Post::kAlways : StdioPipe::Post::kIfRoom);
  }
  [[nodiscard]] bool can_ask() const noexcept override { return !is_modern(revision_); }
  void finish(Reply reply) override {
    const std::lock_guard lock(mutex_);
    if (std::exchange(is_finished_, true)) return;
    if (const auto* const message = message_of(reply)) {
      pipe_->post(*message);
    } else if (std::get<StopReason>(reply) == StopReason::kKeyRevoked) {
      pipe_->post(encode_error({RpcCode::kServerError, std::string(kKeyEnded), id_}, revision_));
    }
  }
  void let_go() override {}
  [[nodiscard]] bool is_streamed() const noexcept override { return false; }
  std::optional<plugin_runtime::KeptStream> settle() noexcept override { return std::nullopt; }

 private:
  const std::shared_ptr<StdioPipe> pipe_;
  const std::string id_;
  const Revision revision_;
  std::mutex mutex_;
  bool is_finished_ = false;
};

class McpOverStdio final : public StdioEndpoint {
 public:
  McpOverStdio(const McpConfig& config, access::Gatekeeper& gatekeeper, plugin_runtime::PluginHost& plugins,
               observability::EventSink& events, std::shared_ptr<StdioPipe> pipe, Secret key, const CallerPtr& caller)
      : gatekeeper_(gatekeeper),
        plugins_(plugins),
        pipe_(std::move(pipe)),
        key_(std::move(key)),
        session_(std::make_shared<Session>(random_id(), *caller, SessionFacts{})),
        dispatcher_(config, gatekeeper, plugins, events) {
    gatekeeper_.on_revoked([this](KeyId ended) {
      if (ended == session_->key()) session_->end(StopReason::kKeyRevoked);
    });
    plugins_.on_catalog([this](const plugin_runtime::CatalogChange& change) { catalog_changed(change); });
  }

  ~McpOverStdio() override {
    plugins_.on_catalog(nullptr);
    gatekeeper_.on_revoked(nullptr);
    McpOverStdio::stop(std::chrono::milliseconds(0));
  }

  void run() override {
    for (;;) {
      auto line = pipe_->read();
      if (std::holds_alternative<StdioPipe::End>(line)) return;
      if (auto* const text = std::get_if<std::string>(&line)) {
        take(*text);
      } else {
        write({RpcCode::kInvalidRequest, "Invalid Request: a message is at most 10 MiB long", {}});
      }
    }
  }

  void stop(std::chrono::milliseconds drain) override {
    dispatcher_.drain(drain);
    session_->end(StopReason::kShutdown);
    dispatcher_.drain(drain);
  }

 private:
  void take(std::string_view text) {
    auto parsed = parse_message(text);
    if (const auto* const error = std::get_if<RpcError>(&parsed)) return write(*error);
    if (auto* const message = std::get_if<Message>(&parsed)) return take(std::move(*message), text.size());
    auto& batch = std::get<Batch>(parsed);
    if (const auto refusal = refuse_batch(batch, session_->revision())) return write(*refusal);
    for (auto& entry : batch) {
      if (const auto* const error = std::get_if<RpcError>(&entry))
        write(*error);
      else
        take(std::move(std::get<Message>(entry)), text.size());
    }
  }

  void take(Message&& message, std::size_t bytes) {
    const auto routed = route(message, {});
    if (const auto* const refusal = std::get_if<RpcError>(&routed)) return write(*refusal);
    const auto* const envelope = std::get_if<Envelope>(&routed);
    const auto revision = envelope != nullptr ? Revision::k2026_07_28 : session_->revision().value_or(kNewestLegacy);
    if (message.kind == Message::Kind::kNotification) return dispatcher_.note(message, *session_);
    if (message.kind == Message::Kind::kResponse) {
      dispatcher_.take_response(message, session_->key());
      return;
    }
    auto caller = gatekeeper_.authenticate(key_.reveal(), {}, kPlace);
    if (!caller) return write({RpcCode::kServerError, caller.error().message, message.id}, revision);
    const auto& grant = (*caller)->grant;
    if (grant != nullptr && bytes > grant->rights()->max_request()) {
      return write({RpcCode::kInvalidRequest,
                    "The request has " + std::to_string(bytes) + " bytes; this tenant may send " +
                        std::to_string(grant->rights()->max_request()) + ". Send less at once.",
                    message.id},
                   revision);
    }
    if (envelope == nullptr && message.method == "initialize") return initialize(message, **caller);

    const auto stream = std::make_shared<StdioCallStream>(pipe_, message.id, revision);
    RequestContext context;
    context.caller = std::move(*caller);
    context.session = session_;
    context.revision = revision;
    context.capabilities = envelope != nullptr ? envelope->capabilities : session_->capabilities();
    context.log_level =
        envelope != nullptr ? envelope->log_level : session_->log_level().value_or(plugin_runtime::LogLevel::kInfo);
    context.stream = stream;
    dispatcher_.answer(std::move(message), context, [stream](Reply reply) { stream->finish(std::move(reply)); });
  }

  void initialize(const Message& message, const Caller& caller) {
    const auto outcome = dispatcher_.initialize(message, caller);
    if (const auto* const error = std::get_if<RpcError>(&outcome)) return write(*error);
    const auto& initialized = std::get<Dispatcher::Initialized>(outcome);
    session_->set_revision(initialized.revision);
    session_->set_capabilities(initialized.capabilities);
    pipe_->post(initialized.reply);
  }

  void catalog_changed(const plugin_runtime::CatalogChange& change) {
    if (session_->revision() && (!change.tenant || session_->tenant() == *change.tenant)) {
      for (const auto& [bit, message] : kListsChanged)
        if ((change.lists & bit) != 0 && dispatcher_.has_list(session_->key(), bit))
          pipe_->post(message, StdioPipe::Post::kOnce);
      if (!change.updated_uri.empty() && session_->is_subscribed(change.updated_uri) &&
          dispatcher_.may_read(session_->key(), change.updated_uri))
        pipe_->post(encode_resource_updated(change.updated_uri), StdioPipe::Post::kOnce);
    }
    dispatcher_.catalog_changed(change);
  }

  void write(const RpcError& error, Revision revision = kNewestLegacy) { pipe_->post(encode_error(error, revision)); }

  access::Gatekeeper& gatekeeper_;
  plugin_runtime::PluginHost& plugins_;
  const std::shared_ptr<StdioPipe> pipe_;  // calls that nobody could wait for may outlive this object
  const Secret key_;
  const SessionPtr session_;
  Dispatcher dispatcher_;
};

}  // namespace

std::unique_ptr<StdioEndpoint> StdioEndpoint::create(const McpConfig& config, access::Gatekeeper& gatekeeper,
                                                     plugin_runtime::PluginHost& plugins,
                                                     observability::EventSink& events, std::shared_ptr<StdioPipe> pipe,
                                                     Secret key, const CallerPtr& caller) {
  return std::make_unique<McpOverStdio>(config, gatekeeper, plugins, events, std::move(pipe), std::move(key), caller);
}

}  // namespace toolhost::protocol
