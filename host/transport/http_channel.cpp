#include "transport/http_channel.hpp"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <optional>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include "base/cut.hpp"
#include "base/lower.hpp"
#include "transport/http.hpp"
#include "transport/tls_client.hpp"

namespace toolhost::transport {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;
using tcp = asio::ip::tcp;
template <class T>
using Awaitable = asio::awaitable<T>;

constexpr std::uint32_t kMaxHeaderBytes = 32 * 1024;
constexpr std::size_t kPiece = std::size_t{16} * 1024;
constexpr std::size_t kMostIdle = 8;
// For one address, its name and its handshake. A server that takes longer serves nobody who waits.
constexpr std::chrono::seconds kOpenLimit{10};

bool is_field_name(std::string_view name) noexcept {
  constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~";
  return !name.empty() && std::ranges::all_of(name, [&](char c) {
    return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9') || kOthers.find(c) != std::string_view::npos;
  });
}

/// Whoever says what a field holds must not say more than that.
Result<> check(const HttpFields& fields) {
  for (const auto& [name, value] : fields) {
    if (!is_field_name(name)) return Error{Errc::kInvalidArgument, "'" + name + "' is no name of an HTTP field", ""};
    if (!is_header_value(value))
      return Error{Errc::kInvalidArgument, "the value of " + name + " holds control characters", ""};
  }
  return {};
}

/// A connection, and what was read on it too early.
struct Connection {
  Connection(asio::io_context& io, asio::ssl::context& tls) : stream(io, tls) {}
  tcp::socket& socket() { return stream.next_layer(); }
  asio::ssl::stream<tcp::socket> stream;
  boost::beast::flat_buffer buffer;
};

/// What the exchanges share; they may outlive the channel.
struct Pool {
  Pool(asio::io_context& context, const Url& url, HttpFields common)
      : io(context), server(url), fields(std::move(common)) {}
  asio::io_context& io;
  const Url server;
  const HttpFields fields;
  asio::ssl::context tls{asio::ssl::context::tls_client};
  std::vector<std::unique_ptr<Connection>> idle;  ///< latest use last

  /// One that the server has not closed and on which nothing is left to read; null when there is none.
  std::unique_ptr<Connection> take() {
    while (!idle.empty()) {
      auto connection = std::move(idle.back());
      idle.pop_back();
      char byte = 0;
      const auto got = ::recv(connection->socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
      if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) && connection->buffer.size() == 0) return connection;
    }
    return nullptr;
  }
  void give_back(std::unique_ptr<Connection> connection) {
    if (idle.size() < kMostIdle) idle.push_back(std::move(connection));
  }
};

/// A server that vanished without a word is noticed within two minutes, however long an answer may take.
void keep_alive(tcp::socket& socket) {
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  socket.set_option(asio::socket_base::keep_alive(true), ignored);
  const std::array<std::pair<int, int>, 3> settings{{{TCP_KEEPIDLE, 60}, {TCP_KEEPINTVL, 15}, {TCP_KEEPCNT, 4}}};
  for (const auto& [option, value] : settings)
    ::setsockopt(socket.native_handle(), IPPROTO_TCP, option, &value, sizeof value);
}

class Exchange final : public HttpExchange {
 public:
  explicit Exchange(std::shared_ptr<Pool> pool) : pool_(std::move(pool)), timer_(pool_->io) {}
  ~Exchange() override { limit_over(); }

