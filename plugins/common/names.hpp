#pragma once
#include <toolhost/plugin/enums.hpp>

#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace helpdesk {

/// How tools and database spell an enumerator of TH_ENUM; empty for one that it does not list.
template <class Enum>
constexpr std::string_view name(Enum enumerator) {
  for (const auto& entry : th_enum_values(std::type_identity<Enum>{})) {
    if (entry.value == enumerator) return entry.name;
  }
  return {};
}

/// "open, closed"
template <class Enum>
std::string joined_names(const std::vector<Enum>& enumerators) {
  std::string names;
  for (const Enum enumerator : enumerators) names.append(names.empty() ? "" : ", ").append(name(enumerator));
  return names;
}

}  // namespace helpdesk
