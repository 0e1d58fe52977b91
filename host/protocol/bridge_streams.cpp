#include "protocol/bridge.hpp"

#include <algorithm>
#include <utility>

namespace toolhost::protocol::bridge {
namespace {

using std::chrono::milliseconds;
using transport::HttpQuestion;
using transport::SseReader;

constexpr std::chrono::seconds kResumePatience{60};
constexpr milliseconds kShortestRetry{100}, kUsualRetry{1000}, kLongestRetry{60'000};
constexpr milliseconds kAtOnce{1000}, kLongestPause{5000};
constexpr unsigned kMostDoublings = 6;  // of the shortest to the longest

}  // namespace

void Pace::begin(const SseReader& reader) {
  began_ = std::chrono::steady_clock::now();
  events_ = reader.events();
}

milliseconds Pace::end(const SseReader& reader) {
  const auto wait = std::clamp(reader.retry().value_or(kUsualRetry), kShortestRetry, kLongestRetry);
  const bool was_in_vain = reader.events() == events_ && std::chrono::steady_clock::now() - began_ < kAtOnce;
  doublings_ = was_in_vain ? std::min(doublings_ + 1, kMostDoublings) : 0;
  return std::max(wait, std::min(wait * (1U << doublings_), kLongestPause));
}

Awaitable<Result<>> Bridge::read_events(ExchangePtr exchange, SseReader& reader, std::function<bool()> is_over) {
  while (!is_over()) {
    const auto piece = co_await exchange->read();
    if (!piece) co_return piece.error();
    if (piece->empty()) co_return Result<>{};
    const bool fits = reader.read(*piece, [this](const SseReader::Event& event) { on_event(event); });
    if (!fits) {
      exchange->abort();
      co_return Error{Errc::kLimit, std::string(kTooLarge), ""};
    }
  }
  spawn(drain(exchange));
  co_return Result<>{};
}

void Bridge::on_event(const SseReader::Event& event) {
  if (event.event == "endpoint" && mode_ == Mode::kSse) return on_endpoint(event.data);
  if (!event.data.empty() && (event.event.empty() || event.event == "message")) deliver(event.data);
}

Awaitable<void> Bridge::drain(ExchangePtr exchange) {
  for (;;) {
    const auto piece = co_await exchange->read();
    if (!piece || piece->empty()) co_return;
  }
}

Awaitable<Step> Bridge::follow(PostPtr post, ExchangePtr exchange) {
  SseReader reader(kMaxMessage);
  std::optional<Deadline> patience;
  Pace pace;
  for (;;) {
    if (exchange) {
      pace.begin(reader);
      const auto ended = co_await read_events(exchange, reader, [&] { return !is_open(post); });
      if (!is_open(post)) co_return Step{};
      if (!ended && ended.error().code == Errc::kLimit) co_return Step{Kind::kRefused, ended.error().message};
      if (post->line.is_modern() || reader.last_id().empty())
        co_return Step{Kind::kLost, server() + " ended the stream before its answer"};
      patience = Deadline::after(kResumePatience);
    }
    co_await sleep(pace.end(reader));
    if (!is_open(post)) co_return Step{};
    auto resumed = co_await resume(post, reader.last_id());
    if (auto* const step = std::get_if<Step>(&resumed)) {
      if (step->kind != Kind::kUnreached || patience->has_passed()) co_return Step{Kind::kLost, step->why};
      say_away(step->why);
      exchange.reset();
    } else {
      exchange = std::get<ExchangePtr>(resumed);
    }
  }
}

Awaitable<std::variant<ExchangePtr, Step>> Bridge::resume(PostPtr post, const std::string& last_id) {
  const ExchangePtr exchange = channel_->begin();
  if (post) post->exchange = exchange;
  HttpQuestion asked = question(HttpQuestion::Method::kGet, kStreamType);
  if (!last_id.empty()) asked.fields.emplace_back("Last-Event-ID", last_id);
  const auto head = co_await exchange->ask(std::move(asked));
  if (!head) {
    const bool is_transient = head.error().code == Errc::kUnavailable;
    co_return Step{is_transient ? Kind::kUnreached : Kind::kRefused, head.error().message};
  }
  if (!is_away(head->status)) say_back();
  if (head->status == 200 && head->content_type == kStreamType) co_return exchange;
  const auto body = co_await whole(*exchange);
  const Kind kind = is_away(head->status) ? Kind::kUnreached : head->status == 404 ? Kind::kForgotten : Kind::kRefused;
  co_return Step{kind, refusal(head->status, body ? std::string_view(*body) : std::string_view())};
}

void Bridge::start_listening() {
  if (listening_) listening_->abort();  // of the session before
  listening_.reset();
  if (mode_ == Mode::kHttp) spawn(listen(sessions_));
}

Awaitable<void> Bridge::listen(std::uint64_t session) {
  std::string last_id;
  milliseconds wait = kFirstWait;
  Pace pace;
  bool was_open = false;
  while (session == sessions_) {
    auto opened = co_await resume(nullptr, last_id);
    if (session != sessions_) {
      if (auto* const exchange = std::get_if<ExchangePtr>(&opened)) (*exchange)->abort();
      co_return;
    }
    if (auto* const step = std::get_if<Step>(&opened)) {
      // A session that has just begun is not forgotten: this server has no such stream.
      if (step->kind == Kind::kForgotten && !was_open) co_return;
      if (step->kind == Kind::kForgotten) co_await renew(session);
      if (step->kind == Kind::kRefused && last_id.empty()) co_return;
      if (step->kind == Kind::kRefused) last_id.clear();  // an id that the server does not know
      co_await sleep(wait);
      wait = std::min(wait * 2, kLongestWait);
      continue;
    }
    wait = kFirstWait;
    was_open = true;
    SseReader reader(kMaxMessage);
    const ExchangePtr exchange = listening_ = std::get<ExchangePtr>(opened);
    pace.begin(reader);
    co_await read_events(exchange, reader, [&] { return session != sessions_; });
    if (session != sessions_) exchange->abort();
    if (!reader.last_id().empty()) last_id = reader.last_id();
    co_await sleep(pace.end(reader));
  }
}

void Bridge::fall_back() {
  if (mode_ != Mode::kUnknown) return;
  mode_ = Mode::kSse;
  stream_problem_.clear();
  spawn(keep_stream());
}

Awaitable<void> Bridge::keep_stream() {
  std::string last_id;
  milliseconds wait = kFirstWait;
  Pace pace;
  for (;;) {
    auto opened = co_await resume(nullptr, last_id);
    if (auto* const step = std::get_if<Step>(&opened)) {
      if (!has_met_ && step->kind != Kind::kUnreached) {
        stream_problem_ = step->why;
        mode_ = Mode::kUnknown;
        progress_.notify();
        co_return;
      }
      if (step->kind != Kind::kUnreached) last_id.clear();
      say_away(step->why);
      co_await sleep(wait);
      wait = std::min(wait * 2, kLongestWait);
      continue;
    }
    wait = kFirstWait;
    stream_ = std::get<ExchangePtr>(opened);
    SseReader reader(kMaxMessage);
    pace.begin(reader);
    co_await read_events(stream_, reader, [] { return false; });
    stream_.reset();
    endpoint_.clear();
    if (!reader.last_id().empty()) last_id = reader.last_id();
    co_await sleep(pace.end(reader));
  }
}

void Bridge::on_endpoint(std::string_view data) {
  const std::string target = endpoint_target(data);
  if (target.empty()) {
    config_.tell("the server names an endpoint elsewhere, which is not taken");
    if (stream_) stream_->abort();
    return;
  }
  has_met_ = true;
  const bool is_resumed = target == last_endpoint_;
  last_endpoint_ = target;
  if (is_resumed || streams_ == 0) {
    if (streams_ == 0) ++streams_;
    endpoint_ = target;
    progress_.notify();
    return;
  }
  ++streams_;
  spawn(begin_stream_anew(target));
}

std::string Bridge::endpoint_target(std::string_view data) const {
  if (data.starts_with("http://") || data.starts_with("https://")) {
    const auto url = transport::parse_url(data);
    return url && url->origin() == config_.url.origin() ? url->target : std::string();
  }
  if (data.starts_with("//") || data.empty() || !std::ranges::all_of(data, [](char c) { return c > ' ' && c < 127; }))
    return {};
  if (data.front() == '/') return std::string(data);
  const std::string_view path = std::string_view(config_.url.target).substr(0, config_.url.target.find('?'));
  if (data.front() == '?') return std::string(path) + std::string(data);
  return std::string(path.substr(0, path.rfind('/') + 1)) + std::string(data);
}

Awaitable<void> Bridge::begin_stream_anew(std::string target) {
  std::vector<PostPtr> lost;
  for (const auto& [id, post] : open_)
    if (post->stream < streams_ && !post->is_sending && post->stream > 0) lost.push_back(post);
  last_endpoint_ = target;
  own_endpoint_ = target;
  if (initialize_ && !co_await initialize_again()) config_.tell("the server did not take the session up again");
  own_endpoint_.clear();
  endpoint_ = target;
  progress_.notify();
  for (const auto& post : lost) {
    if (post->line.can_repeat())
      spawn(serve(post));
    else
      fail(post, kMayHaveRun);
  }
}

Awaitable<Step> Bridge::send_by_stream(PostPtr post) {
  const auto limit = Deadline::after(has_met_ ? kPatience : kFirstPatience);
  while (endpoint_.empty() && mode_ == Mode::kSse && !limit.has_passed()) co_await progress_.wait(limit);
  if (mode_ != Mode::kSse) co_return Step{Kind::kRefused, stream_problem_};
  if (endpoint_.empty()) co_return Step{Kind::kRefused, server() + " cannot be reached"};
  post->is_sending = true;
  post->stream = streams_;
  Step step = co_await post_to_stream(post);
  post->is_sending = false;
  if (step.kind == Kind::kDone && post->stream != streams_ && is_open(post))
    step = {Kind::kLost, server() + " broke the connection"};
  co_return step;
}

Awaitable<Step> Bridge::post_to_stream(PostPtr post) {
  const ExchangePtr exchange = post->exchange = channel_->begin();
  HttpQuestion asked = question(HttpQuestion::Method::kPost, "*/*");
  asked.target = own_endpoint_.empty() ? endpoint_ : own_endpoint_;
  asked.body = post->line.text;
  const auto head = co_await exchange->ask(std::move(asked));
  if (!head) co_return unanswered(*exchange, head.error());
  const auto body = co_await whole(*exchange);
  if (head->status >= 200 && head->status < 300) {
    say_back();
    co_return Step{};
  }
  const std::string why = refusal(head->status, body ? std::string_view(*body) : std::string_view());
  if (head->status != 404 && head->status != 503) co_return Step{Kind::kRefused, why};
  // The server does not know the stream any more, whatever TCP says.
  if (stream_ && head->status == 404) stream_->abort();
  co_return Step{Kind::kUnreached, why};
}

}  // namespace toolhost::protocol::bridge
