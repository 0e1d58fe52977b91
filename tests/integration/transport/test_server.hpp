#pragma once
#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "transport/http.hpp"

namespace toolhost::transport::testing {

/// Polls; true as soon as the condition holds, false after five seconds.
inline bool eventually(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

/// Keeps the reasons of refusals and the text of notices.
class RecordingSink final : public observability::EventSink {
 public:
  void emit(const observability::Event& event) noexcept override {
    const std::scoped_lock lock(mutex_);
    if (const auto* refused = std::get_if<observability::RequestRefused>(&event)) seen_.emplace_back(refused->reason);
    if (const auto* notice = std::get_if<observability::HostNotice>(&event)) seen_.emplace_back(notice->message);
  }
  [[nodiscard]] bool has(std::string_view text) const { return count(text) != 0; }
  [[nodiscard]] std::ptrdiff_t count(std::string_view text) const {
    const std::scoped_lock lock(mutex_);
    return std::ranges::count_if(seen_,
                                 [&](const std::string& entry) { return entry.find(text) != std::string::npos; });
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> seen_;
};

/// /echo: the request as text. /client: who sent it. /slow: the same after 300 ms. /hang: never. /throw. /big: 8 MiB.
/// /watched: waits until its client has left, or for 300 ms, and counts those that have.
/// /stream: a stream that the test feeds, its first event sent before it is attached. /short-stream: two events and the
/// end, all before it is attached.
class TestHandler final : public HttpHandler {
 public:
  boost::asio::awaitable<void> handle(const HttpRequest& request, HttpResponse& response) override {
    ++calls;
    response.status = 200;
    response.content_type = "text/plain";
    if (request.path == "/slow" || request.path == "/hang") {
      boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor,
                                      request.path == "/slow" ? std::chrono::milliseconds(300) : std::chrono::hours(1));
      co_await timer.async_wait(boost::asio::use_awaitable);
    }
    if (request.path == "/watched") {
      boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, std::chrono::milliseconds(300));
      response.on_disconnect([this, &timer] {
        ++left;
        timer.cancel();
      });
      boost::system::error_code ec;
      co_await timer.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, ec));
    }
    if (request.path == "/throw") throw std::runtime_error("a handler's bug");
    if (request.path == "/nothing") {
      response.status = 204;
      co_return;
    }
    if (request.path == "/big") {
      response.body.assign(8 * 1024 * 1024, 'b');
      co_return;
    }
    if (request.path == "/stream" || request.path == "/short-stream") {
      response.headers = "X-Extra: yes\r\n";
      response.stream = SseStream::create();
      response.stream->send("endpoint", "/messages?sessionId=1");
      if (request.path == "/short-stream") {
        response.stream->send("message", "{\"id\":1}");
        response.stream->close();
        co_return;
      }
      const std::scoped_lock lock(mutex_);
      streams_.push_back(response.stream);
      co_return;
    }
    if (request.path == "/client") {
      response.body = std::string(request.remote_address) + (request.is_https ? " https " : " http ") +
                      std::string(request.host) + " " + std::string(request.cookie) + " " +
                      std::string(request.user_agent) + " " + std::string(request.sec_fetch_site) +
                      (request.is_forwarded ? " forwarded" : "");
      co_return;
    }
    response.body = std::string(request.path) + "?" + std::string(request.query) + " " +
                    std::string(request.x_api_key) + " " + std::string(request.body);
  }

  [[nodiscard]] std::vector<std::shared_ptr<SseStream>> streams() {
    const std::scoped_lock lock(mutex_);
    return streams_;
  }
  std::shared_ptr<SseStream> wait_for_stream(std::size_t count = 1) {
    if (!eventually([&] { return streams().size() >= count; })) throw std::runtime_error("no stream");
    return streams().at(count - 1);
  }

  std::atomic<int> calls{0};
  std::atomic<int> left{0};

 private:
  std::mutex mutex_;
  std::vector<std::shared_ptr<SseStream>> streams_;
};

/// A server on a free port with two I/O threads.
struct TestServer {
  explicit TestServer(const std::function<void(HttpServerConfig&)>& adjust = {}) {
    HttpServerConfig config;
    config.port = 0;
    config.io_threads = 2;
    if (adjust) adjust(config);
    server = HttpServer::start(config, handler, sink).value();
    port = server->port();
  }

  RecordingSink sink;
  TestHandler handler;
  std::unique_ptr<HttpServer> server;
  std::uint16_t port = 0;
};

/// A whole request for this machine.
inline std::string request(std::string_view method, std::string_view target, std::string_view fields = "",
                           std::string_view body = "") {
  std::string text =
      std::string(method) + " " + std::string(target) + " HTTP/1.1\r\nHost: localhost\r\n" + std::string(fields);
  if (!body.empty()) text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  return text + "\r\n" + std::string(body);
}

}  // namespace toolhost::transport::testing
