#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "access/policy_config.hpp"
#include "base/json.hpp"

namespace toolhost::access {

/// What a decision needs to know about a tool; views are borrowed.
struct ToolFacts {
  std::string_view name, plugin;
  bool read_only = false;
};

/// Why a call is, or is not, let through; stable words for audit, metrics and explain.
enum class Reason {
  kAllowed,
  kUnknownTool,  ///< "unknown_tool"
  kKeyDisabled,  ///< "key_disabled"
  kKeyExpired,   ///< "key_expired"
  kOwnerLeft,    ///< "owner_left": KeyState::kOwnerLeft
  kPlugin,       ///< "plugin": the plugin does not exist in this tenant
  kTool,         ///< "tool": not allowed, or denied, in this tenant
  kRole,         ///< "role"
  kScope,        ///< "scope": of the key
  kRule,         ///< "rule": by its arguments, or by a rule without conditions
  kTenantRate,
  kKeyRate,
  kToolRate,  ///< "tenant_rate", "key_rate", "tool_rate"
  kTenantConcurrency,
  kKeyConcurrency,
  kToolConcurrency,  ///< "tenant_concurrency", ...
  kRequestSize,      ///< "request_size"
};
const char* to_string(Reason reason) noexcept;

struct Decision {
  Reason reason = Reason::kAllowed;
  SourcePlace place;    ///< what decided; empty when nothing in particular did
  std::string message;  ///< the whole text of the tool result where one tells it (kRule with conditions: "Access
                        ///< denied: ...", limits: "Too many calls: ..."); else empty

  [[nodiscard]] bool allowed() const noexcept { return reason == Reason::kAllowed; }
};

/// One step of a decision, for explain.
struct Step {
  std::string what;  ///< e.g. "tools of the tenant", "role viewer", "scopes of the key"
  std::string text;  ///< a sentence: what was looked at and what follows
  SourcePlace place;
  bool passed = true;
};
using Trace = std::vector<Step>;
/// Step::what of the rules that look at arguments. They come last: a call is asked its limits before them.
inline constexpr std::string_view kRuleAboutArguments = "rule about arguments";

/// What one role with one set of key scopes may call in one tenant. Immutable; keys that are alike share it. Any
/// thread.
class Rights {
 public:
  virtual ~Rights() = default;
  /// The one decision about a tool: of the list (`arguments` null) and of a call. The steps go to `trace` when given;
  /// then all of them are taken, also behind the one that refuses.
  [[nodiscard]] virtual Decision decide(const ToolFacts& tool, const json::Value* arguments,
                                        Trace* trace = nullptr) const = 0;
  /// Whether a rule with conditions names this tool: only then does a call need decide() beyond the list's answer.
  [[nodiscard]] virtual bool looks_at_arguments(const ToolFacts& tool) const = 0;
  /// The tenant's own title or description; null: the plugin's.
  [[nodiscard]] virtual const ToolText* text_of(std::string_view tool) const = 0;
  /// Tools whose texts differ are listed differently: equal for tenants with equal texts. Empty: the plugins' own.
  [[nodiscard]] virtual const std::vector<ToolText>& texts() const = 0;
  /// Whether only tools that declare that they are read-only are left by the scopes of role and key.
  [[nodiscard]] virtual bool read_only() const = 0;
  [[nodiscard]] virtual std::size_t max_request() const = 0;  ///< bytes; SIZE_MAX: no limit of the tenant's own
  [[nodiscard]] virtual std::size_t max_result() const = 0;
  [[nodiscard]] virtual std::size_t max_streams() const = 0;
  [[nodiscard]] virtual ArgumentsInAudit arguments_in_audit() const = 0;
};

}  // namespace toolhost::access
