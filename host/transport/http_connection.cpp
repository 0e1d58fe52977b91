#include "transport/http_connection.hpp"

#include <algorithm>
#include <array>
#include <exception>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/lower.hpp"

namespace toolhost::transport {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using tcp = asio::ip::tcp;
using observability::HostNotice;
using observability::RequestRefused;
using observability::Severity;

constexpr Refusal kTooSlow{408, "request_timeout", "The request did not arrive in time. Send it again.", "timeout"};
constexpr Refusal kPlainHttp{400, "https_required",
                             "This port speaks HTTPS. Use the same address with https:// in front.", "plain_http"};
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
constexpr std::string_view kStreamFields = "Cache-Control: no-cache, no-transform\r\nX-Accel-Buffering: no\r\n";

constexpr std::size_t kFirstRead = 1024;
constexpr std::size_t kLargeRead = std::size_t{64} * 1024;
// Kept between requests; a larger buffer goes back when its request has been answered.
constexpr std::size_t kKeptBuffer = std::size_t{16} * 1024;
constexpr std::chrono::seconds kLingerLimit{2};
// A body up to this size travels in one TLS record with its head.
constexpr std::size_t kJoinedBody = std::size_t{8} * 1024;

}  // namespace

HttpConnection::HttpConnection(tcp::socket socket, ConnectionContext& context, std::string remote_address)
    : socket_(std::move(socket)),
      context_(context),
      tls_(context.certificate ? context.certificate->accept(socket_.native_handle()) : nullptr),
      remote_address_(std::move(remote_address)),
      is_proxy_(context.proxies.contains(remote_address_)),
      since_(context.now.load(std::memory_order_relaxed)) {}

HttpConnection::~HttpConnection() {
  stop_watching();
  end_stream();
}

void HttpConnection::enter(Phase phase) noexcept {
  phase_ = phase;
  since_ = context_.now.load(std::memory_order_relaxed);
}

void HttpConnection::expire() noexcept {
  has_expired_ = true;
  error_code ignored;
  socket_.cancel(ignored);
}

void HttpConnection::sweep() {
  const HttpServerConfig& config = context_.config;
  const TimePoint now = context_.now.load(std::memory_order_relaxed);
  // since_ may be one sweep too early: it is read off the clock that the sweep sets.
  const auto waited = now - since_ - kSweepPeriod;
  switch (phase_) {
    case Phase::kIdle:
      if (waited > config.idle_limit) expire();
      break;
    case Phase::kHandshaking:
    case Phase::kReading:
      if (waited > config.request_limit) expire();
      break;
    case Phase::kWriting:
      if (waited > config.stream_write_limit) expire();
      break;
    case Phase::kLingering:
      if (waited > kLingerLimit) expire();
      break;
    case Phase::kStreaming:
      if (stream_) stream_->sweep(now, config.heartbeat, config.stream_write_limit + kSweepPeriod);
      break;
    case Phase::kHandling:
      // The handler keeps its own deadlines.
      if (handled_ != nullptr && handled_->wait_watch != nullptr)
        handled_->wait_watch->still_waiting(std::chrono::duration_cast<std::chrono::milliseconds>(waited));
      break;
  }
}

void HttpConnection::drain() {
  if (phase_ == Phase::kIdle || phase_ == Phase::kHandshaking) expire();
  if (phase_ == Phase::kStreaming && stream_) stream_->close();
}

void HttpConnection::abort() {
  has_expired_ = true;
  end_stream();
  if (tls_) tls_->abandon();
  error_code ignored;
  socket_.close(ignored);
}

asio::awaitable<void> HttpConnection::run() {
  if (!tls_ || co_await shake_hands()) {
    // The frame of serve_requests() is gone while a stream is open: an idle stream costs this frame and that of
    // serve_stream().
    while (co_await serve_requests()) {
      if (!co_await serve_stream()) break;
    }
    if (tls_) tls_->close();
  }
  if (lingers_) co_await linger();
  error_code ignored;
  socket_.close(ignored);
}

