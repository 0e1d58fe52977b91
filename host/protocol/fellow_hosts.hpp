#pragma once
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "access/gatekeeper.hpp"
#include "observability/events.hpp"
#include "plugin_runtime/plugin_host.hpp"
#include "protocol/dispatcher.hpp"
#include "protocol/session.hpp"
#include "protocol/stream_resume.hpp"
#include "protocol/stream_table.hpp"
#include "storage/stream_store.hpp"

namespace toolhost::protocol {

/// The other hosts of the installation, between which a balancer sends requests to and fro, and this one before it was
/// restarted: a session's end and what its client wants to be told are known to all; a cancellation finds its call, a
/// message the host that has its stream, news of a resource whoever follows it. All of it by way of the database, and
/// nothing of it without. Any thread; references given to the constructor outlive it.
class FellowHosts final : public SessionObserver, public storage::StreamStore::Listener {
 public:
  FellowHosts(Dispatcher& dispatcher, const access::Gatekeeper& gatekeeper, std::shared_ptr<SessionTable> sessions,
              StreamTable& streams, StreamResume& resume, observability::EventSink& events);
  ~FellowHosts() override;
  FellowHosts(const FellowHosts&) = delete;
  FellowHosts& operator=(const FellowHosts&) = delete;

  /// What is to be done with what others say; called on the store's thread.
  struct Handlers {
    /// A message for a session of HTTP with SSE whose stream is here. `version`: of its MCP-Protocol-Version field.
    std::function<void(const SessionPtr&, const CallerPtr&, std::string_view body, std::string_view version)> message;
    std::function<void(const plugin_runtime::CatalogChange&)> changed;
  };
  /// Once. Sessions that are ended are remembered for so long.
  void join(Handlers handlers, std::chrono::minutes remembered);
  /// Nothing is heard of them any more when this returns. Idempotent.
  void leave();

  /// What the client of a session has said before, to this host or to another one, is looked up and added to it.
  void recall(const SessionPtr& session);
  /// A message for a session of HTTP with SSE whose stream is not here goes to the host that has made the session.
  /// Should the stream be gone there, nobody hears of it.
  enum class Passing {
    kPassed,
    kNobody,  ///< it is no session of another host, or that host does not live
    kNotNow,  ///< the database does not answer, or too much waits for it
  };
  Passing pass_on(const Caller& caller, std::string_view session_id, std::string_view body, std::string_view version);
  /// A resource has changed, as a plugin of this host says.
  void tell_changed(const plugin_runtime::CatalogChange& change);

  void wished(const Session& session, const Wish& wish) override;
  void cancelled_elsewhere(const Session& session, std::string_view request_id) noexcept override;

  void on_session_ended(KeyId key, const storage::StreamStore::SessionHash& id,
                        storage::StreamStore::Clock::time_point until) override;
  void on_message(std::string message) override;
  void on_tick() override;

 private:
  void take_letter(const json::Value& letter);
  void take_message(const json::Value& letter);
  void take_wish(const json::Value& letter);
  void take_cancellation(const json::Value& letter);
  void take_change(const json::Value& letter);
  [[nodiscard]] SessionPtr session_of(const json::Value& letter) const;

  const access::Gatekeeper& gatekeeper_;
  const std::shared_ptr<SessionTable> sessions_;
  storage::StreamStore* const store_;  ///< null: there are no others
  StreamResume& resume_;
  observability::EventSink& events_;
  Handlers handlers_;
  std::deque<std::string> nonces_;  ///< of the latest messages that were passed on to this host; the store's thread
};

}  // namespace toolhost::protocol
