#pragma once
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cctype>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>

namespace toolhost::transport::testing {

struct RawResponse {
  unsigned status = 0;  ///< 0: the connection ended without an answer
  std::string head;     ///< status line and fields
  std::string body;     ///< chunks already put together

  [[nodiscard]] bool has_field(std::string_view line) const {
    return head.find("\r\n" + std::string(line)) != std::string::npos;
  }
};

/// A client that sends exactly the bytes it is told to, and reads with a limit of five seconds.
class RawClient {
 public:
  explicit RawClient(std::uint16_t port, int receive_buffer_bytes = 0)
      : descriptor_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (descriptor_ < 0) throw std::runtime_error("no socket");
    const int on = 1;
    ::setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (receive_buffer_bytes != 0) {
      ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof receive_buffer_bytes);
    }
    const timeval limit{5, 0};
    ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(descriptor_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      ::close(descriptor_);
      throw std::runtime_error("cannot connect");
    }
  }
  RawClient(RawClient&& other) noexcept
      : descriptor_(std::exchange(other.descriptor_, -1)), pending_(std::move(other.pending_)) {}
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;
  RawClient& operator=(RawClient&&) = delete;
  virtual ~RawClient() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }

  /// False when the server does not take the bytes any more.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t count = transmit(bytes);
      if (count <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
  }
  void close_sending_side() { ::shutdown(descriptor_, SHUT_WR); }

  /// Everything up to and with `end`; what came when the connection ended before it.
  std::string read_until(std::string_view end) {
    for (;;) {
      const std::size_t at = pending_.find(end);
      if (at != std::string::npos) return take(at + end.size());
      if (!read_more()) return take(pending_.size());
    }
  }
  std::string read_exactly(std::size_t count) {
    while (pending_.size() < count && read_more()) {
    }
    return take(std::min(count, pending_.size()));
  }
  /// One response with a length, with chunks, or up to the end of the connection.
  RawResponse read_response(bool is_head = false) {
    RawResponse response;
    response.head = read_until("\r\n\r\n");
    if (response.head.size() < 12) return response;
    response.status = static_cast<unsigned>(std::atoi(response.head.c_str() + 9));
    if (is_head || response.status == 204 || response.status < 200) return response;
    if (const std::size_t at = response.head.find("\r\nContent-Length: "); at != std::string::npos) {
      response.body = read_exactly(static_cast<std::size_t>(std::atoll(response.head.c_str() + at + 18)));
    } else if (response.has_field("Transfer-Encoding: chunked")) {
      for (std::string chunk = read_chunk(); !chunk.empty(); chunk = read_chunk()) response.body += chunk;
    } else {
      response.body = read_until("\x04 never sent");
    }
    return response;
  }
  /// The data of the next chunk; empty for the last one and at the end of the connection.
  std::string read_chunk() {
    const std::string size = read_until("\r\n");
    const auto count = static_cast<std::size_t>(std::strtoull(size.c_str(), nullptr, 16));
    std::string data = read_exactly(count + 2);
    data.resize(std::min(count, data.size()));
    return data;
  }
  /// True when the server ends the connection and sends nothing before that.
  bool is_closed_by_server() { return pending_.empty() && !read_more() && ended_; }

 protected:
  /// As ::send() and ::recv() of the socket.
  virtual ssize_t transmit(std::string_view bytes) {
    return ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
  virtual ssize_t receive(char* room, std::size_t size) { return ::recv(descriptor_, room, size, 0); }
  [[nodiscard]] int descriptor() const { return descriptor_; }

 private:
  bool read_more() {
    char bytes[16384];
    const ssize_t count = receive(bytes, sizeof bytes);
    if (count == 0 || (count < 0 && errno == ECONNRESET)) ended_ = true;
    if (count <= 0) return false;
    pending_.append(bytes, static_cast<std::size_t>(count));
    return true;
  }
  std::string take(std::size_t count) {
    std::string taken = pending_.substr(0, count);
    pending_.erase(0, count);
    return taken;
  }

  int descriptor_;
  bool ended_ = false;
  std::string pending_;
};

}  // namespace toolhost::transport::testing
