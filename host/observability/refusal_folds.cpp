#include "observability/refusal_folds.hpp"

#include <algorithm>
#include <utility>

namespace toolhost::observability {

void RefusalFolds::Fold::fill(Time now) {
  const double seconds = std::chrono::duration<double>(now - std::exchange(filled, now)).count();
  allowance = std::min(kBurst, allowance + kPerSecond * std::max(seconds, 0.0));
}

RefusalFolds::Fold& RefusalFolds::fold_of(const Refusal& refusal, std::string_view key, Time now) {
  const Caller& caller = refusal.caller;
  const std::int32_t tenant = value(caller.tenant_id);
  const auto found = folds_.find(Who<std::string_view>{tenant, key, refusal.outcome, refusal.reason});
  if (found != folds_.end()) return found->second;
  if (!key.empty() && keys_ >= kMostKeys) return fold_of(refusal, {}, now);
  Fold& fold = folds_[{tenant, std::string(key), std::string(refusal.outcome), std::string(refusal.reason)}];
  fold.filled = now;
  fold.counted.tenant = caller.tenant;
  if (!key.empty()) {
    fold.counted.principal = caller.principal;
    ++keys_;
  }
  return fold;
}

bool RefusalFolds::admit(const Refusal& refusal, bool has_room, Time now) {
  const std::lock_guard lock(mutex_);
  Fold& fold = fold_of(refusal, refusal.caller.key_prefix, now);
  fold.fill(now);
  if (has_room && fold.allowance >= 1) {
    fold.allowance -= 1;
    return true;
  }
  FoldedRefusals& counted = fold.counted;
  if (counted.count++ == 0) counted.since = now;
  counted.until = now;
  counted.tool = refusal.tool;
  counted.remote = refusal.remote;
  return false;
}

std::vector<FoldedRefusals> RefusalFolds::take(Time now) {
  std::vector<FoldedRefusals> taken;
  const std::lock_guard lock(mutex_);
  for (auto at = folds_.begin(); at != folds_.end();) {
    auto& [who, fold] = *at;
    const auto& [tenant, key, outcome, reason] = who;
    fold.fill(now);
    if (fold.counted.count > 0) {
      FoldedRefusals& out = taken.emplace_back(fold.counted);
      std::tie(out.tenant_id, out.key, out.outcome, out.reason) = std::tie(tenant, key, outcome, reason);
      fold.counted.count = 0;
    } else if (fold.allowance >= kBurst) {
      keys_ -= key.empty() ? 0 : 1;
      at = folds_.erase(at);
      continue;
    }
    ++at;
  }
  return taken;
}

}  // namespace toolhost::observability
