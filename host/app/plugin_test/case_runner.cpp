#include "app/plugin_test/case_runner.hpp"

#include <algorithm>
#include <set>

#include "app/plugin_test/expected_value.hpp"
#include "base/json_writer.hpp"

namespace toolhost::app {
namespace {

using plugin_runtime::Outcome;
using plugin_runtime::ToolResult;
using Kind = TestStep::Kind;
using CallKind = plugin_runtime::ToolCall::Kind;

constexpr int kMostJobRuns = 10'000;

/// FNV-1a: each case has ids of its own, whatever other cases there are.
std::uint64_t seed_of(std::uint64_t seed, std::string_view name) {
  std::uint64_t hash = 14695981039346656037ULL ^ seed;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return hash;
}

/// The texts of an array of text blocks, as lines; nothing when there are other blocks.
std::optional<std::string> only_texts(const json::Value& blocks) {
  std::string text;
  bool is_first = true;
  json::Array array;
  if (blocks.get(array) != simdjson::SUCCESS) return std::nullopt;
  for (const auto& block : array) {
    json::Object members;
    const auto part = json::text_in(block, "text");
    if (block.get(members) != simdjson::SUCCESS || members.size() != 2 || !part) return std::nullopt;
    text += is_first ? "" : "\n";
    text += *part;
    is_first = false;
  }
  return text;
}

/// The answer as cases expect it.
std::string answer_text(CallKind kind, const ToolResult& result) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().member("outcome", to_string(result.outcome));
  if (!result.structured_json.empty()) json.key("structured").raw(result.structured_json);
  if (result.outcome == Outcome::kInputRequired) {
    json.key("questions").begin_array();
    for (const auto& question : result.questions)
      json.begin_object().member("key", question.key).key("params").raw(question.params_json).end_object();
    json.end_array();
  } else if (kind == CallKind::kTool || result.is_error) {
    json::Document document;
    const auto blocks = document.parse(result.content_json.empty() ? "[]" : result.content_json);
    const auto text = blocks ? only_texts(*blocks) : std::nullopt;
    if (!text)
      json.key("content").raw(result.content_json);
    else if (*text != result.structured_json)  // else it only repeats this, for clients that know text alone
      json.member("text", *text);
  } else if (kind == CallKind::kPrompt) {
    if (!result.description.empty()) json.member("description", result.description);
    json.key("messages").raw(result.content_json);
  } else {
    json.key(kind == CallKind::kRead ? "contents" : "completion").raw(result.content_json);
  }
  json.end_object();
  return out;
}

std::string failed_answer(std::string_view outcome, std::string_view text) {
  std::string out;
  JsonWriter(out).begin_object().member("outcome", outcome).member("text", text).end_object();
  return out;
}

CallKind call_kind(Kind kind) {
  if (kind == Kind::kRead) return CallKind::kRead;
  if (kind == Kind::kPrompt) return CallKind::kPrompt;
  return kind == Kind::kComplete ? CallKind::kComplete : CallKind::kTool;
}

Result<std::string> filled_json(const std::string& text, const Captures& captures) {
  json::Document document;
  const auto value = document.parse(text);
  if (!value) return value.error();
  return filled_in(*value, captures);
}

bool wants_more(const std::string& answer) {
  json::Document document;
  const auto root = document.parse(answer);
  bool more = false;
  return root && json::find(*root, "more").get(more) == simdjson::SUCCESS && more;
}

/// Runs it for as long as it wants to go on, as the host would.
Result<std::string> run_job(ScratchHost& host, const TestStep& step, const CallerPtr& caller, std::string arguments) {
  auto plugin = step.plugin;
  if (plugin.empty()) {
    const auto ids = host.plugins().plugins_with_job(step.name);
    plugin = ids.empty() ? host.plugins().plugins().front().id : ids.front();
  }
  for (int run = 0;; ++run) {
    auto answer = host.plugins().run_job(plugin, step.name, caller, arguments);
    if (!answer || !wants_more(*answer)) return answer;
    if (run == kMostJobRuns) return Error{Errc::kLimit, "it still says \"more\" after 10,000 runs", {}};
    arguments = "{}";
  }
}

}  // namespace

