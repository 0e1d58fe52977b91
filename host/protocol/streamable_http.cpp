#include "protocol/streamable_http.hpp"

#include "protocol/answer.hpp"
#include "protocol/era.hpp"
#include "protocol/http_replies.hpp"

namespace toolhost::protocol {
namespace {

namespace asio = boost::asio;
using transport::HttpRequest;
using transport::HttpResponse;

bool is_request(const Message& message) noexcept {
  return message.kind == Message::Kind::kRequest;
}

/// Hands the request to the dispatcher; its reply can be waited for.
std::shared_ptr<Answer> start(Dispatcher& dispatcher, Message&& message, const RequestContext& context) {
  auto answer = std::make_shared<Answer>();
  dispatcher.answer(std::move(message), context, [answer](Reply reply) { answer->set(std::move(reply)); });
  return answer;
}

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
  if (const auto* const error = std::get_if<RpcError>(&parsed)) {
    respond_error(response, 400, *error);
    return nothing_to_wait_for();
  }
  auto* const message = std::get_if<Message>(&parsed);
  if (message != nullptr) {
    if (const auto refusal = refuse_version(*message, request.mcp_protocol_version)) {
      respond_error(response, 400, *refusal);
      return nothing_to_wait_for();
    }
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
    context.revision = context.session->revision().value_or(kNewestRevision);
  } else {
    context.session = sessions_->without_session(*caller);
    context.shares_session = true;
    context.revision = parse_revision(request.mcp_protocol_version).value_or(kRevisionWithoutHeader);
  }
  context.caller = std::move(caller);

  if (message != nullptr && is_request(*message)) return answer_one(std::move(*message), std::move(context), response);
  if (message != nullptr) {
    if (message->kind == Message::Kind::kNotification) dispatcher_.note(*message, *context.session);
    respond_accepted(response);
    return nothing_to_wait_for();
  }
  return answer_batch(std::move(std::get<Batch>(parsed)), std::move(context), response);
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
  auto outcome = dispatcher_.initialize(message);
  if (const auto* const error = std::get_if<RpcError>(&outcome)) return respond_error(response, 200, *error);
  auto& initialized = std::get<Dispatcher::Initialized>(outcome);
  const auto session = sessions_->create(caller, initialized.revision, now);
  response.headers.append("Mcp-Session-Id: ").append(session->id()).append("\r\n");
  respond_json(response, 200, std::move(initialized.reply));
}

asio::awaitable<void> StreamableHttp::answer_one(Message message, RequestContext context, HttpResponse& response) {
  auto reply = co_await Answer::wait(start(dispatcher_, std::move(message), context));
  if (auto* const text = std::get_if<std::string>(&reply)) {
    respond_json(response, 200, std::move(*text));
  } else if (auto* const limited = std::get_if<Limited>(&reply)) {
    // 200: the text is for the model, which never sees what comes with another status.
    retry_after(response, limited->retry_after);
    respond_json(response, 200, std::move(limited->message));
  } else {
    respond_stopped(response, std::get<StopReason>(reply));
  }
}

asio::awaitable<void> StreamableHttp::answer_batch(Batch batch, RequestContext context, HttpResponse& response) {
  if (const auto refusal = refuse_batch(batch, context.revision)) {
    respond_error(response, 400, *refusal);
    co_return;
  }
  // All of them run at a time; the answers stand in the order of the requests.
  std::vector<std::shared_ptr<Answer>> answers;
  for (auto& entry : batch) {
    if (auto* const error = std::get_if<RpcError>(&entry)) {
      answers.push_back(std::make_shared<Answer>());
      answers.back()->set(encode_error(*error));
      continue;
    }
    auto& message = std::get<Message>(entry);
    if (is_request(message))
      answers.push_back(start(dispatcher_, std::move(message), context));
    else if (message.kind == Message::Kind::kNotification)
      dispatcher_.note(message, *context.session);
  }

  std::string replies;
  std::optional<StopReason> stopped;
  std::optional<std::chrono::milliseconds> longest_wait;
  for (auto& answer : answers) {
    const auto reply = co_await Answer::wait(std::move(answer));
    if (const auto* const limited = std::get_if<Limited>(&reply))
      longest_wait = std::max(longest_wait.value_or(limited->retry_after), limited->retry_after);
    if (const auto* const text = message_of(reply)) {
      replies.append(replies.empty() ? "[" : ",").append(*text);
    } else {
      stopped = std::get<StopReason>(reply);
    }
  }
  if (longest_wait) retry_after(response, *longest_wait);
  if (!replies.empty()) {
    respond_json(response, 200, std::move(replies.append("]")));
  } else if (stopped) {
    respond_stopped(response, *stopped);
  } else {
    respond_accepted(response);
  }
}

void StreamableHttp::open_stream(const HttpRequest& request, HttpResponse& response, const CallerPtr& caller) {
  if (!request.has_mcp_session_id) return respond_method_not_allowed(response, "POST, DELETE");
  if (!accepts(request.accept, "text/event-stream")) {
    return respond_error(response, 406, {RpcCode::kServerError, "Not Acceptable: the answer is text/event-stream", {}});
  }
  const auto session = sessions_->find(*caller, request.mcp_session_id, SessionTable::Clock::now());
  if (session == nullptr) return respond_session_not_found(response);
  auto stream = transport::SseStream::create();
  switch (sessions_->attach(*caller, session, stream)) {
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
