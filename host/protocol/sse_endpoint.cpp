#include "protocol/sse_endpoint.hpp"

#include <atomic>

#include "protocol/call_stream.hpp"
#include "protocol/era.hpp"
#include "protocol/http_replies.hpp"

namespace toolhost::protocol {
namespace {

using transport::HttpRequest;
using transport::HttpResponse;
using transport::SseStream;

/// What a session had agreed on in `initialize`, for the id of an event that its client brings back.
std::string seal_facts(const EventTokens& tokens, const Session& session) {
  const auto bits = session.capabilities().bits();
  const std::string facts{static_cast<char>(session.revision().value_or(kNewestLegacy)), static_cast<char>(bits & 0xFF),
                          static_cast<char>(bits >> 8)};
  return tokens.seal({.kind = EventToken::Kind::kSse,
                      .key = session.key(),
                      .stream = session.wishes_name(),
                      .host = 0,
                      .expires = 0,
                      .rpc_id = facts,
                      .may_have_saved = false});
}

/// A call of a session whose stream takes everything.
class SseCallStream final : public CallStream {
 public:
  explicit SseCallStream(std::shared_ptr<SseStream> stream) : stream_(std::move(stream)) {}
  void bind(std::weak_ptr<OpenCall>) noexcept override {}
  void notify(std::string_view message) override { stream_->send("message", message); }
  [[nodiscard]] bool can_ask() const noexcept override { return true; }
  // Whatever ends a call early also closes the stream, or is the client's own wish: there is nothing to say then.
  void finish(Reply reply) override {
    if (std::holds_alternative<Limited>(reply)) is_limited_ = true;
    if (const auto* const text = message_of(reply)) stream_->send("message", *text);
  }
  void let_go() override {}
  [[nodiscard]] bool is_streamed() const noexcept override { return false; }
  std::optional<plugin_runtime::KeptStream> settle() noexcept override { return std::nullopt; }
  [[nodiscard]] bool is_limited() const noexcept { return is_limited_; }

 private:
  const std::shared_ptr<SseStream> stream_;
  std::atomic<bool> is_limited_{false};
};

}  // namespace

void SseEndpoint::open(const HttpRequest& request, HttpResponse& response, const CallerPtr& caller) {
  if (!accepts(request.accept, "text/event-stream")) {
    return respond_error(response, 406, {RpcCode::kServerError, "Not Acceptable: the answer is text/event-stream", {}});
  }
  auto stream = SseStream::create();
  const auto session = sessions_->open_stream(*caller, stream);
  if (session == nullptr) return respond_too_many_streams(response);
  if (const auto reason = session->ended()) return respond_stopped(response, *reason);
  restore(session, request.last_event_id);
  // Relative, so that it leads through whatever proxy the client came through.
  stream->send("endpoint", "/messages?sessionId=" + session->id());
  stream->on_closed([sessions = sessions_, session] { sessions->close_stream(session); });
  response.status = 200;
  response.stream = std::move(stream);
}

/// After a reconnect SDK clients go on without `initialize`.
void SseEndpoint::restore(const SessionPtr& session, std::string_view last_event_id) const {
  const auto place = streams_->tokens.open(last_event_id, session->key(), std::chrono::system_clock::now());
  if (!place || place->token.kind != EventToken::Kind::kSse || place->token.rpc_id.size() != 3) return;
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(place->token.rpc_id[at]); };
  if (byte(0) > static_cast<unsigned char>(kNewestLegacy)) return;  // of a newer host
  session->set_revision(static_cast<Revision>(byte(0)));
  session->set_capabilities(ClientCapabilities::from_bits(static_cast<std::uint16_t>(byte(1) | byte(2) << 8)));
  session->set_wishes_name(place->token.stream);
  fellows_.recall(session);
}

