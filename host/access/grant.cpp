#include "access/grant.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>

#include "access/tool_pattern.hpp"

namespace toolhost::access {
namespace {

using namespace std::chrono_literals;
using Clock = Grant::Clock;
using std::chrono::nanoseconds;

/// Nobody knows when a running call ends.
constexpr auto kWaitForAPlace = 1s;

/// One limit with what it counts on.
struct Bound {
  enum class Of { kTenant, kKey, kTool };
  Of of;
  std::string holder;  ///< whom it bounds, in words
  const CallLimits* limits;
  std::optional<Meter::Rate> rate;
  std::shared_ptr<Meter> meter;
};

Bound make_bound(Bound::Of of, std::string holder, const CallLimits& limits, std::shared_ptr<Meter> meter,
                 Clock::time_point now) {
  Bound bound{of, std::move(holder), &limits, std::nullopt, std::move(meter)};
  if (limits.rate) {
    bound.rate.emplace(*limits.rate);
    bound.meter->fit(*bound.rate, now);
  }
  return bound;
}

bool bounds_anything(const CallLimits& limits) noexcept {
  return limits.rate || limits.concurrent;
}

Reason rate_reason(Bound::Of of) noexcept {
  return of == Bound::Of::kTenant ? Reason::kTenantRate : of == Bound::Of::kKey ? Reason::kKeyRate : Reason::kToolRate;
}

Reason concurrency_reason(Bound::Of of) noexcept {
  return of == Bound::Of::kTenant ? Reason::kTenantConcurrency
         : of == Bound::Of::kKey  ? Reason::kKeyConcurrency
                                  : Reason::kToolConcurrency;
}

}  // namespace

std::string text_of(const RateLimit& limit) {
  constexpr std::array<std::pair<double, const char*>, 3> kUnits{
      {{1, "a second"}, {60, "a minute"}, {3600, "an hour"}}};
  std::array<char, 32> number{};
  for (const auto& [factor, unit] : kUnits) {
    const double calls = std::round(limit.per_second * factor);
    const bool is_whole = calls >= 1 && std::abs(limit.per_second * factor - calls) < calls * 1e-6;
    if (!is_whole && factor != kUnits.back().first) continue;
    const double shown = is_whole ? calls : limit.per_second * factor;
    const auto end =
        std::to_chars(number.data(), number.data() + number.size(), shown, std::chars_format::fixed, is_whole ? 0 : 2)
            .ptr;
    std::string text(number.data(), end);
    text.append(" ").append(unit);
    if (limit.burst > 1) text += " (burst " + std::to_string(limit.burst) + ")";
    return text;
  }
  return {};
}

namespace {

/// Rounded up, so that whoever waits as told is let through.
std::string text_of(nanoseconds wait) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(wait);
  if (seconds <= 2min) return std::to_string(seconds.count()) + " s";
  const auto minutes = std::chrono::ceil<std::chrono::minutes>(wait);
  if (minutes <= 2h) return std::to_string(minutes.count()) + " min";
  return std::to_string(std::chrono::ceil<std::chrono::hours>(wait).count()) + " h";
}

std::string too_many_calls(const Bound& bound, const ToolFacts& tool) {
  return bound.of == Bound::Of::kTool ? "Too many calls of " + std::string(tool.name) : "Too many calls";
}

Grant::Refusal over_rate(const Bound& bound, const ToolFacts& tool, nanoseconds wait) {
  const RateLimit& limit = *bound.limits->rate;
  return {{rate_reason(bound.of), limit.place,
           too_many_calls(bound, tool) + ": " + bound.holder + " may make " + text_of(limit) + ". Wait " +
               text_of(wait) + ", then try again."},
          std::chrono::ceil<std::chrono::milliseconds>(wait)};
}

Grant::Refusal over_concurrency(const Bound& bound, const ToolFacts& tool) {
  const ConcurrencyLimit& limit = *bound.limits->concurrent;
  return {{concurrency_reason(bound.of), limit.place,
           too_many_calls(bound, tool) + " at once: " + bound.holder + " may run " + std::to_string(limit.calls) +
               " at a time. Wait until one of them has ended, then try again."},
          kWaitForAPlace};
}

/// Why a call would be refused now, if it would.
std::optional<Grant::Refusal> refusal(const Bound& bound, const ToolFacts& tool, Clock::time_point now) {
  if (bound.rate) {
    if (const auto wait = bound.meter->wait_for(*bound.rate, now); wait > 0ns) return over_rate(bound, tool, wait);
  }
  if (bound.limits->concurrent && bound.meter->running() >= bound.limits->concurrent->calls) {
    return over_concurrency(bound, tool);
  }
  return std::nullopt;
}

/// Takes one call; nothing when it is refused.
std::optional<Grant::Refusal> take(const Bound& bound, const ToolFacts& tool, Clock::time_point now) {
  if (bound.rate) {
    if (const auto wait = bound.meter->take(*bound.rate, now); wait > 0ns) return over_rate(bound, tool, wait);
  }
  if (bound.limits->concurrent && !bound.meter->enter(bound.limits->concurrent->calls)) {
    if (bound.rate) bound.meter->give_back();
    return over_concurrency(bound, tool);
  }
  return std::nullopt;
}

void give_back(const Bound& bound) noexcept {
  if (bound.rate) bound.meter->give_back();
  if (bound.limits->concurrent) bound.meter->leave();
}

void add_steps(Trace& trace, const Bound& bound, const ToolFacts& tool, Clock::time_point now) {
  const std::string what = bound.of == Bound::Of::kTenant ? "limits of the tenant"
                           : bound.of == Bound::Of::kKey  ? "limits of the key"
                                                          : "limits of " + std::string(tool.name);
  if (bound.rate) {
    const RateLimit& limit = *bound.limits->rate;
    const auto wait = bound.meter->wait_for(*bound.rate, now);
    const std::string state = wait > 0ns ? "none is left; the next may come in " + text_of(wait)
                                         : std::to_string(bound.meter->left(*bound.rate, now)) + " left";
    trace.push_back({what, bound.holder + " may make " + text_of(limit) + ": " + state, limit.place, wait == 0ns});
  }
  if (const auto& limit = bound.limits->concurrent) {
    const auto running = bound.meter->running();
    trace.push_back({what,
                     bound.holder + " may run " + std::to_string(limit->calls) +
                         " at a time: " + std::to_string(running) + (running == 1 ? " runs" : " run"),
                     limit->place, running < limit->calls});
  }
}

/// A ToolLimits of this grant, and what its meters are called apart from the tool.
struct ToolBounds {
  const ToolLimits* config;
  std::string name;
};

/// Meters go by the patterns, not by the place in the list: so an entry keeps its counts when another is put before it.
std::vector<ToolBounds> name_tool_bounds(const std::vector<ToolLimits>& limits) {
  std::vector<ToolBounds> named;
  std::map<std::string, int> times;
  for (const ToolLimits& each : limits) {
    if (!bounds_anything(each.limits)) continue;
    std::string name = each.per_key ? "key:" : "tenant:";
    name += quoted_list(each.tools);
    const int before = times[name]++;
    named.push_back({&each, name + "#" + std::to_string(before)});
  }
  return named;
}

}  // namespace

