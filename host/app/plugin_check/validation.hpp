#pragma once
#include <functional>
#include <string>
#include <vector>

#include "app/plugin_check/check.hpp"
#include "base/result.hpp"

namespace toolhost::app {

struct ValidationOptions {
  std::filesystem::path file;
  std::vector<std::string> only, skip;  ///< ids of checks; `only` empty: all
  std::uint64_t seed = 1;
  std::string settings_json;                ///< the plugin's settings; may be empty
  std::vector<std::filesystem::path> with;  ///< plugins whose views it reads
};

struct CheckResult {
  enum class Status { kPassed, kFailed, kSkipped, kDied };
  const Check* check = nullptr;
  Status status = Status::kPassed;
  std::string text;   ///< what was found, or why it was skipped
  std::string cause;  ///< kDied: "signal SIGSEGV", "time limit of 20 s", ...
  std::string step;   ///< kDied: what it was doing
  std::chrono::milliseconds took{0};
};
/// "passed", "failed", "skipped", "died".
const char* to_string(CheckResult::Status status) noexcept;

struct Validation {
  std::filesystem::path file;
  std::uint64_t seed = 0;
  std::vector<CheckResult> results;
  [[nodiscard]] bool has_passed() const noexcept;  ///< nothing failed or died
};

/// Runs the checks on a copy of the file, each in a child process, one after the other, with a scratch database that is
/// started for the first one that needs it. `on_result` is told as each ends. On the main thread. kInvalidArgument: no
/// such check, or a file that cannot be read; kUnavailable: no database or process can be started; kCancelled after
/// interrupt_children().
Result<Validation> validate_plugin(const ValidationOptions& options,
                                   const std::function<void(const CheckResult&)>& on_result);

/// One object for programs.
std::string as_json(const Validation& validation);

/// What the plugin declares, as a JSON object, from a child process that loads it. kInvalidArgument: why it does not.
Result<std::string> load_definition(const std::filesystem::path& file);

/// In the child: runs the check that the job names and leaves the finding in the report; the exit code of the process.
int run_check(const CheckJob& job, int report_descriptor);

}  // namespace toolhost::app
