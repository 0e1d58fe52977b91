#include "app/database_keeper.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <string>
#include <thread>

#include "app/commands/exit_code.hpp"
#include "base/deadline.hpp"
#include "observability/log.hpp"
#include "storage/embedded_postgres.hpp"

namespace toolhost::app {
namespace {

using namespace std::chrono_literals;

constexpr auto kLookEvery = 100ms;
constexpr auto kUnusedFor = 2s;
constexpr auto kReadyWithin = 60s;
constexpr int kReadyDescriptor = 3;

/// The arguments and files of the process; nothing of this one's environment, which holds a key.
pid_t spawn_keeper(const std::filesystem::path& data_dir, int ready) {
  std::array<std::string, 5> words{"toolhost", "stdio", "--data-dir", data_dir.string(), "--keep-database"};
  std::array<char*, 6> arguments{};
  for (std::size_t i = 0; i < words.size(); ++i) arguments[i] = words[i].data();
  std::string path = "PATH=/usr/bin:/bin";
  std::array<char*, 2> environment{path.data(), nullptr};

  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    posix_spawn_file_actions_addopen(&files, fd, "/dev/null", O_RDWR, 0);
  posix_spawn_file_actions_adddup2(&files, ready, kReadyDescriptor);
  posix_spawnattr_t how;
  posix_spawnattr_init(&how);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&how, &none);
  posix_spawnattr_setsigdefault(&how, &all);
  posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  pid_t child = -1;
  if (::posix_spawn(&child, "/proc/self/exe", &files, &how, arguments.data(), environment.data()) != 0) child = -1;
  posix_spawnattr_destroy(&how);
  posix_spawn_file_actions_destroy(&files);
  return child;
}

}  // namespace

void start_database_keeper(const std::filesystem::path& data_dir) {
  std::array<int, 2> ready{};
  if (::pipe2(ready.data(), O_CLOEXEC) != 0) return;
  const pid_t child = spawn_keeper(data_dir, ready[1]);
  ::close(ready[1]);
  if (child > 0) {
    // It ends at once, having begun the one that stays.
    ::waitpid(child, nullptr, 0);
    pollfd waiting{.fd = ready[0], .events = POLLIN, .revents = 0};
    ::poll(&waiting, 1, std::chrono::milliseconds(kReadyWithin).count());
  }
  ::close(ready[0]);
}

int keep_database(const std::filesystem::path& data_dir, int ready_fd) {
  const pid_t child = ::fork();  // nobody has to wait for the one that stays
  if (child != 0) ::_exit(child > 0 ? kExitOk : kExitFailed);
  ::signal(SIGPIPE, SIG_IGN);  // whoever waits may be gone before the database is there
  const auto events = observability::create_fan_out({});
  const auto server = storage::EmbeddedPostgres::keep({.data_directory = data_dir}, *events);
  const bool runs_it = server && (*server)->pid() > 0;
  if (runs_it) (void)::write(ready_fd, "", 1);  // when nobody waits any more, others may use it
  ::close(ready_fd);
  if (!runs_it) return kExitOk;  // somebody else does
  auto end = Deadline::after(kUnusedFor);
  for (;;) {
    std::this_thread::sleep_for(kLookEvery);
    (*server)->supervise();
    if ((*server)->is_wanted()) return kExitOk;
    if ((*server)->is_used(end.has_passed())) {
      end = Deadline::after(kUnusedFor);
    } else if (end.has_passed()) {
      return kExitOk;
    }
  }
}

}  // namespace toolhost::app
