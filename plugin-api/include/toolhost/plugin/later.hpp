#pragma once
#include <toolhost/plugin/call.hpp>
#include <toolhost/plugin/fields.hpp>
#include <toolhost/plugin/guarded.hpp>
#include <toolhost/plugin/services.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#if TH_ABI_TARGET >= 1
/// Results that come after their handler has returned. Needs TH_ABI_TARGET 1.
namespace toolhost {

/// What a tool's method returns whose result comes from the Promise that Call::defer() gave it.
template <class Output>
struct Later {};

/// The result of a deferred call: given once, by any thread, one at a time. A promise that goes away without fails the
/// call with TH_E_INTERNAL. There is no database in a deferred call.
template <class Output>
class Promise {
 public:
  Promise(Promise&& other) noexcept = default;
  Promise& operator=(Promise&&) = delete;
  ~Promise() {
    if (state_ != nullptr) end(TH_E_INTERNAL);
  }

  /// The call, for texts, progress and log records, until the result is given.
  [[nodiscard]] Call& call() noexcept { return state_->call; }
  /// Nobody waits for the result any more; give one all the same.
  [[nodiscard]] bool cancelled() const noexcept { return state_->call.cancelled(); }
  /// `function` is called once when nobody waits any more, on a thread of the host, or here when that is so already.
  /// Before the result is given.
  void on_cancel(std::function<void()> function) {
    state_->on_cancel = std::move(function);
    const auto fire = [](void* context) noexcept {
      auto* const state = static_cast<State*>(context);
      detail::guarded(state->host, nullptr, [&]() -> th_status {
        state->on_cancel();
        return TH_OK;
      });
    };
    detail::check(state_->handle, detail::services.call->on_cancel(state_->handle, fire, state_.get()));
  }

  /// The result. A void one has no argument.
  template <class... Value>
  void resolve(const Value&... value) {
    static_assert(std::is_void_v<Output> ? sizeof...(Value) == 0 : (std::is_same_v<Value, Output> && ...),
                  "resolve() takes the output of the tool");
    end(detail::guarded(state_->host, state_->handle, [&]() -> th_status {
      std::string structured;
      (detail::encode(structured, value), ...);
      if constexpr (sizeof...(Value) > 0)
        detail::check(state_->handle, detail::services.call->structured(state_->handle, to_th(structured)));
      return TH_OK;
    }));
  }
  /// The call fails, with this message for the client. `status` is negative.
  void fail(std::int32_t status, std::string_view message) {
    end(detail::services.call->fail(state_->handle, status, to_th(message)));
  }

 private:
  friend class Call;
  struct State {
    State(th_host* of_host, th_call* of_call) : host(of_host), handle(of_call), call(of_host, of_call) {}
    th_host* host;
    th_call* handle;
    Call call;
    std::function<void()> on_cancel;
  };
  Promise(th_host* host, th_call* call) : state_(std::make_unique<State>(host, call)) {}
  void end(th_status status) noexcept {
    const auto state = std::move(state_);  // lives until on_cancel cannot run any more
    detail::services.call->complete(state->handle, status);
  }
  std::unique_ptr<State> state_;
};

template <class Output>
Promise<Output> Call::defer() {
  if (!TH_HAS(detail::services.call, defer)) throw Error(TH_E_UNSUPPORTED, "this host cannot defer calls");
  Promise<Output> promise(host_, call_);
  const th_status status = detail::services.call->defer(call_);
  if (status != TH_OK) {
    promise.state_.reset();
    check(status);
  }
  is_deferred_ = true;
  return promise;
}

namespace detail {

template <class T>
struct LaterTraits {
  using Output = T;
  static constexpr bool kIsLater = false;
};
template <class T>
struct LaterTraits<Later<T>> {
  using Output = T;
  static constexpr bool kIsLater = true;
};

}  // namespace detail
}  // namespace toolhost
#endif
