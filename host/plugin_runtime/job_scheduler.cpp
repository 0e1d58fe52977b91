#include "plugin_runtime/job_scheduler.hpp"

#include <algorithm>

#include "plugin_runtime/job_runs.hpp"

namespace toolhost::plugin_runtime {
namespace {

using namespace std::chrono_literals;

constexpr unsigned kMostAtOnce = 2;
// Writes come in bursts, and the first of them need not wait for the last.
constexpr auto kAfterWrite = 100ms;
// Whom jobs run for changes rarely; a tenant that is new is noticed when something is written for it.
constexpr auto kRefreshEvery = 30s;
constexpr auto kRefreshSoonest = 1s;
constexpr std::chrono::milliseconds kLongestSpread = 1min;
constexpr std::chrono::milliseconds kFirstPause = 500ms, kLongestPause = 1min;

std::chrono::milliseconds pause_after(unsigned failures) {
  return std::min(kFirstPause * (1U << std::min(failures - 1, 10U)), kLongestPause);
}

std::string described(const Error& error) {
  return error.detail.empty() ? error.message : error.message + " (" + error.detail + ")";
}

}  // namespace

JobScheduler::~JobScheduler() {
  stop();
}

void JobScheduler::start(RegistryPtr registry, std::vector<Job> jobs, Callers callers) {
  callers_ = std::move(callers);
  replace(std::move(registry), std::move(jobs));
}

void JobScheduler::replace(RegistryPtr registry, std::vector<Job> jobs) {
  std::erase_if(jobs, [](const Job& job) { return job.definition->interval == 0ms && !job.definition->after_writes; });
  if (!callers_) return;
  std::vector<JobPtr> before;  // released without the lock
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    std::map<JobName, JobPtr> by_name;
    before.swap(jobs_);
    for (auto& job : jobs) {
      job.name = {job.tool().plugin, job.tool().name};
      jobs_.push_back(std::make_shared<const Job>(std::move(job)));
      by_name[jobs_.back()->name] = jobs_.back();
    }
    std::erase_if(slots_, [&](const auto& entry) {
      const auto& [key, slot] = entry;
      const auto found = by_name.find(key.first);
      if (found != by_name.end()) {
        slot->job = found->second;
        const auto interval = slot->job->definition->interval;
        if (slot->call == nullptr && slot->due == Clock::time_point::max() && interval > 0ms)
          schedule(slot, Clock::now() + std::min(interval, kLongestSpread));
        return false;
      }
      slot->gone = true;
      due_.erase({slot->due, slot});
      return true;
    });
    follows_writes_ =
        std::any_of(jobs_.begin(), jobs_.end(), [](const JobPtr& job) { return job->definition->after_writes; });
    registry_.swap(registry);
    next_refresh_ = {};  // new jobs find their tenants
  }
  changed_.notify_all();
  if (!jobs_.empty() && !thread_.joinable()) thread_ = std::thread([this] { run(); });
}

void JobScheduler::stop() {
  std::vector<ToolCallPtr> running;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (const auto& [key, slot] : slots_)
      if (slot->call) running.push_back(slot->call);
    registry_.reset();  // which holds the runners, which hold this
  }
  follows_writes_ = false;
  changed_.notify_all();
  for (const auto& call : running) call->cancel();
  if (thread_.joinable()) thread_.join();
}

void JobScheduler::on_written(const ToolCall& call) noexcept {
  if (!follows_writes_.load(std::memory_order_relaxed)) return;
  const auto tenant = call.caller->tenant_id;
  const auto soon = Clock::now() + kAfterWrite;
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    // What a job writes because something was written is no reason to run it, or another one, again: they would never
    // end.
    const auto is_called = [&call](const JobPtr& job) {
      return job->definition->after_writes && job->name.second == call.tool->name &&
             job->name.first == call.tool->plugin;
    };
    if (std::any_of(jobs_.begin(), jobs_.end(), is_called)) return;
    for (const auto& job : jobs_) {
      if (!job->definition->after_writes) continue;
      const auto slot = find(*job, tenant);
      if (slot == nullptr) {
        if (unknown_.insert(tenant).second) {
          next_refresh_ = std::min(next_refresh_, refreshed_ + kRefreshSoonest);
          wake = true;
        }
      } else if (slot->call != nullptr) {
        slot->written = true;
      } else if (slot->failures == 0 && soon < slot->due) {
        schedule(slot, soon);
        wake = true;
      }
    }
  }
  if (wake) changed_.notify_one();
}

void JobScheduler::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const auto now = Clock::now();
    if (now >= next_refresh_)
      refresh(lock);
    else if (const auto slot = next_due(now))
      begin(lock, slot);
    else
      changed_.wait_until(lock, next_wake(now));
  }
}

void JobScheduler::refresh(std::unique_lock<std::mutex>& lock) {
  refreshed_ = Clock::now();
  next_refresh_ = refreshed_ + kRefreshEvery;
  lock.unlock();
  const auto callers = callers_();
  lock.lock();
  if (!stopping_) adopt(callers);
}

