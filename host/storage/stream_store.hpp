#pragma once
#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "observability/events.hpp"
#include "storage/database_address.hpp"

namespace toolhost::storage {

/// What the hosts of an installation tell each other about sessions and streams, and what outlives them: answers that
/// clients may come back for, sessions that were ended, what clients want to be told, messages from host to host. One
/// connection and thread of its own, which is the only one that ever waits for the database: whatever is asked for is
/// queued, and answered on that thread. While the database is away, what is queued waits, up to 10,000 things and 64
/// MiB; then the oldest are dropped. Wishes, what goes to all others and send_lesser() are dropped from half of that
/// on. The beginning and the end of that are told (HostNotice).
class StreamStore {
 public:
  using Clock = std::chrono::system_clock;
  using SessionHash = std::array<std::uint8_t, 32>;

  /// Called on the store's thread; must not block.
  class Listener {
   public:
    virtual ~Listener() = default;
    /// A session that its client has ended, on whichever host; all that are remembered on start.
    virtual void on_session_ended(KeyId key, const SessionHash& id, Clock::time_point until) = 0;
    /// A message that another host has sent to this one.
    virtual void on_message(std::string message) = 0;
    /// About once a second.
    virtual void on_tick() = 0;
  };

  /// Takes a number for this host; kUnavailable without a database. `keep`: how long the text of an answer is kept;
  /// that there was one is known until it expires.
  static Result<std::unique_ptr<StreamStore>> start(const DatabaseAddress& address, std::chrono::seconds keep,
                                                    observability::EventSink& events);
  virtual ~StreamStore() = default;  ///< stops and joins the thread; what is queued is written, for at most two seconds

  /// Null: none. The former one, and what was given to look() or find_wishes() for it, is not called any more when this
  /// returns.
  virtual void set_listener(Listener* listener) = 0;

  /// Of this host, 1 or more; never given to another one.
  [[nodiscard]] virtual std::uint32_t host() const noexcept = 0;
  /// False while the database does not answer.
  [[nodiscard]] virtual bool is_available() const noexcept = 0;

  // Any thread; nothing waits.

  struct Answer {
    std::string stream;  ///< UUID
    TenantId tenant{};
    KeyId key{};
    std::string message;
    Clock::time_point expires;
  };
  /// Keeps an answer unless something is kept for its stream already.
  virtual void keep(Answer answer) = 0;

  enum class Fate {
    kAnswered,  ///< `message` is the answer
    kLost,      ///< there is none, and from now on there never will be
    kRunning,   ///< its host is alive
    kUnknown,   ///< the database cannot say now
  };
  struct Found {
    Fate fate = Fate::kUnknown;
    std::string message;
  };
  struct Question {
    std::string stream;  ///< UUID
    KeyId key{};
    std::uint32_t host = 0;     ///< that the call runs on
    Clock::time_point expires;  ///< how long a verdict is remembered
  };
  /// What became of a call. When its host is dead and nothing was kept, that is written before it is told: from then
  /// on the call's own transaction, should it still be under way, cannot keep its answer and so cannot commit.
  virtual void look(Question question, std::function<void(Found)> on_found) = 0;

  /// To the host of that number; lost when it is not alive.
  virtual void send(std::uint32_t host, std::string message) = 0;
  /// To every other host that is alive.
  virtual void send_others(std::string message) = 0;
  /// To one host, of something that may rather be lost than an answer. False when as many wait as may before answers.
  virtual bool send_lesser(std::uint32_t host, std::string message) = 0;
  /// The same of something that is worth telling once however often it happens: what waits is not queued again. Up to
  /// 10,000 different ones wait; further ones are dropped.
  virtual void announce(std::string message) = 0;
  /// Whether this other host lives, as was known a second ago; false while the database does not answer.
  [[nodiscard]] virtual bool is_living(std::uint32_t host) const = 0;
  [[nodiscard]] virtual bool has_others() const = 0;

  /// What the client of a session wants to be told.
  struct Wish {
    std::string uri;            ///< of a resource that it follows; empty: its log level
    std::optional<int> level;   ///< the log level
    bool is_withdrawn = false;  ///< it follows the resource no more
  };
  /// Remembers it for 30 days, and of a key's the latest 10,000.
  virtual void note_wish(KeyId key, const SessionHash& session, Wish wish) = 0;
  /// `on_found` is called like a Listener, as soon as the database has answered; never when it refuses to.
  virtual void find_wishes(KeyId key, const SessionHash& session, std::function<void(std::vector<Wish>)> on_found) = 0;

  virtual void end_session(KeyId key, const SessionHash& id, Clock::time_point until) = 0;
  /// Forgets what is kept for a key.
  virtual void forget_key(KeyId key) = 0;
};

}  // namespace toolhost::storage
