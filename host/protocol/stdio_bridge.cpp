#include "protocol/stdio_bridge.hpp"

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <utility>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include "protocol/bridge.hpp"
#include "protocol/envelope.hpp"

namespace toolhost::protocol::bridge {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using std::chrono::milliseconds;
using transport::HttpQuestion;
using transport::StdioPipe;

constexpr std::size_t kLongestVersion = 32;
constexpr std::chrono::seconds kNotificationLimit{5};
constexpr std::size_t kMostWaiting = std::size_t{64} * 1024 * 1024;  // bytes of lines behind one that is not through
// After the client has closed its end: for answers, for saying goodbye, and for a thread that hangs.
constexpr milliseconds kLastAnswers = 600ms, kGoodbye = 400ms, kEnd = 1100ms;

/// What a line takes while it waits.
std::size_t weight(const StdioPipe::Line& line) noexcept {
  const auto* const text = std::get_if<std::string>(&line);
  return sizeof line + (text != nullptr ? text->size() : 0);
}

}  // namespace

Result<> Bridge::connect() {
  auto channel = transport::HttpChannel::create(io_, config_.url, config_.fields);
  if (!channel) return channel.error();
  channel_ = std::move(*channel);
  return {};
}

void Bridge::run() {
  std::mutex mutex;
  std::condition_variable changed;
  bool has_ended = false;
  std::thread reader([&] {
    for (;;) {
      auto line = pipe_.read();
      const bool is_end = std::holds_alternative<StdioPipe::End>(line);
      asio::post(io_, [this, line = std::move(line)]() mutable { on_line(std::move(line)); });
      if (is_end) break;
    }
    std::unique_lock lock(mutex);
    if (!changed.wait_for(lock, kEnd, [&] { return has_ended; })) std::_Exit(0);  // the client does not read any more
  });
  auto work = asio::make_work_guard(io_);
  io_.run();
  {
    const std::lock_guard lock(mutex);
    has_ended = true;
  }
  changed.notify_all();
  if (!is_ending_) std::_Exit(0);  // nobody reads, and the thread waits for input that nobody writes
  reader.join();
}

void Bridge::on_line(StdioPipe::Line line) {
  if (auto* const text = std::get_if<std::string>(&line)) {
    if (waiting_bytes_ + weight(line) > kMostWaiting) return turn_away(std::move(*text));
  }
  waiting_bytes_ += weight(line);
  lines_.push_back(std::move(line));
  if (!std::exchange(is_pumping_, true)) spawn(pump());
}

void Bridge::turn_away(std::string text) {
  const auto read = read_bridge_line(std::move(text));
  const auto* const line = std::get_if<BridgeLine>(&read);
  if (line == nullptr || line->ids.empty()) return config_.tell("a message is lost: too many wait for the server");
  for (const auto& id : line->ids)
    write(encode_error({RpcCode::kServerError, "Too many messages wait for the server.", id, {}}));
}

Awaitable<void> Bridge::pump() {
  while (!lines_.empty()) {
    auto line = std::move(lines_.front());
    lines_.pop_front();
    waiting_bytes_ -= weight(line);
    if (std::holds_alternative<StdioPipe::End>(line)) {
      co_await finish();
    } else if (std::holds_alternative<StdioPipe::TooLong>(line)) {
      write(encode_error({RpcCode::kInvalidRequest, "Invalid Request: a message is at most 10 MiB long", {}}));
    } else {
      co_await take(std::get<std::string>(std::move(line)));
    }
  }
  is_pumping_ = false;
}

Awaitable<void> Bridge::take(std::string text) {
  auto read = read_bridge_line(std::move(text));
  if (auto* const error = std::get_if<RpcError>(&read)) {
    write(encode_error(*error));
    co_return;
  }
  auto post = std::make_shared<Post>();
  post->line = std::get<BridgeLine>(std::move(read));
  const BridgeLine& line = post->line;
  if (!line.cancelled_id.empty() && cancel(line.cancelled_id)) co_return;
  for (const auto& id : line.ids) open_[id] = post;
  if (line.is_initialize()) {
    begin_session(line);
    co_await serve(post);
  } else if (line.kind == BridgeLine::Kind::kNotification && line.cancelled_id.empty()) {
    co_await notify(post);
  } else {
    spawn(serve(post));
  }
}

bool Bridge::cancel(const std::string& id) {
  const auto found = open_.find(id);
  if (found == open_.end()) return !initialize_;
  const PostPtr post = found->second;
  post->is_cancelled = true;
  // Elsewhere the end of the answer to the POST tells that it is through; a stream of all answers tells nothing.
  if (post->line.is_modern() || mode_ == Mode::kSse) open_.erase(found);
  if (!post->line.is_modern()) return false;
  if (post->exchange) post->exchange->abort();
  return true;
}

