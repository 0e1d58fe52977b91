// What calls leave behind in the process: memory, threads, and what belongs to everybody in it.
#include <dirent.h>
#include <fcntl.h>
#include <fenv.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <clocale>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "app/plugin_check/check.hpp"
#include "app/plugin_check/check_host.hpp"

namespace toolhost::app {
namespace {

using namespace std::chrono_literals;
using plugin_runtime::Tool;
using Clock = std::chrono::steady_clock;
namespace fs = std::filesystem;

constexpr auto kDeadline = 5'000ms;

std::set<std::string> threads() {
  std::set<std::string> ids;
  std::error_code error;
  for (const auto& thread : fs::directory_iterator("/proc/self/task", error)) ids.insert(thread.path().filename());
  return ids;
}

/// Threads end a moment after they were joined, or their host was told.
std::size_t threads_beside(const std::set<std::string>& known) {
  std::size_t more = 0;
  for (const auto until = Clock::now() + 1s; Clock::now() < until; std::this_thread::sleep_for(10ms)) {
    more = 0;
    for (const auto& id : threads())
      if (!known.contains(id)) ++more;
    if (more == 0) return 0;
  }
  return more;
}

/// A host without the plugin: what the host's own libraries begin once is there afterwards.
void warm_up(const CheckJob& job) {
  static auto* const nobody = new Incidents;
  ScratchHost::Config config;
  config.database = storage::DatabaseAddress::external(job.database_url);
  static_cast<void>(ScratchHost::start(std::move(config), *nobody));
}

/// Calls each tool a few times; what it answers is the matter of other checks.
void use_tools(const CheckJob& job, CheckHost& host) {
  for_each_tool(job, host, [&](const Tool& tool, RandomArguments& arguments) {
    for (int i = 0; i < 3; ++i) host.call(tool, i == 0 ? arguments.smallest() : arguments.valid(), kDeadline);
  });
}

struct Memory {
  std::int64_t allocated = 0;  // by malloc, and in use
  std::int64_t resident = 0;
  static Memory now() {
    const auto info = mallinfo2();
    std::int64_t total = 0, resident = 0;
    std::ifstream("/proc/self/statm") >> total >> resident;
    return {static_cast<std::int64_t>(info.uordblks + info.hblkhd), resident * sysconf(_SC_PAGESIZE)};
  }
};

/// What belongs to the process, and so to every plugin in it.
struct ProcessState {
  std::string locale, directory, umask, children;
  std::vector<std::string> environment;
  std::vector<std::pair<int, std::string>> handlers;  // of signals
  std::map<int, std::string> descriptors;
  int rounding = 0, traps = 0;
  std::vector<rlim_t> limits;

  static ProcessState now();
};

std::string mask_of_new_files() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("Umask:")) return line.substr(line.find('0'));
  return {};
}

std::string child_processes() {
  std::string ids;
  std::error_code error;
  for (const auto& thread : fs::directory_iterator("/proc/self/task", error)) {
    std::ifstream list(thread.path() / "children");
    for (std::string id; list >> id;) ids += (ids.empty() ? "" : " ") + id;
  }
  return ids;
}

std::map<int, std::string> open_descriptors() {
  std::map<int, std::string> open;
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir("/proc/self/fd"), closedir);
  while (const dirent* entry = directory ? readdir(directory.get()) : nullptr) {
    const int fd = std::atoi(entry->d_name);
    if (entry->d_name[0] == '.' || fd == dirfd(directory.get())) continue;
    struct stat status{};
    if (fstat(fd, &status) != 0) continue;
    open[fd] = std::to_string(status.st_dev) + ':' + std::to_string(status.st_ino);
  }
  return open;
}

ProcessState ProcessState::now() {
  ProcessState state;
  state.locale = std::setlocale(LC_ALL, nullptr);
  std::error_code error;
  state.directory = fs::current_path(error).string();
  state.umask = mask_of_new_files();
  state.children = child_processes();
  for (char** variable = environ; *variable != nullptr; ++variable) state.environment.emplace_back(*variable);
  for (int signal = 1; signal < NSIG; ++signal) {
    struct sigaction action{};
    if (sigaction(signal, nullptr, &action) != 0) continue;
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%p", reinterpret_cast<void*>(action.sa_handler));
    state.handlers.emplace_back(signal, text.data());
  }
  state.descriptors = open_descriptors();
  state.rounding = fegetround();
  state.traps = fegetexcept();
  for (const auto resource : {RLIMIT_NOFILE, RLIMIT_CORE, RLIMIT_STACK, RLIMIT_FSIZE}) {
    rlimit limit{};
    getrlimit(resource, &limit);
    state.limits.push_back(limit.rlim_cur);
  }
  return state;
}

