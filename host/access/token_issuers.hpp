#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "access/issuer_keys.hpp"
#include "access/meter.hpp"
#include "access/policy.hpp"
#include "access/protected_resource.hpp"
#include "access/token_config.hpp"
#include "base/caller.hpp"
#include "storage/directory_store.hpp"

namespace toolhost::access {

struct TokenIssuersParts {
  std::shared_ptr<const ProtectedResource> resource;
  PolicyPtr policy;
  std::shared_ptr<MeterTable> meters;  ///< those of the keys: a tenant's limits bound both
  // Tests bring their own.
  std::size_t most_tokens = 10'000;  ///< that are remembered
  std::function<std::chrono::system_clock::time_point()> wall = std::chrono::system_clock::now;
  std::function<std::chrono::steady_clock::time_point()> steady = std::chrono::steady_clock::now;
};

/// Access tokens of OAuth 2.1 (JWTs as RFC 9068 has them), and the callers that they become. Whoever presents one is,
/// by issuer, subject and tenant, the same caller with every token: KeyId is negative, the same on every host. Tokens
/// that were verified are remembered, by their SHA-256, until they end; 10,000 of them. Any thread; nothing waits.
class TokenIssuers {
 public:
  /// kInvalidArgument names what of the configuration cannot be used.
  static Result<std::unique_ptr<TokenIssuers>> start(const TokenConfig& config, TokenIssuersParts parts,
                                                     observability::EventSink& events);
  virtual ~TokenIssuers() = default;

  /// kUnauthenticated: not acceptable; the message, a sentence without quotes, never repeats what the token says.
  /// kDenied: good, but whoever presents it has no place here. kRetry: the issuer's keys are on their way, see
  /// is_fetching(). kUnavailable: they cannot be had.
  virtual Result<CallerPtr> authenticate(std::string_view token) = 0;
  [[nodiscard]] virtual bool is_fetching() const noexcept = 0;

  /// The tenants that there are. Names of the configuration that are not among them are told once.
  virtual void set_tenants(std::vector<storage::TenantRow> tenants) = 0;

  struct Regoverned {
    std::vector<CallerPtr> callers;  ///< those of the tokens that are remembered, as they are now
    std::vector<KeyId> ended;        ///< whom the policy lets in no longer
  };
  virtual Regoverned set_policy(PolicyPtr policy) = 0;
  /// Those of the tokens that are remembered.
  [[nodiscard]] virtual std::vector<CallerPtr> callers() const = 0;
  /// Callers of whom no token is good any more, each once: it has ended, its issuer has withdrawn the key that
  /// signed it or was not heard of for too long, or its tenant is gone. To be asked again and again; quick when there
  /// are none.
  virtual std::vector<KeyId> take_ended() = 0;
};

/// What a request presents that is no key of this host: the text behind "Bearer " (matched without case) when there is
/// no X-API-Key and it does not begin with "hdsk_"; empty otherwise. A view into `authorization`.
std::string_view presented_token(std::string_view x_api_key, std::string_view authorization) noexcept;

}  // namespace toolhost::access
