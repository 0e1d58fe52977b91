#pragma once
#include <chrono>
#include <cstddef>
#include <functional>
#include <string>

#include "base/secret.hpp"

namespace toolhost::storage {
class StreamStore;
}

namespace toolhost::protocol {

/// How the answers of calls that take long, or say something first, become streams, and how long those are kept.
struct StreamsConfig {
  std::chrono::milliseconds after{500};        ///< a legacy session's call that runs longer is answered as a stream
  std::chrono::seconds keep{300};              ///< what a client that has gone may still come back for
  std::chrono::milliseconds retry{2'000};      ///< told to clients: how long to wait before they come back
  std::size_t memory = std::size_t(64) << 20;  ///< bytes of events kept for streams of all keys
};

struct McpConfig {
  std::string server_name = "toolhost";
  std::string server_title = "Toolhost";
  std::string server_version;
  std::string instructions;  ///< sent with initialize; empty for none
  std::size_t tools_page_size = 100;
  std::chrono::minutes session_idle_limit{60};
  std::size_t max_sessions_per_key = 1'000;  ///< the longest idle one gives way
  std::size_t max_streams_per_key = 10'000;  ///< a tenant may have a smaller limit of its own
  std::chrono::seconds ask_limit{600};       ///< how long a person may think about a question; life of requestState
  StreamsConfig streams;
  std::size_t max_listeners = 1'024;      ///< open subscriptions/listen of this host; a quarter of them of one key
  std::chrono::milliseconds list_ttl{0};  ///< ttlMs of the modern lists
  /// Told as Retry-After to an address that has presented too many refused keys.
  std::chrono::seconds failed_sign_in_period{3};
  /// Seals session ids, so that they outlive a restart; hashes arguments for the audit. 32 bytes.
  Secret sealing_key;
  /// Whether the audit can take the records of further calls; asked before each call, on its thread. Empty: always.
  std::function<bool()> has_room;
  /// Where sessions and streams outlive the host; borrowed. Null: nowhere.
  storage::StreamStore* stream_store = nullptr;
};

}  // namespace toolhost::protocol
