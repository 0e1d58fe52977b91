#pragma once
#include <chrono>
#include <optional>
#include <string>

#include "access/policy_config.hpp"
#include "base/caller.hpp"

namespace toolhost::access {

/// A key as the host knows it, also one that is not let in.
struct KnownKey {
  CallerPtr caller;
  std::string name, owner;
  Scopes scopes;
  bool disabled = false;
  bool has_owner_left = false;  ///< KeyState::kOwnerLeft
  std::optional<std::chrono::system_clock::time_point> expires_at;
};

}  // namespace toolhost::access
