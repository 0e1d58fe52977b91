#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "observability/events.hpp"
#include "observability/refusal_folds.hpp"

namespace toolhost::observability {

/// Whether the audit journal keeps an event: calls (without `keeps_calls` only those that were refused), refused
/// requests whose key is known, and configurations.
bool is_audited(const Event& event, bool keeps_calls) noexcept;

/// The refusal that an audited event is: a call that did not run, for its rights, its limits, a full queue or journal
/// or because there is no such tool; or a refused request.
std::optional<Refusal> refusal_in(const Event& event) noexcept;

/// Appends the record of an event that is audited (audit_record.hpp); whose chain it belongs to, 0 for the host's.
std::int32_t append_event(std::string& out, const Event& event);
/// Appends the record that refusals without one have together.
void append_refusals(std::string& out, const FoldedRefusals& refusals);

}  // namespace toolhost::observability
