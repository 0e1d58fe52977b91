#include "plugin_runtime/tool_runner.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <random>
#include <thread>
#include <tuple>
#include <utility>

#include "base/json_writer.hpp"
#include "plugin_runtime/black_box.hpp"
#include "plugin_runtime/call_result.hpp"
#include "plugin_runtime/tool_runner_parts.hpp"

namespace toolhost::plugin_runtime {
namespace {

using std::chrono::milliseconds;

constexpr unsigned kMaxAttempts = 3;
constexpr milliseconds kInlineLimit{5};
constexpr int kObservedCalls = 1'000;
// A cancel that reaches PostgreSQL between two statements stops neither: it is sent again until the handler has
// returned.
constexpr milliseconds kCancelInterval{100};

constexpr std::string_view kStoppingText =
    "The server is shutting down. Nothing was saved. Try again in a few seconds.";
constexpr std::string_view kQuarantinedText =
    "The plugin of this tool has stopped answering and is out of service until its calls return. Nothing was saved. "
    "Tell "
    "the operator if this lasts.";
constexpr std::string_view kCancelledText = "The call was cancelled before it began. Nothing was saved.";
constexpr std::string_view kNoThreadText =
    "The server is short of threads and cannot run the tool. Nothing was saved. Try again in a few seconds, and tell "
    "the "
    "operator if this lasts.";
constexpr std::string_view kStateUsedText =
    "This confirmation was used before. Nothing was saved. Look at the current state before you begin anew.";
constexpr std::string_view kGivenUpText =
    "The connection to this server was taken for lost, and the client was told so. Nothing was saved. Call again.";
constexpr std::string_view kBusyText =
    "The tool is busy: too many calls are waiting for it. Nothing was saved. Try again in a few seconds.";

/// The handler runs foreign code that may break rule R5 of plugin.h. An exception that leaves it fails its call and no
/// other, as far as that can be had: a plugin that brings its own C++ runtime ends the process instead, with the black
/// box naming it.
th_status call_handler(void* instance, const ToolBinding& binding, th_call& frame) noexcept {
  try {
    return binding.handle(instance, binding.user, &frame);
  } catch (const std::exception& error) {
    // One that was deferred may be another thread's by now.
    if (!frame.is_deferred) frame.failure_message = error.what();
  } catch (...) {
    if (!frame.is_deferred) frame.failure_message = "not a std::exception";
  }
  if (!frame.is_deferred) frame.threw = true;
  return TH_E_INTERNAL;
}

Deadline earlier(Deadline a, Deadline b) {
  return a.at() < b.at() ? a : b;
}

milliseconds back_off(unsigned attempt) {
  thread_local std::minstd_rand random{std::random_device{}()};
  const unsigned longest = 10U << attempt;
  return milliseconds(std::uniform_int_distribution<unsigned>(longest / 2, longest)(random));
}

/// Assistants send null for what they do not give. Takes out of the arguments each null that the schema refuses; true
/// when there was one. The handler then sees no such member.
bool drop_refused_nulls(ToolCall& call) {
  const auto pointer_to = [](std::string_view name) {
    std::string pointer = "/";
    for (const char c : name) pointer += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
    return pointer;
  };
  const json::Object members(call.arguments);
  const auto is_null = [](const auto& member) { return member.value.is_null(); };
  if (std::none_of(members.begin(), members.end(), is_null)) return false;
  const auto violations = call.tool->input_schema.violations(call.arguments, std::size_t{64});
  std::string kept;
  JsonWriter json(kept);
  json.begin_object();
  bool has_changed = false;
  for (const auto& [name, value] : members) {
    const bool is_refused =
        value.is_null() &&
        std::any_of(violations.begin(), violations.end(), [path = pointer_to(name)](const auto& one) {
          return one.path == path && one.keyword != "additionalProperties";
        });
    has_changed = has_changed || is_refused;
    if (!is_refused) json.key(name).raw(json::to_text(value));
  }
  json.end_object();
  if (!has_changed) return false;
  auto document = json::acquire_document();
  const auto parsed = document->parse(kept);
  if (!parsed) return false;
  call.arguments = *parsed;
  call.document = std::move(document);
  return true;
}

/// What a thread has used so far, to tell a handler that blocks from a thread that the kernel set aside.
struct ThreadUse {
  std::chrono::microseconds processor;
  long waits;

