// What the host is measured against: Boost.Beast and nothing else. The plain form of a Beast server: one coroutine a
// connection, async_read of a whole http::request into a string_body, an http::response<string_body> with a fixed body,
// async_write. Lean where the library leaves the choice: an io_context a thread with SO_REUSEPORT as the host has, no
// strand, no time limit for each request, the buffer kept from request to request. It reads and checks nothing of what
// it is sent.
//
//   bare_beast_server PORT THREADS BODY_FILE
//
// Every request is answered 200 application/json with the bytes of BODY_FILE. With GET the answer is an event stream:
// each later POST to the same path and query (/messages?sessionId=N, as the stream's first event says) is answered 202
// and its body's event goes to that stream.
#include <sys/socket.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using tcp = asio::ip::tcp;
using boost::system::error_code;

/// An open event stream; written on its own thread only.
struct Stream {
  explicit Stream(tcp::socket& stream_socket) : socket(stream_socket) {}
  tcp::socket& socket;
  std::string pending;  ///< under `mutex`
  bool is_writing = false;
  bool is_open = true;
  std::mutex mutex;
};

std::string chunk(const std::string& event) {
  char size[20];
  std::snprintf(size, sizeof size, "%zx\r\n", event.size());
  return size + event + "\r\n";
}

class Server {
 public:
  Server(std::string body, unsigned short port) : body_(std::move(body)), port_(port) {
    event_ = chunk("event: message\ndata: " + body_ + "\n\n");
  }

  void run_thread() {
    asio::io_context io(1);
    tcp::acceptor acceptor(io, tcp::v4());
    acceptor.set_option(tcp::acceptor::reuse_address(true));
    const int on = 1;
    ::setsockopt(acceptor.native_handle(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    acceptor.bind({asio::ip::address_v4::loopback(), port_});
    acceptor.listen();
    asio::co_spawn(io, accept(acceptor), asio::detached);
    io.run();
  }

 private:
  asio::awaitable<void> accept(tcp::acceptor& acceptor) {
    for (;;) {
      tcp::socket socket = co_await acceptor.async_accept(asio::use_awaitable);
      socket.set_option(tcp::no_delay(true));
      const auto executor = socket.get_executor();
      asio::co_spawn(executor, serve(std::move(socket)), asio::detached);
    }
  }

  asio::awaitable<void> serve(tcp::socket socket) {
    boost::beast::flat_buffer buffer;
    error_code ec;
    for (;;) {
      http::request<http::string_body> request;
      co_await http::async_read(socket, buffer, request, asio::redirect_error(asio::use_awaitable, ec));
      if (ec) co_return;
      if (request.method() == http::verb::get) {
        co_await stream(socket);
        co_return;
      }
      const bool is_message = request.target().starts_with("/messages");
      if (is_message) push(std::string(request.target()));
      http::response<http::string_body> response(is_message ? http::status::accepted : http::status::ok,
                                                 request.version());
      response.set(http::field::content_type, "application/json");
      response.keep_alive(request.keep_alive());
      if (!is_message) response.body() = body_;
      response.prepare_payload();
      co_await http::async_write(socket, response, asio::redirect_error(asio::use_awaitable, ec));
      if (ec || !response.keep_alive()) co_return;
    }
  }

  asio::awaitable<void> stream(tcp::socket& socket) {
    const auto opened = std::make_shared<Stream>(socket);
    const std::string endpoint = "/messages?sessionId=" + std::to_string(++last_id_);
    {
      const std::scoped_lock lock(mutex_);
      streams_[endpoint] = opened;
    }
    error_code ec;
    const std::string head =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\nTransfer-Encoding: "
        "chunked\r\n\r\n" +
        chunk("event: endpoint\ndata: " + endpoint + "\n\n");
    co_await asio::async_write(socket, asio::buffer(head), asio::redirect_error(asio::use_awaitable, ec));
    co_await socket.async_wait(tcp::socket::wait_read,
                               asio::redirect_error(asio::use_awaitable, ec));  // the client's end
    {
      const std::scoped_lock lock(mutex_);
      streams_.erase(endpoint);
    }
    const std::scoped_lock lock(opened->mutex);
    opened->is_open = false;
  }

  void push(const std::string& endpoint) {
    std::shared_ptr<Stream> stream;
    {
      const std::scoped_lock lock(mutex_);
      const auto found = streams_.find(endpoint);
      if (found == streams_.end()) return;
      stream = found->second;
    }
    const std::scoped_lock lock(stream->mutex);
    if (!stream->is_open) return;
    stream->pending += event_;
    if (std::exchange(stream->is_writing, true)) return;
    asio::post(stream->socket.get_executor(), [stream] {
      const auto executor = stream->socket.get_executor();
      asio::co_spawn(executor, write(stream), asio::detached);
    });
  }

  static asio::awaitable<void> write(std::shared_ptr<Stream> stream) {
    for (;;) {
      std::string bytes;
      {
        const std::scoped_lock lock(stream->mutex);
        bytes.swap(stream->pending);
        if (bytes.empty() || !stream->is_open) {
          stream->is_writing = false;
          co_return;
        }
      }
      error_code ec;
      co_await asio::async_write(stream->socket, asio::buffer(bytes), asio::redirect_error(asio::use_awaitable, ec));
      if (ec) co_return;
    }
  }

  const std::string body_;
  const unsigned short port_;
  std::string event_;
  std::atomic<unsigned> last_id_{0};
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Stream>> streams_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: bare_beast_server PORT THREADS BODY_FILE\n";
    return 2;
  }
  std::ifstream file(argv[3], std::ios::binary);
  std::string body((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  Server server(std::move(body), static_cast<unsigned short>(std::atoi(argv[1])));
  std::vector<std::jthread> threads;
  for (int i = 0; i < std::atoi(argv[2]); ++i) threads.emplace_back([&server] { server.run_thread(); });
}
