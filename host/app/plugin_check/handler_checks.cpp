// Calls of the plugin's tools in the real runtime.
#include <cstddef>
#include <thread>

#include "app/plugin_check/check.hpp"
#include "app/plugin_check/check_host.hpp"
#include "app/plugin_check/loaded_plugin.hpp"
#include "plugin_runtime/growable.hpp"
#include "plugin_runtime/host_services.hpp"

namespace toolhost::app {
namespace {

using namespace std::chrono_literals;
using plugin_runtime::Outcome;
using plugin_runtime::Tool;
using Clock = std::chrono::steady_clock;
using Incident = Incidents::Incident;

constexpr auto kDeadline = 5'000ms;
constexpr auto kBudget = 10s;                             // of a check that makes many calls
constexpr auto kPromptly = 1'000ms;                       // for who ends early; the machine may be busy
constexpr std::size_t kMaxLogRecords = 100;               // of one call
constexpr std::size_t kResultBytes = (1 << 20) * 9 / 10;  // of the host's default limit

bool is_about_output(const Incident& incident) {
  return incident.rule == "output-schema" || incident.rule == "open-json";
}

/// Why this call breaks the contract; empty when it does not. What has a check of its own is not said here.
std::string problem_of(const CheckedCall& call, const std::vector<Incident>& incidents) {
  for (const auto& incident : incidents)
    if (!is_about_output(incident) && incident.rule != "log-flood") return incident.rule + ": " + incident.detail;
  if (!incidents.empty() || call.result.detail.find("last service error -4") != std::string::npos) return {};
  switch (call.result.outcome) {
    case Outcome::kInternal:
      return "it ended in an internal error: " + call.result.detail;
    case Outcome::kTimeout:
      return "it did not return within its deadline";
    case Outcome::kOk:
      if (call.result.structured_json.empty() && call.result.content_json == "[]")
        return "it answered TH_OK and pushed nothing; say at least what was done";
      return {};
    default:
      return {};
  }
}

/// Makes a call and says what is wrong with it.
class Caller {
 public:
  explicit Caller(CheckHost& host) : host_(host) {}

  CheckedCall call(const Tool& tool, std::string arguments, std::chrono::milliseconds deadline = kDeadline) {
    auto call = host_.call(tool, std::move(arguments), deadline);
    const auto incidents = host_.incidents().take_broken_rules();
    ++calls_;
    if (problem_.empty()) {
      if (const auto problem = problem_of(call, incidents); !problem.empty())
        problem_ = call_text(call) + ": " + problem;
    }
    return call;
  }
  [[nodiscard]] const std::string& problem() const noexcept { return problem_; }
  [[nodiscard]] std::size_t calls() const noexcept { return calls_; }

