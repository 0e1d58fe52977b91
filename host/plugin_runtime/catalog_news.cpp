#include "plugin_runtime/catalog_news.hpp"

#include <utility>

namespace toolhost::plugin_runtime {
namespace {

constexpr std::chrono::milliseconds kGathered{100};

}  // namespace

CatalogNews::CatalogNews(Watchdog& watchdog) : watchdog_(watchdog) {
  watchdog_.watch(*this);
}

CatalogNews::~CatalogNews() {
  watchdog_.forget(*this);
}

void CatalogNews::listen(std::function<void(const CatalogChange&)> listener) {
  const std::lock_guard telling(telling_);
  const std::lock_guard lock(mutex_);
  listener_ = std::move(listener);
}

void CatalogNews::changed(std::uint32_t lists) {
  std::unique_lock lock(mutex_);
  lists_ |= lists;
  wake(std::move(lock));
}

bool CatalogNews::updated(std::string_view uri, std::optional<TenantId> tenant) {
  std::unique_lock lock(mutex_);
  auto update = std::pair(tenant, std::string(uri));
  if (updates_.size() >= kMaxUpdates && !updates_.contains(update)) return false;
  updates_.insert(std::move(update));
  wake(std::move(lock));
  return true;
}

void CatalogNews::wake(std::unique_lock<std::mutex> lock) {
  if (due_ != Clock::time_point::max()) return;
  due_ = Clock::now() + kGathered;
  const auto due = due_;
  lock.unlock();
  watchdog_.wake_by(due);
}

Watchdog::Clock::time_point CatalogNews::sweep(Clock::time_point now) {
  const std::lock_guard telling(telling_);
  std::unique_lock lock(mutex_);
  if (due_ > now) return due_;
  due_ = Clock::time_point::max();
  const auto lists = std::exchange(lists_, 0);
  const auto updates = std::exchange(updates_, {});
  lock.unlock();
  if (!listener_) return Clock::time_point::max();
  if (lists != 0) listener_({.lists = lists, .updated_uri = {}, .tenant = {}});
  for (const auto& [tenant, uri] : updates) listener_({.lists = 0, .updated_uri = uri, .tenant = tenant});
  return Clock::time_point::max();
}

}  // namespace toolhost::plugin_runtime
