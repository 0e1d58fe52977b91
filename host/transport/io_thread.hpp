#pragma once
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "transport/http_connection.hpp"

namespace toolhost::transport {

/// Counted over all threads of a server.
struct ServerCounters {
  std::atomic<std::size_t> open_connections{0};
  std::atomic<std::size_t> open_streams{0};
  std::mutex mutex;                 ///< pairs with `changed`
  std::condition_variable changed;  ///< open_connections became 0
};

/// One I/O thread: an io_context, a listening socket of its own (SO_REUSEPORT), its connections, and one timer that
/// keeps all limits.
class IoThread {
 public:
  IoThread(const ServerParts& parts, ServerCounters& counters);

  /// Binds and listens; a port of 0 in `endpoint` is replaced by the one chosen.
  boost::system::error_code listen(boost::asio::ip::tcp::endpoint& endpoint);
  void start();

  // From the main thread.

  /// Stops accepting; idle connections and streams end, others end with their answer.
  void drain();
  /// Closes every connection at once.
  void abort();
  /// Ends the thread. Handlers that are still waiting are destroyed with this object.
  void join();

 private:
  class Registration;
  boost::asio::awaitable<void> accept();
  void admit(boost::asio::ip::tcp::socket socket);
  boost::asio::awaitable<void> serve(boost::asio::ip::tcp::socket socket, std::string remote_address);
  void schedule_sweep();
  void sweep();

  ServerCounters& counters_;
  ConnectionContext context_;
  std::vector<HttpConnection*> connections_;  ///< declared before io_, whose coroutines take themselves off the list
  boost::asio::io_context io_{1};
  boost::asio::ip::tcp::acceptor acceptor_{io_};
  boost::asio::steady_timer sweep_timer_{io_};
  boost::asio::steady_timer accept_pause_{io_};
  std::thread thread_;
};

}  // namespace toolhost::transport