  static ThreadUse now() noexcept {
    rusage use{};
    getrusage(RUSAGE_THREAD, &use);
    const auto us = [](const timeval& time) {
      return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
    };
    return {us(use.ru_utime) + us(use.ru_stime), use.ru_nvcsw};
  }
};

}  // namespace

ToolRunner::ToolRunner(th_host& host, Watchdog& watchdog, Config config)
    : host_(host),
      watchdog_(watchdog),
      config_(std::move(config)),
      queue_({.waiting_of_tenant = config_.max_queued_calls,
              .waiting = config_.max_queued_calls * kTenantsInQueue,
              .running_of_tenant = std::max<std::size_t>(std::size_t{config_.workers} * 3 / 4, 1)}) {
  host_.set_executor(executor_);
}

ToolRunner::~ToolRunner() = default;

void ToolRunner::start(void* instance, std::weak_ptr<void> keep_alive) {
  instance_ = instance;
  keep_alive_ = std::move(keep_alive);
  watchdog_.watch(*this);
}

void ToolRunner::run(ToolCallPtr call, ToolBinding& binding) {
  const auto& tool = *call->tool;
  if (!tool.input_schema.accepts(call->arguments)) {
    const bool has_changed = drop_refused_nulls(*call);
    if (!has_changed || !tool.input_schema.accepts(call->arguments))
      return std::exchange(call->on_done, nullptr)(*call, invalid_arguments(tool, call->arguments));
  }
  // After a question whichever thread brought the answer is here, perhaps one that others wait for.
  if (call->answers.round == 0 && binding.runs_inline.load(std::memory_order_relaxed)) return run_inline(call, binding);
  enqueue(std::move(call), binding);
}

void ToolRunner::run_inline(ToolCallPtr& call, ToolBinding& binding) {
  // Announced before stopping_ is read, so that stop() either sees this call or this call sees stop().
  inline_calls_.fetch_add(1);
  if (stopping_.load()) {
    inline_calls_.fetch_sub(1);
    if (config_.hand_over && config_.hand_over(call)) return;
    return std::exchange(call->on_done, nullptr)(*call, refusal(Outcome::kUnavailable, kStoppingText));
  }
  thread_local th_call frame;
  frame.enter({.host = &host_,
               .call = call.get(),
               .deadline = earlier(call->deadline, Deadline::after(call->tool->timeout)),
               .max_result_bytes = std::min(config_.max_result_bytes, call->max_result_bytes)});
  const auto status = call_inline(*call, frame, binding);
  frame.flush_progress();
  frame.leave();
  auto judgement = judge(frame, status);
  report_broken_rule(*call, judgement);
  if (judgement.verdict == Judgement::Verdict::kCommit) announce_updates(frame);
  inline_calls_.fetch_sub(1);
  hide_secrets(judgement.result);
  // Taken out first: it may set the call up for another run.
  const auto on_done = std::exchange(call->on_done, nullptr);
  on_done(*call, std::move(judgement.result));
}

th_status ToolRunner::call_inline(ToolCall& call, th_call& frame, ToolBinding& binding) {
  const BlackBoxScope scope(host_.plugin(), call.tool->name, call.request_id);
  const bool observed = binding.observed_calls.load(std::memory_order_relaxed) > 0;
  const auto before = observed ? ThreadUse::now() : ThreadUse{};
  const auto began = Clock::now();
  const auto status = call_handler(instance_, binding, frame);
  const auto took = Clock::now() - began;
  call.in_handler = std::chrono::duration_cast<std::chrono::microseconds>(took);
  if (took <= kInlineLimit) {
    if (observed) binding.observed_calls.fetch_sub(1, std::memory_order_relaxed);
    return status;
  }
  // On a loaded machine the kernel may set any thread aside for that long. So a first overstay only has the next ones
  // measured: the handler is to blame when it waited, or used the processor all the time.
  if (!observed) {
    binding.observed_calls.store(kObservedCalls, std::memory_order_relaxed);
    return status;
  }
  const auto after = ThreadUse::now();
  if (after.waits == before.waits && after.processor - before.processor < kInlineLimit) return status;
  if (binding.runs_inline.exchange(false))
    host_.report(observability::PluginIncident::kMisbehaved, "nonblocking-overstay",
                 "tool " + call.tool->name + " declares that it never blocks, but took " +
                     std::to_string(std::chrono::duration_cast<milliseconds>(took).count()) +
                     " ms; it runs on the workers from now on. Drop the flag TH_TOOL_NONBLOCKING");
  return status;
}

void ToolRunner::enqueue(ToolCallPtr call, ToolBinding& binding) {
  const auto job =
      std::make_shared<Job>(*this, call, binding, earlier(call->deadline, Deadline::after(call->tool->timeout)));
  {
    const std::lock_guard lock(call->cancel_mutex);
    // Two words, so that the function object does not allocate. finish() takes it away before the job can go.
    call->on_cancel = [job = job.get()] { job->runner.watchdog_.wake_by(Clock::time_point::min()); };
  }
  bool wake = false;
  const auto refused = [&] {
    const std::lock_guard lock(mutex_);
    return line_up(job, wake);
  }();
  switch (refused) {
    case Refusal::kNone:
      break;
    case Refusal::kStopping: {
      {
        const std::lock_guard lock(call->cancel_mutex);
        call->on_cancel = nullptr;
      }
      if (config_.hand_over && config_.hand_over(call)) return;
      return finish(*job, refusal(Outcome::kUnavailable, kStoppingText));
    }
    case Refusal::kQuarantined:
      return finish(*job, refusal(Outcome::kUnavailable, kQuarantinedText));
    case Refusal::kTenantBusy:
      return finish(*job, refusal(Outcome::kLimit, kBusyText, "the tenant's queue at the plugin is full"));
    case Refusal::kBusy:
      return finish(*job, refusal(Outcome::kLimit, kBusyText, "the queue of the plugin is full"));
    case Refusal::kNoThread:
      return finish(*job, refusal(Outcome::kUnavailable, kNoThreadText, "no worker thread could be started"));
  }
  if (wake) work_.notify_one();
  // A cancel from before on_cancel was set has called nothing.
  watchdog_.wake_by(call->cancelled.load() ? Clock::time_point::min() : job->deadline.at());
}

/// With mutex_ held. Lets the job wait for a worker, or first for its turn at the tool's gate.
ToolRunner::Refusal ToolRunner::line_up(const JobPtr& job, bool& wake) {
  if (stopping_.load()) return Refusal::kStopping;
  if (quarantined_.load()) return Refusal::kQuarantined;
  const auto tenant = job->call->caller->tenant_id;
  if (const auto refused = room_for(tenant); refused != Refusal::kNone) return refused;
  auto item = job;
  Gate* const gate = job->binding.max_concurrency > 0 ? &gate_of(job->binding) : nullptr;
  const auto pushed = gate != nullptr ? gate->outside.push(tenant, item) : queue_.push(tenant, item);
  if (pushed == Queue::Pushed::kTenantIsFull) return Refusal::kTenantBusy;
  if (pushed == Queue::Pushed::kFull) return Refusal::kBusy;
  if (gate != nullptr) open(*gate);
  if (pushed == Queue::Pushed::kNotReady || rouse_workers(&wake)) return Refusal::kNone;
  const auto is_it = [&](const JobPtr& queued) { return queued == job; };
  queue_.remove_if(is_it);
  if (gate != nullptr) gate->outside.remove_if(is_it);
  leave_gate(*job);
  return Refusal::kNoThread;
}

/// With mutex_ held. What waits at gates counts with what waits for workers.
ToolRunner::Refusal ToolRunner::room_for(TenantId tenant) const {
  if (gates_.empty()) return Refusal::kNone;  // the queue sees to it
  std::size_t of_tenant = queue_.waiting_of(tenant);
  for (const auto& [binding, gate] : gates_) of_tenant += gate.outside.waiting_of(tenant);
  if (of_tenant > 0 && waiting() >= config_.max_queued_calls * kTenantsInQueue) return Refusal::kBusy;
  return of_tenant >= config_.max_queued_calls ? Refusal::kTenantBusy : Refusal::kNone;
}

ToolRunner::Gate& ToolRunner::gate_of(const ToolBinding& binding) {
  return gates_.try_emplace(&binding, binding.max_concurrency, config_.max_queued_calls).first->second;
}

/// With mutex_ held. Lets through whose turn it is.
void ToolRunner::open(Gate& gate) {
  while (gate.inside < gate.limit && gate.outside.ready() > 0) {
    auto [job, tenant] = gate.outside.pop();
    ++gate.inside;
    job->gate_tenant = tenant;
    const auto id = job->call->caller->tenant_id;
    queue_.push_accepted(id, job);
  }
}

/// With mutex_ held. The next one of the tool may then be ready for a worker.
void ToolRunner::leave_gate(Job& job) {
  auto* const tenant = std::exchange(job.gate_tenant, nullptr);
  if (tenant == nullptr) return;
  auto& gate = gate_of(job.binding);
  gate.outside.release(*tenant);
  --gate.inside;
  open(gate);
}

/// With mutex_ held. Wakes or starts a worker for what is ready; false when there is none and none can be had. With
/// `wake` the caller wakes one, without the lock.
bool ToolRunner::rouse_workers(bool* wake) {
  if (queue_.ready() == 0) return true;
  if (wake != nullptr)
    *wake = sleeping_ > 0;
  else if (sleeping_ > 0)
    work_.notify_one();
  const bool needs_worker = queue_.ready() > sleeping_ && workers_.size() < config_.workers;
  return !needs_worker || start_worker() || !workers_.empty();
}

/// With mutex_ held. False when the system has no thread left to give.
bool ToolRunner::start_worker() {
  const auto worker = std::make_shared<Worker>();
  worker->keep_alive = keep_alive_.lock();
  if (!config_.conninfo.empty()) worker->database = storage::TenantConnection::create({.conninfo = config_.conninfo});
  try {
    worker->thread = std::thread([this, worker] { work(worker); });
  } catch (const std::system_error&) {
    return false;
  }
  workers_.push_back(worker);
  return true;
}

void ToolRunner::work(const WorkerPtr& worker) {
  const SignalStack signal_stack;
  while (const auto job = next_job(*worker)) {
    if (!job->advance(Job::Phase::kQueued, Job::Phase::kRunning)) continue;
    job->call->queued = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - job->enqueued);
    {
      const std::lock_guard lock(worker->mutex);
      worker->job = job;
      worker->last_cancel = {};
      // The last use of the watchdog by this thread, and before the job can be seen as running: a thread that is lost
      // may outlive the watchdog.
      watchdog_.wake_by(job->deadline.at());
    }
    execute(*worker, *job);
    // Never both locks in this order: stop() looks at the workers with mutex_ held.
    bool lost = false;
    {
      const std::lock_guard lock(worker->mutex);
      worker->job = nullptr;
      lost = worker->lost;
    }
    if (!lost) continue;
    // Its place was given away when it overstayed; now it is no loss any more, and the plugin answers again.
    const std::lock_guard lock(mutex_);
    if (--lost_ == 0) quarantined_.store(false);
    if (const auto gated = std::exchange(worker->gated, nullptr)) leave_gate(*gated);
    if (!ending_) rouse_workers();
    return;
  }
}

