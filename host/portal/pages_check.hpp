#pragma once
#include <string>
#include <vector>

#include "access/key_attempts.hpp"
#include "portal/pages_keys.hpp"

namespace toolhost::portal {

struct CheckView {
  std::vector<access::KeyAttempt> attempts;  ///< latest first
  std::vector<storage::PortalKey> keys;      ///< the person's own
  std::string address;                       ///< where the person's browser is
};

/// What has arrived from the person's assistants. The list is fetched again and again by the script, by reloading
/// without it.
Page check_page(const Scene& scene, const CheckView& view);
/// The list alone, for the script.
Page check_fragment(const CheckView& view, Moment now);

/// "A key ending in …xyz arrived in Authorization. It looks cut off: 31 of 37 characters."
std::string attempt_text(const access::KeyAttempt& attempt, const std::vector<storage::PortalKey>& keys);
/// What to do about it; empty when all is well.
std::string remedy_text(const access::KeyAttempt& attempt);

}  // namespace toolhost::portal
