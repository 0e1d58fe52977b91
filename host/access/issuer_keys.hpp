#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "access/signed_token.hpp"
#include "base/result.hpp"
#include "observability/events.hpp"

namespace toolhost::access {

struct IssuerKeysConfig {
  std::string issuer;                     ///< https; http only on loopback, for tests and local issuers
  std::string jwks_url;                   ///< likewise; empty: as the issuer's metadata says
  std::string ca_file;                    ///< PEM; instead of the system's certificate authorities
  std::chrono::milliseconds limit{5000};  ///< for one request; a fetch makes at most three
  std::function<std::chrono::steady_clock::time_point()> clock = std::chrono::steady_clock::now;
};

/// The keys of one issuer, fetched by a thread of its own, which alone waits for the issuer: at the start, when they
/// grow stale as Cache-Control says (at least a minute, at most a day; an hour when it says nothing), and when a token
/// was signed with one that is not known, at most once a minute. While the issuer cannot be reached it is asked again
/// every five seconds, and the keys that are there are used for a day. Any thread.
class IssuerKeys {
 public:
  using KeysPtr = std::shared_ptr<const SigningKeys>;

  /// Returns at once. kInvalidArgument: an address is no https URL, or the `ca_file` cannot be used.
  static Result<std::unique_ptr<IssuerKeys>> start(IssuerKeysConfig config, observability::EventSink& events);
  /// Ends a fetch that is under way.
  virtual ~IssuerKeys() = default;

  /// Never waits. Null: there are none yet, or none that may be used any more.
  [[nodiscard]] virtual KeysPtr get() const = 0;
  /// Whether newer ones than `known` (a token's key was not among those) are there or on their way.
  virtual bool renew(const KeysPtr& known) = 0;
  /// Whether some are on their way.
  [[nodiscard]] virtual bool is_fetching() const noexcept = 0;
};

}  // namespace toolhost::access