void SseEndpoint::post(const HttpRequest& request, HttpResponse& response, const CallerPtr& caller) {
  const auto id = query_parameter(request.query, "sessionId");
  if (id.empty()) {
    return respond_error(response, 400,
                         {RpcCode::kServerError, "Bad Request: the query parameter sessionId is missing", {}});
  }
  const auto session = sessions_->find_stream(*caller, id);
  const bool is_here = session != nullptr && session->stream() != nullptr;
  if (!is_here && !sessions_->facts_of(*caller, id)) return respond_session_not_found(response);
  if (!is_json(request.content_type)) {
    return respond_error(response, 415,
                         {RpcCode::kServerError, "Unsupported Media Type: Content-Type must be application/json", {}});
  }
  auto parsed = parse_message(request.body);
  if (const auto* const error = std::get_if<RpcError>(&parsed)) return respond_error(response, 400, *error);
  if (!is_here) {
    switch (fellows_.pass_on(*caller, id, request.body, request.mcp_protocol_version)) {
      case FellowHosts::Passing::kNobody:
        return respond_session_not_found(response);
      case FellowHosts::Passing::kNotNow:
        return respond_unavailable(response, "The host of this session cannot be reached now; try again shortly.");
      case FellowHosts::Passing::kPassed:
        break;
    }
  } else if (!take_all(std::move(parsed), session, caller, request.body, request.mcp_protocol_version, response)) {
    return;
  }
  response.status = 202;
  response.content_type = "text/plain";
  response.body = "Accepted";
}

void SseEndpoint::take_passed(const SessionPtr& session, const CallerPtr& caller, std::string_view body,
                              std::string_view version) {
  HttpResponse unseen;
  auto parsed = parse_message(body);
  const auto stream = session->stream();
  if (stream == nullptr || std::holds_alternative<RpcError>(parsed)) return;
  if (!take_all(std::move(parsed), session, caller, body, version, unseen)) stream->send("message", unseen.body);
}

bool SseEndpoint::take_all(Parsed&& parsed, const SessionPtr& session, const CallerPtr& caller, std::string_view text,
                           std::string_view version, HttpResponse& response) {
  const auto stream = session->stream();
  if (stream == nullptr) return true;  // it has just closed: there is nobody to answer
  RequestContext context;
  context.caller = caller;
  context.session = session;
  // The field that SDK clients send tells what they had agreed on, when nothing else does.
  context.revision = session->revision().value_or(parse_revision(version).value_or(kNewestLegacy));
  context.capabilities = session->capabilities();
  context.log_level = session->log_level().value_or(plugin_runtime::LogLevel::kInfo);

  if (auto* const message = std::get_if<Message>(&parsed)) {
    take(std::move(*message), context, text, stream, response);
    return true;
  }
  if (const auto refusal = refuse_batch(std::get<Batch>(parsed), session->revision())) {
    respond_error(response, 400, *refusal);
    return false;
  }
  for (auto& entry : std::get<Batch>(parsed)) {
    if (const auto* const error = std::get_if<RpcError>(&entry))
      stream->send("message", encode_error(*error));
    else
      take(std::move(std::get<Message>(entry)), context, {}, stream, response);
  }
  return true;
}

void SseEndpoint::take(Message&& message, RequestContext& context, std::string_view text,
                       const std::shared_ptr<SseStream>& stream, HttpResponse& response) {
  if (message.kind == Message::Kind::kNotification) return dispatcher_.note(message, *context.session);
  if (message.kind == Message::Kind::kResponse) return resume_.take_response(message, *context.caller, text);
  if (const auto refusal = refuse_modern(message)) {
    stream->send("message", encode_error(*refusal));
    return;
  }
  if (message.method == "initialize") return initialize(message, context, *stream);
  const auto call = std::make_shared<SseCallStream>(stream);
  context.stream = call;
  dispatcher_.answer(std::move(message), context, [call](Reply reply) { call->finish(std::move(reply)); });
  if (call->is_limited()) hold_back(response);  // refused at once
}

void SseEndpoint::initialize(const Message& message, const RequestContext& context, SseStream& stream) {
  const auto outcome = dispatcher_.initialize(message, *context.caller);
  if (const auto* const error = std::get_if<RpcError>(&outcome)) {
    stream.send("message", encode_error(*error));
    return;
  }
  const auto& initialized = std::get<Dispatcher::Initialized>(outcome);
  context.session->set_revision(initialized.revision);
  context.session->set_capabilities(initialized.capabilities);
  const auto id = seal_facts(streams_->tokens, *context.session) + ".0";
  stream.send({.event = "message", .data = initialized.reply, .id = id, .retry = {}});
}

}  // namespace toolhost::protocol