void JobScheduler::adopt(const std::vector<CallerPtr>& callers) {
  std::set<TenantId> tenants;
  for (std::size_t i = 0; i < callers.size(); ++i) {
    const auto& caller = callers[i];
    tenants.insert(caller->tenant_id);
    for (const auto& job : jobs_) {
      if (const auto slot = find(*job, caller->tenant_id))
        slot->caller = caller;
      else
        add_slot(job, caller, i, callers.size());
    }
  }
  unknown_.clear();
  std::erase_if(slots_, [&](const auto& entry) {
    const auto& slot = entry.second;
    if (tenants.contains(slot->caller->tenant_id)) return false;
    slot->gone = true;
    due_.erase({slot->due, slot});
    return true;
  });
}

/// The first runs are spread, so that not every tenant's turn comes at the same moment.
void JobScheduler::add_slot(const JobPtr& job, const CallerPtr& caller, std::size_t index, std::size_t count) {
  const auto slot = std::make_shared<Slot>();
  slot->job = job;
  slot->name = job->name;
  slot->caller = caller;
  slots_[{job->name, caller->tenant_id}] = slot;
  const auto now = Clock::now();
  const auto interval = job->definition->interval;
  if (job->definition->after_writes && unknown_.contains(caller->tenant_id))
    schedule(slot, now);
  else if (interval > 0ms)
    schedule(slot, now + std::min(interval, kLongestSpread) * index / count);
}

/// The slot that has waited longest of those that may begin.
JobScheduler::SlotPtr JobScheduler::next_due(Clock::time_point now) {
  if (running_ >= kMostAtOnce) return nullptr;
  for (const auto& [due, slot] : due_) {
    if (due > now) break;
    if (running_of_[slot->name.first] < slot->job->most_of_plugin) return slot;
  }
  return nullptr;
}

/// What is due and may not begin yet waits for the end of another job, which wakes the thread.
JobScheduler::Clock::time_point JobScheduler::next_wake(Clock::time_point now) const {
  const auto later = due_.upper_bound({now, SlotPtr()});
  auto next = next_refresh_;
  for (auto entry = later; entry != due_.end(); ++entry) {
    if (entry->first <= now) continue;
    next = std::min(next, entry->first);
    break;
  }
  return next;
}

void JobScheduler::begin(std::unique_lock<std::mutex>& lock, const SlotPtr& slot) {
  schedule(slot, Clock::time_point::max());
  const auto job = slot->job;
  auto call = make_job_call(registry_, job->tool(), slot->caller, "{}");
  (*call)->on_done = [self = shared_from_this(), slot](ToolCall&, ToolResult&& result) {
    self->end(*slot, std::move(result));
  };
  slot->call = *call;
  slot->began = Clock::now();
  slot->written = false;
  ++running_;
  ++running_of_[job->name.first];
  lock.unlock();
  // May end it at once, on this thread.
  job->binding->runner->run(std::move(*call), *job->binding);
  lock.lock();
}

void JobScheduler::end(Slot& slot, ToolResult&& result) {
  const auto answer = job_answer(std::move(result));
  const bool more = answer && wants_more(*answer);
  unsigned failures = 0;
  ToolCallPtr ended;     // released without the lock, and with it perhaps its generation
  JobPtr job;            // of the newest generation, as is the instance that reports
  RegistryPtr registry;  // keeps both alive
  {
    const std::lock_guard lock(mutex_);
    --running_;
    --running_of_[slot.name.first];
    ended = std::move(slot.call);
    if (stopping_ || slot.gone) return changed_.notify_one();
    job = slot.job;
    registry = registry_;
    failures = answer ? std::exchange(slot.failures, 0) : ++slot.failures;
    const auto now = Clock::now();
    auto due = Clock::time_point::max();
    if (!answer)
      due = now + pause_after(failures);
    else if (more)
      due = now;
    else if (job->definition->interval > 0ms)
      due = std::max(slot.began + job->definition->interval, now);
    if (answer && slot.written) due = std::min(due, now + kAfterWrite);
    schedule(slots_.at({slot.name, slot.caller->tenant_id}), due);
  }
  changed_.notify_one();
  const auto what =
      "job " + slot.name.second + " for the tenant " + ended->caller->tenant + ", request " + ended->request_id + ": ";
  if (!answer && failures == 1)
    job->host->report(observability::PluginIncident::kMisbehaved, "job-failed",
                      what + described(answer.error()) + "; it is tried again");
  else if (answer && failures > 0)
    job->host->log(observability::Severity::kInfo, what + "it works again");
}

void JobScheduler::schedule(const SlotPtr& slot, Clock::time_point due) {
  due_.erase({slot->due, slot});
  slot->due = due;
  if (due != Clock::time_point::max()) due_.emplace(due, slot);
}

JobScheduler::SlotPtr JobScheduler::find(const Job& job, TenantId tenant) const {
  const auto found = slots_.find({job.name, tenant});
  return found == slots_.end() ? nullptr : found->second;
}

}  // namespace toolhost::plugin_runtime
