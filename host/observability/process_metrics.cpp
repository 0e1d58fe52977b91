#include "observability/process_metrics.hpp"

#include <dirent.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>

namespace toolhost::observability {
namespace {

double seconds_of(const timespec& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

struct Memory {
  double total = 0, resident = 0;  // bytes
};
Memory memory() {
  long total = 0, resident = 0;
  if (std::FILE* file = std::fopen("/proc/self/statm", "re")) {
    if (std::fscanf(file, "%ld %ld", &total, &resident) != 2) total = resident = 0;
    std::fclose(file);
  }
  const auto page = static_cast<double>(::sysconf(_SC_PAGESIZE));
  return {static_cast<double>(total) * page, static_cast<double>(resident) * page};
}

double open_descriptors() {
  DIR* directory = ::opendir("/proc/self/fd");
  if (directory == nullptr) return 0;
  int count = 0;
  while (const dirent* entry = ::readdir(directory)) {
    if (entry->d_name[0] != '.') ++count;
  }
  ::closedir(directory);
  return count - 1;  // without the one that read them
}

double most_descriptors() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<double>(limit.rlim_cur);
}

double processor_seconds() {
  timespec used{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return seconds_of(used);
}

double start_time() {
  // Field 22 of stat: ticks between the start of the machine and that of the process. The name, field 2, is in
  // parentheses and may hold anything.
  unsigned long long ticks = 0;
  if (std::FILE* file = std::fopen("/proc/self/stat", "re")) {
    char text[1024];
    const std::size_t size = std::fread(text, 1, sizeof text - 1, file);
    std::fclose(file);
    std::string_view rest(text, size);
    rest.remove_prefix(std::min(rest.rfind(')'), size));
    text[size] = '\0';
    if (std::sscanf(rest.data(), ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
                    &ticks) != 1)
      ticks = 0;
  }
  timespec now{}, since_boot{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  ::clock_gettime(CLOCK_BOOTTIME, &since_boot);
  return seconds_of(now) - seconds_of(since_boot) +
         static_cast<double>(ticks) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

MetricSource one(const char* name, const char* help, std::function<double()> read, bool is_counter = false) {
  return {name, help, is_counter,
          [read = std::move(read)] { return std::vector<MetricSample>{{.labels = {}, .value = read()}}; }};
}

}  // namespace

std::vector<MetricSource> process_metrics() {
  return {
      one("process_cpu_seconds_total", "Processor time that the process has used.", processor_seconds, true),
      one("process_resident_memory_bytes", "Memory of the process that is in RAM.", [] { return memory().resident; }),
      one("process_virtual_memory_bytes", "Address space of the process.", [] { return memory().total; }),
      one("process_open_fds", "Open file descriptors.", open_descriptors),
      one("process_max_fds", "File descriptors that the process may have open.", most_descriptors),
      one("process_start_time_seconds", "When the process began, as Unix time.",
          [started = start_time()] { return started; }),
  };
}

}  // namespace toolhost::observability