 private:
  CheckHost& host_;
  std::string problem_;  // the first
  std::size_t calls_ = 0;
};

std::string counted_calls(std::size_t calls, const std::vector<std::string>& without) {
  auto text = std::to_string(calls) + " calls";
  for (const auto& name : without)
    text += "; none of " + name + ", whose schema needs \"examples\" to make arguments from";
  return text;
}

/// Starts a host for `check(host)`; skipped when it refuses the plugin.
template <class Body>
Finding in_host(const CheckJob& job, ChildReport& report, Body check, const CheckHost::Options& options = {}) {
  auto host = CheckHost::start(job, report, options);
  if (!host) return skipped(host.error().message);
  if ((*host)->tools().empty()) return skipped("it has no tools");
  const auto finding = check(**host);
  (*host)->stop();
  return finding;
}

/// Makes `count` calls of each tool with arguments that conform, until `judge(call)` says what is wrong.
template <class Judge>
Finding judge_calls(const CheckJob& job, CheckHost& host, unsigned count, Judge judge) {
  std::string problem;
  std::size_t calls = 0;
  const auto until = Clock::now() + kBudget;
  const auto without = for_each_tool(job, host, [&](const Tool& tool, RandomArguments& arguments) {
    for (unsigned i = 0; i < count && problem.empty() && (i == 0 || Clock::now() < until); ++i) {
      const auto call = host.call(tool, i == 0 ? arguments.smallest() : arguments.valid(), kDeadline);
      ++calls;
      if (const auto said = judge(call); !said.empty()) problem = call_text(call) + ": " + said;
    }
  });
  return problem.empty() ? passed(counted_calls(calls, without)) : failed(problem);
}

/// Each tool answers a few calls, in a host that offers this.
Finding answers(const CheckJob& job, ChildReport& report, const CheckHost::Options& options) {
  auto host = CheckHost::start(job, report, options);
  if (!host) return failed(host.error().message);
  Caller caller(**host);
  const auto without = for_each_tool(job, **host, [&](const Tool& tool, RandomArguments& arguments) {
    caller.call(tool, arguments.smallest());
    for (int i = 0; i < 3 && caller.problem().empty(); ++i) caller.call(tool, arguments.valid());
  });
  (*host)->stop();
  return caller.problem().empty() ? passed(counted_calls(caller.calls(), without)) : failed(caller.problem());
}

/// What a struct has behind the bytes that minor 0 knows; such a host refuses it.
bool has_bytes_after(const void* object, std::uint32_t size, std::size_t known) {
  const auto* bytes = static_cast<const unsigned char*>(object);
  return size > known && std::any_of(bytes + known, bytes + size, [](unsigned char byte) { return byte != 0; });
}

/// Why a host of minor 0 would refuse this definition, which a newer one has accepted; empty when it would not.
std::string refusal_of_first_host(const th_plugin_def& definition) {
  if (has_bytes_after(&definition, definition.struct_size, offsetof(th_plugin_def, resources)))
    return "its definition sets fields that a host of 1.0 does not know and therefore refuses (resources, prompts)";
  for (const auto* const* tool = definition.tools; tool != nullptr && *tool != nullptr; ++tool)
    if (has_bytes_after(*tool, (*tool)->struct_size, offsetof(th_tool_def, icons_json)))
      return std::string("its tool ") + (*tool)->name +
             " sets fields that a host of 1.0 does not know and therefore refuses (icons_json)";
  for (const char* const* service = definition.services; service != nullptr && *service != nullptr; ++service)
    if (**service != '?' && plugin_runtime::find_service(*service, 0) == nullptr)
      return std::string("it requires the service ") + *service + ", which a host of 1.0 does not have";
  return {};
}

}  // namespace

Finding check_handlers_answer(const CheckJob& job, ChildReport& report) {
  return in_host(job, report, [&](CheckHost& host) {
    Caller caller(host);
    const auto without = for_each_tool(job, host, [&](const Tool& tool, RandomArguments& arguments) {
      if (caller.problem().empty()) caller.call(tool, arguments.smallest());
      if (caller.problem().empty()) caller.call(tool, arguments.valid());
    });
    return caller.problem().empty() ? passed(counted_calls(caller.calls(), without)) : failed(caller.problem());
  });
}

Finding check_handler_fuzz(const CheckJob& job, ChildReport& report) {
  return in_host(job, report, [&](CheckHost& host) {
    constexpr unsigned kRounds = 100;
    Caller caller(host);
    const auto until = Clock::now() + kBudget;
    std::vector<std::string> without;
    const auto share = kBudget / std::max<std::size_t>(host.tools().size(), 1);
    without = for_each_tool(job, host, [&](const Tool& tool, RandomArguments& arguments) {
      const auto tool_until = std::min<Clock::time_point>(until, Clock::now() + share);
      for (unsigned i = 0; i < kRounds && caller.problem().empty() && Clock::now() < tool_until; ++i) {
        caller.call(tool, arguments.valid());
        if (caller.problem().empty()) caller.call(tool, arguments.near_miss());
      }
    });
    return caller.problem().empty() ? passed(counted_calls(caller.calls(), without)) : failed(caller.problem());
  });
}

Finding check_handler_cancel(const CheckJob& job, ChildReport& report) {
  return in_host(job, report, [&](CheckHost& host) {
    std::string problem;
    std::size_t calls = 0;
    const auto until = Clock::now() + 2 * kBudget;
    const auto without = for_each_tool(job, host, [&](const Tool& tool, RandomArguments& arguments) {
      for (const auto after : {0ms, 1ms, 2ms, 5ms, 20ms, 100ms}) {
        if (!problem.empty() || Clock::now() > until) return;
        const auto call = host.call(tool, arguments.valid(), kDeadline, after);
        ++calls;
        if (call.took > after + kPromptly)
          problem = call_text(call) + ": went on for " + std::to_string((call.took - after).count()) +
                    " ms after it was cancelled";
      }
    });
    return problem.empty() ? passed(counted_calls(calls, without)) : failed(problem);
  });
}

Finding check_handler_deadline(const CheckJob& job, ChildReport& report) {
  return in_host(job, report, [&](CheckHost& host) {
    std::string problem;
    std::size_t calls = 0;
    const auto until = Clock::now() + 2 * kBudget;
    const auto without = for_each_tool(job, host, [&](const Tool& tool, RandomArguments& arguments) {
      for (const auto deadline : {1ms, 2ms, 5ms, 20ms, 100ms}) {
        if (!problem.empty() || Clock::now() > until) return;
        const auto call = host.call(tool, arguments.valid(), deadline);
        ++calls;
        if (call.took > deadline + kPromptly)
          problem = call_text(call) + ": went on for " + std::to_string((call.took - deadline).count()) +
                    " ms after its deadline";
      }
    });
    return problem.empty() ? passed(counted_calls(calls, without)) : failed(problem);
  });
}

Finding check_handler_concurrent(const CheckJob& job, ChildReport& report) {
  constexpr unsigned kThreads = 8;
  constexpr std::size_t kCallsOfTool = 40;
  return in_host(
      job, report,
      [&](CheckHost& host) {
        std::vector<std::pair<const Tool*, std::string>> calls;
        const auto without = for_each_tool(job, host, [&](const Tool& tool, RandomArguments& arguments) {
          for (std::size_t i = 0; i < kCallsOfTool; ++i) calls.emplace_back(&tool, arguments.valid());
        });
        // Calls of one tool beside each other, and those of all tools among each other.
        Random random(job.seed);
        for (std::size_t i = calls.size() / 2; i + 1 < calls.size(); ++i)
          std::swap(calls[i], calls[i + random.below(calls.size() - i)]);
        std::atomic<std::size_t> next{0};
        std::mutex mutex;
        std::string problem;
        const auto until = Clock::now() + kBudget;
        const auto work = [&] {
          for (auto i = next++; i < calls.size() && Clock::now() < until; i = next++) {
            const auto call = host.call(*calls[i].first, calls[i].second, 2 * kDeadline);
            const auto said = problem_of(call, {});
            const std::lock_guard lock(mutex);
            if (!said.empty() && problem.empty() && call.result.detail.find("output schema") == std::string::npos)
              problem = call_text(call) + ": " + said;
          }
        };
        std::vector<std::thread> threads;
        for (unsigned i = 0; i < kThreads; ++i) threads.emplace_back(work);
        for (auto& thread : threads) thread.join();
        return problem.empty() ? passed(counted_calls(std::min(next.load(), calls.size()), without)) : failed(problem);
      },
      {.offer = {}, .workers = kThreads});
}

Finding check_output_schema(const CheckJob& job, ChildReport& report) {
  return in_host(job, report, [&](CheckHost& host) {
    return judge_calls(job, host, 20, [&](const CheckedCall&) -> std::string {
      for (const auto& incident : host.incidents().take_broken_rules())
        if (is_about_output(incident)) return incident.detail;
      return {};
    });
  });
}

Finding check_result_bounded(const CheckJob& job, ChildReport& report) {
  return in_host(job, report, [&](CheckHost& host) {
    return judge_calls(job, host, 5, [&](const CheckedCall& call) -> std::string {
      const auto bytes = call.result.content_json.size() + call.result.structured_json.size();
      if (bytes < kResultBytes) return {};
      return "its result has " + std::to_string(bytes) +
             " bytes, at the limit of a host; what does not fit is refused with TH_E_LIMIT and missing for the client";
    });
  });
}

Finding check_log_bounded(const CheckJob& job, ChildReport& report) {
  return in_host(job, report, [&](CheckHost& host) {
    auto before = host.incidents().log_records();
    return judge_calls(job, host, 5, [&](const CheckedCall&) -> std::string {
      const auto after = host.incidents().log_records();
      const auto records = after - std::exchange(before, after);
      if (records <= kMaxLogRecords) return {};
      return "it wrote " + std::to_string(records) +
             " log records or more in one call; a host drops what comes after 200 "
             "in a second, of other calls too";
    });
  });
}

Finding check_read_only(const CheckJob& job, ChildReport& report) {
  return in_host(job, report, [&](CheckHost& host) {
    const auto tools = host.tools();
    if (std::none_of(tools.begin(), tools.end(), [](const Tool* tool) { return tool->read_only; }))
      return skipped("no tool is declared TH_TOOL_READ_ONLY");
    return judge_calls(job, host, 20, [](const CheckedCall& call) -> std::string {
      if (!call.tool->read_only || call.result.detail.find("[25006]") == std::string::npos) return {};
      return "it is declared TH_TOOL_READ_ONLY, but tried to write (SQLSTATE 25006)";
    });
  });
}

Finding check_statements(const CheckJob& job, ChildReport& report) {
  return in_host(job, report, [&](CheckHost& host) {
    return judge_calls(job, host, 10, [](const CheckedCall& call) -> std::string {
      const auto& detail = call.result.detail;
      if (detail.find("last service error -4") == std::string::npos || detail.find("[25006]") != std::string::npos)
        return {};
      return "the database service refused it: " + detail;
    });
  });
}

Finding check_without_optional(const CheckJob& job, ChildReport& report) {
  if (job.optional_services.empty()) return skipped("it lists no service with '?'");
  return answers(job, report, {.offer = {.withheld = job.optional_services}});
}

Finding check_oldest_host(const CheckJob& job, ChildReport& report) {
  const auto file = checked_file(job);
  if (!file) return skipped(file.error().message);
  const auto minor = file->card.abi_minor_required;
  if (minor >= TH_ABI_MINOR)
    return skipped("it requires plugin ABI 1." + std::to_string(minor) + ", which is this host's");
  // Before everything else: an image is entered once in a process, and keeps the tables that it got there.
  auto finding = answers(job, report, {.offer = {.abi_minor = minor, .withheld = {}}});
  if (finding.verdict == Finding::Verdict::kFailed) return finding;
  const auto entered = load_and_enter(job, report);
  if (!entered) return skipped(entered.error().message);
  constexpr std::size_t kOldestBytes = 112;
  const auto definition = plugin_runtime::copy_growable(entered->definition, kOldestBytes, "its definition");
  if (!definition) return skipped(definition.error().message);
  const auto refusal = refusal_of_first_host(*definition);
  return refusal.empty() ? finding : failed(refusal + "; set TH_ABI_REQUIRED to 1, or leave it out");
}

Finding check_create_and_destroy(const CheckJob& job, ChildReport& report) {
  // The second time in the same image, as after a reload.
  for (int round = 0; round < 2; ++round) {
    auto host = CheckHost::start(job, report);
    if (!host) return failed((round == 0 ? "" : "the second time: ") + host.error().message);
    (*host)->stop();
  }
  return passed();
}

}  // namespace toolhost::app
