#pragma once
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace toolhost::app {

/// What a child process may use before it is killed.
struct ChildLimits {
  std::chrono::milliseconds time{30'000};     ///< from its start to its end
  std::chrono::seconds processor{60};         ///< of all its threads
  std::uint64_t memory_bytes = 1ULL << 30;    ///< resident; looked at every 20 ms
  std::uint64_t address_bytes = 16ULL << 30;  ///< what it may map; not with a sanitizer, which maps far more
  std::uint64_t file_bytes = 64ULL << 20;     ///< the largest file that it may write
  std::uint64_t open_files = 1024;
};

/// How a child ended.
struct ChildEnd {
  enum class Cause { kExited, kSignal, kTimeLimit, kProcessorLimit, kMemoryLimit };
  Cause cause = Cause::kExited;
  int code = 0;  ///< kExited: the exit code; kSignal: the signal
  std::chrono::milliseconds took{0};
  std::uint64_t peak_bytes = 0;  ///< resident
  std::string report;            ///< of ChildReport::finish(); empty: it did not come to that
  std::string step;              ///< of the last ChildReport::begin_step()
  std::string errors;            ///< the end of what it wrote to standard error, at most 16 KiB
  unsigned processes_left = 0;   ///< that it had started and that were killed after it
};

/// "signal 11 (Segmentation fault)", "time limit of 30 s", "exit code 3", ...
std::string cause_text(const ChildEnd& end, const ChildLimits& limits);

/// Runs this program again with these arguments and waits for its end: standard input is empty, standard output is
/// dropped, standard error is kept. The child is in a process group of its own and under `limits`, leaves no core file,
/// dies with the calling thread, and what it started dies with it, whatever session it went to. The program finds its
/// ChildReport by the descriptor that is appended to the arguments. One at a time, on the main thread. kUnavailable
/// when no process can be started, kCancelled after interrupt_children().
Result<ChildEnd> run_child(std::vector<std::string> arguments, const ChildLimits& limits);

/// From a signal handler: the running child is killed, and no further one starts.
void interrupt_children() noexcept;

/// Memory that a child shares with run_child(): what it says there survives a crash, an exit and closed descriptors.
class ChildReport {
 public:
  /// Maps and closes the descriptor. kInvalidArgument when it is none of run_child().
  static Result<ChildReport> open(int descriptor);

  /// What it is doing from now on, cut to 1,000 bytes. Any thread.
  void begin_step(std::string_view step) noexcept;
  /// Its whole result, at most 16 MiB; kLimit when it is longer. Once.
  Result<> finish(std::string_view report) noexcept;

 private:
  explicit ChildReport(void* shared) noexcept : shared_(shared) {}
  void* shared_;  // mapped until the process ends: its threads may still write
};

}  // namespace toolhost::app
