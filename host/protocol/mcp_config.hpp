#pragma once
#include <chrono>
#include <cstddef>
#include <functional>
#include <string>

#include "base/secret.hpp"

namespace toolhost::protocol {

struct McpConfig {
  std::string server_name = "toolhost";
  std::string server_title = "Toolhost";
  std::string server_version;
  std::string instructions;  ///< sent with initialize; empty for none
  std::size_t tools_page_size = 100;
  std::chrono::minutes session_idle_limit{60};
  std::size_t max_sessions_per_key = 1'000;  ///< the longest idle one gives way
  std::size_t max_streams_per_key = 10'000;  ///< a tenant may have a smaller limit of its own
  /// Told as Retry-After to an address that has presented too many refused keys.
  std::chrono::seconds failed_sign_in_period{3};
  /// Seals session ids, so that they outlive a restart; hashes arguments for the audit. 32 bytes.
  Secret sealing_key;
  /// Whether the audit can take the records of further calls; asked before each call, on its thread. Empty: always.
  std::function<bool()> has_room;
};

}  // namespace toolhost::protocol
