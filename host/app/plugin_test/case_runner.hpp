#pragma once
#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "app/plugin_test/case_file.hpp"
#include "app/plugin_test/golden_file.hpp"
#include "app/scratch_host.hpp"

namespace toolhost::app {

/// Why a case failed: at its first step that is not as expected.
struct StepProblem {
  ConfigPlace place;                 ///< of the step, or of what it expects
  std::string step;                  ///< "step 2, call hello_greet"
  std::string message;               ///< what is wrong and what to do
  std::string difference;            ///< as difference() shows it; may be empty
  std::vector<std::string> reports;  ///< what the host and the plugin said meanwhile
};
struct CaseResult {
  std::string name;
  std::chrono::milliseconds took{0};
  std::optional<StepProblem> problem;  ///< nothing: it passed
  std::size_t updated = 0;             ///< golden answers that are new or others now
};

/// Keeps what plugins do that the log would tell.
class PluginReports final : public observability::EventSink {
 public:
  void emit(const observability::Event& event) noexcept override;
  /// Something else that the log would tell. Any thread.
  void add(std::string report);
  /// What came since the last time.
  std::vector<std::string> take();

 private:
  std::mutex mutex_;  // guards what follows
  std::vector<std::string> reports_;
};

/// Runs cases on a scratch host that steps its time and has their tenants. One thread.
class CaseRunner {
 public:
  /// All of them outlive this object. `update`: answers that the golden file lacks, or has otherwise, are put there.
  CaseRunner(ScratchHost& host, PluginReports& reports, const TestFile& file, GoldenFile& golden, bool update)
      : host_(host), reports_(reports), file_(file), golden_(golden), update_(update) {}

  /// Before the first run().
  Result<> add_tenants();
  CaseResult run(const TestCase& of);

  /// As the golden file calls a step.
  static std::string golden_name(const TestCase& of, std::size_t step);

 private:
  struct Run;
  /// The answer as an object of JSON; nothing for kAdvance.
  Result<std::string> answer_of(const TestCase& of, const TestStep& step, const Captures& captures);
  std::optional<StepProblem> run_step(Run& run, std::size_t index);
  std::optional<StepProblem> compare(Run& run, std::size_t index, const json::Value& answer);

  ScratchHost& host_;
  PluginReports& reports_;
  const TestFile& file_;
  GoldenFile& golden_;
  const bool update_;
};

}  // namespace toolhost::app
