#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "base/result.hpp"
#include "observability/events.hpp"

namespace toolhost::transport {

enum class Method { kGet, kHead, kPost, kDelete, kOptions, kOther };

struct NamedText {
  std::string_view name, value;
};

/// One parsed request. Views live until the handler's coroutine ends.
struct HttpRequest {
  Method method = Method::kOther;
  std::string_view path;   ///< percent-encoded, without the query
  std::string_view query;  ///< without '?'
  std::string_view body;
  std::string_view remote_address;  ///< the client's; behind a trusted proxy, the one that the proxy names
  bool is_https = false;            ///< as the client sees it; likewise
  bool is_forwarded = false;        ///< a trusted proxy is the peer

  // Header fields that the host knows, as sent; empty when absent. Looked up once by the connection.
  std::string_view accept, content_type, authorization, x_api_key, origin, host, cookie, user_agent, sec_fetch_site;
  std::string_view mcp_session_id, mcp_protocol_version, mcp_method, mcp_name, last_event_id, traceparent;
  bool has_mcp_session_id = false;
  std::span<const NamedText> params;  ///< fields Mcp-Param-NAME as NAME and value, in their order; at most 32
};

class SseStream;

/// Told, on the I/O thread, that a request's handler still waits.
class WaitWatch {
 public:
  virtual ~WaitWatch() = default;
  /// Twice a second; `waited` is never more than it was, and up to half a second less.
  virtual void still_waiting(std::chrono::milliseconds waited) noexcept = 0;
};

/// What a connection does for a handler that waits. On its I/O thread.
class WaitingConnection {
 public:
  virtual ~WaitingConnection() = default;
  /// Looks for the client's end from now on.
  virtual void watch_client() = 0;
};

/// The one response. The connection adds Date, Content-Length or chunked coding, Connection, and CORS fields for an
/// allowed origin; to a stream also Cache-Control and X-Accel-Buffering.
struct HttpResponse {
  unsigned status = 500;
  std::string_view content_type;  ///< static text; empty for no body
  std::string headers;            ///< further fields, each ended by CRLF; values must have passed is_header_value()
  std::string body;
  /// How long the answer is held back, so that a client that does not wait is made to; not of streams.
  std::chrono::milliseconds pause{0};
  /// When set, the answer is a Server-Sent Events stream (status 200) that this object feeds; `body` is not used.
  std::shared_ptr<SseStream> stream;

  /// Null: nobody is told.
  std::shared_ptr<WaitWatch> wait_watch;
  /// Called once when the client's end of the connection closes while the handler waits: on the I/O thread, which sets
  /// this. Such requests cost their connection a read; nothing is told of a client that leaves once a stream has begun.
  void on_disconnect(std::function<void()> callback) {
    disconnected = std::move(callback);
    if (connection != nullptr) connection->watch_client();
  }

  // The connection's.
  std::function<void()> disconnected;
  WaitingConnection* connection = nullptr;
};

/// Answers requests. Called on an I/O thread; must not block it. One request of a connection at a time.
class HttpHandler {
 public:
  virtual ~HttpHandler() = default;
  virtual boost::asio::awaitable<void> handle(const HttpRequest& request, HttpResponse& response) = 0;
};

/// One Server-Sent Events stream to one client. Thread-safe. Events are written in the order of send(), the bytes of
/// one event together. A comment line is written when nothing was sent for the heartbeat interval. A client that reads
/// too slowly (queued bytes over the limit, or no progress for the write limit) loses the stream.
class SseStream : public std::enable_shared_from_this<SseStream> {
 public:
  static std::shared_ptr<SseStream> create();
  virtual ~SseStream() = default;

