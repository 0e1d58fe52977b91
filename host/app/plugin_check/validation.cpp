#include "app/plugin_check/validation.hpp"

#include <unistd.h>

#include <algorithm>
#include <iostream>

#include "app/plugin_check/loaded_plugin.hpp"
#include "app/scratch_host.hpp"
#include "base/json_writer.hpp"
#include "observability/log.hpp"
#include "plugin_runtime/black_box.hpp"

namespace toolhost::app {
namespace {

namespace fs = std::filesystem;
using Status = CheckResult::Status;
using Verdict = Finding::Verdict;

constexpr std::string_view kSurvey = "survey";
constexpr ChildLimits kSurveyLimits{.time = std::chrono::seconds(20), .processor = std::chrono::seconds(15)};

/// A directory of this process alone, which goes with it.
class WorkDirectory {
 public:
  static Result<std::unique_ptr<WorkDirectory>> make() {
    std::error_code error;
    std::string name = fs::temp_directory_path(error) / "toolhost-check-XXXXXX";
    if (error || mkdtemp(name.data()) == nullptr)
      return Error{Errc::kUnavailable, "no temporary directory can be made; set TMPDIR to one that can be written", {}};
    return std::make_unique<WorkDirectory>(name);
  }
  explicit WorkDirectory(fs::path path) : path_(std::move(path)) {}
  WorkDirectory(const WorkDirectory&) = delete;
  WorkDirectory& operator=(const WorkDirectory&) = delete;
  ~WorkDirectory() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  [[nodiscard]] const fs::path& path() const noexcept { return path_; }

 private:
  fs::path path_;
};

/// A copy that nobody else writes, so that all checks see the same bytes.
Result<fs::path> copied(const fs::path& file, const fs::path& directory) {
  std::error_code error;
  if (!fs::is_regular_file(file, error))
    return Error{Errc::kInvalidArgument, file.string() + " is no regular file; name the plugin's .so file", {}};
  const auto copy = directory / file.filename();
  fs::create_directories(directory, error);
  fs::copy_file(file, copy, error);
  if (!error) fs::permissions(copy, fs::perms::owner_read | fs::perms::owner_write, error);
  if (error)
    return Error{Errc::kInvalidArgument,
                 file.string() + " cannot be copied: " + error.message() + "; check its permissions",
                 {}};
  return copy;
}

std::vector<std::string> arguments_of(const CheckJob& job) {
  std::vector<std::string> arguments{"plugin",  "run-check", "--file", job.file,
                                     "--store", job.store,   "--seed", std::to_string(job.seed)};
  const auto add = [&](const char* option, const std::string& value) {
    if (!value.empty()) arguments.insert(arguments.end(), {option, value});
  };
  add("--database", job.database_url);
  add("--settings", job.settings_json);
  for (const auto& other : job.with) add("--with", other);
  for (const auto& service : job.optional_services) add("--optional", service);
  arguments.push_back(job.check);
  return arguments;
}

char letter_of(Verdict verdict) noexcept {
  return verdict == Verdict::kPassed ? 'P' : verdict == Verdict::kFailed ? 'F' : 'S';
}

/// The last line that a child wrote before it died; the black box names the tool in it.
std::string last_line(const std::string& text) {
  const auto end = text.find_last_not_of('\n');
  if (end == std::string::npos) return {};
  const auto begin = text.rfind('\n', end);
  return text.substr(begin == std::string::npos ? 0 : begin + 1,
                     end - (begin == std::string::npos ? 0 : begin + 1) + 1);
}

CheckResult result_of(const Check& check, const ChildEnd& end) {
  CheckResult result{.check = &check, .text = {}, .cause = {}, .step = {}, .took = end.took};
  const bool has_ended = end.cause == ChildEnd::Cause::kExited && end.code == 0;
  if (!has_ended || end.report.empty()) {
    result.status = Status::kDied;
    result.cause = has_ended ? "exit() in the plugin" : cause_text(end, check.limits);
    result.step = end.step;
    result.text = last_line(end.errors);
    return result;
  }
  result.text = end.report.substr(1);
  result.status = end.report.front() == 'P'   ? Status::kPassed
                  : end.report.front() == 'F' ? Status::kFailed
                                              : Status::kSkipped;
  return result;
}

/// Why a check of these needs is not run; empty when it is.
std::string obstacle(const Check& check, const Survey& survey) {
  if (check.needs <= survey.reached) return {};
  switch (survey.reached) {
    case Needs::kNothing:
      return "it has no card that can be read; see card-present";
    case Needs::kCard:
      return "a host does not load the file: " + survey.problem;
    case Needs::kFile:
      return "it cannot be loaded; see load-now";
    case Needs::kLoaded:
      return "its entry point gives no definition; see entry-answers";
    case Needs::kDefinition:
    case Needs::kAccepted:
      return "the host does not accept its definition; see definition-accepted";
  }
  return {};
}

Result<std::vector<const Check*>> chosen_checks(const ValidationOptions& options) {
  const auto checks = all_checks();
  std::vector<std::string> ids;
  for (const auto& check : checks) ids.emplace_back(check.id);
  for (const auto* list : {&options.only, &options.skip})
    for (const auto& id : *list)
      if (std::find(ids.begin(), ids.end(), id) == ids.end()) {
        auto error = unknown_name("check", id, ids);
        return Error{Errc::kInvalidArgument, error.message + "; --list shows all", {}};
      }
  const auto holds = [](const std::vector<std::string>& list, std::string_view id) {
    return std::find(list.begin(), list.end(), id) != list.end();
  };
  std::vector<const Check*> chosen;
  for (const auto& check : checks)
    if ((options.only.empty() || holds(options.only, check.id)) && !holds(options.skip, check.id))
      chosen.push_back(&check);
  return chosen;
}

/// One run over one file.
class Run {
 public:
  explicit Run(ValidationOptions options) : options_(std::move(options)) {}