/// Gives back what the worker had. What became ready by that, it takes itself: nobody need be woken for it.
ToolRunner::JobPtr ToolRunner::next_job(Worker& worker) {
  std::unique_lock lock(mutex_);
  if (auto* const tenant = std::exchange(worker.tenant, nullptr)) queue_.release(*tenant);
  if (const auto gated = std::exchange(worker.gated, nullptr)) leave_gate(*gated);
  // Its tenant and its gate may each have made one ready.
  if (queue_.ready() > 1 && !ending_) rouse_workers();
  ++sleeping_;
  if (is_idle()) idle_.notify_all();
  work_.wait(lock, [this] { return ending_ || queue_.ready() > 0; });
  --sleeping_;
  if (queue_.ready() == 0) return nullptr;
  JobPtr job;
  std::tie(job, worker.tenant) = queue_.pop();
  if (job->gate_tenant != nullptr) worker.gated = job;
  return job;
}

void ToolRunner::execute(Worker& worker, Job& job) {
  auto& frame = *worker.frame;
  const auto& call = *job.call;
  if (call.cancelled.load()) return finish(job, refusal(Outcome::kCancelled, kCancelledText));
  if (job.deadline.has_passed()) return finish(job, timed_out(call, false));
  Clock::duration in_handler{0}, in_database{0};
  for (unsigned attempt = 0;; ++attempt) {
    frame.enter({.host = &host_,
                 .call = &call,
                 .attempt = attempt,
                 .deadline = job.deadline,
                 .deadline_passed = &job.deadline_passed,
                 .database = call.tool->non_blocking ? nullptr : worker.database.get(),
                 .max_result_bytes =
                     std::min(call.max_result_bytes, job.binding.max_result_bytes > 0 ? job.binding.max_result_bytes
                                                                                      : config_.max_result_bytes),
                 .deferral = &job});
    th_status status = TH_OK;
    {
      const BlackBoxScope scope(host_.plugin(), call.tool->name, call.request_id);
      job.began = Clock::now();
      status = call_handler(instance_, job.binding, frame);
      in_handler += Clock::now() - job.began;
    }
    if (frame.is_deferred) return leave_deferred(worker, status);
    frame.flush_progress();
    frame.leave();
    if (job.phase.load() == Job::Phase::kEnded) {
      // The call was answered without this handler, perhaps long ago. Nothing of it may be saved.
      if (frame.in_transaction) worker.database->rollback();
      return;
    }
    auto judgement = judge(frame, status);
    const auto ended = Clock::now();
    if (judgement.verdict == Judgement::Verdict::kCommit)
      commit(worker, job, judgement);
    else if (frame.in_transaction)
      worker.database->rollback();
    in_database += frame.in_database + (Clock::now() - ended);
    report_broken_rule(call, judgement);
    if (judgement.verdict == Judgement::Verdict::kCommit && !judgement.result.is_error) announce_updates(frame);
    const bool has_written =
        frame.committed || (frame.in_transaction && judgement.verdict == Judgement::Verdict::kCommit);
    if (has_written && !frame.reads_only() && config_.writes) config_.writes->on_written(call);

    const auto pause = back_off(attempt);
    const bool rerun = judgement.verdict == Judgement::Verdict::kRerun && attempt + 1 < kMaxAttempts &&
                       !call.cancelled.load() && job.deadline.left() > pause && job.phase.load() != Job::Phase::kEnded;
    if (!rerun) {
      if (!job.end()) return;
      job.call->in_handler = std::chrono::duration_cast<std::chrono::microseconds>(in_handler);
      job.call->in_database = std::chrono::duration_cast<std::chrono::microseconds>(in_database);
      return deliver(job, std::move(judgement.result));
    }
    std::this_thread::sleep_for(pause);
  }
}

