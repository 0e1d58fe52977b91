#include "protocol/mcp_endpoint.hpp"

#include "base/json_writer.hpp"
#include "protocol/dispatcher.hpp"
#include "protocol/http_replies.hpp"
#include "protocol/session.hpp"
#include "protocol/sse_endpoint.hpp"
#include "protocol/streamable_http.hpp"

namespace toolhost::protocol {
namespace {

namespace asio = boost::asio;
using observability::RequestRefused;
using transport::HttpRequest;
using transport::HttpResponse;
using transport::Method;

constexpr std::string_view kHowToSendKeys =
    "This server uses API keys, not OAuth: configure your key as the X-API-Key header (X-API-Key: hdsk_...), or as "
    "Authorization: Bearer hdsk_...";

enum class Path { kMcp, kSse, kMessages, kRegister, kUnknown };

Path path_of(std::string_view path) noexcept {
  if (path == "/mcp") return Path::kMcp;
  if (path == "/sse") return Path::kSse;
  if (path == "/messages") return Path::kMessages;
  if (path == "/register") return Path::kRegister;
  return Path::kUnknown;
}

unsigned http_status(Errc code) noexcept {
  switch (code) {
    case Errc::kInvalidArgument:
    case Errc::kMisuse:
    case Errc::kUnsupported:
      return 400;
    case Errc::kUnauthenticated:
      return 401;
    case Errc::kDenied:
      return 403;
    case Errc::kNotFound:
      return 404;
    case Errc::kConflict:
      return 409;
    case Errc::kLimit:
      return 429;
    case Errc::kUnavailable:
    case Errc::kTimeout:
    case Errc::kCancelled:
    case Errc::kRetry:
      return 503;
    case Errc::kInternal:
      return 500;
  }
  return 500;
}

class McpOverHttp final : public McpEndpoint {
 public:
  McpOverHttp(McpConfig config, access::Gatekeeper& gatekeeper, plugin_runtime::PluginHost& plugins,
              observability::EventSink& events)
      : gatekeeper_(gatekeeper),
        events_(events),
        sessions_(std::make_shared<SessionTable>(config.sealing_key,
                                                 SessionLimits{.idle_limit = config.session_idle_limit,
                                                               .max_sessions_per_key = config.max_sessions_per_key,
                                                               .max_streams_per_key = config.max_streams_per_key})),
        dispatcher_({.name = std::move(config.server_name),
                     .title = std::move(config.server_title),
                     .version = std::move(config.server_version),
                     .instructions = std::move(config.instructions)},
                    config.tools_page_size, gatekeeper, plugins, events),
        streamable_(dispatcher_, sessions_),
        sse_(dispatcher_, sessions_) {
    gatekeeper_.on_revoked([sessions = sessions_](KeyId key) {
      sessions->end_key(key, StopReason::kKeyRevoked, SessionTable::Clock::now());
    });
  }

  ~McpOverHttp() override {
    gatekeeper_.on_revoked(nullptr);
    McpOverHttp::stop(std::chrono::milliseconds(0));
  }

  // Not a coroutine: the endpoint's is returned as it is, and whatever needs no waiting has none at all.
  asio::awaitable<void> handle(const HttpRequest& request, HttpResponse& response) override {
    const Path path = path_of(request.path);
    // Before any key is looked at: clients look for an authorization server here, without their key, and take anything
    // but 404 for one.
    if (path == Path::kUnknown || path == Path::kRegister) {
      answer_unknown(path, response);
      return nothing_to_wait_for();
    }
    if (is_stopping_.load(std::memory_order_relaxed)) {
      respond_stopped(response, StopReason::kShutdown);
      return nothing_to_wait_for();
    }
    auto caller = gatekeeper_.authenticate(request.x_api_key, request.authorization);
    if (!caller) {
      refuse(request, caller.error(), response);
      return nothing_to_wait_for();
    }
    if (request.method == Method::kPost && path != Path::kMessages)
      return streamable_.post(request, response, std::move(*caller));
    answer_at_once(path, request, response, *caller);
    return nothing_to_wait_for();
  }

  void stop(std::chrono::milliseconds drain) override {
    is_stopping_.store(true, std::memory_order_relaxed);
    dispatcher_.drain(drain);
    sessions_->end_all(StopReason::kShutdown);
  }

 private:
  void answer_at_once(Path path, const HttpRequest& request, HttpResponse& response, const CallerPtr& caller) {
    if (path == Path::kMessages) {
      if (request.method == Method::kPost) return sse_.post(request, response, caller);
      return respond_method_not_allowed(response, "POST");
    }
    const bool is_stream_url = path == Path::kSse && !request.has_mcp_session_id;
    switch (request.method) {
      case Method::kGet:
        return is_stream_url ? sse_.open(request, response, caller)
                             : streamable_.open_stream(request, response, caller);
      case Method::kDelete:
        return streamable_.end_session(request, response, caller);
      case Method::kHead:
        if (!is_stream_url) break;
        response.status = 200;
        response.content_type = "text/event-stream";
        return;
      case Method::kPost:
      case Method::kOptions:
      case Method::kOther:
        break;
    }
    respond_method_not_allowed(response, "GET, POST, DELETE");
  }

  static void answer_unknown(Path path, HttpResponse& response) {
    if (path != Path::kRegister)
      return respond_refusal(response, 404, "not_found", "There is nothing at this address.");
    // mcp-remote shows its user what stands in error_description, and nothing else.
    std::string body;
    JsonWriter json(body);
    json.begin_object().member("error", "invalid_request").member("error_description", kHowToSendKeys).end_object();
    respond_json(response, 404, std::move(body));
  }

  void refuse(const HttpRequest& request, const Error& error, HttpResponse& response) {
    if (error.code != Errc::kUnauthenticated) {
      if (error.code == Errc::kUnavailable) return respond_unavailable(response, error.message);
      return respond_refusal(response, http_status(error.code), to_string(error.code), error.message);
    }
    const bool is_missing = request.x_api_key.empty() && request.authorization.empty();
    events_.emit(RequestRefused{is_missing ? "missing_key" : "invalid_key", request.remote_address, error.detail});
    if (is_missing) return respond_unauthenticated(response, "missing_api_key", error.message);
    respond_unauthenticated(response, "invalid_api_key",
                            error.message + ". Check that the whole key is configured and has not been deleted.");
  }

  access::Gatekeeper& gatekeeper_;
  observability::EventSink& events_;
  std::atomic<bool> is_stopping_{false};
  const std::shared_ptr<SessionTable> sessions_;  // shared with streams, which may end after this object
  Dispatcher dispatcher_;
  StreamableHttp streamable_;
  SseEndpoint sse_;
};

}  // namespace

std::unique_ptr<McpEndpoint> McpEndpoint::create(McpConfig config, access::Gatekeeper& gatekeeper,
                                                 plugin_runtime::PluginHost& plugins,
                                                 observability::EventSink& events) {
  return std::make_unique<McpOverHttp>(std::move(config), gatekeeper, plugins, events);
}

}  // namespace toolhost::protocol