/// True when the last answer is a stream, false when the connection has to be closed.
asio::awaitable<bool> HttpConnection::serve_requests() {
  for (;;) {
    RequestParser parser(context_.config.max_header_bytes, context_.config.max_body_bytes);
    if (!co_await read_request(parser)) co_return false;
    const bool is_written = co_await answer(parser);
    buffer_.consume(parser.size(), kKeptBuffer);
    take_early_bytes();
    if (!is_written) co_return false;
    if (stream_) co_return true;
    if (!keeps_alive_) {
      lingers_ = true;
      co_return false;
    }
  }
}

/// False when there is no request to answer (any more): end of connection, time limit, or refused and answered.
asio::awaitable<bool> HttpConnection::read_request(RequestParser& parser) {
  enter(buffer_.empty() ? Phase::kIdle : Phase::kReading);
  bool is_checked = false;
  for (;;) {
    const auto progress = parser.feed(buffer_);
    if (progress == RequestParser::Progress::kRefused) {
      co_await refuse(parser.refusal(), parser);
      co_return false;
    }
    // As soon as the head is there, before anything is decided from it: may this page talk to us?
    if (progress != RequestParser::Progress::kHead && !is_checked) {
      is_checked = true;
      const HttpRequest request = request_of(parser);
      if (const Refusal* refusal = context_.policy.check(request.origin, request.host)) {
        co_await refuse(*refusal, parser);
        co_return false;
      }
      if (parser.expects_continue() && request.body.empty() && progress == RequestParser::Progress::kBody) {
        head_ = kContinue;
        if (!co_await write({})) co_return false;
        phase_ = Phase::kReading;
      }
    }
    if (progress == RequestParser::Progress::kComplete) co_return true;
    if (context_.is_draining && buffer_.empty()) co_return false;

    // The declared length is only believed as far as bytes arrive: memory follows the data, not the header.
    const std::span<char> room = buffer_.room(parser.missing_bytes(buffer_) > kLargeRead ? kLargeRead : kFirstRead);
    error_code ec;
    std::size_t count = 0;
    if (tls_) {
      count = co_await read_tls(room, ec);
    } else {
      count = co_await socket_.async_read_some(asio::buffer(room.data(), room.size()),
                                               asio::redirect_error(asio::use_awaitable, ec));
    }
    if (ec) {
      if (has_expired_ && phase_ == Phase::kReading) co_await refuse(kTooSlow, parser);
      co_return false;
    }
    buffer_.commit(count);
    // The limit of a request runs from its first byte.
    if (phase_ == Phase::kIdle) enter(Phase::kReading);
  }
}

/// As the client sent it: what a trusted proxy says stands above what the connection shows.
HttpRequest HttpConnection::request_of(const RequestParser& parser) {
  HttpRequest request = parser.request(buffer_, remote_address_);
  request.is_https = tls_ != nullptr;
  request.is_forwarded = is_proxy_;
  if (!is_proxy_) return request;
  ForwardedClient client = context_.proxies.client(remote_address_, parser.forwarded(buffer_));
  client_address_ = std::move(client.address);
  request.remote_address = client_address_;
  if (!client.proto.empty()) request.is_https = equals_ignoring_case(client.proto, "https");
  if (!client.host.empty()) request.host = client.host;
  return request;
}

/// False when the client is gone.
asio::awaitable<bool> HttpConnection::answer(RequestParser& parser) {
  const HttpRequest request = request_of(parser);
  HttpResponse response;
  enter(Phase::kHandling);
  if (request.method == Method::kOptions) {
    response.status = 204;
    response.headers = OriginPolicy::preflight_fields(parser.requested_headers(buffer_));
  } else {
    handled_ = &response;
    response.connection = this;
    try {
      co_await context_.handler.handle(request, response);
    } catch (const std::exception& error) {
      context_.events.emit(HostNotice{Severity::kError, "http", error.what()});
      response = {};
      response.content_type = "application/json";
      response.body =
          error_body({500, "internal_error", "The server failed to answer. Try again; the reason is in its log.", ""});
    }
  }
  handled_ = nullptr;
  stop_watching();
  if (response.pause.count() > 0 && !context_.is_draining) co_await pause(response.pause);
  keeps_alive_ = parser.keeps_alive() && !context_.is_draining;
  if (response.stream && request.method != Method::kHead) {
    start_stream(request, response, parser.is_http_1_1());
    co_return true;
  }
  if (response.stream) {
    // HEAD: the fields of a GET, and no stream behind them.
    response.stream->close();
    std::static_pointer_cast<SseStreamImpl>(response.stream)->detach();
    response.status = 200;
    response.content_type = "text/event-stream";
    response.body.clear();
  }
  build_head(request, response, parser.is_http_1_1(), response.body.size());
  co_return co_await write(request.method == Method::kHead || response.status == 204 || response.status == 304
                               ? std::string_view()
                               : std::string_view(response.body));
}