/// Commits, unless the watchdog has answered the call already: then the caller was told that it failed, and nothing may
/// be saved.
void ToolRunner::commit(Worker& worker, Job& job, Judgement& judgement) {
  const bool may_commit = job.advance(Job::Phase::kRunning, Job::Phase::kCommitting);
  if (!worker.frame->in_transaction) return;
  if (!may_commit) return worker.database->rollback();
  if (!worker.frame->reads_only() && !keep_with_commit(worker, job, judgement)) {
    worker.database->rollback();
    static_cast<void>(job.advance(Job::Phase::kCommitting, Job::Phase::kRunning));
    return;
  }
  if (const auto done = worker.database->commit(); !done) {
    judgement = judge_commit_failure(*worker.frame, done.error(), worker.database->last_sqlstate());
    // Refused only when the watchdog has ended the job; execute() sees that.
    static_cast<void>(job.advance(Job::Phase::kCommitting, Job::Phase::kRunning));
  }
}

/// Adds to the open transaction what must be saved if and only if the call's effect is: that its ToolCall::used_state
/// was used, and its answer, when the client may come back for it. False: it must be rolled back; `judgement` says why.
bool ToolRunner::keep_with_commit(Worker& worker, Job& job, Judgement& judgement) {
  using storage::Finish;
  using storage::SqlValue;
  auto& database = *worker.database;
  const auto& call = *job.call;
  const auto refused = [&](const Error& error, Outcome outcome, std::string_view text) {
    if (error.code == Errc::kConflict)
      judgement = {.verdict = Judgement::Verdict::kRollback, .result = refusal(outcome, text, error.message)};
    else
      judgement = judge_commit_failure(*worker.frame, error, database.last_sqlstate());
    return false;
  };
  if (!call.used_state.empty()) {
    const auto expires = std::chrono::duration_cast<std::chrono::seconds>(call.used_state_expires.time_since_epoch());
    const std::array parameters{SqlValue{.type = SqlValue::Type::kBytes, .text = call.used_state},
                                SqlValue{.type = SqlValue::Type::kInteger, .integer = expires.count()}};
    const auto used = database.query("select toolhost.use_state($1::bytea, $2::bigint)", parameters, Finish::kKeepOpen);
    if (!used) return refused(used.error(), Outcome::kStateUsed, kStateUsedText);
  }
  const auto kept = call.client ? call.client->settle() : std::nullopt;
  if (!kept) return true;
  const auto message = call.client->encode(judgement.result);
  const std::array parameters{SqlValue{.type = SqlValue::Type::kText, .text = kept->stream},
                              SqlValue{.type = SqlValue::Type::kInteger, .integer = kept->key},
                              SqlValue{.type = SqlValue::Type::kInteger, .integer = kept->expires},
                              SqlValue{.type = SqlValue::Type::kText, .text = message}};
  const auto done = database.query("select toolhost.keep_answer($1::text::uuid, $2::bigint, $3::bigint, $4::text)",
                                   parameters, Finish::kCommit);
  // What a statement marked TH_DB_LAST has saved stays saved, whatever becomes of the answer.
  if (!done && !worker.frame->committed) return refused(done.error(), Outcome::kUnavailable, kGivenUpText);
  judgement.result.is_kept = done.has_value();
  return true;
}

