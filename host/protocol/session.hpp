#pragma once
#include <array>
#include <atomic>
#include <chrono>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "access/crypto.hpp"
#include "base/caller.hpp"
#include "base/secret.hpp"
#include "protocol/mcp_version.hpp"
#include "transport/http.hpp"

namespace toolhost::protocol {

/// Why a running call gets no answer of its own.
enum class StopReason { kCancelledByClient, kSessionEnded, kKeyRevoked, kShutdown };

/// A call that runs for a client, as its session sees it.
class OpenCall {
 public:
  virtual ~OpenCall() = default;
  /// Answers the client for this reason, unless it was answered already, and asks the tool to stop. Any thread.
  virtual void stop(StopReason reason) noexcept = 0;
};

/// What the host remembers about one client of one key: its revision, its running calls, its open stream. Thread-safe.
class Session {
 public:
  Session(std::string id, KeyId key, std::optional<Revision> revision);

  [[nodiscard]] const std::string& id() const noexcept { return id_; }
  [[nodiscard]] KeyId key() const noexcept { return key_; }
  /// Nothing before `initialize`.
  [[nodiscard]] std::optional<Revision> revision() const noexcept;
  void set_revision(Revision revision) noexcept;

  enum class Opening { kOpened, kDuplicate, kEnded };
  Opening open_call(std::string id, std::weak_ptr<OpenCall> call);
  void close_call(const std::string& id) noexcept;
  /// Stops the running call with this id; nothing when there is none.
  void cancel_call(const std::string& id) noexcept;

  /// False when another stream is attached, or the session has ended.
  bool attach_stream(std::shared_ptr<transport::SseStream> stream);
  /// Null when none is attached.
  [[nodiscard]] std::shared_ptr<transport::SseStream> stream() const;
  void detach_stream(const transport::SseStream& stream) noexcept;

  /// Stops every call and closes the stream; later calls find the session ended. Idempotent.
  void end(StopReason reason) noexcept;
  /// The reason of end(), once it was called.
  [[nodiscard]] std::optional<StopReason> ended() const noexcept;
  [[nodiscard]] bool is_busy() const noexcept;

 private:
  const std::string id_;
  const KeyId key_;
  std::atomic<int> revision_;  ///< -1 before `initialize`

  mutable std::mutex mutex_;
  std::map<std::string, std::weak_ptr<OpenCall>> calls_;
  std::shared_ptr<transport::SseStream> stream_;
  std::optional<StopReason> ended_;
};
using SessionPtr = std::shared_ptr<Session>;

/// Session ids that prove themselves: a host that shares the sealing key, or is restarted, recognises an id without
/// having stored it. An id is bound to the key that it was made for.
class SessionSeal {
 public:
  explicit SessionSeal(const Secret& sealing_key) : hmac_(sealing_key) {}

  /// base64url of {format, revision, 128 random bits} and the first 128 bits of its HMAC-SHA-256, which covers the
  /// key's id too.
  [[nodiscard]] std::string make(KeyId key, Revision revision) const;
  /// The revision, or nothing when make() did not make this id for this key.
  [[nodiscard]] std::optional<Revision> open(KeyId key, std::string_view id) const;

 private:
  [[nodiscard]] std::string mac_of(KeyId key, std::string_view payload) const;
  access::Hmac hmac_;
};

/// 128 random bits as base64url: an id that cannot be guessed.
std::string random_id();

struct SessionLimits {
  std::chrono::steady_clock::duration idle_limit;
  std::size_t max_sessions_per_key;
  std::size_t max_streams_per_key;
};

/// The sessions of all keys. A session is only ever found through the key it belongs to. A key that has ended is
/// remembered for some minutes: a request that was verified just before gets sessions that have ended. Sharded by key;
/// any thread.
class SessionTable {
 public:
  using Clock = std::chrono::steady_clock;

  SessionTable(const Secret& sealing_key, const SessionLimits& limits) : seal_(sealing_key), limits_(limits) {}

