#pragma once
#include <cstddef>
#include <memory>
#include <string_view>

namespace toolhost::plugin_runtime {

/// Installs handlers for SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGABRT and a terminate handler that write one line to
/// standard error naming the plugin, tool and request that the dying thread was running, and then let the process die
/// as it would have. Nothing is recovered: after such a fault in foreign code no lock and no heap can be trusted.
/// Idempotent; call it once, early, from the main thread.
///
///   toolhost: fatal SIGSEGV in plugin com.acme.tickets, tool create_ticket, request 01963d2c-...
void install_black_box();

/// While it lives, a fault of the calling thread is attributed to this plugin and tool. The texts are borrowed. Costs a
/// few stores; scopes nest.
class BlackBoxScope {
 public:
  BlackBoxScope(std::string_view plugin, std::string_view tool, std::string_view request_id) noexcept;
  ~BlackBoxScope();
  BlackBoxScope(const BlackBoxScope&) = delete;
  BlackBoxScope& operator=(const BlackBoxScope&) = delete;

 private:
  std::string_view outer_plugin_, outer_tool_, outer_request_id_;
};

/// Gives the calling thread a stack of its own for signal handlers, so that a stack overflow in a handler is reported
/// too. Must be destroyed by the thread that made it.
class SignalStack {
 public:
  SignalStack();
  ~SignalStack();
  SignalStack(const SignalStack&) = delete;
  SignalStack& operator=(const SignalStack&) = delete;

 private:
  static constexpr std::size_t kBytes = 64 * 1024;  // SIGSTKSZ grows with the vector registers of the processor
  std::unique_ptr<std::byte[]> memory_;
};

}  // namespace toolhost::plugin_runtime
