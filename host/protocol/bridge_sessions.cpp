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
  while (is_renewing_) co_await progress_.wait(Deadline::after(kPatience));
  if (session != sessions_) co_return true;
  if (!initialize_) co_return false;
  is_renewing_ = true;
  version_.clear();
  session_.clear();
  const bool is_renewed = co_await initialize_again();
  if (is_renewed) {
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
  const auto message = parse_message(*answer);
  note_version(std::get<Message>(message));
  if (version_.empty()) co_return false;
  auto initialized = std::make_shared<Post>();
  initialized->line.text = R"({"jsonrpc":"2.0","method":"notifications/initialized"})";
  const Step step = mode_ == Mode::kSse ? co_await post_to_stream(initialized) : co_await send(initialized);
  co_return step.kind == Kind::kDone;
}

Awaitable<std::optional<std::string>> Bridge::ask(const Message& request, bool begins_session) {
  const std::string id = "toolhost-" + std::to_string(++last_own_);
  auto post = std::make_shared<Post>();
  auto line = read_bridge_line(with_id(request, id));
  post->line = std::get<BridgeLine>(std::move(line));
  const std::string key = post->line.ids.front();
  own_[key].reset();
  const auto limit = Deadline::after(kPatience);
  if (mode_ == Mode::kSse) {
    co_await post_to_stream(post);
  } else {
    const ExchangePtr exchange = channel_->begin();
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
    const auto& message = std::get<Message>(listed);
    learn(message);
    json::Value result, next;
    if (json::find(message.document->root(), "result").get(result) != simdjson::SUCCESS ||
        json::find(result, "nextCursor").get(next) != simdjson::SUCCESS)
      break;
    cursor = json::to_text(next);
  }
  co_return true;
}

}  // namespace toolhost::protocol::bridge
