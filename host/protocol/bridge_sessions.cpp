#include "protocol/bridge.hpp"

#include <utility>

namespace toolhost::protocol::bridge {
namespace {

using transport::SseReader;

constexpr unsigned kMostPages = 50;

}  // namespace

void Bridge::begin_session(const BridgeLine& line) {
  initialize_ = line.text;
  version_.clear();
  session_.clear();
}

Awaitable<bool> Bridge::renew(std::uint64_t session) {
  const bool has_waited = is_renewing_;
  while (is_renewing_) co_await progress_.wait(Deadline::after(kPatience));
  if (session != sessions_) co_return true;
  if (has_waited || !initialize_) co_return false;
  is_renewing_ = true;
  const std::string forgotten = std::exchange(session_, {}), version = std::exchange(version_, {});
  bool is_renewed = false;
  try {
    is_renewed = co_await initialize_again();
  } catch (const std::exception& error) {
    config_.tell(error.what());
  }
  if (!is_renewed) {
    session_ = forgotten;  // so that the next request is told, too, that it has to be renewed
    version_ = version;
    config_.tell("the server has forgotten the session and does not begin another one");
  } else {
    ++sessions_;
    config_.tell("the server had forgotten the session; it was begun anew");
    start_listening();
  }
  is_renewing_ = false;
  progress_.notify();
  co_return is_renewed;
}

Awaitable<bool> Bridge::initialize_again() {
  const auto parsed = parse_message(*initialize_);
  const auto answer = co_await ask(std::get<Message>(parsed), true);
  if (!answer) co_return false;
  const auto parsed_answer = parse_message(*answer);
  const auto* const message = std::get_if<Message>(&parsed_answer);
  if (message != nullptr) note_version(*message);
  if (version_.empty()) co_return false;
  auto initialized = std::make_shared<Post>();
  initialized->line.text = R"({"jsonrpc":"2.0","method":"notifications/initialized"})";
  const auto limit = Deadline::after(kPatience);
  const auto patience = giving_up(initialized, limit);
  const Step step = mode_ == Mode::kSse ? co_await post_to_stream(initialized) : co_await send(initialized);
  co_return step.kind == Kind::kDone && !limit.has_passed();
}

boost::asio::steady_timer Bridge::giving_up(const PostPtr& post, Deadline limit) {
  boost::asio::steady_timer timer(io_, limit.at());
  timer.async_wait([post](const boost::system::error_code& ec) {
    if (!ec && post->exchange) post->exchange->abort();
  });
  return timer;
}

Awaitable<std::optional<std::string>> Bridge::ask(const Message& request, bool begins_session) {
  const std::string id = "toolhost-" + std::to_string(++last_own_);
  auto post = std::make_shared<Post>();
  auto line = read_bridge_line(with_id(request, id));
  post->line = std::get<BridgeLine>(std::move(line));
  const std::string key = post->line.ids.front();
  own_[key].reset();
  const auto limit = Deadline::after(kPatience);
  const auto patience = giving_up(post, limit);
  if (mode_ == Mode::kSse) {
    co_await post_to_stream(post);
  } else {
    const ExchangePtr exchange = post->exchange = channel_->begin();
    const auto head = co_await exchange->ask(question_of(post->line));
    if (head && head->status == 200) {
      if (begins_session) session_ = head->mcp_session_id;
      SseReader reader(kMaxMessage);
      if (head->content_type == kStreamType) {
        co_await read_events(exchange, reader, [&] { return own_[key].has_value(); });
      } else if (const auto body = co_await whole(*exchange)) {
        deliver(*body);
      }
    }
  }
  while (mode_ == Mode::kSse && !own_[key] && !limit.has_passed()) co_await progress_.wait(limit);
  auto answer = std::move(own_[key]);
  own_.erase(key);
  co_return answer;
}

Awaitable<bool> Bridge::learn_tools(const Post& call) {
  json::Value meta;
  if (json::find(*call.line.message->params, "_meta").get(meta) != simdjson::SUCCESS) co_return false;
  std::string cursor;
  for (unsigned page = 0; page < kMostPages; ++page) {
    std::string text = R"({"jsonrpc":"2.0","id":0,"method":"tools/list","params":{"_meta":)" + json::to_text(meta);
    if (page > 0) text += R"(,"cursor":)" + cursor;
    const auto parsed = parse_message(text + "}}");
    const auto* const request = std::get_if<Message>(&parsed);
    const auto answer = request != nullptr ? co_await ask(*request) : std::nullopt;
    if (!answer) co_return false;
    const auto listed = parse_message(*answer);
    const auto* const message = std::get_if<Message>(&listed);
    if (message == nullptr) co_return false;
    learn(*message);
    json::Value result, next;
    if (json::find(message->document->root(), "result").get(result) != simdjson::SUCCESS ||
        json::find(result, "nextCursor").get(next) != simdjson::SUCCESS)
      break;
    cursor = json::to_text(next);
  }
  co_return true;
}

}  // namespace toolhost::protocol::bridge
