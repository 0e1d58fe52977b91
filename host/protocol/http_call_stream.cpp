#include "protocol/http_call_stream.hpp"

#include <utility>

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "access/crypto.hpp"
#include "protocol/http_replies.hpp"
#include "protocol/jsonrpc.hpp"

namespace toolhost::protocol {
namespace {

namespace asio = boost::asio;
using std::chrono::system_clock;

constexpr std::size_t kMostEvents = 512;
constexpr std::size_t kMostBytes = std::size_t{256} * 1024;
constexpr std::size_t kBytesOfAStream = 1024;  // that a stream takes beside its events
constexpr std::size_t kEventBytes = 64;        // that an event takes beside its message
// Longer than any call runs, and how long it is remembered that it was answered.
constexpr std::chrono::hours kTokenLife{2};

std::int64_t seconds_of(system_clock::time_point time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

std::string random_stream() {
  std::string bytes(16, '\0');
  access::fill_random({reinterpret_cast<std::uint8_t*>(bytes.data()), bytes.size()});
  return bytes;
}

}  // namespace

HttpCallStream::HttpCallStream(std::shared_ptr<StreamTable> table, const RequestContext& context, bool accepts_stream)
    : table_(std::move(table)),
      revision_(context.revision),
      key_(context.caller->key_id),
      tenant_(context.caller->tenant_id),
      accepts_stream_(accepts_stream),
      has_session_(!context.shares_session && !is_modern(context.revision)) {}

HttpCallStream::~HttpCallStream() {
  if (kept_ != nullptr) table_->give_back(key_, kept_->bytes);
}

void HttpCallStream::watch(transport::HttpResponse& response) {
  if (!is_legacy())
    response.on_disconnect([self = weak_from_this()] {
      if (const auto stream = self.lock()) stream->stop_call();
    });
  else if (has_session_ && accepts_stream_)
    response.wait_watch = shared_from_this();
}

asio::awaitable<std::optional<Reply>> HttpCallStream::wait(std::shared_ptr<HttpCallStream> self,
                                                           transport::HttpResponse& response) {
  const auto is_ready = [](HttpCallStream& stream) {
    const auto phase = stream.phase_.load();
    return phase != Phase::kWaiting && phase != Phase::kSettled;
  };
  if (!is_ready(*self)) {
    const auto suspend = [is_ready](auto handler, HttpCallStream* stream) {
      const auto executor = asio::get_associated_executor(handler);
      // A completion handler can only be moved, a std::function only holds what can be copied.
      auto shared = std::make_shared<decltype(handler)>(std::move(handler));
      auto resume = [executor, shared] { asio::post(executor, std::move(*shared)); };
      {
        const std::lock_guard lock(stream->mutex_);
        if (!is_ready(*stream)) {
          stream->resume_ = std::move(resume);
          return;
        }
      }
      resume();
    };
    co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(suspend, asio::use_awaitable, self.get());
  }
  const std::lock_guard lock(self->mutex_);
  response.wait_watch = nullptr;
  if (self->opened_ != nullptr) {
    response.status = 200;
    response.stream = std::move(self->opened_);
    co_return std::nullopt;
  }
  co_return std::move(self->reply_);
}

bool HttpCallStream::begin(Resume& resume) {
  auto expected = Phase::kWaiting;
  if (!accepts_stream_ || !phase_.compare_exchange_strong(expected, Phase::kStream)) return false;
  attach(transport::SseStream::create());
  opened_ = stream_;
  if (has_session_) keep_events();
  prime(0);
  resume.swap(resume_);
  return true;
}

/// From now on the client may come back.
void HttpCallStream::keep_events() {
  const auto call = call_.lock();
  const auto rpc_id = call == nullptr ? std::string_view() : call->rpc_id();
  if (rpc_id.empty() || rpc_id.size() > EventToken::kLongestRpcId) return;
  is_streamed_ = true;  // in front of the question, see may_have_saved()
  auto kept = std::make_unique<Kept>();
  kept->id = random_stream();
  kept->expires = system_clock::now() + kTokenLife;
  kept->token = table_->tokens.seal({.kind = EventToken::Kind::kCall,
                                     .key = key_,
                                     .stream = kept->id,
                                     .host = table_->host(),
                                     .expires = static_cast<std::uint32_t>(seconds_of(kept->expires)),
                                     .rpc_id = std::string(rpc_id),
                                     .may_have_saved = call->may_have_saved()});
  if (!table_->take_room(key_, kBytesOfAStream)) table_->take_room_anyway(key_, kBytesOfAStream);
  kept->bytes = kBytesOfAStream;
  kept_ = std::move(kept);
  table_->add(kept_->id, key_, shared_from_this());
}

void HttpCallStream::attach(std::shared_ptr<transport::SseStream> stream) {
  stream_ = std::move(stream);
  stream_->on_closed([self = weak_from_this(), raw = stream_.get()] {
    if (const auto owner = self.lock()) owner->client_left(raw);
  });
}

/// An event without a message, so that the client knows where to come back to. Older clients choke on it.
void HttpCallStream::prime(std::uint32_t number) {
  if (kept_ == nullptr || revision_ < Revision::k2025_11_25) return;
  const auto id = kept_->token + '.' + std::to_string(number);
  stream_->send({.event = {}, .data = {}, .id = id, .retry = table_->config.retry});
}

void HttpCallStream::notify(std::string_view message) {
  Resume resume;
  {
    const std::lock_guard lock(mutex_);
    if (phase_ == Phase::kWaiting) begin(resume);
    if (phase_ == Phase::kStream) send(message, false);
  }
  if (resume) resume();
}

void HttpCallStream::send(std::string_view message, bool is_answer) {
  if (kept_ == nullptr) {
    if (stream_ != nullptr) stream_->send("message", message);
    return;
  }
  Event event{++kept_->last_number, std::string(message)};
  if (stream_ != nullptr) {
    const auto id = kept_->token + '.' + std::to_string(event.number);
    stream_->send({.event = "message", .data = message, .id = id, .retry = {}});
  }
  if (kept_->on_event) kept_->on_event(event.number, event.message, is_answer);
  remember(std::move(event), is_answer);
}

/// The oldest give way. The answer is kept whatever it takes.
void HttpCallStream::remember(Event event, bool is_answer) {
  const auto drop_oldest = [this] {
    const auto bytes = kept_->events.front().message.size() + kEventBytes;
    kept_->events.pop_front();
    kept_->bytes -= bytes;
    table_->give_back(key_, bytes);
  };
  const auto bytes = event.message.size() + kEventBytes;
  while (!kept_->events.empty() &&
         (kept_->events.size() >= kMostEvents || kept_->bytes + bytes > kBytesOfAStream + kMostBytes))
    drop_oldest();
  while (!table_->take_room(key_, bytes)) {
    if (!kept_->events.empty()) {
      drop_oldest();
      continue;
    }
    if (!is_answer) return;
    table_->take_room_anyway(key_, bytes);
    break;
  }
  kept_->bytes += bytes;
  kept_->events.push_back(std::move(event));
}

bool HttpCallStream::can_ask() const noexcept {
  const auto phase = phase_.load();
  return is_legacy() && accepts_stream_ && (phase == Phase::kWaiting || phase == Phase::kStream);
}

void HttpCallStream::finish(Reply reply) {
  Resume resume;
  std::shared_ptr<transport::SseStream> ended;
  {
    const std::lock_guard lock(mutex_);
    const auto phase = phase_.load();
    if (phase == Phase::kStream) {
      finish_stream(reply);
      ended.swap(stream_);
      phase_ = Phase::kDone;
    } else if (phase == Phase::kWaiting || phase == Phase::kSettled) {
      reply_ = std::move(reply);
      phase_ = Phase::kJson;
      resume.swap(resume_);
    }
  }
  if (resume) resume();
  if (ended != nullptr) ended->close();
}

void HttpCallStream::finish_stream(const Reply& reply) {
  const auto* const message = message_of(reply);
  if (message != nullptr) {
    send(*message, true);
    if (kept_ == nullptr) return;
    table_->finished(kept_->id);
    if (table_->store != nullptr)
      table_->store->keep({.stream = uuid_text(kept_->id),
                           .tenant = tenant_,
                           .key = key_,
                           .message = *message,
                           .expires = kept_->expires});
    return;
  }
  // Whoever can come back is told by the next host what became of the call, which may still be saving something.
  if (kept_ != nullptr) return table_->remove(kept_->id);
  const auto call = call_.lock();
  if (std::get<StopReason>(reply) == StopReason::kShutdown && call != nullptr)
    send(encode_error({RpcCode::kServerError, std::string(kStopping), std::string(call->rpc_id())}, revision_), true);
}

void HttpCallStream::let_go() {
  Resume resume;
  std::shared_ptr<transport::SseStream> left;
  {
    const std::lock_guard lock(mutex_);
    if (!is_legacy() || revision_ < Revision::k2025_11_25 || !has_session_) return;
    if (phase_ == Phase::kWaiting) begin(resume);
    if (phase_ == Phase::kStream && kept_ != nullptr) left.swap(stream_);
  }
  if (resume) resume();
  if (left != nullptr) left->close();
}

std::optional<plugin_runtime::KeptStream> HttpCallStream::settle() noexcept {
  auto expected = Phase::kWaiting;
  // A call that goes on to be JSON meets no lock here.
  if (phase_.compare_exchange_strong(expected, Phase::kSettled)) return std::nullopt;
  if (expected == Phase::kSettled || expected == Phase::kJson) return std::nullopt;
  // Also when nobody waits any more: whoever asks later is told what the database holds.
  const std::lock_guard lock(mutex_);
  if (kept_ == nullptr) return std::nullopt;
  return plugin_runtime::KeptStream{
      .stream = uuid_text(kept_->id), .key = value(key_), .expires = seconds_of(kept_->expires)};
}

void HttpCallStream::still_waiting(std::chrono::milliseconds waited) noexcept {
  if (waited < table_->config.after || phase_ != Phase::kWaiting) return;
  Resume resume;
  {
    const std::lock_guard lock(mutex_);
    begin(resume);
  }
  if (resume) resume();
}

void HttpCallStream::client_left(const transport::SseStream* stream) noexcept {
  {
    const std::lock_guard lock(mutex_);
    if (stream_.get() != stream) return;
    stream_ = nullptr;
  }
  if (!is_legacy()) stop_call();
}

void HttpCallStream::stop_call() noexcept {
  if (const auto call = call_.lock()) call->stop(StopReason::kCancelledByClient);
}

bool HttpCallStream::resume(std::uint32_t number, std::shared_ptr<transport::SseStream> stream) {
  std::shared_ptr<transport::SseStream> ended;
  {
    const std::lock_guard lock(mutex_);
    if (number > kept_->last_number) return false;
    ended.swap(stream_);
    kept_->on_event = nullptr;
    attach(stream);
    prime(number);
    for (const auto& event : kept_->events) {
      if (event.number <= number) continue;
      const auto id = kept_->token + '.' + std::to_string(event.number);
      stream->send({.event = "message", .data = event.message, .id = id, .retry = {}});
    }
    if (phase_ == Phase::kDone) stream_ = nullptr;
  }
  if (ended != nullptr) ended->close();
  if (phase_ == Phase::kDone) stream->close();
  return true;
}

void HttpCallStream::resume(std::uint32_t number, OnEvent on_event) {
  std::shared_ptr<transport::SseStream> ended;
  {
    const std::lock_guard lock(mutex_);
    ended.swap(stream_);
    const bool is_done = phase_ == Phase::kDone;
    for (const auto& event : kept_->events) {
      const bool is_last = is_done && &event == &kept_->events.back();
      if (event.number > number || is_last) on_event(event.number, event.message, is_last);
    }
    if (!is_done) kept_->on_event = std::move(on_event);
  }
  if (ended != nullptr) ended->close();
}

}  // namespace toolhost::protocol
