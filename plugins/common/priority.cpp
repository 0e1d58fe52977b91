#include "priority.hpp"

#include <algorithm>

namespace helpdesk {

Priority read_priority(PriorityInput input, std::vector<std::string>& warnings) {
  if (input != PriorityInput::kMedium) return static_cast<Priority>(input);
  const std::string remark = "priority 'medium' was taken as 'normal'; the priorities are low, normal, high, urgent";
  if (std::find(warnings.begin(), warnings.end(), remark) == warnings.end()) warnings.push_back(remark);
  return Priority::kNormal;
}

}  // namespace helpdesk
