#include "transport/sse_stream.hpp"

#include <sys/socket.h>

#include <array>
#include <cassert>
#include <cerrno>
#include <charconv>
#include <utility>

#include <boost/asio/post.hpp>

namespace toolhost::transport {
namespace {

constexpr std::string_view kLastChunk = "0\r\n\r\n";
constexpr std::string_view kHeartbeat = ": keepalive\n\n";
// An idle stream keeps a small buffer for the next event and gives a large one back.
constexpr std::size_t kKeptBytes = 1024;

[[maybe_unused]] bool is_line(std::string_view text) noexcept {
  return text.find_first_of("\r\n") == std::string_view::npos;
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value) += '\n';
}

void append_event(std::string& out, const SseStream::Event& event) {
  assert(is_line(event.event) && is_line(event.data) && is_line(event.id));
  if (!event.event.empty()) append_field(out, "event", event.event);
  if (!event.id.empty()) append_field(out, "id", event.id);
  if (event.retry) append_field(out, "retry", std::to_string(event.retry->count()));
  append_field(out, "data", event.data);
  out += '\n';
}

/// What append_event() appends.
std::size_t size_of(const SseStream::Event& event) {
  const auto field = [](std::string_view name, std::size_t size) { return name.size() + size + 3; };
  std::size_t size = field("data", event.data.size()) + 1;
  if (!event.event.empty()) size += field("event", event.event.size());
  if (!event.id.empty()) size += field("id", event.id.size());
  if (event.retry) size += field("retry", std::to_string(event.retry->count()).size());
  return size;
}

void append_chunk_size(std::string& out, std::size_t size) {
  std::array<char, 18> text;
  char* end = std::to_chars(text.data(), text.data() + 16, size, 16).ptr;
  *end++ = '\r';
  *end++ = '\n';
  out.append(text.data(), end);
}

}  // namespace

std::shared_ptr<SseStream> SseStream::create() {
  return std::make_shared<SseStreamImpl>();
}

bool SseStreamImpl::send(const Event& event) {
  const std::size_t size = size_of(event);
  const std::scoped_lock lock(mutex_);
  if (state_ != State::kOpen) return false;
  if (queue_.size() - sent_ + size > max_queue_bytes_) {
    fail(State::kTooSlow);
    return false;
  }
  const bool was_empty = queue_.empty();
  if (chunked_) append_chunk_size(queue_, size);
  append_event(queue_, event);
  if (chunked_) queue_ += "\r\n";
  if (socket_ && was_empty) {
    last_progress_ = now_->load(std::memory_order_relaxed);
    write_queue();
    if (!queue_.empty()) ask_for_service();
  }
  return state_ == State::kOpen;
}

void SseStreamImpl::close() {
  const std::scoped_lock lock(mutex_);
  if (state_ != State::kOpen) return;
  state_ = State::kClosed;
  if (!socket_) return;
  const bool was_empty = queue_.empty();
  if (chunked_) queue_ += kLastChunk;
  if (was_empty) write_queue();
  ask_for_service();
}

bool SseStreamImpl::is_open() const noexcept {
  const std::scoped_lock lock(mutex_);
  return state_ == State::kOpen;
}

void SseStreamImpl::on_closed(std::function<void()> callback) {
  {
    const std::scoped_lock lock(mutex_);
    if (!ended_) {
      on_closed_ = std::move(callback);
      return;
    }
  }
  callback();
}

void SseStreamImpl::attach(Attachment attachment) {
  const std::scoped_lock lock(mutex_);
  if (ended_) return;
  socket_ = &attachment.socket;
  tls_ = attachment.tls;
  descriptor_ = socket_->native_handle();
  now_ = &attachment.now;
  last_progress_ = now_->load(std::memory_order_relaxed);
  chunked_ = attachment.chunked;
  max_queue_bytes_ = attachment.max_queue_bytes;
  const std::string events = std::exchange(queue_, std::move(attachment.head));
  if (!events.empty()) append_framed(events);
  if (state_ == State::kClosed && chunked_) queue_ += kLastChunk;
  write_queue();
  if (!queue_.empty()) ask_for_service();
}

