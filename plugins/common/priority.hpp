#pragma once
#include <toolhost/plugin/enums.hpp>

#include <string>
#include <vector>

/// How urgent something is, said the same way for tickets and tasks.
namespace helpdesk {

enum class Priority { kLow, kNormal, kHigh, kUrgent };
TH_ENUM(Priority, value(Priority::kLow, "low"), value(Priority::kNormal, "normal"), value(Priority::kHigh, "high"),
        value(Priority::kUrgent, "urgent"))

/// "medium" is taken as normal, with a remark in the result.
enum class PriorityInput { kLow, kNormal, kHigh, kUrgent, kMedium };
TH_ENUM(PriorityInput, value(PriorityInput::kLow, "low"), value(PriorityInput::kNormal, "normal"),
        value(PriorityInput::kHigh, "high"), value(PriorityInput::kUrgent, "urgent"),
        value(PriorityInput::kMedium, "medium"))

/// Adds the remark about "medium" to `warnings`, once.
Priority read_priority(PriorityInput input, std::vector<std::string>& warnings);

}  // namespace helpdesk
