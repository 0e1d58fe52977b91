#pragma once
#include <memory>
#include <string_view>

#include "access/membership.hpp"
#include "access/policy_config.hpp"
#include "access/rights.hpp"
#include "base/result.hpp"

namespace toolhost::access {

/// Who may call what in every tenant, compiled: one generation of it, immutable. Any thread.
class Policy {
 public:
  virtual ~Policy() = default;
  /// Every pattern of `config` must have passed check_argument_pattern().
  static std::shared_ptr<const Policy> compile(PolicyConfig config);

  /// Shared by all keys that are alike. A tenant that the configuration does not name has the defaults.
  [[nodiscard]] virtual std::shared_ptr<const Rights> rights(std::string_view tenant, Role role,
                                                             const Scopes& key_scopes) const = 0;
  /// The limits of a tenant with the defaults filled in.
  [[nodiscard]] virtual const LimitsConfig& limits(std::string_view tenant) const = 0;
  [[nodiscard]] virtual const Membership& membership() const = 0;
};
using PolicyPtr = std::shared_ptr<const Policy>;

/// kInvalidArgument, with RE2's reason.
Result<> check_argument_pattern(const std::string& pattern);

}  // namespace toolhost::access
