#include "protocol/bridge.hpp"

#include <algorithm>
#include <utility>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "protocol/mcp_header.hpp"

namespace toolhost::protocol::bridge {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using transport::HttpExchange;
using transport::HttpQuestion;

constexpr std::string_view kBoth = "application/json, text/event-stream";

}  // namespace

Awaitable<void> Signal::wait(Deadline limit) {
  asio::steady_timer timer(io_, limit.at());
  waiting_.push_back(&timer);
  boost::system::error_code ignored;
  co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  std::erase(waiting_, &timer);
}

void Signal::notify() {
  for (auto* const timer : waiting_) timer->cancel();
}

bool Bridge::is_open(const PostPtr& post) const {
  return std::ranges::any_of(post->line.ids, [&](const auto& id) {
    const auto found = open_.find(id);
    return found != open_.end() && found->second == post;
  });
}

Awaitable<void> Bridge::serve(PostPtr post) {
  std::optional<Deadline> patience;
  milliseconds wait = kFirstWait;
  bool was_renewed = false, has_learned = false;
  while (is_wanted(post)) {
    if (is_renewing_ && !post->line.is_modern() && !post->line.is_initialize()) {
      co_await progress_.wait(Deadline::after(kPatience));
      continue;
    }
    const auto session = sessions_;
    Step step = mode_ == Mode::kSse ? co_await send_by_stream(post) : co_await send(post);
    if (step.kind == Kind::kForgotten && !std::exchange(was_renewed, true) && co_await renew(session)) continue;
    if (step.kind == Kind::kUnlearned && !std::exchange(has_learned, true) && co_await learn_tools(*post)) continue;
    if (step.kind == Kind::kOtherTransport) {
      fall_back();
      continue;
    }
    const bool may_again = step.kind == Kind::kUnreached || (step.kind == Kind::kLost && post->line.can_repeat());
    if (step.kind == Kind::kLost && !may_again && !post->line.ids.empty()) step.why = kMayHaveRun;
    if (step.kind != Kind::kDone && !may_again) fail(post, step.why);
    if (!may_again) co_return;
    if (!patience) patience = Deadline::after(has_met_ ? kPatience : kFirstPatience);
    if (patience->has_passed() && post->line.method != "subscriptions/listen") {
      fail(post, step.why);
      co_return;
    }
    say_away(step.why);
    co_await sleep(wait);
    wait = std::min(wait * 2, kLongestWait);
  }
}

HttpQuestion Bridge::question(HttpQuestion::Method method, std::string_view accept) const {
  HttpQuestion question{.method = method, .target = config_.url.target, .fields = {{"Accept", std::string(accept)}}};
  if (!version_.empty()) question.fields.emplace_back("MCP-Protocol-Version", version_);
  if (!session_.empty()) question.fields.emplace_back("Mcp-Session-Id", session_);
  return question;
}

HttpQuestion Bridge::question_of(const BridgeLine& line) const {
  HttpQuestion asked = question(HttpQuestion::Method::kPost, kBoth);
  if (line.is_modern()) {
    asked.fields = header_fields(*line.message, line.modern_version);
    asked.fields.emplace_back("Accept", kBoth);
    add_argument_fields(*line.message, asked.fields);
  }
  asked.body = line.text;
  return asked;
}

void Bridge::add_argument_fields(const Message& message, transport::HttpFields& fields) const {
  json::Value name, arguments;
  std::string_view text;
  if (message.method != "tools/call" || !message.params ||
      json::find(*message.params, "name").get(name) != simdjson::SUCCESS || name.get(text) != simdjson::SUCCESS ||
      json::find(*message.params, "arguments").get(arguments) != simdjson::SUCCESS)
    return;
  const auto known = tools_.find(std::string(text));
  if (known == tools_.end()) return;
  for (auto& field : argument_header_fields(arguments, known->second)) fields.push_back(std::move(field));
}

Awaitable<Step> Bridge::send(PostPtr post) {
  const ExchangePtr exchange = post->exchange = channel_->begin();
  const bool had_session = !session_.empty() && !post->line.is_modern();
  const auto head = co_await exchange->ask(question_of(post->line));
  if (!head) co_return unanswered(*exchange, head.error());
  if (!is_away(head->status)) say_back();
  if (head->status >= 200 && head->status < 300) {
    has_met_ = true;
    if (mode_ == Mode::kUnknown) mode_ = Mode::kHttp;
    if (post->line.is_initialize()) {
      session_ = head->mcp_session_id;
      ++sessions_;
    }
  }
  if (head->status == 200 && head->content_type == kStreamType) co_return co_await follow(post, exchange);
  const auto body = co_await whole(*exchange);
  if (!body) {
    if (body.error().code == Errc::kLimit) co_return Step{Kind::kRefused, body.error().message};
    co_return unanswered(*exchange, body.error());
  }
  co_return judge(post, head->status, *body, had_session);
}