  /// Every part is one line; parts that are empty are left out, but `data`.
  struct Event {
    std::string_view event, data, id;
    std::optional<std::chrono::milliseconds> retry;  ///< after which a client that lost the stream comes back
  };
  /// Queues one event. May be called before the stream is attached to its connection. False when closed.
  virtual bool send(const Event& event) = 0;
  bool send(std::string_view event, std::string_view data) { return send({.event = event, .data = data}); }
  /// Ends the stream after what is queued. Idempotent.
  virtual void close() = 0;
  [[nodiscard]] virtual bool is_open() const noexcept = 0;
  /// Called once, on an I/O thread, when the stream has ended for whatever reason (at once when it already has). The
  /// callback must not throw.
  virtual void on_closed(std::function<void()> callback) = 0;
};

/// Files of the certificate that HTTPS is served with. They are looked at again and again; when their contents change,
/// new connections get the new certificate.
struct TlsConfig {
  std::string certificate;  ///< PEM: the server's own first, then those in between
  std::string key;          ///< PEM, without a passphrase
  /// How often the files are looked at. A change is taken up when it is as old, so that two files may be replaced.
  std::chrono::milliseconds look_again{1'000};
};

struct HttpServerConfig {
  std::string address = "127.0.0.1";
  std::uint16_t port = 8080;  ///< 0: any free port
  unsigned io_threads = 0;    ///< 0: one for each core, at most 4
  std::size_t max_header_bytes = std::size_t{16} * 1024;
  std::size_t max_body_bytes = std::size_t{4} * 1024 * 1024;
  std::size_t max_connections = 20'000;
  std::chrono::seconds request_limit{30};  ///< from the first byte of a request to its last
  std::chrono::seconds idle_limit{75};     ///< keep-alive connection without a request
  std::chrono::seconds heartbeat{15};      ///< on SSE streams
  std::size_t max_stream_queue_bytes = std::size_t{4} * 1024 * 1024;
  std::chrono::seconds stream_write_limit{30};
  /// Origins and hosts allowed beside loopback names. An Origin that is present and not allowed, or on a loopback
  /// address a Host that is no loopback name, is 403 before anything else is looked at.
  std::vector<std::string> allowed_origins;
  std::vector<std::string> allowed_hosts;
  std::string public_url;        ///< where people reach the server; its host and origin are allowed; may be empty
  std::optional<TlsConfig> tls;  ///< HTTPS instead of HTTP
  /// With `tls`: plain HTTP on this port of the same address is sent on to https; 0: any free one.
  std::optional<std::uint16_t> redirect_port;
  /// Addresses and networks ("10.0.0.0/8", "::1") whose X-Forwarded-For, -Proto and -Host are believed.
  std::vector<std::string> trusted_proxies;
};

/// HTTP/1.1 over TCP, with or without TLS: one io_context per thread, SO_REUSEPORT.
class HttpServer {
 public:
  /// Binds and serves. kUnavailable when the address is taken or not allowed, kInvalidArgument for what the
  /// configuration has wrong, the certificate and its key among it; with what to do.
  static Result<std::unique_ptr<HttpServer>> start(const HttpServerConfig& config, HttpHandler& handler,
                                                   observability::EventSink& events);
  virtual ~HttpServer() = default;
  [[nodiscard]] virtual std::uint16_t port() const noexcept = 0;
  [[nodiscard]] virtual std::optional<std::uint16_t> redirect_port() const noexcept = 0;
  [[nodiscard]] virtual std::size_t open_connections() const noexcept = 0;
  [[nodiscard]] virtual std::size_t open_streams() const noexcept = 0;
  /// Stops accepting, lets running requests end for at most `drain`, ends the streams behind their queues, closes what
  /// is left, joins the threads. Idempotent; main thread. A handler that is still waiting then never goes on; it is
  /// destroyed with the server, so whatever it waits for must be stopped between stop() and the destructor.
  virtual void stop(std::chrono::milliseconds drain) = 0;
};

/// RFC 9110 field value without CR, LF, NUL and other control characters.
bool is_header_value(std::string_view text) noexcept;

}  // namespace toolhost::transport