/// What is different now, in words.
std::vector<std::string> changes(const ProcessState& before, const ProcessState& after) {
  std::vector<std::string> found;
  const auto compare = [&](const char* what, const std::string& was, const std::string& is) {
    if (was != is) found.push_back(std::string("it changed the ") + what + " from '" + was + "' to '" + is + "'");
  };
  compare("locale of the process", before.locale, after.locale);
  compare("working directory", before.directory, after.directory);
  compare("umask", before.umask, after.umask);
  if (before.environment != after.environment) found.emplace_back("it changed the environment");
  for (std::size_t i = 0; i < std::min(before.handlers.size(), after.handlers.size()); ++i)
    if (before.handlers[i] != after.handlers[i])
      found.push_back("it changed what signal " + std::to_string(before.handlers[i].first) + " does");
  std::size_t closed = 0, opened = 0;
  for (const auto& [fd, what] : before.descriptors) {
    const auto now = after.descriptors.find(fd);
    if (now == after.descriptors.end() || now->second != what) ++closed;
  }
  for (const auto& [fd, what] : after.descriptors)
    if (!before.descriptors.contains(fd)) ++opened;
  if (closed > 0) found.push_back("it closed or replaced " + std::to_string(closed) + " descriptors of others");
  if (opened > 0) found.push_back("it left " + std::to_string(opened) + " descriptors open");
  if (!after.children.empty()) found.push_back("it started processes: " + after.children);
  if (before.rounding != after.rounding || before.traps != after.traps)
    found.emplace_back("it changed how floating point rounds or traps");
  if (before.limits != after.limits) found.emplace_back("it changed resource limits of the process");
  return found;
}

}  // namespace

Finding check_quiesce(const CheckJob& job, ChildReport& report) {
  warm_up(job);
  const auto before = threads();
  auto host = CheckHost::start(job, report);
  if (!host) return skipped(host.error().message);
  use_tools(job, **host);
  (*host)->stop();
  for (const auto& incident : (*host)->incidents().take_broken_rules())
    if (incident.rule == "quiesce" || incident.rule == "overstay") return failed(incident.detail);
  const auto left = threads_beside(before);
  if (left > 0) return failed(std::to_string(left) + " threads still run after quiesce() and destroy()");
  return passed();
}

Finding check_process_state(const CheckJob& job, ChildReport& report) {
  warm_up(job);
  const auto printed = memfd_create("stdout", MFD_CLOEXEC);
  std::fflush(stdout);
  if (printed >= 0) dup2(printed, STDOUT_FILENO);
  const auto before = ProcessState::now();
  auto host = CheckHost::start(job, report);
  if (!host) return skipped(host.error().message);
  use_tools(job, **host);
  auto running = ProcessState::now();
  (*host)->stop();
  host->reset();
  auto after = ProcessState::now();
  if (after.children.empty()) after.children = running.children;
  auto found = changes(before, after);
  std::fflush(stdout);
  struct stat status{};
  if (printed >= 0 && fstat(printed, &status) == 0 && status.st_size > 0)
    found.emplace_back("it wrote to standard output, where a host behind a pipe speaks with its client");
  if (found.empty()) return passed();
  std::string text;
  for (const auto& change : found) text += (text.empty() ? "" : "; ") + change;
  return failed(text);
}

Finding check_leak(const CheckJob& job, ChildReport& report) {
#if defined(__SANITIZE_ADDRESS__) || (defined(__has_feature) && __has_feature(address_sanitizer))
  static_cast<void>(job);
  static_cast<void>(report);
  return skipped("this host is built with AddressSanitizer, whose allocator keeps what was freed");
#else
  constexpr auto kBudget = 24s;
  constexpr unsigned kRounds = 4;
  constexpr std::size_t kCalls = 1'000;  // of a tool in a round, if there is time
  constexpr std::size_t kLeastCalls = 10;
  constexpr std::int64_t kBytes = 24;  // of a call; less is what containers grow by
  constexpr std::int64_t kResident = 4'096;
  auto host = CheckHost::start(job, report, {.offer = {}, .workers = 1});
  if (!host) return skipped(host.error().message);
  const auto tools = (*host)->tools();
  if (tools.empty()) return skipped("it has no tools");
  const auto share = kBudget / tools.size() / (kRounds + 1);
  std::string problem, slow;
  std::size_t calls = 0;
  for_each_tool(job, **host, [&](const Tool& tool, RandomArguments& arguments) {
    if (!problem.empty()) return;
    const auto text = arguments.smallest();
    std::int64_t least_growth = INT64_MAX, least_resident = INT64_MAX;
    for (unsigned round = 0; round <= kRounds; ++round) {
      const auto before = Memory::now();
      const auto until = Clock::now() + share;
      std::size_t made = 0;
      while (made < kCalls && Clock::now() < (made < kLeastCalls ? until + share : until)) {
        (*host)->call(tool, text, kDeadline);
        (*host)->incidents().take_broken_rules();  // what is noted is no leak of the plugin's
        ++made;
      }
      calls += made;
      if (made < kLeastCalls) {
        slow += (slow.empty() ? "; too slow to be measured: " : ", ") + tool.name;
        return;
      }
      if (round == 0) continue;  // it fills what is kept on purpose
      const auto after = Memory::now();
      const auto each = static_cast<std::int64_t>(made);
      least_growth = std::min(least_growth, (after.allocated - before.allocated) / each);
      least_resident = std::min(least_resident, (after.resident - before.resident) / each);
    }
    if (least_growth >= kBytes)
      problem = tool.name + " leaves at least " + std::to_string(least_growth) + " bytes allocated in each call";
    else if (least_resident >= kResident)
      problem = tool.name + " leaves at least " + std::to_string(least_resident) + " bytes mapped in each call";
  });
  (*host)->stop();
  return problem.empty() ? passed(std::to_string(calls) + " calls" + slow) : failed(problem);
#endif
}

}  // namespace toolhost::app