  Result<> prepare() {
    auto directory = WorkDirectory::make();
    if (!directory) return directory.error();
    directory_ = std::move(*directory);
    auto file = copied(options_.file, directory_->path() / "plugin");
    if (!file) return file.error();
    job_.file = *file;
    job_.store = directory_->path() / "store";
    job_.seed = options_.seed;
    job_.settings_json = options_.settings_json;
    for (const auto& other : options_.with) {
      auto copy = copied(other, directory_->path() / ("with-" + std::to_string(job_.with.size())));
      if (!copy) return copy.error();
      job_.with.push_back(*copy);
    }
    job_.check = kSurvey;
    const auto end = run_child(arguments_of(job_), kSurveyLimits);
    if (!end) return end.error();
    survey_ = read_survey(*end, kSurveyLimits);
    job_.optional_services = survey_.optional_services;
    return boost::system::in_place_value;
  }

  [[nodiscard]] const Survey& survey() const noexcept { return survey_; }

  Result<CheckResult> run(const Check& check, const std::vector<CheckResult>& before) {
    const auto skip = [&](std::string why) {
      return CheckResult{.check = &check, .status = Status::kSkipped, .text = std::move(why), .cause = {}, .step = {}};
    };
    if (auto why = obstacle(check, survey_); !why.empty()) return skip(std::move(why));
    for (const auto& result : before)
      if (result.check->id == check.only_after && result.status != Status::kPassed)
        return skip("see " + std::string(check.only_after));
    if (check.needs_host)
      if (auto started = start_database(); !started) return started.error();
    job_.check = check.id;
    const auto end = run_child(arguments_of(job_), check.limits);
    if (!end) return end.error();
    auto result = result_of(check, *end);
    // A process whose parent is gone is seen from here only.
    if (check.run == check_process_state && result.status == Status::kPassed && end->processes_left > 0) {
      result.status = Status::kFailed;
      result.text = "it left " + std::to_string(end->processes_left) + " processes running";
    }
    // The copy is nobody's business.
    for (std::size_t at = 0; (at = result.text.find(job_.file.native(), at)) != std::string::npos;)
      result.text.replace(at, job_.file.native().size(), options_.file.native());
    return result;
  }

