#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "access/key_attempts.hpp"
#include "access/known_key.hpp"
#include "access/policy.hpp"
#include "access/protected_resource.hpp"
#include "access/token_config.hpp"
#include "access/usage_counter.hpp"
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
  /// People sign in by typing an address. Without it keys that were made so are refused as those of people who left.
  bool is_trial = false;
  PolicyPtr policy;  ///< the first generation; null: built_in_defaults() for every tenant
  /// Refused keys an address may present before they are answered kLimit; then one more each `failed_sign_in_period`.
  std::uint32_t failed_sign_ins = 20;
  std::chrono::seconds failed_sign_in_period{3};
  KeyAttempts* attempts = nullptr;  ///< is told what arrives; borrowed for the gatekeeper's life; may be null
  TokenConfig tokens;               ///< without issuers: only keys are let in
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
  /// without case) from this address. kUnauthenticated "Invalid API key" for anything that is no key (detail tells the
  /// log why), kDenied "Access denied: ..." for a key that is disabled or has expired or whose owner has left,
  /// kUnavailable when memory is no longer trusted, kLimit instead of kUnauthenticated when the address has presented
  /// too many refused keys; it need not wait longer than `failed_sign_in_period`. A key that works is never held off:
  /// many may share an address. No digest is spent on a key whose public prefix nobody has. Any thread.
  [[nodiscard]] virtual Result<CallerPtr> authenticate(std::string_view x_api_key, std::string_view authorization,
                                                       std::string_view remote_address) = 0;
  /// As OAuth sees this host; null: only keys are let in. While it is not, authenticate() takes an access token in
  /// place of a key, when presented_token() finds one, as TokenIssuers::authenticate() does: kRetry is added to the
  /// errors, and no refusal counts against the address. Any thread.
  [[nodiscard]] virtual std::shared_ptr<const ProtectedResource> resource() const { return nullptr; }
  /// Whether keys of an issuer of tokens are on their way: what was answered kRetry is worth asking again when they are
  /// not. Any thread.
  [[nodiscard]] virtual bool is_fetching() const noexcept { return false; }
  /// Callers by token, as far as they are remembered. Any thread.
  [[nodiscard]] virtual std::vector<CallerPtr> token_callers() const { return {}; }
  /// Whoever has this id, with the rights of the policy in force: the caller of the key, or one for each token that is
  /// remembered. Empty: nobody any more. Any thread.
  [[nodiscard]] virtual std::vector<CallerPtr> callers_of(KeyId /*key*/) const { return {}; }
  /// Whose key it was that authenticate() answered kDenied for, so that the refusal is told of somebody; nothing for
  /// any other credential. Any thread.
  struct DeniedKey {
    CallerPtr caller;
    Reason reason;  ///< kKeyDisabled, kKeyExpired, kOwnerLeft
  };
  [[nodiscard]] virtual std::optional<DeniedKey> denied_key(std::string_view /*x_api_key*/,
                                                            std::string_view /*authorization*/) const {
    return std::nullopt;
  }
  /// What counts the calls of keys, which are written in batches. Whoever holds it may go on counting when the
  /// gatekeeper has ended: a call that nobody could wait for. Any thread.
  [[nodiscard]] virtual std::shared_ptr<UsageCounter> usage() const = 0;
  /// Makes `policy` the one that decides from now on; callers that were handed out keep theirs. Keys of people whom it
  /// does not name any more end, and on_revoked() is told before this returns. The callers whose list of tools may have
  /// changed with it, as they are now. Any thread.
  virtual std::vector<CallerPtr> set_policy(PolicyPtr policy) = 0;
  [[nodiscard]] virtual PolicyPtr policy() const = 0;
  [[nodiscard]] virtual std::vector<KnownKey> keys() const = 0;
  [[nodiscard]] virtual std::size_t key_count() const { return keys().size(); }
  /// Whether a key with this public_prefix() has arrived here: one that was just made does within moments. Any thread.
  [[nodiscard]] virtual bool knows_prefix(std::string_view /*prefix*/) const { return true; }
  /// `on_revoked` is called for every key that ends while the host runs (deleted, disabled, expired, its owner gone),
  /// and for every caller of whom no token is good any more, on a thread of the gatekeeper's or of set_policy(), within
  /// a second. Set before serving.
  virtual void on_revoked(std::function<void(KeyId)> on_revoked) = 0;
  /// How long ago the database last confirmed the keys.
  [[nodiscard]] virtual std::chrono::milliseconds unconfirmed_for() const = 0;
};

}  // namespace toolhost::access
