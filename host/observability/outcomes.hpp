#pragma once
#include <string_view>

namespace toolhost::observability {

/// Whether this outcome of a call says that rights or limits refused it, or that there is no such tool.
constexpr bool is_refusal(std::string_view outcome) noexcept {
  return outcome == "denied" || outcome == "limit" || outcome == "unknown_tool";
}

/// Whether this outcome of a call is one that its caller did not want.
constexpr bool is_error(std::string_view outcome) noexcept {
  return outcome != "ok" && outcome != "cancelled" && outcome != "input_required";
}

}  // namespace toolhost::observability
