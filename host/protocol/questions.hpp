#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>

#include "base/ids.hpp"

namespace toolhost::protocol {

class Session;

/// Whoever has asked a client something and waits for it without a thread.
class Asker {
 public:
  /// What the client said: its result, or its error object, as JSON.
  struct Response {
    bool is_error = false;
    std::string json;
  };
  virtual ~Asker() = default;
  /// Any thread; once for each question. Nothing: the client did not answer in time.
  virtual void answered(const std::string& id, std::optional<Response> response) noexcept = 0;
  /// The host stops: nobody will be answered any more.
  virtual void host_stops() noexcept = 0;
};

/// The requests that this host has sent to clients of the legacy era, by their ids: who waits for which answer. Any
/// thread; a thread of its own looks at the time while anybody waits.
class Questions {
 public:
  using Clock = std::chrono::steady_clock;
  /// Of one session at a time.
  static constexpr std::size_t kMostOfASession = 16;

  explicit Questions(std::chrono::seconds limit) noexcept : limit_(limit) {}
  ~Questions() { stop(); }
  /// No question is taken, and none runs out of time any more. Not from answered().
  void stop();

  /// From now on part of the ids: which host of the installation the answer has to come to.
  void set_host(std::uint32_t number) noexcept { host_.store(number, std::memory_order_relaxed); }

  /// The id for a new question, as JSON text; nothing when too many of the session wait.
  std::optional<std::string> add(KeyId key, const std::shared_ptr<Session>& session, std::shared_ptr<Asker> asker);
  /// Hands a response to whom it is for. False when nobody here has asked this, or asked it of another key.
  bool take(KeyId key, std::string_view id, Asker::Response response);
  /// Nobody waits any more.
  void forget(const std::string& id);

  [[nodiscard]] std::size_t count() const;

 private:
  struct Waiting {
    KeyId key{};
    const Session* session = nullptr;  ///< only compared
    std::shared_ptr<Asker> asker;      ///< nobody else owns a call that waits
    Clock::time_point until;
  };

  void watch();

  const std::chrono::seconds limit_;
  std::atomic<std::uint32_t> host_{0};
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::unordered_map<std::string, Waiting> waiting_;
  std::uint64_t last_ = 0;
  std::thread watcher_;  // from the first question on
  bool is_ending_ = false;
};

}  // namespace toolhost::protocol
