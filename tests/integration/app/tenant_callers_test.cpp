#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <future>

#include "app/host_parts.hpp"

namespace toolhost::app {
namespace {

using namespace std::chrono_literals;

/// A port where somebody listens who takes connections and says nothing.
class SilentServer {
 public:
  SilentServer() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* plain = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener_, plain, size) != 0 || ::listen(listener_, 1) != 0 ||
        ::getsockname(listener_, plain, &size) != 0)
      throw std::runtime_error("cannot listen");
    port_ = ntohs(address.sin_port);
  }
  ~SilentServer() {
    ::close(connection_);
    ::close(listener_);
  }
  SilentServer(const SilentServer&) = delete;
  SilentServer& operator=(const SilentServer&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  void accept() { connection_ = ::accept(listener_, nullptr, nullptr); }

 private:
  const int listener_;
  int connection_ = -1;
  std::uint16_t port_ = 0;
};

TEST(TenantCallers, TakesAPolicyWhileTheDatabaseHangs) {
  SilentServer server;
  TenantCallers callers(
      storage::DatabaseAddress::external("postgresql://u@127.0.0.1:" + std::to_string(server.port()) + "/d"),
      access::Policy::compile({}));
  auto asking = std::async(std::launch::async, [&] { return callers.get(); });
  server.accept();
  const auto started = std::chrono::steady_clock::now();
  callers.set_policy(access::Policy::compile({}));
  EXPECT_LT(std::chrono::steady_clock::now() - started, 3s);  // the connection is given up after five
  EXPECT_TRUE(asking.get().empty());
}

}  // namespace
}  // namespace toolhost::app