void PluginReports::emit(const observability::Event& event) noexcept {
  const auto* report = std::get_if<observability::PluginReported>(&event);
  if (report == nullptr || report->incident == observability::PluginIncident::kLoaded ||
      report->incident == observability::PluginIncident::kRefused)
    return;
  const std::lock_guard lock(mutex_);
  reports_.push_back(std::string(report->plugin) + " " + std::string(report->rule) + ": " +
                     std::string(report->detail));
}

void PluginReports::add(std::string report) {
  const std::lock_guard lock(mutex_);
  reports_.push_back(std::move(report));
}

std::vector<std::string> PluginReports::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(reports_, {});
}

/// One case while it runs.
struct CaseRunner::Run {
  const TestCase& of;
  Captures captures;
  std::size_t updated = 0;

  [[nodiscard]] StepProblem problem(std::size_t index, std::string message, std::string difference = {}) const {
    const auto& step = of.steps[index];
    return {.place = step.place,
            .step = "step " + std::to_string(index + 1) + ", " + step.title(),
            .message = std::move(message),
            .difference = std::move(difference),
            .reports = {}};
  }
};

std::string CaseRunner::golden_name(const TestCase& of, std::size_t step) {
  return std::to_string(step + 1) + ". " + of.steps[step].title();
}

Result<> CaseRunner::add_tenants() {
  for (const auto& of : file_.cases) {
    std::set<std::string> names{of.tenant};
    for (const auto& step : of.steps) names.insert(TestFile::tenant_of(of, step));
    for (const auto& name : names)
      if (auto added = host_.add_tenant(name, file_.time_zone, file_.members); !added) return added;
  }
  return {};
}

CaseResult CaseRunner::run(const TestCase& of) {
  const auto began = std::chrono::steady_clock::now();
  CaseResult result{.name = of.name};
  Run run{.of = of, .captures = {}};
  reports_.take();
  if (auto set = host_.set_time(file_.clock, seed_of(file_.seed, of.name)); !set)
    result.problem = StepProblem{.place = of.place, .step = "its beginning", .message = set.error().message};
  for (std::size_t index = 0; !result.problem && index < of.steps.size(); ++index) {
    result.problem = run_step(run, index);
    if (result.problem) result.problem->reports = reports_.take();
  }
  result.updated = run.updated;
  result.took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began);
  return result;
}

Result<std::string> CaseRunner::answer_of(const TestCase& of, const TestStep& step, const Captures& captures) {
  auto arguments = filled_json(step.arguments, captures);
  if (!arguments) return arguments.error();
  const auto tenant = TestFile::tenant_of(of, step);
  if (step.kind == Kind::kJob) {
    const auto caller = host_.caller(tenant, "toolhost", Role::kAdmin);
    if (!caller) return caller.error();
    const auto answer = run_job(host_, step, *caller, *arguments);
    if (!answer && answer.error().code == Errc::kNotFound) return answer.error();
    if (!answer) return failed_answer("job_error", answer.error().message);
    return R"({"outcome":"ok","structured":)" + *answer + "}";
  }
  const auto caller = host_.caller(tenant, step.person, step.role);
  if (!caller) return caller.error();
  ScratchHost::Request request{.kind = call_kind(step.kind), .arguments = std::move(*arguments)};
  auto name = filled_in(step.name, captures);
  if (!name) return name.error();
  request.name = std::move(*name);
  request.can_be_asked = step.can_be_asked;
  for (const auto& [key, answer] : step.answers) {
    auto filled = filled_json(answer, captures);
    if (!filled) return filled.error();
    request.answers[key] = std::move(*filled);
  }
  const auto result = host_.call(request, *caller);
  if (!result && result.error().code == Errc::kDenied) return failed_answer("denied", result.error().message);
  if (!result && result.error().code == Errc::kNotFound && step.kind == Kind::kRead)
    return failed_answer("not_found", result.error().message);
  if (!result) return result.error();
  if (!result->detail.empty()) reports_.add(result->detail);
  return answer_text(request.kind, *result);
}

std::optional<StepProblem> CaseRunner::run_step(Run& run, std::size_t index) {
  const auto& step = run.of.steps[index];
  if (step.kind == Kind::kAdvance) {
    const auto moved = host_.advance(step.advance);
    return moved ? std::nullopt : std::optional(run.problem(index, moved.error().message));
  }
  const auto text = answer_of(run.of, step, run.captures);
  if (!text) return run.problem(index, text.error().message);
  json::Document document;
  const auto answer = document.parse(*text);
  if (!answer) return run.problem(index, "the answer is no JSON: " + answer.error().message);
  if (auto problem = compare(run, index, *answer)) return problem;
  for (const auto& [name, pointer] : step.captures) {
    json::Value found;
    if (answer->at_pointer(pointer).get(found) != simdjson::SUCCESS)
      return run.problem(index, "there is nothing at " + pointer + " to capture as '" + name + "' in the answer:",
                         for_reading(*answer));
    run.captures[name] = json::to_text(found);
  }
  return std::nullopt;
}

