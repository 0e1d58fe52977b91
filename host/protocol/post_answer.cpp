#include "protocol/post_answer.hpp"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "protocol/era.hpp"
#include "protocol/http_call_stream.hpp"
#include "protocol/http_replies.hpp"
#include "protocol/oauth_metadata.hpp"

namespace toolhost::protocol {
namespace {

namespace asio = boost::asio;
using transport::HttpResponse;

/// Hands the request to the dispatcher; its reply can be waited for.
void start(Dispatcher& dispatcher, Message&& message, const RequestContext& context,
           const std::shared_ptr<HttpCallStream>& stream) {
  dispatcher.answer(std::move(message), context, [stream](Reply reply) { stream->finish(std::move(reply)); });
}

void respond(HttpResponse& response, Reply&& reply) {
  if (auto* const text = std::get_if<std::string>(&reply)) {
    respond_json(response, 200, std::move(*text));
  } else if (auto* const limited = std::get_if<Limited>(&reply)) {
    if (!limited->challenge.empty()) return respond_insufficient_scope(response, limited->challenge);
    // 200: the text is for the model, which never sees what comes with another status.
    retry_after(response, limited->retry_after);
    respond_json(response, 200, std::move(limited->message));
  } else if (auto* const rejected = std::get_if<Rejected>(&reply)) {
    respond_json(response, rejected->status, std::move(rejected->message));
  } else {
    respond_stopped(response, std::get<StopReason>(reply));
  }
}

}  // namespace

asio::awaitable<void> answer_request(Dispatcher& dispatcher, std::shared_ptr<StreamTable> streams, Message message,
                                     RequestContext context, bool accepts_stream, HttpResponse& response) {
  const auto stream = std::make_shared<HttpCallStream>(std::move(streams), context, accepts_stream);
  context.stream = stream;
  stream->watch(response);
  start(dispatcher, std::move(message), context, stream);
  auto reply = co_await HttpCallStream::wait(stream, response);
  if (reply) respond(response, std::move(*reply));
}

asio::awaitable<void> answer_batch(Dispatcher& dispatcher, Batch batch, RequestContext context,
                                   HttpResponse& response) {
  if (const auto refusal = refuse_batch(batch, context.revision)) {
    respond_error(response, 400, *refusal);
    co_return;
  }
  // All of them run at a time; the answers stand in the order of the requests.
  std::vector<std::shared_ptr<HttpCallStream>> answers;
  for (auto& entry : batch) {
    auto* const message = std::get_if<Message>(&entry);
    if (message != nullptr && message->kind == Message::Kind::kNotification)
      dispatcher.note(*message, *context.session);
    if (message != nullptr && message->kind == Message::Kind::kResponse)
      dispatcher.take_response(*message, context.caller->key_id);
    if (message != nullptr && message->kind != Message::Kind::kRequest) continue;
    answers.push_back(std::make_shared<HttpCallStream>());
    if (message != nullptr)
      start(dispatcher, std::move(*message), context, answers.back());
    else
      answers.back()->finish(encode_error(std::get<RpcError>(entry)));
  }

  std::string replies;
  std::optional<StopReason> stopped;
  std::optional<std::chrono::milliseconds> longest_wait;
  for (auto& answer : answers) {
    const auto reply = co_await HttpCallStream::wait(std::move(answer), response);
    if (const auto* const limited = std::get_if<Limited>(&*reply))
      longest_wait = std::max(longest_wait.value_or(limited->retry_after), limited->retry_after);
    if (const auto* const text = message_of(*reply)) {
      replies.append(replies.empty() ? "[" : ",").append(*text);
    } else {
      stopped = std::get<StopReason>(*reply);
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

}  // namespace toolhost::protocol
