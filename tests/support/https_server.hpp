#pragma once
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>

#include "support/certificates.hpp"

namespace toolhost::test_support {

struct SeenRequest {
  std::string method, target, body, host, authorization, content_type;
};

/// Exactly these bytes, then the end of the connection.
struct RawReply {
  std::string bytes;  ///< empty: no answer
  std::chrono::milliseconds before{0};
  std::chrono::milliseconds between{0};  ///< bytes, when not 0
  bool cuts = false;                     ///< the end comes without TLS's close_notify, as when somebody cuts the line
};

/// A whole answer with a length.
inline RawReply reply(unsigned status, std::string_view body, std::string_view fields = "") {
  return {.bytes = "HTTP/1.1 " + std::to_string(status) +
                   " Said\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
                   "\r\n" + std::string(fields) + "\r\n" + std::string(body)};
}

/// A small server on a free port of 127.0.0.1, a thread for each connection, one request each. Without a certificate:
/// plain HTTP. The handler may be called by several threads.
class HttpsServer {
 public:
  using Handler = std::function<RawReply(const SeenRequest&)>;

  explicit HttpsServer(std::optional<Certified> certified, Handler handler, int newest_tls = 0)
      : handler_(std::move(handler)), is_tls_(certified.has_value()) {
    if (certified) {
      tls_.use_certificate_chain(boost::asio::buffer(certified->certificate));
      tls_.use_private_key(boost::asio::buffer(certified->key), boost::asio::ssl::context::pem);
    }
    if (newest_tls != 0) {
      SSL_CTX_set_cipher_list(tls_.native_handle(), "ALL:@SECLEVEL=0");
      SSL_CTX_set_min_proto_version(tls_.native_handle(), newest_tls);
      SSL_CTX_set_max_proto_version(tls_.native_handle(), newest_tls);
    }
    thread_ = std::thread([this] { accept(); });
  }
  ~HttpsServer() {
    is_ending_ = true;
    ::shutdown(acceptor_.native_handle(), SHUT_RDWR);
    thread_.join();
    for (auto& thread : connections_) thread.join();
  }
  HttpsServer(const HttpsServer&) = delete;
  HttpsServer& operator=(const HttpsServer&) = delete;

  [[nodiscard]] std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
  [[nodiscard]] std::string url(std::string_view path = "", std::string_view host = "localhost") const {
    return (is_tls_ ? "https://" : "http://") + std::string(host) + ":" + std::to_string(port()) + std::string(path);
  }
  [[nodiscard]] std::vector<SeenRequest> seen() const {
    const std::scoped_lock lock(mutex_);
    return seen_;
  }
  /// Requests for this path.
  [[nodiscard]] std::size_t count(std::string_view target) const {
    const std::scoped_lock lock(mutex_);
    return static_cast<std::size_t>(
        std::ranges::count_if(seen_, [&](const SeenRequest& request) { return request.target == target; }));
  }
  [[nodiscard]] int connections() const noexcept { return accepted_; }

 private:
  using tcp = boost::asio::ip::tcp;

  void accept() {
    while (!is_ending_) {
      boost::system::error_code ec;
      tcp::socket socket = acceptor_.accept(ec);
      if (ec) continue;
      ++accepted_;
      const timeval limit{5, 0};
      ::setsockopt(socket.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
      connections_.emplace_back([this, peer = std::move(socket)]() mutable { serve(std::move(peer)); });
    }
  }

  void serve(tcp::socket socket) {
    boost::system::error_code ec;
    if (!is_tls_) {
      answer(socket);
      return;
    }
    boost::asio::ssl::stream<tcp::socket> stream(std::move(socket), tls_);
    stream.handshake(boost::asio::ssl::stream_base::server, ec);
    if (ec) return;
    if (answer(stream)) stream.shutdown(ec);
  }

  /// False when the connection is to be cut.
  template <class Stream>
  bool answer(Stream& stream) {
    namespace http = boost::beast::http;
    boost::system::error_code ec;
    boost::beast::flat_buffer buffer;
    http::request<http::string_body> request;
    http::read(stream, buffer, request, ec);
    if (ec) return false;
    SeenRequest seen{.method = request.method_string(),
                     .target = request.target(),
                     .body = request.body(),
                     .host = request[http::field::host],
                     .authorization = request[http::field::authorization],
                     .content_type = request[http::field::content_type]};
    {
      const std::scoped_lock lock(mutex_);
      seen_.push_back(seen);
    }
    const RawReply reply = handler_(seen);
    pause(reply.before);
    const std::size_t step = reply.between.count() == 0 ? reply.bytes.size() : 1;
    for (std::size_t at = 0; at < reply.bytes.size() && !ec && !is_ending_; at += step) {
      boost::asio::write(stream, boost::asio::buffer(reply.bytes.data() + at, step), ec);
      pause(reply.between);
    }
    return !reply.cuts;
  }

  void pause(std::chrono::milliseconds time) const {
    const auto end = std::chrono::steady_clock::now() + time;
    while (!is_ending_ && std::chrono::steady_clock::now() < end)
      std::this_thread::sleep_for(std::min(time, std::chrono::milliseconds(10)));
  }

  const Handler handler_;
  const bool is_tls_;
  boost::asio::io_context io_;
  boost::asio::ssl::context tls_{boost::asio::ssl::context::tls_server};
  tcp::acceptor acceptor_{io_, {boost::asio::ip::address_v4::loopback(), 0}};
  std::atomic<bool> is_ending_{false};
  std::atomic<int> accepted_{0};
  mutable std::mutex mutex_;
  std::vector<SeenRequest> seen_;
  std::vector<std::thread> connections_;  // of thread_ until it has ended
  std::thread thread_;
};

}  // namespace toolhost::test_support
