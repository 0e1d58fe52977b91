// What happens when a host maps the file and enters it, before there is an instance.
#include <time.h>

#include <filesystem>

#include "app/plugin_check/check.hpp"
#include "app/plugin_check/loaded_plugin.hpp"

namespace toolhost::app {
namespace {

using namespace std::chrono_literals;

// A host loads its plugins one after the other before it answers anybody.
constexpr auto kMaxProcessorTime = 100ms;
constexpr auto kMaxTime = 1'000ms;  // the machine may be busy with others

std::chrono::nanoseconds processor_time() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

std::string in_ms(std::chrono::nanoseconds time) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(time).count()) + " ms";
}

std::size_t thread_count() {
  std::error_code error;
  std::size_t count = 0;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task", error)) {
    static_cast<void>(thread);
    ++count;
  }
  return count;
}

}  // namespace

Finding check_load_now(const CheckJob& job, ChildReport& report) {
  const auto file = checked_file(job);
  if (!file) return skipped(file.error().message);
  const auto image = map_plugin(job, *file, report);
  return image ? passed() : failed(image.error().message);
}

Finding check_load_time(const CheckJob& job, ChildReport& report) {
  const auto file = checked_file(job);
  if (!file) return skipped(file.error().message);
  const auto used_before = processor_time();
  const auto began = std::chrono::steady_clock::now();
  const auto image = map_plugin(job, *file, report);
  if (!image) return skipped(image.error().message);
  const auto entered = enter_plugin(**image, *file, report);
  const auto took = std::chrono::steady_clock::now() - began;
  const auto used = processor_time() - used_before;
  if (!entered) return skipped(entered.error().message);
  if (took > kMaxTime)
    return failed("loading and the entry point took " + in_ms(took) + "; at most " + in_ms(kMaxTime));
  if (used > kMaxProcessorTime)
    return failed("loading and the entry point used the processor for " + in_ms(used) + "; at most " +
                  in_ms(kMaxProcessorTime));
  return passed(in_ms(took));
}

Finding check_threads_at_load(const CheckJob& job, ChildReport& report) {
  const auto before = thread_count();
  const auto entered = load_and_enter(job, report);
  if (!entered) return skipped(entered.error().message);
  const auto after = thread_count();
  if (after > before) return failed("it started " + std::to_string(after - before) + " threads before create()");
  return passed();
}

Finding check_entry(const CheckJob& job, ChildReport& report) {
  const auto entered = load_and_enter(job, report);
  return entered ? passed() : failed(entered.error().message);
}

}  // namespace toolhost::app
