#pragma once
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <boost/container/small_vector.hpp>

#include "access/meter.hpp"
#include "access/rights.hpp"
#include "base/ids.hpp"

namespace toolhost::access {

/// A call that was let through by the limits. Gives its places back when it is destroyed. Movable; may outlive the
/// grant.
class Admission {
 public:
  Admission() = default;
  Admission(Admission&& other) noexcept { *this = std::move(other); }
  Admission& operator=(Admission&& other) noexcept;
  ~Admission() { release(); }

  /// Gives the places back now.
  void release() noexcept;

 private:
  friend class MeteredGrant;
  std::shared_ptr<const void> keeps_;  ///< what owns the meters
  boost::container::small_vector<Meter*, 4> places_;
};

/// What one key may do and how much. The rights are immutable; the counts behind the limits are shared by all
/// generations of a key, a tenant and a tool, so that a reload forgives nothing. Any thread; locks are held for some
/// arithmetic, and while a tool's own limits are looked for when it is called first.
class Grant {
 public:
  using Clock = std::chrono::steady_clock;
  virtual ~Grant() = default;
  [[nodiscard]] virtual const std::shared_ptr<const Rights>& rights() const noexcept = 0;

  struct Refusal {
    Decision decision;                         ///< reason, place, sentence with what to wait for
    std::chrono::milliseconds retry_after{0};  ///< for Retry-After, rounded up to seconds there
    /// WWW-Authenticate for a caller by token whose token lacks a scope (Reason::kScope); else empty.
    std::string challenge = {};
  };
  /// Takes one call from every bucket that applies to this tool, or from none. Null refusal: admitted.
  virtual std::optional<Refusal> admit(const ToolFacts& tool, Clock::time_point now, Admission& admission) const = 0;
  /// The same question without taking anything, for explain: the steps of all limits that apply.
  virtual Decision look(const ToolFacts& tool, Clock::time_point now, Trace& trace) const = 0;
};

/// "50 a second", "30 a minute", "1 an hour", each with " (burst 100)" when that is more than one: in the first unit
/// that makes it a whole number.
std::string text_of(const RateLimit& limit);

/// Whose calls a grant counts.
struct GrantOwner {
  std::string tenant;
  KeyId key{};
};
/// `limits` are Policy::limits() of the owner's tenant in the policy that made `rights`, which keeps them alive.
std::shared_ptr<const Grant> make_grant(std::shared_ptr<const Rights> rights, const LimitsConfig& limits,
                                        const GrantOwner& owner, std::shared_ptr<MeterTable> meters,
                                        Grant::Clock::time_point now);

}  // namespace toolhost::access
