#include "plugin_runtime/watchdog.hpp"

#include <algorithm>
#include <chrono>

namespace toolhost::plugin_runtime {
namespace {
// Sweeping this often costs nothing, and a call with a longer time limit, as nearly every one has, need not wake this
// thread.
constexpr std::chrono::seconds kLongestSleep{1};
}  // namespace

Watchdog::Watchdog() : thread_([this] { run(); }) {}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(wake_mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Watchdog::watch(Watched& watched) {
  const std::lock_guard lock(watched_mutex_);
  watched_.push_back(&watched);
}

void Watchdog::forget(Watched& watched) {
  const std::lock_guard lock(watched_mutex_);
  std::erase(watched_, &watched);
}

void Watchdog::wake_by(Clock::time_point moment) noexcept {
  if (moment >= next_wake_.load()) return;
  {
    const std::lock_guard lock(wake_mutex_);
    if (moment >= next_wake_.load()) return;
    next_wake_.store(moment);
  }
  wake_.notify_one();
}

void Watchdog::run() {
  for (;;) {
    {
      // What is asked for during the sweep counts from here.
      const std::lock_guard lock(wake_mutex_);
      if (stopping_) return;
      next_wake_.store(Clock::time_point::max());
    }
    const auto now = Clock::now();
    auto next = now + kLongestSleep;
    {
      const std::lock_guard lock(watched_mutex_);
      for (auto* watched : watched_) next = std::min(next, watched->sweep(now));
    }
    std::unique_lock lock(wake_mutex_);
    next_wake_.store(std::min(next_wake_.load(), next));
    while (!stopping_ && Clock::now() < next_wake_.load()) wake_.wait_until(lock, next_wake_.load());
  }
}

}  // namespace toolhost::plugin_runtime
