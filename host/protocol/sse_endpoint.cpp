#include "protocol/sse_endpoint.hpp"

#include "protocol/era.hpp"
#include "protocol/http_replies.hpp"

namespace toolhost::protocol {
namespace {

using transport::HttpRequest;
using transport::HttpResponse;
using transport::SseStream;

}  // namespace

void SseEndpoint::open(const HttpRequest& request, HttpResponse& response, const CallerPtr& caller) {
  if (!accepts(request.accept, "text/event-stream")) {
    return respond_error(response, 406, {RpcCode::kServerError, "Not Acceptable: the answer is text/event-stream", {}});
  }
  auto stream = SseStream::create();
  const auto session = sessions_->open_stream(*caller, stream);
  if (session == nullptr) return respond_too_many_streams(response);
  if (const auto reason = session->ended()) return respond_stopped(response, *reason);
  // Relative, so that it leads through whatever proxy the client came through.
  stream->send("endpoint", "/messages?sessionId=" + session->id());
  stream->on_closed([sessions = sessions_, session] { sessions->close_stream(session); });
  response.status = 200;
  response.stream = std::move(stream);
}

void SseEndpoint::post(const HttpRequest& request, HttpResponse& response, const CallerPtr& caller) {
  const auto id = query_parameter(request.query, "sessionId");
  if (id.empty()) {
    return respond_error(response, 400,
                         {RpcCode::kServerError, "Bad Request: the query parameter sessionId is missing", {}});
  }
  const auto session = sessions_->find_stream(*caller, id);
  const auto stream = session == nullptr ? nullptr : session->stream();
  if (stream == nullptr) return respond_session_not_found(response);
  if (!is_json(request.content_type)) {
    return respond_error(response, 415,
                         {RpcCode::kServerError, "Unsupported Media Type: Content-Type must be application/json", {}});
  }
  auto parsed = parse_message(request.body);
  if (const auto* const error = std::get_if<RpcError>(&parsed)) return respond_error(response, 400, *error);

  RequestContext context;
  context.caller = caller;
  context.session = session;
  // After a reconnect SDK clients go on without `initialize`; the field that they send tells what they had agreed on.
  context.revision =
      session->revision().value_or(parse_revision(request.mcp_protocol_version).value_or(kNewestRevision));

  if (auto* const message = std::get_if<Message>(&parsed)) {
    take(std::move(*message), context, stream, response);
  } else {
    if (const auto refusal = refuse_batch(std::get<Batch>(parsed), session->revision()))
      return respond_error(response, 400, *refusal);
    for (auto& entry : std::get<Batch>(parsed)) {
      if (const auto* const error = std::get_if<RpcError>(&entry))
        stream->send("message", encode_error(*error));
      else
        take(std::move(std::get<Message>(entry)), context, stream, response);
    }
  }
  response.status = 202;
  response.content_type = "text/plain";
  response.body = "Accepted";
}

void SseEndpoint::take(Message&& message, const RequestContext& context, const std::shared_ptr<SseStream>& stream,
                       HttpResponse& response) {
  if (message.kind == Message::Kind::kNotification) return dispatcher_.note(message, *context.session);
  if (message.kind == Message::Kind::kResponse) return;
  if (const auto refusal = refuse_version(message, {})) {
    stream->send("message", encode_error(*refusal));
    return;
  }
  if (message.method == "initialize") {
    const auto outcome = dispatcher_.initialize(message);
    if (const auto* const error = std::get_if<RpcError>(&outcome)) {
      stream->send("message", encode_error(*error));
      return;
    }
    const auto& initialized = std::get<Dispatcher::Initialized>(outcome);
    context.session->set_revision(initialized.revision);
    stream->send("message", initialized.reply);
    return;
  }
  // Whatever ends a call early also closes the stream, or is the client's own wish: there is nothing to say then.
  const auto is_limited = std::make_shared<std::atomic<bool>>(false);
  dispatcher_.answer(std::move(message), context, [stream, is_limited](Reply reply) {
    if (std::holds_alternative<Limited>(reply)) *is_limited = true;
    if (const auto* const text = message_of(reply)) stream->send("message", *text);
  });
  if (*is_limited) hold_back(response);  // refused at once
}

}  // namespace toolhost::protocol
