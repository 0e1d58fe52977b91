#pragma once
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "access/crypto.hpp"

namespace toolhost::portal {

/// The cookies of sessions that were found lately, so that somebody who is signed in does not share the turns of an
/// address with everybody behind it. Bounded; any thread. No proof of anything: a session that has ended is here still.
class KnownVisitors {
 public:
  void add(std::string_view cookie) {
    auto name = name_of(cookie);
    const std::lock_guard lock(mutex_);
    if (recent_.size() >= kMost) earlier_ = std::exchange(recent_, {});
    recent_.insert(std::move(name));
  }
  /// What the turns of this visitor are counted by; empty for a cookie that is not known.
  [[nodiscard]] std::string find(std::string_view cookie) const {
    auto name = name_of(cookie);
    const std::lock_guard lock(mutex_);
    return recent_.contains(name) || earlier_.contains(name) ? name : std::string();
  }

 private:
  static constexpr std::size_t kMost = 5'000;

  static std::string name_of(std::string_view cookie) {
    const auto digest = access::sha256(cookie);
    return "session " + std::string(reinterpret_cast<const char*>(digest.data()), digest.size());
  }

  mutable std::mutex mutex_;
  std::unordered_set<std::string> recent_, earlier_;
};

}  // namespace toolhost::portal