void ToolRunner::announce_updates(const th_call& frame) {
  for (const auto& uri : frame.updated) host_.announce(uri, frame.start.call->caller->tenant_id);
}

void ToolRunner::report_broken_rule(const ToolCall& call, const Judgement& judgement) {
  if (judgement.broken_rule == nullptr) return;
  host_.report(observability::PluginIncident::kMisbehaved, judgement.broken_rule,
               "tool " + call.tool->name + " of " + config_.file + ", request " + call.request_id + ": " +
                   judgement.result.detail);
}

/// What goes to the log.
void ToolRunner::hide_secrets(ToolResult& result) const {
  const auto& secrets = host_.secrets();
  if (!secrets.empty() && !result.detail.empty()) result.detail = secrets.redacted(result.detail);
}

void ToolRunner::finish(Job& job, ToolResult&& result) {
  if (job.end()) deliver(job, std::move(result));
}

/// Only for whoever ended the job.
void ToolRunner::deliver(Job& job, ToolResult&& result) {
  auto& call = *job.call;
  {
    const std::lock_guard lock(call.cancel_mutex);
    call.on_cancel = nullptr;
  }
  job.runner.hide_secrets(result);
  // Taken out first: what it holds is released with it, however the call is shared.
  const auto on_done = std::exchange(call.on_done, nullptr);
  on_done(call, std::move(result));
}

