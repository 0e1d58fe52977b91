#pragma once
#include <array>
#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "access/crypto.hpp"
#include "base/caller.hpp"
#include "base/secret.hpp"
#include "plugin_runtime/client_port.hpp"
#include "protocol/envelope.hpp"
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
  /// The request's id as JSON text; empty when nobody can come back for the answer.
  [[nodiscard]] virtual std::string_view rpc_id() const noexcept { return {}; }
  /// Whether something may have been saved that does not depend on the answer being kept. Asked when a stream begins.
  [[nodiscard]] virtual bool may_have_saved() const noexcept { return true; }
};

/// What a session id says of its session.
struct SessionFacts {
  enum class Kind : std::uint8_t { kHttp, kSse };
  std::optional<Revision> revision;
  ClientCapabilities capabilities;
  Kind kind = Kind::kHttp;
  std::uint32_t host = 0;  ///< that made it; 0: hosts are not numbered
};

/// How a session's own stream begins.
struct StreamStart {
  std::string token;                               ///< of its event ids; empty: events have none
  std::optional<std::chrono::milliseconds> retry;  ///< of a priming event; nothing: there is none
  /// The client comes back, having seen the events up to this one: the others follow, and a stream that is still
  /// attached has to go.
  std::optional<std::uint32_t> after;
};

/// Something that the client of a session wants to be told, or no more.
struct Wish {
  std::string_view uri;                           ///< of a resource that it follows; empty: its log level
  std::optional<plugin_runtime::LogLevel> level;  ///< the least severe log messages
  bool is_withdrawn = false;                      ///< it follows the resource no more
};

/// What the host remembers about one client of one key: its revision and capabilities, what it wants to be told, its
/// running calls, its open stream. Thread-safe.
class Session {
 public:
  Session(std::string id, const Caller& caller, const SessionFacts& facts);

  [[nodiscard]] const std::string& id() const noexcept { return id_; }
  [[nodiscard]] KeyId key() const noexcept { return key_; }
  [[nodiscard]] TenantId tenant() const noexcept { return tenant_; }
  /// Nothing before `initialize`.
  [[nodiscard]] std::optional<Revision> revision() const noexcept;
  void set_revision(Revision revision) noexcept;
  [[nodiscard]] ClientCapabilities capabilities() const noexcept;
  void set_capabilities(const ClientCapabilities& capabilities) noexcept;
  /// The least severe log messages that the client wants; nothing until it has said so.
  [[nodiscard]] std::optional<plugin_runtime::LogLevel> log_level() const noexcept;
  void set_log_level(plugin_runtime::LogLevel level) noexcept;

  /// Of resources. False: the session has a thousand already, or 256 KiB of their URIs, or it has ended.
  bool subscribe(std::string uri);
  /// False: it was not followed.
  bool unsubscribe(std::string_view uri);
  [[nodiscard]] bool is_subscribed(std::string_view uri) const;

  // /// Of HTTP with SSE: it is where its stream is, and nowhere else.
  [[nodiscard]] bool is_of_sse() const noexcept { return is_of_sse_; }

  // What its client wants to be told outlives the host that the client has told it:
  /// Under which name; the id of Streamable HTTP, with HTTP and SSE that of the stream on which it was initialized.
  [[nodiscard]] std::string wishes_name() const;
  void set_wishes_name(std::string name);
  /// From now on recall() is to come, soon enough to wait for.
  void begin_recall();
  /// What its client had said; what it has said since goes before.
  void recall(std::optional<plugin_runtime::LogLevel> level, std::vector<std::string> uris);
  [[nodiscard]] bool waits_for_recall() const noexcept { return waits_for_recall_.load(std::memory_order_acquire); }
  void stop_waiting_for_recall() noexcept { waits_for_recall_.store(false, std::memory_order_release); }

  enum class Opening { kOpened, kDuplicate, kEnded };
  Opening open_call(std::string id, std::weak_ptr<OpenCall> call);
  void close_call(const std::string& id) noexcept;
  /// Stops the running call with this id. False when there is none.
  bool cancel_call(const std::string& id) noexcept;

  /// Nothing when another stream is attached, or the session has ended; else the one that had to go, which may be null
  /// and is to be closed.
  std::optional<std::shared_ptr<transport::SseStream>> attach_stream(std::shared_ptr<transport::SseStream> stream,
                                                                     const StreamStart& start = {});
  /// Null when none is attached.
  [[nodiscard]] std::shared_ptr<transport::SseStream> stream() const;
  void detach_stream(const transport::SseStream& stream) noexcept;
  /// One message on the session's own stream. What its client has not seen when it comes back is sent then, as far as
  /// it was kept: the last 64 messages, 64 KiB. False when there is no stream, and no client that could come back.
  bool tell(std::string_view message);
  /// 128 bits that name the stream over reconnects, until the host forgets the session.
  [[nodiscard]] const std::string& stream_id() const noexcept { return stream_id_; }

  /// Stops every call and closes the stream; later calls find the session ended. Idempotent.
  void end(StopReason reason) noexcept;
  /// The reason of end(), once it was called.
  [[nodiscard]] std::optional<StopReason> ended() const noexcept;
  [[nodiscard]] bool is_busy() const noexcept;

 private:
  struct Told {
    std::uint32_t number;
    std::string message;
  };
  void send(const Told& told) const;
  bool subscribe_locked(std::string uri);

