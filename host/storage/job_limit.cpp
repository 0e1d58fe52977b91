#include "storage/job_limit.hpp"

#include <sys/socket.h>

namespace toolhost::storage {
namespace {

constexpr std::chrono::seconds kSilentPause{2};

void end(int socket) noexcept {
  ::shutdown(socket, SHUT_RDWR);
}

}  // namespace

JobLimit::JobLimit(std::chrono::milliseconds limit) : limit_(limit), thread_([this] { run(); }) {}

JobLimit::~JobLimit() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void JobLimit::end_all() {
  const std::lock_guard lock(mutex_);
  is_ended_ = true;
  for (const auto& job : jobs_) end(job.socket);
}

bool JobLimit::may_connect() const {
  const std::lock_guard lock(mutex_);
  return !is_ended_ && Clock::now() >= silent_until_;
}

void JobLimit::connecting_failed(Clock::time_point begun) {
  const auto now = Clock::now();
  // One that is refused costs nobody anything.
  if (now - begun < kConnectLimit / 2) return;
  const std::lock_guard lock(mutex_);
  silent_until_ = now + kSilentPause;
}

void JobLimit::run() {
  std::unique_lock lock(mutex_);
  while (!is_stopping_) {
    if (jobs_.empty()) {
      changed_.wait(lock);
      continue;
    }
    auto& first = jobs_.front();
    const auto now = Clock::now();
    if (now < first.end) {
      changed_.wait_until(lock, Clock::time_point(first.end));
      continue;
    }
    end(first.socket);
    silent_until_ = now + kSilentPause;
    first.end = Clock::time_point::max();
    jobs_.splice(jobs_.end(), jobs_, jobs_.begin());
  }
}

JobLimit::Watch::Watch(JobLimit* limit, int socket) : limit_(limit) {
  if (limit_ == nullptr) return;
  const std::lock_guard lock(limit_->mutex_);
  if (limit_->is_ended_) end(socket);
  // In front of those that have been ended already.
  auto behind = limit_->jobs_.end();
  while (behind != limit_->jobs_.begin() && std::prev(behind)->end == Clock::time_point::max()) --behind;
  job_ = limit_->jobs_.insert(behind, Job{socket, Clock::now() + limit_->limit_});
  if (job_ == limit_->jobs_.begin()) limit_->changed_.notify_all();
}

JobLimit::Watch::~Watch() {
  if (limit_ == nullptr) return;
  const std::lock_guard lock(limit_->mutex_);
  limit_->jobs_.erase(job_);
}

}  // namespace toolhost::storage