ToolRunner::Clock::time_point ToolRunner::sweep(Clock::time_point now) {
  auto next = sweep_queue(now);
  std::vector<WorkerPtr> workers;
  {
    const std::lock_guard lock(mutex_);
    workers = workers_;
  }
  for (const auto& worker : workers) next = std::min(next, sweep_worker(worker, now));
  next = std::min(next, sweep_deferred(now));
  return next;
}

ToolRunner::Clock::time_point ToolRunner::sweep_queue(Clock::time_point now) {
  auto next = Clock::time_point::max();
  std::vector<JobPtr> ended;
  {
    const std::lock_guard lock(mutex_);
    const auto leaves = [&](const JobPtr& job) {
      if (job->call->cancelled.load() || job->deadline.at() <= now) {
        ended.push_back(job);
        return true;
      }
      next = std::min(next, job->deadline.at());
      return false;
    };
    queue_.remove_if(leaves);
    for (auto& [binding, gate] : gates_) gate.outside.remove_if(leaves);
    for (const auto& job : ended) leave_gate(*job);
    if (!ended.empty() && !ending_) rouse_workers();
  }
  for (const auto& job : ended)
    finish(*job,
           job->call->cancelled.load() ? refusal(Outcome::kCancelled, kCancelledText) : timed_out(*job->call, false));
  return next;
}

