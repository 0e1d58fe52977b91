#pragma once
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "base/deadline.hpp"

namespace toolhost::plugin_runtime {

/// One thread that looks after the deadlines and cancellations of all plugins.
class Watchdog {
 public:
  using Clock = Deadline::Clock;

  class Watched {
   public:
    virtual ~Watched() = default;
    /// Acts on what is due; called on the watchdog's thread. Returns the latest moment of the next call.
    virtual Clock::time_point sweep(Clock::time_point now) = 0;
  };

  Watchdog();
  ~Watchdog();  ///< stops and joins the thread
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  void watch(Watched& watched);
  /// Afterwards `watched` is not called any more; waits for a sweep that runs. Not from within a sweep.
  void forget(Watched& watched);
  /// Sweeps at this moment or earlier. One atomic load when a sweep is due before it anyway.
  void wake_by(Clock::time_point moment) noexcept;

 private:
  void run();

  std::mutex watched_mutex_;
  std::vector<Watched*> watched_;
  std::mutex wake_mutex_;
  std::condition_variable wake_;
  std::atomic<Clock::time_point> next_wake_{Clock::time_point::min()};
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace toolhost::plugin_runtime
