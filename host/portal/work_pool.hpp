#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

namespace toolhost::portal {

/// How much may wait in a WorkPool.
struct WorkPoolLimits {
  std::size_t waiting = 100;           ///< of all
  std::size_t waiting_of_sender = 10;  ///< of one
};

/// A few threads, each with an object of its own, that do what may block. Senders take turns: whoever sends much waits
/// behind himself.
template <class Desk>
class WorkPool {
 public:
  using Work = std::function<void(Desk&)>;

  /// `make` makes a thread's object, on that thread.
  WorkPool(unsigned threads, WorkPoolLimits limits, const std::function<std::unique_ptr<Desk>()>& make)
      : limits_(limits) {
    for (unsigned count = 0; count < threads; ++count) threads_.emplace_back([this, make] { run(*make()); });
  }
  ~WorkPool() { stop(); }
  WorkPool(const WorkPool&) = delete;
  WorkPool& operator=(const WorkPool&) = delete;

  /// False when too much waits, of all or of this sender, or the pool has stopped. `work` must not throw.
  bool post(const std::string& sender, Work work) {
    {
      const std::lock_guard lock(mutex_);
      if (is_stopped_ || waiting_ >= limits_.waiting) return false;
      const auto known = queues_.find(sender);
      if (known != queues_.end()) {
        if (known->second->waiting.size() >= limits_.waiting_of_sender) return false;
        known->second->waiting.push_back(std::move(work));
      } else {
        turns_.push_back({sender, {}});
        turns_.back().waiting.push_back(std::move(work));
        queues_.emplace(sender, std::prev(turns_.end()));
      }
      ++waiting_;
    }
    changed_.notify_one();
    return true;
  }
  /// Joins the threads; what waits is dropped. Idempotent.
  void stop() {
    {
      const std::lock_guard lock(mutex_);
      is_stopped_ = true;
    }
    changed_.notify_all();
    for (auto& thread : threads_)
      if (thread.joinable()) thread.join();
    queues_.clear();
    turns_.clear();
  }

 private:
  struct Queue {
    std::string sender;
    std::deque<Work> waiting;  ///< never empty between calls
  };

  void run(Desk& desk) {
    while (auto work = next()) work(desk);
  }
  Work next() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return is_stopped_ || waiting_ > 0; });
    if (is_stopped_) return {};
    auto& first = turns_.front();
    Work work = std::move(first.waiting.front());
    first.waiting.pop_front();
    --waiting_;
    if (first.waiting.empty()) {
      queues_.erase(first.sender);
      turns_.pop_front();
    } else {
      turns_.splice(turns_.end(), turns_, turns_.begin());
    }
    return work;
  }

  const WorkPoolLimits limits_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::list<Queue> turns_;  ///< whose turn it is stands first
  std::unordered_map<std::string, typename std::list<Queue>::iterator> queues_;
  std::size_t waiting_ = 0;
  bool is_stopped_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace toolhost::portal
