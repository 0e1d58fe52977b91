#pragma once
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "plugin_runtime/plugin_host.hpp"
#include "plugin_runtime/watchdog.hpp"

namespace toolhost::plugin_runtime {

/// Gathers what plugins announce and tells it on the watchdog's thread, so that a plugin that announces without end
/// costs no more than ten tellings a second. Any thread.
class CatalogNews final : public Watchdog::Watched {
 public:
  static constexpr std::size_t kMaxUpdates = 1'000;

  explicit CatalogNews(Watchdog& watchdog);
  ~CatalogNews() override;
  CatalogNews(const CatalogNews&) = delete;
  CatalogNews& operator=(const CatalogNews&) = delete;

  void listen(std::function<void(const CatalogChange&)> listener);
  /// `lists`: TH_LIST_*.
  void changed(std::uint32_t lists);
  /// False when kMaxUpdates resources wait to be told already: dropped.
  bool updated(std::string_view uri, std::optional<TenantId> tenant);

  Watchdog::Clock::time_point sweep(Watchdog::Clock::time_point now) override;

 private:
  using Clock = Watchdog::Clock;
  using Updates = std::set<std::pair<std::optional<TenantId>, std::string>>;
  void wake(std::unique_lock<std::mutex> lock);

  Watchdog& watchdog_;
  std::mutex telling_;  // held while the listener runs
  std::mutex mutex_;    // guards what follows
  std::function<void(const CatalogChange&)> listener_;
  std::uint32_t lists_ = 0;
  Updates updates_;
  Clock::time_point due_ = Clock::time_point::max();
};

}  // namespace toolhost::plugin_runtime
