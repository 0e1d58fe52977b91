#include "plugin_runtime/black_box.hpp"

#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <exception>

namespace toolhost::plugin_runtime {
namespace {

struct Running {
  std::string_view plugin, tool, request_id;
};
// Constant-initialised and in the executable, so that reading it in a signal handler neither allocates nor locks.
constinit thread_local Running running_call;

constexpr std::array kFatalSignals{SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
std::array<struct sigaction, NSIG> previous_actions;
std::terminate_handler previous_terminate = nullptr;
std::atomic_flag reported = ATOMIC_FLAG_INIT;

/// A line assembled on the stack: nothing here may allocate or lock.
class Line {
 public:
  Line& operator<<(std::string_view text) noexcept {
    const auto size = std::min(text.size(), sizeof(bytes_) - size_);
    std::memcpy(bytes_ + size_, text.data(), size);
    size_ += size;
    return *this;
  }
  void write() noexcept {
    for (std::size_t done = 0; done < size_;) {
      const auto written = ::write(STDERR_FILENO, bytes_ + done, size_ - done);
      if (written <= 0) return;
      done += static_cast<std::size_t>(written);
    }
  }

 private:
  char bytes_[640];
  std::size_t size_ = 0;
};

const char* name_of(int signal) noexcept {
  switch (signal) {
    case SIGSEGV:
      return "SIGSEGV";
    case SIGBUS:
      return "SIGBUS";
    case SIGFPE:
      return "SIGFPE";
    case SIGILL:
      return "SIGILL";
    case SIGABRT:
      return "SIGABRT";
    default:
      return "signal";
  }
}

void report(const char* cause) noexcept {
  // abort() follows std::terminate(): one death, one line.
  if (reported.test_and_set()) return;
  Line line;
  line << "toolhost: fatal " << cause;
  if (running_call.plugin.empty()) {
    line << " outside of plugins\n";
  } else {
    line << " in plugin " << running_call.plugin << ", tool " << running_call.tool << ", request "
         << running_call.request_id << "\n";
  }
  line.write();
}

void on_fatal_signal(int signal, siginfo_t* info, void*) {
  report(name_of(signal));
  sigaction(signal, &previous_actions[static_cast<std::size_t>(signal)], nullptr);
  // A fault of the processor happens again when the handler returns, now with the previous action. A signal that was
  // sent must be sent again.
  if (info->si_code <= 0) raise(signal);
}

[[noreturn]] void on_terminate() {
  report("exception or std::terminate()");
  if (previous_terminate != nullptr) previous_terminate();
  std::abort();
}

}  // namespace

void install_black_box() {
  static std::atomic_flag installed = ATOMIC_FLAG_INIT;
  if (installed.test_and_set()) return;
  struct sigaction action{};
  action.sa_sigaction = on_fatal_signal;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  for (const int signal : kFatalSignals)
    sigaction(signal, &action, &previous_actions[static_cast<std::size_t>(signal)]);
  previous_terminate = std::set_terminate(on_terminate);
}

BlackBoxScope::BlackBoxScope(std::string_view plugin, std::string_view tool, std::string_view request_id) noexcept
    : outer_plugin_(running_call.plugin), outer_tool_(running_call.tool), outer_request_id_(running_call.request_id) {
  running_call = {plugin, tool, request_id};
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

BlackBoxScope::~BlackBoxScope() {
  running_call = {outer_plugin_, outer_tool_, outer_request_id_};
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

SignalStack::SignalStack() : memory_(std::make_unique<std::byte[]>(kBytes)) {
  stack_t stack{};
  stack.ss_sp = memory_.get();
  stack.ss_size = kBytes;
  sigaltstack(&stack, nullptr);
}

SignalStack::~SignalStack() {
  stack_t stack{};
  stack.ss_flags = SS_DISABLE;
  sigaltstack(&stack, nullptr);
}

}  // namespace toolhost::plugin_runtime
