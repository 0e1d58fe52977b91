#include <sys/resource.h>

#include <algorithm>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "transport/http.hpp"
#include "transport/https_redirect.hpp"
#include "transport/io_thread.hpp"
#include "transport/origin_policy.hpp"
#include "transport/tls_certificate.hpp"
#include "transport/trusted_proxies.hpp"

namespace toolhost::transport {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using tcp = asio::ip::tcp;

constexpr unsigned kMostThreads = 4;
// After abort() a connection needs one turn of its thread to end; only a handler that still waits takes longer.
constexpr std::chrono::milliseconds kAbortGrace{200};

/// Each stream is a descriptor, and the usual soft limit of 1,024 is far below what one process can carry.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

/// SO_REUSEPORT would let two hosts of one user share a port in silence. A socket without it cannot be bound beside a
/// listening one.
error_code probe(const tcp::endpoint& endpoint) {
  asio::io_context io;
  tcp::acceptor acceptor(io);
  error_code ec;
  acceptor.open(endpoint.protocol(), ec);
  if (ec) return ec;
  acceptor.set_option(tcp::acceptor::reuse_address(true), ec);
  acceptor.bind(endpoint, ec);
  return ec;
}

Error listen_error(const error_code& ec, const HttpServerConfig& config) {
  const std::string place = config.address + ":" + std::to_string(config.port);
  if (ec == asio::error::address_in_use) {
    return {Errc::kUnavailable,
            "cannot listen on " + place + ": another program uses it. Stop that program or choose another port."};
  }
  if (ec == asio::error::access_denied) {
    return {Errc::kUnavailable, "cannot listen on " + place +
                                    ": not permitted. Choose a port from 1024 on, or grant CAP_NET_BIND_SERVICE."};
  }
  return {Errc::kUnavailable,
          "cannot listen on " + place + ": " + ec.message() + ". Choose an address of this machine."};
}

class HttpServerImpl final : public HttpServer {
 public:
  HttpServerImpl(const HttpServerConfig& config, OriginPolicy policy, TrustedProxies proxies,
                 std::unique_ptr<TlsCertificate> certificate, HttpHandler& handler, observability::EventSink& events)
      : config_(config),
        policy_(std::move(policy)),
        proxies_(std::move(proxies)),
        certificate_(std::move(certificate)),
        parts_{config_, policy_, proxies_, certificate_.get(), handler, events} {
    const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
    const unsigned count = config.io_threads == 0 ? std::min(cores, kMostThreads) : config.io_threads;
    threads_.reserve(count);
    for (unsigned i = 0; i < count; ++i) threads_.push_back(std::make_unique<IoThread>(parts_, counters_));
  }
  ~HttpServerImpl() override { stop(std::chrono::milliseconds::zero()); }

  Result<> listen(tcp::endpoint endpoint) {
    if (endpoint.port() != 0) {
      if (const error_code ec = probe(endpoint)) return listen_error(ec, config_);
    }
    for (const auto& thread : threads_) {
      if (const error_code ec = thread->listen(endpoint)) return listen_error(ec, config_);
    }
    port_ = endpoint.port();
    return {};
  }
  void start() {
    for (const auto& thread : threads_) thread->start();
    is_running_ = true;
  }
  /// Sends on to this server what comes over plain HTTP. Behind listen(), in front of start().
  Result<> redirect(const asio::ip::address& address) {
    const HttpServerConfig listener = redirect_listener(config_);
    redirect_ = std::make_unique<HttpsRedirect>(HttpsAddress(config_, port_), parts_.events);
    auto server = std::make_unique<HttpServerImpl>(listener, OriginPolicy(config_, OriginPolicy::Hosts::kAny), proxies_,
                                                   nullptr, *redirect_, parts_.events);
    if (auto listening = server->listen({address, listener.port}); !listening) return listening;
    server->start();
    redirect_server_ = std::move(server);
    return {};
  }

  [[nodiscard]] std::uint16_t port() const noexcept override { return port_; }
  [[nodiscard]] std::optional<std::uint16_t> redirect_port() const noexcept override {
    return redirect_server_ ? std::optional(redirect_server_->port()) : std::nullopt;
  }
  [[nodiscard]] std::size_t open_connections() const noexcept override { return counters_.open_connections; }
  [[nodiscard]] std::size_t open_streams() const noexcept override { return counters_.open_streams; }

  void stop(std::chrono::milliseconds drain) override {
    if (!std::exchange(is_running_, false)) return;
    if (redirect_server_) redirect_server_->stop(std::chrono::milliseconds::zero());
    for (const auto& thread : threads_) thread->drain();
    if (!wait_for_connections(drain)) {
      for (const auto& thread : threads_) thread->abort();
      wait_for_connections(kAbortGrace);
    }
    for (const auto& thread : threads_) thread->join();
  }

 private:
  bool wait_for_connections(std::chrono::milliseconds limit) {
    std::unique_lock lock(counters_.mutex);
    return counters_.changed.wait_for(lock, limit, [this] { return counters_.open_connections.load() == 0; });
  }

  const HttpServerConfig config_;
  const OriginPolicy policy_;
  const TrustedProxies proxies_;
  const std::unique_ptr<TlsCertificate> certificate_;
  const ServerParts parts_;
  ServerCounters counters_;
  std::vector<std::unique_ptr<IoThread>> threads_;
  std::unique_ptr<HttpsRedirect> redirect_;
  std::unique_ptr<HttpServer> redirect_server_;  // null without redirect()
  std::uint16_t port_ = 0;
  bool is_running_ = false;
};

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::start(const HttpServerConfig& config, HttpHandler& handler,
                                                      observability::EventSink& events) {
  error_code ec;
  const auto address = asio::ip::make_address(config.address, ec);
  if (ec) {
    return Error{
        Errc::kInvalidArgument,
        "'" + config.address + "' is no IP address to listen on. Write one such as 127.0.0.1, 0.0.0.0 or ::1."};
  }
  for (const std::string& proxy : config.trusted_proxies) {
    if (!parse_network(proxy)) {
      return Error{Errc::kInvalidArgument,
                   "'" + proxy + "' is no address of a proxy. Write one such as 10.0.0.7, or a network, 10.0.0.0/8."};
    }
  }
  std::unique_ptr<TlsCertificate> certificate;
  if (config.tls) {
    auto loaded = TlsCertificate::load(*config.tls, events);
    if (!loaded) return loaded.error();
    certificate = std::move(*loaded);
  }
  raise_descriptor_limit();
  auto server = std::make_unique<HttpServerImpl>(config, OriginPolicy(config), TrustedProxies(config.trusted_proxies),
                                                 std::move(certificate), handler, events);
  if (auto listening = server->listen({address, config.port}); !listening) return listening.error();
  if (config.tls && config.redirect_port) {
    if (auto redirecting = server->redirect(address); !redirecting) return redirecting.error();
  }
  server->start();
  return std::unique_ptr<HttpServer>(std::move(server));
}

}  // namespace toolhost::transport
