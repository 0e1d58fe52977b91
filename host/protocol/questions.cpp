#include "protocol/questions.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "access/crypto.hpp"
#include "base/hex.hpp"

namespace toolhost::protocol {
namespace {

/// 64 random bits, so that nobody answers what they were not asked.
std::string random_part() {
  std::string bytes(8, '\0');
  access::fill_random({reinterpret_cast<std::uint8_t*>(bytes.data()), bytes.size()});
  return to_hex(bytes);
}

}  // namespace

void Questions::stop() {
  std::unordered_map<std::string, Waiting> dropped;  // without the lock: their calls may end here
  {
    const std::lock_guard lock(mutex_);
    is_ending_ = true;
    dropped.swap(waiting_);
  }
  changed_.notify_all();
  if (watcher_.joinable()) watcher_.join();
  for (const auto& [id, one] : dropped) one.asker->host_stops();
}

std::optional<std::string> Questions::add(KeyId key, const std::shared_ptr<Session>& session,
                                          std::shared_ptr<Asker> asker) {
  const std::string random = random_part();
  const std::lock_guard lock(mutex_);
  if (is_ending_) return std::nullopt;
  const auto of_session = std::count_if(waiting_.begin(), waiting_.end(),
                                        [&](const auto& one) { return one.second.session == session.get(); });
  if (static_cast<std::size_t>(of_session) >= kMostOfASession) return std::nullopt;
  std::string id = "\"th" + std::to_string(host_.load(std::memory_order_relaxed)) + "-" + std::to_string(++last_) +
                   "-" + random + "\"";
  waiting_.emplace(id, Waiting{key, session.get(), std::move(asker), Clock::now() + limit_});
  if (!watcher_.joinable()) watcher_ = std::thread([this] { watch(); });
  changed_.notify_all();
  return id;
}

bool Questions::take(KeyId key, std::string_view id, Asker::Response response) {
  std::shared_ptr<Asker> asker;
  const std::string name(id);
  {
    const std::lock_guard lock(mutex_);
    const auto found = waiting_.find(name);
    if (found == waiting_.end() || found->second.key != key) return false;
    asker = std::move(found->second.asker);
    waiting_.erase(found);
  }
  asker->answered(name, std::move(response));
  return true;
}

void Questions::forget(const std::string& id) {
  std::shared_ptr<Asker> asker;  // may end with this, without the lock
  const std::lock_guard lock(mutex_);
  const auto found = waiting_.find(id);
  if (found == waiting_.end()) return;
  asker = std::move(found->second.asker);
  waiting_.erase(found);
}

std::size_t Questions::count() const {
  const std::lock_guard lock(mutex_);
  return waiting_.size();
}

/// Ends the questions whose time is up.
void Questions::watch() {
  std::unique_lock lock(mutex_);
  while (!is_ending_) {
    auto next = Clock::time_point::max();
    std::vector<std::pair<std::string, std::shared_ptr<Asker>>> late;
    const auto now = Clock::now();
    for (auto one = waiting_.begin(); one != waiting_.end();) {
      if (one->second.until > now) {
        next = std::min(next, one->second.until);
        ++one;
        continue;
      }
      late.emplace_back(one->first, std::move(one->second.asker));
      one = waiting_.erase(one);
    }
    if (!late.empty()) {
      lock.unlock();
      for (const auto& [id, asker] : late) asker->answered(id, std::nullopt);
      late.clear();
      lock.lock();
    } else if (next == Clock::time_point::max()) {
      changed_.wait(lock);
    } else {
      changed_.wait_until(lock, next);
    }
  }
}

}  // namespace toolhost::protocol
