#pragma once
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/caller.hpp"
#include "protocol/dispatcher.hpp"
#include "protocol/event_token.hpp"
#include "protocol/session.hpp"
#include "protocol/stream_table.hpp"
#include "storage/stream_store.hpp"
#include "transport/http.hpp"

namespace toolhost::protocol {

/// Clients that come back for a call's answer, and what hosts write to each other for their sake. While the call runs
/// on another host, or ran on one that is gone, the answer is a stream all the same, which is fed once it is known what
/// became of the call. Any thread; references given to the constructor outlive it.
class StreamResume {
 public:
  StreamResume(Dispatcher& dispatcher, std::shared_ptr<StreamTable> streams)
      : dispatcher_(dispatcher), streams_(std::move(streams)) {}
  ~StreamResume();
  StreamResume(const StreamResume&) = delete;
  StreamResume& operator=(const StreamResume&) = delete;

  void resume(const EventTokens::Place& place, transport::HttpResponse& response);
  /// A response of a client, for the call that has asked, on whichever host. `text`: as it was sent.
  void take_response(const Message& response, const Caller& caller, std::string_view text);
  /// Ends the streams of clients whose calls run elsewhere: of one key, or of all.
  void end_key(KeyId key);
  void end_all();

  /// From another host, of this kind. Those of other kinds are ignored.
  void take_letter(std::string_view kind, const json::Value& letter);
  /// About once a second.
  void on_tick();

 private:
  /// A client that is here while its call is elsewhere.
  struct Away {
    EventToken token;
    std::string sealed;  ///< the token, as its event ids begin
    std::uint32_t seen = 0;
    unsigned ticks = 0;    ///< without a word from the other host
    bool is_gone = false;  ///< the other host lives and does not know the call
    std::shared_ptr<transport::SseStream> stream;
  };
  using AwayPtr = std::shared_ptr<Away>;

  void look(const AwayPtr& away);
  void found(const AwayPtr& away, const storage::StreamStore::Found& found);
  void tell(const AwayPtr& away, std::uint32_t number, std::string_view message, bool is_last);
  void ask_host(const AwayPtr& away);
  void serve_reader(const json::Value& message);
  void take_gone(const json::Value& message);
  void pass_event(const json::Value& message);
  void pass_response(const json::Value& message);
  template <class Which>
  void end(Which which);
  [[nodiscard]] bool is_gone(const Away& away) const;
  [[nodiscard]] AwayPtr find(const std::string& stream) const;
  void remove(const AwayPtr& away);

  Dispatcher& dispatcher_;
  const std::shared_ptr<StreamTable> streams_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, AwayPtr> away_;  ///< by the stream's id
};

}  // namespace toolhost::protocol
