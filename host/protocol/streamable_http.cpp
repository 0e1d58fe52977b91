#include "protocol/streamable_http.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/deadline.hpp"
#include "protocol/era.hpp"
#include "protocol/http_replies.hpp"
#include "protocol/post_answer.hpp"

namespace toolhost::protocol {
namespace {

namespace asio = boost::asio;
using transport::HttpRequest;
using transport::HttpResponse;

// For what the client of a recovered session has said before: the database answers within milliseconds, or is away.
constexpr std::chrono::milliseconds kWaitForRecall{1000}, kFirstLook{2}, kLongestLook{50};

}  // namespace

asio::awaitable<void> StreamableHttp::post(const HttpRequest& request, HttpResponse& response, CallerPtr caller) {
  // Answers are JSON: a client that takes it gets it, whether or not it lists text/event-stream as well.
  if (!accepts(request.accept, "application/json")) {
    respond_error(response, 406, {RpcCode::kServerError, "Not Acceptable: the answer is application/json", {}});
    return nothing_to_wait_for();
  }
  if (!is_json(request.content_type)) {
    respond_error(response, 415,
                  {RpcCode::kServerError, "Unsupported Media Type: Content-Type must be application/json", {}});
    return nothing_to_wait_for();
  }
  auto parsed = parse_message(request.body);
  const auto revision_of_errors =
      is_modern_version(request.mcp_protocol_version) ? Revision::k2026_07_28 : kNewestLegacy;
  if (const auto* const error = std::get_if<RpcError>(&parsed)) {
    respond_error(response, 400, *error, revision_of_errors);
    return nothing_to_wait_for();
  }
  auto* const message = std::get_if<Message>(&parsed);
  if (message != nullptr) {
    const auto routed = route(*message, HeaderView::of(request));
    if (const auto* const refusal = std::get_if<RpcError>(&routed)) {
      respond_error(response, 400, *refusal, revision_of_errors);
      return nothing_to_wait_for();
    }
    if (const auto* const envelope = std::get_if<Envelope>(&routed))
      return modern_.post(std::move(*message), *envelope, request, response, std::move(caller));
    if (is_request(*message) && message->method == "initialize") {
      initialize(*message, request, response, *caller);
      return nothing_to_wait_for();
    }
  }

  RequestContext context;
  if (request.has_mcp_session_id) {
    context.session = sessions_->find(*caller, request.mcp_session_id, SessionTable::Clock::now());
    if (context.session == nullptr) {
      respond_session_not_found(response, message != nullptr && is_request(*message) ? message->id : std::string());
      return nothing_to_wait_for();
    }
    context.revision = context.session->revision().value_or(kNewestLegacy);
  } else {
    context.session = sessions_->without_session(*caller);
    context.shares_session = true;
    context.revision = parse_revision(request.mcp_protocol_version)
                           .value_or(request.mcp_protocol_version.empty() ? kRevisionWithoutHeader : kNewestLegacy);
  }
  context.caller = std::move(caller);
  if (context.session->waits_for_recall())
    return answer_recalled(std::move(parsed), std::move(context), request, response);
  return answer(std::move(parsed), std::move(context), request, response);
}

asio::awaitable<void> StreamableHttp::answer_recalled(Parsed parsed, RequestContext context, const HttpRequest& request,
                                                      HttpResponse& response) {
  const auto deadline = Deadline::after(kWaitForRecall);
  auto pause = kFirstLook;
  asio::steady_timer timer(co_await asio::this_coro::executor);
  while (context.session->waits_for_recall() && !deadline.has_passed()) {
    timer.expires_after(pause);
    co_await timer.async_wait(asio::use_awaitable);
    pause = std::min(pause * 2, kLongestLook);
  }
  context.session->stop_waiting_for_recall();
  co_await answer(std::move(parsed), std::move(context), request, response);
}

asio::awaitable<void> StreamableHttp::answer(Parsed parsed, RequestContext context, const HttpRequest& request,
                                             HttpResponse& response) {
  auto* const message = std::get_if<Message>(&parsed);
  context.capabilities = context.session->capabilities();
  context.log_level = context.session->log_level().value_or(plugin_runtime::LogLevel::kInfo);
  if (!request.traceparent.empty()) context.trace = observability::read_trace_context(request.traceparent);
  if (message != nullptr && is_request(*message)) {
    return answer_request(dispatcher_, streams_, std::move(*message), std::move(context),
                          asks_for_streams(request.accept), response);
  }
  if (message != nullptr) {
    if (message->kind == Message::Kind::kNotification) dispatcher_.note(*message, *context.session);
    if (message->kind == Message::Kind::kResponse) resume_.take_response(*message, *context.caller, request.body);
    respond_accepted(response);
    return nothing_to_wait_for();
  }
  return answer_batch(dispatcher_, std::move(std::get<Batch>(parsed)), std::move(context), response);
}

void StreamableHttp::initialize(const Message& message, const HttpRequest& request, HttpResponse& response,
                                const Caller& caller) {
  const auto now = SessionTable::Clock::now();
  if (request.has_mcp_session_id) {
    // The id of a session that is gone does no harm here: the client is beginning anew.
    const auto session = sessions_->find_remembered(caller, request.mcp_session_id, now);
    if (session != nullptr && !session->ended()) {
      return respond_error(
          response, 400, {RpcCode::kInvalidRequest, "Invalid Request: the session is initialized already", message.id});
    }
  }
  auto outcome = dispatcher_.initialize(message, caller);
  if (const auto* const error = std::get_if<RpcError>(&outcome)) return respond_error(response, 200, *error);
  auto& initialized = std::get<Dispatcher::Initialized>(outcome);
  const auto session = sessions_->create(caller, initialized.revision, now, initialized.capabilities);
  response.headers.append("Mcp-Session-Id: ").append(session->id()).append("\r\n");
  respond_json(response, 200, std::move(initialized.reply));
}

void StreamableHttp::open_stream(const HttpRequest& request, HttpResponse& response, const CallerPtr& caller) {
  if (!request.has_mcp_session_id && request.last_event_id.empty())
    return respond_method_not_allowed(response, "POST, DELETE");
  if (!accepts(request.accept, "text/event-stream")) {
    return respond_error(response, 406, {RpcCode::kServerError, "Not Acceptable: the answer is text/event-stream", {}});
  }
  SessionPtr session;
  if (request.has_mcp_session_id) {
    session = sessions_->find(*caller, request.mcp_session_id, SessionTable::Clock::now());
    if (session == nullptr) return respond_session_not_found(response);
  }
  std::optional<EventTokens::Place> place;
  if (!request.last_event_id.empty()) {
    place = streams_->tokens.open(request.last_event_id, caller->key_id, std::chrono::system_clock::now());
    const bool is_for_session = place && place->token.kind != EventToken::Kind::kCall;
    if (!place || (is_for_session && session == nullptr))
      return respond_error(response, 400, {RpcCode::kServerError, "Bad Request: Last-Event-ID is not known", {}});
    if (!is_for_session) return resume_.resume(*place, response);
  }
  open_session_stream(session, place, response, *caller);
}

void StreamableHttp::open_session_stream(const SessionPtr& session, const std::optional<EventTokens::Place>& place,
                                         HttpResponse& response, const Caller& caller) {
  auto stream = transport::SseStream::create();
  const auto revision = session->revision().value_or(kNewestLegacy);
  StreamStart start{.token = streams_->tokens.seal({.kind = EventToken::Kind::kSession,
                                                    .key = caller.key_id,
                                                    .stream = session->stream_id(),
                                                    .host = streams_->host(),
                                                    .expires = 0,
                                                    .rpc_id = {},
                                                    .may_have_saved = false}),
                    .retry = {},
                    .after = {}};
  if (revision >= Revision::k2025_11_25) start.retry = streams_->config.retry;
  // What this host has told the session is news to a client that was here before the host forgot it.
  if (place) start.after = place->token.stream == session->stream_id() ? place->number : 0;
  switch (sessions_->attach(caller, session, stream, start)) {
    case SessionTable::Attaching::kTooMany:
      return respond_too_many_streams(response);
    case SessionTable::Attaching::kOccupied:
      return respond_error(response, 409, {RpcCode::kServerError, "Conflict: this session has a stream already", {}});
    case SessionTable::Attaching::kEnded:
      return respond_stopped(response, session->ended().value_or(StopReason::kKeyRevoked));
    case SessionTable::Attaching::kAttached:
      break;
  }
  stream->on_closed([sessions = sessions_, session, raw = stream.get()] { sessions->detach(session, *raw); });
  response.status = 200;
  response.stream = std::move(stream);
}

void StreamableHttp::end_session(const HttpRequest& request, HttpResponse& response, const CallerPtr& caller) {
  if (!request.has_mcp_session_id) {
    return respond_error(response, 400, {RpcCode::kServerError, "Bad Request: Mcp-Session-Id is required", {}});
  }
  if (!sessions_->end(*caller, request.mcp_session_id, SessionTable::Clock::now()))
    return respond_session_not_found(response);
  response.status = 200;
}

}  // namespace toolhost::protocol
