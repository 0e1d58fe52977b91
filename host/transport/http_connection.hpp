#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "transport/http.hpp"
#include "transport/origin_policy.hpp"
#include "transport/read_buffer.hpp"
#include "transport/request_parser.hpp"
#include "transport/sse_stream.hpp"
#include "transport/tls_certificate.hpp"
#include "transport/trusted_proxies.hpp"

namespace toolhost::transport {

/// How often each I/O thread looks at its connections' time limits.
inline constexpr std::chrono::milliseconds kSweepPeriod{500};

/// What all connections of a server share. Outlives them.
struct ServerParts {
  const HttpServerConfig& config;
  const OriginPolicy& policy;
  const TrustedProxies& proxies;
  const TlsCertificate* certificate;  ///< null: plain HTTP
  HttpHandler& handler;
  observability::EventSink& events;
};

/// What the connections of one I/O thread share. Outlives them.
struct ConnectionContext : ServerParts {
  using TimePoint = std::chrono::steady_clock::time_point;

  ConnectionContext(const ServerParts& parts, std::atomic<std::size_t>& streams)
      : ServerParts(parts), open_streams(streams) {}

  std::atomic<std::size_t>& open_streams;
  std::atomic<TimePoint> now{
      std::chrono::steady_clock::now()};  ///< set by the sweep; streams read it from other threads
  std::string date_field;                 ///< likewise, for the connections
  bool is_draining = false;               ///< no further request is taken
};

/// One client's connection: a coroutine that reads, answers and streams. Everything runs on its I/O thread; time limits
/// are kept by sweep().
class HttpConnection final : private WaitingConnection {
 public:
  /// Speaks TLS when the context has a certificate.
  HttpConnection(boost::asio::ip::tcp::socket socket, ConnectionContext& context, std::string remote_address);
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;
  ~HttpConnection() override;

  /// Serves until either side ends the connection; closes it.
  boost::asio::awaitable<void> run();

  /// Ends what has taken longer than its limit; heartbeats. Limits are never cut short, though exceeded by up to two
  /// sweeps.
  void sweep();
  /// Ends an idle connection and closes a stream behind its queue; a running request ends the connection with its
  /// answer.
  void drain();
  /// Closes at once.
  void abort();

  std::size_t registry_index = 0;  ///< place in IoThread's list

 private:
  enum class Phase : std::uint8_t { kHandshaking, kIdle, kReading, kHandling, kWriting, kStreaming, kLingering };
  using TimePoint = ConnectionContext::TimePoint;

  boost::asio::awaitable<bool> serve_requests();
  boost::asio::awaitable<bool> read_request(RequestParser& parser);
  boost::asio::awaitable<bool> answer(RequestParser& parser);

  // While the handler waits:
  void watch_client() override;
  void wait_for_client();
  void look_for_client();
  void stop_watching() noexcept;
  void take_early_bytes();

  boost::asio::awaitable<bool> serve_stream();
  boost::asio::awaitable<void> refuse(const Refusal& refusal, const RequestParser& parser);
  boost::asio::awaitable<bool> write(std::string_view body);
  boost::asio::awaitable<void> linger();

  // With TLS, instead of the socket's own:
  boost::asio::awaitable<bool> shake_hands();
  void note_failed_handshake();
  boost::asio::awaitable<std::size_t> read_tls(std::span<char> room, boost::system::error_code& ec);
  boost::asio::awaitable<bool> write_tls(std::string_view body);
  std::size_t read_now(std::span<char> room, boost::system::error_code& ec);
  boost::asio::awaitable<void> wait_for(TlsSession::Progress progress, boost::system::error_code& ec);

  HttpRequest request_of(const RequestParser& parser);
  [[nodiscard]] std::string_view client_address() const noexcept {
    return client_address_.empty() ? remote_address_ : client_address_;
  }
  void start_stream(const HttpRequest& request, HttpResponse& response, bool is_http_1_1);
  void build_head(const HttpRequest& request, const HttpResponse& response, bool is_http_1_1,
                  std::uint64_t content_length);
  static boost::asio::awaitable<void> pause(std::chrono::milliseconds duration);
  [[nodiscard]] ResponseHead::Connection connection_field(bool is_http_1_1) const noexcept;
  void end_stream();
  void enter(Phase phase) noexcept;
  void expire() noexcept;

  boost::asio::ip::tcp::socket socket_;
  ConnectionContext& context_;
  const std::unique_ptr<TlsSession> tls_;  ///< null: plain HTTP
  const std::string remote_address_;       ///< the peer's
  const bool is_proxy_;                    ///< a trusted one
  std::string client_address_;             ///< as the proxy said with the last request; else empty
  ReadBuffer buffer_;
  ReadBuffer early_;                       ///< the next request, as far as it came while the client was watched
  std::shared_ptr<bool> client_watch_;     ///< true while it lasts; null: the client is not watched
  HttpResponse* handled_ = nullptr;        ///< that a handler is filling in
  std::string head_;                       ///< of the answer; reused
  std::shared_ptr<SseStreamImpl> stream_;  ///< while one is attached
  TimePoint since_;                        ///< start of the phase, or its last progress when writing
  Phase phase_ = Phase::kIdle;
  bool has_expired_ = false;
  bool keeps_alive_ = true;
  bool lingers_ = false;  ///< the client may still be sending
};

}  // namespace toolhost::transport