  Awaitable<Result<HttpHead>> ask(HttpQuestion question) override {
    if (auto sound = check(question.fields); !sound) co_return sound.error();
    connection_ = pool_->take();
    if (!connection_) {
      if (auto opened = co_await open(); !opened) co_return opened.error();
    }
    auto request = request_for(std::move(question));
    was_sent_ = true;
    error_code ec;
    if (pool_->server.is_https)
      co_await http::async_write(connection_->stream, request, asio::redirect_error(asio::use_awaitable, ec));
    else
      co_await http::async_write(connection_->socket(), request, asio::redirect_error(asio::use_awaitable, ec));
    // An early answer, such as a refusal, may be there although the server takes no more.
    if (ec && is_aborted_) co_return failed(ec);
    do {
      parser_.emplace();
      parser_->header_limit(kMaxHeaderBytes);
      parser_->body_limit(boost::none);
      if (pool_->server.is_https)
        co_await http::async_read_header(connection_->stream, connection_->buffer, *parser_,
                                         asio::redirect_error(asio::use_awaitable, ec));
      else
        co_await http::async_read_header(connection_->socket(), connection_->buffer, *parser_,
                                         asio::redirect_error(asio::use_awaitable, ec));
      if (ec) co_return failed(ec);
    } while (parser_->get().result_int() < 200);
    co_return head_of(parser_->get());
  }

  Awaitable<Result<std::string_view>> read() override {
    auto& body = parser_->get().body();
    for (;;) {
      if (is_aborted_ || !connection_)
        co_return connection_ || is_aborted_ ? failed({}) : Result<std::string_view>(std::string_view());
      if (parser_->is_done()) break;
      body.data = piece_.data();
      body.size = piece_.size();
      error_code ec;
      if (pool_->server.is_https)
        co_await http::async_read_some(connection_->stream, connection_->buffer, *parser_,
                                       asio::redirect_error(asio::use_awaitable, ec));
      else
        co_await http::async_read_some(connection_->socket(), connection_->buffer, *parser_,
                                       asio::redirect_error(asio::use_awaitable, ec));
      if (ec == http::error::need_buffer) ec = {};
      if (ec) co_return failed(ec);
      if (const std::size_t got = piece_.size() - body.size; got > 0) co_return std::string_view(piece_.data(), got);
    }
    if (parser_->keep_alive()) pool_->give_back(std::move(connection_));
    connection_.reset();
    co_return std::string_view();
  }

  [[nodiscard]] bool was_sent() const noexcept override { return was_sent_; }

  void abort() noexcept override {
    is_aborted_ = true;
    close();
  }

 private:
  void close() noexcept {
    resolver_.cancel();
    error_code ignored;
    if (connection_) connection_->socket().close(ignored);
  }

  /// From now on what waits ends after `limit`, until limit_over().
  void limit_to(std::chrono::seconds limit) {
    timer_.expires_after(limit);
    timer_.async_wait([this, alive = std::weak_ptr<bool>(alive_)](const error_code& ec) {
      if (ec || alive.expired()) return;
      is_too_slow_ = true;
      close();
    });
  }
  void limit_over() noexcept {
    alive_ = std::make_shared<bool>(true);  // a timer that has just gone off finds nobody
    timer_.cancel();
  }

  Awaitable<Result<>> open() {
    limit_to(kOpenLimit);
    error_code ec;
    const auto addresses = co_await resolver_.async_resolve(pool_->server.host, std::to_string(pool_->server.port),
                                                            asio::redirect_error(asio::use_awaitable, ec));
    if (ec && !is_aborted_ && !is_too_slow_) co_return unavailable("is a name that has no address", ec.message());
    if (ec) co_return failed(ec);
    for (const auto& address : addresses) {
      limit_to(kOpenLimit);
      is_too_slow_ = false;
      connection_ = std::make_unique<Connection>(pool_->io, pool_->tls);
      co_await connection_->socket().async_connect(address.endpoint(), asio::redirect_error(asio::use_awaitable, ec));
      if (!ec || is_aborted_) break;
    }
    limit_over();
    if (ec && !is_aborted_ && !is_too_slow_) co_return unavailable("cannot be reached", ec.message());
    if (ec || is_aborted_) co_return failed(ec);
    keep_alive(connection_->socket());
    if (pool_->server.is_https) co_return co_await shake_hands();
    co_return Result<>{};
  }

