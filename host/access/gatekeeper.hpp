#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <string_view>

#include "access/membership.hpp"
#include "base/caller.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"
#include "observability/events.hpp"
#include "storage/database_address.hpp"

namespace toolhost::access {

struct GatekeeperConfig {
  /// How long keys verified from memory stay trusted while the database cannot confirm them; after that every key is
  /// refused with kUnavailable.
  std::chrono::seconds trust_without_database{10};
  std::chrono::seconds usage_flush{5};
  Membership membership;  ///< what the owners of keys are in their tenants
};

/// Turns a credential into a Caller, from memory: no database, no password hash, no lock that a writer holds for long.
/// A deleted key stops working on every host within one second.
class Gatekeeper {
 public:
  /// Loads the keys and watches them. `pepper` (32 bytes or more) is what their hashes were made with.
  static Result<std::unique_ptr<Gatekeeper>> start(const storage::DatabaseAddress& address, Secret pepper,
                                                   const GatekeeperConfig& config, observability::EventSink& events);
  virtual ~Gatekeeper() = default;

  /// The caller of a request with these two header values (either may be empty; X-API-Key wins, "Bearer" is matched
  /// without case). kUnauthenticated "Invalid API key" for anything that is not a live key (detail tells the log why),
  /// kUnavailable when memory is no longer trusted. Any thread.
  [[nodiscard]] virtual Result<CallerPtr> authenticate(std::string_view x_api_key, std::string_view authorization) = 0;
  /// Counts one tool call for the key; batched. Any thread.
  virtual void count_use(const Caller& caller) noexcept = 0;
  /// `on_revoked` is called for every key that ends while the host runs, on the watch's thread, within a second of the
  /// deletion. Set before serving.
  virtual void on_revoked(std::function<void(KeyId)> on_revoked) = 0;
  /// Seconds since the database last confirmed the keys.
  [[nodiscard]] virtual std::chrono::milliseconds unconfirmed_for() const = 0;
};

}  // namespace toolhost::access