  const std::string id_;
  const KeyId key_;
  const TenantId tenant_;
  const std::string stream_id_;
  const bool is_of_sse_;
  std::atomic<int> revision_;  ///< -1 before `initialize`
  std::atomic<std::uint16_t> capabilities_;
  std::atomic<int> log_level_{-1};
  std::atomic<bool> waits_for_recall_{false};

  mutable std::mutex mutex_;
  std::string wishes_name_;
  /// Unsubscribed while recall() is to come; when they are too many, it brings no resources.
  std::optional<std::set<std::string, std::less<>>> forgone_;
  std::map<std::string, std::weak_ptr<OpenCall>> calls_;
  std::set<std::string, std::less<>> subscriptions_;
  std::size_t subscription_bytes_ = 0;
  std::shared_ptr<transport::SseStream> stream_;
  std::string token_;  ///< of the stream's events; stays when the stream goes
  std::uint32_t last_number_ = 0;
  std::deque<Told> told_;
  std::size_t told_bytes_ = 0;
  std::optional<StopReason> ended_;
};
using SessionPtr = std::shared_ptr<Session>;

/// Session ids that prove themselves: a host that shares the sealing key, or is restarted, recognises an id without
/// having stored it. An id is bound to the key that it was made for.
class SessionSeal {
 public:
  explicit SessionSeal(const Secret& sealing_key) : hmac_(sealing_key) {}

  /// base64url of {format, revision, capabilities, kind, host, 128 random bits} and the first 128 bits of its
  /// HMAC-SHA-256, which covers the key's id too.
  [[nodiscard]] std::string make(KeyId key, const SessionFacts& facts) const;
  /// Nothing when make() did not make this id for this key. Ids of the former format (revision only) are known.
  [[nodiscard]] std::optional<SessionFacts> open(KeyId key, std::string_view id) const;

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
  SessionPtr create(const Caller& caller, Revision revision, Clock::time_point now,
                    const ClientCapabilities& capabilities = {});
  /// The session, recovered from its id when memory has lost it. Null when the id is not one of this key, or has been
  /// ended.
  SessionPtr find(const Caller& caller, std::string_view id, Clock::time_point now);
  /// The same without recovery.
  SessionPtr find_remembered(const Caller& caller, std::string_view id, Clock::time_point now);
  /// The same of either transport, by the SHA-256 of its id.
  [[nodiscard]] SessionPtr find_remembered(KeyId key, const std::array<std::uint8_t, 32>& hash) const;
  /// Ends the session; find() does not know its id afterwards. False when it did not know it before.
  bool end(const Caller& caller, std::string_view id, Clock::time_point now);
  /// Gives the session its GET stream, until detach().
  enum class Attaching { kAttached, kOccupied, kTooMany, kEnded };
  Attaching attach(const Caller& caller, const SessionPtr& session, const std::shared_ptr<transport::SseStream>& stream,
                   const StreamStart& start = {});
  void detach(const SessionPtr& session, const transport::SseStream& stream) noexcept;

  // HTTP+SSE: a session is its stream.
  /// Null when the key has too many streams; ended, and without the stream, when the key has ended.
  SessionPtr open_stream(const Caller& caller, const std::shared_ptr<transport::SseStream>& stream);
  SessionPtr find_stream(const Caller& caller, std::string_view id);
  /// What an id says that another host may have made; nothing when it is none of this key.
  [[nodiscard]] std::optional<SessionFacts> facts_of(const Caller& caller, std::string_view id) const {
    return seal_.open(caller.key_id, id);
  }
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

  /// Sends `message` on the stream of every session of the key whose client has sent `initialize`.
  void tell(KeyId key, std::string_view message) const;
  /// The same to all sessions, of all keys, that it concerns.
  void tell_if(std::string_view message, const std::function<bool(const Session&)>& concerns) const;

  // With other hosts:
  /// From now on part of the ids that are made.
  void set_host(std::uint32_t number) noexcept { host_.store(number, std::memory_order_relaxed); }
  /// Called with the id of each session that its client ends. Before requests come.
  void on_ended(std::function<void(KeyId key, const std::string& id)> callback) { on_ended_ = std::move(callback); }
  /// Called with each session that find() has recovered, behind begin_recall(). Likewise.
  void on_recovered(std::function<void(const SessionPtr&)> callback) { on_recovered_ = std::move(callback); }
  /// A session of this key has been ended, here or on another host: its id (`hash`: SHA-256) is unknown until `until`.
  void forget(KeyId key, const std::array<std::uint8_t, 32>& hash, std::chrono::system_clock::time_point until);

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
  [[nodiscard]] bool is_forgotten(std::string_view id);

  const SessionSeal seal_;
  const SessionLimits limits_;
  std::atomic<std::uint64_t> endings_{0};
  std::atomic<std::size_t> ended_keys_{0};  ///< that are remembered
  std::atomic<std::uint32_t> host_{0};
  std::function<void(KeyId, const std::string&)> on_ended_;
  std::function<void(const SessionPtr&)> on_recovered_;
  std::mutex forgotten_mutex_;
  std::map<std::array<std::uint8_t, 32>, std::chrono::system_clock::time_point> forgotten_;
  std::array<Shard, 16> shards_;
};

}  // namespace toolhost::protocol
