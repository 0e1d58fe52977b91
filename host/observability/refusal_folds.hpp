#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "base/caller.hpp"

namespace toolhost::observability {

/// A call that was refused before it ran, or a refused request of a known key; views are borrowed.
struct Refusal {
  const Caller& caller;
  std::string_view outcome, reason;
  std::string_view tool, remote;  ///< what is known of them
};

/// Refusals of one key for one reason that have no record of their own.
struct FoldedRefusals {
  using Time = std::chrono::system_clock::time_point;
  std::int32_t tenant_id = 0;
  std::string outcome, reason;
  std::string tenant, key, principal;  ///< the last two are empty for the keys of a tenant together
  std::string tool, remote;            ///< of the last one
  std::uint64_t count = 0;
  Time since, until;  ///< the first and the last one
};

/// Bounds what refusals write: of each key, outcome and reason 100 at once and 10 a second have records of their own,
/// the others are counted. With more than kMostKeys of these at a time, further ones are taken together by tenant. Any
/// thread; refusals alone take its lock.
class RefusalFolds {
 public:
  using Time = FoldedRefusals::Time;
  static constexpr std::size_t kMostKeys = 4'096;
  static constexpr double kBurst = 100, kPerSecond = 10;

  /// Whether this one gets a record of its own; otherwise it is counted. Without `has_room` it is counted anyway.
  bool admit(const Refusal& refusal, bool has_room, Time now);
  /// What was counted since the last time; forgets who was not refused lately.
  std::vector<FoldedRefusals> take(Time now);

 private:
  /// Tenant, key, outcome, reason.
  template <class Text>
  using Who = std::tuple<std::int32_t, Text, Text, Text>;
  struct Fold {
    double allowance = kBurst;
    Time filled;
    FoldedRefusals counted;  // without what is in Who
    void fill(Time now);
  };
  Fold& fold_of(const Refusal& refusal, std::string_view key, Time now);

  std::mutex mutex_;
  std::map<Who<std::string>, Fold, std::less<>> folds_;
  std::size_t keys_ = 0;  // of folds_, those with a key
};

}  // namespace toolhost::observability
