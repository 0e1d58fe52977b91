#include "transport/io_thread.hpp"

#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/socket.h>

#include <array>
#include <exception>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace toolhost::transport {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using tcp = asio::ip::tcp;
using observability::HostNotice;
using observability::RequestRefused;
using observability::Severity;

constexpr std::chrono::milliseconds kAcceptPause{100};
constexpr int kUnsentBytes = 256 * 1024;
constexpr Refusal kServerFull{503, "too_many_connections",
                              "The server has no room for another connection. Try again in a few seconds.",
                              "connection_limit"};

/// Without waiting for anything: the server is at its limit.
void turn_away(tcp::socket& socket) {
  static const std::string answer = last_answer(kServerFull, "Retry-After: 5\r\n");
  error_code ignored;
  // What has already arrived is read, so that closing does not reset the connection before the answer is seen.
  std::array<char, 4096> request;
  socket.read_some(asio::buffer(request), ignored);
  socket.write_some(asio::buffer(answer), ignored);
  socket.shutdown(tcp::socket::shutdown_both, ignored);
}

}  // namespace

/// Keeps a connection on its thread's list and in the count.
class IoThread::Registration {
 public:
  Registration(IoThread& thread, HttpConnection& connection) : thread_(thread), connection_(connection) {
    connection.registry_index = thread.connections_.size();
    thread.connections_.push_back(&connection);
  }
  Registration(const Registration&) = delete;
  Registration& operator=(const Registration&) = delete;
  ~Registration() {
    std::vector<HttpConnection*>& list = thread_.connections_;
    list[connection_.registry_index] = list.back();
    list.back()->registry_index = connection_.registry_index;
    list.pop_back();
  }

 private:
  IoThread& thread_;
  HttpConnection& connection_;
};

IoThread::IoThread(const ServerParts& parts, ServerCounters& counters)
    : counters_(counters), context_(parts, counters.open_streams) {}

error_code IoThread::listen(tcp::endpoint& endpoint) {
  error_code ec;
  acceptor_.open(endpoint.protocol(), ec);
  if (ec) return ec;
  acceptor_.set_option(tcp::acceptor::reuse_address(true), ec);
  const int on = 1;
  if (::setsockopt(acceptor_.native_handle(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) {
    return {errno, boost::system::system_category()};
  }
  acceptor_.bind(endpoint, ec);
  if (ec) return ec;
  acceptor_.listen(tcp::acceptor::max_listen_connections, ec);
  if (ec) return ec;
  endpoint = acceptor_.local_endpoint(ec);
  return ec;
}

void IoThread::start() {
  sweep();
  asio::co_spawn(io_, accept(), [](const std::exception_ptr& failure) {
    if (failure) std::rethrow_exception(failure);
  });
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "toolhost-http");
    io_.run();
  });
}

asio::awaitable<void> IoThread::accept() {
  while (acceptor_.is_open()) {
    error_code ec;
    tcp::socket socket = co_await acceptor_.async_accept(asio::redirect_error(asio::use_awaitable, ec));
    if (!ec) {
      try {
        admit(std::move(socket));
      } catch (const std::exception& error) {
        context_.events.emit(HostNotice{Severity::kError, "http", error.what()});
      }
      continue;
    }
    if (ec == asio::error::operation_aborted || ec == asio::error::bad_descriptor) co_return;
    if (ec == asio::error::connection_aborted) continue;
    // Out of descriptors or memory: the client stays in the backlog, and trying again at once would burn the processor.
    context_.events.emit(HostNotice{Severity::kError, "http", "cannot accept connections: " + ec.message()});
    accept_pause_.expires_after(kAcceptPause);
    co_await accept_pause_.async_wait(asio::redirect_error(asio::use_awaitable, ec));
  }
}

void IoThread::admit(tcp::socket socket) {
  error_code ec;
  const tcp::endpoint peer = socket.remote_endpoint(ec);
  if (ec) return;
  socket.non_blocking(true, ec);
  if (ec) return;
  std::string remote_address = peer.address().to_string();
  if (counters_.open_connections.fetch_add(1, std::memory_order_relaxed) >= context_.config.max_connections) {
    counters_.open_connections.fetch_sub(1, std::memory_order_relaxed);
    context_.events.emit(RequestRefused{kServerFull.reason, remote_address, kServerFull.message});
    if (!context_.certificate) turn_away(socket);  // a handshake is what there is no room for
    return;
  }
  socket.set_option(tcp::no_delay(true), ec);
  // Otherwise the kernel takes megabytes for a reader that is slow or gone, and the write limits see no progress for
  // seconds.
  ::setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &kUnsentBytes, sizeof kUnsentBytes);
  asio::co_spawn(io_, serve(std::move(socket), std::move(remote_address)),
                 [&counters = counters_](const std::exception_ptr&) {
                   // The coroutine has caught what it can throw.
                   if (counters.open_connections.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
                   const std::scoped_lock lock(counters.mutex);
                   counters.changed.notify_all();
                 });
}

asio::awaitable<void> IoThread::serve(tcp::socket socket, std::string remote_address) {
  HttpConnection connection(std::move(socket), context_, std::move(remote_address));
  const Registration registration(*this, connection);
  try {
    co_await connection.run();
  } catch (const std::exception& error) {
    context_.events.emit(HostNotice{Severity::kError, "http", error.what()});
  }
}

void IoThread::schedule_sweep() {
  sweep_timer_.expires_after(kSweepPeriod);
  sweep_timer_.async_wait([this](error_code ec) {
    if (!ec) sweep();
  });
}

void IoThread::sweep() {
  context_.now.store(std::chrono::steady_clock::now(), std::memory_order_relaxed);
  context_.date_field = date_field(
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count());
  for (HttpConnection* connection : connections_) connection->sweep();
  schedule_sweep();
}

void IoThread::drain() {
  asio::post(io_, [this] {
    context_.is_draining = true;
    error_code ignored;
    acceptor_.close(ignored);
    accept_pause_.cancel();
    for (HttpConnection* connection : connections_) connection->drain();
  });
}

void IoThread::abort() {
  asio::post(io_, [this] {
    for (HttpConnection* connection : connections_) connection->abort();
  });
}

void IoThread::join() {
  io_.stop();
  if (thread_.joinable()) thread_.join();
}

}  // namespace toolhost::transport