  Awaitable<Result<>> shake_hands() {
    SSL* const tls = connection_->stream.native_handle();
    if (auto expected = expect_host(tls, pool_->server); !expected) co_return expected.error();
    limit_to(kOpenLimit);
    error_code ec;
    co_await connection_->stream.async_handshake(asio::ssl::stream_base::client,
                                                 asio::redirect_error(asio::use_awaitable, ec));
    limit_over();
    if (!ec) co_return Result<>{};
    if (auto problem = certificate_problem(tls); !problem.empty() && !is_aborted_)
      co_return Error{Errc::kDenied, pool_->server.authority() + " " + problem, ec.message()};
    if (is_aborted_ || is_too_slow_) co_return failed(ec);
    co_return unavailable("does not speak TLS with us", ec.message());
  }

  http::request<http::string_body> request_for(HttpQuestion&& question) const {
    using Method = HttpQuestion::Method;
    const auto verb = question.method == Method::kGet    ? http::verb::get
                      : question.method == Method::kPost ? http::verb::post
                                                         : http::verb::delete_;
    http::request<http::string_body> request(verb, question.target, 11);
    request.set(http::field::host, pool_->server.authority());
    request.set(http::field::user_agent, "toolhost");
    for (const HttpFields* fields : {&pool_->fields, &std::as_const(question.fields)})
      for (const auto& [name, value] : *fields) request.set(name, value);
    if (question.method == Method::kPost) {
      request.set(http::field::content_type, "application/json");
      request.body() = std::move(question.body);
      request.prepare_payload();
    }
    return request;
  }

  static HttpHead head_of(const http::response_header<>& head) {
    std::string_view type(head[http::field::content_type].data(), head[http::field::content_type].size());
    const auto session = head["Mcp-Session-Id"];
    return {.status = head.result_int(),
            .content_type = lower(trimmed(take_until(type, ';'))),
            .mcp_session_id = std::string(session)};
  }

  [[nodiscard]] Error unavailable(std::string why, std::string detail = {}) const {
    return {Errc::kUnavailable, pool_->server.authority() + " " + std::move(why), std::move(detail)};
  }

  [[nodiscard]] Error failed(const error_code& ec) const {
    if (is_aborted_) return {Errc::kCancelled, "the request was given up", ""};
    if (is_too_slow_) return unavailable("did not answer in time");
    if (ec == http::error::header_limit || ec == http::error::buffer_overflow)
      return unavailable("sent more than is taken", ec.message());
    if (ec.category() == http::make_error_code(http::error::bad_version).category() &&
        ec != http::error::end_of_stream && ec != http::error::partial_message)
      return unavailable("sent something that is no HTTP answer", ec.message());
    return unavailable("broke the connection", ec.message());
  }

  const std::shared_ptr<Pool> pool_;
  asio::steady_timer timer_;
  tcp::resolver resolver_{pool_->io};
  std::unique_ptr<Connection> connection_;
  std::optional<http::response_parser<http::buffer_body>> parser_;
  std::array<char, kPiece> piece_{};
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  bool was_sent_ = false, is_aborted_ = false, is_too_slow_ = false;
};

class Channel final : public HttpChannel {
 public:
  explicit Channel(std::shared_ptr<Pool> pool) : pool_(std::move(pool)) {}
  ~Channel() override { pool_->idle.clear(); }
  std::shared_ptr<HttpExchange> begin() override { return std::make_shared<Exchange>(pool_); }

 private:
  const std::shared_ptr<Pool> pool_;
};

}  // namespace

Result<std::unique_ptr<HttpChannel>> HttpChannel::create(asio::io_context& io, const Url& server,
                                                         const HttpFields& fields) {
  if (auto sound = check(fields); !sound) return sound.error();
  auto pool = std::make_shared<Pool>(io, server, fields);
  if (server.is_https) {
    if (auto trusted = trust(pool->tls.native_handle(), ""); !trusted) return trusted.error();
  }
  return std::unique_ptr<HttpChannel>(std::make_unique<Channel>(std::move(pool)));
}

}  // namespace toolhost::transport