class MeteredGrant final : public Grant, public std::enable_shared_from_this<MeteredGrant> {
 public:
  MeteredGrant(std::shared_ptr<const Rights> rights, const LimitsConfig& limits, const GrantOwner& owner,
               std::shared_ptr<MeterTable> meters, Clock::time_point now)
      : rights_(std::move(rights)),
        tenant_meter_("tenant/" + owner.tenant),
        key_meter_("key/" + std::to_string(value(owner.key))),
        whole_tenant_("all keys of the tenant " + owner.tenant + " together"),
        meters_(std::move(meters)),
        tool_limits_(name_tool_bounds(limits.tools)) {
    if (bounds_anything(limits.tenant)) {
      general_.push_back(
          make_bound(Bound::Of::kTenant, whole_tenant_, limits.tenant, meters_->meter(tenant_meter_, now), now));
    }
    if (bounds_anything(limits.key)) {
      general_.push_back(make_bound(Bound::Of::kKey, "this key", limits.key, meters_->meter(key_meter_, now), now));
    }
  }

  const std::shared_ptr<const Rights>& rights() const noexcept override { return rights_; }

  std::optional<Refusal> admit(const ToolFacts& tool, Clock::time_point now, Admission& admission) const override {
    admission.release();
    const Bounds bounds = bounds_of(tool, now);
    // Looked at before anything is taken: a flood that is refused anyway takes nothing that others share.
    for (const Bound* bound : bounds) {
      if (auto refused = refusal(*bound, tool, now)) return refused;
    }
    for (auto bound = bounds.begin(); bound != bounds.end(); ++bound) {
      auto refused = take(**bound, tool, now);
      if (!refused) continue;
      std::for_each(bounds.begin(), bound, [](const Bound* taken) { give_back(*taken); });
      return refused;
    }
    for (const Bound* bound : bounds) {
      if (bound->limits->concurrent) admission.places_.push_back(bound->meter.get());
    }
    if (!admission.places_.empty()) admission.keeps_ = shared_from_this();
    return std::nullopt;
  }