Step Bridge::unanswered(const HttpExchange& exchange, const Error& error) {
  if (error.code == Errc::kCancelled) return {};
  if (error.code != Errc::kUnavailable) return {Kind::kRefused, error.message};
  return {exchange.was_sent() ? Kind::kLost : Kind::kUnreached, error.message};
}

Step Bridge::judge(const PostPtr& post, unsigned status, std::string_view body, bool had_session) {
  if (status == 200 || is_answer(post, body)) {
    if (!body.empty()) deliver(body);
    if (!is_open(post)) return {};
    return {Kind::kRefused, server() + " answered something else than MCP"};
  }
  if (status == 202 || status == 204) {
    if (post->is_cancelled) fail(post, "");
    return {};
  }
  if (status == 404 && had_session) return {Kind::kForgotten, refusal(status, body)};
  if ((status == 404 || status == 405) && mode_ == Mode::kUnknown)
    return {Kind::kOtherTransport, refusal(status, body)};
  if (is_away(status)) {
    const bool is_untouched = status == 503 && is_repeatable(body);
    return {is_untouched ? Kind::kUnreached : Kind::kLost, refusal(status, body)};
  }
  return relay(post, status, body);
}

bool Bridge::is_answer(const PostPtr& post, std::string_view body) {
  if (post->line.ids.size() != 1 || !post->line.is_modern()) return false;
  const auto parsed = parse_message(body);
  const auto* const message = std::get_if<Message>(&parsed);
  return message != nullptr && message->kind == Message::Kind::kResponse && message->id == post->line.ids.front() &&
         !needs_fields(post, *message);
}

bool Bridge::needs_fields(const PostPtr& post, const Message& answer) {
  json::Value error, code;
  std::int64_t number = 0;
  return post->line.method == "tools/call" &&
         json::find(answer.document->root(), "error").get(error) == simdjson::SUCCESS &&
         json::find(error, "code").get(code) == simdjson::SUCCESS && code.get(number) == simdjson::SUCCESS &&
         number == static_cast<int>(RpcCode::kHeaderMismatch);
}

Step Bridge::relay(const PostPtr& post, unsigned status, std::string_view body) {
  const auto document = json::acquire_document();
  const auto root = document->parse(body);
  json::Value error, code;
  std::int64_t number = 0;
  const bool is_rpc = root && json::find(*root, "error").get(error) == simdjson::SUCCESS &&
                      json::find(error, "code").get(code) == simdjson::SUCCESS && code.get(number) == simdjson::SUCCESS;
  if (!is_rpc || status == 401 || status == 403) return {Kind::kRefused, refusal(status, body)};
  if (number == static_cast<int>(RpcCode::kHeaderMismatch) && post->line.method == "tools/call")
    return {Kind::kUnlearned, reason_in(body)};
  json::Value data;
  const bool has_data = json::find(error, "data").get(data) == simdjson::SUCCESS;
  fail(post, reason_in(body), static_cast<RpcCode>(number), has_data ? json::to_text(data) : std::string());
  return {};
}

std::string Bridge::refusal(unsigned status, std::string_view body) const {
  std::string text = server() + " answered " + std::to_string(status);
  if (const auto reason = reason_in(body); !reason.empty()) text += ": " + reason;
  if ((status != 401 && status != 403) || config_.key_hint.empty()) return text;
  if (std::string_view(".!?").find(text.back()) == std::string_view::npos) text += '.';
  text += " " + config_.key_hint;
  return text;
}

Awaitable<Result<std::string>> Bridge::whole(HttpExchange& exchange) {
  std::string body;
  for (;;) {
    const auto piece = co_await exchange.read();
    if (!piece) co_return piece.error();
    if (piece->empty()) co_return body;
    if (body.size() + piece->size() > kMaxMessage) {
      exchange.abort();
      co_return Error{Errc::kLimit, std::string(kTooLarge), ""};
    }
    body += *piece;
  }
}

Awaitable<void> Bridge::sleep(milliseconds time) {
  asio::steady_timer timer(io_, time);
  boost::system::error_code ignored;
  co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

void Bridge::say_away(std::string_view why) {
  if (!std::exchange(is_away_, true)) config_.tell(why);
}

void Bridge::say_back() {
  if (std::exchange(is_away_, false)) config_.tell("the server answers again");
}

}  // namespace toolhost::protocol::bridge