void HttpConnection::watch_client() {
  if (client_watch_ != nullptr) return;
  client_watch_ = std::make_shared<bool>(true);
  // Of what TLS has taken from the socket already, the socket tells nothing.
  if (tls_ && tls_->has_pending()) return look_for_client();
  wait_for_client();
}

void HttpConnection::wait_for_client() {
  socket_.async_wait(tcp::socket::wait_read, [this, lasts = client_watch_](error_code ec) {
    if (!ec && *lasts) look_for_client();
  });
}

/// Takes what the client sends meanwhile, its next request, as far as one head.
void HttpConnection::look_for_client() {
  error_code ec;
  while (!ec && early_.size() <= context_.config.max_header_bytes) {
    const std::span<char> room = early_.room(kFirstRead);
    early_.commit(tls_ ? read_now(room, ec) : socket_.read_some(asio::buffer(room.data(), room.size()), ec));
  }
  if (ec == asio::error::would_block) return wait_for_client();
  if (ec && handled_ != nullptr && handled_->disconnected) std::exchange(handled_->disconnected, nullptr)();
}

void HttpConnection::stop_watching() noexcept {
  if (client_watch_ == nullptr) return;
  *std::exchange(client_watch_, nullptr) = false;
  error_code ignored;
  socket_.cancel(ignored);
}

void HttpConnection::take_early_bytes() {
  if (early_.empty()) return;
  const std::span<char> room = buffer_.room(early_.size());
  std::copy_n(early_.data(), early_.size(), room.data());
  buffer_.commit(early_.size());
  early_.consume(early_.size(), 0);
}

asio::awaitable<void> HttpConnection::pause(std::chrono::milliseconds duration) {
  asio::steady_timer timer(co_await asio::this_coro::executor, duration);
  co_await timer.async_wait(asio::use_awaitable);
}

ResponseHead::Connection HttpConnection::connection_field(bool is_http_1_1) const noexcept {
  if (!keeps_alive_) return ResponseHead::Connection::kClose;
  return is_http_1_1 ? ResponseHead::Connection::kDefault : ResponseHead::Connection::kKeepAlive;
}

void HttpConnection::build_head(const HttpRequest& request, const HttpResponse& response, bool is_http_1_1,
                                std::uint64_t content_length) {
  const std::string cors = OriginPolicy::cors_fields(request.origin);
  ResponseHead head;
  head.status = response.status;
  head.content_type = response.content_type;
  // RFC 9110, 8.6: none with 204. A stream that was asked for with HEAD has no length either.
  if (response.status != 204 && !response.stream) head.content_length = content_length;
  head.date_field = context_.date_field;
  head.fields = response.headers;
  head.more_fields = cors;
  head.connection = connection_field(is_http_1_1);
  head_.clear();
  append_head(head_, head);
}

void HttpConnection::start_stream(const HttpRequest& request, HttpResponse& response, bool is_http_1_1) {
  // Without chunks the end of an HTTP/1.0 stream is the end of the connection.
  if (!is_http_1_1) keeps_alive_ = false;
  response.headers += kStreamFields;
  response.headers += OriginPolicy::cors_fields(request.origin);
  ResponseHead head;
  head.content_type = "text/event-stream";
  head.chunked = is_http_1_1;
  head.date_field = context_.date_field;
  head.fields = response.headers;
  head.connection = connection_field(is_http_1_1);
  std::string bytes;
  append_head(bytes, head);

  stream_ = std::static_pointer_cast<SseStreamImpl>(response.stream);
  context_.open_streams.fetch_add(1, std::memory_order_relaxed);
  enter(Phase::kStreaming);
  stream_->attach(
      {socket_, tls_.get(), context_.now, std::move(bytes), is_http_1_1, context_.config.max_stream_queue_bytes});
  if (context_.is_draining) stream_->close();
}

