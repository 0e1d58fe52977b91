#include "app/plugin_check/child_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <set>
#include <system_error>

namespace toolhost::app {
namespace {

using Clock = std::chrono::steady_clock;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kHasSanitizer = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool kHasSanitizer = true;
#else
constexpr bool kHasSanitizer = false;
#endif
#else
constexpr bool kHasSanitizer = false;
#endif

constexpr std::size_t kMaxStepBytes = 1'000;
constexpr std::size_t kMaxReportBytes = 16 << 20;
constexpr std::size_t kMaxErrorBytes = 16 << 10;
constexpr auto kPollInterval = std::chrono::milliseconds(20);

/// The pages that are never written cost nothing. The other side may be hostile: its lengths are not trusted.
struct Shared {
  std::atomic<std::uint32_t> step_bytes;
  std::atomic<std::uint32_t> report_bytes;  // 0: there is none yet
  std::array<char, kMaxStepBytes> step;
  std::array<char, kMaxReportBytes> report;
};

volatile std::sig_atomic_t interrupted = 0;

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) noexcept : fd_(fd) {}
  ~Descriptor() { reset(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  void reset(int fd = -1) noexcept {
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
  }
  [[nodiscard]] int get() const noexcept { return fd_; }

 private:
  int fd_;
};

Error unavailable(const std::string& what) {
  return {Errc::kUnavailable,
          "no child process can be started: " + what + " (" + std::generic_category().message(errno) +
              "); free memory, processes or descriptors",
          {}};
}

/// Between fork and exec: only what is safe after a fork of a process with threads.
void limit_resource(int resource, std::uint64_t soft, std::uint64_t hard) noexcept {
  const rlimit limit{soft, hard};
  setrlimit(static_cast<__rlimit_resource_t>(resource), &limit);
}

[[noreturn]] void become_child(char* const* arguments, const ChildLimits& limits, pid_t parent, int input, int output,
                               int errors) noexcept {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);
  limit_resource(RLIMIT_CORE, 0, 0);
  const auto seconds = static_cast<std::uint64_t>(limits.processor.count());
  limit_resource(RLIMIT_CPU, seconds, seconds + 2);
  limit_resource(RLIMIT_NOFILE, limits.open_files, limits.open_files);
  limit_resource(RLIMIT_FSIZE, limits.file_bytes, limits.file_bytes);
  if (!kHasSanitizer) limit_resource(RLIMIT_AS, limits.address_bytes, limits.address_bytes);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) ::signal(signal, SIG_DFL);
  if (dup2(input, 0) < 0 || dup2(output, 1) < 0 || dup2(errors, 2) < 0) _exit(127);
  execv("/proc/self/exe", arguments);
  _exit(127);
}

/// Processes that this thread is the parent of; empty where the kernel does not list them.
std::set<pid_t> own_children() {
  std::ifstream list("/proc/self/task/" + std::to_string(gettid()) + "/children");
  std::set<pid_t> children;
  for (pid_t pid = 0; list >> pid;) children.insert(pid);
  return children;
}

std::uint64_t resident_bytes(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/statm");
  std::uint64_t total = 0, resident = 0;
  file >> total >> resident;
  return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

/// Takes what there is without waiting, but not for ever: somebody may write faster than this reads. False at the end.
bool drain(int fd, std::string& kept) {
  std::array<char, 16384> buffer{};
  for (int i = 0; i < 64; ++i) {
    const auto got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return true;
    if (got == 0) return false;
    kept.append(buffer.data(), static_cast<std::size_t>(got));
    if (kept.size() > 2 * kMaxErrorBytes) kept.erase(0, kept.size() - kMaxErrorBytes);
  }
  return true;
}

/// What the ended child had started has come to this process, which is their subreaper; killing one may bring others.
unsigned kill_orphans(const std::set<pid_t>& not_orphans) {
  unsigned killed = 0;
  for (bool found = true; found;) {
    found = false;
    for (const auto pid : own_children()) {
      if (not_orphans.contains(pid)) continue;
      ::kill(pid, SIGKILL);
      waitpid(pid, nullptr, 0);
      found = true;
      ++killed;
    }
  }
  return killed;
}

std::string text_of(const char* text, std::size_t size, std::size_t max) {
  return {text, std::min(size, max)};
}

/// Waits until the child has ended, or kills it.
void wait_for_end(pid_t pid, int errors, const ChildLimits& limits, ChildEnd& end) {
  const Descriptor handle(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  const auto began = Clock::now();
  bool is_killed = false;
  const auto kill_for = [&](ChildEnd::Cause cause) {
    end.cause = cause;
    is_killed = true;
    ::kill(pid, SIGKILL);
  };
  while (true) {
    std::array<pollfd, 2> events{{{handle.get(), POLLIN, 0}, {errors, POLLIN, 0}}};
    poll(events.data(), events.size(), static_cast<int>(kPollInterval.count()));
    if (events[1].revents != 0 && !drain(errors, end.errors)) errors = -1;
    siginfo_t info{};
    // It stays a zombie, so that its id, and that of its group, stay its own.
    if (waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT | WNOHANG) == 0 && info.si_pid == pid) break;
    const auto resident = resident_bytes(pid);
    end.peak_bytes = std::max(end.peak_bytes, resident);
    if (is_killed) continue;
    if (resident > limits.memory_bytes)
      kill_for(ChildEnd::Cause::kMemoryLimit);
    else if (Clock::now() - began > limits.time || interrupted != 0)
      kill_for(ChildEnd::Cause::kTimeLimit);
  }
  end.took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - began);
  ::kill(-pid, SIGKILL);
  int status = 0;
  rusage use{};
  wait4(pid, &status, 0, &use);
  end.peak_bytes = std::max(end.peak_bytes, static_cast<std::uint64_t>(use.ru_maxrss) * 1024);
  if (is_killed) return;
  end.cause = WIFEXITED(status) ? ChildEnd::Cause::kExited : ChildEnd::Cause::kSignal;
  end.code = WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status);
  if (end.cause == ChildEnd::Cause::kSignal && end.code == SIGXCPU) end.cause = ChildEnd::Cause::kProcessorLimit;
}

}  // namespace

