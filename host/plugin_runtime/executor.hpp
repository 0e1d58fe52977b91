#pragma once
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include <toolhost/plugin.h>

struct th_host;

namespace toolhost::plugin_runtime {

/// Threads of the host for functions of one plugin, started as they are needed. What was taken runs once, at its time
/// or when stop() cuts the wait short.
class Executor {
 public:
  using Clock = std::chrono::steady_clock;
  using Task = std::function<void()>;

  explicit Executor(th_host& host) : host_(host) {}
  ~Executor();  ///< after a stop() that was true, or without any task
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  /// TH_OK; TH_E_LIMIT (too many wait); TH_E_UNAVAILABLE (close() was called, or the system has no thread). Any thread.
  th_status submit(Task task, Clock::time_point due = Clock::time_point::min());
  /// For the host's own: however many wait, also after close(). False once stop() has waited. Any thread.
  bool post(Task task);
  /// Refuses more, and runs at once what waits.
  void close();
  /// The same, and waits for all of it for at most `limit`. False when something has not returned: then this object
  /// must live for ever. Idempotent.
  bool stop(std::chrono::milliseconds limit);

 private:
  bool take(Task task, Clock::time_point due);
  bool rouse();
  void work();
  void run(const Task& task) noexcept;

  th_host& host_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable work_, idle_;
  std::multimap<Clock::time_point, Task> waiting_;
  std::vector<std::thread> threads_;
  std::size_t sleeping_ = 0, running_ = 0;
  bool closed_ = false, ending_ = false;
};

}  // namespace toolhost::plugin_runtime
