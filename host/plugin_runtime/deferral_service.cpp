#include "plugin_runtime/service_tables.hpp"

namespace toolhost::plugin_runtime::services {

using State = th_call::Deferred::State;

// ---- of toolhost.call/1

th_status call_defer(th_call* call) noexcept {
  if (!answers(call)) return TH_E_MISUSE;
  if (call->is_deferred) return fail_with(*call, TH_E_MISUSE, "the call is deferred already");
  if (call->start.deferral == nullptr)
    return fail_with(*call, TH_E_MISUSE,
                     "a tool that declares TH_TOOL_NONBLOCKING ends with its handler; declare it without the flag");
  if (call->used_database)
    return fail_with(*call, TH_E_MISUSE,
                     "the handler has used the database, whose connection belongs to its thread; a tool that defers "
                     "does without");
  return call->start.deferral->defer(*call);
}

th_status call_complete(th_call* call, th_status status) noexcept {
  if (call == nullptr) return TH_E_MISUSE;
  auto& deferred = call->deferred;
  std::unique_lock lock(deferred.mutex);
  if (deferred.state == State::kNot) return TH_E_MISUSE;
  if (deferred.state == State::kEnded) {
    lock.unlock();
    call->start.host->report(observability::PluginIncident::kMisbehaved, "completed-twice",
                             "complete() was called again for a call that it had ended; call it exactly once, and "
                             "return TH_PENDING from the handler that deferred it");
    return TH_E_MISUSE;
  }
  const bool is_awaited = deferred.state == State::kOpen;
  deferred.state = State::kEnded;
  deferred.changed.wait(
      lock, [&] { return deferred.firing == std::thread::id() || deferred.firing == std::this_thread::get_id(); });
  const auto ended = std::exchange(deferred.call, nullptr);
  lock.unlock();
  ended->complete(*call, status, is_awaited);
  return TH_OK;
}

th_status call_on_cancel(th_call* call, th_fn function, void* context) noexcept {
  if (call == nullptr || function == nullptr) return TH_E_MISUSE;
  auto& deferred = call->deferred;
  std::unique_lock lock(deferred.mutex);
  const bool is_deferred = deferred.state == State::kOpen || deferred.state == State::kDisowned;
  if (!is_deferred || deferred.on_cancel != nullptr) return TH_E_MISUSE;
  deferred.on_cancel = function;
  deferred.context = context;
  if (!call->is_cancelled()) return TH_OK;
  deferred.has_fired = true;
  call->fire(lock);
  return TH_OK;
}

}  // namespace toolhost::plugin_runtime::services
