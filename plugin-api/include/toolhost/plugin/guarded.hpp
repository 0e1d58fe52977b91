#pragma once
#include <toolhost/plugin/client.hpp>
#include <toolhost/plugin/error.hpp>
#include <toolhost/plugin/services.hpp>
#include <toolhost/plugin/values.hpp>

#include <exception>
#include <string>
#include <utility>

namespace toolhost::detail {

inline void log_failure(th_host* host, th_call* call, const char* what) noexcept {
  services.core->log(host, call, TH_LOG_ERROR, to_th(what), nullptr, 0);
}

/// Runs `body`, which returns a status, and turns whatever it throws into one: no exception reaches the host.
template <class Body>
th_status guarded(th_host* host, th_call* call, Body&& body) noexcept {
  try {
    return body();
#if TH_ABI_TARGET >= 1
  } catch (const Asked&) {
    return TH_E_ASKED;
#endif
  } catch (const SqlError& error) {
    // The client gets the host's text for the status; what the database said is for the log.
    if (error.status() != TH_E_RETRY && error.status() != TH_E_CANCELLED && error.status() != TH_E_TIMEOUT) {
      std::string record;
      try {
        record.append(error.sqlstate()).append(" ").append(error.what()).append(" ").append(error.detail());
      } catch (...) {
      }
      log_failure(host, call, record.c_str());
    }
    return error.status();
  } catch (const Error& error) {
    if (call == nullptr) log_failure(host, call, error.what());
    if (error.status() >= 0) return TH_E_INTERNAL;  // thrown by mistake: an exception is never a success
    if (call == nullptr || error.status() == TH_E_RETRY) return error.status();
    return services.call->fail(call, error.status(), to_th(error.message()));
  } catch (const std::exception& error) {
    log_failure(host, call, error.what());
    return TH_E_INTERNAL;
  } catch (...) {
    log_failure(host, call, "the plugin threw something that is no std::exception");
    return TH_E_INTERNAL;
  }
}

}  // namespace toolhost::detail