std::string cause_text(const ChildEnd& end, const ChildLimits& limits) {
  switch (end.cause) {
    case ChildEnd::Cause::kExited:
      return "exit code " + std::to_string(end.code);
    case ChildEnd::Cause::kSignal: {
      const char* name = sigabbrev_np(end.code);
      return "signal " + (name == nullptr ? std::to_string(end.code) : "SIG" + std::string(name));
    }
    case ChildEnd::Cause::kTimeLimit:
      return "time limit of " + std::to_string(limits.time.count() / 1000) + " s";
    case ChildEnd::Cause::kProcessorLimit:
      return "processor time limit of " + std::to_string(limits.processor.count()) + " s";
    case ChildEnd::Cause::kMemoryLimit:
      return "memory limit of " + std::to_string(limits.memory_bytes >> 20) + " MiB";
  }
  return "unknown";
}

void interrupt_children() noexcept {
  interrupted = 1;
}

Result<ChildEnd> run_child(std::vector<std::string> arguments, const ChildLimits& limits) {
  if (interrupted != 0) return Error{Errc::kCancelled, "interrupted", {}};
  // Until this process ends: a grandchild whose parent is gone comes here, wherever it has hidden.
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  // Not closed at exec, and the only one: descriptors of this program are.
  const Descriptor memory(memfd_create("toolhost-report", 0));
  if (memory.get() < 0 || ftruncate(memory.get(), sizeof(Shared)) != 0) return unavailable("no shared memory");
  void* const mapped = mmap(nullptr, sizeof(Shared), PROT_READ, MAP_SHARED, memory.get(), 0);
  if (mapped == MAP_FAILED) return unavailable("shared memory cannot be mapped");
  const std::unique_ptr<void, void (*)(void*)> unmap(mapped, [](void* at) { munmap(at, sizeof(Shared)); });
  std::array<int, 2> pipe{};
  if (pipe2(pipe.data(), O_CLOEXEC | O_NONBLOCK) != 0) return unavailable("no pipe");
  const Descriptor errors(pipe[0]);
  Descriptor errors_of_child(pipe[1]);
  const Descriptor nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (nothing.get() < 0) return unavailable("/dev/null cannot be opened");
  // The child writes as to any pipe.
  fcntl(errors_of_child.get(), F_SETFL, 0);

  arguments.insert(arguments.begin(), "toolhost");
  arguments.push_back(std::to_string(memory.get()));
  std::vector<char*> argv;
  for (auto& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const auto children = own_children();
  const auto self = getpid();
  const auto pid = fork();
  if (pid < 0) return unavailable("fork");
  if (pid == 0) become_child(argv.data(), limits, self, nothing.get(), nothing.get(), errors_of_child.get());
  setpgid(pid, pid);  // as the child does: whoever comes first
  errors_of_child.reset();

  ChildEnd end;
  wait_for_end(pid, errors.get(), limits, end);
  end.processes_left = kill_orphans(children);
  drain(errors.get(), end.errors);
  if (end.errors.size() > kMaxErrorBytes) end.errors.erase(0, end.errors.size() - kMaxErrorBytes);
  if (interrupted != 0) return Error{Errc::kCancelled, "interrupted", {}};
  const auto& shared = *static_cast<const Shared*>(mapped);
  end.step = text_of(shared.step.data(), shared.step_bytes.load(), shared.step.size());
  end.report = text_of(shared.report.data(), shared.report_bytes.load(), shared.report.size());
  return end;
}

Result<ChildReport> ChildReport::open(int descriptor) {
  struct stat status{};
  void* mapped = MAP_FAILED;
  if (fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode) && status.st_size == sizeof(Shared))
    mapped = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  if (mapped == MAP_FAILED)
    return Error{Errc::kInvalidArgument, "this command is started by 'toolhost plugin validate' only; run that", {}};
  ::close(descriptor);
  return ChildReport(mapped);
}

void ChildReport::begin_step(std::string_view step) noexcept {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  auto& shared = *static_cast<Shared*>(shared_);
  const auto size = std::min(step.size(), shared.step.size());
  std::memcpy(shared.step.data(), step.data(), size);
  shared.step_bytes.store(static_cast<std::uint32_t>(size));
}

Result<> ChildReport::finish(std::string_view report) noexcept {
  auto& shared = *static_cast<Shared*>(shared_);
  if (report.size() > shared.report.size()) return Error{Errc::kLimit, "the plugin declares more than 16 MiB", {}};
  std::memcpy(shared.report.data(), report.data(), report.size());
  shared.report_bytes.store(static_cast<std::uint32_t>(report.size()));
  return boost::system::in_place_value;
}

}  // namespace toolhost::app
