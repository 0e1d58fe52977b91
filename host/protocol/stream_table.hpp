#pragma once
#include <chrono>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/secret.hpp"
#include "protocol/event_token.hpp"
#include "protocol/mcp_config.hpp"
#include "storage/stream_store.hpp"

namespace toolhost::protocol {

class HttpCallStream;

/// The streams of calls that clients may come back for, while they run and for some time after, with the bytes that
/// their events take. Any thread.
class StreamTable {
 public:
  using Clock = std::chrono::steady_clock;

  StreamTable(const Secret& sealing_key, const StreamsConfig& streams, storage::StreamStore* stream_store)
      : tokens(sealing_key), config(streams), store(stream_store) {}

  const EventTokens tokens;
  const StreamsConfig config;
  storage::StreamStore* const store;  ///< null: nothing outlives the host
  [[nodiscard]] std::uint32_t host() const noexcept { return store == nullptr ? 0 : store->host(); }

  // By the 128 bits that name a stream:
  void add(const std::string& id, KeyId key, std::shared_ptr<HttpCallStream> stream);
  /// Its call has ended: it is kept for `config.keep` from now on, and gives way when memory runs short.
  void finished(const std::string& id);
  void remove(const std::string& id);
  /// Null: not known, or of another key.
  [[nodiscard]] std::shared_ptr<HttpCallStream> find(const std::string& id, KeyId key) const;
  /// Forgets what a key has.
  void end_key(KeyId key);
  /// Forgets all, and takes no more: streams hold this table.
  void clear();
  /// Forgets what was kept for long enough.
  void sweep(Clock::time_point now);

  /// False when there is no room for so much more; finished streams have given way by then.
  bool take_room(KeyId key, std::size_t bytes);
  /// The same without a limit.
  void take_room_anyway(KeyId key, std::size_t bytes);
  void give_back(KeyId key, std::size_t bytes) noexcept;

  [[nodiscard]] std::size_t count() const;

 private:
  struct Finished {
    std::string id;
    Clock::time_point until;
  };
  struct Entry {
    KeyId key{};
    std::shared_ptr<HttpCallStream> stream;
    std::list<Finished>::iterator finished;  ///< end(): it runs
  };
  using Streams = std::unordered_map<std::string, Entry>;
  std::shared_ptr<HttpCallStream> take(Streams::iterator entry);
  [[nodiscard]] bool has_room(KeyId key, std::size_t bytes) const;

  mutable std::mutex mutex_;
  Streams streams_;
  std::list<Finished> finished_;  ///< in the order of their ends
  std::map<KeyId, std::size_t> bytes_of_key_;
  std::size_t bytes_ = 0;
  bool is_closed_ = false;
};

}  // namespace toolhost::protocol