namespace {

/// How an answer that is not as expected differs from that.
std::string difference_of(const json::Value& expected, const json::Value& actual, const Captures& captures,
                          Extent extent) {
  json::Document document;
  const auto text = unmatched(expected, actual, captures, extent);
  return difference(for_reading(document.parse(text).value()), for_reading(actual));
}

/// The members of an answer that `expected` names, as an object of their own.
std::string members_named(const json::Object& expected, const json::Value& answer) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  for (const auto& member : expected) {
    json::Value found;
    if (json::find(answer, member.key).get(found) == simdjson::SUCCESS) json.key(member.key).raw(json::to_text(found));
  }
  json.end_object();
  return out;
}

/// Everything that is expected of the answer, "outcome" and "text" of an error among it.
std::string expected_members(const TestStep::Expected& expected) {
  json::Document document;
  const json::Object members = document.parse(expected.members).value();
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  bool has_outcome = false;
  for (const auto& member : members) {
    has_outcome |= member.key == "outcome";
    json.key(member.key).raw(json::to_text(member.value));
  }
  if (!expected.error.empty())
    json.member("text", expected.error);
  else if (!has_outcome)
    json.member("outcome", "ok");
  json.end_object();
  return out;
}

/// Nothing when the answer is as expected; else the difference.
std::optional<std::string> differs(const TestStep::Expected& expected, const json::Value& answer,
                                   const Captures& captures) {
  json::Document wanted, named, part;
  const json::Value members = wanted.parse(expected_members(expected)).value();
  const auto failed = json::text_in(answer, "outcome") != "ok";
  if (!expected.error.empty() && !failed)
    return "- an error: " + expected.error + "\n+ an answer:\n" + for_reading(answer) + "\n";
  const json::Value actual = named.parse(members_named(members.get_object().value(), answer)).value();
  if (!matches(members, actual, captures)) {
    // An answer that failed is shown whole: why it did says more than what it lacks.
    const bool is_whole = failed && expected.error.empty();
    return difference_of(members, is_whole ? answer : actual, captures, Extent::kWhole);
  }
  if (expected.contains.empty()) return std::nullopt;
  json::Value structured;
  if (json::find(answer, "structured").get(structured) != simdjson::SUCCESS)
    return "- structured content\n+ none; the answer is\n" + for_reading(answer) + "\n";
  const json::Value wanted_part = part.parse(expected.contains).value();
  if (matches(wanted_part, structured, captures, Extent::kPart)) return std::nullopt;
  return difference_of(wanted_part, structured, captures, Extent::kPart);
}

}  // namespace

std::optional<StepProblem> CaseRunner::compare(Run& run, std::size_t index, const json::Value& answer) {
  const auto& step = run.of.steps[index];
  if (step.expected) {
    auto found = differs(*step.expected, answer, run.captures);
    if (!found) return std::nullopt;
    auto problem = run.problem(index, "the answer is not what 'expect' says", std::move(*found));
    problem.place.line = step.expected->place.line;
    problem.place.column = 0;
    return problem;
  }
  const auto name = golden_name(run.of, index);
  const std::string stored(golden_.find(run.of.name, name));
  json::Document document;
  const auto golden = document.parse(stored.empty() ? "{}" : stored);
  if (!golden) return run.problem(index, golden.error().message);
  if (!stored.empty() && matches(*golden, answer, run.captures)) return std::nullopt;
  if (update_) {
    golden_.set(run.of.name, name, stored.empty() ? literally(answer) : literally(answer, *golden, run.captures));
    ++run.updated;
    return std::nullopt;
  }
  if (stored.empty())
    return run.problem(index, "nobody has accepted this answer yet; --update does, or write 'expect' for the step",
                       for_reading(answer));
  return run.problem(index, "the answer is another than the accepted one; --update accepts it",
                     difference_of(*golden, answer, run.captures, Extent::kWhole));
}

}  // namespace toolhost::app