void SseStreamImpl::detach() {
  std::function<void()> callback;
  {
    const std::scoped_lock lock(mutex_);
    if (ended_) return;
    ended_ = true;
    if (state_ == State::kOpen) state_ = State::kClosed;
    socket_ = nullptr;
    tls_ = nullptr;
    drop_queue();
    callback = std::move(on_closed_);
    on_closed_ = nullptr;
  }
  if (callback) callback();
}

bool SseStreamImpl::is_finished() const {
  const std::scoped_lock lock(mutex_);
  return is_finished_locked();
}

SseStreamImpl::State SseStreamImpl::state() const {
  const std::scoped_lock lock(mutex_);
  return state_;
}

void SseStreamImpl::note_client_gone() {
  const std::scoped_lock lock(mutex_);
  fail(State::kClientGone);
}

void SseStreamImpl::sweep(TimePoint now, std::chrono::milliseconds heartbeat, std::chrono::milliseconds write_limit) {
  const std::scoped_lock lock(mutex_);
  if (!socket_ || is_finished_locked()) return;
  if (!queue_.empty()) {
    if (now - last_progress_ >= write_limit) fail(State::kTooSlow);
    return;
  }
  if (now - last_progress_ < heartbeat) return;
  append_framed(kHeartbeat);
  last_progress_ = now;
  write_queue();
  if (!queue_.empty()) ask_for_service();
}

void SseStreamImpl::append_framed(std::string_view payload) {
  if (chunked_) append_chunk_size(queue_, payload.size());
  queue_ += payload;
  if (chunked_) queue_ += "\r\n";
}

void SseStreamImpl::write_queue() {
  while (sent_ < queue_.size()) {
    const bool is_written = tls_ ? write_some_tls() : write_some();
    if (!is_written) {
      // Written bytes are dropped in large steps, so that a long queue is not moved for every packet.
      if (sent_ > queue_.size() / 2) queue_.erase(0, std::exchange(sent_, 0));
      return;
    }
    last_progress_ = now_->load(std::memory_order_relaxed);
  }
  drop_queue();
}

bool SseStreamImpl::write_some() {
  for (;;) {
    const ssize_t count =
        ::send(descriptor_, queue_.data() + sent_, queue_.size() - sent_, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count >= 0) {
      sent_ += static_cast<std::size_t>(count);
      return true;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) fail(State::kClientGone);
    return false;
  }
}

bool SseStreamImpl::write_some_tls() {
  std::size_t count = 0;
  const auto progress = tls_->write(std::string_view(queue_).substr(sent_), count);
  sent_ += count;
  // Behind the handshake a write waits for nothing that the client sends.
  if (progress == TlsSession::Progress::kEnded || progress == TlsSession::Progress::kWantsRead)
    fail(State::kClientGone);
  return progress == TlsSession::Progress::kDone;
}

void SseStreamImpl::drop_queue() {
  sent_ = 0;
  if (queue_.capacity() > kKeptBytes) {
    std::string().swap(queue_);
  } else {
    queue_.clear();
  }
}

void SseStreamImpl::fail(State state) {
  if (is_finished_locked()) return;
  state_ = state;
  if (socket_) ask_for_service();
}

void SseStreamImpl::ask_for_service() {
  if (std::exchange(service_is_due_, true)) return;
  boost::asio::post(socket_->get_executor(),
                    [self = std::static_pointer_cast<SseStreamImpl>(shared_from_this())] { self->serve(); });
}

void SseStreamImpl::serve() {
  const std::scoped_lock lock(mutex_);
  service_is_due_ = false;
  if (!socket_) return;
  if (!is_finished_locked()) write_queue();
  if (is_finished_locked()) {
    // Wakes the connection, which waits for the client's next byte.
    boost::system::error_code ignored;
    socket_->cancel(ignored);
    return;
  }
  if (queue_.empty() || std::exchange(waits_for_room_, true)) return;
  socket_->async_wait(
      boost::asio::ip::tcp::socket::wait_write,
      [self = std::static_pointer_cast<SseStreamImpl>(shared_from_this())](boost::system::error_code ec) {
        {
          const std::scoped_lock relock(self->mutex_);
          self->waits_for_room_ = false;
        }
        if (!ec) self->serve();
      });
}

}  // namespace toolhost::transport