/// True when the stream ended as it should and the connection may take another request.
asio::awaitable<bool> HttpConnection::serve_stream() {
  if (buffer_.empty()) buffer_.release();
  std::string().swap(head_);
  const std::shared_ptr<SseStreamImpl> stream = stream_;  // abort() may take it from the connection meanwhile
  error_code ec;
  bool is_dry = false;
  // Nothing is expected from the client but its end; what else it sends is its next request, kept as far as one head.
  while (!ec && !stream->is_finished()) {
    // Of what TLS has taken from the socket already, the socket tells nothing.
    if (is_dry || !tls_ || !tls_->has_pending()) {
      co_await socket_.async_wait(tcp::socket::wait_read, asio::redirect_error(asio::use_awaitable, ec));
      if (ec || stream->is_finished()) break;
    }
    const std::span<char> room = buffer_.room(1);
    const std::size_t count = tls_ ? read_now(room, ec) : socket_.read_some(asio::buffer(room.data(), room.size()), ec);
    buffer_.commit(count);
    is_dry = ec == asio::error::would_block;
    if (ec == asio::error::would_block) ec = {};
    if (!ec && buffer_.size() > context_.config.max_header_bytes) ec = asio::error::no_buffer_space;
  }
  if (!stream->is_finished()) stream->note_client_gone();
  const bool is_clean = stream->state() == SseStreamImpl::State::kClosed;
  if (stream->state() == SseStreamImpl::State::kTooSlow) {
    context_.events.emit(
        RequestRefused{"slow_reader", client_address(), "the client read its event stream too slowly; closed"});
  }
  end_stream();
  if (is_clean && !keeps_alive_) lingers_ = true;
  co_return (is_clean && keeps_alive_ && !context_.is_draining);
}

void HttpConnection::end_stream() {
  if (!stream_) return;
  context_.open_streams.fetch_sub(1, std::memory_order_relaxed);
  // The callback of on_closed() may look at the connection: it has no stream any more.
  std::exchange(stream_, nullptr)->detach();
}

/// Answers and gives up the connection: where the next request would begin is not known, or not worth waiting for.
asio::awaitable<void> HttpConnection::refuse(const Refusal& refusal, const RequestParser& parser) {
  has_expired_ = false;
  // A page that may talk to us may also read why it was refused.
  const HttpRequest request = request_of(parser);
  context_.events.emit(RequestRefused{refusal.reason, request.remote_address, refusal.message});
  const bool is_trusted = context_.policy.check(request.origin, request.host) == nullptr;
  const std::string cors_fields = is_trusted ? OriginPolicy::cors_fields(request.origin) : std::string();
  const std::string body = error_body(refusal);
  ResponseHead head;
  head.status = refusal.status;
  head.content_type = "application/json";
  head.content_length = body.size();
  head.date_field = context_.date_field;
  head.fields = cors_fields;
  head.connection = ResponseHead::Connection::kClose;
  head_.clear();
  append_head(head_, head);
  lingers_ = co_await write(body);
}

/// Writes head_ and `body`, together and at once when the socket takes them. False when the client is gone or too slow.
asio::awaitable<bool> HttpConnection::write(std::string_view body) {
  enter(Phase::kWriting);
  if (tls_) co_return co_await write_tls(body);
  std::array<asio::const_buffer, 2> parts{asio::buffer(head_), asio::buffer(body.data(), body.size())};
  error_code ec;
  std::size_t count = socket_.write_some(parts, ec);
  for (;;) {
    if (ec == asio::error::would_block) ec = {};
    if (ec) co_return false;
    for (asio::const_buffer& part : parts) {
      const std::size_t used = std::min(count, part.size());
      part += used;
      count -= used;
    }
    if (parts[0].size() + parts[1].size() == 0) co_return true;
    since_ = context_.now.load(std::memory_order_relaxed);
    count = co_await socket_.async_write_some(parts, asio::redirect_error(asio::use_awaitable, ec));
  }
}

