#include "access/rights.hpp"

namespace toolhost::access {

const char* to_string(Reason reason) noexcept {
  switch (reason) {
    case Reason::kAllowed:
      return "allowed";
    case Reason::kUnknownTool:
      return "unknown_tool";
    case Reason::kKeyDisabled:
      return "key_disabled";
    case Reason::kKeyExpired:
      return "key_expired";
    case Reason::kOwnerLeft:
      return "owner_left";
    case Reason::kPlugin:
      return "plugin";
    case Reason::kTool:
      return "tool";
    case Reason::kRole:
      return "role";
    case Reason::kScope:
      return "scope";
    case Reason::kRule:
      return "rule";
    case Reason::kTenantRate:
      return "tenant_rate";
    case Reason::kKeyRate:
      return "key_rate";
    case Reason::kToolRate:
      return "tool_rate";
    case Reason::kTenantConcurrency:
      return "tenant_concurrency";
    case Reason::kKeyConcurrency:
      return "key_concurrency";
    case Reason::kToolConcurrency:
      return "tool_concurrency";
    case Reason::kRequestSize:
      return "request_size";
  }
  return "unknown";
}

}  // namespace toolhost::access
