#include "plugin_runtime/executor.hpp"

#include <pthread.h>

#include <system_error>
#include <utility>

#include "plugin_runtime/black_box.hpp"
#include "plugin_runtime/service_tables.hpp"

namespace toolhost::plugin_runtime {

Executor::~Executor() {
  for (auto& thread : threads_)
    if (thread.joinable()) thread.join();
}

th_status Executor::submit(Task task, Clock::time_point due) {
  const std::lock_guard lock(mutex_);
  if (closed_) return TH_E_UNAVAILABLE;
  if (waiting_.size() >= TH_EXECUTOR_MAX_WAITING) return TH_E_LIMIT;
  return take(std::move(task), due) ? TH_OK : TH_E_UNAVAILABLE;
}

bool Executor::post(Task task) {
  const std::lock_guard lock(mutex_);
  return !ending_ && take(std::move(task), Clock::time_point::min());
}

/// With mutex_ held. False when there is no thread for it and none can be had.
bool Executor::take(Task task, Clock::time_point due) {
  if (!rouse()) return false;
  waiting_.emplace(due, std::move(task));
  return true;
}

/// With mutex_ held. Has one more thread look at what waits; false when there is none and none can be had.
bool Executor::rouse() {
  if (sleeping_ > 0) {
    work_.notify_one();
  } else if (threads_.size() < TH_EXECUTOR_THREADS && !ending_) {
    try {
      threads_.emplace_back([this] { work(); });
    } catch (const std::system_error&) {
      return !threads_.empty();
    }
  }
  return true;
}

void Executor::work() {
  pthread_setname_np(pthread_self(), "toolhost-exec");
  const SignalStack signal_stack;
  std::unique_lock lock(mutex_);
  for (;;) {
    if (waiting_.empty()) {
      if (ending_) return;
      ++sleeping_;
      work_.wait(lock);
      --sleeping_;
      continue;
    }
    const auto first = waiting_.begin();
    if (const auto due = first->first; !closed_ && due > Clock::now()) {
      ++sleeping_;
      work_.wait_until(lock, due);
      --sleeping_;
      continue;
    }
    {
      const auto task = std::move(first->second);
      waiting_.erase(first);
      ++running_;
      // Somebody must look at the next one while this one runs.
      if (!waiting_.empty()) rouse();
      lock.unlock();
      run(task);
    }
    lock.lock();
    if (--running_ == 0 && waiting_.empty()) idle_.notify_all();
  }
}

/// The function may break rule R5 of plugin.h, as in ToolRunner.
void Executor::run(const Task& task) noexcept {
  const BlackBoxScope scope(host_.plugin(), "(executor)", "");
  std::string why = "not a std::exception";
  try {
    return task();
  } catch (const std::exception& error) {
    why = error.what();
  } catch (...) {
  }
  host_.report(observability::PluginIncident::kMisbehaved, "exception-escaped",
               "an exception left a function that the executor ran (" + why + "); catch everything in it");
}

void Executor::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  work_.notify_all();
}

bool Executor::stop(std::chrono::milliseconds limit) {
  close();
  std::unique_lock lock(mutex_);
  const bool is_idle = idle_.wait_for(lock, limit, [this] { return waiting_.empty() && running_ == 0; });
  ending_ = true;
  work_.notify_all();
  auto threads = std::exchange(threads_, {});
  lock.unlock();
  for (auto& thread : threads) {
    if (is_idle)
      thread.join();
    else
      thread.detach();
  }
  return is_idle;
}

namespace services {
namespace {

// ---- toolhost.executor/1

constexpr std::int64_t kMaxDelayUs = 24LL * 3600 * 1'000'000;

th_status run_at(th_host* host, std::int64_t delay_us, th_fn function, void* context) noexcept {
  if (host == nullptr || function == nullptr) return TH_E_MISUSE;
  if (delay_us < 0 || delay_us > kMaxDelayUs) return TH_E_INVALID;
  auto* const executor = host->executor();
  if (executor == nullptr) return TH_E_UNAVAILABLE;
  const auto due =
      delay_us == 0 ? Executor::Clock::time_point::min() : Executor::Clock::now() + std::chrono::microseconds(delay_us);
  return executor->submit([function, context] { function(context); }, due);
}

th_status executor_submit(th_host* host, th_fn function, void* context) noexcept {
  return run_at(host, 0, function, context);
}
th_status executor_after(th_host* host, int64_t delay_us, th_fn function, void* context) noexcept {
  return run_at(host, delay_us, function, context);
}

}  // namespace

constexpr th_executor_api executor_table{sizeof(th_executor_api), 0, executor_submit, executor_after};

}  // namespace services
}  // namespace toolhost::plugin_runtime