/// RFC 9112, 9.6: closing with unread bytes makes TCP reset the connection, and the client may lose the answer. So the
/// sending side is closed first and what still arrives is dropped, for a short time.
asio::awaitable<void> HttpConnection::linger() {
  error_code ec;
  socket_.shutdown(tcp::socket::shutdown_send, ec);
  enter(Phase::kLingering);
  buffer_.consume(buffer_.size(), kKeptBuffer);
  const std::span<char> room = buffer_.room(kFirstRead);
  while (!ec) {
    co_await socket_.async_read_some(asio::buffer(room.data(), room.size()),
                                     asio::redirect_error(asio::use_awaitable, ec));
  }
}

asio::awaitable<void> HttpConnection::wait_for(TlsSession::Progress progress, error_code& ec) {
  const bool wants_read = progress == TlsSession::Progress::kWantsRead;
  co_await socket_.async_wait(wants_read ? tcp::socket::wait_read : tcp::socket::wait_write,
                              asio::redirect_error(asio::use_awaitable, ec));
}

/// False when there is no TLS to speak.
asio::awaitable<bool> HttpConnection::shake_hands() {
  enter(Phase::kHandshaking);
  error_code ec;
  while (!ec) {
    const auto progress = tls_->handshake();
    if (progress == TlsSession::Progress::kDone) co_return true;
    if (progress == TlsSession::Progress::kEnded) {
      note_failed_handshake();
      co_return false;
    }
    co_await wait_for(progress, ec);
  }
  if (has_expired_ && !context_.is_draining)
    context_.events.emit(RequestRefused{kTooSlow.reason, remote_address_, "the TLS handshake did not end in time"});
  co_return false;
}

void HttpConnection::note_failed_handshake() {
  if (tls_->fault().empty()) return;  // a port that is only looked at, as balancers do
  lingers_ = true;                    // so that the alert arrives
  if (!tls_->met_plain_http()) {
    context_.events.emit(RequestRefused{"tls", remote_address_, tls_->fault()});
    return;
  }
  context_.events.emit(RequestRefused{kPlainHttp.reason, remote_address_, kPlainHttp.message});
  const std::string answer = last_answer(kPlainHttp, context_.date_field);
  error_code ignored;
  socket_.write_some(asio::buffer(answer), ignored);
}

std::size_t HttpConnection::read_now(std::span<char> room, error_code& ec) {
  std::size_t count = 0;
  const auto progress = tls_->read(room, count);
  if (progress == TlsSession::Progress::kDone) return count;
  ec = progress == TlsSession::Progress::kEnded ? error_code(asio::error::eof) : asio::error::would_block;
  return 0;
}

asio::awaitable<std::size_t> HttpConnection::read_tls(std::span<char> room, error_code& ec) {
  while (!ec) {
    std::size_t count = 0;
    const auto progress = tls_->read(room, count);
    if (progress == TlsSession::Progress::kDone) co_return count;
    if (progress == TlsSession::Progress::kEnded) {
      ec = asio::error::eof;
    } else {
      co_await wait_for(progress, ec);
    }
  }
  co_return 0;
}

/// As write(), of which it is the rest.
asio::awaitable<bool> HttpConnection::write_tls(std::string_view body) {
  if (body.size() <= kJoinedBody) head_ += std::exchange(body, {});
  std::array<std::string_view, 2> parts{head_, body};
  error_code ec;
  for (std::string_view& part : parts) {
    while (!part.empty()) {
      std::size_t count = 0;
      const auto progress = tls_->write(part, count);
      if (progress == TlsSession::Progress::kEnded) co_return false;
      part.remove_prefix(count);
      since_ = context_.now.load(std::memory_order_relaxed);
      if (progress != TlsSession::Progress::kDone) co_await wait_for(progress, ec);
      if (ec) co_return false;
    }
  }
  co_return true;
}

}  // namespace toolhost::transport