  // Streamable HTTP: a session lives until it is ended or was idle for too long, streams or not.
  SessionPtr create(const Caller& caller, Revision revision, Clock::time_point now);
  /// The session, recovered from its id when memory has lost it. Null when the id is not one of this key, or has been
  /// ended.
  SessionPtr find(const Caller& caller, std::string_view id, Clock::time_point now);
  /// The same without recovery.
  SessionPtr find_remembered(const Caller& caller, std::string_view id, Clock::time_point now);
  /// Ends the session; find() does not know its id afterwards. False when it did not know it before.
  bool end(const Caller& caller, std::string_view id, Clock::time_point now);
  /// Gives the session its GET stream, until detach().
  enum class Attaching { kAttached, kOccupied, kTooMany, kEnded };
  Attaching attach(const Caller& caller, const SessionPtr& session,
                   const std::shared_ptr<transport::SseStream>& stream);
  void detach(const SessionPtr& session, const transport::SseStream& stream) noexcept;

  // HTTP+SSE: a session is its stream.
  /// Null when the key has too many streams; ended, and without the stream, when the key has ended.
  SessionPtr open_stream(const Caller& caller, const std::shared_ptr<transport::SseStream>& stream);
  SessionPtr find_stream(const Caller& caller, std::string_view id);
  void close_stream(const SessionPtr& session) noexcept;

  /// Where the calls of requests without a session belong; its calls are named by the host's ids.
  SessionPtr without_session(const Caller& caller);

  /// Ends everything of one key, now and of requests that are on their way, or of all.
  void end_key(KeyId key, StopReason reason, Clock::time_point now) noexcept;
  /// How many times end_key() was called. To be read before a key is verified, and told afterwards: a key that was
  /// verified after its end is alive again.
  [[nodiscard]] std::uint64_t endings() const noexcept { return endings_.load(std::memory_order_acquire); }
  void verified(const Caller& caller, std::uint64_t endings_before) noexcept;
  void end_all(StopReason reason) noexcept;

  /// Sends `message` on every open stream of the key whose client has sent `initialize`.
  void tell(KeyId key, std::string_view message) const;

  [[nodiscard]] std::size_t size() const;  ///< Streamable HTTP sessions in memory
  struct Counts {
    std::size_t sessions = 0, streams = 0;  ///< of both transports
  };
  [[nodiscard]] Counts counts() const;

 private:
  struct Remembered {
    SessionPtr session;
    Clock::time_point last_used;
  };
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
  };
  template <class T>
  using ById = std::unordered_map<std::string, T, TextHash, std::equal_to<>>;

  struct KeySessions {
    std::list<Remembered> recent;  ///< latest use first
    ById<std::list<Remembered>::iterator> by_id;
    ById<SessionPtr> stream_sessions;
    std::size_t streams = 0;  ///< of both transports
    SessionPtr without_session;
    std::optional<StopReason> ended;  ///< why end_key() was called
    std::uint64_t ending = 0;         ///< which call of end_key() it was
    Clock::time_point ended_at{};
  };
  struct Shard {
    mutable std::mutex mutex;
    std::unordered_map<std::int64_t, KeySessions> keys;
    Clock::time_point next_sweep{};
  };

  Shard& shard_of(KeyId key) noexcept { return shards_[static_cast<std::size_t>(value(key)) % shards_.size()]; }
  const Shard& shard_of(KeyId key) const noexcept {
    return shards_[static_cast<std::size_t>(value(key)) % shards_.size()];
  }
  [[nodiscard]] std::size_t max_streams(const Caller& caller) const noexcept;
  /// The session as it is known from now on: a key that has ended gets no new one.
  SessionPtr enter(SessionPtr session, Clock::time_point now);
  /// The session under its id; `evicted` is what had to give way, to be ended without the lock.
  SessionPtr remember(KeySessions& key, SessionPtr session, Clock::time_point now, SessionPtr& evicted);
  /// Forgets what was idle for too long; looks at most once a minute.
  void sweep(Shard& shard, Clock::time_point now);
  void forget_ending(KeySessions& key) noexcept;
  static void release_stream(KeySessions& key) noexcept;
  static void collect(const KeySessions& key, std::vector<SessionPtr>& sessions);

  const SessionSeal seal_;
  const SessionLimits limits_;
  std::atomic<std::uint64_t> endings_{0};
  std::atomic<std::size_t> ended_keys_{0};  ///< that are remembered
  std::array<Shard, 16> shards_;
};

}  // namespace toolhost::protocol