 private:
  Result<> start_database() {
    if (database_ != nullptr) return boost::system::in_place_value;
    auto started = ScratchHost::start({}, *events_);
    if (!started) return started.error();
    database_ = std::move(*started);
    job_.database_url = database_->database().url();
    return boost::system::in_place_value;
  }

  const ValidationOptions options_;
  CheckJob job_;
  Survey survey_;
  std::unique_ptr<WorkDirectory> directory_;
  const std::unique_ptr<observability::EventSink> events_ = observability::create_fan_out({});
  std::unique_ptr<ScratchHost> database_;
};

}  // namespace

const char* to_string(CheckResult::Status status) noexcept {
  switch (status) {
    case Status::kPassed:
      return "passed";
    case Status::kFailed:
      return "failed";
    case Status::kSkipped:
      return "skipped";
    case Status::kDied:
      return "died";
  }
  return "unknown";
}

bool Validation::has_passed() const noexcept {
  return std::none_of(results.begin(), results.end(), [](const CheckResult& result) {
    return result.status == Status::kFailed || result.status == Status::kDied;
  });
}

Result<Validation> validate_plugin(const ValidationOptions& options,
                                   const std::function<void(const CheckResult&)>& on_result) {
  const auto checks = chosen_checks(options);
  if (!checks) return checks.error();
  Run run(options);
  if (auto prepared = run.prepare(); !prepared) return prepared.error();
  Validation validation{.file = fs::absolute(options.file).lexically_normal(), .seed = options.seed, .results = {}};
  for (const auto* check : *checks) {
    auto result = run.run(*check, validation.results);
    if (!result) return result.error();
    if (on_result) on_result(*result);
    validation.results.push_back(std::move(*result));
  }
  return validation;
}

std::string as_json(const Validation& validation) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().member("file", validation.file.string()).key("seed").unsigned_integer(validation.seed);
  json.key("passed").boolean(validation.has_passed()).key("checks").begin_array();
  for (const auto& result : validation.results) {
    json.begin_object().member("id", result.check->id).member("status", to_string(result.status));
    json.member("text", result.text);
    const bool is_bad = result.status == Status::kFailed || result.status == Status::kDied;
    if (is_bad) json.member("cure", result.check->cure);
    if (result.status == Status::kDied) json.member("cause", result.cause).member("step", result.step);
    json.key("took_ms").integer(result.took.count()).end_object();
  }
  json.end_array().end_object();
  return out;
}

Result<std::string> load_definition(const fs::path& file) {
  Run run({.file = file});
  if (auto prepared = run.prepare(); !prepared) return prepared.error();
  const auto& survey = run.survey();
  if (survey.reached != Needs::kAccepted) return Error{Errc::kInvalidArgument, survey.problem, {}};
  return survey.definition_json;
}

int run_check(const CheckJob& job, int report_descriptor) {
  auto report = ChildReport::open(report_descriptor);
  if (!report) {
    std::cerr << report.error().message << "\n";
    return 2;
  }
  plugin_runtime::install_black_box();
  std::string text;
  if (job.check == kSurvey) {
    text = survey(job, *report);
  } else {
    const auto checks = all_checks();
    const auto check =
        std::find_if(checks.begin(), checks.end(), [&](const Check& one) { return one.id == job.check; });
    if (check == checks.end()) return 2;
    const auto finding = check->run(job, *report);
    text = letter_of(finding.verdict) + finding.text;
  }
  const auto finished = report->finish(text);
  // Neither the plugin's destructors nor threads that it left behind have a say in what was found.
  _exit(finished ? 0 : 3);
}

}  // namespace toolhost::app
