#pragma once
#include <cstddef>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>

// Of OpenSSL:
struct ssl_st;
struct ssl_ctx_st;

namespace toolhost::transport {

/// The server's side of TLS on one connection: takes and makes records on a non-blocking socket, and never waits; who
/// calls waits for the socket and calls again. Any thread: an event stream is written to while the connection reads.
class TlsSession {
 public:
  enum class Progress {
    kDone,
    kWantsRead,   ///< again when the socket has something to read
    kWantsWrite,  ///< again when the socket takes something; write() then with the same bytes, and more if there are
    kEnded,       ///< by the client, or by a fault: there is nothing more to read or write
  };

  /// On this socket, which is not closed before abandon() or the last call. Throws std::bad_alloc.
  TlsSession(ssl_ctx_st& context, int descriptor);

  Progress handshake();
  /// `count` bytes are in `room` when done.
  Progress read(std::span<char> room, std::size_t& count);
  /// The first `count` of `bytes` are on their way when done; at most one record of them.
  Progress write(std::string_view bytes, std::size_t& count);
  /// Whether bytes have been taken from the socket that no read() has seen.
  [[nodiscard]] bool has_pending() const;
  /// Tells the client that nothing more comes, if the socket takes it at once.
  void close();
  /// The socket is used no more; everything ends.
  void abandon();

  // After a handshake that ended:

  /// Why, in OpenSSL's words; empty when the client just went away.
  [[nodiscard]] std::string_view fault() const noexcept { return fault_; }
  /// The client does not know that it has to speak TLS here.
  [[nodiscard]] bool met_plain_http() const noexcept { return met_plain_http_; }

 private:
  struct Free {
    void operator()(ssl_st* ssl) const noexcept;
  };
  Progress outcome(int result);

  mutable std::mutex mutex_;
  const std::unique_ptr<ssl_st, Free> ssl_;
  std::string_view fault_;  ///< static text
  bool met_plain_http_ = false;
};

}  // namespace toolhost::transport