  Decision look(const ToolFacts& tool, Clock::time_point now, Trace& trace) const override {
    Decision decision;
    const Bounds bounds = bounds_of(tool, now);
    for (const Bound* bound : bounds) {
      add_steps(trace, *bound, tool, now);
      if (!decision.allowed()) continue;
      if (auto refused = refusal(*bound, tool, now)) decision = std::move(refused->decision);
    }
    if (bounds.empty()) trace.push_back({"limits", "none applies to " + std::string(tool.name), {}, true});
    return decision;
  }

 private:
  using Bounds = boost::container::small_vector<const Bound*, 8>;

  Bounds bounds_of(const ToolFacts& tool, Clock::time_point now) const {
    Bounds bounds;
    for (const Bound& bound : general_) bounds.push_back(&bound);
    if (tool_limits_.empty()) return bounds;
    for (const Bound& bound : bounds_of_tool(tool, now)) bounds.push_back(&bound);
    return bounds;
  }

  /// Made when the tool is called first, so that later calls evaluate no pattern; then they stay where they are.
  const std::vector<Bound>& bounds_of_tool(const ToolFacts& tool, Clock::time_point now) const {
    const std::lock_guard lock(tools_mutex_);
    const auto known = tools_.find(tool.name);
    if (known != tools_.end()) return known->second;
    std::vector<Bound> bounds;
    for (const ToolBounds& each : tool_limits_) {
      if (first_match(each.config->tools, tool) == nullptr) continue;
      const std::string& meter = each.config->per_key ? key_meter_ : tenant_meter_;
      const std::string name = meter + "/tool/" + std::string(tool.name) + "/" + each.name;
      bounds.push_back(make_bound(Bound::Of::kTool, each.config->per_key ? "this key" : whole_tenant_,
                                  each.config->limits, meters_->meter(name, now), now));
    }
    return tools_.emplace(tool.name, std::move(bounds)).first->second;
  }

  const std::shared_ptr<const Rights> rights_;
  const std::string tenant_meter_, key_meter_, whole_tenant_;
  const std::shared_ptr<MeterTable> meters_;
  std::vector<Bound> general_;                 ///< of the tenant, of the key: those that limit anything
  const std::vector<ToolBounds> tool_limits_;  ///< in the limits that rights_ keeps alive
  mutable std::mutex tools_mutex_;
  mutable std::map<std::string, std::vector<Bound>, std::less<>> tools_;
};

Admission& Admission::operator=(Admission&& other) noexcept {
  if (this == &other) return *this;
  release();
  keeps_ = std::move(other.keeps_);
  places_ = std::move(other.places_);
  other.places_.clear();
  return *this;
}

void Admission::release() noexcept {
  for (Meter* place : places_) place->leave();
  places_.clear();
  keeps_.reset();
}

std::shared_ptr<const Grant> make_grant(std::shared_ptr<const Rights> rights, const LimitsConfig& limits,
                                        const GrantOwner& owner, std::shared_ptr<MeterTable> meters,
                                        Grant::Clock::time_point now) {
  return std::make_shared<const MeteredGrant>(std::move(rights), limits, owner, std::move(meters), now);
}

}  // namespace toolhost::access
