#include "observability/audited_event.hpp"

#include "observability/audit_record.hpp"
#include "observability/outcomes.hpp"

namespace toolhost::observability {
namespace {

/// What a refused request is called among the outcomes of calls.
constexpr std::string_view kRefusedRequest = "denied";

std::int32_t describe(std::string& out, const ToolCalled& call) {
  AuditRecord(out, "tool_called")
      .field("tenant", call.caller.tenant)
      .field("key", call.caller.key_prefix)
      .field("principal", call.caller.principal)
      .field("tool", call.tool)
      .field("plugin", call.plugin)
      .field("request", call.request_id)
      .field("outcome", call.outcome)
      .field("reason", call.reason)
      .field("place", call.place)
      .field("duration_us", call.duration.count())
      .json("arguments", call.arguments)
      .end();
  return value(call.caller.tenant_id);
}

std::int32_t describe(std::string& out, const RequestRefused& refusal) {
  AuditRecord(out, "request_refused")
      .field("tenant", refusal.caller->tenant)
      .field("key", refusal.caller->key_prefix)
      .field("principal", refusal.caller->principal)
      .field("outcome", kRefusedRequest)
      .field("reason", refusal.reason)
      .field("remote", refusal.remote)
      .end();
  return value(refusal.caller->tenant_id);
}

std::int32_t describe(std::string& out, const ConfigurationReloaded& reload) {
  AuditRecord(out, "configuration_reloaded")
      .field("outcome", reload.applied ? "applied" : "refused")
      .field("generation", static_cast<std::int64_t>(reload.generation))
      .field("file", reload.file)
      .field("trigger", reload.trigger)
      .lines("summary", reload.summary)
      .end();
  return 0;
}

}  // namespace

bool is_audited(const Event& event, bool keeps_calls) noexcept {
  if (const auto* call = std::get_if<ToolCalled>(&event)) return keeps_calls || is_refusal(call->outcome);
  if (const auto* refusal = std::get_if<RequestRefused>(&event)) return refusal->caller != nullptr;
  return std::holds_alternative<ConfigurationReloaded>(event);
}

std::optional<Refusal> refusal_in(const Event& event) noexcept {
  if (const auto* call = std::get_if<ToolCalled>(&event)) {
    // Only a call that did not run says why.
    if (!is_refusal(call->outcome) && call->reason.empty()) return std::nullopt;
    return Refusal{call->caller, call->outcome, call->reason, call->tool, {}};
  }
  const auto* refusal = std::get_if<RequestRefused>(&event);
  if (refusal == nullptr || refusal->caller == nullptr) return std::nullopt;
  return Refusal{*refusal->caller, kRefusedRequest, refusal->reason, {}, refusal->remote};
}

std::int32_t append_event(std::string& out, const Event& event) {
  if (const auto* call = std::get_if<ToolCalled>(&event)) return describe(out, *call);
  if (const auto* refusal = std::get_if<RequestRefused>(&event)) return describe(out, *refusal);
  return describe(out, std::get<ConfigurationReloaded>(event));
}

void append_refusals(std::string& out, const FoldedRefusals& refusals) {
  std::string since, until;
  append_micros(since, refusals.since);
  append_micros(until, refusals.until);
  AuditRecord(out, "refusals_folded")
      .field("tenant", refusals.tenant)
      .field("key", refusals.key)
      .field("principal", refusals.principal)
      .field("tool", refusals.tool)
      .field("outcome", refusals.outcome)
      .field("reason", refusals.reason)
      .field("remote", refusals.remote)
      .field("count", static_cast<std::int64_t>(refusals.count))
      .field("since", since)
      .field("until", until)
      .end();
}

}  // namespace toolhost::observability
