#include <toolhost/plugin.hpp>

#include <chrono>
#include <thread>

/// Handlers that take their time.
struct Slow {
  struct Duration {
    std::int64_t ms = 0;
  };
  /// Stops soon after nobody waits any more.
  void sleep(toolhost::Call& call, const Duration& in) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(in.ms);
    while (std::chrono::steady_clock::now() < end) {
      if (call.cancelled()) throw toolhost::Error(TH_E_CANCELLED, "cancelled");
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    call.text("slept");
  }
  /// Does not care who waits.
  void spin(toolhost::Call& call, const Duration& in) {
    std::this_thread::sleep_for(std::chrono::milliseconds(in.ms));
    call.text("spun");
  }
  /// Declares that it never blocks, and does.
  void stall(toolhost::Call& call, const Duration& in) { spin(call, in); }
};
TH_FIELDS(Slow::Duration, field("ms", &Slow::Duration::ms, "Milliseconds").range(0, 60000))

TH_PLUGIN(
    Slow, "slow", "Slow", "1.0.0", tool<&Slow::sleep>("sleep").description("Sleeps until cancelled.").read_only(),
    tool<&Slow::spin>("spin").description("Sleeps and ignores being cancelled.").read_only(),
    tool<&Slow::stall>("stall").description("Blocks the thread that the call arrived on.").read_only().non_blocking())
