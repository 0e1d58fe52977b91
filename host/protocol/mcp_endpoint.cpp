#include "protocol/mcp_endpoint.hpp"

#include "access/grant.hpp"
#include "access/token_issuers.hpp"
#include "base/json_writer.hpp"
#include "protocol/dispatcher.hpp"
#include "protocol/fellow_hosts.hpp"
#include "protocol/http_replies.hpp"
#include "protocol/oauth_metadata.hpp"
#include "protocol/session.hpp"
#include "protocol/sse_endpoint.hpp"
#include "protocol/stream_resume.hpp"
#include "protocol/stream_table.hpp"
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

constexpr unsigned kTooManyRequests = 429;
constexpr std::chrono::seconds kWaitForKeys{5};  // of an issuer of tokens

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
  McpOverHttp(const McpConfig& config, access::Gatekeeper& gatekeeper, plugin_runtime::PluginHost& plugins,
              observability::EventSink& events)
      : plugins_(plugins),
        gatekeeper_(gatekeeper),
        resource_(gatekeeper.resource()),
        events_(events),
        failed_sign_in_period_(config.failed_sign_in_period),
        sessions_(std::make_shared<SessionTable>(config.sealing_key,
                                                 SessionLimits{.idle_limit = config.session_idle_limit,
                                                               .max_sessions_per_key = config.max_sessions_per_key,
                                                               .max_streams_per_key = config.max_streams_per_key})),
        dispatcher_(config, gatekeeper, plugins, events),
        streams_(std::make_shared<StreamTable>(config.sealing_key, config.streams, config.stream_store)),
        resume_(dispatcher_, streams_),
        fellows_(dispatcher_, gatekeeper, sessions_, *streams_, resume_, events),
        streamable_(dispatcher_, sessions_, streams_, resume_),
        sse_(dispatcher_, sessions_, streams_, resume_, fellows_) {
    fellows_.join({.message = [this](const SessionPtr& session, const CallerPtr& caller, std::string_view body,
                                     std::string_view version) { sse_.take_passed(session, caller, body, version); },
                   .changed = [this](const plugin_runtime::CatalogChange& change) { catalog_changed(change); }},
                  config.session_idle_limit);
    gatekeeper_.on_revoked([this](KeyId key) {
      sessions_->end_key(key, StopReason::kKeyRevoked, SessionTable::Clock::now());
      resume_.end_key(key);
      streams_->end_key(key);
    });
    plugins_.on_catalog([this](const plugin_runtime::CatalogChange& change) {
      catalog_changed(change);
      fellows_.tell_changed(change);
    });
  }

  ~McpOverHttp() override {
    plugins_.on_catalog(nullptr);
    gatekeeper_.on_revoked(nullptr);
    fellows_.leave();
    McpOverHttp::stop(std::chrono::milliseconds(0));
  }

  // Not a coroutine: the endpoint's is returned as it is, and whatever needs no waiting has none at all.
  asio::awaitable<void> handle(const HttpRequest& request, HttpResponse& response) override {
    const Path path = path_of(request.path);
    // Before any key is looked at: clients look for an authorization server here, without their key, and take anything
    // but 404 for one.
    if (path == Path::kUnknown || path == Path::kRegister) {
      if (resource_ == nullptr || !answer_metadata(*resource_, request, response)) answer_unknown(path, response);
      return nothing_to_wait_for();
    }
    if (is_stopping_.load(std::memory_order_relaxed)) {
      respond_unavailable(response, kStopping);
      return nothing_to_wait_for();
    }
    if (resource_ != nullptr && !access::presented_token(request.x_api_key, request.authorization).empty())
      return take_token(path, request, response);
    const auto endings = sessions_->endings();
    auto caller = gatekeeper_.authenticate(request.x_api_key, request.authorization, request.remote_address);
    if (!caller) {
      refuse(request, caller.error(), response);
      return nothing_to_wait_for();
    }
    sessions_->verified(**caller, endings);
    return go_on(path, request, response, std::move(*caller));
  }

  void lists_changed(std::span<const KeyId> keys, std::uint32_t lists) override {
    for (const auto& [bit, message] : kListsChanged) {
      if ((lists & bit) == 0) continue;
      for (const KeyId key : keys) sessions_->tell(key, message);
    }
    dispatcher_.lists_changed(keys, lists);
  }

  [[nodiscard]] Counts counts() const override {
    const auto sessions = sessions_->counts();
    return {.sessions = sessions.sessions,
            .streams = sessions.streams + dispatcher_.listeners(),
            .running_calls = dispatcher_.running_calls()};
  }

  void stop(std::chrono::milliseconds drain) override {
    is_stopping_.store(true, std::memory_order_relaxed);
    dispatcher_.drain(drain);
    sessions_->end_all(StopReason::kShutdown);
    resume_.end_all();
    streams_->clear();
  }

 private:
  asio::awaitable<void> go_on(Path path, const HttpRequest& request, HttpResponse& response, CallerPtr caller) {
    if (is_too_large(request, *caller)) {
      refuse_too_large(request, *caller, response);
      return nothing_to_wait_for();
    }
    if (request.method == Method::kPost && path != Path::kMessages)
      return streamable_.post(request, response, std::move(caller));
    answer_at_once(path, request, response, caller);
    if (response.status == kTooManyRequests)
      events_.emit(RequestRefused{"streams", request.remote_address, "too many open streams", caller.get()});
    return nothing_to_wait_for();
  }

  /// A request with an access token in place of a key.
  asio::awaitable<void> take_token(Path path, const HttpRequest& request, HttpResponse& response) {
    auto endings = sessions_->endings();
    auto caller = gatekeeper_.authenticate({}, request.authorization, request.remote_address);
    if (!caller && caller.error().code == Errc::kRetry) {
      co_await keys_fetched(gatekeeper_, kWaitForKeys);
      endings = sessions_->endings();
      caller = gatekeeper_.authenticate({}, request.authorization, request.remote_address);
    }
    if (!caller) co_return refuse_token(request, caller.error(), response);
    sessions_->verified(**caller, endings);
    co_await go_on(path, request, response, std::move(*caller));
    if (response.status != 401) co_return;
    response.headers.clear();
    respond_invalid_token(*resource_, request, response, "The access token ended while the call was running.");
  }

  void refuse_token(const HttpRequest& request, const Error& error, HttpResponse& response) {
    if (error.code == Errc::kUnauthenticated) {
      tell_refused(request, "invalid_token", {error.code, {}, error.message + " " + error.detail});
      return respond_invalid_token(*resource_, request, response, error.message);
    }
    if (error.code != Errc::kDenied) return respond_unavailable(response, error.message);
    tell_refused(request, "token_denied", error);
    respond_refusal(response, 403, "access_denied", error.message);
  }

  void catalog_changed(const plugin_runtime::CatalogChange& change) {
    const auto concerns = [&](const Session& session) { return !change.tenant || session.tenant() == *change.tenant; };
    for (const auto& [bit, message] : kListsChanged) {
      if ((change.lists & bit) == 0) continue;
      sessions_->tell_if(message, [&, list = bit](const Session& session) {
        return concerns(session) && dispatcher_.has_list(session.key(), list);
      });
    }
    if (!change.updated_uri.empty()) {
      sessions_->tell_if(encode_resource_updated(change.updated_uri), [&](const Session& session) {
        return concerns(session) && session.is_subscribed(change.updated_uri) &&
               dispatcher_.may_read(session.key(), change.updated_uri);
      });
    }
    dispatcher_.catalog_changed(change);
  }

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

  void answer_unknown(Path path, HttpResponse& response) const {
    if (path != Path::kRegister || resource_ != nullptr)
      return respond_refusal(response, 404, "not_found", "There is nothing at this address.");
    // mcp-remote shows its user what stands in error_description, and nothing else.
    std::string body;
    JsonWriter json(body);
    json.begin_object().member("error", "invalid_request").member("error_description", kHowToSendKeys).end_object();
    respond_json(response, 404, std::move(body));
  }

  static bool is_too_large(const HttpRequest& request, const Caller& caller) noexcept {
    return caller.grant != nullptr && request.body.size() > caller.grant->rights()->max_request();
  }

  void refuse_too_large(const HttpRequest& request, const Caller& caller, HttpResponse& response) {
    const auto text = "The request has " + std::to_string(request.body.size()) + " bytes; this tenant may send " +
                      std::to_string(caller.grant->rights()->max_request()) + ". Send less at once.";
    const auto* const reason = to_string(access::Reason::kRequestSize);
    events_.emit(RequestRefused{reason, request.remote_address, text, &caller});
    respond_refusal(response, 413, reason, text);
  }

  void refuse(const HttpRequest& request, const Error& error, HttpResponse& response) {
    const bool is_missing = request.x_api_key.empty() && request.authorization.empty();
    switch (error.code) {
      case Errc::kUnauthenticated:
        tell_refused(request, is_missing ? "missing_key" : "invalid_key", error);
        if (is_missing && resource_ != nullptr) {
          return respond_sign_in(
              *resource_, request, response,
              "Send an API key (X-API-Key: hdsk_...), or an access token of the authorization server "
              "as Authorization: Bearer.");
        }
        if (is_missing) return respond_unauthenticated(response, "missing_api_key", error.message);
        return respond_unauthenticated(
            response, "invalid_api_key",
            error.message + ". Check that the whole key is configured and has not been deleted.");
      case Errc::kDenied:
        tell_denied(request, error);
        return respond_refusal(response, 403, "access_denied", error.message);
      case Errc::kLimit:
        tell_refused(request, "failed_sign_ins", error);
        retry_after(response, failed_sign_in_period_);
        return respond_refusal(response, kTooManyRequests, "too_many_failed_sign_ins", error.message);
      case Errc::kUnavailable:
        return respond_unavailable(response, error.message);
      default:
        return respond_refusal(response, http_status(error.code), to_string(error.code), error.message);
    }
  }

  void tell_refused(const HttpRequest& request, std::string_view reason, const Error& error) {
    events_.emit(RequestRefused{reason, request.remote_address, error.detail});
  }

  void tell_denied(const HttpRequest& request, const Error& error) {
    const auto key = gatekeeper_.denied_key(request.x_api_key, request.authorization);
    if (!key) return tell_refused(request, "key_denied", error);
    events_.emit(RequestRefused{to_string(key->reason), request.remote_address, error.detail, key->caller.get()});
  }

  plugin_runtime::PluginHost& plugins_;
  access::Gatekeeper& gatekeeper_;
  const std::shared_ptr<const access::ProtectedResource> resource_;  ///< null: no access tokens
  observability::EventSink& events_;
  const std::chrono::seconds failed_sign_in_period_;
  std::atomic<bool> is_stopping_{false};
  const std::shared_ptr<SessionTable> sessions_;  // shared with streams, which may end after this object
  Dispatcher dispatcher_;
  const std::shared_ptr<StreamTable> streams_;  // shared with calls, likewise
  StreamResume resume_;
  FellowHosts fellows_;
  StreamableHttp streamable_;
  SseEndpoint sse_;
};

}  // namespace

std::unique_ptr<McpEndpoint> McpEndpoint::create(McpConfig config, access::Gatekeeper& gatekeeper,
                                                 plugin_runtime::PluginHost& plugins,
                                                 observability::EventSink& events) {
  return std::make_unique<McpOverHttp>(config, gatekeeper, plugins, events);
}

}  // namespace toolhost::protocol
