#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include <boost/asio/ip/tcp.hpp>

#include "transport/http.hpp"
#include "transport/tls_session.hpp"

namespace toolhost::transport {

/// The stream behind SseStream. send() writes to the socket at once, from whatever thread, when nothing is queued; what
/// the socket does not take is queued and written by the connection's thread. The connection attaches it, watches the
/// reading side, and detaches it.
class SseStreamImpl final : public SseStream {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  struct Attachment {
    boost::asio::ip::tcp::socket& socket;  ///< non-blocking; outlives the attachment
    TlsSession* tls;                       ///< of the socket; null: plain HTTP; outlives the attachment
    const std::atomic<TimePoint>& now;     ///< coarse clock; outlives the attachment
    std::string head;                      ///< response head, written in front of the events
    bool chunked = true;
    std::size_t max_queue_bytes = 0;
  };
  enum class State { kOpen, kClosed, kClientGone, kTooSlow };

  using SseStream::send;
  bool send(const Event& event) override;
  void close() override;
  [[nodiscard]] bool is_open() const noexcept override;
  void on_closed(std::function<void()> callback) override;

  // For the connection, on its thread.

  /// Writes head and queued events and goes on from there.
  void attach(Attachment attachment);
  /// Ends the stream for good and runs the callback of on_closed(). Idempotent.
  void detach();
  /// True when there is nothing left to write and nothing will come, or nothing can be written any more. The socket's
  /// waits are cancelled when that happens.
  [[nodiscard]] bool is_finished() const;
  [[nodiscard]] State state() const;
  /// The client closed its side.
  void note_client_gone();
  /// Heartbeat and write limit.
  void sweep(TimePoint now, std::chrono::milliseconds heartbeat, std::chrono::milliseconds write_limit);

 private:
  void append_framed(std::string_view payload);
  void write_queue();
  /// At least one byte of the queue to the client. False when it takes none now, or has gone.
  bool write_some();
  bool write_some_tls();
  void drop_queue();
  void fail(State state);
  void ask_for_service();
  void serve();
  [[nodiscard]] bool is_finished_locked() const {
    return state_ != State::kOpen && (state_ != State::kClosed || queue_.empty());
  }

  mutable std::mutex mutex_;
  State state_ = State::kOpen;
  bool chunked_ = false;
  bool ended_ = false;           ///< detached for good
  bool service_is_due_ = false;  ///< serve() is on its way to the connection's thread
  bool waits_for_room_ = false;
  std::string queue_;  ///< before attach(): events; after: bytes for the socket, from sent_ on
  std::size_t sent_ = 0;
  std::size_t max_queue_bytes_ = std::size_t{4} * 1024 * 1024;
  boost::asio::ip::tcp::socket* socket_ = nullptr;  ///< null when not attached
  TlsSession* tls_ = nullptr;                       ///< of socket_; null: plain HTTP
  int descriptor_ = -1;  ///< of socket_; with tls_ the one thing of it that other threads use
  const std::atomic<TimePoint>* now_ = nullptr;
  TimePoint last_progress_;  ///< last time that bytes went out, or that the first byte was queued
  std::function<void()> on_closed_;
};

}  // namespace toolhost::transport