Awaitable<void> Bridge::notify(PostPtr post) {
  // A server that is away must not keep the lines behind this one.
  auto arrived = std::make_shared<bool>(false);
  spawn([](Bridge& self, PostPtr sent, std::shared_ptr<bool> done) -> Awaitable<void> {
    co_await self.serve(sent);
    *done = true;
    self.progress_.notify();
  }(*this, post, arrived));
  const auto limit = Deadline::after(kNotificationLimit);
  while (!*arrived && !limit.has_passed()) co_await progress_.wait(limit);
  if (post->line.method == "notifications/initialized" && !post->line.is_modern()) start_listening();
}

Awaitable<void> Bridge::finish() {
  is_ending_ = true;
  const auto limit = Deadline::after(kLastAnswers);
  const auto has_answers_left = [this] {
    return std::ranges::any_of(open_, [](const auto& one) {
      return one.second->line.method != "subscriptions/listen" && !one.second->is_cancelled;
    });
  };
  while (has_answers_left() && !limit.has_passed()) co_await progress_.wait(limit);
  if (!session_.empty() && mode_ == Mode::kHttp) {
    spawn([](Bridge& self) -> Awaitable<void> {
      const auto exchange = self.channel_->begin();
      co_await exchange->ask(self.question(HttpQuestion::Method::kDelete, "*/*"));
      self.io_.stop();
    }(*this));
    co_await sleep(kGoodbye);
  }
  io_.stop();
}

void Bridge::deliver(std::string_view text) {
  auto parsed = parse_message(text);
  if (auto* const batch = std::get_if<Batch>(&parsed)) {
    bool is_wanted = false;
    for (auto& entry : *batch)
      if (auto* const message = std::get_if<Message>(&entry)) is_wanted |= is_wanted_now(*message, text);
    if (is_wanted) write(text);
  } else if (auto* const message = std::get_if<Message>(&parsed)) {
    if (is_wanted_now(*message, text)) write(text);
  } else {
    config_.tell("the server sent something that is no message of MCP");
  }
  progress_.notify();
}

bool Bridge::is_wanted_now(const Message& message, std::string_view text) {
  if (message.kind != Message::Kind::kResponse) return !is_second_acknowledgement(message);
  if (const auto own = own_.find(message.id); own != own_.end()) {
    own->second = text;
    return false;
  }
  const auto found = open_.find(message.id);
  if (found == open_.end()) return false;
  const PostPtr post = found->second;
  if (post->line.is_initialize() && !note_version(message)) {
    fail(post, server() + " answered with an impossible protocol version");
    return false;
  }
  open_.erase(found);
  if (post->line.method == "tools/list") learn(message);
  return true;
}

bool Bridge::is_second_acknowledgement(const Message& message) {
  if (message.method != "notifications/subscriptions/acknowledged") return false;
  const auto named = meta_member(message, kSubscription);
  const auto found = named ? open_.find(id_text(*named).value_or("")) : open_.end();
  return found != open_.end() && std::exchange(found->second->is_acknowledged, true);
}

bool Bridge::note_version(const Message& answer) {
  json::Value result, version;
  std::string_view text;
  if (json::find(answer.document->root(), "result").get(result) != simdjson::SUCCESS ||
      json::find(result, "protocolVersion").get(version) != simdjson::SUCCESS)
    return true;
  if (version.get(text) != simdjson::SUCCESS || text.empty() || text.size() > kLongestVersion ||
      !std::ranges::all_of(text, [](char c) { return c > ' ' && c < 127; }))
    return false;
  version_ = text;
  return true;
}

void Bridge::learn(const Message& answer) {
  json::Value result, tools;
  json::Array list;
  if (json::find(answer.document->root(), "result").get(result) != simdjson::SUCCESS ||
      json::find(result, "tools").get(tools) != simdjson::SUCCESS || tools.get(list) != simdjson::SUCCESS)
    return;
  for (const auto& tool : list) {
    json::Value name, schema;
    std::string_view text;
    if (json::find(tool, "name").get(name) != simdjson::SUCCESS || name.get(text) != simdjson::SUCCESS ||
        json::find(tool, "inputSchema").get(schema) != simdjson::SUCCESS)
      continue;
    if (auto members = plugin_runtime::header_members(schema)) tools_[std::string(text)] = std::move(*members);
  }
}

void Bridge::fail(const PostPtr& post, std::string_view why, RpcCode code, std::string data_json) {
  if (post->line.ids.empty()) config_.tell(why);
  for (const auto& id : post->line.ids) {
    if (const auto found = open_.find(id); found != open_.end() && found->second == post) {
      open_.erase(found);
      if (!post->is_cancelled) write(encode_error({code, std::string(why), id, data_json}));
    }
  }
  progress_.notify();
}

void Bridge::write(std::string_view text) {
  if (!pipe_.write(text)) io_.stop();
}

}  // namespace toolhost::protocol::bridge

namespace toolhost::protocol {

Result<std::unique_ptr<StdioBridge>> StdioBridge::create(StdioBridgeConfig config, transport::StdioPipe& pipe) {
  auto made = std::make_unique<bridge::Bridge>(std::move(config), pipe);
  if (auto connected = made->connect(); !connected) return connected.error();
  return std::unique_ptr<StdioBridge>(std::move(made));
}

}  // namespace toolhost::protocol