ToolRunner::Clock::time_point ToolRunner::sweep_worker(const WorkerPtr& worker, Clock::time_point now) {
  JobPtr job;
  bool is_answered = false;
  th_call* frame = nullptr;
  {
    const std::lock_guard lock(worker->mutex);
    if (worker->job == nullptr || worker->lost) return Clock::time_point::max();
    job = worker->job;
    // What a handler said last before something long.
    if (job->phase.load() == Job::Phase::kRunning) worker->frame->flush_progress();
    const bool passed = job->deadline.at() <= now;
    if (passed) job->deadline_passed.store(true, std::memory_order_relaxed);
    if (!passed && !job->call->cancelled.load()) return job->deadline.at();
    const auto lost_at = job->deadline.at() + config_.lost_worker_grace;
    if (now < lost_at) {
      if (worker->database && job->phase.load() == Job::Phase::kRunning &&
          now - worker->last_cancel >= kCancelInterval) {
        worker->database->cancel();
        worker->last_cancel = now;
      }
      return std::min(now + kCancelInterval, passed ? lost_at : job->deadline.at());
    }
    is_answered = !job->end();
    // A deferred call may have been completed while its handler goes on.
    if (is_answered && !job->is_deferred.load()) return now + kCancelInterval;
    worker->lost = true;
    frame = worker->frame.get();
  }
  disown(*frame, *job);
  if (!is_answered) deliver(*job, timed_out(*job->call, true));
  give_up(worker, *job);
  return now;
}

/// Takes a worker whose handler does not return out of the pool. Its thread cannot be ended; it is left to itself.
void ToolRunner::give_up(const WorkerPtr& worker, const Job& job) {
  bool quarantine = false;
  {
    const std::lock_guard lock(mutex_);
    worker->thread.detach();
    std::erase(workers_, worker);
    if (auto* const tenant = std::exchange(worker->tenant, nullptr)) queue_.release(*tenant);
    ++lost_;
    if (lost_ >= static_cast<int>(config_.max_lost_workers) && !ending_) quarantine = !quarantined_.exchange(true);
    if (!quarantined_.load() && queue_.ready() > 0 && !ending_ && !start_worker()) work_.notify_one();
    if (is_idle()) idle_.notify_all();
  }
  host_.report(observability::PluginIncident::kLostWorker, "overstay",
               "tool " + job.call->tool->name + ", request " + job.call->request_id +
                   ": the handler did not return within " + std::to_string(config_.lost_worker_grace.count()) +
                   " ms after its deadline; its thread is lost and was replaced");
  if (!quarantine) return;
  host_.report(observability::PluginIncident::kLostWorker, "quarantined",
               std::to_string(config_.max_lost_workers) +
                   " threads are lost in its handlers: the plugin gets no more calls until they have returned");
  answer_queued(Outcome::kUnavailable, kQuarantinedText);
}

