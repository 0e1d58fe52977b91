#pragma once
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "access/sealed_box.hpp"
#include "base/ids.hpp"
#include "base/json.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"

namespace toolhost::protocol {

/// What a request is, as far as its state may be used for no other one.
struct StateBinding {
  KeyId key{};
  TenantId tenant{};
  std::string_view method;
  std::string_view target;  ///< the tool, the prompt, the URI
  json::Value arguments;    ///< their order does not count
};

/// What is known of a request that asks its client something, between two of its rounds.
struct StateContents {
  std::string chain;  ///< 128 random bits, base64url: the same in all rounds
  unsigned round = 0;
  std::map<std::string, std::string, std::less<>> answers;  ///< of all rounds, by key; JSON
};

/// requestState of 2026-07-28 (Multi Round-Trip Requests): the client carries what the host need not remember, and can
/// neither read nor alter nor use it for another request, with another key, or later than `life`. Any thread.
class RequestState {
 public:
  using Clock = std::chrono::system_clock;

  RequestState(const Secret& sealing_key, std::chrono::seconds life);

  /// kLimit when it would be longer than a client should have to carry.
  [[nodiscard]] Result<std::string> seal(const StateContents& contents, const StateBinding& binding,
                                         Clock::time_point now) const;
  /// kInvalidArgument with a sentence for the client, which says no more than that it has to begin anew.
  [[nodiscard]] Result<StateContents> open(std::string_view sealed, const StateBinding& binding,
                                           Clock::time_point now) const;

 private:
  const access::SealedBox box_;
  const std::chrono::seconds life_;
};

}  // namespace toolhost::protocol
