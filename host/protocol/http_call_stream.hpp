#pragma once
#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include <boost/asio/awaitable.hpp>

#include "protocol/call_stream.hpp"
#include "protocol/stream_table.hpp"
#include "transport/http.hpp"

namespace toolhost::protocol {

/// The answer to one POST of Streamable HTTP, and where a coroutine waits for it: JSON, until something precedes it or
/// it takes long; then an event stream. A stream of a legacy session goes on when its client has gone, for the client
/// to come back to; one of 2026-07-28 ends its call.
///
/// What precedes nothing costs no more than the wait: one object, and one post to the coroutine's executor when the
/// answer was not there first.
class HttpCallStream final : public CallStream,
                             public transport::WaitWatch,
                             public std::enable_shared_from_this<HttpCallStream> {
 public:
  /// JSON and nothing else, as for one request of a batch.
  HttpCallStream() = default;
  /// `accepts_stream`: the client takes text/event-stream.
  HttpCallStream(std::shared_ptr<StreamTable> table, const RequestContext& context, bool accepts_stream);
  ~HttpCallStream() override;

  /// Lets the connection tell how the wait goes. On the I/O thread, in front of wait().
  void watch(transport::HttpResponse& response);
  /// Once. The reply; or nothing, once the answer has become a stream, which is `response.stream` then. The coroutine
  /// goes on at its own executor.
  static boost::asio::awaitable<std::optional<Reply>> wait(std::shared_ptr<HttpCallStream> self,
                                                           transport::HttpResponse& response);

  void bind(std::weak_ptr<OpenCall> call) noexcept override { call_ = std::move(call); }
  void notify(std::string_view message) override;
  [[nodiscard]] bool can_ask() const noexcept override;
  void finish(Reply reply) override;
  void let_go() override;
  [[nodiscard]] bool is_streamed() const noexcept override { return is_streamed_.load(); }
  std::optional<plugin_runtime::KeptStream> settle() noexcept override;

  void still_waiting(std::chrono::milliseconds waited) noexcept override;

  /// The client is back, on this stream, and has seen the events up to `number`: what it has missed follows, and then
  /// whatever comes. A stream that is still attached has to go. False, and nothing done, when so many were never sent.
  [[nodiscard]] bool resume(std::uint32_t number, std::shared_ptr<transport::SseStream> stream);
  /// The same for a client of another host: `on_event` is called with each event's number and message, on any thread,
  /// and whether it is the last, which comes whatever the client says that it has seen.
  using OnEvent = std::function<void(std::uint32_t number, const std::string& message, bool is_last)>;
  void resume(std::uint32_t number, OnEvent on_event);

 private:
  enum class Phase : std::uint8_t {
    kWaiting,
    kSettled,  ///< it will be JSON
    kJson,
    kStream,
    kDone,  ///< a stream that has ended
  };
  struct Event {
    std::uint32_t number;
    std::string message;
  };
  /// What a client that comes back needs.
  struct Kept {
    std::string id, token;
    std::chrono::system_clock::time_point expires;  ///< of the token, and of what is kept in the database
    std::uint32_t last_number = 0;
    std::deque<Event> events;
    std::size_t bytes = 0;
    OnEvent on_event;  ///< of the other host that the client is at
  };
  using Resume = std::function<void()>;

  // With the lock:
  bool begin(Resume& resume);
  void keep_events();
  void attach(std::shared_ptr<transport::SseStream> stream);
  void prime(std::uint32_t number);
  void send(std::string_view message, bool is_answer);
  void remember(Event event, bool is_answer);
  void finish_stream(const Reply& reply);

  void client_left(const transport::SseStream* stream) noexcept;
  void stop_call() noexcept;
  [[nodiscard]] bool is_legacy() const noexcept { return !is_modern(revision_); }

  const std::shared_ptr<StreamTable> table_;  ///< null: JSON and nothing else
  const Revision revision_ = kNewestLegacy;
  const KeyId key_{};
  const TenantId tenant_{};
  const bool accepts_stream_ = false;
  const bool has_session_ = false;
  std::weak_ptr<OpenCall> call_;
  std::atomic<Phase> phase_{Phase::kWaiting};  ///< changed with the lock, but for kWaiting to kSettled
  std::atomic<bool> is_streamed_{false};

  std::mutex mutex_;  // guards what follows
  std::optional<Reply> reply_;
  Resume resume_;
  std::shared_ptr<transport::SseStream> opened_;  ///< for the coroutine
  std::shared_ptr<transport::SseStream> stream_;  ///< null: the client is not there
  std::unique_ptr<Kept> kept_;                    ///< null: nobody can come back
};

}  // namespace toolhost::protocol