void ToolRunner::answer_queued(Outcome outcome, std::string_view text) {
  std::vector<JobPtr> jobs;
  {
    const std::lock_guard lock(mutex_);
    for (auto& [binding, gate] : gates_) {
      auto outside = gate.outside.take_all();
      jobs.insert(jobs.end(), outside.begin(), outside.end());
    }
    for (auto& job : queue_.take_all()) jobs.push_back(std::move(job));
    for (const auto& job : jobs) leave_gate(*job);
  }
  for (const auto& job : jobs) finish(*job, refusal(outcome, text));
}

int ToolRunner::lost_workers() {
  const std::lock_guard lock(mutex_);
  return lost_;
}

/// With mutex_ held.
bool ToolRunner::is_idle() const noexcept {
  return waiting() == 0 && sleeping_ == workers_.size() && open_deferred_ == 0;
}

/// With mutex_ held. Calls that wait for a worker, or at a gate.
std::size_t ToolRunner::waiting() const noexcept {
  std::size_t count = queue_.waiting();
  for (const auto& [binding, gate] : gates_) count += gate.outside.waiting();
  return count;
}

PluginLoad ToolRunner::load() {
  const std::lock_guard lock(mutex_);
  return {.id = {},
          .queued = waiting(),
          .running = workers_.size() - sleeping_ + inline_calls_.load(std::memory_order_relaxed),
          .deferred = open_deferred_,
          .workers = workers_.size(),
          .max_workers = config_.workers,
          .lost_workers = static_cast<std::size_t>(std::max(lost_, 0))};
}

void ToolRunner::hasten(milliseconds drain) {
  const std::lock_guard lock(mutex_);
  drained_by_ = std::min(drained_by_, Clock::now() + drain);
  idle_.notify_all();
}

bool ToolRunner::stop(milliseconds drain) {
  std::unique_lock lock(mutex_);
  stopping_.store(true);
  drained_by_ = std::min(drained_by_, Clock::now() + drain);
  while (!is_idle() && Clock::now() < drained_by_) idle_.wait_until(lock, drained_by_);
  lock.unlock();

  answer_queued(Outcome::kUnavailable, kStoppingText);
  executor_.close();
  const auto running = [this] {
    std::vector<std::pair<WorkerPtr, JobPtr>> found;
    const std::lock_guard guard(mutex_);
    for (const auto& worker : workers_) {
      const std::lock_guard of_worker(worker->mutex);
      if (worker->job != nullptr) found.emplace_back(worker, worker->job);
    }
    return found;
  };
  for (const auto& [worker, job] : running()) job->call->cancel();
  for (const auto& [frame, job] : open_deferred()) job->call->cancel();
  const auto given_up_at = Clock::now() + config_.lost_worker_grace;
  lock.lock();
  idle_.wait_until(lock, given_up_at, [this] { return is_idle(); });
  lock.unlock();
  for (const auto& [worker, job] : running()) {
    th_call* frame = nullptr;
    bool is_answered = false;
    {
      const std::lock_guard guard(worker->mutex);
      if (worker->job != job || worker->lost) continue;
      is_answered = !job->end();
      if (is_answered && !job->is_deferred.load()) continue;
      worker->lost = true;
      frame = worker->frame.get();
    }
    disown(*frame, *job);
    if (!is_answered) deliver(*job, timed_out(*job->call, true));
    give_up(worker, *job);
  }
  for (const auto& [frame, job] : open_deferred()) give_up(*frame, *job);
  // An inline handler holds a thread of the caller; it has its 5 ms, and the grace that the others had.
  while (inline_calls_.load() > 0 && Clock::now() < given_up_at) std::this_thread::sleep_for(milliseconds(1));

  watchdog_.forget(*this);
  std::vector<WorkerPtr> workers;
  lock.lock();
  ending_ = true;
  workers.swap(workers_);
  lock.unlock();
  work_.notify_all();
  for (const auto& worker : workers) worker->thread.join();
  const bool have_returned = executor_.stop(config_.lost_worker_grace);
  lock.lock();
  return have_returned && lost_ == 0 && inline_calls_.load() == 0;
}

}  // namespace toolhost::plugin_runtime
